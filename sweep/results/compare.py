"""Comparison of two stores: which runs differ, by how much, and what their origins differ in."""

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from ..common.floats import identity, same
from ..common.text import STOP_LABELS, counted, listed, text
from ..store import layout
from ..store.schema import ArraySpec
from ..store.store import Store
from .columns import label, runs_of, without_uncommitted
from .notes import Notes

#: Arrays that depend on the circumstances of a computation (worker, speed, caches), not on its
#: result.
CIRCUMSTANCES = {
    "wall_time",
    "solver_time",
    "worker",
    "attempt",
    "block",
    "in_product",
    "run_id",
    *(name for name in layout.RESERVED if name.startswith("cache")),
}
#: Statistics of the solver; two runs that differ only in these have the same result.
NUMERICS = {
    "steps",
    "steps_rejected",
    "clamped",
    "steps_beyond_qpr",
    "bins_repaired",
    "ledger_error",
    layout.NOTES,
}
PAIRS_PER_READ = 4096
MAX_RUNS_LISTED = 8
#: Rows of a store that are read for each run that is wanted, at most, to read them as one slice.
MAX_ROWS_READ_PER_RUN = 4


@dataclass(frozen=True)
class Difference:
    """How far an array of one store is from the same array of the other."""

    name: str  #: of the array, with its unit
    runs: int  #: number of runs in which it differs by more than the tolerance
    largest: float  #: relative; infinite where only one store has a number
    pair: tuple[int, int]  #: run of A and run of B with the largest difference
    values: tuple[str, str]  #: of that pair; empty for an array with several values per run


@dataclass(frozen=True)
class Comparison:
    """The result of :func:`compare`."""

    pairs: NDArray[np.int64]  #: (pairs, 2), runs of A and B
    by_run_id: int  #: pairs with the same run_id; the others have the same parameters
    only: tuple[list[int], list[int]]  #: runs of A without one of B, and the reverse
    #: pairs that ended in different states or for different reasons
    states: dict[tuple[str, str], list[tuple[int, int]]]
    differences: list[Difference]  #: beyond the tolerance, the largest first
    numerics: list[str]  #: of NUMERICS that differ
    within: int  #: number of arrays that differ, but by no more than the tolerance
    not_compared: list[str]  #: arrays that only one store has, or with another shape
    identical: bool  #: whether all arrays compared have the same bits
    why: list[str] = field(default_factory=list)  #: lines of :func:`reasons`
    notes: tuple[str, str] = ("", "")  #: labels of the notes of the finished runs of A and of B

    @property
    def same(self) -> bool:
        """Whether there is no difference beyond the tolerance."""
        return not (self.differences or self.states or self.only[0] or self.only[1])


def compare(a: Store, b: Store, rtol: float = 0.0) -> Comparison:
    """Match the runs of two stores and compare their results.

    Runs are matched by run_id, the remaining ones by the values of all parameters that either
    store sweeps.

    Parameters
    ----------
    a, b : Store
        The two stores.
    rtol : float
        Largest relative difference that is tolerated: relative to the larger of the two values,
        or, for a time series, to its largest value in the run.

    Returns
    -------
    Comparison
        Of the finished runs; runs in other states are compared by their state only.
    """
    pairs, by_run_id = _matched_runs(a, b)
    status_a, status_b = _both(a, b, "status", pairs)
    reason_a, reason_b = _both(a, b, "stop_reason", pairs)
    states = _different_states(pairs, _endings(status_a, reason_a), _endings(status_b, reason_b))
    done = pairs[(status_a == layout.DONE) & (status_b == layout.DONE)]
    differences = list[Difference]()
    numerics = list[str]()
    within = 0
    identical = True
    shared, not_compared = _arrays(a, b)
    for name in shared:
        difference, same_bits = _difference(a, b, name, done, rtol)
        if same_bits:
            continue
        identical = False
        if name in NUMERICS:
            numerics.append(name)
        elif difference is not None:
            differences.append(difference)
        else:
            within += 1
    differences.sort(key=lambda difference: difference.largest, reverse=True)
    return Comparison(
        pairs=pairs,
        by_run_id=by_run_id,
        only=(_unmatched_runs(a, pairs[:, 0]), _unmatched_runs(b, pairs[:, 1])),
        states=states,
        differences=differences,
        numerics=numerics,
        within=within,
        not_compared=not_compared,
        identical=identical,
        why=list(reasons(a, b)),
        notes=(Notes.of(a).summary, Notes.of(b).summary),
    )


def _matched_runs(a: Store, b: Store) -> tuple[NDArray[np.int64], int]:
    """Return the pairs (pairs, 2) of runs of A and B, and how many have the same run_id."""
    runs_a = runs_of(a).tolist()
    runs_b = runs_of(b).tolist()
    ids_a = a.column("run_id").tolist()
    ids_b = b.column("run_id").tolist()
    run_of_id = {ids_b[run]: run for run in runs_b}
    by_id = [(run, run_of_id[ids_a[run]]) for run in runs_a if ids_a[run] in run_of_id]
    matched_a = {run for run, _ in by_id}
    matched_b = {run for _, run in by_id}
    swept_keys = list({**b.keys, **a.keys})
    values_a = _parameter_values(a, swept_keys)
    values_b = _parameter_values(b, swept_keys)
    # old stores may have several runs with values that are the same to 12 digits
    runs_of_values = dict[Any, deque[int]]()
    for run in runs_b:
        if run not in matched_b:
            runs_of_values.setdefault(values_b[run], deque()).append(run)
    by_values = list[tuple[int, int]]()
    for run in runs_a:
        if run not in matched_a and runs_of_values.get(values_a[run]):
            by_values.append((run, runs_of_values[values_a[run]].popleft()))
    pairs = np.array(sorted([*by_id, *by_values]), dtype=np.int64).reshape(-1, 2)
    return pairs, len(by_id)


def _unmatched_runs(store: Store, matched: NDArray[np.int64]) -> list[int]:
    return sorted({*runs_of(store).tolist()} - {*matched.tolist()})


def _parameter_values(store: Store, keys: list[str]) -> list[tuple[Any, ...]]:
    """Return the values of the configuration keys for each run.

    A key that the store does not sweep has the value of its base configuration in every run.
    """
    coordinates = store.keys
    runs = store.column("status").size
    columns = list[list[Any]]()
    for key in keys:
        if key in coordinates:
            values = store.column(coordinates[key]).tolist()
        else:
            values = [_base_value(store, key)] * runs
        columns.append([_comparable(value) for value in values])
    if not columns:
        return [()] * runs
    return list(zip(*columns, strict=True))


def _comparable(value: Any) -> Any:
    """Return the same for numbers that are the same to 12 digits, and for None and NaN.

    Stores keep None as NaN where the other values are numbers.
    """
    if value is None or value != value:
        return "None"
    return identity(value) if isinstance(value, int | float) else str(value)


def _base_value(store: Store, key: str) -> Any:
    value: Any = store.description.base_config
    for word in key.split("."):
        value = value.get(word) if isinstance(value, Mapping) else None
    return value


def _both(
    a: Store, b: Store, name: str, pairs: NDArray[np.int64]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return an array of both stores, (pairs, ...) each."""
    left = without_uncommitted(name, a.column(name), a.column("status"))
    right = without_uncommitted(name, b.column(name), b.column("status"))
    return left[pairs[:, 0]], right[pairs[:, 1]]


def _different_states(
    pairs: NDArray[np.int64], endings_a: list[str], endings_b: list[str]
) -> dict[tuple[str, str], list[tuple[int, int]]]:
    states: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for pair, ending_a, ending_b in zip(pairs.tolist(), endings_a, endings_b, strict=True):
        if ending_a != ending_b:
            states.setdefault((ending_a, ending_b), []).append((pair[0], pair[1]))
    return states


def _endings(status: NDArray[Any], reason: NDArray[Any]) -> list[str]:
    """Return how each run ended, and why, in words."""
    numbers = zip(status.tolist(), reason.tolist(), strict=True)
    return [_ending(status_number, reason_number) for status_number, reason_number in numbers]


def _ending(status: int, reason: int) -> str:
    words = layout.STATUS.get(status, "unknown")
    if not reason:
        return words
    return f"{words} ({STOP_LABELS.get(reason, 'unknown')})"


def _arrays(a: Store, b: Store) -> tuple[list[str], list[str]]:
    """Return the names of results that both stores have in one shape, and those of the others."""
    results_a = _results(a)
    results_b = _results(b)
    shared = [
        name
        for name, array in results_a.items()
        if name in results_b and array.shape[1:] == results_b[name].shape[1:]
    ]
    return shared, sorted((results_a.keys() | results_b.keys()) - {*shared})


def _results(store: Store) -> dict[str, ArraySpec]:
    """Return the arrays of numbers along ``run`` that are compared, by name in order."""
    left_out = {*CIRCUMSTANCES, *store.parameters, "status", "stop_reason"}
    return {
        name: spec
        for name, spec in sorted(store.arrays.items())
        if spec.dims[0] == "run" and name not in left_out and spec.kind in "fiu"
    }


def _difference(
    a: Store, b: Store, name: str, pairs: NDArray[np.int64], rtol: float
) -> tuple[Difference | None, bool]:
    """Return the difference of an array beyond ``rtol``, if any, and whether all bits agree."""
    runs = 0
    largest = -1.0
    largest_pair = 0
    same_bits = True
    for first in range(0, len(pairs), PAIRS_PER_READ):
        part = pairs[first : first + PAIRS_PER_READ]
        left = _rows(a, name, part[:, 0])
        right = _rows(b, name, part[:, 1])
        if left.tobytes() == right.tobytes():
            continue
        same_bits = False
        relative = _relative(left.astype(float), right.astype(float))
        runs += int((relative > rtol).sum())
        if relative.max() > largest:
            largest = float(relative.max())
            largest_pair = first + int(relative.argmax())
    if not runs:
        return None, same_bits
    run_a, run_b = pairs[largest_pair].tolist()
    values = (_scalar_text(a, name, run_a), _scalar_text(b, name, run_b))
    return Difference(label(a, name), runs, largest, (run_a, run_b), values), same_bits


def _scalar_text(store: Store, name: str, run: int) -> str:
    value = store.rows(name, run)
    return text(value.tolist()) if np.ndim(value) == 0 else ""


def _rows(store: Store, name: str, runs: NDArray[np.int64]) -> NDArray[Any]:
    start = int(runs.min())
    stop = int(runs.max()) + 1
    if stop - start <= MAX_ROWS_READ_PER_RUN * runs.size:
        return np.ascontiguousarray(store.rows(name, slice(start, stop))[runs - start])
    return store.rows(name, runs)


def _relative(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the largest difference of each run over its largest value.

    It is infinite where only one of the two has a number.
    """
    axes = tuple(range(1, left.ndim))
    lost = np.isnan(left) != np.isnan(right)
    with np.errstate(invalid="ignore"):
        distance = np.where(
            np.isnan(left) | np.isnan(right) | (left == right), 0.0, np.abs(left - right)
        )
    scale = np.maximum(
        np.nan_to_num(np.abs(left), posinf=np.inf), np.nan_to_num(np.abs(right), posinf=np.inf)
    ).max(axis=axes, initial=0.0)
    distance = distance.max(axis=axes, initial=0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(np.isinf(distance), np.inf, distance / scale)
    ratio = np.where(distance == 0.0, 0.0, ratio)
    return np.where(lost.any(axis=axes), np.inf, ratio)


def reasons(a: Store, b: Store) -> Iterator[str]:
    """Yield a line for each difference in configuration and environment between two stores."""
    keys_a = a.keys
    keys_b = b.keys
    swept = {**keys_a, **keys_b}
    yield from _unequal(a.description.base_config, b.description.base_config, "", ignored=swept)
    for key, name in swept.items():
        if key not in keys_b:
            yield f"{key} is swept in A ({name}) and {text(_base_value(b, key))} in B"
        elif key not in keys_a:
            yield f"{key} is swept in B ({name}) and {text(_base_value(a, key))} in A"
    record_a = a.description.provenance
    record_b = b.description.provenance
    names = ["model_version", "git_commit", "git_dirty", "python", "platform"]
    if record_a.host and record_b.host:  # recorded on request only
        names.append("host")
    for name in names:
        words = name.replace("_", " ")
        yield from _unequal(getattr(record_a, name), getattr(record_b, name), words)
    yield from _unequal(record_a.packages, record_b.packages, "package")
    yield from _unequal(record_a.tables, record_b.tables, "table")


def _unequal(a: Any, b: Any, name: str, ignored: Collection[str] = ()) -> Iterator[str]:
    """Yield a line for each value of A that B does not have, in all sections of a record."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in dict.fromkeys([*a, *b]):
            full_name = _joined(name, key)
            if full_name not in ignored:
                yield from _unequal(a.get(key), b.get(key), full_name, ignored)
    elif not same(a, b):
        yield f"{name}: A has {text(a)}, B has {text(b)}"


def _joined(section: str, key: str) -> str:
    if not section:
        return str(key)
    if section in {"package", "table"}:
        return f"{section} {key}"
    return f"{section}.{key}"


def report(comparison: Comparison, rtol: float, rows: int) -> Iterator[str | Table]:
    """Yield the lines and tables of a report for people.

    Parameters
    ----------
    comparison : Comparison
        What to report.
    rtol : float
        Tolerance that it was made with.
    rows : int
        Maximum number of lines of each kind.

    Yields
    ------
    str or Table
        A line, or the table of differences.
    """
    yield from _report_on_runs(comparison)
    yield from _report_on_arrays(comparison, rtol, rows)
    if comparison.why:
        yield "differences in configuration and environment:"
        yield from (f"  {line}" for line in comparison.why[:rows])
        if len(comparison.why) > rows:
            yield f"  and {len(comparison.why) - rows} more; --rows shows them"
    if not comparison.same:
        yield "the results are different"
    elif comparison.identical:
        yield "the results are the same, bit for bit"
    else:
        yield f"the results are the same within {rtol:g}"


def _report_on_runs(comparison: Comparison) -> Iterator[str]:
    pairs = len(comparison.pairs)
    by_run_id = comparison.by_run_id
    yield (
        f"{counted(pairs, 'run')} in both: {by_run_id} with the same run_id,"
        f" {pairs - by_run_id} with the same parameters"
    )
    for store, runs in zip("AB", comparison.only, strict=True):
        if runs:
            yield f"{counted(len(runs), 'run')} only in {store}: {listed(runs, MAX_RUNS_LISTED)}"
    for (state_a, state_b), pairs_of_states in comparison.states.items():
        runs_listed = listed([_pair(*pair) for pair in pairs_of_states], MAX_RUNS_LISTED)
        yield f"{state_a} in A, {state_b} in B: {runs_listed}"


def _report_on_arrays(comparison: Comparison, rtol: float, rows: int) -> Iterator[str | Table]:
    if comparison.differences:
        yield _differences_table(comparison.differences[:rows], rtol)
        if len(comparison.differences) > rows:
            hidden = counted(len(comparison.differences) - rows, "more array")
            yield f"and {hidden}; --rows shows them"
    if comparison.numerics:
        yield f"solver statistics differ: {', '.join(comparison.numerics)}"
    for store, summary in zip("AB", comparison.notes, strict=True):
        yield f"notes of {store}: {summary or 'none'}"
    if comparison.within == 1:
        yield f"1 array differs by no more than {rtol:g}"
    elif comparison.within:
        yield f"{comparison.within} arrays differ by no more than {rtol:g}"
    if comparison.not_compared:
        names = ", ".join(comparison.not_compared)
        yield f"not compared (in one store only, or in different shapes): {names}"


def _differences_table(differences: Sequence[Difference], rtol: float) -> Table:
    title = f"differences beyond {rtol:g}, relative" if rtol else "differences, relative"
    table = Table(title=title, title_justify="left")
    table.add_column("array", justify="left", overflow="fold")
    for head in ("runs", "largest", "in run", "A", "B"):
        table.add_column(head, justify="right", overflow="fold")
    for difference in differences:
        table.add_row(
            difference.name,
            str(difference.runs),
            f"{difference.largest:.2g}",
            _pair(*difference.pair),
            *difference.values,
        )
    return table


def _pair(run_a: int, run_b: int) -> str:
    return str(run_a) if run_a == run_b else f"{run_a} (B: {run_b})"
