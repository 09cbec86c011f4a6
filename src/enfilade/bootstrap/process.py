"""The life of a serving process: start, serve, drain, stop."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog

from enfilade.api.admin_app import resolve_routes
from enfilade.api.server import HttpServer
from enfilade.bootstrap.compose import Parts
from enfilade.bootstrap.memory import keep, tune
from enfilade.core.errors import EnfiladeError
from enfilade.identity.scopes import system_scope
from enfilade.storage.migrations import migrate, require_current

BACKLOG = 2048
FLUSH_DEADLINE_S = 10.0

log = structlog.get_logger("enfilade.process")


class CannotListen(EnfiladeError):
    """The address is taken or not ours."""

    code = "cannot_listen"
    remedy = "Choose another with --port or --host, or stop what uses it."


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a server listens."""

    host: str
    port: int
    secure: bool
    resolving: "asyncio.Future[None]"
    """Done when the administration's routes are ready for their first request."""

    @property
    def url(self) -> str:
        """The address for people and programs."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}"


async def bring_up(parts: Parts, *, migrates: bool) -> None:
    """Make a process ready to serve: schema, pools, partitions, prices, configuration, what a crash left.

    Raises MigrationFault, DatabaseUnavailable.
    """
    async with parts.database.owner_kept():
        async with parts.database.owner() as connection:
            if migrates:
                await migrate(connection, parts.given.address)
            else:
                await require_current(connection)
        await parts.sealing.start()
        await parts.database.open()
        await prepare_cells(parts, migrates=migrates)
        await parts.partitions.ensure()
    await parts.presence.register()
    await parts.prices.prepare()
    await parts.directory.load()


async def find_cells(parts: Parts) -> None:
    """Learn from the registry which cells there are. The pools are open by then."""
    if not await parts.fleet.has_registry():
        return
    async with parts.storage.unit_of_work(system_scope("start"), readonly=True) as unit:
        await parts.cell_hosts.open(unit)
    for tenant in await parts.fleet.find():
        log.error("cell_host_unknown", tenant=tenant, host=parts.cells.placement(tenant).host)


async def prepare_cells(parts: Parts, *, migrates: bool) -> None:
    """Find the cells, and bring them up to date or see what they lack: one that cannot be used stops nobody else."""
    await find_cells(parts)
    unusable = await parts.fleet.migrate() if migrates else await parts.fleet.check()
    for state in unusable:
        log.error("cell_unusable", cell=state.cell.name, error=state.fault)


@asynccontextmanager
async def running(parts: Parts) -> AsyncIterator[None]:
    """The process's services, for as long as the block lasts. What they still hold is written before they end."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_forever(service())) for service in parts.services()]  # type: ignore[arg-type]
        try:
            await parts.recovery.settle_orphans()
            yield
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_DEADLINE_S):
                    await parts.writers.flush()
            for task in tasks:
                task.cancel()


async def _forever(service: "asyncio.Future[None]") -> None:
    await service


async def shut(parts: Parts) -> None:
    """Let go of everything that `bring_up` took."""
    parts.client.close()
    await parts.presence.leave()
    await parts.cells.close()
    await parts.database.close()
    parts.given.tracer.close()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises CannotListen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        message = f"Cannot listen on {host}:{port}: {error.strerror}."
        raise CannotListen(message) from error
    listener.setblocking(False)  # noqa: FBT003 - the standard library's signature
    return listener


@asynccontextmanager
async def serving(parts: Parts, listener: socket.socket, tls: ssl.SSLContext | None = None) -> AsyncIterator[Listening]:
    """A server on a listening socket, for as long as the block lasts; leaving it closes the connections."""
    server = HttpServer(parts.application(), parts.sweeper)
    host, port = listener.getsockname()[:2]
    await server.start(listener, tls)
    # Nobody's first request has to wait for this, and no call beside it.
    resolving = asyncio.get_running_loop().run_in_executor(None, resolve_routes)
    try:
        yield Listening(host, port, tls is not None, resolving)
    finally:
        await server.stop()
        resolving.cancel()


@dataclass(frozen=True, slots=True)
class Stop:
    """How a process is told to end."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    hurried: asyncio.Event = field(default_factory=asyncio.Event)
    """Running calls are not waited for any longer."""

    def ask(self) -> None:
        """Stop, after the running calls."""
        self.asked.set()

    def interrupt(self) -> None:
        """Ctrl-C: the first asks, the second hurries."""
        (self.hurried if self.asked.is_set() else self.asked).set()


async def serve(
    parts: Parts,
    listener: socket.socket,
    stop: Stop,
    *,
    drain_s: float,
    on_ready: Callable[[Listening], None],
    tls: ssl.SSLContext | None = None,
) -> None:
    """Serve until told to stop, then drain: new calls get 503, running ones finish, settlements are committed."""
    async with running(parts), serving(parts, listener, tls) as listening:
        tune()
        # That leaves a hundred thousand objects, at which every full collection would look, with all calls waiting.
        listening.resolving.add_done_callback(lambda _: keep())
        log.info("serving", url=listening.url)
        on_ready(listening)
        await stop.asked.wait()
        log.info("draining", calls=parts.data_plane.running)
        await parts.data_plane.drain(drain_s, stop.hurried)
    log.info("stopped")
