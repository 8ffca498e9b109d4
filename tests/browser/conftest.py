"""A real browser, pages served from stores that the tests make, and an account of its requests."""

import asyncio
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright")
from playwright.sync_api import Browser, Page, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "sweep"))

from hands import EARLY, FAILS_AT, FULL, LAPTOP, PATIENCE, T0, TAU0, Open, settled
from page_stores import large_store
from small_sweeps import HOSTILE, forget_block, run_here, sweep_file

import sweep.workers.block
from sweep.browse.server import BrowseServer
from sweep.store import layout
from sweep.store.store import Store
from tests.benchmarks.browsing import OPTIONS

expect.set_options(timeout=1000.0 * PATIENCE)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARTEFACTS = Path(__file__).parents[2] / "results" / "browser"  # ignored by git


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if CHROMIUM is None:
                item.add_marker(
                    pytest.mark.skip(
                        reason="there is no chromium; on Debian: apt-get install chromium"
                    )
                )


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        patience = 1000.0 * PATIENCE
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=OPTIONS,
            timeout=patience,
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[..., str]]:
    """Return a function that serves stores until the tests end, and returns its address."""
    servers: dict[tuple[Path, ...], tuple[BrowseServer, threading.Thread]] = {}

    def start(stores: tuple[Path, ...], ready: "Future[BrowseServer]") -> None:
        asyncio.set_event_loop(asyncio.new_event_loop())
        try:
            server = BrowseServer(*stores)
        except BaseException as error:
            ready.set_exception(error)
            return
        server.run(lambda url: ready.set_result(server))

    def serve(*stores: Path) -> str:
        if stores not in servers:
            ready: Future[BrowseServer] = Future()
            thread = threading.Thread(target=start, args=(stores, ready), daemon=True)
            thread.start()
            servers[stores] = ready.result(timeout=PATIENCE), thread
        return servers[stores][0].url

    yield serve
    for server, thread in servers.values():
        server.loop.add_callback(server.loop.stop)
        thread.join(timeout=PATIENCE)


@pytest.fixture
def open_page(
    chromium: Browser, serve: Callable[..., str], request: pytest.FixtureRequest
) -> Iterator[Open]:
    """Return a function that opens a store's page, or an address.

    At the end there may be no complaint and no request to another machine; a picture is kept.
    """
    pages: list[Page] = []
    complaints: list[str] = []

    def open_page(store: Path | str, size: Any = None, view: str = "", **options: Any) -> Page:
        context = {"viewport": size or LAPTOP, "accept_downloads": True, **options}
        page = chromium.new_page(**context)
        page.set_default_timeout(1000.0 * PATIENCE)
        page.on(
            "console",
            lambda message: (
                complaints.append(message.text) if message.type in {"error", "warning"} else None
            ),
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None if _is_local(request.url) else complaints.append(f"asked for {request.url}")
            ),
        )
        address = store if isinstance(store, str) else serve(store)
        page.goto(f"{address}{view}")
        settled(page)
        pages.append(page)
        return page

    yield open_page
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    for i, page in enumerate(pages):
        page.screenshot(
            path=ARTEFACTS / f"{re.sub(r'[^a-z0-9_]+', '-', request.node.name)}{i or ''}.png",
            full_page=True,
        )
        page.close()
    # what a browser says of a server that a test has ended is no complaint about the page
    assert [words for words in complaints if "ERR_CONNECTION_REFUSED" not in words] == []


def _is_local(url: str) -> bool:
    return re.match(r"http://(127\.0\.0\.1|localhost):\d+/|file:|blob:|data:", url) is not None


def run_faulty(file: Path, store: Path, words: str = "no such luck") -> None:
    """Run a sweep of which the runs at :data:`FAILS_AT` raise an error with these words."""
    really = sweep.workers.block.solve

    def solve(run: Any) -> Any:
        if (run.config.temperature.T0, run.config.optical_depth.tau0_target) == FAILS_AT:
            raise RuntimeError(words)
        return really(run)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep.workers.block, "solve", solve)
        run_here(file, store)


def grid_file(folder: Path, **changes: Any) -> Path:
    """3 temperatures x 2 depths, once to the end and once to a loss rate."""
    variants = {FULL: {}, EARLY: {"numerics.mass_loss_rate_stop_Mmars_s": 1e-16}}
    return sweep_file(
        folder,
        **{
            "axes": {"temperature.T0": T0, "optical_depth.tau0_target": TAU0},
            "variants": variants,
            **changes,
        },
    )


@pytest.fixture(scope="session")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a store of 12 runs, 2 of which failed. Only to be read.

    The rest of the variant ``early`` stopped early.
    """
    folder = tmp_path_factory.mktemp("faulty")
    run_faulty(grid_file(folder), folder / "faulty.zarr")
    return folder / "faulty.zarr"


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a store whose variants and error are HTML, mathematics, right to left, or endless.

    Only to be read.
    """
    folder = tmp_path_factory.mktemp("hostile")
    variants = {"$$x^2$$ <img src=x onerror=alert(1)>": {}, HOSTILE: {"dynamics.e0": 0.2}}
    axes = {
        "optical_depth.tau0_target": TAU0,
        "temperature.T0": [3000.0, 4000.0],
        "ring": {"rings": [1.0, 2.7, 2]},
    }
    run_faulty(
        sweep_file(folder, axes=axes, variants=variants),
        folder / "hostile.zarr",
        f"<script>alert(2)</script> {HOSTILE * 20}",
    )
    return folder / "hostile.zarr"


@pytest.fixture(scope="session")
def rings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2 temperatures x 3 rings. Only to be read."""
    folder = tmp_path_factory.mktemp("rings")
    axes = {
        "temperature.T0": T0[:2],
        "optical_depth.tau0_target": TAU0,
        "ring": {"rings": [1.0, 2.7, 3]},
    }
    run_here(sweep_file(folder, axes=axes), folder / "rings.zarr")
    return folder / "rings.zarr"


@pytest.fixture(scope="session")
def single_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a store of a single run. Only to be read."""
    folder = tmp_path_factory.mktemp("one")
    run_here(sweep_file(folder, include=[{"temperature.T0": 4000.0}]), folder / "one.zarr")
    return folder / "one.zarr"


@pytest.fixture(scope="session")
def scattered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a store of twelve included runs at points that form no grid. Only to be read."""
    folder = tmp_path_factory.mktemp("scattered")
    points = [
        {
            "temperature.T0": 3000.0 + 150.0 * i,
            "optical_depth.tau0_target": 0.2 + 0.05 * (i * 5 % 12),
        }
        for i in range(12)
    ]
    run_here(sweep_file(folder, include=points), folder / "scattered.zarr")
    return folder / "scattered.zarr"


@pytest.fixture(scope="session")
def nulls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a store of 6 runs along an axis of numbers and null, and another. Only to be read."""
    folder = tmp_path_factory.mktemp("nulls")
    axes = {"optical_depth.tau_stop": [None, 3.0, 2.0], "temperature.T0": [3000.0, 4000.0]}
    run_here(sweep_file(folder, axes=axes), folder / "nulls.zarr")
    return folder / "nulls.zarr"


@pytest.fixture
def half(tmp_path: Path) -> tuple[Path, Path]:
    """Return a sweep's file, and its store, whose first block is not committed."""
    file = grid_file(tmp_path)
    run_here(file, tmp_path / "half.zarr")
    forget_block(tmp_path / "half.zarr", 0)
    return file, tmp_path / "half.zarr"


@pytest.fixture
def failing(tmp_path: Path) -> tuple[Path, Callable[[], None]]:
    """Return a store whose failed runs are not committed yet, and a function that resumes it."""
    file = grid_file(tmp_path)
    store = tmp_path / "failing.zarr"
    run_faulty(file, store)
    group = Store.open(store)
    failed = group.column("block")[group.column("status") == layout.FAILED]
    for block in set(failed.tolist()):
        forget_block(store, block)
    return store, lambda: run_faulty(file, store)


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory, rings: Path) -> Path:
    """100,000 runs. Only to be read."""
    store = tmp_path_factory.mktemp("large") / "large.zarr"
    large_store(store, rings)
    return store
