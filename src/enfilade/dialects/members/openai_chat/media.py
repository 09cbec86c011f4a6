"""Images, sounds and files in the parts of a chat message."""

from typing import Any

from enfilade.core.messages import CacheLife, Media
from enfilade.dialects.checks import obj, text, text_or_none, unknown, wrong

AUDIO_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg"}
AUDIO_FORMATS = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/vnd.wave": "wav",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
}
TYPES_BY_SUFFIX = {
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "html": "text/html",
    "csv": "text/csv",
    "json": "application/json",
    "xml": "text/xml",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_KINDS = {"image": "image", "audio": "audio", "video": "video"}
_BASE64 = ";base64"
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
    if media_type is None and name is not None:
        media_type = TYPES_BY_SUFFIX.get(name.rpartition(".")[2].lower())
    kind = _KINDS.get((media_type or "").partition("/")[0], "document")
    return Media(kind, media_type, data, url, name=name, cache=cache)


def _address(url: str, where: str) -> tuple[str | None, str | None, str | None]:
    """Media type, data and address: what a `data:` address holds is data."""
    if url[:5].lower() != "data:":
        return None, None, url
    # The data may be megabytes long: only its head is looked at.
    comma = url.find(",", 5, 1024)
    head = url[5:comma]
    if comma < 0 or head[-len(_BASE64) :].lower() != _BASE64:
        wrong(where, "an address on the web, or a `data:` address in base64")
    return head[: -len(_BASE64)] or None, url[comma + 1 :], None


def data_url(media: Media, otherwise: str) -> str:
    """The media's data as an address; `otherwise` is its type when nobody said one."""
    return f"data:{media.media_type or otherwise};base64,{media.data}"


def written_image(media: Media) -> dict[str, Any]:
    """An image as a part of a message."""
    held: dict[str, Any] = {"url": data_url(media, "image/png") if media.data is not None else media.url}
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
        url = data_url(media, "video/mp4") if media.data is not None else media.url
        return {"type": "video_url", "video_url": {"url": url}}
    held: dict[str, Any] = {}
    if media.file_id is not None:
        held["file_id"] = media.file_id
    elif media.data is not None:
        held["file_data"] = data_url(media, "application/pdf")
    if media.name is not None and "file_id" not in held:
        held["filename"] = media.name
    elif "file_data" in held:
        # The service refuses data without a name.
        held["filename"] = "document"
    return {"type": "file", "file": held}
