"""What single views of the page draw and say, without a browser."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr

pytest.importorskip("bokeh")
from bokeh.document import Document
from small_sweeps import run_here, sweep_file

from marsdisk.physics.constants import YEAR
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
            "3 runs, all done, a random sample; not drawn: 1 more run (filter to see them)",
        ),
    ],
)
def test_each_run_is_a_point_up_to_a_limit_above_which_some_are_left_out(
    data: Data, monkeypatch: pytest.MonkeyPatch, max_points: int, drawn: list[int], words: str
) -> None:
    monkeypatch.setattr(points, "MAX_POINTS_DRAWN", max_points)
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
    monkeypatch.setattr(parallel, "MAX_AXES", max_axes)
    page = Page(Document(), data)
    page.pages.active = list(VIEWS).index("Parallel")
    note = page.views["Parallel"].note.text
    assert ("Not drawn: 1 more parameter." in note) == (left_out == 1)


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
    figure.show(shown, with_zero.quantity("M_loss"), logarithmic, "title")
    assert figure.sources[State.ZERO].data["run"].tolist() == [0]
    assert figure.items[State.ZERO].visible
    assert figure.items[State.ZERO].label.value == "zero (1 run)"


def test_one_zero_does_not_turn_an_axis_linear(with_zero: Data) -> None:
    axis = points.Axis.of(with_zero, "M_loss", with_zero.columns["run"])
    assert axis.scale.log
    assert axis.ticks[0] == (axis.zero, "0")
    assert axis.positions[0] == axis.zero < axis.scale.ends()[0] <= axis.positions[1:].min()
    assert axis.ends()[0] == axis.zero


def test_parallel_coordinates_draw_zeros_grey_and_count_them(with_zero: Data) -> None:
    page = Page(Document(), with_zero)
    page.pages.active = list(VIEWS).index("Parallel")
    view = page.views["Parallel"]
    assert "4 runs. 1 run with M_loss = 0, grey." in view.note.text
    assert "dashed" not in view.note.text
    assert len(view.zeros.data["x0"]) == 2
    assert np.isfinite(view.zeros.data["y1"]).all()
    assert len(view.without_value.data["x0"]) == 0


def test_a_brush_takes_zeros_only_where_it_covers_their_tick(with_zero: Data) -> None:
    axis = points.Axis.of(with_zero, "M_loss", with_zero.columns["run"])
    upright = parallel.Upright(axis)
    low, high = upright.ends
    least = (np.log10(1e-12) - low) / (high - low)
    for lower, upper, taken in [
        (0.5 * least, 0.99, [1, 2]),
        (-0.02, 0.5 * least, [0]),
        (-0.02, 1.02, [0, 1, 2, 3]),
        (0.5 * least, 1.02, [1, 2, 3]),
    ]:
        lowest, highest = upright.between(lower, upper)
        runs = with_zero.columns.where(f"{lowest} <= M_loss <= {highest}")
        assert runs.tolist() == taken


@pytest.mark.parametrize("values", [[0.00123456, 0.5, 1.0], [1.23456e-5, 1.0], [0.0, 3.3333, 99.0]])
@pytest.mark.parametrize("name", ["tau_max", "t99"])
def test_a_brush_over_a_whole_axis_takes_all_of_it(
    with_zero: Data, values: list[float], name: str
) -> None:
    values = [value * YEAR for value in values]
    quantity = with_zero.quantity(name, values)
    assert quantity.unit == ("yr" if name == "t99" else "1")
    numbers = quantity.convert(values)
    upright = parallel.Upright(points.Axis.of_numbers(quantity, numbers, Scale.of(numbers)))
    lowest, highest = map(float, upright.between(0.0, 1.0))
    assert lowest <= min(values)
    assert max(values) <= highest


def test_a_brush_is_as_fine_as_its_axis(with_zero: Data) -> None:
    values = np.array([4000.01, 4000.05, 4000.09])
    axis = points.Axis.of_numbers(with_zero.axis_quantity("T0"), values, Scale.of(values))
    lowest, highest = parallel.Upright(axis).between(0.25, 0.75)
    assert 4000.01 < float(lowest) < 4000.05 < float(highest) < 4000.09


def test_a_brush_takes_the_runs_inside_and_no_others(mixed: Path) -> None:
    data = data_of(mixed)
    runs = np.arange(data.runs)
    done = data.columns["status"] == State.DONE.word
    for name in ("variant", "T0", "M_loss", "steps_rejected", "t_end"):
        upright = parallel.Upright(points.Axis.of(data, name, runs))
        heights = upright.heights()
        for low, high in ((-0.01, 0.3), (0.3, 0.7), (0.7, 1.01), (-0.01, 1.01)):
            condition = parallel.condition_within(data, upright, runs, low, high)
            inside = np.flatnonzero((low <= heights) & (heights <= high))
            assert set(inside.tolist()) <= set(data.columns.where(condition).tolist())
            if name == "steps_rejected":
                assert done[data.columns.where(condition)].all()
            if name == "variant":
                assert data.columns.where(condition).tolist() == inside.tolist()


def test_infinite_numbers_are_counted_and_stand_at_the_upper_edge(with_zero: Data) -> None:
    value = np.array([1e-12, 1e-10, np.inf, np.nan])
    shown = points.Points.of(with_zero, with_zero.columns["run"], "T0", points.VALUE, "M_loss")
    shown = replace(shown, value=value)
    assert shown.in_words(Scale.of(value)).endswith("; 1 infinite")
    figure = points.PointsFigure(with_zero)
    figure.show(shown, with_zero.quantity("M_loss"), Scale.of(value), "title")
    y = figure.sources[State.DONE].data["y"].tolist()
    assert y[2] == figure.figure.y_range.end
    assert y[3] == figure.figure.y_range.start


def test_numbers_of_runs_and_rings_are_drawn_to_scale(mixed: Path) -> None:
    data = data_of(mixed)
    runs = np.arange(data.runs)
    for name in ("run", "ring"):
        assert not points.Axis.of(data, name, runs).scale.log


def test_zeros_and_runs_without_a_value_stand_apart(with_zero: Data) -> None:
    value = np.array([0.0, np.nan, 1e-10, 1e-8])
    state = np.array([State.DONE, State.PENDING, State.DONE, State.DONE], np.uint8)
    shown = points.Points.of(with_zero, with_zero.columns["run"], "T0", points.VALUE, "M_loss")
    shown = replace(shown, value=value, state=state)
    figure = points.PointsFigure(with_zero)
    figure.show(shown, with_zero.quantity("M_loss"), Scale.of(value), "title")
    (zero,) = figure.sources[State.ZERO].data["y"].tolist()
    (pending,) = figure.sources[State.PENDING].data["y"].tolist()
    assert figure.figure.y_range.start == pending < zero < -10.0
    assert figure.figure.yaxis[0].major_label_overrides[zero] == "0"


def test_runs_that_are_not_done_have_no_number_of_any_kind(mixed: Path) -> None:
    data = data_of(mixed)
    is_done = data.columns["status"] == State.DONE.word
    page = Page(Document(), data)
    page.pages.active = list(VIEWS).index("Parallel")
    view = page.views["Parallel"]
    view.name.value = "steps"
    assert data.columns["steps"].dtype.kind in "iu"
    assert 0 < is_done.sum() < page.runs.size
    dimensions = len(view.without_value.data["x0"]) // int((~is_done[page.runs]).sum())
    assert dimensions * int((~is_done[page.runs]).sum()) == len(view.without_value.data["x0"]) > 0
    drawn = len(view.lines.data["x0"])
    assert drawn == (dimensions + 1) * int(is_done[page.runs].sum())


@pytest.mark.parametrize("count", [3, 8, 12])
def test_texts_of_an_upright_axis_are_texts_however_many(data: Data, count: int) -> None:
    texts = [f"law-{i}" for i in range(count)]
    axis = points.Axis(
        data.axis_quantity("law"),
        Scale(log=False, low=0.0, high=count - 1.0),
        np.arange(float(count)),
        [(float(i), name) for i, name in enumerate(texts)],
        is_text=True,
    )
    assert [label for _, label in parallel.Upright(axis).ticks()] == texts


def test_a_problem_is_shown_with_its_indents_and_escaped(data: Data) -> None:
    page = Page(Document(), data)
    page.filter.value = "T0 >"
    page.problem.text = ""
    page.narrow("<b> ==  1")
    assert "<b>" not in page.problem.text
    assert "&amp;" not in page.problem.text
    assert "&lt;b&gt;" in page.problem.text


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
