"""What single views of the page draw and say, without a browser."""

from pathlib import Path

import numpy as np
import pytest
import zarr

pytest.importorskip("bokeh")
from bokeh.document import Document
from small_sweeps import run_here, sweep_file

from sweep.browse.data import Data
from sweep.browse.page import VIEWS, Page, data_of
from sweep.browse.parts import points
from sweep.browse.parts.cells import CellsFigure
from sweep.browse.parts.scales import Scale
from sweep.browse.views import parallel
from sweep.common.states import State
from sweep.results.cells import Cells
from sweep.store import layout

T0_AND_TAU0 = {"temperature.T0": [3000.0, 4000.0], "optical_depth.tau0_target": [0.5, 1.0]}
LONG_WORDS = [letter * 18 for letter in "abcd"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """Return the data of four runs over two parameters."""
    folder = tmp_path_factory.mktemp("four")
    run_here(sweep_file(folder, axes=T0_AND_TAU0), folder / "four.zarr")
    return data_of(folder / "four.zarr")


@pytest.mark.parametrize(
    ("max_points", "drawn", "words"),
    [
        (4, [0, 1, 2, 3], "4 runs, all done"),
        (
            3,
            [1, 2, 3],
            "3 runs, all done, drawn at random; 1 more are not drawn, a filter brings them",
        ),
    ],
)
def test_each_run_is_a_point_up_to_a_limit_above_which_some_are_left_out(
    data: Data, monkeypatch: pytest.MonkeyPatch, max_points: int, drawn: list[int], words: str
) -> None:
    monkeypatch.setattr(points, "MOST", max_points)
    shown = points.Points.of(data, data.columns["run"], "T0", "tau0_target", "M_loss")
    assert shown.run.tolist() == drawn
    assert shown.in_words(Scale.of(shown.value)) == words


@pytest.mark.parametrize(("max_axes", "left_out"), [(3, 0), (2, 0), (1, 1)])
def test_parallel_coordinates_count_the_parameters_that_have_no_axis(
    data: Data,
    monkeypatch: pytest.MonkeyPatch,
    max_axes: int,
    left_out: int,
) -> None:
    monkeypatch.setattr(parallel, "MOST_AXES", max_axes)
    page = Page(Document(), data)
    page.pages.active = list(VIEWS).index("Parallel")
    note = page.views["Parallel"].note.text
    assert ("more parameters are not drawn" in note) == (left_out > 0)
    if left_out:
        assert f" {left_out} more parameters are not drawn." in note


@pytest.mark.parametrize("crowded", ["x", "y"])
def test_crowded_words_are_slanted_below_a_map_and_never_beside_it(
    data: Data,
    crowded: str,
) -> None:
    numbers = [1.0, 2.0, 3.0, 4.0]
    x, y = (LONG_WORDS, numbers) if crowded == "x" else (numbers, LONG_WORDS)
    ones = np.ones((4, 4))
    cells = Cells(x, y, np.arange(16).reshape(4, 4), ones, ones.astype(np.uint8))
    figure = CellsFigure(data)
    figure.show(cells, Scale.of(ones), "title", "T0", "tau0_target")
    (across,), (upwards,) = figure.figure.xaxis, figure.figure.yaxis
    assert (across.major_label_orientation > 0.0) == (crowded == "x")
    assert upwards.major_label_orientation == 0.0


@pytest.fixture(scope="module")
def with_zero(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """Return the data of four runs, one with a loss of zero and the others over three decades."""
    folder = tmp_path_factory.mktemp("zero")
    run_here(sweep_file(folder, axes=T0_AND_TAU0), folder / "four.zarr")
    loss = zarr.open_group(folder / "four.zarr", mode="r+")["M_loss"]
    loss[:] = np.array([0.0, 1e-12, 1e-10, 1e-9])
    return data_of(folder / "four.zarr")


def test_a_zero_is_a_point_of_its_own_where_colours_are_logarithmic(with_zero: Data) -> None:
    runs = with_zero.columns["run"]
    shown = points.Points.of(with_zero, runs, "T0", "tau0_target", "M_loss")
    logarithmic = Scale.of(shown.value)
    assert shown.in_words(logarithmic) == "4 runs: 1 zero"
    assert shown.in_words(Scale.of(shown.value, log=False)) == "4 runs, all done"
    figure = points.PointsFigure(with_zero)
    figure.show(shown, logarithmic, "title")
    assert figure.sources[State.ZERO].data["run"].tolist() == [0]
    assert figure.items[State.ZERO].visible
    assert figure.items[State.ZERO].label.value == "zero (1 run)"


def test_one_zero_does_not_turn_an_axis_linear(with_zero: Data) -> None:
    axis = points.Axis.of(with_zero, "M_loss", with_zero.columns["run"])
    assert axis.scale.log
    assert axis.ticks[0] == (axis.zero, "0")
    assert axis.place[0] == axis.zero < axis.scale.ends()[0] <= axis.place[1:].min()
    assert axis.ends()[0] == axis.zero


def test_parallel_coordinates_draw_zeros_grey_and_count_them(with_zero: Data) -> None:
    page = Page(Document(), with_zero)
    page.pages.active = list(VIEWS).index("Parallel")
    view = page.views["Parallel"]
    assert "4 runs. 1 with M_loss zero, grey." in view.note.text
    assert "without a value" not in view.note.text
    assert len(view.zeros.data["x0"]) == 2
    assert np.isfinite(view.zeros.data["y1"]).all()
    assert len(view.without_value.data["x0"]) == 0


def test_rows_that_hold_no_run_are_counted_nowhere(tmp_path: Path) -> None:
    run_here(sweep_file(tmp_path, axes=T0_AND_TAU0), tmp_path / "four.zarr")
    status = zarr.open_group(tmp_path / "four.zarr", mode="r+")["status"]
    status[3] = layout.UNUSED
    page = Page(Document(), data_of(tmp_path / "four.zarr"))
    assert page.runs.tolist() == [0, 1, 2]
    assert "pending of 3 runs; finished" in page.header.text
    shown = points.Points.of(page.data, page.runs, "T0", "tau0_target", "M_loss")
    assert shown.in_words(Scale.of(shown.value)) == "3 runs, all done"


def test_the_map_of_filtered_rings_says_how_many_it_sums(tmp_path: Path) -> None:
    axes = {"temperature.T0": [3000.0, 4000.0], "ring": {"rings": [1.0, 2.7, 3]}}
    variants = {"base": {}, "thin": {"optical_depth.tau0_target": 0.5}}
    run_here(sweep_file(tmp_path, axes=axes, variants=variants), tmp_path / "s.zarr")
    page = Page(Document(), data_of(tmp_path / "s.zarr"))
    view = page.views["Map"]
    view.x.value, view.y.value = "T0", "variant"
    head = "M_loss of {} [M_Mars]"
    assert head.format("the whole disk") in view.csv()[0]
    whole = view.drawn.value
    page.filter.value = "ring < 2"
    assert head.format("2 of 3 rings") in view.csv()[0]
    assert (view.drawn.value < whole).all()
    page.filter.value = "run == 0"
    assert head.format("the whole disk") in view.csv()[0]
    assert view.drawn.value.size == 1
    assert view.drawn.value[0, 0] in whole
    assert "Sums are over all rings of each disk" in view.note.text
