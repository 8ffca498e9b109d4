"""Series of the chosen runs over time."""

from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.models import ColumnDataSource, FixedTicker, Pane, Range1d

from ...results.quantity import is_logarithmic_time
from ...store import layout
from ..parts import csv_text
from ..parts.html import plain
from ..parts.scales import Scale
from ..parts.style import downloads, plot, set_axis, set_range, stack

if TYPE_CHECKING:
    from ..host import Host

#: Series in the order in which they are shown, with their names in titles.
SHOWN = {
    "M_out_dot": "blown out",
    "M_loss_cum": "mass lost",
    "tau_los": "optical depth",
    "s_blow": "blow-out size",
    "T_M": "temperature of Mars",
    "Sigma": "surface density",
}
_GRID = ":host { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 2px 6px; }"


class SeriesView:
    """Six small figures over one time axis."""

    def __init__(self, page: "Host") -> None:
        self.page = page
        self.data = page.data
        self.runs: list[int] = []
        self.sources = {
            name: ColumnDataSource(data={"xs": [], "ys": [], "colour": []}) for name in SHOWN
        }
        self.time = Range1d(0, 1)
        ticker = FixedTicker(ticks=[])
        self.figures = {
            name: plot(150, name=name, min_border=2, x_range=self.time) for name in SHOWN
        }
        for name, figure in self.figures.items():
            figure.multi_line(
                "xs", "ys", line_color="colour", line_width=1.8, source=self.sources[name]
            )
            figure.title.standoff = 2
            figure.xaxis.ticker = ticker
            figure.min_border_left = 72
        figures = list(self.figures.values())
        self.bottom = figures[-2:]
        self.root = stack(
            Pane(elements=figures, stylesheets=[_GRID]),
            downloads(page, figures, self._csv, "-series"),
        )

    def show(self, runs: list[int], colours: list[str]) -> None:
        """Draw the series of the runs that are done."""
        done = [i for i, run in enumerate(runs) if self.data.status[run] == layout.DONE]
        runs = [runs[i] for i in done]
        colours = [colours[i] for i in done]
        self.runs = runs
        stored_times = [self.data.row("t", run) for run in runs]
        quantity = self.data.quantity("t", np.concatenate([*stored_times, np.empty(0)]), "time")
        for figure in self.bottom:
            figure.xaxis.axis_label = quantity.head
        times = [quantity.convert(t) for t in stored_times]
        time = Scale.of(np.concatenate([*times, np.empty(0)]), log=is_logarithmic_time(times))
        xs = [time.positions_of(t) for t in times]
        set_range(self.time, *time.ends(0.01))
        for name, figure in self.figures.items():
            stored = [self.data.row(name, run) for run in runs]
            quantity = self.data.quantity(name, np.concatenate([*stored, np.empty(0)]))
            figure.title.text = plain(f"{quantity.head}, {SHOWN[name]}")
            values = [quantity.convert(of_run) for of_run in stored]
            scale = Scale.of(np.concatenate([*values, np.empty(0)]))
            # A line breaks where its time has no position.
            ys = [
                np.where(np.isfinite(x), scale.positions_of(value), np.nan)
                for x, value in zip(xs, values, strict=True)
            ]
            self.sources[name].data = {"xs": xs, "ys": ys, "colour": colours}
            set_axis(figure.xaxis[0], time.ticks(5) if runs else [])
            set_axis(figure.yaxis[0], scale.ticks(4, 0.08) if runs else [])
            set_range(figure.y_range, *scale.ends(0.08))

    def _csv(self) -> tuple[str, str]:
        columns: dict[str, list[Any]] = {
            "run": [],
            "t [s]": [],
            **{self.data.with_unit(name): [] for name in SHOWN},
        }
        for run in self.runs:
            t = self.data.row("t", run)
            columns["run"] += [run] * t.size
            columns["t [s]"] += t.tolist()
            for name in SHOWN:
                columns[self.data.with_unit(name)] += self.data.row(name, run).tolist()
        return csv_text.table(columns), f"{self.page.file_name}-series.csv"
