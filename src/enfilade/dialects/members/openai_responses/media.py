"""Images, documents and sounds, as parts of messages and results."""

import base64
from typing import Any

from enfilade.core.messages import CacheLife, Media
from enfilade.dialects.bodies import as_object
from enfilade.dialects.errors import WrongType
from enfilade.dialects.members.openai_responses.reading import Notes, typed
from enfilade.dialects.openai.media import AUDIO_TYPES, SUFFIXES, data_address, split_data, type_of_file

_IMAGE = frozenset({"type", "image_url", "file_id", "detail", "prompt_cache_breakpoint"})
_FILE = frozenset({"type", "file_data", "file_url", "file_id", "filename", "detail", "prompt_cache_breakpoint"})
_AUDIO = frozenset({"type", "input_audio"})
PDF = "application/pdf"


def read_cache(part: dict[str, Any]) -> CacheLife | None:
    """How long the prefix that ends with this part is to be kept; there are half an hour and twelve."""
    mark = as_object(part.get("prompt_cache_breakpoint"))
    if mark.get("mode") != "explicit":
        return None
    return "1h" if mark.get("ttl") == "12h" else "5m"


def read_image(part: dict[str, Any], where: str, notes: Notes) -> Media:
    """An image. Raises WrongType."""
    notes.check(part, _IMAGE, where)
    detail = typed(part.get("detail"), str, f"{where}.detail", optional=True)
    file_id = typed(part.get("file_id"), str, f"{where}.file_id", optional=True)
    cache = read_cache(part)
    if file_id is not None:
        return Media("image", file_id=file_id, detail=detail, cache=cache)
    url = typed(part.get("image_url"), str, f"{where}.image_url")
    media_type, data = split_data(url, f"{where}.image_url")
    if data is not None:
        return Media("image", media_type, data, detail=detail, cache=cache)
    return Media("image", url=url, detail=detail, cache=cache)


def read_file(part: dict[str, Any], where: str, notes: Notes) -> Media:
    """A document. Raises WrongType."""
    notes.check(part, _FILE, where)
    name, detail, data, url, file_id = (
        typed(part.get(field), str, f"{where}.{field}", optional=True)
        for field in ("filename", "detail", "file_data", "file_url", "file_id")
    )
    cache = read_cache(part)
    if data is not None:
        media_type, content = split_data(data, f"{where}.file_data")
        media_type = media_type or type_of_file(name)
        return Media(
            "document", media_type, data if content is None else content, detail=detail, name=name, cache=cache
        )
    if url is None and file_id is None:
        message = f"`{where}` needs `file_data`, `file_url` or `file_id`."
        raise WrongType(message, param=where)
    return Media("document", url=None if file_id else url, file_id=file_id, detail=detail, name=name, cache=cache)


def read_audio(part: dict[str, Any], where: str, notes: Notes) -> Media:
    """A sound. Raises WrongType."""
    notes.check(part, _AUDIO, where)
    sound = typed(part.get("input_audio"), dict, f"{where}.input_audio")
    form = typed(sound.get("format"), str, f"{where}.input_audio.format")
    data = typed(sound.get("data"), str, f"{where}.input_audio.data")
    return Media("audio", AUDIO_TYPES.get(form, f"audio/{form}"), data)


def write_media(media: Media) -> dict[str, Any]:
    """A part for a provider."""
    return _write_image(media) if media.kind == "image" else _write_file(media)


def _write_image(media: Media) -> dict[str, Any]:
    part: dict[str, Any] = {"type": "input_image", "detail": media.detail or "auto"}
    if media.file_id is not None:
        part["file_id"] = media.file_id
    elif media.data is not None:
        part["image_url"] = data_address(media.data, media.media_type or "image/png")
    else:
        part["image_url"] = media.url
    return part


def _write_file(media: Media) -> dict[str, Any]:
    part: dict[str, Any] = {"type": "input_file"}
    if media.detail is not None:
        part["detail"] = media.detail
    if media.file_id is not None:
        return part | {"file_id": media.file_id}
    if media.url is not None:
        return part | {"file_url": media.url}
    media_type, data = media.media_type or PDF, media.data
    if data is None:
        # Plain text goes as a file of text: data is all that there is a place for.
        media_type, data = "text/plain", base64.b64encode((media.text or "").encode("utf-8", "replace")).decode()
    part["filename"] = media.name or f"document.{SUFFIXES.get(media_type, 'bin')}"
    return part | {"file_data": data_address(data, media_type)}
