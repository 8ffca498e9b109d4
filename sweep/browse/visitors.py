"""Whom a server of pages answers: who asks by a name that it was started for; no other web site.

A browser runs what any web site sends it, and reaches what listens on this machine only. What keeps
such a site from reading the answers is that they come from elsewhere; so that they do not seem to
come from itself, its name, which it may let point to 127.0.0.1, is not answered to (DNS rebinding).
And as scripts and websockets may be had from elsewhere, no request is answered that another site
has made a browser send.
"""

import ipaddress
import itertools
import socket
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tornado.httputil import HTTPServerRequest
from tornado.web import Application, RequestHandler

from ..profiles import LOOPBACK


def name_in(authority: str) -> str:
    """Return the name or address in a Host header, without its port.

    Parameters
    ----------
    authority : str
        Such as ``localhost:5006``.

    Returns
    -------
    str
        In lower case; empty where there is none, or something else besides.

    Examples
    --------
    >>> name_in("LocalHost:5006"), name_in("[::1]:5006"), name_in("somebody@127.0.0.1")
    ('localhost', '::1', '')
    """
    try:
        parts = urlsplit(f"//{authority}")
    except ValueError:
        return ""
    is_plain = parts.netloc == authority and parts.username is None
    return (parts.hostname or "") if is_plain else ""


def is_address(name: str) -> bool:
    """Whether a name is an address, which nobody can let point elsewhere."""
    with suppress(ValueError):
        ipaddress.ip_address(name)
        return True
    return False


@dataclass(frozen=True)
class Names:
    """The names that a server was started for.

    Attributes
    ----------
    own : frozenset of str
        Names and addresses of what it listens on.
    given : frozenset of str
        Further names, by which people reach it through a proxy that may put another Host.
    any_address : bool
        Whether it listens on all addresses, of which it does not know those that others see.
    cure : str
        How further names are given, in words.
    """

    own: frozenset[str]
    given: frozenset[str] = frozenset()
    any_address: bool = False
    cure: str = "for another, start it with --host NAME"

    def __contains__(self, name: str) -> bool:
        return name in self.own or name in self.given or (self.any_address and is_address(name))

    def __str__(self) -> str:
        return ", ".join([*sorted(self.own | self.given), *["any address"] * self.any_address])

    def refusal(self, request: HTTPServerRequest) -> str:
        """Return why a request is not answered.

        Parameters
        ----------
        request : HTTPServerRequest
            With its headers.

        Returns
        -------
        str
            In words; empty where it is answered.
        """
        if name_in(request.host) not in self:
            only = "this page answers only to the names that it was started for"
            return f"{only}: {self}; {self.cure}"
        origin = request.headers.get("Origin")
        if origin is not None and not self._is_own(origin, request.host):
            return "this page does not answer other web sites"
        site = request.headers.get("Sec-Fetch-Site", "none")
        if site not in {"same-origin", "none"} and not _is_link(request):
            return "this page does not answer other web sites"
        return ""

    def _is_own(self, origin: str, host: str) -> bool:
        try:
            authority = urlsplit(origin).netloc.lower()
        except ValueError:
            return False
        return authority == host.lower() or name_in(authority) in self.given


def _is_link(request: HTTPServerRequest) -> bool:
    """Whether somebody has followed a link to the page.

    It then stands in a tab of its own, and not within another site.
    """
    mode = request.headers.get("Sec-Fetch-Mode")
    destination = request.headers.get("Sec-Fetch-Dest", "document")
    return mode == "navigate" and destination == "document"


class Refusal(RequestHandler):
    """What is said to those who are not answered, whatever they have asked for."""

    def initialize(self, words: str) -> None:
        self.words = words

    def prepare(self) -> None:
        self.set_status(403)
        self.set_header("Content-Type", "text/plain; charset=UTF-8")
        self.finish(self.words + "\n")


def answer_only(application: Application, names: Names) -> None:
    """Let an application refuse whoever asks by another name or from another web site.

    Parameters
    ----------
    application : tornado.web.Application
        All its paths are guarded from now on.
    names : Names
        That it answers to.
    """
    find_handler = application.find_handler

    def find_allowed(request: HTTPServerRequest, **options: Any) -> Any:
        words = names.refusal(request)
        if words:
            return application.get_handler_delegate(request, Refusal, {"words": words})
        return find_handler(request, **options)

    application.find_handler = find_allowed  # type: ignore[method-assign]


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches an address, given as a number."""
    return ipaddress.ip_address(address).is_loopback


def is_unspecified(address: str) -> bool:
    """Whether an address, given as a number, stands for all that the machine has."""
    return ipaddress.ip_address(address).is_unspecified


def server_names(asked: str, bound: Collection[str], further: Collection[str] = ()) -> Names:
    """Return the names of a server.

    Parameters
    ----------
    asked : str
        Name or address that it was told to listen on.
    bound : collection of str
        Addresses that it listens on, as numbers.
    further : collection of str
        Names by which people reach it besides.

    Returns
    -------
    Names
        With those of this machine where it listens on all addresses.
    """
    own = {asked.lower(), *bound}
    has_all = any(map(is_unspecified, bound))
    if has_all:
        own |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    if has_all or any(map(is_loopback, bound)):
        own |= {*LOOPBACK}
    given = frozenset(filter(None, map(name_in, further)))
    return Names(frozenset(own), given, any_address=has_all)


def reachable_addresses(bound: Collection[tuple[int, str]]) -> list[str]:
    """Return the addresses at which a server is reached.

    Parameters
    ----------
    bound : collection of (int, str)
        Family and address of every socket that it listens on.

    Returns
    -------
    list of str
        As numbers, those that only this machine reaches first.
    """
    found = [address for _, address in bound if not is_unspecified(address)]
    families = {family for family, address in bound if is_unspecified(address)}
    if families:
        import psutil  # which Dask brings

        for interface in itertools.chain(*psutil.net_if_addrs().values()):
            if interface.family in families and "%" not in interface.address:
                found.append(interface.address)
    return sorted(dict.fromkeys(found), key=lambda address: not is_loopback(address))
