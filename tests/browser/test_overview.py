"""The first screen: what matters, the map, the curves of what is chosen, and the distribution."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hands import (
    EARLY,
    FAILS_AT,
    HALF,
    LAPTOP,
    TABLET,
    Open,
    button,
    cells,
    chosen,
    click,
    drag,
    only_where,
    place,
    saved,
    saved_rows,
    select,
    settled,
    traces,
    turn_to,
    wait_for_runs,
    written,
)
from playwright.sync_api import expect

import sweep
from sweep.results.effects import effects
from sweep.results.outcomes import outcomes
from sweep.store.store import Store


def run_at(dataset: Any, **labels: Any) -> int:
    """Return the run with these coordinates."""
    is_it = [dataset[name].values == value for name, value in labels.items()]
    return int(np.flatnonzero(np.logical_and.reduce(is_it))[0])


@pytest.mark.parametrize("size", [LAPTOP, TABLET, HALF], ids=["1440", "1024", "700"])
def test_the_first_screen_tells_the_result(rings: Path, open_page: Open, size: Any) -> None:
    page = open_page(rings, size)
    found = effects(outcomes(Store.open(rings), "M_loss"))
    expect(page.locator(".sentence")).to_contain_text(
        f"{found[0].axis} changes M_loss of the whole"
    )
    expect(page.get_by_text("12 done, 0 failed, 0 pending of 12 runs; finished")).to_be_visible()
    assert page.locator("#controls").get_by_label("across").input_value() == found[0].axis
    for name in ("map", "curves", "distribution"):
        expect(page.get_by_role("region", name=name, exact=True)).to_be_visible()
    assert len(chosen(page)) == 1
    width, height = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert width <= size["width"]
    if size == LAPTOP:
        assert height <= size["height"]


def test_cells_have_the_sums_over_rings_and_their_numbers(rings: Path, open_page: Open) -> None:
    page = open_page(rings, view="#x=T0&y=tau0_target")
    total = sweep.open_store(rings).sweep.disk_total().M_loss.transpose("tau0_target", "T0")
    head = page.locator(".middle h2").inner_text()
    assert head.startswith("M_loss of the whole disk [")
    unit = float((re.search(r"\[(1e-?\d+)", head) or ["", "1"])[1])
    rows = saved_rows(page)
    values = [float(row[head]) * unit for row in rows]
    assert sorted(values) == pytest.approx(sorted(total.values.ravel()), rel=1e-14)
    assert sorted(map(float, written(page))) == pytest.approx(
        sorted(total.values.ravel() / unit), rel=5e-3
    )
    select(page, "cases are", "single rings")
    select(page, "result", "t99 [s]")
    expect(page.locator(".middle h2")).to_contain_text("t99 [")
    expect(page.locator(".middle h2")).to_contain_text("R_M")


def test_a_clicked_cell_is_chosen_and_shift_adds_one(faulty: Path, open_page: Open) -> None:
    page = open_page(faulty, view="#x=T0&y=tau0_target")
    dataset = sweep.open_store(faulty)
    runs = [run_at(dataset, T0=T, tau0_target=0.5, variant="full") for T in (3000.0, 5000.0)]
    click(page, 0, 0)
    wait_for_runs(page, runs[:1])
    click(page, 2, 0, shift=True)
    wait_for_runs(page, runs)
    lines = [trace for trace in traces(page, "curves") if "T0 =" in trace["name"]]
    assert {line["name"].split(":")[0] for line in lines} == {f"run {run}" for run in runs}
    page.get_by_role("tab", name="Numbers").click()
    expect(page.get_by_role("row", name="ledger_error")).to_be_visible()
    expect(page.locator("code", has_text="marsdisk run").first).to_be_visible()
    page.get_by_role("tab", name="Sizes").click()
    expect(page.get_by_text("snapshot 1 of 2")).to_be_visible()
    page.get_by_label("snapshot", exact=True).press("ArrowRight")
    expect(page.get_by_text("snapshot 2 of 2")).to_be_visible()


def test_curves_are_those_of_the_store(faulty: Path, open_page: Open) -> None:
    page = open_page(faulty, view="#x=T0&y=tau0_target&time=linear")
    dataset = sweep.open_store(faulty)
    click(page, 2, 1)
    (run,) = chosen(page)
    rows = saved_rows(page, "curves")
    loss = [float(row[name]) for row in rows for name in row if name.startswith("M_loss_cum")]
    scale = dataset.M_loss_cum.values[run][-1] / loss[-1]
    assert np.array(loss) * scale == pytest.approx(dataset.M_loss_cum.values[run], rel=1e-12)
    assert {int(row["run"]) for row in rows} == {run}


def test_failed_and_early_cells_are_marked_and_have_no_colour_of_a_neighbour(
    faulty: Path, open_page: Open
) -> None:
    page = open_page(faulty, view="#x=T0&y=tau0_target&over=")
    select(page, "variant", EARLY)
    expect(page.get_by_text("6 cases: 1 failed, 5 stopped early.")).to_be_visible()
    assert cells(page)[0][1][1] is None
    names = {trace["name"]: trace for trace in traces(page, "map")}
    assert (names["failed (1 cell)"]["x"], names["failed (1 cell)"]["y"]) == ([1], [1])
    assert len(names["stopped early (5 cells)"]["x"]) == 5
    click(page, 1, 1)
    failed = run_at(
        sweep.open_store(faulty), T0=FAILS_AT[0], tau0_target=FAILS_AT[1], variant=EARLY
    )
    wait_for_runs(page, [failed])
    expect(page.get_by_text(f"run {failed}: no curve: it failed")).to_be_visible()
    page.get_by_role("tab", name="Numbers").click()
    expect(page.locator(".details").get_by_text("RuntimeError: no such luck").first).to_be_visible()


def test_axes_panels_and_results_are_chosen_and_a_bar_puts_one_on_the_map(
    faulty: Path, open_page: Open
) -> None:
    page = open_page(faulty, view="#x=T0&y=tau0_target&over=")
    button(page, "variant").or_(page.locator(".bar-row", has_text="variant")).first.click()
    settled(page)
    assert (
        "x=variant" in page.url
        or page.locator("#controls").get_by_label("across").input_value() == "variant"
    )
    select(page, "upwards", "the result itself")
    expect(page.get_by_text("12 cases: 2 failed")).to_be_visible()
    select(page, "result", "t99 [s]")
    expect(page.locator(".middle h2")).to_contain_text("t99")
    select(page, "across", "tau_max")
    assert page.locator(".middle .plot").get_attribute("aria-label")


def test_one_selection_is_seen_everywhere_and_nothing_rescales(
    faulty: Path, open_page: Open
) -> None:
    page = open_page(faulty, view="#x=T0&y=tau0_target&over=variant")
    before = page.evaluate("document.querySelector('.foot .plot')._fullLayout.xaxis.range")
    drag(page, place(page, "map", -0.4, 1.4), place(page, "map", 0.4, -0.4))
    assert json.loads(page.evaluate("JSON.stringify(location.hash)"))
    expect(page.get_by_text("4 cases selected; the rest is grey.")).to_be_visible()
    assert page.evaluate("document.querySelector('.foot .plot')._fullLayout.xaxis.range") == before
    turn_to(page, "Runs")
    expect(page.get_by_text("4 runs selected, on top.")).to_be_visible()
    expect(page.locator("tr.outside")).to_have_count(8)
    turn_to(page, "Overview")
    button(page, "keep").click()
    settled(page)
    expect(page.get_by_label("only runs where")).to_have_value(re.compile("3000 <= T0 <= 3000"))
    assert page.evaluate("document.querySelector('.foot .plot')._fullLayout.xaxis.range") == before
    button(page, "fit").click()
    settled(page)
    assert page.evaluate("document.querySelector('.foot .plot')._fullLayout.xaxis.range") != before
    button(page, "restore all").click()
    settled(page)
    expect(page.get_by_label("only runs where")).to_have_value("")


def test_a_brush_over_the_distribution_is_let_go_by_escape(faulty: Path, open_page: Open) -> None:
    page = open_page(faulty)
    low, high = page.evaluate("document.querySelector('.foot .plot')._fullLayout.xaxis.range")
    middle = 0.5 * (low + high)
    drag(page, place(page, "distribution", low, 1), place(page, "distribution", middle, 1))
    expect(page.get_by_text("selected by M_loss")).to_be_visible()
    page.keyboard.press("Escape")
    settled(page)
    expect(page.get_by_text("selected by M_loss")).to_have_count(0)


def test_the_address_is_the_view(faulty: Path, open_page: Open) -> None:
    page = open_page(faulty)
    select(page, "across", "tau0_target")
    only_where(page, "T0 > 3500")
    click(page, 1, 0)
    runs = chosen(page)
    address = page.url
    page.go_back()
    settled(page)
    assert chosen(page) != runs or page.url != address
    page.go_forward()
    settled(page)
    assert page.url == address
    page.reload()
    settled(page)
    expect(page.get_by_label("only runs where")).to_have_value("T0 > 3500")
    assert page.locator("#controls").get_by_label("across").input_value() == "tau0_target"
    assert chosen(page) == runs


def test_what_is_seen_can_be_copied(faulty: Path, open_page: Open) -> None:
    rights = ["clipboard-read", "clipboard-write"]
    page = open_page(faulty, permissions=rights)
    copied = {}
    for name, words in (("link", "link"), ("sweep plot", "command"), ("Python", "Python")):
        button(page, name).click()
        expect(page.locator("#status")).to_have_text(f"{words} copied")
        copied[name] = page.evaluate("navigator.clipboard.readText()")
    assert copied["link"] == page.url
    assert copied["sweep plot"].startswith(f"sweep plot {faulty} heatmap --name M_loss --x ")
    compile(copied["Python"], "copied", "exec")


def test_pictures_have_their_key_filter_and_store(faulty: Path, open_page: Open) -> None:
    page = open_page(faulty)
    only_where(page, "T0 > 3500")
    png = saved(page, "PNG")
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width = int.from_bytes(png[16:20])
    assert width > 3 * page.locator(".middle .plot").bounding_box()["width"]  # 300 dpi
    svg = saved(page, "SVG").decode()
    for words in ("M_loss", "where T0 &#62; 3500", "faulty.zarr", "filtered out"):
        assert words in svg
    rows = saved_rows(page)
    assert sum(row["state"] == "filtered out" for row in rows) > 0


def test_one_run_fills_the_page(single_run: Path, open_page: Open) -> None:
    page = open_page(single_run)
    expect(page.get_by_text("1 done, 0 failed, 0 pending of 1 run;")).to_be_visible()
    wait_for_runs(page, [0])
    expect(page.get_by_text("no parameter differs between the runs")).to_be_visible()


def test_points_that_make_no_grid_are_points_or_medians_of_cells(
    scattered: Path, open_page: Open
) -> None:
    page = open_page(scattered, view="#x=T0&y=tau0_target")
    expect(page.get_by_text("12 runs, all done.")).to_be_visible()
    dataset = sweep.open_store(scattered)
    drawn = {
        (x, y) for trace in traces(page, "map") for x, y in zip(trace["x"], trace["y"], strict=True)
    }
    wanted = set(zip(dataset.T0.values.tolist(), dataset.tau0_target.values.tolist(), strict=True))
    assert wanted <= drawn
    click(page, dataset.T0.values[7], dataset.tau0_target.values[7])
    wait_for_runs(page, [7])


def test_without_a_mouse_cells_views_and_filter_are_reached(faulty: Path, open_page: Open) -> None:
    page = open_page(faulty, view="#x=T0&y=tau0_target&over=")
    page.locator(".middle .plot").focus()
    first = chosen(page)
    page.keyboard.press("ArrowRight")
    expect(page.locator("#status")).to_contain_text("T0 = 5000")
    page.keyboard.press("Enter")
    settled(page)
    assert chosen(page) != first
    page.keyboard.press("2")
    settled(page)
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_label("only runs where")).to_be_focused()
    page.keyboard.press("Escape")
    page.locator("#main").focus()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
