"""What the documentation says can be done, can be done."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from enfilade.cli.root import ROOT as CLI
from enfilade.configuration.document import Document
from enfilade.settings import Settings
from tests.meta.source import ROOT, SOURCE, name, project_files

ROOMS = [path for path in sorted(SOURCE.iterdir()) if (path / "__init__.py").exists()]
PAGES = [path for path in project_files() if path.suffix == ".md"]
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
OUTSIDE = {"ENFILADE_SECRET_"}
"""Beginnings of variables that are the operator's own."""


def command_lines(text: str) -> Iterator[str]:
    """Every `enfilade …` that a reader may type."""
    for match in INLINE.finditer(FENCE.sub("", text)):
        if match[1].startswith("enfilade "):
            yield match[1]
    for language, body in FENCE.findall(text):
        if language in {"", "sh", "console"}:
            for line in body.splitlines():
                stripped = line.strip().removeprefix("$ ").removeprefix(".venv/bin/")
                if stripped.startswith("enfilade "):
                    yield stripped


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    broken = [
        target
        for target in LINK.findall(FENCE.sub("", page.read_text()))
        if not re.match(r"https?:|mailto:", target) and not (page.parent / target).exists()
    ]
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_and_options_exist(page: Path) -> None:
    for line in command_lines(page.read_text()):
        words = shlex.split(line.split("#")[0].split("|")[0].replace("…", ""))
        command: Any = typer.main.get_command(CLI)
        at = 1
        while hasattr(command, "list_commands") and at < len(words) and not words[at].startswith("-"):
            found = command.get_command(command.context_class(command), words[at])
            assert found is not None, f"{line!r}: there is no {words[at]!r}"
            command, at = found, at + 1
        options = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
        for word in words[at:]:
            if word.startswith("-") and not re.match(r"-\d", word):
                assert word.split("=")[0] in options | {"--help"}, f"{line!r}: there is no option {word!r}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_settings_exist(page: Path) -> None:
    known = {f"ENFILADE_{field.upper()}" for field in Settings.model_fields}
    named = set(re.findall(r"ENFILADE_[A-Z_]+", page.read_text()))
    assert not {variable for variable in named - known if not any(variable.startswith(free) for free in OUTSIDE)}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_configuration_in_examples_is_accepted(page: Path) -> None:
    for language, body in FENCE.findall(page.read_text()):
        if language == "yaml":
            Document.model_validate({"version": 1} | yaml.safe_load(body))


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_every_room_says_what_it_is(room: Path) -> None:
    text = (room / "README.md").read_text()
    for heading in ("## Terms", "## Owns", "## Changes"):
        assert heading in text, heading


def test_the_word_list_is_in_order_and_without_doubles() -> None:
    words = re.findall(r"^\| ([a-z][^|]*?) \|", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)[1:]
    assert len(words) > 40
    assert words == sorted(set(words))
