"""How the generated pages are written."""

from collections.abc import Iterable, Sequence

NOTICE = "<!-- Written by `./dev docs` from the code. Change the code, not this page. -->"


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")


def code(value: object) -> str:
    """A value as code; nothing for none."""
    return "" if value is None or value == "" else f"`{value}`"


def page(title: str, *parts: str) -> str:
    """A page's text."""
    return "\n\n".join((f"# {title}", NOTICE, *parts)) + "\n"
