"""Axes of a sweep: what a key of the sweep file means as a list of points, each a set of overrides with a label."""

import itertools
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from marsdisk.physics.textfile import shown, shown_text

from .store import layout

Overrides = dict[str, Any]
RING = ("disk.r_in_RM", "disk.r_out_RM")
ONE_AT_A_TIME = "one_at_a_time"
MAX_POINTS = 1_000_000  # of an axis
KINDS = (
    "a list of values, {values: [...]}, {linspace: [first, last, n]}, {geomspace: [first, last, n]}"
    " or {rings: [r_in, r_out, n]}"
)


@dataclass(frozen=True)
class Axis:
    """One dimension of the product of cases."""

    name: str  #: of its dimension in the store's grid view
    points: tuple[Overrides, ...]
    labels: tuple[Any, ...]  #: value of the dimension's coordinate at each point
    section: str = ""  #: of the sweep file that it is from, where that is not its name
    words: str = ""  #: what its points are, where their ends do not tell

    @property
    def source(self) -> str:
        """What messages call it."""
        return self.section or self.name

    @property
    def ends(self) -> str:
        """Its first and last point in words, or what its points are."""
        if self.words:
            return self.words
        first = self.points[0]
        last = self.points[-1]
        if {*RING} <= first.keys() & last.keys():
            return f"r = {first[RING[0]]:g} to {last[RING[1]]:g} R_M"
        return f"{self.labels[0]} to {self.labels[-1]}"

    @property
    def keys(self) -> tuple[str, ...]:
        """Configuration keys that the axis sets at any of its points."""
        return tuple(dict.fromkeys(key for point in self.points for key in point))


def _span(kind: str, numbers: Any) -> list[float]:
    good = (
        isinstance(numbers, list)
        and len(numbers) == 3
        and all(isinstance(x, int | float) and not isinstance(x, bool) for x in numbers)
    )
    good = good and all(abs(x) <= sys.float_info.max for x in numbers)  # which NaN is not
    if not good or type(numbers[2]) is not int or numbers[2] < 1:
        raise ValueError(
            f"{kind} takes [first, last, n] with a whole number n >= 1, got {shown(numbers)}"
        )
    first, last, n = numbers
    if n > MAX_POINTS:
        raise ValueError(f"{kind} asks for {n} points, more than {MAX_POINTS}; split the sweep")
    if kind == "geomspace" and not (first > 0 and last > 0):
        raise ValueError(f"geomspace needs positive ends, got {shown(numbers)}")
    if not math.isfinite(last - first):
        raise ValueError(
            f"{kind}: the ends are too far apart for floating-point numbers, got {shown(numbers)}"
        )
    values = np.geomspace(first, last, n) if kind == "geomspace" else np.linspace(first, last, n)
    return [float(value) for value in values]


def _twice(values: list[Any]) -> Any:
    """A value that stands there again, None where all differ."""
    try:
        if len(set(values)) == len(values):
            return None
    except TypeError:  # lists and mappings
        pass
    return next((value for i, value in enumerate(values) if value in values[:i]), None)


def _rings(name: str, numbers: Any) -> Axis:
    """Rings of equal width: ring i sets disk.r_in_RM and disk.r_out_RM, and their areas add up to the disk's."""
    if "." in name:
        raise ValueError(
            f"rings set {' and '.join(RING)}, not {shown_text(name)}; call the axis ring"
        )
    _span("rings", numbers)
    edges = _span("rings", [*numbers[:2], numbers[2] + 1])
    if not 0.0 < edges[0] < edges[-1] or len(edges) < 2:
        raise ValueError(
            f"rings needs 0 < r_in < r_out in Mars radii and n >= 1, got {shown(numbers)}"
        )
    points = tuple(dict(zip(RING, ends, strict=True)) for ends in itertools.pairwise(edges))
    return Axis(name, points, tuple(range(len(points))))


def parse_axis(name: str, given: Any) -> Axis:
    """The axis that ``name: given`` in a sweep file describes.

    Raises
    ------
    ValueError
        Not one of the kinds of axis, no values, or a value twice.
    """
    if isinstance(given, Mapping):
        if len(given) != 1:
            raise ValueError(
                f"must be {KINDS}, got the keys {shown_text(', '.join(given)) or '(none)'}"
            )
        ((kind, numbers),) = given.items()
        if kind == "rings":
            return _rings(name, numbers)
        if kind in {"linspace", "geomspace"}:
            given = _span(kind, numbers)
        elif kind == "values":
            given = numbers
        else:
            raise ValueError(f"there is no kind of axis {shown(kind)}; must be {KINDS}")
    if not isinstance(given, list):
        raise ValueError(f"must be {KINDS}, got {shown(given)}")
    if not given:
        raise ValueError("is empty; give at least one value or drop the axis")
    twice = _twice(given)
    if twice is not None:
        raise ValueError(f"has the value {shown(twice)} twice; drop one")
    return Axis(name, tuple({name: value} for value in given), tuple(given))


def zip_axis(given: Any) -> Axis:
    """Keys that move together: {key: [values], key: [values]}, all of one length."""
    if (
        not isinstance(given, Mapping)
        or not given
        or not all(isinstance(values, list) and values for values in given.values())
    ):
        raise ValueError(f"must be keys with lists of values, got {shown(given)}")
    lengths = {key: len(values) for key, values in given.items()}
    if len(set(lengths.values())) != 1:
        counts = ", ".join(f"{n} for {key}" for key, n in lengths.items())
        raise ValueError(f"lists that move together must be equally long, got {shown_text(counts)}")
    points = tuple(
        dict(zip(given, values, strict=True)) for values in zip(*given.values(), strict=True)
    )
    distinct = [
        key
        for key, values in given.items()
        if all(value not in values[:i] for i, value in enumerate(values))
    ]
    if not distinct:
        raise ValueError(
            f"no key of {shown_text(', '.join(given))} has a different value at every point, so"
            " that the points have no name; use variants"
        )
    return Axis(distinct[0], points, tuple(given[distinct[0]]))


def one_at_a_time_axis(given: Mapping[str, Any]) -> Axis:
    """The base, and each key at each of its values with all others as in the base."""
    moves: dict[str, Overrides] = {}
    problems = []
    for key, values in given.items():
        try:
            axis = parse_axis(key, values)
            moves |= {
                f"{key} = {label}": point
                for label, point in zip(axis.labels, axis.points, strict=True)
            }
        except ValueError as error:
            problems.append(f"{shown_text(key)} {error}")
    if problems:
        raise ValueError("; ".join(problems))
    words = f"the base and {len(moves)} changes of one of {len(given)} keys"
    return Axis(ONE_AT_A_TIME, ({}, *moves.values()), ("base", *moves), words=words)


def variant_axis(given: Mapping[str, Any]) -> Axis:
    """Named sets of overrides."""
    bad = [name for name, overrides in given.items() if not isinstance(overrides, Mapping)]
    if bad:
        raise ValueError(
            f"{shown_text(bad[0])} must be a set of overrides (possibly empty: {{}}), got"
            f" {shown(given[bad[0]])}"
        )
    return Axis("variant", tuple(dict(overrides) for overrides in given.values()), tuple(given))


def short_names(keys: list[str]) -> dict[str, str]:
    """Last word of each dotted key, or more of it where two would clash, or where the store has an array of that name."""
    names = {}
    for key in keys:
        words = key.split(".")
        for count in range(1, len(words) + 1):
            name = "_".join(words[-count:])
            if name not in layout.RESERVED and not any(
                "_".join(other.split(".")[-count:]) == name for other in keys if other != key
            ):
                break
        names[key] = name
    return names


def same(a: Any, b: Any) -> bool:
    """Whether two values given for a key mean the same (numbers to round-off)."""
    if (
        isinstance(a, int | float)
        and isinstance(b, int | float)
        and not isinstance(a, bool)
        and not isinstance(b, bool)
    ):
        return math.isclose(a, b, rel_tol=1e-12)
    return bool(a == b)
