"""Everything of a kind, page by page."""

from collections.abc import Awaitable, Callable
from typing import Any

PAGE = 500


async def everything(page: Callable[[str | None, int], Awaitable[list[Any]]]) -> list[Any]:
    """All rows of a list that is ordered by id."""
    rows: list[Any] = []
    after: str | None = None
    while True:
        found = await page(after, PAGE)
        rows += found
        if len(found) < PAGE:
            return rows
        after = found[-1].id
