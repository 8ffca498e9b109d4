"""What is known of the chosen runs beside their series: parameters, results, cache, and the command for one more time."""

import html
from typing import TYPE_CHECKING, Any

import numpy as np

from marsdisk.errors import MarsDiskError

from ..store import layout
from ..tables import text
from ..views import parameters
from .scales import number
from .style import apart, text_block
from .texts import escaped, table

if TYPE_CHECKING:
    from .app import Page

LONGEST_ERROR = 600  # characters
RESULTS = (
    *(
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
    ),
    *("ledger_error", "steps", "steps_rejected", "steps_beyond_qpr", "bins_repaired", "wall_time"),
)


class About:
    """Tables, a column for each run."""

    def __init__(self, page: "Page") -> None:
        self.data = page.data
        self.text = text_block(name="about")
        self.root = apart(self.text)

    def show(self, runs: list[int], colours: list[str]) -> None:
        """Write them for ``runs``."""
        self.text.text = self._about(runs, colours)

    def _about(self, chosen: list[int], colours: list[str]) -> str:
        differing, same, commands = self._parameters(chosen)
        head = [
            "",
            *(
                f"<span class='chip' style='background:{colour}'></span>run {run}"
                for run, colour in zip(chosen, colours, strict=False)
            ),
        ]
        results = [
            [
                (
                    "<span"
                    f" title='{html.escape(self.data.meaning(name))}'>{escaped(self.data.with_unit(name))}</span>"
                ),
                *self._cells(name, chosen),
            ]
            for name in RESULTS
            if self.data.has(name)
        ]
        parts = [
            "<h2>Parameters that differ</h2>" + table(head, differing),
            (
                f"<details><summary>{len(same)} more, the same in all"
                f" runs</summary>{table([], same)}</details><br>"
            ),
            "<h2>Results</h2>" + table(head, results) + "<br>",
            "<h2>Notes</h2>"
            + "".join(_notes_html(run, self.data.notes([run]).lines) for run in chosen),
            *(f"<h2>Cache of run {run}</h2>{self._cache(run)}<br>" for run in chosen[:1]),
            "<h2>Run it again</h2>"
            + "".join(_rerun_html(run, words, command) for run, words, command in commands),
        ]
        return f"<div class='wide'>{''.join(parts)}</div>"

    def _cells(self, name: str, chosen: list[int]) -> list[str]:
        return [
            escaped(self.data.value(name, run)) if self.data.status[run] == layout.DONE else "–"
            for run in chosen
        ]

    def _parameters(
        self, chosen: list[int]
    ) -> tuple[list[list[str]], list[list[str]], list[tuple[int, str, str]]]:
        """Rows of what differs in the sweep, of the rest of the configuration, and for each run what is to be said of its command, and the command."""
        names = [
            *self.data.varying,
            *(name for name in parameters(self.data.group) if name not in self.data.varying),
            "run_id",
            "worker",
        ]
        rows = [
            [
                escaped(self.data.with_unit(name)),
                *(escaped(self.data.value(name, run)) for run in chosen),
            ]
            for name in names
        ]
        try:
            swept = {
                str(self.data.attributes(name).get("config_key"))
                for name in parameters(self.data.group)
            }
            config = _flat(self.data.recorded.config(chosen[0]).model_dump())
            same = [[escaped(key), escaped(value)] for key, value in config if key not in swept]
            repetitions = [self.data.recorded.repetition(run) for run in chosen]
        except MarsDiskError as error:
            return rows, [], [(chosen[0], str(error), "")]
        return (
            rows,
            same,
            [
                (run, found.words, found.command)
                for run, found in zip(chosen, repetitions, strict=True)
            ],
        )

    def _cache(self, run: int) -> str:
        slots = self.data.labels("cache")
        reasons = self.data.labels("reason")
        if self.data.status[run] != layout.DONE:
            return "<p class='faint'>The run is not done.</p>"
        found = {
            name: self.data.row(f"cache_{name}", run)
            for name in ("hits", "misses", "rebuilds", "build_time", "invalidations")
        }
        rows = []
        for i, slot in enumerate(slots):
            why = ", ".join(
                f"{reason} {count}"
                for reason, count in zip(reasons, found["invalidations"][i].tolist(), strict=True)
                if count
            )
            seconds = found["build_time"][i]
            milliseconds = number(1e3 * float(seconds), 3) if np.isfinite(seconds) else "–"
            rows.append(
                [
                    html.escape(slot),
                    *(str(found[name][i]) for name in ("hits", "misses", "rebuilds")),
                    milliseconds,
                    html.escape(why) or "–",
                ]
            )
        return table(
            ["slot", "hits", "misses", "rebuilds", "building [ms]", "rebuilt because of"], rows
        )


def _notes_html(run: int, lines: list[str]) -> str:
    """What makes a run doubtful."""
    if not lines:
        return f"<p class='faint'>run {run}: none</p>"
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f"<p class='faint'>run {run}</p><ul class='notes'>{items}</ul>"


def _rerun_html(run: int, words: str, command: str) -> str:
    """The command that repeats a run, below what is to be said of it."""
    said = f"<p>{escaped(words, LONGEST_ERROR)}</p>" if words else ""
    line = f"<code>{html.escape(text(command))}</code>" if command else ""
    return f"<p class='faint'>run {run}</p>{said}{line}"


def _flat(section: dict[str, Any], before: str = "") -> list[tuple[str, Any]]:
    pairs = []
    for key, value in section.items():
        pairs += (
            _flat(value, f"{before}{key}.")
            if isinstance(value, dict)
            else [(f"{before}{key}", value)]
        )
    return pairs
