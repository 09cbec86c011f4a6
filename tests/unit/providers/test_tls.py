"""Secure connections: made with whom we trust, or not at all."""

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from enfilade.providers.errors import ConnectFailed, ConnectTimeout, InvalidProvider
from enfilade.providers.http_provider import HttpProvider
from tests.support.outbound import KEY, Outbound
from tests.support.upstream import open_upstream, reply, silence

FINE = reply(b"{}")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority of our own."""
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    """Where its certificate lies."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


def server_side(authority: trustme.CA, *names: str, **more: object) -> ssl.SSLContext:
    """A server with a certificate for these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, **more).configure_cert(context)  # type: ignore[arg-type]
    return context


async def test_a_provider_with_a_trusted_certificate_is_called(
    outbound: Outbound, authority: trustme.CA, ca_file: str
) -> None:
    async with open_upstream(FINE, tls=server_side(authority, "127.0.0.1")) as upstream:
        provider = outbound.provider(upstream.url, options={"ca_file": ca_file})
        for _ in range(3):
            assert await (await provider.send(outbound.ask())).read() == b"{}"
        assert upstream.connections == 1
        assert upstream.seen[0].header("authorization") == f"Bearer {KEY}"
        assert upstream.seen[0].header("host") == f"127.0.0.1:{upstream.port}"


@pytest.mark.parametrize("fault", ["unknown authority", "another name", "expired"])
async def test_a_certificate_that_proves_nothing_is_refused_before_the_key_is_sent(
    outbound: Outbound, authority: trustme.CA, ca_file: str, fault: str
) -> None:
    issuer = trustme.CA() if fault == "unknown authority" else authority
    name = "other.example" if fault == "another name" else "127.0.0.1"
    more = {}
    if fault == "expired":
        more = {"not_after": datetime(2020, 1, 1, tzinfo=UTC), "not_before": datetime(2019, 1, 1, tzinfo=UTC)}
    tls = server_side(issuer, name, **more)
    async with open_upstream(FINE, tls=tls) as upstream:
        asked = outbound.ask()
        with pytest.raises(
            ConnectFailed, match=r"^A secure connection to the provider could not be made\.$"
        ) as failure:
            await outbound.provider(upstream.url, options={"ca_file": ca_file}).send(asked)
        assert not asked.sent
        assert not failure.value.may_have_cost
        assert not upstream.seen
        assert outbound.client.open_connections() == 0


def test_old_versions_of_the_protocol_are_not_spoken(outbound: Outbound, ca_file: str) -> None:
    for options in ({}, {"ca_file": ca_file}):
        provider = outbound.provider("https://127.0.0.1/v1", options=options)
        assert isinstance(provider, HttpProvider)
        assert provider.origin.tls is not None
        assert provider.origin.tls.minimum_version is ssl.TLSVersion.TLSv1_2
        assert provider.origin.tls.verify_mode is ssl.CERT_REQUIRED
        assert provider.origin.tls.check_hostname


async def test_the_machines_authorities_do_not_know_ours(outbound: Outbound, authority: trustme.CA) -> None:
    async with open_upstream(FINE, tls=server_side(authority, "127.0.0.1")) as upstream:
        with pytest.raises(ConnectFailed, match="secure connection"):
            await outbound.provider(upstream.url).send(outbound.ask())


async def test_a_server_that_speaks_plainly_is_no_secure_one(outbound: Outbound) -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        with pytest.raises(ConnectFailed):
            await outbound.provider(f"https://127.0.0.1:{port}/v1").send(outbound.ask())
    assert outbound.client.open_connections() == 0


async def test_a_handshake_that_never_ends_is_a_connect_timeout(outbound: Outbound) -> None:
    """The server accepts and then says nothing, however long we wait."""
    async with open_upstream(silence) as upstream:
        provider = outbound.provider(upstream.url.replace("http:", "https:"), timeout={"connect": 0.05})
        asked = outbound.ask()
        with pytest.raises(ConnectTimeout):
            await provider.send(asked)
        assert not asked.sent
        assert outbound.client.open_connections() == 0


async def test_a_client_certificate_is_shown_to_those_who_ask(
    outbound: Outbound, authority: trustme.CA, ca_file: str, tmp_path: Path
) -> None:
    tls = server_side(authority, "127.0.0.1")
    tls.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(tls)
    ours = authority.issue_cert("gateway.example")
    ours.private_key_and_cert_chain_pem.write_to_path(tmp_path / "client.pem")
    options = {"ca_file": ca_file, "client_cert": str(tmp_path / "client.pem")}
    async with open_upstream(FINE, tls=tls) as upstream:
        provider = outbound.provider(upstream.url, options=options)
        assert await (await provider.send(outbound.ask())).read() == b"{}"
        with pytest.raises(Exception, match=r"secure|broke"):
            await outbound.provider(upstream.url, options={"ca_file": ca_file}).send(outbound.ask())
        assert len(upstream.seen) == 1


@pytest.mark.parametrize("name", ["ca_file", "client_cert"])
def test_certificates_that_cannot_be_loaded_are_refused_when_declared(tmp_path: Path, name: str) -> None:
    (tmp_path / "bad.pem").write_text("no certificate")
    for path in ("bad.pem", "absent.pem"):
        with pytest.raises(InvalidProvider, match="certificates of provider 'up'"):
            Outbound().provider("https://127.0.0.1/v1", options={name: str(tmp_path / path)})
