"""Bodies on their way through, freed of the envelopes that only we can read.

A chat may move from another family's model to one of Google's: what the other one sealed means nothing here.
"""

from typing import Any

import msgspec

from enfilade.dialects.bodies import raw_json, read_any
from enfilade.dialects.gemini.contents import ORIGIN
from enfilade.dialects.gemini.write import PLACEHOLDER, is_older
from enfilade.dialects.seals import MARK, opened

_SIGNATURES = ("thoughtSignature", "thought_signature")
_CALLS = ("functionCall", "function_call")


def without_envelopes(fields: dict[str, msgspec.Raw], model: str) -> dict[str, msgspec.Raw]:
    """The fields of a request to Google's model, with signatures of Google's alone."""
    raw = fields.get("contents")
    if raw is None:
        return fields
    contents = read_any(raw, "contents")
    for content in contents if isinstance(contents, list) else [contents]:
        if isinstance(content, dict) and isinstance(content.get("parts"), list):
            content["parts"] = _freed(content["parts"], model)
    if isinstance(contents, list):
        contents = [content for content in contents if not isinstance(content, dict) or content.get("parts") != []]
    return fields | {"contents": raw_json(contents)}


def _freed(parts: list[Any], model: str) -> list[Any]:
    kept: list[Any] = []
    has_calls = False
    for part in parts:
        if not isinstance(part, dict):
            kept.append(part)
            continue
        found = _opened(part)
        if found is None:
            continue
        is_call = any(name in found for name in _CALLS)
        if is_call and not has_calls and not is_older(model) and not any(name in found for name in _SIGNATURES):
            found[_SIGNATURES[0]] = PLACEHOLDER
        has_calls = has_calls or is_call
        kept.append(found)
    return kept


def _opened(part: dict[str, Any]) -> dict[str, Any] | None:
    """The part without an envelope; None for one that was nothing but its seal, or thoughts of another model."""
    name = next((name for name in _SIGNATURES if str(part.get(name, "")).startswith(MARK)), None)
    if name is None:
        return part
    seal = opened(part[name], ORIGIN)
    rest = {field: value for field, value in part.items() if field != name}
    if seal is not None and seal.origin == ORIGIN:
        return rest | {name: seal.value}
    return None if rest.get("thought") or (set(rest) <= {"text"} and not rest.get("text")) else rest
