"""The page's own server: one process, one store, this machine only unless told otherwise."""

import logging
import signal
import threading
import webbrowser
from collections.abc import Callable, Collection
from pathlib import Path

from ..errors import StoreError
from ..quiet import quiet_loggers
from ..store.place import Place


class BrowseServer:
    """Serves the page of a store.

    Parameters
    ----------
    store : str, Path or Place
        What to show.
    address : str
        Name or address to listen on.
    port : int
        To listen on; 0 takes one that is free.
    names : collection of str
        Names by which people reach the page besides, as through a proxy: it answers to no others.

    Raises
    ------
    StoreError
        There is no such store, or the address is taken.
    """

    def __init__(
        self,
        store: str | Path | Place,
        *,
        address: str = "127.0.0.1",
        port: int = 0,
        names: Collection[str] = (),
    ) -> None:
        try:
            from bokeh.application import Application
            from bokeh.application.handlers.function import FunctionHandler
            from bokeh.server.server import BaseServer
            from bokeh.server.util import bind_sockets

            from .app import PageTornado, data_of, fill
        except ModuleNotFoundError as error:
            problem = "sweep browse needs Bokeh, which is not installed"
            raise StoreError(f"{problem}: pip install 'marsdisk[browse]'") from error
        from tornado.httpserver import HTTPServer
        from tornado.ioloop import IOLoop

        from .visitors import answer_only, is_loopback, reachable_addresses, server_names

        data = data_of(store)
        try:
            sockets, self.port = bind_sockets(address, port)
        except OSError as error:
            reason = error.strerror or error
            cure = "give another --port, or none"
            raise StoreError(f"{address}:{port} cannot be listened on: {reason}; {cure}") from error
        bound = [(int(each.family), str(each.getsockname()[0])) for each in sockets]
        self.names = server_names(address, [number for _, number in bound], names)
        origins = [self._with_port(name) for name in sorted(self.names.own)]
        app = Application(FunctionHandler(lambda document: fill(document, lambda: data)))
        tornado = PageTornado(
            {"/": app},
            extra_websocket_origins=[*origins, *sorted(self.names.given)],
            keep_alive_milliseconds=20_000,
        )
        answer_only(tornado, self.names)
        http = HTTPServer(tornado)
        http.add_sockets(sockets)
        self.loop = IOLoop.current()
        self._server = BaseServer(self.loop, tornado, http)
        self._server.start()
        reached = reachable_addresses(bound)
        #: where the page is, the addresses of this machine alone first
        self.urls = [f"http://{self._with_port(number)}/" for number in reached]
        #: whether other machines may reach it
        self.listens_widely = not all(is_loopback(number) for _, number in bound)

    @property
    def url(self) -> str:
        """Where the page is for whoever sits at this machine."""
        return self.urls[0]

    def _with_port(self, name: str) -> str:
        return f"[{name}]:{self.port}" if ":" in name else f"{name}:{self.port}"

    def run(self, ready: Callable[[str], None]) -> None:
        """Serve until the process is interrupted or told to end.

        Parameters
        ----------
        ready : callable
            Given the page's URL when it can be opened.
        """

        def stop(number: int, frame: object) -> None:
            self.loop.add_callback_from_signal(self.loop.stop)

        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, stop)
        ready(self.url)
        try:
            with quiet_loggers(["bokeh"], logging.ERROR):
                self.loop.start()
        except KeyboardInterrupt:
            pass
        finally:
            self._server.stop()


def open_in_browser(url: str) -> bool:
    """Show a page in the browser of whoever sits at this machine.

    Parameters
    ----------
    url : str
        Of the page.

    Returns
    -------
    bool
        False where there is no browser, or only one of text, which would take the terminal.
    """
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    is_background = isinstance(browser, webbrowser.BackgroundBrowser)
    is_of_text = isinstance(browser, webbrowser.GenericBrowser) and not is_background
    return not is_of_text and browser.open(url)
