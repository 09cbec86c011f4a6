"""The end of a stream that is cut by us, so that it reads as one that ran out of tokens."""

from typing import Any

import msgspec

from enfilade.dialects.bodies import ENCODER
from enfilade.dialects.json_text import object_in
from enfilade.dialects.members.openai_responses.happened import ItemsSoFar
from enfilade.dialects.sse import event_data, named_event, split_events


class CutStream:
    """Remembers what would have to be closed: the items that are whole, and the events of those that are not."""

    __slots__ = ("_last", "_open", "_response", "_since", "_whole")

    def __init__(self) -> None:
        """Start with nothing."""
        self._response = b"{}"
        self._whole: dict[int, msgspec.Raw] = {}
        self._since: list[bytes] = []
        self._last = b""
        self._open = 0

    def begun(self, response: bytes) -> None:
        """The response as it began."""
        self._response = response
        self._since.clear()

    def passed(self, region: bytes) -> None:
        """Events have gone to the caller."""
        self._since.append(region)
        self._last = region

    def item_began(self) -> None:
        """An item is open."""
        self._open += 1

    def item_done(self, position: int, item: msgspec.Raw) -> None:
        """An item is whole. What came of it need not be remembered, unless another one is open."""
        self._whole[position] = item
        self._open = max(0, self._open - 1)
        if not self._open:
            self._since.clear()

    def end(self, model: str) -> tuple[bytes, bytes]:
        """The events that close what is open and the response, and that response."""
        open_items = ItemsSoFar()
        for region in self._since:
            for event in split_events(region):
                open_items.take(_fields(event))
        number = _number(self._last) + 1
        events: list[bytes] = []
        closing, items = open_items.close()
        for fields in closing:
            events.append(_event(fields | {"sequence_number": number}))
            number += 1
        response = self._ended(model, items)
        final = {"type": "response.incomplete", "sequence_number": number, "response": msgspec.Raw(response)}
        events.append(_event(final))
        return b"".join(events), response

    def _ended(self, model: str, items: dict[int, dict[str, Any]]) -> bytes:
        begun = {"id": "", "object": "response", "model": model, "error": None} | object_in(self._response)
        ended = {
            "status": "incomplete",
            "incomplete_details": {"reason": "max_output_tokens"},
            "output": [item for _, item in sorted((self._whole | items).items())],
        }
        return ENCODER.encode(begun | ended)


def _event(fields: dict[str, Any]) -> bytes:
    return named_event(str(fields["type"]), fields)


def _fields(event: bytes) -> dict[str, Any]:
    return object_in(event_data(event) or b"null")


def _number(region: bytes) -> int:
    """The sequence number of the last event that has one."""
    for event in reversed(split_events(region)):
        number = _fields(event).get("sequence_number")
        if isinstance(number, int) and not isinstance(number, bool):
            return number
    return -1
