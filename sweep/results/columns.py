"""Columns of a store, one value per run, with their labels and units."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marsdisk.notes import Note
from marsdisk.result import StopReason

from ..common import floats
from ..common.errors import StoreError
from ..common.text import did_you_mean
from ..spec.expressions import Expression, Labels
from ..store import layout
from ..store.store import Store

#: Words for the numbers of states and stop reasons, in the order of the numbers.
STATES: Mapping[str, tuple[str, ...]] = {
    "status": tuple(layout.STATUS.values()),
    "stop_reason": ("not_yet", *(reason.label for reason in StopReason)),
}
#: Results with one number per run, in the order in which views list them.
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
    "t_end",
    "t99",
    "tau_max",
    "gated_time",
    "E_collisions",
    "E_dissipated",
)
#: How a run was computed: its solver, its time, and its worker.
EXECUTION = (
    "ledger_error",
    "steps",
    "steps_rejected",
    "steps_beyond_qpr",
    "bins_repaired",
    "wall_time",
    "solver_time",
    "attempt",
    "worker",
)
#: Columns of a table of runs in addition to the parameters.
RESULTS_IN_TABLES = ("status", "M_loss", "t99", "tau_max", "stop_reason")
NOT_DONE = "not_done"  #: in place of the notes of a run without a result
#: All values that columns of text can have.
WORDS: Mapping[str, tuple[str, ...]] = {**STATES, layout.NOTES: Labels(note.label for note in Note)}
_FILLS = {variable.name: variable.fill for variable in layout.EVERY_VARIABLE}
#: Reasons that end a run before its time is up and before blow-out ends by itself, as in
#: :data:`marsdisk.notes.Note`.
EARLY = (StopReason.OPTICAL_DEPTH, StopReason.LOSS_RATE)


def label(store: Store, name: str) -> str:
    """Return the name with its unit, such as ``M_loss [M_Mars]``, or alone if it has none."""
    unit = store.unit(name)
    return name if unit == "1" else f"{name} [{unit}]"


def stopped_early(stop_reason: NDArray[Any]) -> NDArray[np.bool_]:
    """Return whether a stop condition ended each run before its time was up."""
    return np.isin(stop_reason, EARLY)


def ended_early(words: NDArray[Any]) -> NDArray[np.bool_]:
    """Return the same as :func:`stopped_early`, from reasons in words as in :class:`Columns`."""
    return np.isin(words.astype(object), [reason.label for reason in EARLY])


def in_order(labels: Sequence[Any]) -> list[Any]:
    """Return each label once: numbers sorted, texts in the order in which they occur.

    Runs are stored in the order of the caches, so that their numbers come unsorted.
    """
    distinct = list(dict.fromkeys(labels))
    if any(_has_text(label) for label in distinct):
        return distinct
    return sorted(distinct)


def _has_text(label: Any) -> bool:
    if isinstance(label, tuple):
        return any(isinstance(part, str) for part in label)
    return isinstance(label, str)


def without_uncommitted(name: str, values: NDArray[Any], status: NDArray[Any]) -> NDArray[Any]:
    """Return ``values`` with the fill value for pending runs.

    Whatever is stored for them has no commit record, and a worker may have died while writing it.

    Parameters
    ----------
    name : str
        Of the array in the store.
    values : (runs, ...) array
        Its values.
    status : (runs,) array of int
        States of the same runs.

    Returns
    -------
    (runs, ...) array
        A copy, or ``values`` if no run is pending.
    """
    pending = status == layout.PENDING
    if name not in _FILLS or not pending.any():
        return values
    values = values.copy()
    values[pending] = _FILLS[name]
    return values


def runs_of(store: Store) -> NDArray[np.int64]:
    """Return the rows of all runs; rows that an extension left unused hold none."""
    return np.flatnonzero(store.column("status") != layout.UNUSED)


def in_words(name: str, values: NDArray[Any], status: NDArray[Any]) -> NDArray[Any]:
    """Return states, stop reasons and notes in words, and other values unchanged.

    Parameters
    ----------
    name : str
        Of the array in the store.
    values : (runs,) array
        Its values.
    status : (runs,) array of int
        States of the same runs.

    Returns
    -------
    (runs,) array
        Of text where the values stand for words.
    """
    if name == layout.NOTES:
        flags, index = np.unique(values, return_inverse=True)
        labels = [Note(flag).label for flag in flags.tolist()]
        notes: NDArray[Any] = np.array(labels, dtype=np.dtypes.StringDType())
        notes = notes[index.reshape(values.shape)]
        notes[status != layout.DONE] = NOT_DONE
        return notes
    if name not in STATES:
        return values
    words = np.array([*STATES[name], "unknown"], dtype=np.dtypes.StringDType())
    states: NDArray[Any] = words[np.minimum(values, len(STATES[name]))]
    return states


class Columns(Mapping[str, NDArray[Any]]):
    """All arrays with one value per run, and ``run``, the row of each; read on first use.

    States, stop reasons and notes are in words. A parameter is also found by its configuration key,
    such as ``temperature.T0``.

    Parameters
    ----------
    store : Store
        The store.

    Examples
    --------
    >>> columns = Columns(Store.open("results/temperature_supply.zarr"))
    >>> columns.where('T0 > 3500 and status == "done"')  # rows of runs
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._names = ["run", *dict.fromkeys([*store.parameters, *store.scalar_names])]
        self._columns: dict[str, NDArray[Any]] = {}
        self._values: dict[tuple[str, int], Any] = {}

    def __getitem__(self, name: str) -> NDArray[Any]:
        name = self.store.name_of(name)
        if name not in self._names:
            names = ", ".join(self._names)
            problem = f"{name!r} is no array with one value per run"
            hint = did_you_mean(name, self._names)
            raise StoreError(f"{problem}; there are {names}{hint}")
        if name not in self._columns:
            self._columns[name] = self._read(name)
        return self._columns[name]

    def value(self, name: str, run: int) -> Any:
        """Return one value as a plain number or text, without reading the whole column."""
        name = self.store.name_of(name)
        if name in self._columns or name == "run":
            return self[name][run : run + 1].tolist()[0]
        if (name, run) not in self._values:
            row = slice(run, run + 1)
            status = self._status[row]
            values = without_uncommitted(name, self.store.rows(name, row), status)
            self._values[name, run] = in_words(name, values, status).tolist()[0]
        return self._values[name, run]

    @cached_property
    def _status(self) -> NDArray[Any]:
        return self.store.column("status")

    def _read(self, name: str) -> NDArray[Any]:
        if name == "run":
            return np.arange(self._status.size)
        # an extension may have made the column longer since the states were read
        values = self.store.column(name)[: self._status.size]
        return in_words(name, without_uncommitted(name, values, self._status), self._status)

    def __contains__(self, name: object) -> bool:
        return name in self._names or name in self.store.keys

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def where(self, condition: str | None) -> NDArray[np.int64]:
        """Return the rows of the runs that meet ``condition``, or of all runs if it is None."""
        runs = np.flatnonzero(self._status != layout.UNUSED)
        if condition is None:
            return runs
        return runs[Expression(condition).condition(self, WORDS)[runs]]


def adds_up(unit: str) -> bool:
    """Return whether the sum of a quantity with this unit over the rings is that of the disk."""
    return unit in {"M_Mars", "M_Mars s-1", "J"}


def labels(store: Store, name: str) -> list[Any]:
    """Return the value of a parameter for each run; ``null`` where the configuration has none."""
    return _with_nulls(store.column(name))


def _with_nulls(values: NDArray[Any]) -> list[Any]:
    return ["null" if value != value else value for value in values.tolist()]


def coded(values: NDArray[Any]) -> tuple[list[Any], NDArray[np.int64]]:
    """Return the distinct values and, for each value, its index among them.

    The distinct values are in the order of :func:`in_order`; NaN becomes ``null`` and comes last.
    """
    is_float = values.dtype.kind == "f"
    if values.dtype.kind in "biu" or (is_float and not np.isnan(values).any()):
        numbers, codes = np.unique(values, return_inverse=True)
        return numbers.tolist(), codes.astype(np.int64)
    words = _with_nulls(values)
    distinct = in_order([word for word in words if word != "null"])
    if "null" in words:
        distinct.append("null")
    index = {word: i for i, word in enumerate(distinct)}
    return distinct, np.fromiter((index[word] for word in words), np.int64, count=len(words))


def numbered(columns: Iterable[NDArray[Any]], size: int) -> NDArray[np.int64]:
    """Return a number for each combination of values, counted in the order of occurrence.

    Parameters
    ----------
    columns : iterable of (size,) array
        The values; without any, all rows are alike.
    size : int
        Number of rows.

    Returns
    -------
    (size,) array of int
        From 0, without gaps.
    """
    number = np.zeros(size, np.int64)
    for column in columns:
        labels, codes = coded(column)
        # without gaps, numbers stay small, however many columns there are
        number = np.unique(number * len(labels) + codes, return_inverse=True)[1].reshape(-1)
    first = np.unique(number, return_index=True)[1]
    order = np.empty(first.size, np.int64)
    order[np.argsort(first)] = np.arange(first.size)
    return order[number]


def equal(values: NDArray[Any], label: Any) -> NDArray[np.bool_]:
    """Return where a parameter has the value that ``label`` stands for, numbers to 12 digits."""
    if values.dtype.kind == "f" and label == "null":
        return np.asarray(np.isnan(values), dtype=bool)
    if values.dtype.kind in "fiu" and floats.is_number(label):
        return floats.equal(values, label)
    return np.asarray(values == label, dtype=bool)


def columns_to_show(store: Store, names: Sequence[str] | None) -> list[str]:
    """Return the columns of a table of runs, by their names in the store.

    Parameters
    ----------
    store : Store
        The store.
    names : sequence of str or None
        Columns by name or configuration key; None for the parameters and the main results.

    Returns
    -------
    list of str
        Each once, without ``run``, which every table begins with.
    """
    if names is None:
        names = [*store.parameters, *RESULTS_IN_TABLES]
    return [name for name in dict.fromkeys(map(store.name_of, names)) if name != "run"]


def in_sequence(columns: Columns, runs: NDArray[np.int64], by: str | None) -> NDArray[np.int64]:
    """Return runs sorted by a column; runs without a value come last.

    Parameters
    ----------
    columns : Columns
        Of the store.
    runs : (runs,) array of int
        Rows of the runs. Those with equal values keep their order.
    by : str or None
        Name of the column, with a minus before it to sort from the largest; None to not sort.

    Returns
    -------
    (runs,) array of int
        The sorted rows.
    """
    if by is None:
        return runs
    values = columns[by.removeprefix("-")][runs]
    has_value = values == values
    values = values[has_value]
    if by.startswith("-"):
        # reversed twice, so that equal values keep their order
        order = values.size - 1 - np.argsort(values[::-1], kind="stable")[::-1]
    else:
        order = np.argsort(values, kind="stable")
    return np.concatenate([runs[has_value][order], runs[~has_value]])
