"""What every table, picture and page of a store needs: labels with units, single runs, and a quantity laid out over two parameters."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from marsdisk.result import StopReason

from .errors import StoreError
from .store import layout, reader

BOOKKEEPING = ("run_id", "block", "in_product")  # coordinates of the runs that are no parameters
#: Ends that a run comes to before its time is up.
EARLY = (StopReason.OPTICAL_DEPTH, StopReason.BLOWOUT_BELOW_GRID, StopReason.LOSS_RATE)


def parameters(group: zarr.Group) -> list[str]:
    """Coordinates of the runs that differ between them, in the order of the sweep file."""
    return [name for name in str(group.attrs["coordinates"]).split() if name not in BOOKKEEPING]


def label(group: zarr.Group, name: str) -> str:
    """``M_loss [M_Mars]``; the bare name where there is no unit."""
    unit = str(group[name].attrs.get("units", "1"))
    return name if unit == "1" else f"{name} [{unit}]"


def stopped_early(stop_reason: NDArray[Any]) -> NDArray[np.bool_]:
    """Which runs a stop condition ended before the time they were given."""
    return np.isin(stop_reason, EARLY)


def row(group: zarr.Group, name: str, run: int) -> NDArray[Any]:
    """One run's part of an array; nothing else is kept of what is read."""
    array = group[name]
    assert isinstance(array, zarr.Array)
    return np.asarray(array[run])


def in_order(labels: Sequence[Any]) -> list[Any]:
    """Each label once: numbers sorted, texts as they come (runs are stored in cache order)."""
    once = list(dict.fromkeys(labels))
    return once if any(isinstance(part, str) for label in once for part in (label if isinstance(label, tuple) else (label,))) else sorted(once)


@dataclass(frozen=True)
class Cells:
    """A scalar over two parameters, a cell for each pair of values; a cell without a run has ``run`` -1 and value NaN."""

    x: list[Any]
    y: list[Any]
    run: NDArray[np.int64]  #: (y, x)
    value: NDArray[np.float64]  #: (y, x), NaN where the run is not done
    status: NDArray[np.uint8]  #: (y, x), pending where there is no run
    early: NDArray[np.bool_]  #: (y, x), of :func:`stopped_early`


def cells(group: zarr.Group, name: str, x: str, y: str, fixed: Mapping[str, Any]) -> Cells:
    """``name`` over ``x`` and ``y`` with the other parameters at the values ``fixed``.

    Raises
    ------
    StoreError
        Several runs share a cell, since a parameter in which they differ is not fixed; it is named.
    """
    columns = {key: np.array(reader.column(group, key).tolist(), dtype=object) for key in {x, y, *fixed}}
    chosen = np.flatnonzero(np.logical_and.reduce([columns[key] == value for key, value in fixed.items()] or [np.ones(columns[x].size, bool)]))
    xs, ys = in_order(columns[x][chosen].tolist()), in_order(columns[y][chosen].tolist())
    shape = (len(ys), len(xs))
    run = np.full(shape, -1, dtype=np.int64)
    place = {(a, b): (j, i) for (j, b), (i, a) in itertools.product(enumerate(ys), enumerate(xs))}
    for index in chosen.tolist():
        cell = place[columns[x][index], columns[y][index]]
        if run[cell] >= 0:
            raise StoreError(
                f"several runs share {x} = {columns[x][index]}, {y} = {columns[y][index]}; fix {_differing(group, run[cell], index, {x, y})}"
            )
        run[cell] = index
    there, status, stop = run >= 0, reader.column(group, "status"), reader.column(group, "stop_reason")
    state = np.where(there, status[run], layout.PENDING).astype(np.uint8)
    value = np.where(state == layout.DONE, reader.column(group, name)[run], np.nan)
    return Cells(xs, ys, run, value, state, there & (state == layout.DONE) & stopped_early(stop[run]))


def _differing(group: zarr.Group, one: int, other: int, known: set[str]) -> str:
    rest = (key for key in parameters(group) if key not in known)
    return ", ".join(key for key in rest if row(group, key, one) != row(group, key, other)) or "another parameter"
