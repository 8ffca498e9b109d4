"""One scalar result of every case of a sweep, with the labels and the state of the case.

Summaries, sensitivities and quantiles of a store are computed from it.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common.errors import StoreError
from ..common.states import State
from ..store import layout
from ..store.cases import cases
from ..store.store import Store
from .columns import adds_up, coded, numbered, runs_of
from .notes import Notes
from .selection import BOUNDS_OF_RINGS, Selection, rings_in_words

GOOD, FAILED, PENDING, MISSING, NO_NUMBER = range(5)
STATES = {
    GOOD: "used",
    FAILED: State.FAILED.word,
    PENDING: State.PENDING.word,
    MISSING: "excluded",
    NO_NUMBER: "without a finite value",
}


@dataclass(frozen=True)
class Outcomes:
    """A scalar of each case of the product.

    A mass is that of the whole disk where the product has an axis of rings.
    """

    target: str
    unit: str  #: of the target, also where ``log`` is set
    log: bool  #: whether ``value`` is log10 of the target
    rings: str  #: the rings that ``value`` is a sum over, in words; empty where it is no sum
    axes: tuple[str, ...]  #: of the product, without rings that are summed
    labels: Mapping[str, NDArray[Any]]  #: (cases,) on each axis
    columns: Mapping[str, NDArray[Any]]  #: (cases,) of each parameter
    value: NDArray[np.float64]  #: (cases,), NaN where the state is not :data:`GOOD`
    state: NDArray[np.uint8]  #: (cases,)
    notes: Notes  #: of the runs that are done

    @property
    def words(self) -> str:
        """The target with its unit."""
        words = self.target_in_words
        if self.unit != "1":
            words += f" [{self.unit}]"
        return f"log10 of {words}" if self.log else words

    @property
    def target_in_words(self) -> str:
        """The target, and the rings that it is a sum over."""
        return f"{self.target} of {self.rings}" if self.rings else self.target

    def only(self, rows: NDArray[Any]) -> "Outcomes":
        """Return the outcomes of some cases."""
        return replace(
            self,
            labels={name: column[rows] for name, column in self.labels.items()},
            columns={name: column[rows] for name, column in self.columns.items()},
            value=self.value[rows],
            state=self.state[rows],
        )

    def groups(
        self, by: Mapping[str, NDArray[Any]]
    ) -> list[tuple[dict[str, Any], NDArray[np.int64]]]:
        """Return the cases with each combination of labels, in the order of the labels.

        Parameters
        ----------
        by : mapping of str to (cases,) array
            Columns to group by. A missing label counts as ``null``.

        Returns
        -------
        list of (dict, array of int)
            Label of each column, and indices of the cases that have these labels; a single group
            with all cases where there are no columns.
        """
        distinct = list[list[Any]]()
        codes = list[NDArray[np.int64]]()
        for column in by.values():
            labels_of_column, codes_of_column = coded(column)
            distinct.append(labels_of_column)
            codes.append(codes_of_column)
        cases_of: dict[tuple[int, ...], list[int]] = {}
        for case, combination in enumerate(_combinations(codes, self.value.size)):
            cases_of.setdefault(combination, []).append(case)
        groups = list[tuple[dict[str, Any], NDArray[np.int64]]]()
        for combination in sorted(cases_of):
            labels = {
                name: labels_of_column[code]
                for name, labels_of_column, code in zip(by, distinct, combination, strict=True)
            }
            groups.append((labels, np.array(cases_of[combination])))
        return groups


def targets(store: Store) -> list[str]:
    """Return the names of a store's results with one number per run."""
    return [
        variable.name
        for variable in layout.EVERY_VARIABLE
        if layout.is_target(variable) and variable.name in store
    ]


def _unit(store: Store, target: str) -> str:
    """Return the unit of a scalar result.

    Raises
    ------
    StoreError
        The store has no such result.
    """
    results = targets(store)
    if target not in results:
        names = ", ".join(sorted(results))
        raise StoreError(
            f"--target {target}: is no result with one number per run; there are {names}"
        )
    return store.unit(target)


def _combinations(codes: Sequence[NDArray[np.int64]], size: int) -> Iterable[tuple[int, ...]]:
    """Return the codes of each case as a tuple, which is empty where there are no columns."""
    if not codes:
        return itertools.repeat((), size)
    return zip(*(code.tolist() for code in codes), strict=True)


def outcomes(
    store: Store,
    target: str,
    *,
    log: bool = False,
    selection: Selection | None = None,
    single_rings: bool = False,
) -> Outcomes:
    """Return the target of every case.

    What adds up, such as masses, is summed over an axis of rings, which needs every ring of a disk;
    other targets are taken ring by ring.

    Parameters
    ----------
    store : Store
        The store.
    target : str
        Name of a result with one number per run.
    log : bool
        Whether to take log10 of it.
    selection : Selection, optional
        The runs that cases are taken of, or whole disks with such a run; by default all.
    single_rings : bool
        Whether to sum nothing.

    Returns
    -------
    Outcomes
        Of the cases of the product, or of all runs where the sweep has no product.

    Raises
    ------
    StoreError
        The store has no such result.
    """
    unit = _unit(store, target)
    axes = list(store.axes)
    runs, labels = cases(store, axes)
    if not runs.size:  # the sweep has included cases only
        runs = runs_of(store)
        axes = []
        labels = {}
    rings = store.ring_axis
    is_summed = rings is not None and adds_up(unit) and rings in axes and not single_rings
    if selection is not None:
        chosen = selection.whole_disks.runs if is_summed else selection.runs
        is_chosen = np.isin(runs, chosen)
        runs = runs[is_chosen]
        labels = {axis: column[is_chosen] for axis, column in labels.items()}
    columns = {name: store.column(name)[runs] for name in store.parameters}
    value = store.column(target)[runs].astype(np.float64)
    state = _states(store.column("status")[runs])
    notes = Notes.of(store, runs)
    summed = ""
    if rings is not None and is_summed:
        axes.remove(rings)
        disk = numbered([labels[axis] for axis in axes], runs.size)
        ring = numbered([labels[rings]], runs.size)
        summed = rings_in_words(int(ring.max()) + 1, store.description.ring_count)
        first_case = np.unique(disk, return_index=True)[1]
        value, state = _disks(value, state, disk, ring)
        columns = {
            name: column[first_case]
            for name, column in columns.items()
            if name not in {rings, *BOUNDS_OF_RINGS}
        }
        labels = {axis: labels[axis][first_case] for axis in axes}
    if log:
        with np.errstate(all="ignore"):
            value = np.log10(value)
    state = np.where((state == GOOD) & ~np.isfinite(value), NO_NUMBER, state).astype(np.uint8)
    return Outcomes(
        target=target,
        unit=unit,
        log=log,
        rings=summed,
        axes=tuple(axes),
        labels={axis: labels[axis] for axis in axes},
        columns=columns,
        value=np.where(state == GOOD, value, np.nan),
        state=state,
        notes=notes,
    )


def _states(status: NDArray[Any]) -> NDArray[np.uint8]:
    states = np.full(status.shape, GOOD, np.uint8)
    states[status == layout.PENDING] = PENDING
    states[status == layout.FAILED] = FAILED
    return states


def _disks(
    value: NDArray[np.float64],
    state: NDArray[np.uint8],
    disk: NDArray[np.int64],
    ring: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Return the sum and the state of each disk, from those of its rings."""
    size = int(disk.max()) + 1
    total = np.zeros(size)
    np.add.at(total, disk, value)
    worst = np.full(size, GOOD, np.uint8)
    for state_of_ring in (MISSING, PENDING, FAILED):  # a later one overrides
        worst[disk[state == state_of_ring]] = state_of_ring
    is_incomplete = np.bincount(disk, minlength=size) <= ring.max()
    worst[is_incomplete & (worst == GOOD)] = MISSING
    return total, worst


def left_out(state: NDArray[np.uint8]) -> dict[str, int]:
    """Return the number of cases in each state other than :data:`GOOD`, by its word."""
    counts = {word: int((state == code).sum()) for code, word in STATES.items() if code != GOOD}
    return {word: count for word, count in counts.items() if count}


def left_out_lines(result: Outcomes) -> list[str]:
    """Return lines on the cases without a result, by the reason."""
    return [
        f"{count} of {result.state.size} cases {word}: left out, no value is substituted"
        for word, count in left_out(result.state).items()
    ]


def remarks(result: Outcomes) -> list[str]:
    """Return lines on the cases without a result, and on caveats of the others."""
    lines = left_out_lines(result)
    if result.log and NO_NUMBER in result.state:
        lines.append(f"--log10 needs {result.target} above 0")
    return [*lines, *result.notes.lines]


def refuse_gathered(store: Store, target: str) -> None:
    """Refuse statistics over a refinement, whose points gather in some places.

    Parameters
    ----------
    store : Store
        The store.
    target : str
        The result that is asked for.

    Raises
    ------
    StoreError
        The store is that of a refinement.
    """
    if store.description.sweep.content.get("refine") is not None:
        raise StoreError(
            "the points of a refinement gather where the result asks for them, so that shares and"
            f" quantiles of {target} over them mean nothing; run a sweep with sample: or design:"
            " over the same axes"
        )
