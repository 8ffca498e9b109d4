"""Names and addresses of machines."""

import ipaddress
from contextlib import suppress

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def is_address(name: str) -> bool:
    """Whether a name is an address, which cannot be pointed elsewhere."""
    with suppress(ValueError):
        ipaddress.ip_address(name)
        return True
    return False


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches a numeric address."""
    return ipaddress.ip_address(address).is_loopback


def is_unspecified(address: str) -> bool:
    """Whether a numeric address stands for all addresses of the machine."""
    return ipaddress.ip_address(address).is_unspecified
