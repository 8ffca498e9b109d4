"""What single views of the page draw and say, without a browser."""

import numpy as np
import pytest

pytest.importorskip("bokeh")
from bokeh.document import Document
from small_sweeps import run_here, sweep_file

from sweep.browse.data import Data
from sweep.browse.page import VIEWS, Page, data_of
from sweep.browse.parts import points
from sweep.browse.parts.cells import CellsFigure
from sweep.browse.parts.scales import Scale
from sweep.browse.views import parallel
from sweep.results.cells import Cells

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
