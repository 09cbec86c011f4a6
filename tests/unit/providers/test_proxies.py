"""Proxies: those that are configured, and no others."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from enfilade.providers.errors import AddressForbidden, ConnectFailed, ConnectTimeout, InvalidProvider
from tests.support.outbound import Outbound
from tests.support.upstream import open_upstream, reply

FINE = reply(b"{}")
OPENED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Proxy:
    """A proxy that answers as it is told, and then carries bytes."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.asked: list[bytes] = []
        self.port = 0
        self.tasks: list[asyncio.Task[None]] = []
        self.writers: list[asyncio.StreamWriter] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.append(task)
        self.writers.append(writer)
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head)
        for start in range(0, len(self.answer), 7):
            writer.write(self.answer[start : start + 7])
            await asyncio.sleep(0)
        if b" 200 " in self.answer:
            host, _, port = head.split(b" ")[1].decode().rpartition(":")
            away_reader, away_writer = await asyncio.open_connection(host.strip("[]"), int(port))
            self.writers.append(away_writer)
            await asyncio.gather(carry(reader, away_writer), carry(away_reader, writer))
        elif not self.answer:
            await reader.read()
        writer.close()

    async def close(self) -> None:
        """End every connection, and wait for their end."""
        for writer in self.writers:
            writer.close()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await asyncio.gather(*(writer.wait_closed() for writer in self.writers), return_exceptions=True)


async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Pass bytes on until there are no more."""
    try:
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    except ConnectionError:
        pass
    target.close()


@asynccontextmanager
async def open_proxy(answer: bytes = OPENED) -> AsyncIterator[Proxy]:
    """A proxy on a loopback port."""
    proxy = Proxy(answer)
    async with await asyncio.start_server(proxy.serve, "127.0.0.1", 0) as listener:
        proxy.port = listener.sockets[0].getsockname()[1]
        try:
            yield proxy
        finally:
            await proxy.close()


async def test_a_provider_is_reached_through_its_proxy(outbound: Outbound) -> None:
    async with open_upstream(FINE) as upstream, open_proxy() as proxy:
        provider = outbound.provider(upstream.url, options={"proxy": proxy.url})
        for _ in range(3):
            assert await (await provider.send(outbound.ask())).read() == b"{}"
        target = f"127.0.0.1:{upstream.port}"
        assert proxy.asked == [f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode()]
        assert upstream.connections == 1


async def test_secrets_pass_the_proxy_unread(outbound: Outbound, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    async with open_upstream(FINE, tls=tls) as upstream, open_proxy() as proxy:
        options = {"proxy": proxy.url, "ca_file": str(tmp_path / "ca.pem")}
        provider = outbound.provider(upstream.url, options=options)
        for _ in range(2):
            assert await (await provider.send(outbound.ask())).read() == b"{}"
        assert b"authorization" not in b"".join(proxy.asked).lower()
        with pytest.raises(ConnectFailed, match="through the proxy"):
            await outbound.provider(upstream.url, options={"proxy": proxy.url}).send(outbound.ask())


async def test_the_proxys_password_goes_to_the_proxy_alone(outbound: Outbound) -> None:
    async with open_upstream(FINE) as upstream, open_proxy() as proxy:
        provider = outbound.provider(upstream.url, options={"proxy": proxy.url}, proxy_login="a@b:p:/w")
        await (await provider.send(outbound.ask())).read()
        expected = base64.b64encode(b"a@b:p:/w")
        assert b"Proxy-Authorization: Basic " + expected + b"\r\n" in proxy.asked[0]
        assert upstream.seen[0].header("proxy-authorization") is None


@pytest.mark.parametrize("userinfo", ["user:hush-hush", "user", ":hush-hush"])
def test_a_proxys_address_with_a_password_is_refused(outbound: Outbound, userinfo: str) -> None:
    """It would stand in every export."""
    with pytest.raises(InvalidProvider, match="proxy_login_env") as refusal:
        outbound.provider("https://up.example/v1", options={"proxy": f"http://{userinfo}@proxy.example:3128"})
    assert "hush-hush" not in refusal.value.message


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
        b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\n\r\n",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 2",
        b"x" * 40_000,
    ],
)
async def test_a_proxy_that_refuses_is_a_failed_connection(outbound: Outbound, answer: bytes) -> None:
    async with open_upstream(FINE) as upstream, open_proxy(answer) as proxy:
        asked = outbound.ask()
        with pytest.raises(ConnectFailed) as failure:
            await outbound.provider(upstream.url, options={"proxy": proxy.url}).send(asked)
        assert not asked.sent
        assert upstream.connections == 0
        assert "127.0.0.1" not in str(failure.value)
        assert outbound.client.open_connections() == 0


async def test_a_proxy_that_never_answers_is_a_connect_timeout(outbound: Outbound) -> None:
    async with open_proxy(b"") as proxy:
        options = {"proxy": proxy.url}
        with pytest.raises(ConnectTimeout):
            await outbound.provider("http://127.0.0.1:9/v1", options=options, timeout={"connect": 0.05}).send(
                outbound.ask()
            )
        assert outbound.client.open_connections() == 0


async def test_a_proxy_that_is_not_there_is_a_failed_connection(outbound: Outbound) -> None:
    async with open_proxy() as proxy:
        url = proxy.url
    with pytest.raises(ConnectFailed, match="proxy"):
        await outbound.provider("http://127.0.0.1:9/v1", options={"proxy": url}).send(outbound.ask())


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "169.254.169.254"])
async def test_a_proxy_is_no_way_inside(outbound: Outbound, host: str) -> None:
    async with open_proxy() as proxy:
        provider = outbound.provider(f"https://{host}:9/v1", options={"proxy": proxy.url}, allow_private_network=False)
        with pytest.raises(AddressForbidden):
            await provider.send(outbound.ask())
        assert not proxy.asked


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"])
async def test_the_environment_names_no_proxy(outbound: Outbound, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    async with open_upstream(FINE) as upstream, open_proxy() as proxy:
        monkeypatch.setenv(name, proxy.url)
        assert await (await outbound.provider(upstream.url).send(outbound.ask())).read() == b"{}"
        assert not proxy.asked


@pytest.mark.parametrize(
    "proxy", ["https://proxy.example", "socks5://proxy.example", "proxy.example:3128", "http://", "http://p:x"]
)
def test_a_proxy_that_cannot_be_spoken_to_is_refused_when_declared(outbound: Outbound, proxy: str) -> None:
    with pytest.raises(InvalidProvider) as refusal:
        outbound.provider("https://127.0.0.1/v1", options={"proxy": proxy})
    assert refusal.value.param == "options.proxy"


def test_a_proxys_password_is_not_shown(outbound: Outbound) -> None:
    options = {"proxy": "http://proxy.example"}
    provider = outbound.provider("https://127.0.0.1/v1", options=options, proxy_login="u:hush-hush")
    secret = base64.b64encode(b"u:hush-hush").decode()
    assert secret not in repr(provider)
