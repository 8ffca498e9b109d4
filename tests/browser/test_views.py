"""The table, parallel coordinates, what can be trusted, two studies, and the page as a file."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote_plus

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from hands import (
    HALF,
    VIEWS,
    Open,
    button,
    chosen,
    click,
    contents,
    drag,
    only_where,
    saved_rows,
    settled,
    turn_to,
    wait_for_runs,
)
from playwright.sync_api import Page, expect
from small_sweeps import run_here, sweep_file

import sweep


def test_the_table_is_filtered_sorted_and_saved(faulty: Path, open_page: Open) -> None:
    page = open_page(faulty)
    dataset = sweep.open_store(faulty)
    turn_to(page, "Runs")
    expect(page.get_by_text("12 of 12 runs.")).to_be_visible()
    expect(page.locator("tr.failed")).to_have_count(2)
    only_where(page, "T0 > 3500 and status == 'done'")
    expect(page.get_by_text("6 of 12 runs.")).to_be_visible()
    head = page.locator("th button", has_text="M_loss")
    head.click()
    settled(page)
    page.locator("th button", has_text="M_loss").click()
    settled(page)
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("M_loss")
    wanted = np.flatnonzero((dataset.T0.values > 3500.0) & (dataset.status.values == 1))
    wanted = wanted[np.argsort(-dataset.M_loss.values[wanted], kind="stable")]
    expect(page.locator("#runs tbody tr").first.locator("td").first).to_have_text(str(wanted[0]))
    page.locator("#runs tbody tr").nth(1).locator("td").nth(1).click()
    wait_for_runs(page, [int(wanted[1])])
    page.get_by_text("columns", exact=True).click()
    page.get_by_label("steps", exact=True).check()
    settled(page)
    expect(page.locator("th button", has_text="steps")).to_be_visible()


def test_a_badge_shows_the_runs_that_it_is_about(faulty: Path, open_page: Open) -> None:
    page = open_page(faulty)
    page.locator("summary", has_text="2 failed").click()
    expect(page.get_by_text("2 runs (6, 7): RuntimeError: no such luck")).to_be_visible()
    page.locator(".badge.bad").get_by_role("button", name="show these runs").click()
    settled(page)
    turn_to(page, "Runs")
    expect(page.get_by_text("2 runs selected, on top.")).to_be_visible()
    first = page.locator("#runs tbody tr").first
    expect(first).to_have_class(re.compile("failed"))
    turn_to(page, "Trust")
    expect(page.locator("#trust").get_by_text("RuntimeError: no such luck")).to_be_visible()
    for words in ("Ledger", "Cache", "Provenance"):
        expect(page.get_by_role("heading", name=words, exact=True)).to_be_visible()


def test_parallel_coordinates_are_brushed_reordered_and_kept(faulty: Path, open_page: Open) -> None:
    page = open_page(faulty)
    turn_to(page, "Parallel")
    expect(page.get_by_text("12 lines.")).to_be_visible()
    expect(page.get_by_text("2 without M_loss: they end before it.")).to_be_visible()
    box = page.locator("canvas").bounding_box()
    assert box
    left = box["x"] + 60
    top = box["y"] + 34
    drag(page, (left, top - 6), (left, top + 60))
    expect(page.get_by_text("selected by T0")).to_be_visible()
    button(page, "keep").click()
    settled(page)
    expect(page.get_by_label("only runs where")).to_have_value("5000 <= T0 <= 5000")
    label = page.locator("canvas").get_attribute("aria-label") or ""
    drag(page, (left, box["y"] + 8), (box["x"] + 0.5 * box["width"], box["y"] + 8))
    only_where(page, "")
    assert page.locator("canvas").get_attribute("aria-label") != label


def test_a_brush_is_moved_as_a_whole_and_by_its_ends(scattered: Path, open_page: Open) -> None:
    def brush() -> tuple[float, float]:
        found = re.search(r"brush=([^&]*)", page.url)
        assert found, page.url
        [ends] = json.loads(unquote_plus(found[1])).values()
        return tuple(ends)

    page = open_page(scattered)
    turn_to(page, "Parallel")
    box = page.locator("canvas").bounding_box()
    assert box
    left, top = box["x"] + 60, box["y"] + 34
    drag(page, (left, top + 60), (left, top + 120))
    low, high = brush()
    drag(page, (left, top + 90), (left, top + 140))
    moved = brush()
    assert moved[0] < low
    assert moved[1] < high
    assert moved[1] - moved[0] == pytest.approx(high - low, rel=0.15)
    drag(page, (left, top + 110), (left, top + 50))
    longer = brush()
    assert longer[0] == pytest.approx(moved[0], rel=0.05)
    assert longer[1] > moved[1]
    page.mouse.click(left, top + 5)
    settled(page)
    assert "brush=" not in page.url


def test_null_has_no_place_among_numbers(nulls: Path, open_page: Open) -> None:
    page = open_page(nulls)
    turn_to(page, "Parallel")
    box = page.locator("canvas").bounding_box()
    assert box
    at = next(
        x
        for x in (box["x"] + 60, box["x"] + 0.5 * box["width"])
        if "tau_stop" in names_at(page, x, box["x"], box["width"])
    )
    drag(page, (at, box["y"] + 28), (at, box["y"] + box["height"] - 4))
    button(page, "keep").click()
    settled(page)
    expect(page.get_by_label("only runs where")).to_have_value("2 <= tau_stop <= 3")
    turn_to(page, "Runs")
    expect(page.get_by_text("4 of 6 runs.")).to_be_visible()


def names_at(page: Page, x: float, left: float, width: float) -> str:
    """Return the name of the axis nearest to a place, of those that the figure says it has."""
    words = page.locator("canvas").get_attribute("aria-label") or ""
    names = words.removeprefix("parallel coordinates of ").split(";")[0].split(", ")
    place = (x - left - 60) / (width - 120) * (len(names) - 1)
    return names[round(place)]


def test_a_filter_that_cannot_be_understood_says_where_and_nothing_is_lost(
    faulty: Path, open_page: Open
) -> None:
    page = open_page(faulty)
    before = chosen(page)
    for condition, words in (("TO > 3500", "there is no TO"), ("T0 > 9e9", "no run fulfils")):
        only_where(page, condition)
        expect(page.get_by_role("alert")).to_contain_text(words)
        assert chosen(page) == before
    only_where(page, "")
    expect(page.get_by_role("alert")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [None, HALF], ids=["1440", "700"])
def test_nothing_stands_in_the_way_of_anybody(
    faulty: Path, open_page: Open, scheme: str, size: dict[str, int] | None
) -> None:
    page = open_page(faulty, size, color_scheme=scheme)
    for view in VIEWS:
        turn_to(page, view)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    if size == HALF:
        assert small_targets(page) == []


def small_targets(page: Page) -> list[str]:
    """Return what is too small for a finger."""
    script = """() => [...document.querySelectorAll('button, select, input, summary')]
      .filter(each => each.checkVisibility() && each.type != 'checkbox' && !each.closest('.text'))
      .filter(each => each.getBoundingClientRect().height < 43.5)
      .map(each => each.outerHTML.slice(0, 80))"""
    found: list[str] = page.evaluate(script)
    return found


def test_two_studies_are_one_page(
    faulty: Path, tmp_path: Path, serve: Callable[..., str], open_page: Open
) -> None:
    axes = {"temperature.T0": [3000.0, 4000.0], "optical_depth.tau0_target": [0.5, 1.0]}
    for name, years in (("a", 0.02), ("b", 0.03)):
        file = sweep_file(tmp_path, f"{name}.yaml", axes=axes, set={"numerics.t_end_years": years})
        run_here(file, tmp_path / f"{name}.zarr")
    page = open_page(serve(tmp_path / "a.zarr", tmp_path / "b.zarr"))
    turn_to(page, "Compare")
    expect(page.locator("#compare h2").first).to_contain_text("second study over first")
    expect(page.get_by_text("4 of 4 cases are in both studies")).to_be_visible()
    expect(page.locator("#compare code")).to_contain_text("numerics.t_end_years")
    words = page.locator("#compare .plot").first.evaluate(
        "place => place.data.flatMap(trace => trace.text ?? [])"
    )
    ratio = (
        sweep.open_store(tmp_path / "b.zarr").M_loss / sweep.open_store(tmp_path / "a.zarr").M_loss
    )
    assert sorted(map(float, words)) == pytest.approx(sorted(ratio.values), rel=5e-3)


def test_the_page_is_a_file_that_opens_without_a_server(
    rings: Path, tmp_path: Path, open_page: Open
) -> None:
    words = [sys.executable, "-m", "sweep", "browse", str(rings), "--save", "study.html"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("written to study.html\n")
    page = open_page(f"file://{tmp_path / 'study.html'}")
    expect(page.locator(".sentence")).to_contain_text("changes M_loss of the whole disk")
    click(page, 1, 1)
    first = chosen(page)
    click(page, 0, 0)
    assert chosen(page) != first
    for view in VIEWS:
        turn_to(page, view)
    expect(page.get_by_role("alert")).to_be_hidden()
    turn_to(page, "Overview")
    assert len(saved_rows(page)) == 4
    again = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert "--force" in again.stderr


def test_looking_changes_nothing(rings: Path, open_page: Open) -> None:
    before = contents(rings)
    page = open_page(rings)
    for view in (*VIEWS, "Overview"):
        turn_to(page, view)
    click(page, 1, 1)
    assert contents(rings) == before
