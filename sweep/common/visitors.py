"""Which requests a server answers: those for its own names that no other web site has caused.

A browser runs the scripts of any web site and reaches servers that listen on this machine only. It
keeps such a site from reading answers of other hosts. A site could evade this by letting its own
name point to 127.0.0.1 (DNS rebinding); therefore requests for unknown names are refused. Scripts
and websockets may be loaded from other hosts; therefore requests that another site has made a
browser send are refused.
"""

import itertools
import socket
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tornado.httputil import HTTPServerRequest
from tornado.web import Application, RequestHandler

from .addresses import LOOPBACK, is_address, is_loopback, is_unspecified


def name_in(authority: str) -> str:
    """Return the name or address in a Host header, without its port.

    Parameters
    ----------
    authority : str
        Value of the header, such as ``localhost:5006``.

    Returns
    -------
    str
        In lower case; empty where there is none, or where the header holds anything else.

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


@dataclass(frozen=True)
class Names:
    """The names that a server was started for.

    Attributes
    ----------
    own : frozenset of str
        Names and addresses that it listens on.
    further : frozenset of str
        Further names, by which people reach it through a proxy that may change the Host header.
    any_address : bool
        Whether it listens on all addresses and therefore answers to any address.
    cure : str
        How the user can add names, for messages.
    """

    own: frozenset[str]
    further: frozenset[str] = frozenset()
    any_address: bool = False
    cure: str = "for another, start it with --host NAME"

    def __contains__(self, name: str) -> bool:
        return name in self.own or name in self.further or (self.any_address and is_address(name))

    def __str__(self) -> str:
        return ", ".join([*sorted(self.own | self.further), *["any address"] * self.any_address])

    def refusal(self, request: HTTPServerRequest) -> str:
        """Return the reason for refusing a request.

        Parameters
        ----------
        request : HTTPServerRequest
            The request.

        Returns
        -------
        str
            Empty where the request is answered.
        """
        if name_in(request.host) not in self:
            reason = "this page answers only to the names that it was started for"
            return f"{reason}: {self}; {self.cure}"
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
        return authority == host.lower() or name_in(authority) in self.further


def _is_link(request: HTTPServerRequest) -> bool:
    """Whether somebody follows a link, which opens the page in a tab and not in another site."""
    mode = request.headers.get("Sec-Fetch-Mode")
    destination = request.headers.get("Sec-Fetch-Dest", "document")
    return mode == "navigate" and destination == "document"


class Refusal(RequestHandler):
    """Answer to a refused request, whatever its path and method."""

    def initialize(self, words: str) -> None:
        """Keep the reason that is sent."""
        self.words = words

    def prepare(self) -> None:
        """Send the reason, before any method of the request is called."""
        self.set_status(403)
        self.set_header("Content-Type", "text/plain; charset=UTF-8")
        self.finish(self.words + "\n")


def answer_only(application: Application, names: Names) -> None:
    """Make an application refuse requests for other names and from other web sites.

    Parameters
    ----------
    application : tornado.web.Application
        All its paths are guarded from now on.
    names : Names
        Names that it answers to.
    """
    find_handler = application.find_handler

    def find_allowed(request: HTTPServerRequest, **options: Any) -> Any:
        words = names.refusal(request)
        if words:
            return application.get_handler_delegate(request, Refusal, {"words": words})
        return find_handler(request, **options)

    application.find_handler = find_allowed  # type: ignore[method-assign]


def server_names(listen_on: str, bound: Collection[str], further: Collection[str] = ()) -> Names:
    """Return the names of a server.

    Parameters
    ----------
    listen_on : str
        Name or address that the user asked it to listen on.
    bound : collection of str
        Numeric addresses that it listens on.
    further : collection of str
        Further names by which people reach it.

    Returns
    -------
    Names
        They include the machine's own names where the server listens on all addresses.
    """
    own = {listen_on.lower(), *bound}
    has_all = any(map(is_unspecified, bound))
    if has_all:
        own |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    if has_all or any(map(is_loopback, bound)):
        own |= {*LOOPBACK}
    proxy_names = frozenset(filter(None, map(name_in, further)))
    return Names(frozenset(own), proxy_names, any_address=has_all)


def reachable_addresses(bound: Collection[tuple[int, str]]) -> list[str]:
    """Return the addresses at which a server can be reached.

    Parameters
    ----------
    bound : collection of (int, str)
        Family and address of every socket that it listens on.

    Returns
    -------
    list of str
        Numeric addresses; those that only this machine reaches come first.
    """
    addresses = [address for _, address in bound if not is_unspecified(address)]
    families = {family for family, address in bound if is_unspecified(address)}
    if families:
        import psutil  # a dependency of Dask

        for interface in itertools.chain(*psutil.net_if_addrs().values()):
            if interface.family in families and "%" not in interface.address:
                addresses.append(interface.address)
    return sorted(dict.fromkeys(addresses), key=lambda address: not is_loopback(address))
