"""Details of the chosen runs: parameters, results, notes, caches, and how to repeat them."""

from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from marsdisk.common.errors import MarsDiskError

from ...common.text import text
from ...results.columns import EXECUTION, RESULTS
from ...results.quantity import Quantity
from ...store import layout
from ..parts.html import escaped, rendered
from ..parts.scales import number
from ..parts.style import apart, text_block

if TYPE_CHECKING:
    from ..host import Host

MAX_ERROR_CHARACTERS = 600


class About:
    """Tables of parameters, results, notes, and caches, with a column for each run."""

    def __init__(self, page: "Host") -> None:
        self.data = page.data
        self.text = text_block(name="about")
        self.root = apart(self.text)

    def show(self, runs: list[int], colours: list[str]) -> None:
        """Show the tables of ``runs``."""
        shared, commands = self._configuration(runs)
        self.text.text = rendered(
            "about",
            heads=[
                rendered("run_head", run=run, colour=colour)
                for run, colour in zip(runs, colours, strict=False)
            ],
            parameters=self._parameters(runs),
            shared=shared,
            results=self._results(runs),
            notes=[(run, self.data.notes([run]).lines) for run in runs],
            cache=self._cache(runs[0]) if runs else None,
            commands=commands,
            max_error_characters=MAX_ERROR_CHARACTERS,
        )

    def _results(self, runs: list[int]) -> list[list[Markup]]:
        quantities = self.data.quantities(filter(self.data.has, (*RESULTS, *EXECUTION)), runs)
        rows = []
        for name, quantity in quantities.items():
            head = rendered("explained", name=quantity.head, meaning=self.data.meaning(name))
            rows.append([head, *(self._result(quantity, run) for run in runs)])
        return rows

    def _result(self, quantity: Quantity, run: int) -> Markup:
        """Return a result of a run, or a dash where it is not done."""
        if self.data.status[run] != layout.DONE:
            return escaped("–")
        value = self.data.value(quantity.name, run)
        if isinstance(value, float):
            value = float(quantity.convert(value))
        return escaped(value)

    def _parameters(self, runs: list[int]) -> list[list[Markup]]:
        """Return the rows of the swept parameters; those that differ come first."""
        names = dict.fromkeys([*self.data.varying, *self.data.store.parameters, "run_id"])
        rows = []
        for name in names:
            values = [escaped(self.data.value(name, run)) for run in runs]
            rows.append([escaped(self.data.with_unit(name)), *values])
        return rows

    def _configuration(
        self, runs: list[int]
    ) -> tuple[list[list[Markup]], list[tuple[int, str, str]]]:
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
            commands.append((run, repetition.words, text(repetition.command)))
        return rows, commands

    def _cache(self, run: int) -> list[list[str]] | None:
        """Return the lookups of each slot; None where the run is not done."""
        slots = self.data.labels("cache")
        reasons = self.data.labels("reason")
        if self.data.status[run] != layout.DONE:
            return None
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
                    slot,
                    *(str(columns[name][i]) for name in ("hits", "misses", "rebuilds")),
                    milliseconds,
                    causes or "–",
                ]
            )
        return rows


def _flat(section: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Return the full keys and values of a nested section."""
    pairs: list[tuple[str, Any]] = []
    for key, value in section.items():
        if isinstance(value, dict):
            pairs += _flat(value, f"{prefix}{key}.")
        else:
            pairs.append((f"{prefix}{key}", value))
    return pairs
