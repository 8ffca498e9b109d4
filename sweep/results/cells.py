"""A scalar over two parameters, a cell for each pair of their values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common.errors import StoreError
from ..common.states import State
from ..store import layout
from ..store.cases import cases as cases_of
from ..store.store import Store
from .columns import Columns, coded, ended_early, equal, labels, runs_of


@dataclass(frozen=True)
class Cells:
    """A scalar over two parameters, a cell for each pair of their values."""

    x: list[Any]
    y: list[Any]
    run: NDArray[np.int64]  #: (y, x), -1 without a run; the first run where a cell sums several
    value: NDArray[np.float64]  #: (y, x), NaN unless all runs of the cell are done
    #: (y, x) of :class:`sweep.common.states.State`; of several runs, the one that prevents a value
    state: NDArray[np.uint8]

    def marked(self, *, log: bool) -> dict[State, NDArray[np.bool_]]:
        """Return where each state is marked, for those that a figure marks.

        Parameters
        ----------
        log : bool
            Whether the colours are logarithmic, so that a zero has no colour.
        """
        marked_states = (State.FAILED, State.PENDING, State.EARLY, State.FILTERED, State.UNUSED)
        marked = {state: self.state == state for state in marked_states}
        if log:
            marked[State.ZERO] = self.value == 0.0
        return marked


def cells(
    columns: Columns,
    name: str,
    x: str,
    y: str,
    fixed: Mapping[str, Any],
    *,
    among: NDArray[np.int64] | None = None,
    over: str | None = None,
    one_grid: bool = False,
) -> Cells:
    """Lay out a scalar over two parameters.

    Parameters
    ----------
    columns : Columns
        Of the store.
    name : str
        Of the scalar.
    x, y : str
        The two parameters.
    fixed : mapping of str to value
        Labels of further parameters; only runs with these values are taken.
    among : (runs,) array of int, optional
        Rows of the chosen runs; all by default. Cells of other runs are filtered out.
    over : str, optional
        Axis to sum over, such as rings. A cell is done when the runs of all its values are.
    one_grid : bool
        Whether values of ``x`` and ``y`` are those of all chosen runs, whatever is fixed, as
        panels of one figure need.

    Returns
    -------
    Cells
        Their values of ``x`` and ``y`` are those of the chosen runs that have the fixed values.

    Raises
    ------
    StoreError
        Several runs share a cell, because a parameter in which they differ is not fixed; the
        message names it.
    """
    store = columns.store
    every_run = runs_of(store)
    if among is None:
        among = every_run
    runs, values_of = labelled_cases(columns, every_run)
    is_fixed = np.ones(runs.size, np.bool_)
    for key, value in fixed.items():
        is_fixed &= equal(values_of(key), value)
    is_among = np.isin(runs, among)
    is_chosen = is_fixed & is_among
    has_label = is_among if one_grid else is_chosen
    along_x = _Dimension.of(values_of(x), has_label)
    along_y = _Dimension.of(values_of(y), has_label)
    along_parts = _Dimension.of(values_of(over) if over else np.zeros(runs.size), is_chosen)
    indices = (along_y.index, along_x.index, along_parts.index)
    shape = (len(along_y.labels), len(along_x.labels), len(along_parts.labels))
    is_in_grid = is_fixed & (np.min(indices, axis=0) >= 0)
    run = np.full(shape, -1, dtype=np.int64)
    run[tuple(index[is_in_grid] for index in indices)] = runs[is_in_grid]
    # the chosen runs last, so that no other run hides them
    chosen_cells = tuple(index[is_chosen] for index in indices)
    run[chosen_cells] = runs[is_chosen]
    hidden = np.flatnonzero(run[chosen_cells] != runs[is_chosen])
    if hidden.size:
        j, i, _ = (index[hidden[0]] for index in chosen_cells)
        hiding_run = int(run[chosen_cells][hidden[0]])
        hidden_run = int(runs[is_chosen][hidden[0]])
        cell = f"{x} = {along_x.labels[i]}, {y} = {along_y.labels[j]}"
        differing = _differing(store, hidden_run, hiding_run, {x, y})
        raise StoreError(f"several runs share {cell}; fix {differing}")
    state = states_of_runs(columns, run, among)
    has_value = np.isin(state, (State.DONE, State.EARLY))
    total = columns[name][run].sum(axis=2, where=has_value)
    has_run = run >= 0
    first_part = has_run.argmax(axis=2, keepdims=True)
    first_run = np.take_along_axis(run, first_part, axis=2)[..., 0]
    state_of_cell = worst_states(state)
    is_whole = np.isin(state_of_cell, (State.DONE, State.EARLY))
    return Cells(
        x=along_x.labels,
        y=along_y.labels,
        run=np.where(has_run.any(axis=2), first_run, -1),
        value=np.where(is_whole, total, np.nan),
        state=state_of_cell,
    )


@dataclass(frozen=True)
class _Dimension:
    """One dimension of the cells: its labels, and where each case stands."""

    labels: list[Any]  #: of some cases
    index: NDArray[np.int64]  #: (cases,), -1 of a value that none of these has

    @classmethod
    def of(cls, values: NDArray[Any], has_label: NDArray[np.bool_]) -> "_Dimension":
        labels, codes = coded(values)
        used = np.unique(codes[has_label])
        index = np.full(len(labels), -1)
        index[used] = np.arange(used.size)
        return cls([labels[code] for code in used.tolist()], index[codes])


def states_of_runs(
    columns: Columns, run: NDArray[np.int64], among: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """Return the state of each run; -1 stands for no run."""
    words = columns["status"]
    state_of_run = np.select(
        [words == State.DONE.word, words == State.FAILED.word],
        [State.DONE, State.FAILED],
        State.PENDING,
    )
    is_early = (state_of_run == State.DONE) & ended_early(columns["stop_reason"])
    state_of_run[is_early] = State.EARLY
    is_chosen = np.zeros(state_of_run.size, np.bool_)
    is_chosen[among] = True
    state_of_run[~is_chosen] = State.FILTERED
    return np.where(run >= 0, state_of_run[run], State.UNUSED).astype(np.uint8)


#: From the state that decides last to the one that decides first, where a cell sums several runs.
_PRECEDENCE = (
    State.DONE,
    State.EARLY,
    State.UNUSED,
    State.FILTERED,
    State.PENDING,
    State.FAILED,
)


def worst_states(state: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the state of each cell from those of its runs, along the last dimension."""
    worst = np.full(state.shape[:-1], State.DONE, dtype=np.uint8)
    for candidate in _PRECEDENCE:
        worst[(state == candidate).any(axis=-1)] = candidate
    return worst


def labelled_cases(
    columns: Columns, among: NDArray[np.int64]
) -> tuple[NDArray[np.int64], Callable[[str], NDArray[Any]]]:
    """Return the run of each case, and a function that gives a parameter's value for each case.

    A run that several cases share is repeated; a run that is no case of the product counts once.
    """
    store = columns.store
    if layout.CASE_RUN not in store:
        return among, lambda key: columns[key][among]
    axes = store.axes
    case_runs, case_labels = cases_of(store, axes)
    is_chosen = np.isin(case_runs, among)
    extra_runs = np.setdiff1d(among, case_runs)
    runs = np.concatenate([case_runs[is_chosen], extra_runs])
    # the value of an axis that is a configuration key is that of the run
    labels_of_axes = {
        axis: np.concatenate([case_labels[axis][is_chosen], columns[axis][extra_runs]])
        for axis in axes
        if not store.is_key(axis)
    }

    def values_of(key: str) -> NDArray[Any]:
        if key in labels_of_axes:
            return labels_of_axes[key]
        values: NDArray[Any] = columns[key][runs]
        return values

    return runs, values_of


def _differing(store: Store, run: int, other_run: int, ignored: set[str]) -> str:
    """Return the names of the parameters in which two runs differ."""
    names = list[str]()
    for key in store.parameters:
        values = labels(store, key)
        if key not in ignored and values[run] != values[other_run]:
            names.append(key)
    return ", ".join(names) or "another parameter"
