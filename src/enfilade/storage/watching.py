"""Watching which statements are run for somebody, to compare what is done for one question and for another."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import asyncpg

OF_THE_DRIVER = ("typeinfo_tree", "set_config('jit'")
"""The driver's own questions about types, once for each connection, and what it sets for them."""
_STATEMENTS: ContextVar[list[str] | None] = ContextVar("statements", default=None)


@contextmanager
def statements_noted() -> Iterator[list[str]]:
    """What is run in transactions for whatever happens within, in tasks begun there too.

    The driver tells of a statement in the loop's next round: let it turn once before reading the list.
    """
    noted: list[str] = []
    token = _STATEMENTS.set(noted)
    try:
        yield noted
    finally:
        _STATEMENTS.reset(token)


@contextmanager
def watched(connection: asyncpg.Connection) -> Iterator[None]:
    """Note this connection's statements, if somebody wants to know."""
    noted = _STATEMENTS.get()
    if noted is None:
        yield
        return

    def note(record: Any) -> None:
        if not any(part in record.query for part in OF_THE_DRIVER):
            noted.append(record.query)

    with connection.query_logger(note):
        yield
