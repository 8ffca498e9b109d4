"""Size distributions of the chosen runs at one of their snapshots."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.models import ColumnDataSource, Row, Select, Slider, Span
from numpy.typing import NDArray

from marsdisk.common.errors import MarsDiskError

from ...results.densities import DENSITY_LABELS, ROUND_OFF_FRACTION, grain_mass, number_density
from ...store import layout
from ..parts import csv_text
from ..parts.html import rendered
from ..parts.scales import Scale, number
from ..parts.style import (
    COLOURS,
    SLIDER_BAR,
    WIDGET,
    WRAP,
    apart,
    call_on_change,
    downloads,
    plot,
    set_axis,
    set_range,
    stack,
    text_block,
)

if TYPE_CHECKING:
    from ..host import Host


@dataclass(frozen=True)
class _Distribution:
    """The size distributions of a run at its snapshots."""

    run: int
    s: NDArray[np.float64]  #: m, (bins,)
    density: NDArray[np.float64]  #: per ln s, (snapshots, bins)
    t: NDArray[np.float64]  #: s, (snapshots,)
    s_blow: NDArray[np.float64]  #: m, (snapshots,)


class SizesView:
    """A figure with a slider over the snapshots."""

    def __init__(self, page: "Host") -> None:
        self.page = page
        self.data = page.data
        self.distributions: list[_Distribution] = []
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
        self.slider.update(stylesheets=[WIDGET], bar_color=SLIDER_BAR, name="snapshot")
        self.per = Select(
            title="distribution of",
            options=list(DENSITY_LABELS),
            value="mass",
            width=110,
            stylesheets=[WIDGET],
            margin=0,
        )
        call_on_change(self.slider, "value", page.guarded(self._draw))
        call_on_change(self.per, "value", page.guarded(self._prepare))
        self.source = ColumnDataSource(data={"xs": [], "ys": [], "colour": []})
        self.figure = plot(380, name="sizes", min_border_left=62)
        self.figure.multi_line("xs", "ys", line_color="colour", line_width=1.8, source=self.source)
        self.s_blow_lines = [
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
        for line in self.s_blow_lines:
            self.figure.add_layout(line)
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
        """Draw the distributions of the runs that are done."""
        done = [i for i, run in enumerate(runs) if self.data.status[run] == layout.DONE]
        self.runs = [runs[i] for i in done]
        self.colours = [colours[i] for i in done]
        self._prepare()

    def _prepare(self) -> None:
        self.distributions = []
        for run in self.runs:
            try:
                self.distributions.append(self._read(run))
            except MarsDiskError:
                # Masses need the configuration, which the record may not give.
                continue
        if self.distributions:
            self._set_axes()
        self._draw()

    def _read(self, run: int) -> _Distribution:
        s = self.data.store.sizes(run)
        N = self.data.row("N", run)
        used = np.isfinite(s)
        s = s[used]
        density = number_density(N[:, used], s)
        if self.per.value == "mass":
            density = density * grain_mass(s, self.data.recorded.config(run).material.rho)
        t = self.data.row("t", run)
        t_snapshot = self.data.row("t_snapshot", run)
        s_blow = np.full(t_snapshot.size, np.nan)
        if np.isfinite(t).any():
            nearest = np.argmin(np.abs(t[:, None] - t_snapshot), axis=0)
            s_blow = self.data.row("s_blow", run)[nearest]
        return _Distribution(run, s, density, t_snapshot, s_blow)

    def _set_axes(self) -> None:
        """Fit axes and slider to the distributions of all runs."""
        densities = np.concatenate([shown.density.ravel() for shown in self.distributions])
        highest = np.nanmax(densities, initial=0.0)
        if highest > 0.0:
            densities = densities[densities > highest * ROUND_OFF_FRACTION]
        self.scale = Scale.of(densities, log=True)
        sizes = np.concatenate([shown.s for shown in self.distributions])
        self.radius = self.data.quantity("s", sizes, "grain radius s")
        self.across = Scale.of(self.radius.convert(sizes), log=True)
        set_axis(self.figure.xaxis[0], self.across.ticks(8), self.radius.head)
        set_axis(self.figure.yaxis[0], self.scale.ticks(7, 0.04), DENSITY_LABELS[self.per.value])
        set_range(self.figure.x_range, *self.across.ends(0.01))
        set_range(self.figure.y_range, *self.scale.ends(0.04))
        last = max(shown.t.size for shown in self.distributions) - 1
        self.slider.update(end=max(last, 1), value=min(self.slider.value, last), disabled=last < 1)

    def _draw(self) -> None:
        xs = []
        ys = []
        runs = []
        for line in self.s_blow_lines:
            line.visible = False
        for i, shown in enumerate(self.distributions):
            snapshot = min(int(self.slider.value), shown.t.size - 1)
            density = shown.density[snapshot]
            s_blow = shown.s_blow[snapshot]
            blowout_size = self.data.quantity("s_blow", s_blow)
            colour = self.colours[i]
            xs.append(self.across.positions_of(self.radius.convert(shown.s)))
            drawn = np.where(density >= self.scale.low * 0.999, density, np.nan)
            ys.append(self.scale.positions_of(drawn))
            runs.append(
                {
                    "row": shown.run,
                    "colour": colour,
                    "time": self._time_in_words(shown.t, snapshot),
                    "s_blow": number(float(blowout_size.convert(s_blow)), 3),
                    "unit": blowout_size.unit,
                }
            )
            if np.isfinite(s_blow) and s_blow > 0.0:
                location = float(self.across.positions_of(self.radius.convert(s_blow)))
                self.s_blow_lines[i].update(line_color=colour, location=location, visible=True)
        self.source.data = {"xs": xs, "ys": ys, "colour": self.colours[: len(xs)]}
        if self.distributions:
            t = self.distributions[0].t
            snapshot = int(self.slider.value)
            time = self._time_in_words(t, min(snapshot, t.size - 1))
            self.slider.title = f"snapshot {snapshot + 1} of {t.size}, t = {time}"
        self.note.text = rendered("sizes_note", runs=runs)

    def _time_in_words(self, t: NDArray[np.float64], snapshot: int) -> str:
        quantity = self.data.quantity("t_snapshot", t)
        return f"{number(float(quantity.convert(t[snapshot])), 3)} {quantity.unit}"

    def _csv(self) -> tuple[str, str]:
        label = DENSITY_LABELS[self.per.value]
        columns: dict[str, list[Any]] = {"run": [], "t [s]": [], "s [m]": [], label: []}
        for shown in self.distributions:
            for time, density in zip(shown.t, shown.density, strict=True):
                columns["run"] += [shown.run] * shown.s.size
                columns["t [s]"] += [time] * shown.s.size
                columns["s [m]"] += shown.s.tolist()
                columns[label] += density.tolist()
        return csv_text.table(columns), f"{self.page.file_name}-sizes.csv"
