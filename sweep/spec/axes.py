"""Axes of a sweep: lists of points, each a set of overrides with a label."""

import itertools
import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from marsdisk.common.text import shown, shown_text

from ..store import layout

Overrides = dict[str, Any]
RING = ("disk.r_in_RM", "disk.r_out_RM")
ONE_AT_A_TIME = "one_at_a_time"
#: Points of an axis.
MAX_POINTS = 1_000_000
KINDS = (
    "a list of values, {values: [...]}, {linspace: [first, last, n]}, {geomspace: [first, last, n]}"
    " or {rings: [r_in, r_out, n]}"
)


@dataclass(frozen=True)
class Axis:
    """One dimension of the product of cases."""

    name: str  #: name of its dimension in the grid view of a store
    points: tuple[Overrides, ...]
    labels: tuple[Any, ...]  #: value of the dimension's coordinate at each point
    section: str = ""  #: section of the sweep file that it is from, where that is not its name
    words: str = ""  #: description of its points, where their ends do not give one

    @property
    def source(self) -> str:
        """Name in messages."""
        return self.section or self.name

    @property
    def ends(self) -> str:
        """First and last point in words, or a description of all points."""
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


def merged(points: Iterable[Overrides]) -> Overrides:
    """Return the overrides of several points together; later points win."""
    return {key: value for point in points for key, value in point.items()}


def _is_finite_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max  # which NaN is not


def _span(kind: str, numbers: Any) -> list[float]:
    """Return the values of ``{kind: [first, last, n]}``; ValueError where it gives none."""
    is_span = isinstance(numbers, list) and len(numbers) == 3
    is_span = is_span and all(map(_is_finite_number, numbers))
    if not is_span or type(numbers[2]) is not int or numbers[2] < 1:
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
    spaced = np.geomspace if kind == "geomspace" else np.linspace
    return [float(value) for value in spaced(first, last, n)]


def _repeated(values: list[Any]) -> Any:
    """Return the first value that is given again; None where all differ."""
    try:
        if len(set(values)) == len(values):
            return None
    except TypeError:  # lists and mappings
        pass
    for i, value in enumerate(values):
        if value in values[:i]:
            return value
    return None


def _rings(name: str, numbers: Any) -> Axis:
    """Return rings of equal width from ``[r_in, r_out, n]``, radii in Mars radii."""
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


def parse_axis(name: str, entry: Any) -> Axis:
    """Return the axis that ``name: entry`` in a sweep file describes.

    Parameters
    ----------
    name : str
        A dotted key, or the name of an axis of rings.
    entry : list or mapping
        One of :data:`KINDS`.

    Returns
    -------
    Axis
        A point for each value.

    Raises
    ------
    ValueError
        It is none of these kinds, or has no values or a value twice.
    """
    if isinstance(entry, Mapping):
        if len(entry) != 1:
            raise ValueError(
                f"must be {KINDS}, got the keys {shown_text(', '.join(entry)) or '(none)'}"
            )
        ((kind, numbers),) = entry.items()
        if kind == "rings":
            return _rings(name, numbers)
        if kind in {"linspace", "geomspace"}:
            entry = _span(kind, numbers)
        elif kind == "values":
            entry = numbers
        else:
            raise ValueError(f"there is no kind of axis {shown(kind)}; must be {KINDS}")
    if not isinstance(entry, list):
        raise ValueError(f"must be {KINDS}, got {shown(entry)}")
    if not entry:
        raise ValueError("is empty; give at least one value or drop the axis")
    repeated = _repeated(entry)
    if repeated is not None:
        raise ValueError(f"has the value {shown(repeated)} twice; drop one")
    return Axis(name, tuple({name: value} for value in entry), tuple(entry))


def zip_axis(lists: Any) -> Axis:
    """Return the axis of keys that move together.

    Parameters
    ----------
    lists : mapping
        Lists of values by key, all of one length.

    Returns
    -------
    Axis
        Named after the first key that has another value at every point.

    Raises
    ------
    ValueError
        The lists are missing or differ in length, or no key names the points.
    """
    if (
        not isinstance(lists, Mapping)
        or not lists
        or not all(isinstance(values, list) and values for values in lists.values())
    ):
        raise ValueError(f"must be keys with lists of values, got {shown(lists)}")
    lengths = {key: len(values) for key, values in lists.items()}
    if len(set(lengths.values())) != 1:
        counts = ", ".join(f"{n} for {key}" for key, n in lengths.items())
        raise ValueError(f"lists that move together must be equally long, got {shown_text(counts)}")
    rows = zip(*lists.values(), strict=True)
    points = tuple(dict(zip(lists, row, strict=True)) for row in rows)
    for key, values in lists.items():
        if all(value not in values[:i] for i, value in enumerate(values)):
            return Axis(key, points, tuple(values))
    raise ValueError(
        f"no key of {shown_text(', '.join(lists))} has a different value at every point, so"
        " that the points have no name; use variants"
    )


def one_at_a_time_axis(values_of_keys: Mapping[str, Any]) -> Axis:
    """Return the axis of the base and of each key at each of its values, all others unchanged.

    Parameters
    ----------
    values_of_keys : mapping
        By key, what :func:`parse_axis` takes.

    Returns
    -------
    Axis
        The base is its first point.

    Raises
    ------
    ValueError
        Any key has no axis.
    """
    moves: dict[str, Overrides] = {}
    problems = []
    for key, values in values_of_keys.items():
        try:
            axis = parse_axis(key, values)
        except ValueError as error:
            problems.append(f"{shown_text(key)} {error}")
            continue
        for label, point in zip(axis.labels, axis.points, strict=True):
            moves[f"{key} = {label}"] = point
    if problems:
        raise ValueError("; ".join(problems))
    words = f"the base and {len(moves)} changes of one of {len(values_of_keys)} keys"
    return Axis(ONE_AT_A_TIME, ({}, *moves.values()), ("base", *moves), words=words)


def variant_axis(variants: Mapping[str, Any]) -> Axis:
    """Return the axis of named sets of overrides; ValueError where any is not one."""
    bad = [name for name, overrides in variants.items() if not isinstance(overrides, Mapping)]
    if bad:
        raise ValueError(
            f"{shown_text(bad[0])} must be a set of overrides (possibly empty: {{}}), got"
            f" {shown(variants[bad[0]])}"
        )
    return Axis(
        "variant", tuple(dict(overrides) for overrides in variants.values()), tuple(variants)
    )


def short_names(keys: list[str]) -> dict[str, str]:
    """Return the name in a store of each dotted key.

    That is its last word, or as many more as set it apart from other keys and from the names of
    arrays.
    """
    names = {}
    for key in keys:
        words = key.split(".")
        words_of_others = [other_key.split(".") for other_key in keys if other_key != key]
        for count in range(1, len(words) + 1):
            name = "_".join(words[-count:])
            names_of_others = {"_".join(other_words[-count:]) for other_words in words_of_others}
            if name not in layout.RESERVED and name not in names_of_others:
                break
        names[key] = name
    return names


def same(a: Any, b: Any) -> bool:
    """Return whether two values of a key are equal, numbers to round-off."""
    if (
        isinstance(a, int | float)
        and isinstance(b, int | float)
        and not isinstance(a, bool)
        and not isinstance(b, bool)
    ):
        return math.isclose(a, b, rel_tol=1e-12)
    return bool(a == b)
