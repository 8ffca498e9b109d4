"""Columns of a store, with their labels and units, and results laid out over two parameters."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from marsdisk.notes import Note
from marsdisk.result import StopReason

from ..common import floats
from ..common.errors import StoreError
from ..spec.expressions import Expression, Labels
from ..store import layout, reader
from ..store.cases import cases as product_of

#: Coordinates of the runs that are no parameters.
BOOKKEEPING = ("run_id", "block", "in_product", layout.ROUND)
#: Words for the numbers of states and stop reasons, in the order of the numbers.
STATES: Mapping[str, tuple[str, ...]] = {
    "status": tuple(layout.STATUS.values()),
    "stop_reason": ("not_yet", *(reason.label for reason in StopReason)),
}
NOT_DONE = "not_done"  #: in place of the notes of a run without a result
#: All values that columns of text can have.
WORDS: Mapping[str, tuple[str, ...]] = {**STATES, layout.NOTES: Labels(note.label for note in Note)}
_FILLS = {variable.name: variable.fill for variable in layout.EVERY_VARIABLE}
#: Reasons that end a run before its time is up and before blow-out ends by itself, as in
#: :data:`marsdisk.notes.Note`.
EARLY = (StopReason.OPTICAL_DEPTH, StopReason.LOSS_RATE)


def parameters(group: zarr.Group) -> list[str]:
    """Return the names of the parameters that the sweep varies, in the order of its file."""
    return [name for name in str(group.attrs["coordinates"]).split() if name not in BOOKKEEPING]


def coordinates_of_keys(group: zarr.Group) -> dict[str, str]:
    """Return the name of the coordinate of each swept configuration key."""
    return {
        str(group[name].attrs["config_key"]): name
        for name in parameters(group)
        if "config_key" in group[name].attrs
    }


def label(group: zarr.Group, name: str) -> str:
    """Return the name with its unit, such as ``M_loss [M_Mars]``, or alone if it has none."""
    unit = str(group[name].attrs.get("units", "1"))
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


def runs_of(group: zarr.Group) -> NDArray[np.int64]:
    """Return the rows of all runs; rows that an extension left unused hold none."""
    return np.flatnonzero(reader.column(group, "status") != layout.UNUSED)


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

    States, stop reasons and notes are in words.

    Parameters
    ----------
    group : zarr.Group
        The store.

    Examples
    --------
    >>> columns = Columns(reader.open_group("results/temperature_supply.zarr"))
    >>> columns.where('T0 > 3500 and status == "done"')  # rows of runs
    """

    def __init__(self, group: zarr.Group) -> None:
        self.group = group
        self._names = ["run", *dict.fromkeys([*parameters(group), *reader.scalar_names(group)])]
        self._columns: dict[str, NDArray[Any]] = {}
        self._values: dict[tuple[str, int], Any] = {}

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._names:
            names = ", ".join(self._names)
            raise StoreError(f"{name!r} is no array with one value per run; there are {names}")
        if name not in self._columns:
            self._columns[name] = self._read(name)
        return self._columns[name]

    def value(self, name: str, run: int) -> Any:
        """Return one value as a plain number or text, without reading the whole column."""
        if name in self._columns or name == "run":
            return self[name][run : run + 1].tolist()[0]
        if (name, run) not in self._values:
            row = slice(run, run + 1)
            status = self._status[row]
            values = without_uncommitted(name, reader.part(self.group, name, row), status)
            self._values[name, run] = in_words(name, values, status).tolist()[0]
        return self._values[name, run]

    @cached_property
    def _status(self) -> NDArray[Any]:
        return reader.column(self.group, "status")

    def _read(self, name: str) -> NDArray[Any]:
        if name == "run":
            return np.arange(self._status.size)
        # an extension may have made the column longer since the states were read
        values = reader.column(self.group, name)[: self._status.size]
        return in_words(name, without_uncommitted(name, values, self._status), self._status)

    def __contains__(self, name: object) -> bool:
        return name in self._names

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


def ring_axis(group: zarr.Group) -> str | None:
    """Return the axis whose values are the rings of one disk, if there is one."""
    return ring_axis_of(group.attrs)


def ring_axis_of(attributes: Mapping[str, Any]) -> str | None:
    """Return the same as :func:`ring_axis`, from the attributes of a store."""
    axes = attributes["sweep"]["content"].get("axes", {})
    for name in attributes["axes"]:
        content = axes.get(name)
        if isinstance(content, dict) and "rings" in content:
            return str(name)
    return None


def adds_up(unit: str) -> bool:
    """Return whether the sum of a quantity with this unit over the rings is that of the disk."""
    return unit in {"M_Mars", "M_Mars s-1", "J"}


def labels(group: zarr.Group, name: str) -> list[Any]:
    """Return the value of a parameter for each run; ``null`` where the configuration has none."""
    return _with_nulls(reader.column(group, name))


def _with_nulls(values: NDArray[Any]) -> list[Any]:
    return ["null" if value != value else value for value in values.tolist()]


@dataclass(frozen=True)
class Cells:
    """A scalar over two parameters, a cell for each pair of their values."""

    x: list[Any]
    y: list[Any]
    run: NDArray[np.int64]  #: (y, x), -1 without a run; the first run where a cell sums several
    value: NDArray[np.float64]  #: (y, x), NaN unless all runs of the cell are done
    #: (y, x), failed if any run of the cell is, pending if any is or there is none
    status: NDArray[np.uint8]
    early: NDArray[np.bool_]  #: (y, x), whether any run of a done cell was stopped early


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


def equal(values: NDArray[Any], label: Any) -> NDArray[np.bool_]:
    """Return where a parameter has the value that ``label`` stands for, numbers to 12 digits."""
    if values.dtype.kind == "f" and label == "null":
        return np.asarray(np.isnan(values), dtype=bool)
    if values.dtype.kind in "fiu" and floats.is_number(label):
        return floats.equal(values, label)
    return np.asarray(values == label, dtype=bool)


def cells(
    group: zarr.Group,
    name: str,
    x: str,
    y: str,
    fixed: Mapping[str, Any],
    *,
    among: NDArray[np.int64] | None = None,
    over: str | None = None,
    columns: Columns | None = None,
) -> Cells:
    """Lay out a scalar over two parameters.

    Parameters
    ----------
    group : zarr.Group
        The store.
    name : str
        Of the scalar.
    x, y : str
        The two parameters.
    fixed : mapping of str to value
        Labels of further parameters; only runs with these values are taken.
    among : (runs,) array of int, optional
        Rows of the runs to choose from; all by default.
    over : str, optional
        Axis to sum over, such as rings. A cell is done when the runs of all its values are.
    columns : Columns, optional
        Of the store, if some are read already.

    Returns
    -------
    Cells
        Their values of ``x`` and ``y`` are those of the chosen runs.

    Raises
    ------
    StoreError
        Several runs share a cell, because a parameter in which they differ is not fixed; the
        message names it.
    """
    if columns is None:
        columns = Columns(group)
    if among is None:
        among = runs_of(group)
    runs, values_of = _cases(group, columns, among)
    selected = np.ones(runs.size, np.bool_)
    for key, value in fixed.items():
        selected &= equal(values_of(key), value)
    runs = runs[selected]
    xs, i = coded(values_of(x)[selected])
    ys, j = coded(values_of(y)[selected])
    parts: list[Any] = [None]
    k = np.zeros(runs.size, np.int64)
    if over:
        parts, k = coded(values_of(over)[selected])
    run = np.full((len(ys), len(xs), len(parts)), -1, dtype=np.int64)
    run[j, i, k] = runs
    hidden = np.flatnonzero(run[j, i, k] != runs)
    if hidden.size:
        first = int(hidden[0])
        hiding_run = int(run[j, i, k][first])
        differing = _differing(group, int(runs[first]), hiding_run, {x, y})
        cell = f"{x} = {xs[i[first]]}, {y} = {ys[j[first]]}"
        raise StoreError(f"several runs share {cell}; fix {differing}")
    has_run = run >= 0
    words = columns["status"]
    state_of_run = np.select(
        [words == "done", words == "failed"], [layout.DONE, layout.FAILED], layout.PENDING
    )
    state = np.where(has_run, state_of_run[run], layout.PENDING)
    status = np.where((state == layout.DONE).all(axis=2), layout.DONE, layout.PENDING)
    status = np.where((state == layout.FAILED).any(axis=2), layout.FAILED, status)
    is_done = status == layout.DONE
    early = has_run & (state == layout.DONE) & ended_early(columns["stop_reason"])[run]
    total = columns[name][run].sum(axis=2, where=has_run)
    first_part = has_run.argmax(axis=2, keepdims=True)
    first_run = np.take_along_axis(run, first_part, axis=2)[..., 0]
    return Cells(
        x=xs,
        y=ys,
        run=np.where(has_run.any(axis=2), first_run, -1),
        value=np.where(is_done, total, np.nan),
        status=status.astype(np.uint8),
        early=early.any(axis=2) & is_done,
    )


def _cases(
    group: zarr.Group, columns: Columns, among: NDArray[np.int64]
) -> tuple[NDArray[np.int64], Callable[[str], NDArray[Any]]]:
    """Return the run of each case, and a function that gives a parameter's value for each case.

    A run that several cases share is repeated; a run that is no case of the product counts once.
    """
    if layout.CASE_RUN not in group:
        return among, lambda key: columns[key][among]
    axes = reader.axis_names(group)
    case_runs, case_labels = product_of(group, axes)
    is_chosen = np.isin(case_runs, among)
    extra_runs = np.setdiff1d(among, case_runs)
    runs = np.concatenate([case_runs[is_chosen], extra_runs])
    # the value of an axis that is a configuration key is that of the run
    labels_of_axes = {
        axis: np.concatenate([case_labels[axis][is_chosen], columns[axis][extra_runs]])
        for axis in axes
        if "config_key" not in group[axis].attrs
    }

    def values_of(key: str) -> NDArray[Any]:
        if key in labels_of_axes:
            return labels_of_axes[key]
        values: NDArray[Any] = columns[key][runs]
        return values

    return runs, values_of


def _differing(group: zarr.Group, run: int, other_run: int, ignored: set[str]) -> str:
    """Return the names of the parameters in which two runs differ."""
    names = [
        key
        for key in parameters(group)
        if key not in ignored and reader.part(group, key, run) != reader.part(group, key, other_run)
    ]
    return ", ".join(names) or "another parameter"


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
