"""All about the chosen runs: what they are, how they ended, what the cache did, and how to run them again."""

import html
from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.models import Column, Div, RadioButtonGroup

from marsdisk.errors import MarsDiskError
from marsdisk.physics.constants import YEAR
from marsdisk.result import StopReason

from ..store import layout
from ..tables import text
from ..views import parameters
from .scales import number
from .series import SeriesView
from .sizes import SizesView
from .style import COLOURS, PAGES, text_block
from .texts import escaped, table

if TYPE_CHECKING:
    from .app import Page

MOST = len(COLOURS)  # runs that are compared
LONGEST_ERROR = 600  # characters
RESULTS = (
    *("M_loss", "M_loss_blowout", "M_loss_sublimation", "M_loss_other", "M_supplied", "Sigma_0", "Sigma_final", "t99", "t_end", "tau_max"),
    *("ledger_error", "steps", "steps_rejected", "clamped", "wall_time"),
)


class Details:
    """The right half of the page."""

    def __init__(self, page: "Page") -> None:
        self.page, self.data = page, page.data
        self.heading = text_block(name="heading")
        self.choice = RadioButtonGroup(labels=["Series", "Sizes", "Run"], active=0, stylesheets=[PAGES], margin=0)
        self.choice.on_change("active", lambda attr, old, new: page.guarded(self.update)())
        self.series, self.sizes = SeriesView(self.data, page.file_name), SizesView(self.data, page.file_name)
        self.about: Div = text_block(name="about")
        self.root = Column(
            *(self.heading, self.choice, self.series.root, self.sizes.root, self.about), sizing_mode="stretch_width", spacing=8, margin=0
        )

    def update(self) -> None:
        """Show the chosen runs in the part that is open."""
        chosen = self.page.chosen[:MOST]
        self.heading.text = self._heading(chosen)
        self.choice.visible = bool(chosen)
        for i, part in enumerate((self.series.root, self.sizes.root, self.about)):
            part.visible = bool(chosen) and self.choice.active == i
        done = [run for run in chosen if self.data.status[run] == layout.DONE]
        if self.choice.active == 0:
            self.series.show(done, [COLOURS[chosen.index(run)] for run in done])
        elif self.choice.active == 1:
            self.sizes.show(done, [COLOURS[chosen.index(run)] for run in done])
        elif chosen:
            self.about.text = self._about(chosen)

    def _heading(self, chosen: list[int]) -> str:
        if not chosen:
            return (
                "<h2>No run chosen</h2><p class='faint'>Click a cell of the map or a row of the table, or write the number of a run above. "
                "With Shift, more runs are laid over the first.</p>"
            )
        lines = [self._line(run, colour) for run, colour in zip(chosen, COLOURS, strict=False)]
        more = len(self.page.chosen) - len(chosen)
        return "".join(lines) + (f"<p class='faint'>and {more} more, which are not drawn</p>" if more else "")

    def _line(self, run: int, colour: str) -> str:
        names = [name for name in self.data.dimensions if name in self.data.varying] or self.data.varying
        where = ", ".join(f"{escaped(name, 24)} = {escaped(self.data.in_words(name, self.data.value(name, run)), 32)}" for name in names[:5])
        return f"<div><span class='chip' style='background:{colour}'></span><b>run {run}</b> <span class='faint'>{where}</span><br>{self._end(run)}</div>"

    def _end(self, run: int) -> str:
        state = int(self.data.status[run])
        if state == layout.PENDING:
            return "not done yet"
        if state == layout.FAILED:
            return f"<b>failed</b>: {_long(self.data.value('error', run))}"
        reason = next((reason for reason in StopReason if reason.label == self.data.value("stop_reason", run)), None)
        words = reason.advice.partition(";")[0] if reason else "no reason is recorded"
        return f"ended after {number(float(self.data.value('t_end', run)) / YEAR)} yr: {html.escape(words)}"

    def _about(self, chosen: list[int]) -> str:
        differing, same, commands = self._parameters(chosen)
        head = ["", *(f"<span class='chip' style='background:{colour}'></span>run {run}" for run, colour in zip(chosen, COLOURS, strict=False))]
        results = [
            [f"<span title='{html.escape(self.data.meaning(name))}'>{escaped(self.data.with_unit(name))}</span>", *self._cells(name, chosen)]
            for name in RESULTS
        ]
        parts = [
            "<h2>Parameters that differ</h2>" + table(head, differing),
            f"<details><summary>{len(same)} more, the same in all runs</summary>{table([], same)}</details><br>",
            "<h2>Results</h2>" + table(head, results) + "<br>",
            *(f"<h2>Cache of run {run}</h2>{self._cache(run)}<br>" for run in chosen[:1]),
            "<h2>Run it again</h2>" + "".join(f"<p class='faint'>run {run}</p><code>{command}</code>" for run, command in commands),
        ]
        return f"<div class='wide'>{''.join(parts)}</div>"

    def _cells(self, name: str, chosen: list[int]) -> list[str]:
        return [escaped(self.data.value(name, run)) if self.data.status[run] == layout.DONE else "–" for run in chosen]

    def _parameters(self, chosen: list[int]) -> tuple[list[list[str]], list[list[str]], list[tuple[int, str]]]:
        """Rows of what differs in the sweep, of the rest of the configuration, and a command for each run."""
        names = [*self.data.varying, *(name for name in parameters(self.data.group) if name not in self.data.varying), "run_id", "worker"]
        rows = [[escaped(self.data.with_unit(name)), *(escaped(self.data.value(name, run)) for run in chosen)] for name in names]
        try:
            swept = {str(self.data.group[name].attrs.get("config_key")) for name in parameters(self.data.group)}
            config = _flat(self.data.recorded.config(chosen[0]).model_dump())
            same = [[escaped(key), escaped(value)] for key, value in config if key not in swept]
            commands = [(run, html.escape(text(self.data.recorded.command(run)))) for run in chosen]
        except MarsDiskError as error:
            return rows, [], [(chosen[0], escaped(str(error), LONGEST_ERROR))]
        return rows, same, commands

    def _cache(self, run: int) -> str:
        slots, reasons = self.data.labels("cache"), self.data.labels("reason")
        if self.data.status[run] != layout.DONE:
            return "<p class='faint'>The run is not done.</p>"
        found = {name: self.data.row(f"cache_{name}", run) for name in ("hits", "misses", "rebuilds", "build_time", "invalidations")}
        rows = []
        for i, slot in enumerate(slots):
            why = ", ".join(f"{reason} {count}" for reason, count in zip(reasons, found["invalidations"][i].tolist(), strict=True) if count)
            seconds = found["build_time"][i]
            milliseconds = number(1e3 * float(seconds), 3) if np.isfinite(seconds) else "–"
            rows.append([html.escape(slot), *(str(found[name][i]) for name in ("hits", "misses", "rebuilds")), milliseconds, html.escape(why) or "–"])
        return table(["slot", "hits", "misses", "rebuilds", "building [ms]", "rebuilt because of"], rows)


def _flat(section: dict[str, Any], before: str = "") -> list[tuple[str, Any]]:
    pairs = []
    for key, value in section.items():
        pairs += _flat(value, f"{before}{key}.") if isinstance(value, dict) else [(f"{before}{key}", value)]
    return pairs


def _long(error: str) -> str:
    return f"<span class='error'>{escaped(error, LONGEST_ERROR)}</span>"


