"""Which network addresses a page may be fetched from: public ones, so that a link cannot reach into the own network."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TypeAlias

from secondpass.errors import InputError

Address: TypeAlias = IPv4Address | IPv6Address

# Beyond what `is_global` says (it differs between Python versions): RFC 6890 and the IANA special-purpose registries.
_CLOSED_V4 = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
# Global unicast is 2000::/3; everything outside it is closed: ::1, IPv4-mapped, NAT64 64:ff9b::, fc00::, fe80::, ff00::
_OPEN_V6 = ip_network("2000::/3")
_CLOSED_V6 = tuple(
    ip_network(network)
    for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")  # Teredo and others, examples, 6to4
)


def is_public(address: Address) -> bool:
    """Tell whether an address belongs to the public internet.

    >>> is_public(ip_address("8.8.8.8")), is_public(ip_address("::ffff:8.8.8.8")), is_public(ip_address("10.0.0.1"))
    (True, False, False)
    """
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in network for network in _CLOSED_V4)
    return address.is_global and address in _OPEN_V6 and not any(address in network for network in _CLOSED_V6)


def resolve(host: str, port: int) -> list[Address]:
    """Return the addresses of a host, in the system's order.

    Raises:
        InputError: the name is not known, or not a name.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(f"The host {host!r} was not found ({reason}); check the address and the network.") from error
    addresses = [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    return list(dict.fromkeys(addresses))
