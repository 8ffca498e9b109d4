"""One scalar result of every case of a sweep, with where it stands and what became of it: what questions to a store are answered from."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from .errors import StoreError
from .notes import Notes
from .store import layout, reader
from .store.cases import cases
from .views import coded, parameters, ring_axis, runs_of

GOOD, FAILED, PENDING, MISSING, NO_NUMBER = range(5)
STATES = {
    GOOD: "used",
    FAILED: "failed",
    PENDING: "pending",
    MISSING: "excluded",
    NO_NUMBER: "without a finite value",
}


@dataclass(frozen=True)
class Outcomes:
    """A scalar of each case of the product; where rings make up the disk and the scalar is a mass, of all its rings together."""

    target: str
    unit: str  #: of the target, or of its logarithm's argument
    log: bool  #: whether ``value`` is log10 of the target
    over_rings: bool  #: whether ``value`` is of the whole disk
    axes: tuple[str, ...]  #: of the product, without rings that are added up
    labels: Mapping[str, NDArray[Any]]  #: (cases,) on each axis
    columns: Mapping[str, NDArray[Any]]  #: (cases,) of each parameter
    value: NDArray[np.float64]  #: (cases,), NaN where the state is not :data:`GOOD`
    state: NDArray[np.uint8]  #: (cases,)
    notes: Notes  #: of the runs that are done

    @property
    def words(self) -> str:
        """The target with its unit."""
        what = f"{self.target} of the whole disk" if self.over_rings else self.target
        unit = "" if self.unit == "1" else f" [{self.unit}]"
        return f"log10 of {what}{unit}" if self.log else f"{what}{unit}"

    def only(self, rows: NDArray[Any]) -> "Outcomes":
        """Those of some cases."""
        parts = (
            {name: column[rows] for name, column in columns.items()}
            for columns in (self.labels, self.columns)
        )
        return replace(
            self,
            labels=next(parts),
            columns=next(parts),
            value=self.value[rows],
            state=self.state[rows],
        )

    def groups(
        self, by: Mapping[str, NDArray[Any]]
    ) -> list[tuple[dict[str, Any], NDArray[np.int64]]]:
        """The cases for each combination of values of the columns ``by``, in order, a missing one as ``null``; all of them where there is none."""
        values, codes = zip(*map(coded, by.values()), strict=True) if by else ((), ())
        rows: dict[tuple[int, ...], list[int]] = {}
        for i, at in enumerate(_together(codes, self.value.size)):
            rows.setdefault(at, []).append(i)
        return [
            (
                {name: of[code] for name, of, code in zip(by, values, at, strict=True)},
                np.array(rows[at]),
            )
            for at in sorted(rows)
        ]


def _target(group: zarr.Group, name: str) -> str:
    """The unit of a scalar result."""
    results = [
        variable.name
        for variable in layout.EVERY_VARIABLE
        if layout.is_target(variable) and variable.name in group
    ]
    if name not in results:
        raise StoreError(
            f"--target {name}: is no result with one number per run; there are"
            f" {', '.join(sorted(results))}"
        )
    return str(group[name].attrs.get("units", "1"))


def _together(codes: Sequence[NDArray[np.int64]], size: int) -> Iterable[tuple[int, ...]]:
    """Row by row."""
    return (
        zip(*(code.tolist() for code in codes), strict=True)
        if codes
        else itertools.repeat((), size)
    )


def _codes(columns: Sequence[NDArray[Any]], size: int) -> NDArray[np.int64]:
    """A number for each combination of values that occurs, counted as they come."""
    known: dict[tuple[int, ...], int] = {}
    rows = _together([coded(column)[1] for column in columns], size)
    return np.array([known.setdefault(row, len(known)) for row in rows], dtype=np.int64)


def outcomes(group: zarr.Group, target: str, *, log: bool = False) -> Outcomes:
    """``target`` of every case.

    Masses [M_Mars] are added up over a ring axis to the whole disk's, for which every ring is
    needed; other targets are taken ring by ring.

    Raises
    ------
    StoreError
        There is no such result, or no case.
    """
    unit = _target(group, target)
    all_axes = list(reader.axis_names(group))
    runs, labels = cases(group, all_axes)
    if not runs.size:  # a sweep of included cases only
        runs = runs_of(group)
        all_axes = []
        labels = {}
    status = reader.column(group, "status")[runs]
    value = reader.column(group, target)[runs].astype(np.float64)
    state = np.where(
        status == layout.FAILED, FAILED, np.where(status == layout.PENDING, PENDING, GOOD)
    ).astype(np.uint8)
    notes = Notes.of(group, runs)
    columns = {name: reader.column(group, name)[runs] for name in parameters(group)}
    rings = [axis for axis in all_axes if unit == "M_Mars" and axis == ring_axis(group)]
    axes = [axis for axis in all_axes if axis not in rings]
    if rings:
        ring = _codes([labels[axis] for axis in rings], runs.size)
        place = _codes([labels[axis] for axis in axes], runs.size)
        size = int(place.max()) + 1
        first = np.unique(place, return_index=True)[1]
        total = np.zeros(size)
        worst = np.full(size, GOOD, np.uint8)
        np.add.at(total, place, value)
        for one in (MISSING, PENDING, FAILED):  # the last that any ring has
            worst[place[state == one]] = one
        worst[(np.bincount(place, minlength=size) <= ring.max()) & (worst == GOOD)] = MISSING
        value = total
        state = worst
        labels = {axis: labels[axis][first] for axis in axes}
        columns = {
            name: column[first]
            for name, column in columns.items()
            if name not in {*rings, "r_in_RM", "r_out_RM"}
        }
    with np.errstate(all="ignore"):
        value = np.log10(value) if log else value
    state = np.where((state == GOOD) & ~np.isfinite(value), NO_NUMBER, state).astype(np.uint8)
    value = np.where(state == GOOD, value, np.nan)
    return Outcomes(
        target,
        unit,
        log,
        bool(rings),
        tuple(axes),
        {axis: labels[axis] for axis in axes},
        columns,
        value,
        state,
        notes,
    )


def left_out(state: NDArray[np.uint8]) -> dict[str, int]:
    """How many cases are not :data:`GOOD`, by what became of them."""
    return {
        word: count
        for code, word in STATES.items()
        if code != GOOD and (count := int((state == code).sum()))
    }


def remarks(found: Outcomes) -> list[str]:
    """What to say of cases that are no result, and of what makes the others doubtful."""
    notes = [
        f"{count} of {found.state.size} cases {word}: left out, nothing is put in their place"
        for word, count in left_out(found.state).items()
    ]
    if found.log and NO_NUMBER in found.state:
        notes.append(f"--log needs {found.target} above 0")
    return [*notes, *found.notes.lines]
