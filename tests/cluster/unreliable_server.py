"""A proxy in front of an S3 server that makes it as unreliable as a test wants."""

import http.client
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

#: Of clients; nothing that we write or print may hold it.
SECRET = "a-secret-that-nobody-may-see"
SLOW_DOWN = (503, "Service Unavailable", "SlowDown")
EXPIRED = (400, "Bad Request", "ExpiredToken")


@contextmanager
def s3_server() -> Iterator[int]:
    """Start an S3 server with one empty bucket on this machine, and yield its port."""
    words = [sys.executable, str(Path(__file__).with_name("s3_server.py"))]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        lines: Any = process.stdout
        port = int(lines.readline())
        bucket = urllib.request.Request(f"http://127.0.0.1:{port}/bucket", method="PUT")
        urllib.request.urlopen(bucket).close()
        yield port
    finally:
        process.kill()
        process.communicate()


def settings_of(address: str) -> dict[str, str]:
    """Return the environment of processes that use the server at an address."""
    return {
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_ENDPOINT_URL": address,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
    }


@dataclass(frozen=True)
class Fate:
    """Treatment of a request."""

    delay: float = 0.0  #: s before it is passed on
    #: status, its words and S3's code, in place of passing it on
    refusal: tuple[int, str, str] | None = None
    cut: bool = False  #: whether the connection is cut when the request was done
    lost: bool = False  #: whether it is cut before


@dataclass(frozen=True)
class Request:
    """Properties of a request that a fate may depend on."""

    method: str
    path: str


#: Decides on a request, by chance or not.
Chance = Callable[[random.Random, Request], Fate]


def do_no_harm(dice: random.Random, request: Request) -> Fate:
    """Pass on everything."""
    return Fate()


def refuse_some(share: float, refusal: tuple[int, str, str]) -> Chance:
    """Refuse a share of all requests."""
    return lambda dice, request: Fate(refusal=refusal if dice.random() < share else None)


def cut_some(share: float, below: str = "") -> Chance:
    """Cut a share of connections after their request, of all paths that contain ``below``."""

    def decide(dice: random.Random, request: Request) -> Fate:
        return Fate(cut=below in request.path and dice.random() < share)

    return decide


def delay_some(share: float, longest: float) -> Chance:
    """Delay a share of all requests by up to ``longest`` seconds."""

    def decide(dice: random.Random, request: Request) -> Fate:
        is_delayed = dice.random() < share
        return Fate(delay=dice.uniform(0.0, longest) if is_delayed else 0.0)

    return decide


def from_then_on(method: str, part: str, fate: Fate) -> Chance:
    """Let one fate befall all, from the first request of a kind on.

    Parameters
    ----------
    method, part : str
        Of that request, and a part of its path.
    fate : Fate
        Of that request and all that come later.
    """
    has_begun = threading.Event()

    def decide(dice: random.Random, request: Request) -> Fate:
        if request.method == method and part in request.path:
            has_begun.set()
        return fate if has_begun.is_set() else Fate()

    return decide


class UnreliableServer:
    """Listens on a port of its own and passes requests on to a server behind it.

    Parameters
    ----------
    behind : int
        Port of that server, on loopback.
    seed : int
        Of the dice.
    """

    def __init__(self, behind: int, seed: int = 1) -> None:
        self.behind = behind
        self.chance: Chance = do_no_harm
        self.harmed = 0  #: requests that met a fate
        self._dice = random.Random(seed)
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._port = 0

    def __enter__(self) -> "UnreliableServer":
        self._listen()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def _listen(self) -> None:
        handler = type("Handler", (_Handler,), {"unreliable": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), handler)
        self._server.daemon_threads = True
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _leave(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Refuse all connections until the context ends."""
        self._leave()
        try:
            yield
        finally:
            self._listen()

    def decide(self, request: Request) -> Fate:
        """Throw the dice for a request."""
        with self._lock:
            fate = self.chance(self._dice, request)
            self.harmed += fate != Fate()
        return fate

    def add(self, connection: socket.socket) -> None:
        """Note a connection, which ends when the server goes away."""
        with self._lock:
            self._connections.add(connection)

    def discard(self, connection: socket.socket) -> None:
        """Forget a connection that has ended."""
        with self._lock:
            self._connections.discard(connection)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    unreliable: UnreliableServer

    def setup(self) -> None:
        super().setup()
        self.unreliable.add(self.connection)

    def finish(self) -> None:
        self.unreliable.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def log_message(self, format: str, *words: Any) -> None:
        pass

    def pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        fate = self.unreliable.decide(Request(self.command, self.path))
        time.sleep(fate.delay)  # what a slow network does
        if fate.lost:
            self._cut()
            return
        if fate.refusal is not None:
            self._refuse(*fate.refusal)
            return
        behind = http.client.HTTPConnection("127.0.0.1", self.unreliable.behind, timeout=60)
        behind.request(self.command, self.path, body, dict(self.headers.items()))
        answer = behind.getresponse()
        content = answer.read()
        behind.close()
        if fate.cut:
            self._cut()
        else:
            self._answer(answer, content)

    def _answer(self, answer: http.client.HTTPResponse, content: bytes) -> None:
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in {"connection", "transfer-encoding", "content-length"}:
                self.send_header(name, value)
        length = str(len(content))
        if self.command == "HEAD":
            length = answer.getheader("content-length") or "0"
        self.send_header("content-length", length)
        self.end_headers()
        self.wfile.write(content)

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _refuse(self, status: int, words: str, code: str) -> None:
        content = f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>".encode()
        self.send_response_only(status, words)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def handle(self) -> None:
        with suppress(OSError):  # the client is gone, or was cut off
            super().handle()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = pass_on
