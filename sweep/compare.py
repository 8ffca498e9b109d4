"""Two stores side by side: which runs differ, by how much, and what was different when they were made."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from rich.table import Table

from .notes import Notes
from .store import layout, reader
from .tables import STOP_LABELS, text
from .views import label, parameters, runs_of, without_uncommitted

#: Tell of the day, not of the result: who ran it, how fast, from which cache.
OF_THE_DAY = {
    "wall_time",
    "solver_time",
    "worker",
    "attempt",
    "block",
    "in_product",
    "run_id",
    *(name for name in layout.RESERVED if name.startswith("cache")),
}
#: Tell how the numbers came about; other steps to the same numbers are no other result.
NUMERICS = {
    "steps",
    "steps_rejected",
    "clamped",
    "steps_beyond_qpr",
    "bins_repaired",
    "ledger_error",
    layout.NOTES,
}
CHUNK = 4096  # pairs of runs of an array that are compared at a time


@dataclass(frozen=True)
class Difference:
    """How far an array of one store is from that of the other."""

    name: str  #: with its unit
    runs: int  #: in which it differs by more than the tolerance
    largest: float  #: relative; infinite where one store has no number
    pair: tuple[int, int]  #: where it is largest: run of A, run of B
    values: tuple[str, str]  #: there


@dataclass(frozen=True)
class Comparison:
    """What :func:`compare` found."""

    pairs: NDArray[np.int64]  #: (pairs, 2), runs of A and B
    by_run_id: int  #: pairs with the same run_id; the others have the same parameters
    only: tuple[list[int], list[int]]  #: runs of A without one of B, and the reverse
    #: pairs that ended in different states or for different reasons
    states: dict[tuple[str, str], list[tuple[int, int]]]
    differences: list[Difference]  #: beyond the tolerance, the largest first
    numerics: list[str]  #: of NUMERICS that differ
    within: int  #: arrays that differ, but by no more than the tolerance
    not_compared: list[str]  #: arrays that only one store has, or with another shape
    identical: bool  #: all arrays compared have the same bits
    why: list[str] = field(default_factory=list)
    notes: tuple[str, str] = ("", "")  #: of the finished runs of A and of B, by their names

    @property
    def same(self) -> bool:
        """Whether there is no difference beyond the tolerance."""
        return not (self.differences or self.states or self.only[0] or self.only[1])


def compare(a: zarr.Group, b: zarr.Group, rtol: float = 0.0) -> Comparison:
    """Match the runs of two stores by run_id, the rest by the values of all parameters that either sweeps, and compare their results.

    Parameters
    ----------
    rtol : largest relative difference, of the larger value, that counts as none; of a series, relative to its largest value in the run
    """
    pairs, by_run_id = _matched(a, b)
    status, stop = (_both(a, b, name, pairs) for name in ("status", "stop_reason"))
    states = _states(pairs, *status, *stop)
    done = pairs[(status[0] == layout.DONE) & (status[1] == layout.DONE)]
    differences = []
    numerics = list[str]()
    within = 0
    identical = True
    shared, not_compared = _arrays(a, b)
    for name in shared:
        found, same_bits = _difference(a, b, name, done, rtol)
        identical &= same_bits
        if name in NUMERICS:
            numerics += [] if same_bits else [name]
        elif found:
            differences.append(found)
        elif not same_bits:
            within += 1
    differences.sort(key=lambda one: one.largest, reverse=True)
    notes = Notes.of(a).summary, Notes.of(b).summary
    only = [
        sorted({*runs_of(group).tolist()} - {*pairs[:, i].tolist()})
        for i, group in enumerate((a, b))
    ]
    return Comparison(
        pairs,
        by_run_id,
        (only[0], only[1]),
        states,
        differences,
        numerics,
        within,
        not_compared,
        identical,
        list(reasons(a, b)),
        notes,
    )


def _matched(a: zarr.Group, b: zarr.Group) -> tuple[NDArray[np.int64], int]:
    ids = [reader.column(group, "run_id").tolist() for group in (a, b)]
    runs = [runs_of(group).tolist() for group in (a, b)]
    place = {ids[1][j]: j for j in runs[1]}
    pairs = [(i, place[ids[0][i]]) for i in runs[0] if ids[0][i] in place]
    taken = {j for _, j in pairs}, {i for i, _ in pairs}
    swept = {**_keys(b), **_keys(a)}
    points = [_points(group, list(swept)) for group in (a, b)]
    free = {points[1][j]: j for j in runs[1] if j not in taken[0]}
    more = [
        (i, free.pop(points[0][i])) for i in runs[0] if i not in taken[1] and points[0][i] in free
    ]
    return np.array(sorted([*pairs, *more]), dtype=np.int64).reshape(-1, 2), len(pairs)


def _keys(group: zarr.Group) -> dict[str, str]:
    """Name of the coordinate of each swept configuration key."""
    return {
        str(group[name].attrs["config_key"]): name
        for name in parameters(group)
        if "config_key" in group[name].attrs
    }


def _points(group: zarr.Group, keys: list[str]) -> list[tuple[Any, ...]]:
    """Value of each of the configuration keys for every run, from its coordinate or from what all runs share."""
    held = _keys(group)
    runs = reader.column(group, "status").size
    columns = [
        (
            [_comparable(v) for v in reader.column(group, held[key]).tolist()]
            if key in held
            else [_comparable(_of_base(group, key))] * runs
        )
        for key in keys
    ]
    return list(zip(*columns, strict=True)) if columns else [()] * runs


def _comparable(value: Any) -> Any:
    return (
        "None"
        if value is None or value != value
        else float(value)
        if isinstance(value, int | float)
        else str(value)
    )


def _of_base(group: zarr.Group, key: str) -> Any:
    value: Any = group.attrs["base_config"]
    for word in key.split("."):
        value = value.get(word) if isinstance(value, Mapping) else None
    return value


def _both(
    a: zarr.Group, b: zarr.Group, name: str, pairs: NDArray[np.int64]
) -> tuple[NDArray[Any], NDArray[Any]]:
    left, right = (
        without_uncommitted(name, reader.column(group, name), reader.column(group, "status"))
        for group in (a, b)
    )
    return left[pairs[:, 0]], right[pairs[:, 1]]


def _states(
    pairs: NDArray[np.int64], *columns: NDArray[Any]
) -> dict[tuple[str, str], list[tuple[int, int]]]:
    found: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for pair, *state in zip(pairs.tolist(), *(column.tolist() for column in columns), strict=True):
        one, other = (_ending(*of_run) for of_run in (state[::2], state[1::2]))
        if one != other:
            found.setdefault((one, other), []).append((pair[0], pair[1]))
    return found


def _ending(status: int, reason: int) -> str:
    """In words: how a run ended, and why."""
    words = layout.STATUS.get(status, "unknown")
    return f"{words} ({STOP_LABELS.get(reason, 'unknown')})" if reason else words


def _arrays(a: zarr.Group, b: zarr.Group) -> tuple[list[str], list[str]]:
    """Names of the numbers along run that both have in one shape, and of those that they have not."""
    held: list[dict[str, Any]] = []
    for group in (a, b):
        arrays = {
            name: array
            for name, array in sorted(group.arrays())
            if array.metadata.dimension_names[:1] == ("run",)  # type: ignore[union-attr, index]
        }
        left_out = {*OF_THE_DAY, *parameters(group), "status", "stop_reason"}
        held.append(
            {
                name: array
                for name, array in arrays.items()
                if name not in left_out and array.dtype.kind in "fiu"
            }
        )
    shared = [
        name
        for name in held[0]
        if name in held[1] and held[0][name].shape[1:] == held[1][name].shape[1:]
    ]
    return shared, sorted((held[0].keys() | held[1].keys()) - {*shared})


def _difference(
    a: zarr.Group, b: zarr.Group, name: str, pairs: NDArray[np.int64], rtol: float
) -> tuple[Difference | None, bool]:
    """The largest difference of one array over the pairs of finished runs, if it is beyond ``rtol``, and whether all bits are the same."""
    runs = 0
    largest = -1.0
    where = 0
    same_bits = True
    for first in range(0, len(pairs), CHUNK):
        part = pairs[first : first + CHUNK]
        left, right = (_rows(group, name, part[:, i]) for i, group in enumerate((a, b)))
        if left.tobytes() == right.tobytes():
            continue
        same_bits = False
        relative = _relative(left.astype(float), right.astype(float))
        runs += int((relative > rtol).sum())
        if relative.max() > largest:
            largest = float(relative.max())
            where = first + int(relative.argmax())
    if not runs:
        return None, same_bits
    pair = (int(pairs[where, 0]), int(pairs[where, 1]))
    shown = [
        text(v.tolist()) if np.ndim(v) == 0 else ""
        for v in (_rows(a, name, pairs[where, :1])[0], _rows(b, name, pairs[where, 1:])[0])
    ]
    return Difference(label(a, name), runs, largest, pair, (shown[0], shown[1])), same_bits


def _rows(group: zarr.Group, name: str, runs: NDArray[np.int64]) -> NDArray[Any]:
    lo = int(runs.min())
    hi = int(runs.max()) + 1
    if hi - lo <= 4 * runs.size:
        return np.ascontiguousarray(reader.part(group, name, slice(lo, hi))[runs - lo])
    return reader.part(group, name, runs)


def _relative(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each run, the largest difference over the largest value; infinite where only one has a number."""
    axes = tuple(range(1, left.ndim))
    lost = np.isnan(left) != np.isnan(right)
    with np.errstate(invalid="ignore"):
        apart = np.where(
            np.isnan(left) | np.isnan(right) | (left == right), 0.0, np.abs(left - right)
        )
    scale = np.maximum(
        np.nan_to_num(np.abs(left), posinf=np.inf), np.nan_to_num(np.abs(right), posinf=np.inf)
    ).max(axis=axes, initial=0.0)
    apart = apart.max(axis=axes, initial=0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(apart == 0.0, 0.0, np.where(np.isinf(apart), np.inf, apart / scale))
    return np.where(lost.any(axis=axes), np.inf, ratio)


def reasons(a: zarr.Group, b: zarr.Group) -> Iterator[str]:
    """A line for each thing that was not the same when the two stores were made."""
    mine = a.attrs
    others = b.attrs
    swept = {**_keys(a), **_keys(b)}
    yield from _unequal(
        mine["base_config"], others["base_config"], "", lambda key: key not in swept
    )
    for key, name in swept.items():
        if (key in _keys(a)) != (key in _keys(b)):
            has, lacks, word = ("A", "B", b) if key in _keys(a) else ("B", "A", a)
            yield f"{key} is swept in {has} ({name}) and {text(_of_base(word, key))} in {lacks}"
    was: Any = mine["provenance"]
    now: Any = others["provenance"]
    # a store says it where that is asked for
    both_named = ["host"] if "host" in was and "host" in now else []
    for what in ("model_version", "git_commit", "git_dirty", "python", "platform", *both_named):
        yield from _unequal(was.get(what), now.get(what), what.replace("_", " "))
    yield from _unequal(was.get("packages", {}), now.get("packages", {}), "package")
    yield from _unequal(was.get("tables", {}), now.get("tables", {}), "table")


def _unequal(
    mine: Any, others: Any, where: str, counts: Callable[[str], bool] = lambda key: True
) -> Iterator[str]:
    if isinstance(mine, Mapping) and isinstance(others, Mapping):
        for key in dict.fromkeys(itertools.chain(mine, others)):
            joined = (
                f"{where} {key}"
                if where in {"package", "table"}
                else f"{where}.{key}"
                if where
                else str(key)
            )
            if counts(joined):
                yield from _unequal(mine.get(key), others.get(key), joined, counts)
    elif mine != others:
        yield f"{where}: A has {text(mine)}, B has {text(others)}"


def report(found: Comparison, rtol: float, rows: int) -> Iterator[str | Table]:
    """What was found, for people; at most ``rows`` lines of each kind."""
    other = len(found.pairs) - found.by_run_id
    yield (
        f"{len(found.pairs)} runs are in both: {found.by_run_id} with the same run_id, {other} with"
        " the same parameters"
    )
    for name, runs in zip("AB", found.only, strict=True):
        if runs:
            yield f"{len(runs)} only in {name}: run{'s' * (len(runs) > 1)} {_listed(runs)}"
    for (one, two), pairs in found.states.items():
        yield f"{one} in A, {two} in B: {_listed([_pair(*pair) for pair in pairs])}"
    if found.differences:
        table = Table(
            title=f"differences beyond {rtol:g}, relative" if rtol else "differences, relative",
            title_justify="left",
        )
        for head in ("array", "runs", "largest", "in run", "A", "B"):
            table.add_column(head, justify="left" if head == "array" else "right", overflow="fold")
        for one_of in found.differences[:rows]:
            table.add_row(
                one_of.name,
                str(one_of.runs),
                f"{one_of.largest:.2g}",
                _pair(*one_of.pair),
                *one_of.values,
            )
        yield table
        if len(found.differences) > rows:
            yield f"and {len(found.differences) - rows} arrays more; --rows shows them"
    if found.numerics:
        yield f"the way to the numbers differs: {', '.join(found.numerics)}"
    for name, summary in zip("AB", found.notes, strict=True):
        yield f"notes of {name}: {summary or 'none'}"
    if found.within:
        yield (
            f"{found.within} array{'s' * (found.within > 1)} differ{'s' * (found.within == 1)} by"
            f" no more than {rtol:g}"
        )
    if found.not_compared:
        yield (
            "not compared, being in one store only or of another shape:"
            f" {', '.join(found.not_compared)}"
        )
    if found.why:
        yield "what was different when they were made:"
        yield from (f"  {line}" for line in found.why[:rows])
        if len(found.why) > rows:
            yield f"  and {len(found.why) - rows} more; --rows shows them"
    if found.same:
        yield "the results are the same" + (
            ", bit for bit" if found.identical else f" within {rtol:g}"
        )
    else:
        yield "the results are different"


def _pair(a: int, b: int) -> str:
    return str(a) if a == b else f"{a} (B: {b})"


def _listed(parts: Sequence[Any], most: int = 8) -> str:
    return ", ".join(map(str, parts[:most])) + (
        f" and {len(parts) - most} more" if len(parts) > most else ""
    )
