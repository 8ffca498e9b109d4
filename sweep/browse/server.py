"""The server of the page: one process and one store, for this machine only by default."""

import logging
import signal
import threading
import webbrowser
from collections.abc import Callable, Collection
from pathlib import Path

from ..common.errors import StoreError
from ..common.quiet_loggers import quiet_loggers
from ..store.location import Location


class BrowseServer:
    """Server of the page of a store.

    Parameters
    ----------
    store : str, Path or Location
        Location of the store.
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
        store: str | Path | Location,
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

            from .page import PageTornado, data_of, fill
        except ModuleNotFoundError as error:
            problem = "sweep browse needs Bokeh, which is not installed"
            raise StoreError(f"{problem}: pip install 'marsdisk[browse]'") from error
        from tornado.httpserver import HTTPServer
        from tornado.ioloop import IOLoop

        from ..common.addresses import is_loopback
        from ..common.visitors import answer_only, reachable_addresses, server_names

        data = data_of(store)
        try:
            sockets, self.port = bind_sockets(address, port)
        except OSError as error:
            reason = error.strerror or error
            cure = "give another --port, or none"
            raise StoreError(f"{address}:{port} cannot be listened on: {reason}; {cure}") from error
        bound = [(int(socket.family), str(socket.getsockname()[0])) for socket in sockets]
        self.names = server_names(address, [number for _, number in bound], names)
        origins = [self._with_port(name) for name in sorted(self.names.own)]
        app = Application(FunctionHandler(lambda document: fill(document, lambda: data)))
        tornado = PageTornado(
            {"/": app},
            extra_websocket_origins=[*origins, *sorted(self.names.further)],
            keep_alive_milliseconds=20_000,
        )
        answer_only(tornado, self.names)
        http = HTTPServer(tornado)
        http.add_sockets(sockets)
        self.loop = IOLoop.current()
        self._server = BaseServer(self.loop, tornado, http)
        self._server.start()
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
            with quiet_loggers(["bokeh"], logging.ERROR):
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
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    is_background = isinstance(browser, webbrowser.BackgroundBrowser)
    is_text_browser = isinstance(browser, webbrowser.GenericBrowser) and not is_background
    return not is_text_browser and browser.open(url)
