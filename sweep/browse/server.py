"""The page's own server: one process, one store, this machine only unless told otherwise."""

import logging
import signal
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path

from ..errors import StoreError
from ..quiet import quiet_loggers
from ..store.place import Place


class BrowseServer:
    """Serves the page of a store.

    Parameters
    ----------
    store : what to show
    address, port : to listen on; port 0 is one that is free

    Raises
    ------
    StoreError
        There is no such store, or the address is taken.
    """

    def __init__(self, store: str | Path | Place, *, address: str = "127.0.0.1", port: int = 0) -> None:
        try:
            from bokeh.application import Application
            from bokeh.application.handlers.function import FunctionHandler
            from bokeh.server.server import BaseServer
            from bokeh.server.util import bind_sockets

            from .app import PageTornado, data_of, fill
        except ModuleNotFoundError as error:
            raise StoreError("sweep browse needs Bokeh, which is not installed: pip install 'marsdisk[browse]'") from error
        from tornado.httpserver import HTTPServer
        from tornado.ioloop import IOLoop

        data = data_of(store)
        try:
            sockets, self.port = bind_sockets(address, port)
        except OSError as error:
            raise StoreError(f"{address}:{port} cannot be listened on: {error.strerror or error}; give another --port, or none") from error
        names = {address, "localhost"} if address in {"127.0.0.1", "::1", "localhost"} else {address}
        if address in {"0.0.0.0", "::", ""}:  # noqa: S104 - names, not a choice to listen there
            import socket

            names = {socket.gethostname(), socket.getfqdn(), "localhost", "127.0.0.1"}
        origins = [f"[{name}]:{self.port}" if ":" in name else f"{name}:{self.port}" for name in sorted(names)]
        app = Application(FunctionHandler(lambda document: fill(document, lambda: data)))
        tornado = PageTornado({"/": app}, extra_websocket_origins=origins, keep_alive_milliseconds=20_000)
        http = HTTPServer(tornado)
        http.add_sockets(sockets)
        self.loop = IOLoop.current()
        self._server = BaseServer(self.loop, tornado, http)
        self._server.start()
        host = "127.0.0.1" if address in {"0.0.0.0", "::", ""} else address  # noqa: S104
        self.url = f"http://[{host}]:{self.port}/" if ":" in host else f"http://{host}:{self.port}/"

    def run(self, ready: Callable[[str], None]) -> None:
        """Serve until the process is interrupted or told to end."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, lambda number, frame: self.loop.add_callback_from_signal(self.loop.stop))
        ready(self.url)
        try:
            with quiet_loggers(["bokeh"], logging.ERROR):
                self.loop.start()
        except KeyboardInterrupt:
            pass
        finally:
            self._server.stop()


def open_in_browser(url: str) -> bool:
    """Show a page in the browser of whoever sits here, if there is one; a browser of text would take the terminal."""
    try:
        found = webbrowser.get()
    except webbrowser.Error:
        return False
    of_text = isinstance(found, webbrowser.GenericBrowser) and not isinstance(found, webbrowser.BackgroundBrowser)
    return not of_text and found.open(url)
