"""What is found in every caller's request before it passes."""

import msgspec

from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.bodies import NOTHING, head, is_given, read_any
from enfilade.dialects.errors import WrongType
from enfilade.dialects.gemini.fields import snake

MEDIA_FIELDS = (b"inlineData", b"inline_data", b"fileData", b"file_data")
_MEDIA = frozenset(name.decode() for name in MEDIA_FIELDS)
_FREE = frozenset({"args", "response"})
"""What tools were asked and answered: names in there are the caller's own."""
_ACTED_ON = ("generationConfig", "serviceTier", "cachedContent", "systemInstruction")


class _Holder(msgspec.Struct, gc=False):
    """As much of a content, a part or a tool's result as tells media from text, in both ways of writing it."""

    inline_data: msgspec.Raw = NOTHING
    file_data: msgspec.Raw = NOTHING
    inline_data_camel: msgspec.Raw = msgspec.field(name="inlineData", default=NOTHING)
    file_data_camel: msgspec.Raw = msgspec.field(name="fileData", default=NOTHING)
    parts: "list[_Holder] | None" = None
    function_response: "_Holder | None" = None
    function_response_camel: "_Holder | None" = msgspec.field(name="functionResponse", default=None)
    content: "_Holder | None" = None
    contents: "list[_Holder] | None" = None
    system_instruction: "_Holder | None" = None
    system_instruction_camel: "_Holder | None" = msgspec.field(name="systemInstruction", default=None)

    def media(self) -> int:
        """How many parts are no text, within results too."""
        own = (self.inline_data, self.file_data, self.inline_data_camel, self.file_data_camel)
        count = int(any(raw is not NOTHING and is_given(raw) for raw in own))
        count += sum(holder.media() for holders in (self.parts, self.contents) for holder in holders or ())
        for inner in (
            self.function_response,
            self.function_response_camel,
            self.content,
            self.system_instruction,
            self.system_instruction_camel,
        ):
            if inner is not None:
                count += inner.media()
        return count


_HOLDER = msgspec.json.Decoder(_Holder)
_HOLDERS = msgspec.json.Decoder(list[_Holder])


def count_media(raw: msgspec.Raw, name: str) -> int:
    """Parts of a field that are not text, those within results included; their data is not read. Raises WrongType."""
    start = head(raw)[:1]
    if start not in {b"[", b"{"}:
        return 0
    try:
        holders = _HOLDERS.decode(raw) if start == b"[" else [_HOLDER.decode(raw)]
    except UNREADABLE:
        # Something among them is no part; that hides none of the others.
        return _count_decoded(read_any(raw, name))
    return sum(holder.media() for holder in holders)


def _count_decoded(value: object) -> int:
    count = 0
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            count += not _MEDIA.isdisjoint(item)
            pending.extend(content for name, content in item.items() if name not in _FREE)
    return count


def require_one_spelling(fields: dict[str, msgspec.Raw]) -> None:
    """Raise WrongType when a field that we act on is there in both ways of writing it: which one counts, nobody says."""
    for name in _ACTED_ON:
        if name in fields and snake(name) in fields:
            message = f"`{name}` stands in the body twice, in two ways of writing it."
            raise WrongType(message, param=name)
