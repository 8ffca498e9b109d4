"""The server of the page: one process and one or two stores, for this machine only by default."""

import asyncio
import json
import logging
import signal
import threading
import webbrowser
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler, StaticFileHandler

from ..common.addresses import is_loopback
from ..common.errors import StoreError
from ..common.quiet_loggers import quiet_loggers
from ..common.visitors import answer_only, reachable_addresses, server_names
from ..store.location import Location
from .answers import ANSWERS, COMPARISONS, answer
from .document import STATIC, plotly_script, served_page
from .study import Study

#: Questions that are answered at once; others wait, so that a slow one keeps nobody waiting.
THREADS = 4
#: What a browser may load: this page's own files, and what its scripts make themselves.
POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data: blob:; connect-src 'self'; font-src 'self' data:; form-action 'none';"
    " base-uri 'none'; frame-ancestors 'none'"
)


class _Guarded(RequestHandler):
    def set_default_headers(self) -> None:
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-store")


class PageHandler(_Guarded):
    """The page itself, the same for every visitor."""

    def initialize(self, studies: Sequence[Study]) -> None:
        """Keep the studies that the page is of."""
        self.studies = studies

    def get(self) -> None:
        """Send the page."""
        titles = [study.moment.store.description.title for study in self.studies]
        self.finish(served_page(titles))


class AnswerHandler(_Guarded):
    """The answers that the page asks for."""

    def initialize(self, studies: Sequence[Study], threads: ThreadPoolExecutor) -> None:
        """Keep the studies that are asked."""
        self.studies = studies
        self.threads = threads

    async def get(self, number: str, name: str) -> None:
        """Send the answer to a question about one of the studies."""
        index = int(number)
        is_of_both = name in COMPARISONS and index == 0 and len(self.studies) > 1
        if not is_of_both and (name not in ANSWERS or index >= len(self.studies)):
            self.send_error(404)
            return
        query = {key: self.get_query_argument(key) for key in self.request.query_arguments}
        if name == "head":
            content = await self.in_thread(self.newest_head)
        else:
            moment = self.studies[index].moment
            second = self.studies[1].moment if is_of_both else None
            content = await self.in_thread(lambda: answer(moment, name, query, second))

        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.finish(json.dumps(content, allow_nan=False))

    async def in_thread(self, give: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return an answer that takes a while; others are given meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, give)

    def newest_head(self) -> dict[str, Any]:
        """Return how far the first study has come, and a version that changes with either."""
        try:
            moments = [study.refreshed() for study in self.studies]
        except StoreError as error:
            return {"error": str(error)}
        versions = "+".join(moment.version for moment in moments)
        return {**answer(moments[0], "head", {}), "version": versions}


class FileHandler(_Guarded, StaticFileHandler):
    """The scripts and the style of the page."""


class ScriptHandler(_Guarded):
    """The library that draws, which is part of an installed package."""

    def get(self) -> None:
        """Send it; it stays the same as long as the package does."""
        self.set_header("Content-Type", "text/javascript; charset=UTF-8")
        self.set_header("Cache-Control", "max-age=3600")
        self.finish(plotly_script())


def application(studies: Sequence[Study], prefix: str = "/") -> Application:
    """Return the page as an application of Tornado.

    Parameters
    ----------
    studies : sequence of Study
        One, or two that are compared.
    prefix : str
        Path of the page, with slashes around it.
    """
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="sweep-page")
    shared = {"studies": studies}
    return Application(
        [
            (prefix, PageHandler, shared),
            (f"{prefix}answers/([01])/([a-z]+)", AnswerHandler, {**shared, "threads": threads}),
            (f"{prefix}plotly.js", ScriptHandler),
            (f"{prefix}static/(.*)", FileHandler, {"path": str(STATIC)}),
        ],
        compress_response=False,
    )


class BrowseServer:
    """Server of the page of a store.

    Parameters
    ----------
    stores : Sequence of str, Path or Location
        Locations of the store, or of two that are compared.
    address : str
        Name or address to listen on.
    port : int
        Port to listen on; 0 for a free one.
    names : collection of str
        Further names by which people reach the page, for example through a proxy. Requests for
        any other name are refused.

    Raises
    ------
    StoreError
        There is no such store, or the address is taken.
    """

    def __init__(
        self,
        *stores: str | Path | Location,
        address: str = "127.0.0.1",
        port: int = 0,
        names: Collection[str] = (),
    ) -> None:
        plotly_script()
        studies = [Study.of(store) for store in stores]
        try:
            sockets = bind_sockets(port, address)
        except OSError as error:
            reason = error.strerror or error
            cure = "give another --port, or none"
            raise StoreError(f"{address}:{port} cannot be listened on: {reason}; {cure}") from error
        self.port = int(sockets[0].getsockname()[1])
        bound = [(int(socket.family), str(socket.getsockname()[0])) for socket in sockets]
        self.names = server_names(address, [number for _, number in bound], names)
        app = application(studies)
        answer_only(app, self.names)
        self._server = HTTPServer(app)
        self._server.add_sockets(sockets)
        self.loop = IOLoop.current()
        #: URLs of the page; those that only this machine reaches come first.
        self.urls = [f"http://{self._with_port(number)}/" for number in reachable_addresses(bound)]
        #: Whether other machines can reach the page.
        self.listens_widely = not all(is_loopback(number) for _, number in bound)

    @property
    def url(self) -> str:
        """URL of the page on this machine."""
        return self.urls[0]

    def _with_port(self, name: str) -> str:
        return f"[{name}]:{self.port}" if ":" in name else f"{name}:{self.port}"

    def run(self, ready: Callable[[str], None]) -> None:
        """Serve until the process is interrupted or terminated.

        Parameters
        ----------
        ready : callable
            Called with the page's URL once it can be opened.
        """

        def stop(_signal: int, _frame: object) -> None:
            self.loop.add_callback_from_signal(self.loop.stop)

        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, stop)
        ready(self.url)
        try:
            with quiet_loggers(["tornado"], logging.CRITICAL):
                self.loop.start()
        except KeyboardInterrupt:
            pass
        finally:
            self._server.stop()


def open_in_browser(url: str) -> bool:
    """Open a page in a browser on this machine.

    Parameters
    ----------
    url : str
        URL of the page.

    Returns
    -------
    bool
        False where there is no browser, or only a text browser, which would occupy the terminal.
    """
    try:
        browser: Any = webbrowser.get()
    except webbrowser.Error:
        return False
    is_background = isinstance(browser, webbrowser.BackgroundBrowser)
    is_text_browser = isinstance(browser, webbrowser.GenericBrowser) and not is_background
    return not is_text_browser and bool(browser.open(url))
