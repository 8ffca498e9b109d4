"""Tables of a store for the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from rich.console import Group
from rich.table import Table
from rich.text import Text

from marsdisk.commands import printable
from marsdisk.result import StopReason

from .errors import StoreError
from .store import reader
from .views import Columns, label, parameters

#: Names of the reasons to stop by their number.
STOP_LABELS = {int(reason): reason.label for reason in StopReason}
RESULTS = ("status", "M_loss", "t99", "tau_max", "stop_reason")
NARROWEST = 16  # characters of a column of text that is folded


def text(value: Any) -> str:
    """A number to four digits, anything else in one line, what a terminal would obey written out."""
    if isinstance(value, float):
        return "-" if np.isnan(value) else f"{value:.4g}"
    return printable(str(value)).replace("\n", "\\x0a").replace("\t", "\\x09")


def in_sequence(columns: Columns, runs: NDArray[np.int64], by: str | None) -> NDArray[np.int64]:
    """``runs`` sorted by a column, from the largest where its name begins with a minus; runs without a value come last."""
    if by is None:
        return runs
    values = columns[by.removeprefix("-")][runs]
    known = values == values
    order = np.argsort(values[known], kind="stable")
    if by.startswith("-"):
        # equal ones keep their order
        order = known.sum() - 1 - np.argsort(values[known][::-1], kind="stable")[::-1]
    return np.concatenate([runs[known][order], runs[~known]])


def runs_table(
    columns: Columns, names: Sequence[str] | None, runs: NDArray[np.int64], *, rows: int, width: int
) -> Group:
    """The first ``rows`` of ``runs``, units in the heads; columns that do not fit into ``width`` characters are left out and named below it.

    Parameters
    ----------
    names : columns to show; None for the parameters and what came of them
    """
    wanted = [
        *dict.fromkeys(names if names is not None else [*parameters(columns.group), *RESULTS])
    ]
    if not rows or not all(wanted):
        raise StoreError("the name of a column is empty; write --columns T0,M_loss")
    shown = runs[:rows]
    content = {
        name: [_in_words(value) for value in columns[name][shown].tolist()]
        for name in wanted
        if name != "run"
    }
    heads = {name: label(columns.group, name) for name in content}
    free = width - max(len("run"), len(str(int(shown.max(initial=0))))) - 4
    if sum(_least_width(cells, heads[name]) + 3 for name, cells in content.items()) > free:
        heads = {name: head.replace(" ", "\n") for name, head in heads.items()}
    least = {name: _least_width(cells, heads[name]) for name, cells in content.items()}
    kept = _fitting(least, free, _by_weight(columns.group, list(content), given=names is not None))
    left_out = [name for name in content if name not in kept]
    table = Table()
    table.add_column("run", justify="right")
    for name in kept:
        table.add_column(
            heads[name],
            justify="right",
            overflow="fold",
            no_wrap=not _is_prose(content[name]),
            min_width=least[name],
        )
    for i, run in enumerate(shown.tolist()):
        table.add_row(str(run), *(content[name][i] for name in kept))
    notes = [f"{runs.size - rows} runs more; --rows shows them"] if runs.size > rows else []
    notes += (
        [f"no room for {', '.join(left_out)}; choose with --columns, or widen the terminal"]
        if left_out
        else []
    )
    return Group(table, *map(Text, notes))


def _in_words(value: Any) -> str:
    return "-" if value == "not_yet" else text(value)


def _by_weight(group: zarr.Group, names: Sequence[str], *, given: bool) -> Sequence[str]:
    """Names from the one to show in any case to the one to drop first: as given, or axes, results, other parameters."""
    first = [] if given else [*reader.axis_names(group), "status", "M_loss", "stop_reason"]
    return [
        *(name for name in first if name in names),
        *(name for name in names if name not in first),
    ]


def _is_prose(cells: Sequence[str]) -> bool:
    return any(" " in cell for cell in cells)


def _least_width(cells: Sequence[str], head: str) -> int:
    """Characters that a column needs: prose may be folded anywhere."""
    longest = max(map(len, cells), default=0)
    return max(
        min(longest, NARROWEST) if _is_prose(cells) else longest, *map(len, head.split("\n"))
    )


def _fitting(least: Mapping[str, int], free: int, by_weight: Sequence[str]) -> list[str]:
    """Names whose columns fit into ``free`` characters, at least one, in the order of ``least``."""
    kept = set[str]()
    for name in by_weight:
        free -= least[name] + 3
        if free < 0 and kept:
            break
        kept.add(name)
    return [name for name in least if name in kept]


def cache_table(group: zarr.Group, runs: NDArray[np.int64]) -> Table:
    """Lookups of each slot over ``runs``, and why values were dropped."""
    slots = reader.column(group, "cache").tolist()
    reasons = reader.column(group, "reason").tolist()
    sums = {
        name: reader.column(group, f"cache_{name}")[runs].sum(axis=0)
        for name in ("hits", "misses", "rebuilds", "refused")
    }
    seconds = np.nansum(reader.column(group, "cache_build_time")[runs], axis=0)
    invalidations = reader.column(group, "cache_invalidations")[runs].sum(axis=0)
    table = Table()
    for name in (
        "slot",
        "hits",
        "misses",
        "rebuilds",
        "refused",
        "build time [ms]",
        "dropped because of",
    ):
        table.add_column(
            name, justify="left" if name in {"slot", "dropped because of"} else "right"
        )
    for i, slot in enumerate(slots):
        why = ", ".join(
            f"{reason} {count}"
            for reason, count in zip(reasons, invalidations[i].tolist(), strict=True)
            if count
        )
        table.add_row(
            slot, *(str(int(sums[name][i])) for name in sums), f"{1e3 * seconds[i]:.1f}", why or "-"
        )
    return table
