"""Actions of a person on the page: find a point in a figure, click it, save a view."""

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
LAPTOP = {"width": 1366, "height": 768}
HALF = {"width": 700, "height": 900}
Open = Callable[..., Page]
#: Of the sweep that most tests look at.
FULL = "full"
EARLY = "early"
T0 = [3000.0, 4000.0, 5000.0]
TAU0 = [0.5, 1.0]
FAILS_AT = (4000.0, 1.0)

#: What is drawn last in each view, where the map is one of cells.
VIEWS = {
    "Map": "cells",
    "Runs": "runs",
    "Parallel": "parallel",
    "Cache": "cache",
    "Provenance": "origin",
}

_IS_THERE = """name => {
  const model = Bokeh.documents[0].get_model_by_name(name)
  return model != null && Bokeh.index.find_one(model) != null
}"""
_IS_DRAWN = """name => {
  const view = Bokeh.index.find_one(Bokeh.documents[0].get_model_by_name(name))
  return view?.has_finished() && view.el.checkVisibility({visibilityProperty: true})
}"""
_HAS_LINES = """([name, count]) => {
  const glyphs = Bokeh.documents[0].get_model_by_name(name)?.renderers
  return glyphs != null && glyphs[0].data_source.get("ys").length == count
}"""
_PLACE = """([name, x, y]) => {
  const view = Bokeh.index.find_one(Bokeh.documents[0].get_model_by_name(name))
  if (!view?.has_finished() || !view.el.checkVisibility()) return null
  const box = view.el.getBoundingClientRect()
  return [box.x + view.frame.x_scale.compute(x), box.y + view.frame.y_scale.compute(y)]
}"""
_COLUMNS = """([name, index]) => {
  const glyphs = Bokeh.documents[0].get_model_by_name(name).renderers
  const source = glyphs[index].data_source
  const names = source.data instanceof Map ? [...source.data.keys()] : Object.keys(source.data)
  const plain = v => (typeof v == "object" && v != null ? Array.from(v) : v)
  return Object.fromEntries(names.map(name => [name, Array.from(source.get(name), plain)]))
}"""


def place(page: Page, figure: str, x: float, y: float) -> tuple[float, float]:
    """Return the position on the screen of a point of a figure, once it is drawn."""
    left, top = page.wait_for_function(_PLACE, arg=[figure, x, y]).json_value()
    return left, top


def click(page: Page, figure: str, x: float, y: float, *, shift: bool = False) -> None:
    """Click a place of a figure."""
    if shift:
        page.keyboard.down("Shift")
    page.mouse.click(*place(page, figure, x, y))
    if shift:
        page.keyboard.up("Shift")


def drawn(page: Page, figure: str, glyph: int = 0) -> dict[str, Any]:
    """Return the data of a figure's glyph, as the browser has it."""
    columns: dict[str, Any] = page.evaluate(_COLUMNS, [figure, glyph])
    return columns


def wait_until_there(page: Page, model: str) -> None:
    """Wait until a part of the page exists, visible or not."""
    page.wait_for_function(_IS_THERE, arg=model)


def wait_until_drawn(page: Page, model: str) -> None:
    """Wait until a part of the page is visible, with all its contents."""
    page.wait_for_function(_IS_DRAWN, arg=model)


def wait_for_lines(page: Page, figure: str, count: int) -> None:
    """Wait until a figure has ``count`` lines; the text about their runs comes first."""
    page.wait_for_function(_HAS_LINES, arg=[figure, count])


def turn_to(page: Page, view: str) -> None:
    """Go to another view, and wait until it is visible."""
    button(page, view).click()
    wait_until_drawn(page, VIEWS[view])


def axis_labels(page: Page, figure: str) -> tuple[str, str]:
    """Return the labels of a figure's axes, across and upwards."""
    model = f"Bokeh.documents[0].get_model_by_name('{figure}')"
    across = page.evaluate(f"{model}.below[0].axis_label")
    upwards = page.evaluate(f"{model}.left[0].axis_label")
    return across, upwards


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def saved(page: Page, kind: str, which: int = 0) -> bytes:
    """Save by the button PNG, SVG or CSV of the view on the left (0) or the right (1)."""
    with page.expect_download() as download:
        button(page, kind).locator("visible=true").nth(which).click()
    with open(download.value.path(), "rb") as file:
        return file.read()


def saved_rows(page: Page, which: int = 0) -> list[dict[str, str]]:
    """Return the table that CSV saves."""
    return list(csv.DictReader(io.StringIO(saved(page, "CSV", which).decode())))


def wait_for_runs(page: Page, runs: Sequence[int]) -> None:
    """Wait until the chosen runs are these, as written on the page."""
    numbers = r",\s*".join(map(str, runs))
    expect(page.get_by_label("chosen runs")).to_have_value(re.compile(rf"^\s*{numbers}\s*$"))


def run_in(page: Page) -> int:
    """Return the number of the first chosen run, once there is one."""
    field = page.get_by_label("chosen runs")
    expect(field).to_have_value(re.compile(r"\d"))
    return int(field.input_value().split(",")[0])


def contents(store: Path) -> str:
    """Return a digest of all files of a store."""
    digest = hashlib.sha256()
    for path in sorted(path for path in store.rglob("*") if path.is_file()):
        digest.update(str(path.relative_to(store)).encode() + path.read_bytes())
    return digest.hexdigest()
