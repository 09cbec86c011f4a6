"""The examinations of `enfilade doctor`: each looks at one thing and says what it found."""

import os
import resource
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Any

from enfilade.bootstrap.up import cells_of, database
from enfilade.cli.key_checks import KeyChecks, key_checks
from enfilade.core.clock import SystemClock, to_datetime
from enfilade.core.errors import EnfiladeError
from enfilade.settings import Settings
from enfilade.storage.database import Database
from enfilade.storage.diagnosis import diagnose
from enfilade.storage.embedded.account import choose_account
from enfilade.storage.embedded.binaries import find_binaries, vector_instructions_missing
from enfilade.storage.residents import diagnose_cells

FREE_BYTES = 2_000_000_000
FILE_HANDLES = 4096
MAX_CLOCK_SKEW_S = 2.0
OLDEST_PYTHON = (3, 11)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one examination found: `ok`, `warning` or `fault`."""

    level: str
    subject: str
    text: str
    remedy: str | None = None

    def shown(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


async def examine(settings: Settings, *, quick: bool) -> list[Finding]:
    """All examinations, those of the database last."""
    findings = [_python(), _handles(), _disk(settings), _port(settings), _processor(), *_embedded(settings)]
    if quick or any(finding.level == "fault" for finding in findings):
        return findings
    try:
        async with key_checks(settings) as keys:
            findings += [Finding(*row) async for row in keys.services()]
            findings += [finding async for finding in _database(settings, keys)]
    except EnfiladeError as error:
        findings.append(Finding("fault", "settings", error.message, error.remedy))
    return findings


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        return Finding("fault", "python", f"{version} is too old", "Install Python 3.11 or newer.")
    return Finding("ok", "python", version)


def _handles() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FILE_HANDLES:
        return Finding(
            "warning",
            "open files",
            f"the limit is {soft}; every open stream needs two",
            f"Raise it before starting: ulimit -n {min(hard, 65536) if hard > 0 else 65536}",
        )
    return Finding("ok", "open files", f"up to {soft}")


def _disk(settings: Settings) -> Finding:
    place = settings.data
    while not place.exists():
        place = place.resolve().parent
    free = shutil.disk_usage(place).free
    if free < FREE_BYTES:
        return Finding("fault", "disk", f"{free / 1e9:.1f} GB free at {place}", "Free some space, or move the data.")
    return Finding("ok", "disk", f"{free / 1e9:.0f} GB free")


def _port(settings: Settings) -> Finding:
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            text = f"{settings.host}:{settings.port} cannot be listened on: {error.strerror}"
            return Finding(
                "warning", "port", text, "Stop what uses it (perhaps a running Enfilade), or set ENFILADE_PORT."
            )
    return Finding("ok", "port", f"{settings.host}:{settings.port} is free")


def _processor() -> Finding:
    if vector_instructions_missing():
        return Finding(
            "warning",
            "processor",
            "it lacks AVX2, which the bundled vector extension needs",
            "Use another machine, or a database of your own, before you use document search.",
        )
    return Finding("ok", "processor", f"{os.cpu_count()} cores")


def _embedded(settings: Settings) -> list[Finding]:
    if settings.database_url is not None:
        return []
    data = settings.data
    try:
        account = choose_account(settings.postgres_user, data / "postgres")
        binaries = find_binaries(data / "postgres", account)
    except EnfiladeError as error:
        return [Finding("fault", "embedded PostgreSQL", error.message, error.remedy)]
    findings = [Finding("ok", "embedded PostgreSQL", f"version {binaries.version}, to be run as {account.name}")]
    key = data / "master.key"
    if key.exists() and key.stat().st_mode & 0o077:
        findings.append(Finding("fault", "master key", f"{key} can be read by others", f"chmod 600 {key}"))
    return findings


async def _database(settings: Settings, keys: KeyChecks) -> AsyncIterator[Finding]:
    clock = SystemClock()
    try:
        async with database(settings, lambda _text: None) as address:
            yield Finding("ok", "database", address.redacted())
            before = to_datetime(clock.now_ns())
            diagnosis = await diagnose(Database(address))
            skew = abs((diagnosis.now - before).total_seconds())
            if skew > MAX_CLOCK_SKEW_S:
                yield Finding(
                    "warning", "clock", f"the database's clock differs by {skew:.1f} s", "Run NTP on both machines."
                )
            for level, subject, text, remedy in diagnosis.findings:
                yield Finding(level, subject, text, remedy)
            if not any(level == "fault" for level, *_ in diagnosis.findings):
                async with cells_of(settings, address) as fleet:
                    for level, subject, text, remedy in await diagnose_cells(fleet):
                        yield Finding(level, subject, text, remedy)
                async for row in keys.secrets(Database(address)):
                    yield Finding(*row)
    except EnfiladeError as error:
        yield Finding("fault", "database", error.message, _remedy(error, settings))


def _remedy(error: EnfiladeError, settings: Settings) -> str:
    if error.code == "data_directory_in_use":
        return "A server runs on this data; ask it instead: `enfilade replicas`, /readyz. Or stop it first."
    if settings.database_url is not None and error.code == "database_unavailable":
        return "Is the server up, and are host, port, user and password in ENFILADE_DATABASE_URL right?"
    return error.remedy
