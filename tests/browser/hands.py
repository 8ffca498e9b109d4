"""Actions of a person on the page: find a place in a figure, click it, drag over it, save it."""

import csv
import hashlib
import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

#: Seconds for what takes one or two on a quiet machine; what takes longer hangs.
PATIENCE = 300.0
LAPTOP = {"width": 1440, "height": 900}
TABLET = {"width": 1024, "height": 768}
HALF = {"width": 700, "height": 900}
Open = Callable[..., Page]
#: Of the sweep that most tests look at.
FULL = "full"
EARLY = "early"
T0 = [3000.0, 4000.0, 5000.0]
TAU0 = [0.5, 1.0]
FAILS_AT = (4000.0, 1.0)
VIEWS = ("Overview", "Runs", "Parallel", "Trust")
#: What stands around each figure, by its name.
BOXES = {"map": ".middle", "curves": ".details", "distribution": ".foot"}

_PLACE = """([selector, k, x, y]) => {
  const place = document.querySelector(selector + ' .plot')
  const layout = place?._fullLayout
  if (!layout?._plots) return null
  const suffix = k ? String(k + 1) : ''
  const [across, upwards] = [layout['xaxis' + suffix], layout['yaxis' + suffix]]
  const box = place.getBoundingClientRect()
  return [box.x + across._offset + across.l2p(x), box.y + upwards._offset + upwards.l2p(y)]
}"""


def settled(page: Page) -> None:
    """Wait until the page has drawn what it was asked for last."""
    page.locator("body[data-ready=yes]:not([data-busy=yes])").wait_for(state="attached")


def place(page: Page, figure: str, x: float, y: float, panel: int = 0) -> tuple[float, float]:
    """Return the position on the screen of a point of a figure."""
    arguments = [BOXES[figure], panel, x, y]
    left, top = page.evaluate(_PLACE, arguments)
    return left, top


def click(page: Page, x: float, y: float, panel: int = 0, *, shift: bool = False) -> None:
    """Click a cell or a point of the map."""
    at = place(page, "map", x, y, panel)
    page.mouse.move(*at)
    if shift:
        page.keyboard.down("Shift")
    page.mouse.click(*at)
    if shift:
        page.keyboard.up("Shift")
    settled(page)


def drag(page: Page, begin: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag from one place of the screen to another."""
    page.mouse.move(*begin)
    page.mouse.down()
    page.mouse.move(*end, steps=5)
    page.mouse.up()
    settled(page)


def traces(page: Page, figure: str) -> list[dict[str, Any]]:
    """Return what a figure draws."""
    script = """selector => document.querySelector(selector + ' .plot').data.map(trace => ({
      type: trace.type, name: trace.name ?? '', x: Array.from(trace.x ?? []),
      y: Array.from(trace.y ?? []), z: trace.z ? trace.z.map(row => Array.from(row)) : [],
      text: Array.isArray(trace.text) ? trace.text : [],
    }))"""
    drawn: list[dict[str, Any]] = page.evaluate(script, BOXES[figure])
    return drawn


def cells(page: Page) -> list[list[list[float | None]]]:
    """Return the colours of the cells of each panel of the map."""
    return [
        trace["z"]
        for trace in traces(page, "map")
        if trace["type"] == "heatmap"
        and any(each is not None for row in trace["z"] for each in row)
    ]


def written(page: Page) -> list[str]:
    """Return the numbers that stand in the cells of the map."""
    return [words for trace in traces(page, "map") for words in trace["text"]]


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def turn_to(page: Page, view: str) -> None:
    """Go to another view."""
    page.get_by_role("tab", name=view, exact=True).click()
    settled(page)


def only_where(page: Page, condition: str) -> None:
    """Write a condition into the filter."""
    page.get_by_label("only runs where").fill(condition)
    page.get_by_label("only runs where").press("Enter")
    settled(page)


def select(page: Page, label: str, option: str) -> None:
    """Choose an option of a control by its words."""
    page.locator("#controls").get_by_label(label, exact=True).select_option(label=option)
    settled(page)


def saved(page: Page, kind: str, figure: str = "map") -> bytes:
    """Save a figure by its button PNG, SVG or CSV."""
    with page.expect_download() as download:
        page.locator(f"{BOXES[figure]} .tools").get_by_role("button", name=kind).click()
    return Path(download.value.path()).read_bytes()


def saved_rows(page: Page, figure: str = "map") -> list[dict[str, str]]:
    """Return the table that CSV saves."""
    return list(csv.DictReader(io.StringIO(saved(page, "CSV", figure).decode())))


def chosen(page: Page) -> list[int]:
    """Return the chosen runs, as the address says them."""
    match = re.search(r"runs=([^&]*)", page.url)
    return [int(run) for run in match[1].split("%2C")] if match else []


def wait_for_runs(page: Page, runs: Sequence[int]) -> None:
    """Wait until the chosen runs are these, as the address says them."""
    expect(page).to_have_url(re.compile(rf"runs={'%2C'.join(map(str, runs))}(&|$)"))


def contents(store: Path) -> str:
    """Return a digest of all files of a store."""
    digest = hashlib.sha256()
    for path in sorted(path for path in store.rglob("*") if path.is_file()):
        digest.update(str(path.relative_to(store)).encode() + path.read_bytes())
    return digest.hexdigest()
