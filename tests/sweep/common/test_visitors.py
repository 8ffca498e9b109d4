"""The page and Dask's dashboard answer neither under another name nor to another web site.

Seen from the protocol: what a browser sends when a web site that somebody visits makes it ask a
server of this machine.
"""

import asyncio
import base64
import http.client
import re
import subprocess
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import dask
import pytest
from small_sweeps import SCRIPTS

from marsdisk.config import load_config
from sweep.browse.dashboard import dashboard_page
from sweep.browse.server import BrowseServer
from sweep.common.visitors import reachable_addresses, server_names
from sweep.store.fence import Fence
from sweep.workers.block import BlockTask
from sweep.workers.dashboard import ORIGINS
from sweep.workers.start import workers_from
from sweep.workers.watchdog import Limits

MELT = Path(__file__).parents[3] / "configs" / "mars_0d_melt_simple.yaml"
EVIL = "evil.example"
REFUSED = 403


@dataclass(frozen=True)
class Site:
    """A server of this machine, and its paths."""

    port: int
    pages: tuple[str, ...]
    #: of Bokeh, where it has a websocket
    autoload: str = ""
    websocket: str = ""

    def ask(self, path: str, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        """Send a request with these headers and no others."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120.0)
        connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        return connection.getresponse()

    def status(self, path: str, headers: Mapping[str, str]) -> int:
        if path == self.websocket:
            return self.connect(headers, token="of nobody")
        with self.ask(path, headers) as answer:
            return answer.status

    def token(self) -> str:
        """Return the token that the page of an honest visitor connects with."""
        with self.ask(self.autoload, {"Host": f"127.0.0.1:{self.port}"}) as answer:
            match = re.search(r'"token":"([^"]+)"', answer.read().decode())
        assert match
        return match[1]

    def connect(self, headers: Mapping[str, str], token: str) -> int:
        """Return the status of a websocket; 101 is that of an open one."""
        upgrade = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(b"0123456789abcdef").decode(),
            "Sec-WebSocket-Protocol": f"bokeh, {token}",
        }
        return self.ask(self.websocket, {**headers, **upgrade}).status

    @property
    def paths(self) -> list[str]:
        return [*self.pages, *filter(None, [self.autoload, self.websocket])]

    @property
    def quick_paths(self) -> list[str]:
        """Paths that cost nothing to answer, one of every kind of handler."""
        return [self.pages[2], "/nowhere", *filter(None, [self.websocket])]


def serving(store: Path, **options: object) -> Iterator[BrowseServer]:
    """Run a server of the page in a separate thread."""
    ready = threading.Event()
    servers: list[BrowseServer] = []

    def serve() -> None:
        asyncio.set_event_loop(asyncio.new_event_loop())
        servers.append(BrowseServer(store, **options))  # type: ignore[arg-type]
        servers[0].run(lambda url: ready.set())

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert ready.wait(timeout=120.0)
    yield servers[0]
    servers[0].loop.add_callback(servers[0].loop.stop)
    thread.join(timeout=60.0)


def site_of(server: BrowseServer) -> Site:
    pages = ("/", "/answers/0/head", "/static/main.js", "/plotly.js", "/nowhere")
    return Site(server.port, pages)


@pytest.fixture(scope="module")
def page(finished: Path) -> Iterator[Site]:
    """Run ``sweep browse`` on this machine."""
    for server in serving(finished):
        yield site_of(server)


@pytest.fixture(scope="module")
def dashboard(finished: Path) -> Iterator[Site]:
    """Run Dask's dashboard of a local sweep, with our page on it."""
    base = load_config(MELT).model_dump()
    task = BlockTask(str(finished), 0, (0,), base, ({},), "task", True, 1, Fence("", ""))
    with workers_from(
        1,
        task,
        1,
        limits=Limits.from_config(),
        say=print,
        stop=threading.Event(),
        dashboard_page=dashboard_page,
    ) as cluster:
        port = int(str(cluster.client.dashboard_link).split(":")[2].split("/")[0])
        pages = (
            "/sweep/",
            "/sweep/answers/0/head",
            "/status",
            "/json/counts.json",
            "/info/main/workers.html",
            "/metrics",
            "/health",
            "/nowhere",
        )
        yield Site(port, pages, "/status/autoload.js?bokeh-autoload-element=x", "/status/ws")


@pytest.fixture(params=["page", "dashboard"])
def site(request: pytest.FixtureRequest) -> Site:
    requested: Site = request.getfixturevalue(request.param)
    return requested


def honest(port: int) -> dict[str, dict[str, str]]:
    """Return requests that people's own browsers and programs send."""
    return {
        "no browser": {"Host": f"127.0.0.1:{port}"},
        "another spelling": {"Host": f"LocalHost:{port}"},
        "by IPv6": {"Host": f"[::1]:{port}"},
        "through a tunnel at another port": {
            "Host": "localhost:9999",
            "Origin": "http://localhost:9999",
        },
        "the page itself": {
            "Host": f"127.0.0.1:{port}",
            "Origin": f"http://127.0.0.1:{port}",
            "Sec-Fetch-Site": "same-origin",
            "Sec-Fetch-Mode": "cors",
        },
        "a typed address": {
            "Host": f"127.0.0.1:{port}",
            "Sec-Fetch-Site": "none",
            "Sec-Fetch-Mode": "navigate",
        },
    }


def foreign(port: int) -> dict[str, dict[str, str]]:
    """Return requests that a browser sends for a web site that must not read the page."""
    own_name = f"127.0.0.1:{port}"
    return {
        "a name that points here (rebinding)": {"Host": f"{EVIL}:{port}"},
        "its script under that name": {"Host": f"{EVIL}:{port}", "Origin": f"http://{EVIL}:{port}"},
        "the same, as the browser sees it": {
            "Host": f"{EVIL}:{port}",
            "Origin": f"http://{EVIL}:{port}",
            "Sec-Fetch-Site": "same-origin",
        },
        "a name that begins like ours": {"Host": f"127.0.0.1.{EVIL}:{port}"},
        "a name that ends like ours": {"Host": f"{EVIL}.localhost:{port}"},
        "our name as a user": {"Host": f"127.0.0.1:{port}@{EVIL}"},
        "a user before our name": {"Host": f"{EVIL}@127.0.0.1:{port}"},
        "another address": {"Host": f"192.0.2.1:{port}"},
        "no name": {"Host": ""},
        "no name that can be read": {"Host": f"[:{port}"},
        "another origin": {"Host": own_name, "Origin": f"http://{EVIL}:{port}"},
        "another port of this machine": {
            "Host": own_name,
            "Origin": f"http://127.0.0.1:{port + 1}",
        },
        "another spelling of this machine": {
            "Host": own_name,
            "Origin": f"http://localhost:{port}",
        },
        "a frame without an origin": {"Host": own_name, "Origin": "null"},
        "an origin that cannot be read": {"Host": own_name, "Origin": "http://[evil"},
        "a script on another page": {
            "Host": own_name,
            "Sec-Fetch-Site": "cross-site",
            "Sec-Fetch-Mode": "no-cors",
        },
        "a script of a neighbour": {
            "Host": own_name,
            "Sec-Fetch-Site": "same-site",
            "Sec-Fetch-Mode": "no-cors",
        },
        "a websocket of another page": {
            "Host": own_name,
            "Origin": f"http://{EVIL}",
            "Sec-Fetch-Site": "cross-site",
            "Sec-Fetch-Mode": "websocket",
        },
    }


def test_whoever_asks_by_its_own_name_is_answered_on_every_path(site: Site) -> None:
    expected = dict.fromkeys(site.paths, 200) | {"/nowhere": 404}
    if site.websocket:
        expected[site.websocket] = 101
    for who, headers in honest(site.port).items():
        paths = site.paths if who == "no browser" else site.quick_paths
        assert {path: site.status(path, headers) for path in paths} == {
            path: expected[path] for path in paths
        }, who


def test_other_web_sites_are_refused_on_every_path(site: Site) -> None:
    for who, headers in foreign(site.port).items():
        answers = {path: site.status(path, headers) for path in site.paths}
        assert set(answers.values()) <= {REFUSED, 400}, (who, answers)


def test_other_web_sites_cannot_connect_with_the_token_of_an_honest_page(dashboard: Site) -> None:
    token = dashboard.token()
    for who, headers in foreign(dashboard.port).items():
        assert dashboard.connect(headers, token) in {REFUSED, 400}, who
    assert dashboard.connect({"Host": f"127.0.0.1:{dashboard.port}"}, token) == 101


def test_the_page_may_load_nothing_from_elsewhere(page: Site) -> None:
    for path in page.pages:
        with page.ask(path, {"Host": f"127.0.0.1:{page.port}"}) as answer:
            policy = answer.headers["Content-Security-Policy"] or ""
        if path != "/nowhere":
            assert "default-src 'none'" in policy, path
            assert "http" not in policy


def test_a_refusal_tells_nothing_and_lets_nobody_read_it(site: Site) -> None:
    with site.ask(
        site.pages[0], {"Host": f"{EVIL}:{site.port}", "Origin": f"http://{EVIL}:{site.port}"}
    ) as answer:
        text = answer.read().decode()
        assert answer.status == REFUSED
        assert answer.headers["Access-Control-Allow-Origin"] is None
    assert text.startswith(
        "this page answers only to the names that it was started for: 127.0.0.1, ::1, localhost; "
    )
    assert "small.zarr" not in text
    assert EVIL not in text


def test_a_link_on_another_page_may_be_followed(site: Site) -> None:
    headers = {
        "Host": f"127.0.0.1:{site.port}",
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
    }
    assert site.status(site.pages[0], headers) == 200
    assert site.status(site.pages[0], {**headers, "Sec-Fetch-Dest": "document"}) == 200


@pytest.mark.parametrize("within", ["iframe", "frame", "embed", "object"])
def test_no_page_is_shown_within_another_web_site(site: Site, within: str) -> None:
    headers = {
        "Host": f"127.0.0.1:{site.port}",
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": within,
    }
    assert site.status(site.pages[0], headers) == REFUSED


def test_a_name_that_the_page_is_started_for_is_answered(finished: Path) -> None:
    for server in serving(finished, names=["Hub.example"]):
        site = site_of(server)
        through_a_proxy = {
            "Host": "hub.example",
            "Origin": "https://hub.example",
            "Sec-Fetch-Site": "same-origin",
        }
        that_puts_its_own = {"Host": f"127.0.0.1:{server.port}", "Origin": "https://hub.example"}
        for headers in (through_a_proxy, that_puts_its_own):
            assert site.status("/", headers) == 200
            assert site.status("/answers/0/head", headers) == 200
        assert site.status("/", {"Host": EVIL}) == REFUSED


@pytest.mark.thorough
def test_origins_of_the_users_own_settings_are_answered_by_the_dashboard(finished: Path) -> None:
    base = load_config(MELT).model_dump()
    task = BlockTask(str(finished), 0, (0,), base, ({},), "task", True, 1, Fence("", ""))
    before = dask.config.get(ORIGINS)
    with (
        dask.config.set({ORIGINS: ["hub.example:443"]}),
        workers_from(
            1,
            task,
            1,
            limits=Limits.from_config(),
            say=print,
            stop=threading.Event(),
            dashboard_page=dashboard_page,
        ) as cluster,
    ):
        port = int(str(cluster.client.dashboard_link).split(":")[2].split("/")[0])
        site = Site(port, ())
        assert (
            site.status("/status", {"Host": "hub.example", "Origin": "https://hub.example"}) == 200
        )
        assert site.status("/status", {"Host": EVIL}) == REFUSED
    assert dask.config.get(ORIGINS) == before


@pytest.mark.parametrize(
    ("host", "bound", "answered", "refused"),
    [
        ("127.0.0.1", ["127.0.0.1"], ["127.0.0.1", "localhost", "::1"], [EVIL, "192.0.2.1"]),
        ("127.0.0.2", ["127.0.0.2"], ["127.0.0.2", "localhost"], [EVIL]),
        ("192.0.2.1", ["192.0.2.1"], ["192.0.2.1"], [EVIL, "localhost", "192.0.2.2"]),
        ("Head", ["192.0.2.1"], ["head", "192.0.2.1"], [EVIL, "localhost"]),
        (
            "0.0.0.0",
            ["0.0.0.0"],
            ["127.0.0.1", "localhost", "192.0.2.1", "2001:db8::1"],
            [EVIL, "10.evil.example", ""],
        ),
        ("", ["0.0.0.0", "::"], ["127.0.0.1", "192.0.2.1"], [EVIL]),
    ],
)
def test_a_server_has_the_names_of_what_it_listens_on(
    host: str, bound: list[str], answered: list[str], refused: list[str]
) -> None:
    names = server_names(host, bound)
    assert [name for name in answered if name not in names] == []
    assert [name for name in refused if name in names] == []


def test_a_name_may_be_given_with_its_port() -> None:
    names = server_names("127.0.0.1", ["127.0.0.1"], ["Proxy.example:8443", "[2001:db8::1]:8443"])
    assert names.further == {"proxy.example", "2001:db8::1"}
    assert "proxy.example" in str(names)


def test_all_addresses_are_those_of_the_interfaces() -> None:
    import socket

    addresses = reachable_addresses([(int(socket.AF_INET), "0.0.0.0")])
    assert addresses[0] == "127.0.0.1"
    assert "0.0.0.0" not in addresses


@pytest.mark.parametrize(
    "address", ["0.0.0.0", pytest.param("127.0.0.1", marks=pytest.mark.thorough)]
)
def test_a_page_beyond_this_machine_is_warned_of_and_named_by_its_true_address(
    finished: Path, address: str
) -> None:
    words = [str(SCRIPTS / "sweep"), "browse", str(finished), "--no-open", "--address", address]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(words, text=True, cwd=finished.parent, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout is not None
        line = process.stdout.readline()
        urls = re.findall(r"http://[0-9.]+:\d+/", line)
        bodies = [urllib.request.urlopen(url, timeout=120.0).read() for url in urls]
        process.send_signal(2)
        _, message = process.communicate(timeout=60.0)
    import socket

    port = urls[0].rsplit(":", 1)[1].strip("/")
    of_machine = reachable_addresses([(int(socket.AF_INET), "0.0.0.0")])
    expected = of_machine if address == "0.0.0.0" else [address]
    assert urls == [f"http://{host}:{port}/" for host in expected]
    assert all(bodies)
    warning = (
        "WARNING: the page listens on 0.0.0.0, beyond this machine; WHOEVER REACHES IT CAN READ THE"
        " STORE"
    )
    assert message.startswith(warning) == (address == "0.0.0.0")
    assert process.returncode == 0
