"""Details of the chosen runs: parameters, results, notes, caches, and how to repeat them."""

import html
from typing import TYPE_CHECKING, Any

import numpy as np

from marsdisk.common.errors import MarsDiskError

from ...common.text import text
from ...store import layout
from ..parts.html import escaped, table
from ..parts.scales import number
from ..parts.style import apart, text_block

if TYPE_CHECKING:
    from ..host import Host

MAX_ERROR_CHARACTERS = 600
RESULTS = (
    "M_loss",
    "M_loss_blowout",
    "M_loss_thick",
    "M_loss_sublimation",
    "M_loss_other",
    "M_supplied",
    "M_available",
    "Sigma_0",
    "Sigma_final",
    "t99",
    "t_end",
    "tau_max",
    "ledger_error",
    "steps",
    "steps_rejected",
    "steps_beyond_qpr",
    "bins_repaired",
    "wall_time",
)


class About:
    """Tables of parameters, results, notes, and caches, with a column for each run."""

    def __init__(self, page: "Host") -> None:
        self.data = page.data
        self.text = text_block(name="about")
        self.root = apart(self.text)

    def show(self, runs: list[int], colours: list[str]) -> None:
        """Show the tables of ``runs``."""
        head = [""]
        for run, colour in zip(runs, colours, strict=False):
            head.append(f"<span class='chip' style='background:{colour}'></span>run {run}")
        shared, commands = self._configuration(runs)
        parts = [
            f"<h2>Parameters that differ</h2>{table(head, self._parameters(runs))}",
            f"<details><summary>{len(shared)} more, the same in all runs</summary>"
            f"{table([], shared)}</details><br>",
            f"<h2>Results</h2>{table(head, self._results(runs))}<br>",
            "<h2>Notes</h2>",
            *(_notes_html(run, self.data.notes([run]).lines) for run in runs),
        ]
        if runs:
            parts.append(f"<h2>Cache of run {runs[0]}</h2>{self._cache(runs[0])}<br>")
        parts.append("<h2>Run it again</h2>")
        parts += [_rerun_html(*command) for command in commands]
        self.text.text = f"<div class='wide'>{''.join(parts)}</div>"

    def _results(self, runs: list[int]) -> list[list[str]]:
        rows = []
        for name in RESULTS:
            if self.data.has(name):
                meaning = html.escape(self.data.meaning(name))
                label = f"<span title='{meaning}'>{escaped(self.data.with_unit(name))}</span>"
                rows.append([label, *(self._result(name, run) for run in runs)])
        return rows

    def _result(self, name: str, run: int) -> str:
        if self.data.status[run] != layout.DONE:
            return "–"
        return escaped(self.data.value(name, run))

    def _parameters(self, runs: list[int]) -> list[list[str]]:
        """Return the rows of the swept parameters; those that differ come first."""
        names = dict.fromkeys([*self.data.varying, *self.data.store.parameters, "run_id", "worker"])
        rows = []
        for name in names:
            values = [escaped(self.data.value(name, run)) for run in runs]
            rows.append([escaped(self.data.with_unit(name)), *values])
        return rows

    def _configuration(self, runs: list[int]) -> tuple[list[list[str]], list[tuple[int, str, str]]]:
        """Return the rows of the rest of the configuration, and how each run is repeated.

        The latter is a number of a run, a remark, and a command. Where the record cannot be read,
        there are no rows, and the only remark says why.
        """
        names = self.data.store.parameters
        swept = {str(self.data.store.attributes(name).get("config_key")) for name in names}
        try:
            config = _flat(self.data.recorded.config(runs[0]).model_dump())
            repetitions = [self.data.recorded.repetition(run) for run in runs]
        except MarsDiskError as error:
            return [], [(runs[0], str(error), "")]
        rows = [[escaped(key), escaped(value)] for key, value in config if key not in swept]
        commands = []
        for run, repetition in zip(runs, repetitions, strict=True):
            commands.append((run, repetition.words, repetition.command))
        return rows, commands

    def _cache(self, run: int) -> str:
        slots = self.data.labels("cache")
        reasons = self.data.labels("reason")
        if self.data.status[run] != layout.DONE:
            return "<p class='faint'>The run is not done.</p>"
        columns = {
            name: self.data.row(f"cache_{name}", run)
            for name in ("hits", "misses", "rebuilds", "build_time", "invalidations")
        }
        rows = []
        for i, slot in enumerate(slots):
            causes = ", ".join(
                f"{reason} {count}"
                for reason, count in zip(reasons, columns["invalidations"][i].tolist(), strict=True)
                if count
            )
            seconds = columns["build_time"][i]
            milliseconds = number(1e3 * float(seconds), 3) if np.isfinite(seconds) else "–"
            rows.append(
                [
                    html.escape(slot),
                    *(str(columns[name][i]) for name in ("hits", "misses", "rebuilds")),
                    milliseconds,
                    html.escape(causes) or "–",
                ]
            )
        return table(
            ["slot", "hits", "misses", "rebuilds", "building [ms]", "rebuilt because of"], rows
        )


def _notes_html(run: int, lines: list[str]) -> str:
    """Return HTML of the notes on a run."""
    if not lines:
        return f"<p class='faint'>run {run}: none</p>"
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f"<p class='faint'>run {run}</p><ul class='notes'>{items}</ul>"


def _rerun_html(run: int, words: str, command: str) -> str:
    """Return HTML of the command that repeats a run, below a remark on it."""
    remark = f"<p>{escaped(words, MAX_ERROR_CHARACTERS)}</p>" if words else ""
    line = f"<code>{html.escape(text(command))}</code>" if command else ""
    return f"<p class='faint'>run {run}</p>{remark}{line}"


def _flat(section: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Return the full keys and values of a nested section."""
    pairs: list[tuple[str, Any]] = []
    for key, value in section.items():
        if isinstance(value, dict):
            pairs += _flat(value, f"{prefix}{key}.")
        else:
            pairs.append((f"{prefix}{key}", value))
    return pairs
