"""Images, sounds and files in the parts of a chat message."""

from typing import Any

from enfilade.core.messages import CacheLife, Media
from enfilade.dialects.checks import obj, text, text_or_none, unknown, wrong
from enfilade.dialects.openai.media import AUDIO_TYPES, data_address, split_data, type_of_file

AUDIO_FORMATS = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/vnd.wave": "wav",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
}
_KINDS = {"image": "image", "audio": "audio", "video": "video"}
_IMAGE = frozenset({"url", "detail"})
_AUDIO = frozenset({"data", "format"})
_FILE = frozenset({"file_data", "file_id", "filename"})


def image(value: object, where: str, cache: CacheLife | None, foreign: list[str]) -> Media:
    """An `image_url` part; some callers give the address alone."""
    held = {"url": value} if isinstance(value, str) else obj(value, where)
    foreign += unknown(held, _IMAGE, where)
    media_type, data, url = _address(text(held.get("url"), f"{where}.url"), f"{where}.url")
    detail = text_or_none(held.get("detail"), f"{where}.detail")
    return Media("image", media_type, data, url, detail=detail, cache=cache)


def video(value: object, where: str, cache: CacheLife | None, foreign: list[str]) -> Media:
    """A `video_url` part, as vLLM and OpenRouter have it."""
    held = {"url": value} if isinstance(value, str) else obj(value, where)
    foreign += unknown(held, frozenset({"url"}), where)
    media_type, data, url = _address(text(held.get("url"), f"{where}.url"), f"{where}.url")
    return Media("video", media_type, data, url, cache=cache)


def audio(value: object, where: str, cache: CacheLife | None, foreign: list[str]) -> Media:
    """An `input_audio` part."""
    held = obj(value, where)
    foreign += unknown(held, _AUDIO, where)
    form = text(held.get("format"), f"{where}.format")
    return Media(
        "audio",
        AUDIO_TYPES.get(form, f"audio/{form}"),
        text(held.get("data"), f"{where}.data"),
        cache=cache,
    )


def file(value: object, where: str, cache: CacheLife | None, foreign: list[str]) -> Media:
    """A `file` part: its data, as an address or plain base64, or the id of one that the provider keeps."""
    held = obj(value, where)
    foreign += unknown(held, _FILE, where)
    name = text_or_none(held.get("filename"), f"{where}.filename")
    file_id = text_or_none(held.get("file_id"), f"{where}.file_id")
    given = text_or_none(held.get("file_data"), f"{where}.file_data")
    if given is None:
        if file_id is None:
            wrong(where, "a file with `file_data` or `file_id`")
        return Media("document", file_id=file_id, name=name, cache=cache)
    if given.startswith(("data:", "https://", "http://")):
        media_type, data, url = _address(given, f"{where}.file_data")
    else:
        media_type, data, url = None, given, None
    media_type = media_type or type_of_file(name)
    kind = _KINDS.get((media_type or "").partition("/")[0], "document")
    return Media(kind, media_type, data, url, name=name, cache=cache)


def _address(url: str, where: str) -> tuple[str | None, str | None, str | None]:
    """Media type, data and address: what a `data:` address holds is data."""
    media_type, data = split_data(url, where)
    return media_type, data, url if data is None else None


def _written_url(media: Media, otherwise: str) -> str | None:
    """Where the media are; `otherwise` is their type when nobody said one."""
    return media.url if media.data is None else data_address(media.data, media.media_type or otherwise)


def written_image(media: Media) -> dict[str, Any]:
    """An image as a part of a message."""
    held: dict[str, Any] = {"url": _written_url(media, "image/png")}
    if media.detail is not None:
        held["detail"] = media.detail
    return {"type": "image_url", "image_url": held}


def written(media: Media) -> dict[str, Any]:
    """Media as a part of a message."""
    if media.kind == "image":
        return written_image(media)
    if media.kind == "audio":
        media_type = media.media_type or "audio/wav"
        form = AUDIO_FORMATS.get(media_type, media_type.rpartition("/")[2])
        return {"type": "input_audio", "input_audio": {"data": media.data, "format": form}}
    if media.kind == "video":
        return {"type": "video_url", "video_url": {"url": _written_url(media, "video/mp4")}}
    held: dict[str, Any] = {}
    if media.file_id is not None:
        held["file_id"] = media.file_id
    elif media.data is not None:
        held["file_data"] = data_address(media.data, media.media_type or "application/pdf")
    if media.name is not None and "file_id" not in held:
        held["filename"] = media.name
    elif "file_data" in held:
        # The service refuses data without a name.
        held["filename"] = "document"
    return {"type": "file", "file": held}
