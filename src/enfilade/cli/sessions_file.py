"""Where `enfilade login` keeps sessions: a file that only its owner can read, one token for each server."""

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import typer

from enfilade.settings import Settings


def place(settings: Settings) -> Path:
    """The file."""
    return settings.sessions_file or Path(typer.get_app_dir("enfilade")) / "sessions.json"


def kept_token(settings: Settings, address: str) -> str | None:
    """The token for this server, and no other; None where nobody signed in, or where others could read the file."""
    path = place(settings)
    with suppress(OSError, ValueError, AttributeError):
        if path.stat().st_mode & 0o077:
            return None
        token = _read(path).get(address)
        return token if isinstance(token, str) else None
    return None


def keep_token(settings: Settings, address: str, token: str | None) -> None:
    """Keep a server's token, or forget it. The file appears whole, or not at all."""
    path = place(settings)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        kept = _read(path)
    kept.pop(address, None)
    if token is not None:
        kept[address] = token
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".sessions-")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(kept, file)
    Path(temporary).replace(path)


def _read(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    return content if isinstance(content, dict) else {}
