"""The table, parallel coordinates, the cache's page, the record, and the filter for all of them."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hands import (
    HALF,
    LAPTOP,
    Open,
    button,
    click,
    drawn,
    run_in,
    saved_rows,
    wait_for_runs,
    wait_until_there,
)
from playwright.sync_api import expect

import sweep
from sweep.report.closing_lines import cache_line
from sweep.running.progress import duration
from sweep.store.store import Store


@pytest.mark.parametrize("size", [LAPTOP, HALF], ids=["laptop", "half"])
def test_the_table_is_filtered_sorted_and_saved(faulty: Path, open_page: Open, size: Any) -> None:
    page = open_page(faulty, size)
    dataset = sweep.open_store(faulty)
    button(page, "Runs").click()
    expect(page.get_by_text("12 of 12 runs.")).to_be_visible()
    page.get_by_label("only runs where").fill("T0 > 3500 and status == 'done'")
    page.get_by_label("only runs where").press("Enter")
    expect(page.get_by_text("6 of 12 runs.")).to_be_visible()
    expect(page.get_by_text("6 pass the filter")).to_be_visible()
    page.get_by_label("sort by").select_option(label="M_loss")
    button(page, "largest first").click()
    wanted = np.flatnonzero((dataset.T0.values > 3500.0) & (dataset.status.values == 1))
    wanted = wanted[np.argsort(-dataset.M_loss.values[wanted], kind="stable")]
    expect(page.locator(".slick-row").first.locator(".slick-cell").first).to_have_text(
        str(wanted[0])
    )
    rows = saved_rows(page)
    assert [int(row["run"]) for row in rows] == wanted.tolist()
    assert [float(row["M_loss [M_Mars]"]) for row in rows] == dataset.M_loss.values[wanted].tolist()
    page.locator(".slick-row").nth(1).locator(".slick-cell").nth(1).click()
    expect(page.get_by_text(f"run {wanted[1]}", exact=True)).to_be_visible()
    wait_for_runs(page, [wanted[1]])
    page.get_by_label("columns").fill("T0, steps")
    page.get_by_label("columns").press("Enter")
    expect(page.locator(".slick-header-column", has_text="steps")).to_be_visible()


def test_what_is_made_ahead_is_not_seen_and_is_of_now_when_it_is_opened(
    faulty: Path, open_page: Open
) -> None:
    page = open_page(faulty)
    for model in ("Sigma", "sizes", "about"):
        wait_until_there(page, model)
    ahead = ("12 of 12 runs.", "12 runs. 2 runs without", "Sums over", "Made by")
    for words in ahead:
        expect(page.get_by_text(words)).to_be_attached()
    assert [
        page.get_by_text(words).locator("visible=true").count() for words in (*ahead, "snapshot")
    ] == [0] * 5
    page.get_by_label("chosen runs").fill("3")
    page.get_by_label("chosen runs").press("Enter")
    expect(page.get_by_text("ended after")).to_be_visible()
    button(page, "Runs").click()
    expect(page.locator(".slick-row.selected, .slick-row:has(.slick-cell.selected)")).to_have_count(
        1
    )
    expect(page.locator(".slick-cell.selected").first).to_have_text("3")
    page.get_by_label("only runs where").fill("T0 > 3500")
    page.get_by_label("only runs where").press("Enter")
    expect(page.get_by_text("8 of 12 runs.")).to_be_visible()
    button(page, "Parallel").click()
    expect(page.get_by_text("8 runs. 2 runs without M_loss, dashed.")).to_be_visible()


def test_what_cannot_be_made_ahead_is_told_to_who_opens_it(
    faulty: Path, tmp_path: Path, open_page: Open
) -> None:
    store = Path(shutil.copytree(faulty, tmp_path / "damaged.zarr"))
    for chunk in (*(store / "cache_hits" / "c").rglob("*"), *(store / "error" / "c").rglob("*")):
        if chunk.is_file():
            chunk.write_bytes(b"no chunk")
    page = open_page(store)
    wait_until_there(page, "about")
    # the last that is made ahead, after both views that cannot be
    expect(page.get_by_text("Made by")).to_be_attached()
    expect(page.get_by_role("alert")).not_to_be_visible()
    for view, damaged in (("Runs", "error"), ("Cache", "cache_hits")):
        button(page, view).click()
        expect(page.get_by_role("alert")).to_contain_text(f"{damaged} is damaged")
        if view == "Runs":
            button(page, "next ›").click()
            expect(page.get_by_text("ended after")).to_be_visible()
    button(page, "Provenance").click()
    expect(page.get_by_text("Made by")).to_be_visible()
    expect(page.get_by_role("alert")).not_to_be_visible()


def test_an_error_leaves_the_page_alive(faulty: Path, open_page: Open) -> None:
    page = open_page(faulty)
    button(page, "Runs").click()
    for label, words, answer in (
        ("columns", "nonsense", "'nonsense' is no array"),
        ("only runs where", "T0 > 3100", "8 pass the filter"),
        ("columns", "T0", "8 of 12 runs."),
    ):
        page.get_by_label(label).fill(words)
        page.get_by_label(label).press("Enter")
        expect(page.get_by_text(answer)).to_be_visible()
        expect(page.get_by_role("alert")).to_contain_text("'nonsense' is no array")
    button(page, "Parallel").click()
    page.get_by_label("result").select_option(label="t99")
    page.wait_for_function(
        "Bokeh.documents[0].get_model_by_name('parallel').title.text.includes('by t99 [yr]')"
    )


def test_a_filter_that_cannot_be_understood_says_where(faulty: Path, open_page: Open) -> None:
    page = open_page(faulty)
    for condition, answer in (
        ("TO > 3500", "there is no TO"),
        ("T0 > 9e9", "no run fulfils T0 > 9e9"),
    ):
        page.get_by_label("only runs where").fill(condition)
        page.get_by_label("only runs where").press("Enter")
        expect(page.get_by_role("alert")).to_contain_text(answer)
    page.get_by_label("chosen runs").fill("12")
    page.get_by_label("chosen runs").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("there is no run '12'")
    page.get_by_label("only runs where").fill("")
    page.get_by_label("only runs where").press("Enter")
    expect(page.get_by_role("alert")).to_be_hidden()


def test_without_a_mouse_runs_are_chosen_and_views_opened(faulty: Path, open_page: Open) -> None:
    page = open_page(faulty)
    page.get_by_label("chosen runs").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # next
    expect(page.get_by_text("ended after")).to_be_visible()
    first = run_in(page)
    page.keyboard.press("Enter")
    page.wait_for_function(
        "first => document && Bokeh.documents[0].get_model_by_name('chosen').value != first",
        arg=str(first),
    )
    button(page, "Parallel").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Draw a box over an axis to filter")).to_be_visible()


def test_parallel_coordinates_have_a_line_for_each_run_and_a_box_filters(
    faulty: Path, open_page: Open
) -> None:
    page = open_page(faulty)
    dataset = sweep.open_store(faulty)
    button(page, "Parallel").click()
    expect(page.get_by_text("12 runs. 2 runs without M_loss, dashed.")).to_be_visible()
    failed = drawn(page, "parallel", 0)
    pieces = drawn(page, "parallel", 1)
    assert _lines(failed, "y0").shape == (2, 2)  # they end before the result
    assert _lines(pieces, "y0").shape == (3, 10)
    assert (_lines(pieces, "y1")[:-1] == _lines(pieces, "y0")[1:]).all()
    for shade in _lines(pieces, "shade"):
        losses = dataset.M_loss.values[dataset.status.values == 1] / 1e-12
        assert np.allclose(10.0**shade, losses, atol=0.0)
    click(page, "parallel", 0.0, 0.99)
    expect(
        page.get_by_text("ended after").or_(page.get_by_text("RuntimeError")).first
    ).to_be_visible()
    assert dataset.T0.values[run_in(page)] == 5000.0
    box = page.evaluate("""() => {
      const view = Bokeh.index.find_one(Bokeh.documents[0].get_model_by_name("parallel"))
      const box = view.el.getBoundingClientRect()
      const {x_scale, y_scale} = view.frame
      const corners = [[-0.1, 1.02], [0.1, 0.8]]
      return corners.map(([x, y]) => [box.x + x_scale.compute(x), box.y + y_scale.compute(y)])
    }""")
    page.mouse.move(*box[0])
    page.mouse.down()
    page.mouse.move(*box[1], steps=5)
    page.mouse.up()
    expect(page.get_by_text("4 pass the filter")).to_be_visible()
    expect(page.get_by_label("only runs where")).to_have_value(re.compile("<= T0 <="))


def _lines(pieces: dict[str, Any], name: str) -> Any:
    """Reshape the pieces of lines to (piece, line): each piece leads from one axis to the next."""
    starts = np.unique(pieces["x0"])
    assert np.array_equal(pieces["x0"], np.repeat(starts, len(pieces["x0"]) // starts.size))
    return np.reshape(pieces[name], (starts.size, -1))


def test_the_cache_page_adds_up_what_the_store_has(rings: Path, open_page: Open) -> None:
    page = open_page(rings)
    dataset = sweep.open_store(rings)
    button(page, "Cache").click()
    expect(page.get_by_text("Sums over 12 finished runs.")).to_be_visible()
    hits = {
        str(slot): int(count)
        for slot, count in zip(
            dataset.cache.values, dataset.cache_hits.values.sum(axis=0), strict=True
        )
    }
    rows = saved_rows(page)
    assert {row["slot"]: int(row["hits"]) for row in rows} == hits
    saved = sum(float(row["saved [s]"]) for row in rows)
    assert f"saving {duration(saved)}" in cache_line(Store.open(rings))
    workers = sorted({str(name) for name in dataset.worker.values})
    for name in workers:
        expect(page.get_by_role("row", name=name).get_by_role("cell").nth(1)).to_have_text("12")


def test_the_record_says_where_numbers_come_from(rings: Path, open_page: Open) -> None:
    page = open_page(rings, HALF)
    record = json.loads(sweep.open_store(rings).attrs["provenance"])
    button(page, "Provenance").click()
    expect(page.get_by_role("row", name="model version")).to_contain_text(record["model_version"])
    expect(page.get_by_role("row", name="packages")).to_contain_text(
        f"zarr {record['packages']['zarr']}"
    )
    assert record["tables"]
    for digest in record["tables"].values():
        expect(page.get_by_text(digest)).to_be_visible()
    expect(page.get_by_text("rings: [1.0, 2.7, 3]")).to_be_visible()
