"""The map and what a click on it shows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hands import (
    EARLY,
    FAILS_AT,
    FULL,
    HALF,
    LAPTOP,
    Open,
    axis_labels,
    button,
    click,
    drawn,
    run_in,
    saved,
    saved_rows,
    wait_for_lines,
    wait_for_runs,
    wait_until_drawn,
)
from playwright.sync_api import expect

import sweep
from marsdisk.physics.constants import YEAR
from sweep.browse.details.series import SHOWN
from sweep.browse.parts.scales import number as shown_number
from sweep.results.quantity import Quantity
from sweep.results.rerun import RecordedRuns
from sweep.store.store import Store

_BOX = """name => {
  const view = Bokeh.index.find_one(Bokeh.documents[0].get_model_by_name(name))
  return view.el.getBoundingClientRect().toJSON()
}"""


def run_at(dataset: Any, **labels: Any) -> int:
    """Return the run with these coordinates."""
    return int(
        np.flatnonzero(
            np.logical_and.reduce([dataset[name].values == value for name, value in labels.items()])
        )[0]
    )


@pytest.mark.parametrize("size", [LAPTOP, HALF], ids=["laptop", "half"])
def test_a_clicked_cell_shows_its_run_as_the_store_has_it(
    faulty: Path, open_page: Open, size: Any
) -> None:
    page = open_page(faulty, size)
    dataset = sweep.open_store(faulty)
    expect(page.get_by_text("10 done, 2 failed, 0 pending of 12 runs; finished")).to_be_visible()
    expect(page.get_by_text("6 cells: 1 failed.")).to_be_visible()
    run = run_at(dataset, T0=5000.0, tau0_target=1.0, variant=FULL)
    click(page, "cells", 2.5, 1.5)
    expect(page.get_by_text(f"run {run}", exact=True)).to_be_visible()
    expect(page.get_by_text("numerics.t_end_years was reached")).to_be_visible()
    wait_for_runs(page, [run])
    wait_for_lines(page, "Sigma", 1)  # which is the last of them
    for name in ("M_out_dot", "M_loss_cum", "tau_los", "s_blow", "T_M", "Sigma"):
        x, y = (np.array(drawn(page, name)[key][0], dtype=float) for key in ("xs", "ys"))
        quantity = Quantity.of(Store.open(faulty), name, dataset[name].values[run])
        t = dataset.t.values[run] / YEAR
        values = quantity.convert(dataset[name].values[run])
        drawn_points = np.isfinite(x)
        assert np.allclose(10.0 ** x[drawn_points], t[t > 0.0])
        assert any(
            np.allclose(y[drawn_points], f(values[t > 0.0]), atol=0.0, equal_nan=True)
            for f in (lambda v: v, np.log10)
        )
    button(page, "Run").click()
    expect(page.get_by_text(RecordedRuns.of(Store.open(faulty)).command(run))).to_be_visible()
    expect(page.get_by_text("Parameters that differ")).to_be_visible()
    expect(page.get_by_role("row", name="ledger_error")).to_contain_text(
        shown_number(float(dataset.ledger_error.values[run]), 6)
    )
    expect(page.get_by_role("row", name="fragment_tensor")).to_be_visible()


def test_failed_and_early_cells_are_hatched_and_have_no_colour_of_a_neighbour(
    faulty: Path, open_page: Open
) -> None:
    page = open_page(faulty)
    dataset = sweep.open_store(faulty)
    value = np.array(drawn(page, "cells", 0)["value"][0], dtype=float).reshape(2, 3)
    assert np.isnan(value).tolist() == [[False, False, False], [False, True, False]]
    page.get_by_label("variant").select_option(EARLY)
    expect(page.get_by_text("6 cells: 1 failed, 5 stopped early.")).to_be_visible()
    # failed: the cell of FAILS_AT
    assert drawn(page, "cells", 1) == {"x": [1.5], "y": [1.5], "w": [1]}
    assert sum(drawn(page, "cells", 3)["w"]) == 5  # early
    click(page, "cells", 1.5, 1.5)
    expect(page.get_by_text("RuntimeError: no such luck")).to_be_visible()
    wait_for_runs(page, [run_at(dataset, T0=FAILS_AT[0], tau0_target=FAILS_AT[1], variant=EARLY)])
    click(page, "cells", 0.5, 0.5)
    expect(
        page.get_by_text("the loss rate fell to numerics.mass_loss_rate_stop_Mmars_s")
    ).to_be_visible()


def test_runs_are_laid_over_each_other_and_the_slider_goes_through_snapshots(
    faulty: Path, open_page: Open
) -> None:
    page = open_page(faulty)
    dataset = sweep.open_store(faulty)
    runs = [run_at(dataset, T0=T, tau0_target=0.5, variant=FULL) for T in (3000.0, 5000.0)]
    click(page, "cells", 0.5, 0.5)
    expect(page.get_by_text(f"run {runs[0]}", exact=True)).to_be_visible()
    click(page, "cells", 2.5, 0.5, shift=True)
    expect(page.get_by_text(f"run {runs[1]}", exact=True)).to_be_visible()
    wait_for_runs(page, runs)
    wait_for_lines(page, "Sigma", 2)
    assert len(drawn(page, "Sigma")["ys"]) == 2
    button(page, "Sizes").click()
    page.get_by_label("distribution of").select_option("number")
    expect(page.get_by_text("snapshot 1 of 2")).to_be_visible()
    handle = page.locator(".noUi-handle")
    handle.focus()
    handle.press("ArrowRight")
    expect(page.get_by_text("snapshot 2 of 2")).to_be_visible()
    N = dataset.N.values[runs[1], 1]
    s = dataset.s.values
    y = np.array(drawn(page, "sizes")["ys"][1], dtype=float)
    drawn_points = np.isfinite(y)
    assert drawn_points.sum() > 10
    assert np.allclose(10.0 ** y[drawn_points], (N / np.log(s[1] / s[0]))[drawn_points])


def test_what_is_seen_can_be_saved(faulty: Path, open_page: Open) -> None:
    page = open_page(faulty)
    dataset = sweep.open_store(faulty)
    assert saved(page, "PNG")[:8] == b"\x89PNG\r\n\x1a\n"
    svg = saved(page, "SVG").decode()
    assert svg.startswith("<svg")
    assert "M_loss" in svg
    assert "failed (1 cell)" in svg
    rows = saved_rows(page)
    assert sorted(row["state"] for row in rows) == ["done"] * 5 + ["failed"]
    for row in rows:
        run = int(row["run"])
        assert (float(row["T0 [K]"]), float(row["tau0_target"])) == (
            dataset.T0.values[run],
            dataset.tau0_target.values[run],
        )
        (M_loss,) = (cell for head, cell in row.items() if head.startswith("M_loss"))
        if row["state"] == "failed":
            assert M_loss == ""
        else:
            assert float(M_loss) == dataset.M_loss.values[run]
    click(page, "cells", 0.5, 0.5)
    expect(button(page, "Series")).to_be_visible()
    series = saved_rows(page, 1)
    assert [float(row["Sigma [kg m-2]"]) for row in series] == dataset.Sigma.values[
        run_in(page)
    ].tolist()
    wait_until_drawn(page, "Sigma")
    svg = saved(page, "SVG", 1).decode()
    assert all(name in svg for name in SHOWN)
    png = saved(page, "PNG", 1)
    width = int.from_bytes(png[16:20])
    height = int.from_bytes(png[20:24])
    figures = list(SHOWN)
    first = page.evaluate(_BOX, figures[0])
    last = page.evaluate(_BOX, figures[-1])
    assert width == pytest.approx(last["right"] - first["left"], abs=1)
    assert height == pytest.approx(last["bottom"] - first["top"], abs=1)


def test_masses_are_summed_over_rings_until_one_is_asked_for(rings: Path, open_page: Open) -> None:
    page = open_page(rings)
    dataset = sweep.open_store(rings)
    expect(page.get_by_text("sum over rings")).to_be_attached()
    whole = dataset.sweep.grid(["T0", "tau0_target", "ring"]).M_loss
    values = np.array(drawn(page, "cells")["value"][0], dtype=float).reshape(2, 2)
    assert np.allclose(values, whole.sum("ring").values.T / 1e-12, rtol=1e-14, atol=0.0)
    page.get_by_label("ring").select_option(label="1 (1.85 R_M)")
    expect(page.get_by_text("4 cells, all done.")).to_be_visible()
    page.wait_for_function(
        "Bokeh.documents[0].get_model_by_name('cells').title.text.includes('ring = 1')"
    )
    values = np.array(drawn(page, "cells")["value"][0], dtype=float).reshape(2, 2)
    ratio = whole.sel(ring=1).values.T / values
    assert np.allclose(ratio, ratio[0, 0], rtol=1e-14, atol=0.0)  # the unit
    page.get_by_label("colour").select_option(label="t99")
    expect(page.get_by_text("time by which 99 % of the mass lost was lost")).to_be_visible()


def test_axes_and_colours_are_chosen(faulty: Path, open_page: Open) -> None:
    page = open_page(faulty)
    page.get_by_label("across").select_option("variant")
    # T0 is 4000 K, the middle one, where runs fail
    expect(page.get_by_text("4 cells: 2 failed, 1 stopped early.")).to_be_visible()
    assert axis_labels(page, "cells") == ("variant", "tau0_target")
    page.get_by_label("upwards").select_option(label="value itself")
    expect(page.get_by_text("12 runs: 5 stopped early, 2 failed.")).to_be_visible()
    assert axis_labels(page, "points") == ("variant", "M_loss [1e-12 M_Mars]")
    page.get_by_label("colour").select_option(label="t99")
    expect(page.get_by_text("t99: time by which 99 % of the mass lost was lost")).to_be_visible()
    assert axis_labels(page, "points") == ("variant", "t99 [yr]")


def test_one_run_fills_the_page(single_run: Path, open_page: Open) -> None:
    page = open_page(single_run)
    expect(page.get_by_text("1 done, 0 failed, 0 pending of 1 run;")).to_be_visible()
    x, y = (drawn(page, "points")[key][0] for key in ("x", "y"))
    click(page, "points", x, y)
    expect(page.get_by_text("run 0", exact=True)).to_be_visible()


def test_points_that_make_no_grid_are_a_scatter_plot(scattered: Path, open_page: Open) -> None:
    page = open_page(scattered)
    dataset = sweep.open_store(scattered)
    expect(page.get_by_text("12 runs, all done.")).to_be_visible()
    points = drawn(page, "points")
    assert points["x"] == dataset.T0.values[points["run"]].tolist()
    assert points["y"] == dataset.tau0_target.values[points["run"]].tolist()
    losses = dataset.M_loss.values[points["run"]] / 1e-12
    assert points["value"] == pytest.approx(losses.tolist(), rel=1e-14)
    click(page, "points", points["x"][7], points["y"][7])
    expect(page.get_by_text(f"run {points['run'][7]}", exact=True)).to_be_visible()
