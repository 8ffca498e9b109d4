"""The data of a store for the page, read on demand and kept until the store changes."""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..common.states import State
from ..results.columns import RESULTS, Columns, adds_up, coded, label
from ..results.notes import Notes
from ..results.quantity import Quantity, quantities_together
from ..results.rerun import RecordedRuns
from ..store import layout
from ..store.store import Store
from .parts.html import shown

RUN = "run"
#: Scalars that describe a run but are no results.
NO_RESULTS = (
    "run_id",
    "block",
    "in_product",
    "status",
    "stop_reason",
    "error",
    "worker",
    layout.NOTES,
)


class Data:
    """A store that may still be written.

    Parameters
    ----------
    open_store : callable
        Opens the store again, so that runs that were added are seen.
    """

    def __init__(self, open_store: Callable[[], Store]) -> None:
        self._open = open_store
        #: Raised when something new was committed.
        self.version = 0
        #: Seconds that the last refresh took.
        self.reading_time = 0.0
        self._reset(open_store())

    def _reset(self, store: Store) -> None:
        self.store = store
        self.columns = Columns(store)
        self.status: NDArray[Any] = store.column("status")
        self.codes: dict[str, tuple[list[Any], NDArray[np.int64]]] = {}
        self._arrays: dict[str, NDArray[Any]] = {}

    def refresh(self) -> bool:
        """Read again if more was committed; return whether it was."""
        begin = time.perf_counter()
        store = self._open()
        status = store.column("status")
        changed = status.shape != self.status.shape or bool((status != self.status).any())
        if changed:
            self.__dict__.pop("recorded", None)
            self._reset(store)
            self.version += 1
        self.reading_time = time.perf_counter() - begin
        return changed

    @property
    def title(self) -> str:
        """Title of the sweep."""
        return self.store.description.title

    @property
    def runs(self) -> int:
        """Number of runs; rows that an extension has left unused are none."""
        return self.status.size - self.count(layout.UNUSED)

    def count(self, state: int) -> int:
        """Return the number of runs in a state."""
        return int((self.status == state).sum())

    @property
    def finished(self) -> bool:
        """Whether no run is pending."""
        return self.count(layout.PENDING) == 0

    @cached_property
    def recorded(self) -> RecordedRuns:
        """The record of how runs are repeated."""
        return RecordedRuns.of(self.store)

    def unit(self, name: str) -> str:
        """Return the unit of an array, or 1 where it has none."""
        return self.store.unit(name)

    def quantity(self, name: str, values: ArrayLike | None = None, words: str = "") -> Quantity:
        """Return how a column is shown; see :meth:`sweep.results.quantity.Quantity.of`."""
        return Quantity.of(self.store, name, values, words)

    def quantities(
        self, names: Iterable[str], runs: Sequence[int] | None = None
    ) -> dict[str, Quantity]:
        """Return how columns are shown in one view.

        Parameters
        ----------
        names : iterable of str
            Of the columns.
        runs : sequence of int or None
            Rows of the only runs that the view shows; of a table that may show any run, None.
        """
        columns = {}
        for name in names:
            if runs is None:
                columns[name] = self.columns[name]
            else:
                columns[name] = np.array([self.value(name, run) for run in runs])
        return quantities_together(self.store, columns)

    def axis_quantity(self, name: str) -> Quantity:
        """Return how a parameter is shown along an axis."""
        return Quantity.of_axis(self.store, name)

    def with_unit(self, name: str) -> str:
        """Return a name with the unit of the store, such as ``T0 [K]``."""
        return label(self.store, name)

    def listed(self, name: str) -> str:
        """Return a name as controls list it: with its unit where that does not depend on values."""
        return self.with_unit(name) if name in self.store.parameters else name

    def meaning(self, name: str) -> str:
        """Return the description of an array."""
        if name == RUN:
            return "number of the run"
        return str(self.store.attributes(name).get("long_name", ""))

    @cached_property
    def rings(self) -> str | None:
        """The ring axis, if there is one."""
        return self.store.ring_axis

    @cached_property
    def scalars(self) -> list[str]:
        """Names of scalar results, the main ones first."""
        hidden = {*self.store.parameters, *NO_RESULTS}
        names = [name for name in self.store.scalar_names if name not in hidden]
        main = [name for name in RESULTS if name in names]
        return main + [name for name in names if name not in RESULTS]

    def notes(self, runs: Sequence[int] | NDArray[np.int64] | None = None) -> Notes:
        """Return the notes on some runs, or on all runs."""
        chosen = None if runs is None else np.array(runs, dtype=np.int64)
        return Notes.read(self.array, chosen, are_recorded=self.has(layout.NOTES))

    def sums(self, name: str) -> bool:
        """Whether the sum of a scalar over rings is that of the disk."""
        return self.rings is not None and adds_up(self.unit(name))

    def coded(self, name: str) -> tuple[list[Any], NDArray[np.int64]]:
        """Return the distinct values of a parameter, and for each run the index of its value."""
        if name not in self.codes:
            self.codes[name] = coded(self.columns[name])
        return self.codes[name]

    @property
    def varying(self) -> list[str]:
        """Parameters in which runs differ."""
        return [name for name in self.store.parameters if len(self.coded(name)[0]) > 1]

    @property
    def axes(self) -> list[str]:
        """Axes of the product in which its runs differ; none where an axis numbers points."""
        names = [name for name in self.store.axes if len(self.coded(name)[0]) > 1]
        return [] if any(self._numbers_points(name) for name in names) else names

    def _numbers_points(self, name: str) -> bool:
        return (
            not self.store.is_key(name)
            and name != self.rings
            and self.columns[name].dtype.kind in "iu"
        )

    @property
    def dimensions(self) -> list[str]:
        """Parameters that a map may be drawn over: axes first, then all others that differ."""
        axes = self.axes
        others = [
            name for name in self.varying if name not in axes and not self._numbers_points(name)
        ]
        return [*axes, *others]

    def follows(self, name: str, source: str) -> bool:
        """Whether ``source`` determines ``name``: each of its values goes with a single one."""
        values, code = self.coded(name)
        source_values, source_code = self.coded(source)
        return np.unique(code + len(values) * source_code).size == len(source_values)

    def is_determined(self, name: str) -> bool:
        """Whether a parameter is no axis itself but determined by one."""
        axes = self.axes
        return name not in axes and any(self.follows(name, axis) for axis in axes)

    def values(self, name: str, runs: NDArray[np.int64]) -> NDArray[Any]:
        """Return the values of a column; numbers that are results are NaN for unfinished runs."""
        values = self.columns[name][runs]
        if name not in self.scalars or values.dtype.kind not in "iuf":
            return values
        is_done = self.columns["status"][runs] == State.DONE.word
        return np.where(is_done, values, np.nan)

    def array(self, name: str) -> NDArray[Any]:
        """Return a whole array (run, ...)."""
        if name not in self._arrays:
            self._arrays[name] = self.store.column(name)
        return self._arrays[name]

    def row(self, name: str, run: int) -> NDArray[Any]:
        """Return the part of an array that belongs to a run."""
        return self.store.rows(name, run)

    def has(self, name: str) -> bool:
        """Whether the store has an array."""
        return name in self.store

    def value(self, name: str, run: int) -> Any:
        """Return one value of a column as a plain number or text."""
        return self.columns.value(name, run)

    def in_words(self, name: str, value: Any, longest: int = 24) -> str:
        """Return a value with its unit, such as ``4000 K``, not escaped."""
        is_nan = value != value
        if is_nan:
            return "none"
        return self.axis_quantity(name).with_unit(value, shown(value, longest))

    def labels(self, dimension: str) -> list[str]:
        """Return the names along a dimension, such as those of the cache's slots."""
        return [str(name) for name in self.store.column(dimension).tolist()]
