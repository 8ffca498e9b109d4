"""A store that may still be written, read on demand and kept until it changes."""

import threading
import zlib
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common.errors import StoreError
from ..results.case_table import CaseTable
from ..results.columns import RESULTS, Columns, adds_up, coded
from ..results.outcomes import targets
from ..results.quantity import Quantity
from ..results.rerun import RecordedRuns
from ..results.selection import Selection
from ..spec.axes import ONE_AT_A_TIME
from ..spec.designs import POINT
from ..store import layout
from ..store.location import Location
from ..store.store import Store

#: Axes that number the points of a list, and so are nothing to draw over.
LISTS = (POINT,)


class Study:
    """What the page knows of a store.

    Parameters
    ----------
    open_store : callable
        Opens the store again, so that runs that were added are seen.
    """

    def __init__(self, open_store: Callable[[], Store]) -> None:
        self._open = open_store
        self._lock = threading.Lock()
        self.moment = Moment(open_store())

    @classmethod
    def of(cls, store: str | Path | Location) -> "Study":
        """Return the study of an existing store."""
        return cls(lambda: Store.open(store))

    def refreshed(self) -> "Moment":
        """Read what was committed, and return it."""
        with self._lock:
            store = self._open()
            status = store.column("status")
            if Moment.version_of(status) != self.moment.version:
                self.moment = Moment(store)
            return self.moment


class Moment:
    """A store as it is at one time; what is read of it is kept.

    Parameters
    ----------
    store : Store
        The store.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.columns = Columns(store)
        self.status: NDArray[Any] = store.column("status")
        self.version = self.version_of(self.status)
        self._kept: dict[str, Any] = {}

    @staticmethod
    def version_of(status: NDArray[Any]) -> str:
        """Return what tells states of a store apart, the same in every process."""
        return f"{zlib.crc32(status.tobytes()):08x}-{status.size}"

    def kept(self, name: str, compute: Callable[["Moment"], Any]) -> Any:
        """Return what is computed from this state of the store alone, once."""
        if name not in self._kept:
            self._kept[name] = compute(self)
        return self._kept[name]

    def count(self, state: int) -> int:
        """Return the number of runs in a state."""
        return int((self.status == state).sum())

    @property
    def runs(self) -> int:
        """Number of runs; rows that an extension has left unused are none."""
        return self.status.size - self.count(layout.UNUSED)

    @cached_property
    def recorded(self) -> RecordedRuns:
        """The record of how runs are repeated."""
        return RecordedRuns.of(self.store)

    @cached_property
    def cache_share(self) -> str:
        """The share of lookups that caches answered, in words; empty without any."""
        columns = [self.store.column(f"cache_{name}") for name in ("hits", "misses", "rebuilds")]
        hits, misses, rebuilds = (int(column.sum()) for column in columns)
        lookups = hits + misses + rebuilds
        return f"cache {100.0 * hits / lookups:.1f} % hits" if lookups else ""

    def selection(self, condition: str) -> Selection:
        """Return the runs that meet a condition, at least one.

        Raises
        ------
        StoreError
            No run meets it, or it cannot be understood.
        """
        selection = Selection.of(self.columns, condition.strip() or None)
        if condition.strip() and not selection.runs.size:
            raise StoreError(f"no run fulfils {condition.strip()}")
        return selection

    @cached_property
    def results(self) -> list[str]:
        """Names of scalar results, the main ones first."""
        names = targets(self.store)
        main = [name for name in RESULTS if name in names]
        return main + [name for name in names if name not in RESULTS]

    @cached_property
    def cases(self) -> CaseTable:
        """All cases, with single rings."""
        return CaseTable.of(self.selection(""), "run", single_rings=True)

    @cached_property
    def labels(self) -> dict[str, list[Any]]:
        """The distinct values of each parameter."""
        return {name: coded(values)[0] for name, values in self.cases.parameters.items()}

    def rings_of_disk(self, run: int) -> list[int]:
        """Return the rows of all rings of the disk that a run is a ring of, from the inside out."""
        ring_axis = self.store.ring_axis
        if ring_axis is None:
            return [run]
        cases = self.cases
        disk = self._disks
        index = np.flatnonzero(cases.run == run)
        if not index.size:
            return [run]
        is_ring = disk == disk[index[0]]
        order = np.argsort(cases.parameters[ring_axis][is_ring], kind="stable")
        rows: list[int] = cases.run[is_ring][order].tolist()
        return rows

    @cached_property
    def first_ring(self) -> NDArray[np.int64]:
        """The first ring of the disk that each row is a ring of, by which the disk goes."""
        first = np.arange(self.status.size)
        ring_axis = self.store.ring_axis
        if ring_axis is not None:
            cases = self.cases
            order = np.lexsort((cases.parameters[ring_axis], self._disks))
            begins = np.unique(self._disks[order], return_index=True)[1]
            first[cases.run] = cases.run[order][begins][self._disks]
        return first

    def first_rings(self, runs: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return runs, and the first rings of the disks that they are rings of."""
        return np.union1d(runs, self.first_ring[runs])

    @cached_property
    def _disks(self) -> NDArray[np.int64]:
        return self.cases.disks(self.store.axes, str(self.store.ring_axis))

    @cached_property
    def parameters(self) -> list[str]:
        """Parameters in which runs differ and that can be drawn over, axes first."""
        names = [*self.store.axes, *self.store.parameters]
        differing = []
        for name in dict.fromkeys(names):
            if name not in LISTS and len(self.labels[name]) > 1:
                differing.append(name)
        return differing

    @property
    def axes(self) -> list[str]:
        """Axes of the product in which runs differ, but for those that number points."""
        return [name for name in self.store.axes if name in self.parameters]

    @property
    def kind(self) -> str:
        """How cases were chosen: ``points``, ``changes`` of one key, ``product``, or ``list``."""
        axes = list(self.store.axes)
        if POINT in axes or self.store.description.sweep.content.get("refine") is not None:
            return "points"
        if ONE_AT_A_TIME in axes:
            return "changes"
        return "product" if axes else "list"

    def meaning(self, name: str) -> str:
        """Return the description of an array."""
        if name == "run":
            return "number of the run"
        return str(self.store.attributes(name).get("long_name", ""))

    def has_sums(self, name: str) -> bool:
        """Whether the sum of a scalar over rings is that of the disk."""
        return self.store.ring_axis is not None and adds_up(self.store.unit(name))

    def quantity(self, name: str, values: NDArray[Any] | None = None, words: str = "") -> Quantity:
        """Return how a column is shown; a parameter as along an axis."""
        if name in self.store.parameters:
            return Quantity.of_axis(self.store, name)
        return Quantity.of(self.store, name, values, words)

    @cached_property
    def time(self) -> Quantity:
        """How times are shown: alike for all runs, however long each is."""
        ends = self.store.column("t_end") if "t_end" in self.store.arrays else None
        return Quantity.of(self.store, "t", ends, "time")

    def value(self, name: str, run: int) -> Any:
        """Return one value of a column as a plain number or text."""
        return self.columns.value(name, run)
