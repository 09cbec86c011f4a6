"""Media in OpenAI's dialects: addresses that hold their data, and the types of sounds and files."""

import re

from enfilade.dialects.checks import wrong

AUDIO_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg"}
_TYPES = {
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
SUFFIXES = {media_type: suffix for suffix, media_type in _TYPES.items()}
_DATA = re.compile(r"data:(?P<type>[^;,]{0,256})(?:;[^;,]{0,256}){0,16};base64,", re.IGNORECASE)


def split_data(address: str, where: str) -> tuple[str | None, str | None]:
    """The media type and the base64 of a `data:` address; (None, None) for any other. Raises WrongType."""
    if address[:5].lower() != "data:":
        return None, None
    found = _DATA.match(address)
    if found is None:
        wrong(where, "an address on the web, or a `data:` address in base64")
    return found["type"] or None, address[found.end() :]


def data_address(data: str, media_type: str) -> str:
    """The data as an address."""
    return f"data:{media_type};base64,{data}"


def type_of_file(name: str | None) -> str | None:
    """What a file of that name holds, as far as its ending tells."""
    return None if name is None else _TYPES.get(name.rpartition(".")[2].lower())
