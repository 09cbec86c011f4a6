"""Which network addresses may be connected to. Checked at connect time, on the address itself, so that neither a
name that resolves differently the second time nor a redirect (we follow none) leads inside.
"""

import asyncio
import ipaddress
import socket

from enfilade.providers.errors import AddressForbidden, ConnectFailed

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# What the ipaddress module takes for global, and leads inside all the same.
_INSIDE = tuple(
    ipaddress.ip_network(text)
    for text in (
        "168.63.129.16/32",  # Azure's metadata and health service
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata service is one
        "::/96",  # IPv4-compatible, deprecated
        "::ffff:0:0:0/96",  # IPv4-translated (SIIT)
        "64:ff9b:1::/48",  # NAT64 inside a network
        "fec0::/10",  # site-local, deprecated
    )
)


def is_public(address: str) -> bool:
    """Whether an address is neither private, loopback, link-local, reserved, multicast, nor wraps one that is."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo[1] if parsed.teredo else None)
        if inner is None and parsed in _NAT64:
            inner = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return parsed.is_global and not parsed.is_multicast and not any(parsed in network for network in _INSIDE)


async def resolve(host: str, port: int, *, allow_private: bool) -> list[tuple[int, str]]:
    """The addresses of a host that may be connected to, in the resolver's order.

    Raises ConnectFailed when there are none, AddressForbidden when all are private and that is not allowed.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        message = "The provider's host name cannot be resolved."
        raise ConnectFailed(message) from error
    addresses = list(dict.fromkeys((int(family), str(sockaddr[0])) for family, _, _, _, sockaddr in found))
    allowed = [entry for entry in addresses if allow_private or is_public(entry[1])]
    if not allowed:
        message = "The provider's address is in a private network, which its configuration does not allow."
        raise AddressForbidden(message)
    return allowed
