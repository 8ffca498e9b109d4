"""Parallel coordinates: a line for each run across all parameters that differ and one result."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.core.properties import value
from bokeh.events import SelectionGeometry
from bokeh.models import BoxSelectTool, ColumnDataSource, Select, Span
from numpy.typing import NDArray

from . import csvtext
from .cells import colour_bar, set_colours
from .data import RUN
from .points import Axis
from .style import (
    COLOURS,
    FAINT,
    FONT,
    INK,
    WIDGET,
    apart,
    downloads,
    foot,
    on_click,
    plot,
    set_axis,
    set_range,
    stack,
    text_block,
)
from .texts import plain, shown

if TYPE_CHECKING:
    from .app import Page

MOST = 1000  # lines that a browser moves without delay and a person can tell apart
MOST_AXES = 12
TICKS = 6


@dataclass(frozen=True)
class _Upright:
    """One of the axes, from 0 at its lowest value to 1 at its highest."""

    axis: Axis

    @property
    def ends(self) -> tuple[float, float]:
        return self.axis.scale.ends()

    def heights(self) -> NDArray[np.float64]:
        low, high = self.ends
        return (self.axis.place - low) / (high - low)

    def ticks(self) -> list[tuple[float, str]]:
        low, high = self.ends
        words = (
            self.axis.scale.ticks(TICKS)
            if self.axis.scale.log or len(self.axis.ticks) > TICKS
            else self.axis.ticks
        )
        return [((place - low) / (high - low), text) for place, text in words]

    def value_at(self, height: float) -> float:
        low, high = self.ends
        place = low + height * (high - low)
        return float(10.0**place) if self.axis.scale.log else float(place)


class ParallelView:
    """For sweeps with more parameters than a map shows."""

    def __init__(self, page: "Page") -> None:
        self.page = page
        self.data = page.data
        options: Any = [(name, shown(self.data.with_unit(name), 40)) for name in self.data.scalars]
        self.name = Select(
            title="result",
            options=options,
            value="M_loss",
            width=200,
            stylesheets=[WIDGET],
            margin=0,
        )
        self.name.on_change("value", lambda attr, old, new: page.guarded(self.update)())
        self.figure = plot(440, name="parallel", min_border_left=40, min_border_right=40)
        self.figure.grid.grid_line_color = None
        self.figure.axis.axis_line_color = None
        self.figure.yaxis.visible = False
        self.mapper, self.bar = colour_bar()
        none = _pieces(np.empty((1, 0)))
        self.lines, self.failed = (
            ColumnDataSource(data=none | {"shade": np.empty(0)}),
            ColumnDataSource(data=none),
        )
        ends = ("x0", "y0", "x1", "y1")
        self.figure.segment(
            *ends, source=self.failed, line_color="#8a96a1", line_dash="dashed", line_width=1
        )
        colour: Any = {"field": "shade", "transform": self.mapper}
        self.figure.segment(
            *ends, source=self.lines, line_color=colour, line_alpha=0.55, line_width=1.2
        )
        self.marked = ColumnDataSource(data={"xs": [], "ys": [], "colour": []})
        self.figure.multi_line("xs", "ys", source=self.marked, line_color="#ffffff", line_width=6)
        self.figure.multi_line("xs", "ys", source=self.marked, line_color="colour", line_width=3)
        self.ticks = ColumnDataSource(data={"x": [], "y": [], "words": []})
        self.figure.text(
            *("x", "y", "words"), source=self.ticks, x_offset=5, text_font=value(FONT), text_font_size="11px", text_color=INK, text_baseline="middle",
            background_fill_color="#ffffff", background_fill_alpha=0.75,
        )  # fmt: skip
        self.figure.add_tools(BoxSelectTool())
        self.figure.on_event(SelectionGeometry, page.guarded(self._brushed))
        on_click(self.figure, page.guarded(self._tapped))
        self.figure.add_layout(self.bar, "right")
        self.note = text_block()
        self.root = stack(
            self.name,
            apart(self.figure),
            foot(self.note, downloads(page, [self.figure], self._csv, "-parallel")),
        )
        self._uprights: list[_Upright] = []
        self._runs = np.arange(0)
        self._heights = np.empty((0, 0))

    def update(self) -> None:
        """Draw the lines of the runs that pass the filter."""
        name = self.name.value
        every = self.page.runs
        self._runs = (
            every
            if every.size <= MOST
            else every[np.linspace(0, every.size - 1, MOST).astype(np.int64)]
        )
        names = self._names()
        self._uprights = [_Upright(Axis.of(self.data, axis, self._runs)) for axis in [*names, name]]
        self._heights = np.array([upright.heights() for upright in self._uprights])
        scale = self._uprights[-1].axis.scale
        shade = scale.place(self.data.columns[name][self._runs])
        set_colours(self.mapper, self.bar, scale)
        done = np.isfinite(shade)
        self.bar.visible = bool(done.any())
        self.lines.data = _pieces(self._heights[:, done]) | {
            "shade": np.tile(shade[done], len(names))
        }
        self.failed.data = _pieces(self._heights[:-1, ~done])
        places = [
            (i, height, words)
            for i, upright in enumerate(self._uprights)
            for height, words in upright.ticks()
        ]
        self.ticks.data = {
            "x": [p[0] for p in places],
            "y": [p[1] for p in places],
            "words": [p[2] for p in places],
        }
        rest = [part for part in self.figure.center if not isinstance(part, Span)]
        # a new model has the server look through all
        if len(self.figure.center) - len(rest) != len(self._uprights):
            self.figure.center = rest + [
                Span(
                    location=float(i),
                    dimension="height",
                    line_color=FAINT,
                    line_width=1,
                    level="underlay",
                )
                for i in range(len(self._uprights))
            ]
        set_axis(
            self.figure.xaxis[0],
            [(float(i), shown(self.data.with_unit(n), 22)) for i, n in enumerate([*names, name])],
        )
        self.figure.xaxis[0].major_label_orientation = 0.35 if len(names) > 4 else 0.0
        set_range(self.figure.x_range, -0.15, len(names) + 0.45)
        set_range(self.figure.y_range, -0.04, 1.04)
        self.figure.title.text = plain(
            f"{self.data.title}: {self._runs.size} runs, coloured by {self.data.with_unit(name)}",
            110,
        )
        words = (
            [f"{int((~done).sum())} without a value of {name}, dashed."] if (~done).any() else []
        )
        words += (
            [f"{every.size - self._runs.size} more are not drawn; a filter brings them."]
            if every.size > self._runs.size
            else []
        )
        words += (
            [f"{left} more parameters are not drawn."]
            if (left := len(self.data.varying) - len(names)) > 0 and len(names) == MOST_AXES
            else []
        )
        self.note.text = (
            f"<p class='faint'>{' '.join([f'{self._runs.size} runs.', *words])} Draw a box over an"
            " axis to filter, click a line to choose it.</p>"
        )
        self.mark()

    def _names(self) -> list[str]:
        return [name for name in self.data.dimensions if not self.data.told(name)][:MOST_AXES] or [
            RUN
        ]

    def mark(self) -> None:
        """Draw the chosen runs above the others."""
        at = [
            (np.flatnonzero(self._runs == run), colour)
            for run, colour in zip(self.page.chosen, COLOURS, strict=False)
        ]
        here = [(int(index[0]), colour) for index, colour in at if index.size]
        across = np.arange(len(self._uprights), dtype=np.float64)
        self.marked.data = {
            "xs": [across] * len(here),
            "ys": [self._heights[:, index] for index, _ in here],
            "colour": [colour for _, colour in here],
        }

    def _brushed(self, event: Any) -> None:
        """What a box holds of the axes that it crosses becomes part of the filter."""
        box = event.geometry
        if not event.final or not {"x0", "x1", "y0", "y1"} <= box.keys():
            return
        low, high = sorted((box["y0"], box["y1"]))
        crossed = range(
            max(int(np.ceil(box["x0"])), 0), min(int(np.floor(box["x1"])) + 1, len(self._uprights))
        )
        parts = [self._condition(self._uprights[i], low, high) for i in crossed]
        if parts:
            self.page.narrow(" and ".join(parts))

    def _condition(self, upright: _Upright, low: float, high: float) -> str:
        name = upright.axis.name
        if self.data.columns[name].dtype.kind in "iuf":
            return f"{upright.value_at(low):.4g} <= {name} <= {upright.value_at(high):.4g}"
        held = (low <= upright.heights()) & (upright.heights() <= high)
        labels = dict.fromkeys(self.data.columns[name][self._runs][held].tolist())
        return f"{name} in ({', '.join(repr(label) for label in labels) or repr('')})"

    def _tapped(self, event: Any) -> None:
        if event.x is None or not self._runs.size or len(self._uprights) < 2:
            return
        i = min(max(int(np.floor(event.x)), 0), len(self._uprights) - 2)
        share = min(max(event.x - i, 0.0), 1.0)
        heights = (1.0 - share) * self._heights[i] + share * self._heights[i + 1]
        far = np.where(np.isfinite(heights), np.abs(heights - event.y), np.inf)
        if far.min() < 0.02:
            held = event.modifiers or {}
            self.page.choose(
                [int(self._runs[np.argmin(far)])], add=bool(held.get("shift") or held.get("ctrl"))
            )

    def _csv(self) -> tuple[str, str]:
        names = [upright.axis.name for upright in self._uprights]
        columns = {"run": self.page.runs.tolist()}
        columns |= {
            self.data.with_unit(name): self.data.columns[name][self.page.runs].tolist()
            for name in names
            if name != RUN
        }
        return csvtext.table(columns), f"{self.page.file_name}-parallel.csv"


def _pieces(heights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """The lines through ``heights`` (axis, run) from one axis to the next; whole lines would be sent, and read, number by number."""
    x = np.repeat(np.arange(len(heights) - 1.0), heights.shape[1])
    return {"x0": x, "y0": heights[:-1].ravel(), "x1": x + 1.0, "y1": heights[1:].ravel()}
