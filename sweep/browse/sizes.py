"""Size distributions of the chosen runs at one of their snapshots."""

from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.models import ColumnDataSource, Row, Select, Slider, Span
from numpy.typing import NDArray

from marsdisk.errors import MarsDiskError
from marsdisk.physics.constants import YEAR

from ..store import layout
from . import csvtext
from .scales import Scale, number
from .style import (
    COLOURS,
    WIDGET,
    WRAP,
    apart,
    downloads,
    plot,
    set_axis,
    set_range,
    stack,
    text_block,
)

if TYPE_CHECKING:
    from .app import Page

DEEPEST = 1e-14  # of the largest value: what is below is no more than round-off of the integration
PER = {"mass": "mass of grains per ln s [kg m-2]", "number": "number of grains per ln s [m-2]"}


class SizesView:
    """A figure with a slider over the snapshots."""

    def __init__(self, page: "Page") -> None:
        self.page, self.data = page, page.data
        self.held: list[
            tuple[
                int,
                NDArray[np.float64],
                NDArray[np.float64],
                NDArray[np.float64],
                NDArray[np.float64],
            ]
        ] = []
        self.slider = Slider(
            title="snapshot",
            start=0,
            end=1,
            step=1,
            value=0,
            show_value=False,
            width=300,
            margin=(0, 8, 0, 8),
        )
        self.slider.update(stylesheets=[WIDGET], bar_color="#9fb9cc", name="snapshot")
        self.per = Select(
            title="distribution of",
            options=list(PER),
            value="mass",
            width=110,
            stylesheets=[WIDGET],
            margin=0,
        )
        self.slider.on_change("value", lambda attr, old, new: page.guarded(self._draw)())
        self.per.on_change("value", lambda attr, old, new: page.guarded(self._prepare)())
        self.source = ColumnDataSource(data={"xs": [], "ys": [], "colour": []})
        self.figure = plot(380, name="sizes", min_border_left=62)
        self.figure.multi_line("xs", "ys", line_color="colour", line_width=1.8, source=self.source)
        self.blow = [
            Span(
                location=0,
                dimension="height",
                line_color=colour,
                line_dash="dotted",
                line_width=1.5,
                visible=False,
            )
            for colour in COLOURS
        ]
        for span in self.blow:
            self.figure.add_layout(span)
        self.note = text_block()
        controls = Row(self.per, self.slider, stylesheets=[WRAP], margin=0)
        self.root = stack(
            controls,
            apart(self.figure),
            self.note,
            downloads(page, [self.figure], self._csv, "-sizes"),
        )
        self.runs: list[int] = []
        self.colours: list[str] = []

    def show(self, runs: list[int], colours: list[str]) -> None:
        """Take the distributions of those of ``runs`` that are done."""
        done = [i for i, run in enumerate(runs) if self.data.status[run] == layout.DONE]
        runs = [runs[i] for i in done]
        colours = [colours[i] for i in done]
        self.runs = runs
        self.colours = colours
        self._prepare()

    def _prepare(self) -> None:
        self.held = []
        self._missing = ""
        for run in self.runs:
            s = self.data.sizes(run)
            N = self.data.row("N", run)
            used = np.isfinite(s)
            s = s[used]
            N = N[:, used]
            density = N / np.log(s[1] / s[0])
            if self.per.value == "mass":
                try:
                    rho = self.data.recorded.config(run).material.rho
                except MarsDiskError as error:
                    self._missing = str(error)
                    continue
                density = density * (4.0 / 3.0 * np.pi * rho * s**3)
            t = self.data.row("t", run)
            s_blow = self.data.row("s_blow", run)
            t_snapshot = self.data.row("t_snapshot", run)
            then = (
                s_blow[np.argmin(np.abs(t[:, None] - t_snapshot), axis=0)]
                if np.isfinite(t).any()
                else np.full(t_snapshot.size, np.nan)
            )
            self.held.append((run, s, density, t_snapshot / YEAR, then))
        if self.held:
            every = np.concatenate([density.ravel() for _, _, density, _, _ in self.held])
            top = np.nanmax(every, initial=0.0)
            self.scale = Scale.of(every[every > top * DEEPEST] if top > 0.0 else every, log=True)
            self.across = Scale.of(np.concatenate([s for _, s, *_ in self.held]), log=True)
            set_axis(self.figure.xaxis[0], self.across.ticks(8), "grain radius s [m]")
            set_axis(self.figure.yaxis[0], self.scale.ticks(7, 0.04), PER[self.per.value])
            set_range(self.figure.x_range, *self.across.ends(0.01))
            set_range(self.figure.y_range, *self.scale.ends(0.04))
            last = max(t.size for *_, t, _ in self.held) - 1
            self.slider.update(
                end=max(last, 1), value=min(self.slider.value, last), disabled=last < 1
            )
        self._draw()

    def _draw(self) -> None:
        lines = []
        words = []
        for span in self.blow:
            span.visible = False
        for i, (run, s, density, t, s_blow) in enumerate(self.held):
            at = min(int(self.slider.value), t.size - 1)
            lines.append(
                (
                    self.across.place(s),
                    self.scale.place(
                        np.where(density[at] >= self.scale.low * 0.999, density[at], np.nan)
                    ),
                )
            )
            words.append(
                f"<span class='chip' style='background:{self.colours[i]}'></span>run {run} at"
                f" {number(t[at], 3)} yr, s_blow = {number(s_blow[at], 3)} m"
            )
            if np.isfinite(s_blow[at]) and s_blow[at] > 0.0:
                self.blow[i].update(
                    line_color=self.colours[i],
                    location=float(self.across.place(s_blow[at])),
                    visible=True,
                )
        self.source.data = {
            "xs": [x for x, _ in lines],
            "ys": [y for _, y in lines],
            "colour": self.colours[: len(lines)],
        }
        if self.held:
            count = self.held[0][3].size
            self.slider.title = (
                f"snapshot {int(self.slider.value) + 1} of {count}, t ="
                f" {number(self.held[0][3][min(int(self.slider.value), count - 1)], 3)} yr"
            )
        self.note.text = f"<p class='faint'>{'<br>'.join(words)}{'<br>dotted: blow-out size' if words else ''}</p>"

    def _csv(self) -> tuple[str, str]:
        columns: dict[str, list[Any]] = {
            "run": [],
            "t [yr]": [],
            "s [m]": [],
            PER[self.per.value]: [],
        }
        for run, s, density, t, _ in self.held:
            for k in range(t.size):
                columns["run"] += [run] * s.size
                columns["t [yr]"] += [t[k]] * s.size
                columns["s [m]"] += s.tolist()
                columns[PER[self.per.value]] += density[k].tolist()
        return csvtext.table(columns), f"{self.page.file_name}-sizes.csv"
