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
GOAL = 0.5  # s
REPEATS = 5
OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run")
OPTIONS += ("--disable-background-networking", "--disable-component-update", "--disable-sync")
_MODEL = "Bokeh.documents[0].get_model_by_name"
_BEFORE = (
    f"window.before = window.Bokeh && {{heading: {_MODEL}('heading').text, map:"
    f" {_MODEL}('cells')?.title.text}}"
)
_PAINTED = (
    "async () => { for (let frame = 0; frame < 4; frame++) await new"
    " Promise(requestAnimationFrame) }"
)


class Deed(NamedTuple):
    """Action of a person on the page, and the JavaScript condition that it is done.

    ``before`` is what the page said until then.
    """

    title: str
    do: Callable[[Page], object]
    done: str


def _drawn(figure: str) -> str:
    view = f"Bokeh.index.find_one({_MODEL}('{figure}'))"
    return f"{view}?.has_finished() && {view}.el.checkVisibility({{visibilityProperty: true}})"


def _says(model: str, words: str) -> str:
    return f"{_MODEL}('{model}').{words}"


def _write(label: str, words: str) -> Callable[[Page], object]:
    def do(page: Page) -> None:
        page.get_by_label(label).fill(words)
        page.get_by_label(label).press("Enter")

    return do


def _press(name: str) -> Callable[[Page], object]:
    return lambda page: page.get_by_role("button", name=name, exact=True).click()


def _select(label: str, value: str) -> Callable[[Page], object]:
    return lambda page: page.get_by_label(label).select_option(label=value)


def _slide(which: int) -> Callable[[Page], object]:
    return lambda page: (
        page.get_by_role("slider").locator("visible=true").nth(which).press("ArrowRight")
    )


DEEDS = (
    Deed(
        "the first run chosen by its number",
        _write("chosen runs", "17"),
        _says("heading", "text.includes('run 17<')") + " && " + _drawn("Sigma"),
    ),
    Deed("another run", _write("chosen runs", "40"), _says("heading", "text.includes('run 40<')")),
    Deed("the next run", _press("next ›"), _says("heading", "text != before.heading")),
    Deed(
        "another colour of the map",
        _select("colour", "t_end"),
        _says("cells", "title.text != before.map"),
    ),
    Deed("another value of the third axis", _slide(0), _says("cells", "title.text != before.map")),
    Deed("its size distribution", _press("Sizes"), _drawn("sizes")),
    Deed("the next snapshot", _slide(1), _says("snapshot", "title.startsWith('snapshot 2 ')")),
    Deed("all about it", _press("Run"), _drawn("about")),
    Deed("the table of runs", _press("Runs"), _drawn("runs")),
    Deed(
        "the last of them first",
        _press("largest first"),
        _says("runs", "source.data.run[0] != '0'"),
    ),
    Deed(
        "narrowed by a condition",
        _write("only runs where", "T0 > 3500"),
        _says("header", "text.includes('pass the filter')"),
    ),
    Deed("parallel coordinates of 75,000 runs", _press("Parallel"), _drawn("parallel")),
    Deed("what the caches did", _press("Cache"), _drawn("cache")),
    Deed("where it comes from", _press("Provenance"), _drawn("origin")),
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


def seconds(page: Page, do: Callable[[Page], object], done: str) -> float:
    page.evaluate(_BEFORE)
    begin = time.perf_counter()
    do(page)
    page.wait_for_function(done)
    page.evaluate(_PAINTED)
    return time.perf_counter() - begin


def visit(browser: Browser, url: str, rest: float = 2.0, patience: float = 30.0) -> list[float]:
    """Time the first picture and each deed [s], with ``rest`` seconds before each.

    Anything that takes longer than ``patience`` seconds is an error.
    """
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    page.set_default_timeout(1000.0 * patience)
    is_drawn = f"window.Bokeh?.documents.length && {_drawn('cells')}"
    times = [seconds(page, lambda page: page.goto(url), is_drawn)]
    for deed in DEEDS:
        page.wait_for_timeout(1000 * rest)
        times.append(seconds(page, deed.do, deed.done))
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
