"""Response times of the page of 100,000 runs; ``python -m tests.benchmarks.browsing [--write]``.

Debian's chromium is needed.

``sweep browse`` serves a headless browser on the same machine. Each time is from what a person does
until the browser has drawn what was asked for; the browser and what drives it share the processors
with the server.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from playwright.sync_api import Browser, Page, sync_playwright

from ..browser.page_stores import large_store
from .page import PERFORMANCE, publish, table
from .studies import run_study

PICTURE_GOAL = 2.0  # s
GOAL = 0.3  # s
REPEATS = 5
OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run")
OPTIONS += ("--disable-background-networking", "--disable-component-update", "--disable-sync")
_BUSY = "body[data-ready=yes]:not([data-busy=yes])"
_PAINTED = (
    "async () => { for (let frame = 0; frame < 4; frame++) await new"
    " Promise(requestAnimationFrame) }"
)


class Deed(NamedTuple):
    """Action of a person on the page."""

    title: str
    do: Callable[[Page], object]


def _write(label: str, words: str) -> Callable[[Page], object]:
    def do(page: Page) -> None:
        page.get_by_label(label).fill(words)
        page.get_by_label(label).press("Enter")

    return do


def _turn(view: str) -> Callable[[Page], object]:
    return lambda page: page.get_by_role("tab", name=view, exact=True).click()


def _select(label: str, which: int) -> Callable[[Page], object]:
    return lambda page: (
        page.locator("#controls").get_by_label(label, exact=True).select_option(index=which)
    )


def _press(name: str) -> Callable[[Page], object]:
    return lambda page: page.get_by_role("button", name=name, exact=True).click()


def _go(page: Page) -> None:
    page.locator(".middle .plot").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")


def _sort(page: Page) -> None:
    page.locator("th button", has_text="M_loss").first.click()


DEEDS = (
    Deed("the next run of the map", _go),
    Deed("another result", _select("result", 1)),
    Deed("the first result again", _select("result", 0)),
    Deed("another axis", _select("across", 2)),
    Deed("its size distribution", _turn("Sizes")),
    Deed("all about it", _turn("Numbers")),
    Deed("its curves again", _turn("Curves")),
    Deed("the table of runs", _turn("Runs")),
    Deed("sorted by the result", _sort),
    Deed("parallel coordinates", _turn("Parallel")),
    Deed("narrowed by a condition", _write("only runs where", "T0 > 3500")),
    Deed("all runs again", _press("restore all")),
    Deed("what it can be trusted for", _turn("Trust")),
)


@contextmanager
def served(store: Path) -> Iterator[str]:
    """Serve the page of a store, and yield its address."""
    words = [sys.executable, "-m", "sweep", "browse", str(store), "--no-open"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = re.search(r"http://\S+/", server.stdout.readline())
        assert address
        try:
            yield address[0]
        finally:
            server.terminate()


def seconds(page: Page, do: Callable[[Page], object]) -> float:
    """Return how long the page takes to draw what it is asked for [s]."""
    begin = time.perf_counter()
    do(page)
    page.locator(_BUSY).wait_for(state="attached")
    page.evaluate(_PAINTED)
    return time.perf_counter() - begin


def visit(browser: Browser, url: str, rest: float = 2.0, patience: float = 30.0) -> list[float]:
    """Time the first picture and each deed [s], with ``rest`` seconds before each.

    Anything that takes longer than ``patience`` seconds is an error.
    """
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(1000.0 * patience)
    times = [seconds(page, lambda page: page.goto(url))]
    for deed in DEEDS:
        page.wait_for_timeout(1000 * rest)
        times.append(seconds(page, deed.do))
    page.close()
    return times


def lines(repeats: int = REPEATS) -> list[str]:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        small = Path(folder) / "small.zarr"
        store = Path(folder) / "large.zarr"
        run_study(folder, small, 1)
        large_store(store, small)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=OPTIONS)
        with served(store) as url:
            visits = [visit(browser, url) for _ in range(repeats)]
        browser.close()
    pictures, *deeds = zip(*visits, strict=True)
    measured = [
        ("the first picture, first visit", pictures[:1], PICTURE_GOAL),
        ("the first picture, later", pictures[1:], PICTURE_GOAL),
    ]
    for deed, times in zip(DEEDS, deeds, strict=True):
        measured.append((deed.title, times, GOAL))
    return table(
        ("what", "median [s]", "largest [s]", "goal [s]"),
        [
            (title, f"{median(times):.2f}", f"{max(times):.2f}", f"{goal:g}")
            for title, times, goal in measured
            if times
        ],
    )


if __name__ == "__main__":
    publish("browsing", PERFORMANCE, lines)
