"""Axes that change nothing: cases that coincide, and keys that no law in use asks for."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marsdisk.cache import RunCache
from marsdisk.config import Variations
from marsdisk.errors import ConfigError
from marsdisk.inputs import inputs_digest

from .axes import ONE_AT_A_TIME, Axis, Overrides
from .design import POINT

if TYPE_CHECKING:
    from .spec import Sweep

PLACES = 6  # of the product at which an axis is tried
VALUES = 5  # of an axis that are tried at each


def coinciding(
    sweep: "Sweep", runs: NDArray[np.int64], numbers: NDArray[np.int64]
) -> Iterator[str]:
    """A note where cases of the product are the same run.

    Parameters
    ----------
    runs : (cases,) which run each case of the product is
    numbers : (cases,) number of each
    """
    _, first, which = np.unique(runs, return_index=True, return_inverse=True)
    again = np.flatnonzero(first[which] != np.arange(runs.size))
    if again.size:
        pair = [sweep.labels(int(numbers[case])) for case in (first[which[again[0]]], again[0])]
        one, other = (
            {key: value for key, value in labels.items() if value != beside.get(key)}
            for labels, beside in (pair, pair[::-1])
        )
        yield (
            f"{again.size} of {runs.size} cases have the same configuration as another"
            f" ({_words(other)} as {_words(one)}); each is computed once, and case_run in the store"
            " says which run a case is"
        )


def _words(labels: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {label}" for name, label in labels.items())


def _spread(points: Sequence[Overrides]) -> list[Overrides]:
    """A few of the points from the first to the last."""
    last = len(points) - 1
    return [points[i] for i in dict.fromkeys(round(j * last / (VALUES - 1)) for j in range(VALUES))]


def _parts(axis: Axis) -> list[tuple[str, list[Overrides]]]:
    """What can be moved alone on an axis, by the name that its author knows: the whole axis, or each key of a design."""
    if axis.name == ONE_AT_A_TIME:
        base, *moves = axis.points
        together = {
            tuple(point): [base, *(move for move in moves if move.keys() == point.keys())]
            for point in moves
        }
        return [
            (f"{axis.name}.{', '.join(keys)}", _spread(points)) for keys, points in together.items()
        ]
    if axis.name != POINT:
        return [(axis.name, _spread(axis.points))]
    return [
        (f"{axis.section}.axes.{key}", _spread([{key: point[key]} for point in axis.points]))
        for key in axis.keys
    ]


def idle_axes(sweep: "Sweep") -> Iterator[str]:
    """A note for each axis that, wherever in the product it was tried, changes nothing that a run is given."""
    variations = Variations(sweep.base)
    cache = RunCache()
    known = dict[str, str | None]()

    def digest(overrides: Overrides) -> str | None:
        """None where the case cannot run."""
        name = repr(sorted(overrides.items(), key=lambda item: item[0]))
        if name not in known:
            try:
                known[name] = inputs_digest(variations.config(overrides), cache)
            except ConfigError:
                known[name] = None
        return known[name]

    draw = random.Random(0)  # noqa: S311 - places to try, always the same ones
    places = [
        [draw.choice(axis.points) if place else axis.points[0] for axis in sweep.axes]
        for place in range(PLACES)
    ]
    for i, axis in enumerate(sweep.axes):
        kept = 1 if axis.name == POINT else 0  # a design's other keys stay where they are
        for name, points in _parts(axis):
            tried = [
                [_together([*place[: i + kept], point, *place[i + 1 :]]) for point in points]
                for place in places
            ]
            able = _places_without_change([map(digest, at) for at in tried])
            if able:
                yield (
                    f"{name} changes nothing that a run is given, in {len(points)} points tried at"
                    f" {able} places of the sweep: the laws chosen do not use it, and its cases"
                    " repeat each other's results"
                )


def _places_without_change(digests: Iterable[Iterable[str | None]]) -> int:
    """At how many places two points or more can run and give the same; 0 at once where any point makes a difference."""
    able = 0
    for at in digests:
        first = None
        count = 0
        for found in filter(None, at):
            if first not in {None, found}:
                return 0
            first = found
            count = count + 1
        able += count > 1
    return able


def _together(points: Sequence[Overrides]) -> Overrides:
    return {key: value for point in points for key, value in point.items()}
