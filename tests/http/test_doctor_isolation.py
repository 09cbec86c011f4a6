"""`enfilade doctor isolation` over a whole installation: its databases, its routes, and what a process remembers."""

import hashlib

import asyncpg
import msgspec

from enfilade.bootstrap.ingredients import Ingredients
from enfilade.bootstrap.isolation.report import examine_isolation
from enfilade.bootstrap.isolation.requests import REASONS
from enfilade.core.clock import SystemClock
from enfilade.storage.address import Address
from enfilade.storage.cells import SCHEMA
from enfilade.storage.isolation.scratch import NAME


async def test_a_healthy_installation_passes_and_nothing_is_left_behind(database: Address) -> None:
    ingredients = Ingredients(database, SystemClock(), master_key=bytes(32))
    report = await examine_isolation(ingredients, lambda _text: None, [SCHEMA])
    assert [item for item in report.items if item.faults] == []
    assert report.left_out == []
    shown = report.shown()
    counts = shown["counts"]
    assert counts["route"] > 300
    assert min(counts[kind] for kind in ("table", "view", "function", "index", "role", "cache", "queue", "answer")) > 0
    routes = {item.name: item for item in report.items if item.kind == "route" and item.place == "trial, schema"}
    assert "requests" in routes["GET /api/v1/users/{email}"].probe
    # What is not asked for somebody else's things says why.
    for name, item in routes.items():
        assert "requests" in item.probe or "a list" in item.probe or item.probe.startswith("none: "), item
        assert "{" not in name or "requests" in item.probe or name in REASONS or "platform" in item.guard, item
    for kind in ("cache", "queue"):
        for item in (item for item in report.items if item.kind == kind and item.place == "process"):
            assert " entries, of " in item.probe or item.probe.startswith(f"none: {item.guard}"), item
    kept = {item.name: item for item in report.items if item.kind == "cache"}
    assert " of 2 tenants" in kept["gateway.cache.ReplyCache._answers"].probe, "both asked, and both were answered"
    answers = {item.name: item for item in report.items if item.kind == "answer"}
    assert set(answers) == {"kept answers", "repeated requests", "cursors", "not yours and not found"}
    assert "people:read" in routes["GET /api/v1/users/{email}"].guard
    digest = shown.pop("sha256")
    assert hashlib.sha256(msgspec.json.encode(shown)).hexdigest() == digest
    connection = await asyncpg.connect(database.url)
    try:
        left = "SELECT rolname FROM pg_roles WHERE starts_with(rolname, $1)"
        assert await connection.fetch(left, NAME) == []
        left = "SELECT datname FROM pg_database WHERE starts_with(datname, $1)"
        assert await connection.fetch(left, NAME) == []
    finally:
        await connection.close()
