"""Tables of a store for the terminal."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import zarr
from rich.table import Table

from marsdisk.result import StopReason

from .errors import StoreError
from .store import layout, reader

STOP_LABELS = {int(reason): reason.label for reason in StopReason}
RESULTS = ("status", "M_loss", "t99", "tau_max", "stop_reason")


def text(value: Any) -> str:
    """A number to four digits, anything else as it is."""
    if isinstance(value, float):
        return "-" if np.isnan(value) else f"{value:.4g}"
    return str(value)


def _in_words(name: str, values: Sequence[Any]) -> Sequence[Any]:
    if name == "status":
        return [layout.STATUS.get(value, f"unknown ({value})") for value in values]
    if name == "stop_reason":
        return [STOP_LABELS.get(value, f"unknown ({value})") if value else "-" for value in values]
    return values


def runs_table(group: zarr.Group, columns: Sequence[str] | None, rows: int) -> Table:
    """The first ``rows`` runs with ``columns``, units in the heads."""
    parameters = [name for name in str(group.attrs["coordinates"]).split() if name not in {"run_id", "block", "in_product"}]
    names = [name.strip() for name in columns or [*parameters, *RESULTS]]
    scalars = reader.scalar_names(group)
    for name in names:
        if name not in scalars:
            raise StoreError(f"{name!r} is no array with one value per run; there are {', '.join(scalars)}")
    values = {name: _in_words(name, reader.column(group, name)[:rows].tolist()) for name in names}
    runs = int(group["status"].shape[0])  # type: ignore[union-attr]
    table = Table(caption=f"{runs - rows} runs more; --rows shows them" if runs > rows else None)
    table.add_column("run", justify="right")
    for name in names:
        unit = group[name].attrs.get("units", "1")
        table.add_column(name if unit == "1" else f"{name} [{unit}]", justify="right")
    for i, row in enumerate(zip(*values.values(), strict=True)):
        table.add_row(str(i), *map(text, row))
    return table


def cache_table(group: zarr.Group) -> Table:
    """Lookups of each slot over all finished runs, and why values were dropped."""
    slots, reasons = reader.column(group, "cache").tolist(), reader.column(group, "reason").tolist()
    sums = {name: reader.column(group, f"cache_{name}").sum(axis=0) for name in ("hits", "misses", "rebuilds", "refused")}
    seconds = np.nansum(reader.column(group, "cache_build_time"), axis=0)
    invalidations = reader.column(group, "cache_invalidations").sum(axis=0)
    table = Table()
    for name in ("slot", "hits", "misses", "rebuilds", "refused", "build time [ms]", "dropped because of"):
        table.add_column(name, justify="left" if name in {"slot", "dropped because of"} else "right")
    for i, slot in enumerate(slots):
        why = ", ".join(f"{reason} {count}" for reason, count in zip(reasons, invalidations[i].tolist(), strict=True) if count)
        table.add_row(slot, *(str(int(sums[name][i])) for name in sums), f"{1e3 * seconds[i]:.1f}", why or "-")
    return table
