"""Reaching an origin through an HTTP proxy: CONNECT (RFC 9110, section 9.3.6), then TLS inside the tunnel."""

import asyncio
import ipaddress
import ssl
from collections.abc import Callable

from enfilade.providers.errors import AddressForbidden, ConnectFailed
from enfilade.providers.transport.addresses import is_public
from enfilade.providers.transport.connection import Connection
from enfilade.providers.transport.types import Origin, Proxy

MAX_ANSWER = 16_000


class _Handshake(asyncio.Protocol):
    """Waits for the proxy's answer."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self.answer.done():
            return
        if b"\r\n\r\n" in self._received:
            self.answer.set_result(self._received)
        elif len(self._received) > MAX_ANSWER:
            self.answer.set_exception(ConnectFailed("The proxy's answer is too long."))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answer.done():
            self.answer.set_exception(ConnectFailed("The proxy ended the connection."))


async def open_tunnel(origin: Origin, proxy: Proxy, factory: Callable[[], Connection]) -> Connection:
    """A connection to `origin` inside a tunnel that `proxy` opens.

    The proxy resolves the name, so only an address that is written out can be checked here; the proxy's own address
    is an administrator's choice. Raises ConnectFailed, AddressForbidden.
    """
    _check_literal(origin)
    loop = asyncio.get_running_loop()
    try:
        transport, handshake = await loop.create_connection(_Handshake, proxy.host, proxy.port)
    except OSError as error:
        message = "The proxy cannot be reached."
        raise ConnectFailed(message) from error
    try:
        transport.write(_connect_request(origin, proxy))
        _check_answer(await handshake.answer)
        return await _enter(origin, transport, factory())
    except BaseException:
        transport.abort()
        raise


def _check_answer(answer: bytes) -> None:
    status = answer.split(b"\r\n", 1)[0].split(b" ")
    if len(status) < 2 or not status[1].startswith(b"2"):
        message = "The proxy refuses to open a tunnel to the provider."
        raise ConnectFailed(message)


async def _enter(origin: Origin, transport: asyncio.Transport, connection: Connection) -> Connection:
    if origin.tls is None:
        transport.set_protocol(connection)
        connection.connection_made(transport)
        return connection
    loop = asyncio.get_running_loop()
    try:
        secured = await loop.start_tls(transport, connection, origin.tls, server_hostname=origin.host)
    except (ssl.SSLError, OSError) as error:
        message = "A secure connection to the provider could not be made through the proxy."
        raise ConnectFailed(message) from error
    if secured is None:
        message = "The connection ended while it was being secured."
        raise ConnectFailed(message)
    connection.connection_made(secured)
    return connection


def _connect_request(origin: Origin, proxy: Proxy) -> bytes:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    lines = [f"CONNECT {host}:{origin.port} HTTP/1.1", f"Host: {host}:{origin.port}"]
    if proxy.authorization is not None:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def _check_literal(origin: Origin) -> None:
    try:
        ipaddress.ip_address(origin.host)
    except ValueError:
        return  # A name: the proxy resolves it, by its own rules.
    if not origin.allow_private and not is_public(origin.host):
        message = "The provider's address is in a private network, which its configuration does not allow."
        raise AddressForbidden(message)
