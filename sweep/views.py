"""What every table, picture and page of a store needs: labels with units, single runs, and a quantity laid out over two parameters."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from marsdisk.notes import Note
from marsdisk.result import StopReason

from .errors import StoreError
from .expressions import Expression, Labels
from .store import layout, reader
from .store.cases import cases as product_of

# coordinates of the runs that are no parameters
BOOKKEEPING = ("run_id", "block", "in_product", layout.ROUND)
#: What the number of a state or of a reason to stop stands for.
STATES: Mapping[str, tuple[str, ...]] = {
    "status": tuple(layout.STATUS.values()),
    "stop_reason": ("not_yet", *(reason.label for reason in StopReason)),
}
NOT_DONE = "not_done"  #: stands in the place of the notes of a run that has no result
#: All that columns of text can be.
WORDS: Mapping[str, tuple[str, ...]] = {**STATES, layout.NOTES: Labels(note.label for note in Note)}
_FILLS = {variable.name: variable.fill for variable in layout.EVERY_VARIABLE}
#: Ends that a run comes to before its time is up and before blow-out ends by itself, as
#: :data:`marsdisk.notes.Note` has it.
EARLY = (StopReason.OPTICAL_DEPTH, StopReason.LOSS_RATE)


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


def ended_early(words: NDArray[Any]) -> NDArray[np.bool_]:
    """The same of reasons in words, as :class:`Columns` has them."""
    return np.isin(words.astype(object), [reason.label for reason in EARLY])


def in_order(labels: Sequence[Any]) -> list[Any]:
    """Each label once: numbers sorted, texts as they come (runs are stored in cache order)."""
    once = list(dict.fromkeys(labels))
    return (
        once
        if any(
            isinstance(part, str)
            for label in once
            for part in (label if isinstance(label, tuple) else (label,))
        )
        else sorted(once)
    )


def without_uncommitted(name: str, values: NDArray[Any], status: NDArray[Any]) -> NDArray[Any]:
    """``values`` of runs with nothing where no commit record vouches for them: a worker may have died while it wrote."""
    pending = status == layout.PENDING
    if name not in _FILLS or not pending.any():
        return values
    values = values.copy()
    values[pending] = _FILLS[name]
    return values


def runs_of(group: zarr.Group) -> NDArray[np.int64]:
    """Numbers of all runs: every row of the store but those that an extension left unused."""
    return np.flatnonzero(reader.column(group, "status") != layout.UNUSED)


def in_words(name: str, values: NDArray[Any], status: NDArray[Any]) -> NDArray[Any]:
    """States, reasons to stop, and notes in words, other values as they are; ``status`` is that of their runs."""
    if name == layout.NOTES:
        flags, place = np.unique(values, return_inverse=True)
        words = np.array(
            [Note(flag).label for flag in flags.tolist()], dtype=np.dtypes.StringDType()
        )
        of_runs: NDArray[Any] = words[place.reshape(values.shape)]
        of_runs[status != layout.DONE] = NOT_DONE
        return of_runs
    if name not in STATES:
        return values
    words = np.array([*STATES[name], "unknown"], dtype=np.dtypes.StringDType())
    chosen: NDArray[Any] = words[np.minimum(values, len(STATES[name]))]
    return chosen


class Columns(Mapping[str, NDArray[Any]]):
    """Whatever has one value per run, and ``run``, its number; each read when first used. States and reasons to stop are in words.

    Examples
    --------
    >>> columns = Columns(reader.open_group("results/temperature_supply.zarr"))
    >>> columns.where('T0 > 3500 and status == "done"')  # numbers of runs
    """

    def __init__(self, group: zarr.Group) -> None:
        self.group, self._known, self._single = (
            group,
            dict[str, NDArray[Any]](),
            dict[tuple[str, int], Any](),
        )
        self._names = ["run", *dict.fromkeys([*parameters(group), *reader.scalar_names(group)])]

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._known:
            if name not in self._names:
                raise StoreError(
                    f"{name!r} is no array with one value per run; there are"
                    f" {', '.join(self._names)}"
                )
            self._known[name] = self._read(name)
        return self._known[name]

    def value(self, name: str, run: int) -> Any:
        """One value as a plain number or text, without reading all."""
        if name in self._known or name == "run":
            return self[name][run : run + 1].tolist()[0]
        if (name, run) not in self._single:
            one = slice(run, run + 1)
            values = without_uncommitted(
                name, reader.part(self.group, name, one), self._status[one]
            )
            self._single[name, run] = in_words(name, values, self._status[one]).tolist()[0]
        return self._single[name, run]

    @cached_property
    def _status(self) -> NDArray[Any]:
        return reader.column(self.group, "status")

    def _read(self, name: str) -> NDArray[Any]:
        if name == "run":
            return np.arange(self._status.size)
        # an extension may have made it longer since
        values = reader.column(self.group, name)[: self._status.size]
        return in_words(name, without_uncommitted(name, values, self._status), self._status)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def where(self, condition: str | None) -> NDArray[np.int64]:
        """Numbers of the runs for which ``condition`` holds, all of them without one."""
        used = np.flatnonzero(self._status != layout.UNUSED)
        return (
            used if condition is None else used[Expression(condition).condition(self, WORDS)[used]]
        )


def ring_axis(group: zarr.Group) -> str | None:
    """The axis whose points are rings of one disk, if there is one."""
    return ring_axis_of(group.attrs)


def ring_axis_of(attributes: Mapping[str, Any]) -> str | None:
    """The same from the attributes of a store."""
    kinds = attributes["sweep"]["content"].get("axes", {})
    return next(
        (
            name
            for name in attributes["axes"]
            if isinstance(kinds.get(name), dict) and "rings" in kinds[name]
        ),
        None,
    )


def adds_up(unit: str) -> bool:
    """Whether a quantity with this unit is that of a ring, so that its sum over the rings is that of the disk."""
    return unit in {"M_Mars", "M_Mars s-1", "J"}


def labels(group: zarr.Group, name: str) -> list[Any]:
    """Value of a parameter for each run; ``null`` where the configuration has none."""
    return ["null" if value != value else value for value in reader.column(group, name).tolist()]


@dataclass(frozen=True)
class Cells:
    """A scalar over two parameters, a cell for each pair of values; a cell without a run has ``run`` -1 and value NaN."""

    x: list[Any]
    y: list[Any]
    run: NDArray[np.int64]  #: (y, x), the first of them where a cell sums several
    value: NDArray[np.float64]  #: (y, x), NaN where a run is not done
    #: (y, x), failed where any run is, pending where any is or there is none
    status: NDArray[np.uint8]
    early: NDArray[np.bool_]  #: (y, x), of :func:`stopped_early`


def coded(values: NDArray[Any]) -> tuple[list[Any], NDArray[np.int64]]:
    """Each of ``values`` once, as :func:`in_order` has them, and for each value its number in that list; NaN is ``null``, behind the others."""
    if values.dtype.kind in "biu" or (values.dtype.kind == "f" and not np.isnan(values).any()):
        once, codes = np.unique(values, return_inverse=True)
        return once.tolist(), codes.astype(np.int64)
    every = ["null" if value != value else value for value in values.tolist()]
    words = in_order([value for value in every if value != "null"]) + ["null"] * ("null" in every)
    place = {word: i for i, word in enumerate(words)}
    return words, np.fromiter((place[word] for word in every), dtype=np.int64, count=len(every))


def equal(values: NDArray[Any], label: Any) -> NDArray[np.bool_]:
    """Where a parameter has the value that ``label`` stands for."""
    return np.asarray(
        np.isnan(values) if values.dtype.kind == "f" and label == "null" else values == label,
        dtype=bool,
    )


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
    """``name`` over ``x`` and ``y`` with the other parameters at the values ``fixed``.

    Parameters
    ----------
    among : numbers of the runs to choose from; None for all
    over : the axis to sum over, such as rings: a cell is done when the runs of all its points are
    columns : of the store, where some are read already

    Raises
    ------
    StoreError
        Several runs share a cell, since a parameter in which they differ is not fixed; it is named.
    """
    columns = Columns(group) if columns is None else columns
    chosen, at = _places(group, columns, runs_of(group) if among is None else among)
    here = np.logical_and.reduce(
        [equal(at(key), value) for key, value in fixed.items()], initial=True
    ) & np.ones(chosen.size, np.bool_)
    chosen = chosen[here]
    (xs, i), (ys, j) = (coded(at(key)[here]) for key in (x, y))
    parts, k = coded(at(over)[here]) if over else ([None], np.zeros(chosen.size, np.int64))
    run = np.full((len(ys), len(xs), len(parts)), -1, dtype=np.int64)
    run[j, i, k] = chosen
    hidden = np.flatnonzero(run[j, i, k] != chosen)
    if hidden.size:
        one = int(chosen[hidden[0]])
        other = int(run[j, i, k][hidden[0]])
        raise StoreError(
            f"several runs share {x} = {xs[i[hidden[0]]]}, {y} = {ys[j[hidden[0]]]}; fix"
            f" {_differing(group, one, other, {x, y})}"
        )
    there = run >= 0
    words = columns["status"]
    state = np.where(
        there,
        np.select(
            [words == "done", words == "failed"], [layout.DONE, layout.FAILED], layout.PENDING
        )[run],
        layout.PENDING,
    )
    early = (there & (state == layout.DONE) & ended_early(columns["stop_reason"])[run]).any(axis=2)
    whole = np.where(
        (state == layout.FAILED).any(axis=2),
        layout.FAILED,
        np.where((state == layout.DONE).all(axis=2), layout.DONE, layout.PENDING),
    )
    value = np.where(whole == layout.DONE, columns[name][run].sum(axis=2, where=there), np.nan)
    first = np.where(
        there.any(axis=2),
        np.take_along_axis(run, there.argmax(axis=2, keepdims=True), axis=2)[..., 0],
        -1,
    )
    return Cells(xs, ys, first, value, whole.astype(np.uint8), early & (whole == layout.DONE))


def _places(
    group: zarr.Group, columns: Columns, among: NDArray[np.int64]
) -> tuple[NDArray[np.int64], Callable[[str], NDArray[Any]]]:
    """``among`` with a run that several cases share as often as they are, and a parameter's value for each of them."""
    if layout.CASE_RUN not in group:
        return among, lambda key: columns[key][among]
    names = reader.axis_names(group)
    product, labels = product_of(group, names)
    kept = np.isin(product, among)
    others = np.setdiff1d(among, product)
    runs = np.concatenate([product[kept], others])
    positions = {
        name: np.concatenate([labels[name][kept], columns[name][others]])
        for name in names
        if "config_key" not in group[name].attrs
    }
    return runs, lambda key: positions[key] if key in positions else columns[key][runs]


def _differing(group: zarr.Group, one: int, other: int, known: set[str]) -> str:
    rest = (key for key in parameters(group) if key not in known)
    return (
        ", ".join(
            key for key in rest if reader.part(group, key, one) != reader.part(group, key, other)
        )
        or "another parameter"
    )
