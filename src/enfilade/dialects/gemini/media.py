"""Images, documents, sounds and videos, as Google's parts hold them."""

import base64
from typing import Any
from urllib.parse import urlsplit

from enfilade.core.messages import Media, Sealed
from enfilade.dialects.gemini.fields import text_at, wrong

OWN_FILES = "https://generativelanguage.googleapis.com/"
_FIRST_OF_TYPE = {"image": "image", "audio": "audio", "video": "video"}
_VIDEO_HOSTS = frozenset({"www.youtube.com", "youtube.com", "youtu.be"})
_TYPES_BY_SUFFIX = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "heic": "image/heic",
    "heif": "image/heif",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "html": "text/html",
    "wav": "audio/wav",
    "mp3": "audio/mp3",
    "ogg": "audio/ogg",
    "flac": "audio/flac",
    "mp4": "video/mp4",
    "mov": "video/mov",
    "webm": "video/webm",
}
_ALIASES = {"image/jpg": "image/jpeg"}


def inline_media(blob: dict[str, Any], where: str, detail: str | None, seal: Sealed | None) -> Media:
    """A part's `inlineData`. Raises WrongType."""
    media_type, data = text_at(blob, "mimeType", where), text_at(blob, "data", where)
    if data is None:
        raise wrong(f"{where}.data", "base64")
    name = text_at(blob, "displayName", where)
    kind = kind_of(media_type)
    return Media(kind, media_type, data=_everywhere(data), detail=_for_image(kind, detail), name=name, seal=seal)


def _everywhere(data: str) -> str:
    """Google's SDK writes the alphabet of addresses, and Google takes it; other services refuse it."""
    if "-" in data or "_" in data:
        return data.replace("-", "+").replace("_", "/")
    return data


def filed_media(file: dict[str, Any], where: str, detail: str | None, seal: Sealed | None) -> Media:
    """A part's `fileData`: an address on the web, or a file that Google keeps. Raises WrongType."""
    media_type, uri = text_at(file, "mimeType", where), text_at(file, "fileUri", where)
    if not uri:
        raise wrong(f"{where}.fileUri", "an address")
    is_web = uri.startswith(("http://", "https://")) and not uri.startswith(OWN_FILES)
    kind = kind_of(media_type or (_type_of_address(uri) if is_web else None))
    if media_type is None and is_web and urlsplit(uri).hostname in _VIDEO_HOSTS:
        kind = "video"
    return Media(
        kind,
        media_type,
        url=uri if is_web else None,
        file_id=None if is_web else uri,
        detail=_for_image(kind, detail),
        name=text_at(file, "displayName", where),
        seal=seal,
    )


def _for_image(kind: str, detail: str | None) -> str | None:
    return detail if kind == "image" else None


def kind_of(media_type: str | None) -> str:
    """What something of that type is."""
    return _FIRST_OF_TYPE.get((media_type or "").partition("/")[0], "document")


def _type_of_address(url: str) -> str | None:
    path = url.partition("?")[0].partition("#")[0]
    return _TYPES_BY_SUFFIX.get(path.rpartition(".")[2].lower())


def media_part(media: Media) -> dict[str, Any]:
    """A part for it; base64 stays as it came."""
    if media.data is not None:
        return {"inlineData": {"mimeType": _media_type(media), "data": media.data}}
    if media.text is not None:
        data = base64.b64encode(media.text.encode("utf-8", "surrogatepass")).decode()
        return {"inlineData": {"mimeType": media.media_type or "text/plain", "data": data}}
    uri = media.url or media.file_id or ""
    if uri.startswith("files/"):
        uri = f"{OWN_FILES}v1beta/{uri}"
    file = {"fileUri": uri}
    media_type = media.media_type or (_type_of_address(uri) if media.url is not None else None)
    if media_type is not None:
        file["mimeType"] = _ALIASES.get(media_type, media_type)
    return {"fileData": file}


_UNKNOWN = {"image": "image/jpeg", "document": "application/pdf", "audio": "audio/wav", "video": "video/mp4"}


def _media_type(media: Media) -> str:
    """Google requires a type; a bare `wav` is a format, not a type."""
    given = media.media_type
    if given is None:
        return _UNKNOWN.get(media.kind, "application/octet-stream")
    return _ALIASES.get(given, given) if "/" in given else f"{media.kind}/{given}"
