"""Cells of a heat map, as many as there are runs: one picture of colours, and hatched boxes over cells whose number is missing or not the whole story."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
from bokeh.models import (
    ColorBar,
    ColumnDataSource,
    CustomJSHover,
    FixedTicker,
    HoverTool,
    Legend,
    LegendItem,
    LinearColorMapper,
)
from bokeh.palettes import Viridis256
from numpy.typing import NDArray

from ..store import layout
from ..views import Cells
from .data import Data
from .scales import Scale
from .style import COLOURS, FONT, INK, plot, set_axis, set_range
from .texts import plain, shown

#: How cells are marked that are not done, and that are but ended early.
MARKS: dict[str, dict[str, Any]] = {
    "failed": {"fill_color": "#ececec", "hatch_pattern": "/", "hatch_color": "#222222"},
    "not done yet": {"fill_color": "#ffffff", "hatch_pattern": ".", "hatch_color": "#8a96a1"},
    "stopped early": {"fill_color": None, "hatch_pattern": "\\", "hatch_color": "#ffffff"},
    "zero": {"fill_color": "#c9cfd5", "hatch_pattern": " ", "hatch_color": "#ffffff"},
}
_NUMBER = "return Number.isFinite(value) ? String(Number(value.toPrecision(5))) : '–'"
_WORD = (
    "return words.data.words[Math.max(0, Math.min(words.data.words.length - 1, Math.floor(value)))]"
)
_STATE = "return ['not done yet', 'done', 'failed', 'stopped early', 'no run'][value]"


def colour_bar() -> tuple[LinearColorMapper, ColorBar]:
    """A mapper to viridis and its bar, which :func:`set_colours` sets to a scale."""
    mapper = LinearColorMapper(palette=Viridis256, low=0, high=1, nan_color="rgba(0,0,0,0)")
    bar = ColorBar(
        color_mapper=mapper,
        ticker=FixedTicker(ticks=[]),
        width=14,
        padding=4,
        label_standoff=6,
        bar_line_color=None,
        major_tick_line_color=None,
        major_label_text_font=FONT,
        major_label_text_font_size="12px",
        major_label_text_color=INK,
    )
    return mapper, bar


def set_colours(mapper: LinearColorMapper, bar: ColorBar, scale: Scale) -> None:
    """Colours from the lowest to the highest value of a scale."""
    low, high = scale.ends()
    mapper.update(low=low, high=high)
    ticks = scale.ticks(7)
    bar.ticker.ticks = [place for place, _ in ticks]
    bar.major_label_overrides = {place: plain(words) for place, words in ticks}


def legend() -> Legend:
    """Below a figure, in the page's style."""
    return Legend(
        orientation="horizontal",
        location="left",
        border_line_color=None,
        padding=0,
        margin=4,
        spacing=14,
        label_text_font=FONT,
        label_text_font_size="12px",
        label_text_color=INK,
        glyph_width=20,
        glyph_height=14,
        label_height=14,
    )


class CellsFigure:
    """The heat map."""

    def __init__(self, data: Data) -> None:
        self.data = data
        self.figure = plot(400, name="cells")
        self.figure.grid.grid_line_color = None
        self.mapper, self.bar = colour_bar()
        self.source = ColumnDataSource(
            data={"shade": [], "value": [], "run": [], "state": [], "dw": [], "dh": []}
        )
        image = self.figure.image(
            "shade", x=0, y=0, dw="dw", dh="dh", color_mapper=self.mapper, source=self.source
        )
        self.marks: dict[str, ColumnDataSource] = {}
        self.items: dict[str, LegendItem] = {}
        for kind, style in MARKS.items():
            source = self.marks[kind] = ColumnDataSource(data={"x": [], "y": [], "w": []})
            shared = {
                "line_color": None,
                "hatch_scale": 14,
                "hatch_weight": 1.2,
                "width": "w",
                "height": 1,
                "source": source,
            }
            if kind == "stopped early":  # dark below light, so that it is seen on any colour
                self.figure.rect(
                    "x",
                    "y",
                    fill_color=None,
                    hatch_pattern="\\",
                    hatch_color="#000000",
                    **{**shared, "hatch_weight": 3},
                )
            renderer = self.figure.rect("x", "y", **style, **shared)
            self.items[kind] = LegendItem(
                label={"value": kind}, renderers=[renderer], visible=False
            )
        self.outline = ColumnDataSource(data={"x": [], "y": [], "colour": []})
        self.figure.rect(
            "x",
            "y",
            width=1,
            height=1,
            fill_color=None,
            line_color="#ffffff",
            line_width=5,
            source=self.outline,
        )
        self.figure.rect(
            "x",
            "y",
            width=1,
            height=1,
            fill_color=None,
            line_color="colour",
            line_width=3,
            source=self.outline,
        )
        self.legend = legend()
        self.legend.items = list(self.items.values())
        self.figure.add_layout(self.bar, "right")
        self.figure.add_layout(self.legend, "below")
        self.words = {which: ColumnDataSource(data={"words": [""]}) for which in "xy"}
        self.hover = HoverTool(
            renderers=[image],
            formatters={
                **{
                    f"${which}": CustomJSHover(args={"words": source}, code=_WORD)
                    for which, source in self.words.items()
                },
                "@value": CustomJSHover(code=_NUMBER),
                "@state": CustomJSHover(code=_STATE),
            },
        )
        self.figure.add_tools(self.hover)
        self.found: Cells | None = None

    def show(self, found: Cells, scale: Scale, title: str, x: str, y: str) -> None:
        """Draw cells with their colours on ``scale``."""
        self.found = found
        set_colours(self.mapper, self.bar, scale)
        self.bar.visible = bool(np.isfinite(found.value).any())
        ny, nx = found.run.shape
        there = found.run >= 0
        state = np.where(there, np.where(found.early, 3, found.status), 4).astype(np.uint8)
        self.source.data = {
            "shade": [scale.place(found.value).astype(np.float32)],
            "value": [found.value],
            "run": [found.run.astype(np.int32)],
            "state": [state],
            "dw": [nx],
            "dh": [ny],
        }
        kinds = {
            "failed": there & (found.status == layout.FAILED),
            "not done yet": there & (found.status == layout.PENDING),
            "stopped early": found.early,
            "zero": (found.value == 0.0) & scale.log,
        }
        for kind, where in kinds.items():
            self.marks[kind].data = _boxes(where)
            count = int(where.sum())
            self.items[kind].update(
                label={"value": f"{kind} ({count} cell{'s' * (count != 1)})"}, visible=count > 0
            )
        self.legend.visible = any(item.visible for item in self.items.values())
        figure = self.figure
        figure.title.text = plain(title, 110)
        for which, name, values, span in (
            ("x", x, found.x, figure.x_range),
            ("y", y, found.y, figure.y_range),
        ):
            self.words[which].data = {"words": [shown(value, 40) for value in values]}
            axis = figure.xaxis[0] if which == "x" else figure.yaxis[0]
            ticks, crowded = _labels(values, 12)
            axis.major_label_orientation = 0.6 if crowded and which == "x" else 0.0
            set_axis(axis, ticks, plain(self.data.with_unit(name), 50))
            set_range(span, 0, max(len(values), 1))
        self.hover.tooltips = [
            (shown(self.data.with_unit(x), 40), "$x{custom}"),
            (shown(self.data.with_unit(y), 40), "$y{custom}"),
            ("value", "@value{custom}"),
            ("state", "@state{custom}"),
            ("run", "@run"),
        ]

    def run_at(self, x: float, y: float) -> int | None:
        """The run of the cell at a place, if there is one."""
        if self.found is None:
            return None
        i = int(np.floor(x))
        j = int(np.floor(y))
        inside = 0 <= i < len(self.found.x) and 0 <= j < len(self.found.y)
        return int(self.found.run[j, i]) if inside and self.found.run[j, i] >= 0 else None

    def mark(self, chosen: Sequence[int]) -> None:
        """Outline the cells of runs."""
        if self.found is None:
            return
        places = [
            (np.argwhere(self.found.run == run), colour)
            for run, colour in zip(chosen, COLOURS, strict=False)
        ]
        here = [(place[0], colour) for place, colour in places if place.size]
        self.outline.data = {
            "x": [float(place[1]) + 0.5 for place, _ in here],
            "y": [float(place[0]) + 0.5 for place, _ in here],
            "colour": [colour for _, colour in here],
        }


def _boxes(where: NDArray[np.bool_]) -> dict[str, list[float]]:
    """Cells of a row that touch as one box: there may be very many."""
    boxes: dict[str, list[float]] = {"x": [], "y": [], "w": []}
    for j in np.flatnonzero(where.any(axis=1)):
        for held, cells in groupby(range(where.shape[1]), key=lambda i, row=where[j]: row[i]):  # type: ignore[misc]
            if held:
                *_, last = cells_of = list(cells)
                boxes["x"].append((cells_of[0] + last + 1) / 2.0)
                boxes["y"].append(float(j) + 0.5)
                boxes["w"].append(float(len(cells_of)))
    return boxes


def _labels(values: Sequence[Any], most: int) -> tuple[list[tuple[float, str]], bool]:
    """Labels in the middle of cells, as many as can be read, and whether they are crowded."""
    every = -(-len(values) // most) if values else 1
    ticks = [(i + 0.5, shown(values[i], 18)) for i in range(0, len(values), every)]
    return ticks, sum(len(words) + 2 for _, words in ticks) > 70
