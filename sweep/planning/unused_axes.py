"""Axes that change nothing: cases that coincide, and keys that no law in use reads."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marsdisk.cache import RunCache
from marsdisk.common.errors import ConfigError
from marsdisk.config import Variations
from marsdisk.run.inputs import inputs_digest

from ..common.floats import same
from ..spec.axes import ONE_AT_A_TIME, Axis, Overrides, merged
from ..spec.designs import POINT

if TYPE_CHECKING:
    from ..spec.file import Sweep

#: Cases of the product around which each axis is varied.
CASES_VARIED = 6
#: Points of an axis that are compared around each of these cases.
MAX_POINTS_COMPARED = 5


def coinciding(
    sweep: "Sweep", runs: NDArray[np.int64], numbers: NDArray[np.int64]
) -> Iterator[str]:
    """Yield a note where cases of the product are the same run.

    Parameters
    ----------
    sweep : Sweep
        With the cases.
    runs : (cases,) array of int
        The run of each case of the product.
    numbers : (cases,) array of int
        The number of each case in the sweep.

    Yields
    ------
    str
        At most one note, with an example.
    """
    _, first, which = np.unique(runs, return_index=True, return_inverse=True)
    repeats = np.flatnonzero(first[which] != np.arange(runs.size))
    if not repeats.size:
        return
    repeat = repeats[0]
    labels_first = sweep.labels(int(numbers[first[which[repeat]]]))
    labels_repeat = sweep.labels(int(numbers[repeat]))
    yield (
        f"{repeats.size} of {runs.size} cases have the same configuration as another"
        f" ({_difference(labels_repeat, labels_first)} as"
        f" {_difference(labels_first, labels_repeat)}); each is computed once, and case_run in the"
        " store says which run a case is"
    )


def _difference(labels: Mapping[str, Any], other_labels: Mapping[str, Any]) -> str:
    """Return in words the labels of a case that another case does not have."""
    return ", ".join(
        f"{name} = {label}"
        for name, label in labels.items()
        if not same(label, other_labels.get(name))
    )


def _spread(points: Sequence[Overrides]) -> list[Overrides]:
    """Return a few of the points, evenly from the first to the last."""
    last = len(points) - 1
    steps = MAX_POINTS_COMPARED - 1
    indices = [round(j * last / steps) for j in range(MAX_POINTS_COMPARED)]
    return [points[i] for i in dict.fromkeys(indices)]


def _parts(axis: Axis) -> list[tuple[str, list[Overrides]]]:
    """Return name and points of each part of an axis that can be varied alone.

    That is the whole axis, or each key of a design or of ``one_at_a_time``.
    """
    if axis.name == ONE_AT_A_TIME:
        base, *moves = axis.points
        moves_of_keys: dict[tuple[str, ...], list[Overrides]] = {}
        for move in moves:
            moves_of_keys.setdefault(tuple(move), [base]).append(move)
        return [
            (f"{axis.name}.{', '.join(keys)}", _spread(points))
            for keys, points in moves_of_keys.items()
        ]
    if axis.name != POINT:
        return [(axis.name, _spread(axis.points))]
    parts = []
    for key in axis.keys:
        points = [{key: point[key]} for point in axis.points]
        parts.append((f"{axis.section}.axes.{key}", _spread(points)))
    return parts


def idle_axes(sweep: "Sweep") -> Iterator[str]:
    """Yield a note for each axis that changes nothing that a run reads, wherever it was varied."""
    variations = Variations(sweep.base)
    cache = RunCache()
    digests = dict[str, str | None]()

    def digest(overrides: Overrides) -> str | None:
        """Return the digest of what a case reads; None where the case cannot run."""
        name = repr(sorted(overrides.items(), key=lambda item: item[0]))
        if name not in digests:
            try:
                digests[name] = inputs_digest(variations.config(overrides), cache)
            except ConfigError:
                digests[name] = None
        return digests[name]

    draw = random.Random(0)  # noqa: S311 - the same cases each time
    cases = [[axis.points[0] for axis in sweep.axes]]
    for _ in range(CASES_VARIED - 1):
        cases.append([draw.choice(axis.points) for axis in sweep.axes])
    for i, axis in enumerate(sweep.axes):
        # the other keys of a design stay as they are
        end = i + 1 if axis.name == POINT else i
        for name, points in _parts(axis):
            digests_of_cases = []
            for case in cases:
                varied = [merged([*case[:end], point, *case[i + 1 :]]) for point in points]
                digests_of_cases.append(map(digest, varied))
            count = _cases_without_change(digests_of_cases)
            if count:
                yield (
                    f"{name} changes nothing that a run is given, in {len(points)} points tried at"
                    f" {count} places of the sweep: the laws chosen do not use it, and its cases"
                    " repeat each other's results"
                )


def _cases_without_change(digests_of_cases: Iterable[Iterable[str | None]]) -> int:
    """Return around how many cases two points or more can run and give the same digest.

    That is 0, at once, where any point makes a difference.
    """
    cases = 0
    for digests in digests_of_cases:
        first = None
        points = 0
        for digest in filter(None, digests):
            if first not in {None, digest}:
                return 0
            first = digest
            points += 1
        if points > 1:
            cases += 1
    return cases
