"""What an assistant's message says beside its words: citations, and where its reasoning stands."""

from typing import Any

from enfilade.core.messages import Part, Reasoning, Text, ToolCall

Place = tuple[int, int]
"""After how many characters of the content, and how many tool calls."""


def citations(annotations: object) -> tuple[dict[str, Any], ...]:
    """The citations in `annotations`, in the neutral form; what is none of an address is left out."""
    found = []
    for entry in annotations if isinstance(annotations, list) else ():
        held = entry.get("url_citation") if isinstance(entry, dict) else None
        if isinstance(held, dict):
            cited = {
                name: held[key]
                for key, name in _FROM_ANNOTATION.items()
                if isinstance(held.get(key), str if name in _WORDS else int)
            }
            if cited:
                found.append(cited)
    return tuple(found)


_FROM_ANNOTATION = {
    "url": "url",
    "title": "title",
    "content": "cited_text",
    "start_index": "start",
    "end_index": "end",
}
_WORDS = frozenset({"url", "title", "cited_text"})


def annotations(text: Text, offset: int, length: int) -> list[dict[str, Any]]:
    """The annotations of a text of that length that begins at `offset` of the message's content."""
    found = []
    for cited in text.citations:
        url = cited.get("url")
        if not isinstance(url, str):
            continue  # The dialect has citations of addresses only.
        start, end = cited.get("start"), cited.get("end")
        held: dict[str, Any] = {
            "url": url,
            "title": cited.get("title") or "",
            "start_index": offset + start if isinstance(start, int) else offset,
            "end_index": offset + end if isinstance(end, int) else offset + length,
        }
        if isinstance(cited.get("cited_text"), str):
            held["content"] = cited["cited_text"]
        found.append({"type": "url_citation", "url_citation": held})
    return found


def arranged(parts: list[Part], calls: list[ToolCall], reasoning: list[tuple[Place, Reasoning]]) -> list[Part]:
    """One turn: reasoning at its places among the content's parts and the calls that follow them."""
    if not any(characters or after for (characters, after), _ in reasoning):
        return [*(part for _, part in reasoning), *parts, *calls]
    pending = list(reasoning)
    turn: list[Part] = []

    def place(characters: int, after: int | None) -> None:
        while pending:
            (wanted, calls_before), part = pending[0]
            if calls_before > (after or 0) or (after is None and wanted > characters):
                return
            turn.append(part)
            pending.pop(0)

    passed = 0
    for part in parts:
        place(passed, None)
        rest = part
        while isinstance(rest, Text) and pending and pending[0][0][1] == 0:
            cut = pending[0][0][0] - passed
            if not 0 < cut < len(rest.text):
                break
            turn.append(Text(rest.text[:cut], rest.cache))
            rest = Text(rest.text[cut:], rest.cache, rest.citations, rest.logprobs, rest.seal)
            passed += cut
            place(passed, None)
        turn.append(rest)
        passed += len(rest.text) if isinstance(rest, Text) else 0
    for position, call in enumerate(calls):
        place(passed, position)
        turn.append(call)
    return turn + [part for _, part in pending]
