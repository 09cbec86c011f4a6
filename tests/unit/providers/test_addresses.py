"""Where a provider may be: the guard at connect time, on the address itself."""

import asyncio
import ipaddress
import socket
import ssl
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.providers.errors import AddressForbidden, ConnectFailed, InvalidProvider
from enfilade.providers.transport.addresses import is_public, resolve
from enfilade.providers.transport.types import parse_origin
from tests.support.outbound import Outbound
from tests.support.properties import examples
from tests.support.upstream import open_upstream, reply
from tests.unit.providers.test_transport_faults import check_silent

INSIDE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "100.100.100.200",
    "169.254.169.254",
    "169.254.170.2",
    "168.63.129.16",
    "192.0.0.192",
    "192.0.2.1",
    "198.18.0.1",
    "203.0.113.7",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "fe80::1",
    "fe80::1%lo",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "100::1",
    "2001:db8::1",
]
OUTSIDE = ["1.1.1.1", "8.8.8.8", "100.63.255.255", "172.32.0.1", "192.169.0.1", "2606:4700::1111", "::ffff:8.8.8.8"]
OUTSIDE += ["64:ff9b::8.8.8.8", "2002:808:808::1"]


def names_lead_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let names resolve to these addresses, one answer after the other; returns the names that were asked for."""
    asked: list[str] = []

    async def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        addresses = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        families = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in addresses]
        return [
            (family, socket.SOCK_STREAM, 6, "", (address, port))
            for family, address in zip(families, addresses, strict=True)
        ]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize("address", INSIDE)
def test_addresses_inside_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_addresses_outside_are_public(address: str) -> None:
    assert is_public(address)


@examples(300)
@given(st.ip_addresses(v=4))
def test_no_way_to_write_an_inside_address_makes_it_public(address: ipaddress.IPv4Address) -> None:
    public = is_public(str(address))
    number = int(address)
    assert is_public(f"::ffff:{address}") is public
    assert is_public(f"64:ff9b::{address}") is public
    assert is_public(str(ipaddress.IPv6Address((0x2002 << 112) | (number << 80) | 1))) is public
    assert not is_public(f"::{address}")
    assert not public or not (address.is_private or address.is_loopback or address.is_link_local)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "127.1", "2130706433", "0"])
async def test_an_inside_address_is_refused_before_anything_is_sent(outbound: Outbound, host: str) -> None:
    async with open_upstream(reply(b"{}")) as upstream:
        asked = outbound.ask()
        provider = outbound.provider(f"https://{host}:{upstream.port}/v1", allow_private_network=False)
        with pytest.raises((AddressForbidden, ConnectFailed)) as failure:
            await provider.send(asked)
        assert upstream.connections == 0
    assert not asked.sent
    assert not failure.value.may_have_cost
    assert not failure.value.may_retry or isinstance(failure.value, ConnectFailed)
    check_silent(failure.value)


@pytest.mark.parametrize("inside", ["127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "fd00::1"])
async def test_a_name_that_leads_inside_is_refused(
    outbound: Outbound, monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    asked = names_lead_to(monkeypatch, [inside])
    provider = outbound.provider("https://harmless.example/v1", allow_private_network=False)
    with pytest.raises(AddressForbidden) as failure:
        await provider.send(outbound.ask())
    assert asked == ["harmless.example"]
    assert inside not in str(failure.value)
    assert "allow_private_network" in failure.value.remedy


async def test_of_several_addresses_only_public_ones_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    names_lead_to(monkeypatch, ["10.0.0.1", "8.8.8.8", "::1", "8.8.8.8", "2606:4700::1111"])
    allowed = await resolve("mixed.example", 443, allow_private=False)
    assert [address for _, address in allowed] == ["8.8.8.8", "2606:4700::1111"]
    everything = await resolve("mixed.example", 443, allow_private=True)
    assert len(everything) == 4


async def test_a_name_is_looked_up_once_for_each_connection_and_its_address_is_what_is_connected_to(
    outbound: Outbound, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that answers differently the second time finds nobody who asks a second time."""
    async with open_upstream(reply(b"{}")) as upstream:
        asked = names_lead_to(monkeypatch, ["127.0.0.1"], ["192.0.2.1"])
        provider = outbound.provider(f"http://rebinding.example:{upstream.port}/v1")
        for _ in range(2):
            assert await (await provider.send(outbound.ask())).read() == b"{}"
        assert asked == ["rebinding.example"]
        assert upstream.seen[0].header("host") == f"rebinding.example:{upstream.port}"


async def test_the_next_address_is_tried_when_the_first_does_not_answer(
    outbound: Outbound, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_upstream(reply(b"{}")) as upstream:
        names_lead_to(monkeypatch, ["127.0.0.2", "127.0.0.1"])
        provider = outbound.provider(f"http://two.example:{upstream.port}/v1")
        assert await (await provider.send(outbound.ask())).read() == b"{}"


async def test_a_name_without_addresses_cannot_be_reached(outbound: Outbound, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "nodename nor servname provided, or not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", fail)
    with pytest.raises(ConnectFailed, match="cannot be resolved"):
        await outbound.provider("http://gone.example/v1").send(outbound.ask())


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/v1",
        "ftp://example.com",
        "file:///etc/passwd",
        "https://",
        "https:///v1",
        "https://user@example.com/v1",
        "https://user:secret@example.com/v1",
        "https://example.com/v1?key=1",
        "https://example.com/v1#part",
        "https://example.com:99999/v1",
        "https://example.com:port/v1",
        "https://[::1/v1",
        "https://exam ple.com/v1",
        "https://example.com/v1\r\nx-injected: 1",
        "https://example.com/v 1",
        "https://example.com\r\n/v1",
        "https://exämple.com/ü",
        "gopher://127.0.0.1:6379/_x",
    ],
)
def test_an_address_that_could_mean_something_else_is_refused(outbound: Outbound, url: str) -> None:
    with pytest.raises(InvalidProvider) as refusal:
        outbound.provider(url)
    assert refusal.value.param == "base_url"
    assert "secret" not in refusal.value.message


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "header"),
    [
        ("https://api.example/v1/", "api.example", 443, "/v1", b"api.example"),
        ("https://api.example", "api.example", 443, "", b"api.example"),
        ("https://api.example:8443/a/b", "api.example", 8443, "/a/b", b"api.example:8443"),
        ("https://[2606:4700::1]/v1", "2606:4700::1", 443, "/v1", b"[2606:4700::1]"),
        ("HTTPS://API.example:443/v1", "api.example", 443, "/v1", b"api.example"),
    ],
)
def test_an_address_is_taken_apart(url: str, host: str, port: int, path: str, header: bytes) -> None:
    origin = parse_origin(url, tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), allow_private=False)
    assert (origin.host, origin.port, origin.base_path, origin.host_header) == (host, port, path, header)


def test_a_key_does_not_travel_in_the_open_outside_a_private_network(outbound: Outbound) -> None:
    with pytest.raises(InvalidProvider, match="https"):
        outbound.provider("http://api.example/v1", allow_private_network=False)
