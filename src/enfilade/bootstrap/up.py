"""Starting from nothing: database, schema, configuration, keys, server."""

import asyncio
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from random import Random  # noqa: TID251 - made here, handed to who needs it
from typing import TextIO

import structlog

from enfilade import __version__
from enfilade.api.server import server_context
from enfilade.bootstrap.compose import Parts
from enfilade.bootstrap.ingredients import Ingredients
from enfilade.bootstrap.process import CannotListen, Listening, Stop, bring_up, find_cells, listen, serve, shut
from enfilade.bootstrap.sealing import master_key_choice
from enfilade.bootstrap.vault import secret_rules
from enfilade.configuration.document import Document
from enfilade.configuration.service import Application
from enfilade.core.clock import SystemClock
from enfilade.core.ids import PLATFORM_ID
from enfilade.identity.scopes import system_scope
from enfilade.identity.sign_in.types import SessionRules
from enfilade.identity.types import KeySpec
from enfilade.settings import Settings
from enfilade.storage.address import Address, external_address
from enfilade.storage.embedded.supervisor import EmbeddedPostgres
from enfilade.storage.fleet import Fleet
from enfilade.telemetry.logs import LineWriter, configure_logs
from enfilade.telemetry.traces import CallTracer, NoTracer

FIRST_KEY = "admin"

log = structlog.get_logger("enfilade.up")

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ready:
    """What a starter learns once the server answers."""

    listening: Listening
    database: str
    data: Path | None
    admin_key: str | None = field(repr=False, default=None)
    applied: Application = field(default_factory=Application)


@dataclass(frozen=True, slots=True)
class StartOptions:
    """How to start."""

    settings: Settings
    on_ready: Callable[[Ready], None]
    progress: Progress = lambda _text: None
    log_stream: TextIO = sys.stderr
    document: Document | None = None
    """Applied at every start."""
    first_document: Document | None = None
    """Applied when the installation has no tenant yet."""
    prepares: bool = True
    """Whether to migrate and to make a first key, as `up` does; `serve` does neither."""


@asynccontextmanager
async def database(settings: Settings, progress: Progress) -> AsyncIterator[Address]:
    """The database's address: a server of the operator's, or the embedded one for as long as the block lasts."""
    if settings.database_url is not None:
        secret = settings.database_role_secret
        yield external_address(settings.database_url.get_secret_value(), secret.get_secret_value() if secret else None)
        return
    progress("Starting PostgreSQL")
    server = EmbeddedPostgres(settings.data, SystemClock(), settings.postgres_user)
    address = await server.start()
    try:
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(server.run())
            try:
                yield address
            finally:
                watch.cancel()
    finally:
        await server.stop()


@asynccontextmanager
async def cells_of(settings: Settings, address: Address) -> AsyncIterator[Fleet]:
    """The cells of an installation, for commands that look after them while no server runs."""
    parts = Parts(ingredients(settings, address, None))
    try:
        await parts.database.open()
        await find_cells(parts)
        yield parts.fleet
    finally:
        await shut(parts)


def ingredients(settings: Settings, address: Address, writer: LineWriter | None) -> Ingredients:
    """What a process is built from."""
    return Ingredients(
        address=address,
        clock=SystemClock(),
        random=Random(),  # noqa: S311 - spreads load; nothing secret comes from it
        log=writer,
        log_style=log_style(settings, sys.stderr),
        master_keys=master_key_choice(settings),
        environment=settings.environment(),
        secret_env=settings.secret_env,
        secret_dirs=(*settings.secret_dirs, settings.data / "secrets"),
        secrets=secret_rules(settings),
        trusted_proxies=settings.trusted_proxies,
        max_body_bytes=settings.max_body_bytes,
        tenant_calls=settings.tenant_calls,
        cache_bytes=settings.cache_bytes,
        public_url=settings.public_url,
        session_rules=SessionRules(settings.session_idle_hours * 3600, settings.session_hours * 3600),
        tracer=_tracer(settings),
    )


async def start(options: StartOptions) -> None:
    """Start, serve until told to stop, and stop cleanly."""
    settings = options.settings
    stop = Stop()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.ask)
    loop.add_signal_handler(signal.SIGINT, stop.interrupt)
    tls = _tls(settings)
    writer = configure_logs(log_style(settings, options.log_stream), settings.log_level, options.log_stream)
    listener = listen(settings.host, settings.port)
    try:
        async with database(settings, options.progress) as address:
            parts = Parts(ingredients(settings, address, writer))
            try:
                options.progress("Preparing the database" if options.prepares else "Checking the database")
                await bring_up(parts, migrates=options.prepares)
                admin_key, applied = await _prepare(parts, options)
                ready = _ready(options, admin_key, applied)
                await serve(parts, listener, stop, drain_s=settings.drain_seconds, on_ready=ready, tls=tls)
            finally:
                await shut(parts)
    finally:
        listener.close()
        writer.close()


def _ready(options: StartOptions, admin_key: str | None, applied: Application) -> Callable[[Listening], None]:
    external = options.settings.database_url is not None

    def tell(listening: Listening) -> None:
        options.on_ready(
            Ready(
                listening,
                "external" if external else "embedded",
                None if external else options.settings.data,
                admin_key,
                applied,
            )
        )

    return tell


async def _prepare(parts: Parts, options: StartOptions) -> tuple[str | None, Application]:
    """Make the first key and apply the configuration; returns what was made."""
    if not options.prepares:
        return None, Application()
    admin_key = await make_first_key(parts)
    scope = system_scope("up")
    applied = Application()
    if options.document is not None:
        options.progress("Applying the configuration")
        applied = await parts.configuration.apply(scope, options.document)
    elif options.first_document is not None and not parts.principals.tenants():
        options.progress("Applying the demo configuration")
        applied = await parts.configuration.apply(scope, options.first_document)
    await parts.directory.refresh()
    return admin_key, applied


async def make_first_key(parts: Parts, *, always: bool = False, name: str = FIRST_KEY) -> str | None:
    """An owner's key for the platform, if it has no key at all (or `always`); None when none was made."""
    keys = parts.identity.keys
    async with parts.storage.unit_of_work(system_scope("up")) as unit:
        if not always and await keys.page(unit, None, 1, PLATFORM_ID):
            return None
        issued = await keys.issue(unit, KeySpec(name, roles=("owner",)))
    return issued.secret


def log_style(settings: Settings, stream: TextIO) -> str:
    """`json` or `console`."""
    if settings.log_style != "auto":
        return settings.log_style
    return "console" if stream.isatty() else "json"


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_cert is None:
        return None
    try:
        return server_context(str(settings.tls_cert), str(settings.tls_key) if settings.tls_key else None)
    except (OSError, ssl.SSLError) as error:
        message = f"The certificate {settings.tls_cert} cannot be used: {error}."
        raise CannotListen(message) from error


def _tracer(settings: Settings) -> CallTracer:
    if settings.otel_endpoint is None:
        return NoTracer()
    # OpenTelemetry is large; it is loaded when it is used.
    tracer: CallTracer = import_module("enfilade.telemetry.otel").OtelTracer(
        settings.otel_endpoint,
        settings.otel_sample_rate,
        "enfilade",
        __version__,
        Random(),  # noqa: S311 - samples calls
    )
    return tracer
