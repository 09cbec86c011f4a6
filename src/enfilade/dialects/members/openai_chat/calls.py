"""The tool calls of a provider's message, as services really write them."""

from collections.abc import Callable

import msgspec

from enfilade.core.happenings import Happening, PartEnded, PartGrew
from enfilade.core.messages import Part, Sealed, ToolCall
from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.members.openai_chat.marks import seal_of
from enfilade.dialects.members.openai_chat.shapes import Call, Called, arguments_text

_ANY = msgspec.json.Decoder()


class _Open(msgspec.Struct, gc=False):
    """A call that is being written."""

    id: str
    own_id: str
    """The service's own; empty when it has none."""
    name: str
    custom: bool
    pieces: list[str]
    index: int | None = None
    """None until its name is known."""
    seal: Sealed | None = None
    told_seal: bool = False
    ended: bool = False


class Calls:
    """All calls of one message.

    OpenAI tells them apart by their index and gives id and name once. Others repeat id and name, leave the index or the
    id out, or give every call the same index.
    """

    __slots__ = ("_begin", "_by_key", "_call_id", "_calls", "_out")

    def __init__(self, call_id: str, begin: Callable[[Part], int], out: list[Happening]) -> None:
        """`begin` begins a part and returns its index; what happens goes into `out`."""
        self._call_id = call_id
        self._begin = begin
        self._out = out
        self._calls: list[_Open] = []
        self._by_key: dict[int, _Open] = {}

    def take(self, call: Call) -> None:
        """A call, or more of it."""
        custom, function = call.custom, call.function
        if call.type == "custom" or custom is not None:
            name, piece = (custom.name, custom.input or "") if custom is not None else (None, "")
            is_custom = True
        else:
            name, piece = (function.name, arguments_text(function.arguments)) if function is not None else (None, "")
            is_custom = False
        known = self._known(call.index, call.id or "", name)
        if known is None:
            known = self._open(call.index, call.id or "", custom=is_custom)
        if call.extra_content is not None:
            known.seal = seal_of(call.extra_content) or known.seal
        self._grow(known, name or "", piece)

    def take_older(self, called: Called) -> None:
        """A call in the older form: there is only one, without an id."""
        known = self._by_key.get(-1) or self._open(-1, "", custom=False)
        self._grow(known, called.name or "", arguments_text(called.arguments))

    def close(self) -> None:
        """All calls are whole."""
        for call in self._calls:
            if call.index is None:
                self._tell(call)
            self._end(call)
        self._by_key.clear()

    def _known(self, index: int | None, own_id: str, name: str | None) -> _Open | None:
        """The call that this is more of; None for a new one."""
        if index is not None:
            known = self._by_key.get(index)
            is_other = known is not None and own_id and known.own_id and own_id != known.own_id
            return None if is_other else known
        if own_id:
            return next((call for call in self._calls if call.own_id == own_id), None)
        return None if name or not self._calls else self._calls[-1]

    def _open(self, index: int | None, own_id: str, *, custom: bool) -> _Open:
        for earlier in self._calls:
            if not earlier.ended and _is_whole(earlier):
                self._end(earlier)
        call = _Open(own_id or f"call_{self._call_id}_{len(self._calls)}", own_id, "", custom, [])
        self._calls.append(call)
        self._by_key[len(self._calls) - 1 if index is None else index] = call
        return call

    def _grow(self, call: _Open, name: str, piece: str) -> None:
        if call.ended:
            return  # It was whole: services that repeat themselves say nothing new.
        call.name = call.name or name
        if piece:
            call.pieces.append(piece)
        if call.index is None:
            if call.name:
                self._tell(call)
        elif piece:
            self._out.append(PartGrew(call.index, piece))

    def _tell(self, call: _Open) -> None:
        call.index = self._begin(ToolCall(call.id, call.name, "", call.custom, seal=call.seal))
        call.told_seal = call.seal is not None
        if call.pieces:
            self._out.append(PartGrew(call.index, "".join(call.pieces)))

    def _end(self, call: _Open) -> None:
        if call.ended or call.index is None:
            return
        call.ended = True
        last = None
        if call.seal is not None and not call.told_seal:
            last = ToolCall(call.id, call.name, "", call.custom, seal=call.seal)
        self._out.append(PartEnded(call.index, last))


def _is_whole(call: _Open) -> bool:
    """Whether nothing can follow: the arguments are one JSON value."""
    if call.custom or call.index is None or not call.pieces:
        return False
    try:
        _ANY.decode("".join(call.pieces))
    except UNREADABLE:
        return False
    return True
