"""No two texts of a figure overlap, and none is cut off, in either style and however narrow."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray
from small_sweeps import run_here, sweep_file

from sweep import plots
from sweep.plots.page import Page

#: Pixels by which boxes may touch: they include the space around the letters.
TOLERANCE = 0.7
MANY = {"temperature.T0": [3000.0 + 100.0 * i for i in range(12)], "material.rho": [2700.0, 3270.0]}
DRAWN = {
    "method": "random",
    "n": 24,
    "axes": {"supply.mu_orbit10pct": {"loguniform": [0.3, 3.0]}},
}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store of 12 temperatures and two densities."""
    folder = tmp_path_factory.mktemp("many")
    run_here(sweep_file(folder, axes=MANY), folder / "small.zarr")
    return folder / "small.zarr"


@pytest.fixture(scope="module")
def drawn_at_random(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store of 24 supplies at each of two temperatures."""
    folder = tmp_path_factory.mktemp("drawn")
    axes = {"temperature.T0": [3000.0, 4000.0]}
    run_here(sweep_file(folder, axes=axes, sample=DRAWN), folder / "small.zarr")
    return folder / "small.zarr"


def texts_of_axes(axes: Axes) -> Iterator[Text]:
    """Yield titles, texts, labels, numbers along the axes, and those of a legend."""
    yield from (each for each in axes.get_children() if isinstance(each, Text))
    for axis in (axes.xaxis, axes.yaxis):
        yield from (axis.label, axis.get_offset_text())
        low, high = sorted(axis.get_view_interval())
        for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
            if low <= tick.get_loc() <= high:
                yield from (tick.label1, tick.label2)
    if axes.get_legend():
        yield from axes.get_legend().get_texts()


@dataclass(frozen=True)
class Box:
    """The rectangle of a text, turned as the text is."""

    words: str
    centre: NDArray[np.float64]
    half: NDArray[np.float64]  #: half of its width and height, less a tolerance
    angle: float

    @classmethod
    def of(cls, text: Text, renderer: RendererBase) -> "Box":
        # a rectangle that is turned has the same centre as the upright one around it
        around = text.get_window_extent(renderer)
        angle = text.get_rotation()
        text.set_rotation(0.0)
        upright = text.get_window_extent(renderer)
        text.set_rotation(angle)
        centre = np.array([around.x0 + around.x1, around.y0 + around.y1]) / 2.0
        half = np.array([upright.width, upright.height]) / 2.0 - TOLERANCE
        return cls(text.get_text(), centre, half, math.radians(angle))

    @property
    def directions(self) -> NDArray[np.float64]:
        """Along the text, and upwards from it."""
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        return np.array([[cosine, sine], [-sine, cosine]])

    @property
    def corners(self) -> NDArray[np.float64]:
        signs = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]])
        return self.centre + (signs * self.half) @ self.directions

    def overlaps(self, other: "Box") -> bool:
        """Whether no line separates the two, which would be along a side of one of them."""
        for direction in (*self.directions, *other.directions):
            own, others = self.corners @ direction, other.corners @ direction
            if own.max() <= others.min() or others.max() <= own.min():
                return False
        return True


def boxes(figure: Figure) -> list[Box]:
    """Return the boxes of all visible texts."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    texts = list(figure.texts)
    for legend in figure.legends:
        texts += legend.get_texts()
    for axes in figure.axes:
        if axes.get_visible():
            texts += texts_of_axes(axes)
    return [
        Box.of(text, renderer) for text in texts if text.get_visible() and text.get_text().strip()
    ]


def overlaps(figure: Figure) -> list[tuple[str, str]]:
    """Return the pairs of texts that lie on each other."""
    pairs = itertools.combinations(boxes(figure), 2)
    return [(first.words, second.words) for first, second in pairs if first.overlaps(second)]


def cut_off(figure: Figure) -> list[str]:
    """Return the texts that do not lie within the figure."""
    low, high = figure.bbox.get_points()
    return [
        box.words
        for box in boxes(figure)
        if (box.corners.min(axis=0) < low).any() or (box.corners.max(axis=0) > high).any()
    ]


FIGURES: list[tuple[str, str, dict[str, Any]]] = [
    ("finished", "heatmap", {"x": "ring", "y": "T0"}),
    ("mixed", "heatmap", {"x": "T0", "y": "ring", "over": "variant", "name": "t99"}),
    ("many", "heatmap", {"unit": "kg"}),
    ("drawn_at_random", "heatmap", {"x": "mu_orbit10pct", "y": "T0"}),
    ("mixed", "series", {}),
    ("mixed", "series", {"ring": 1, "name": ["M_loss_cum", "s_blow"]}),
    ("many", "series", {"over": "T0"}),
    ("many", "series", {}),
    ("drawn_at_random", "series", {"over": "T0", "name": "M_loss_cum"}),
    ("finished", "psd", {}),
    ("mixed", "radial", {"where": "T0 == 4000 and variant == 'as is'"}),
    ("mixed", "sensitivity", {}),
    ("many", "sensitivity", {}),
    ("finished", "cache", {}),
    ("mixed", "convergence", {}),
]


@pytest.mark.parametrize(
    ("style", "width"),
    [
        pytest.param("screen", None, marks=pytest.mark.thorough),
        ("screen", 110.0),
        pytest.param("paper", None, marks=pytest.mark.thorough),
        ("paper", 60.0),
    ],
)
@pytest.mark.parametrize(
    ("store", "kind", "options"),
    FIGURES,
    ids=[f"{i}-{kind}" for i, (_, kind, _) in enumerate(FIGURES)],
)
def test_no_text_lies_on_another_or_is_cut_off(
    request: pytest.FixtureRequest,
    store: str,
    kind: str,
    options: dict[str, Any],
    style: str,
    width: float | None,
) -> None:
    location = request.getfixturevalue(store)
    figure = plots.draw(location, kind, style=style, width=width, **options)
    with Page(style, []).context():
        figure.draw_without_rendering()
        assert overlaps(figure) == []
        assert cut_off(figure) == []
