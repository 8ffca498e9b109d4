"""Axes of a sweep: lists of points, each a set of overrides with a label."""

import itertools
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from marsdisk.common.text import shown, shown_text
from marsdisk.config import RunConfig
from marsdisk.config.keys import config_keys

from ..common.floats import DIGITS, identity, is_number, rounded, same
from ..common.text import counted, listed
from ..store import layout

Overrides = dict[str, Any]
RING = ("disk.r_in_RM", "disk.r_out_RM")
ONE_AT_A_TIME = "one_at_a_time"
#: Points of an axis.
MAX_POINTS = 1_000_000
#: Of ten, in logspace.
MAX_EXPONENT = 300
#: Values listed in a message.
MAX_VALUES_NAMED = 10
#: Forms in which the points of an axis are given, and what each means.
KINDS_OF_AXES = {
    "[3000, 4000]": "these values; numbers, texts, true, false, null, sections, lists",
    "{values: [3000, 4000]}": "the same",
    "{linspace: [first, last, n]}": "n numbers, evenly spaced, both ends among them",
    "{geomspace: [first, last, n]}": "n positive numbers whose ratios are equal, both ends among"
    " them",
    "{logspace: [a, b, n]}": "n numbers from 10^a to 10^b whose ratios are equal",
    "{arange: [first, end, step]}": "first, first + step, and so on, up to but without end",
    "{rings: [r_in, r_out, n]}": "n rings of equal width between two radii [Mars radii]; its name"
    " is no key, such as ring",
}
KINDS = (
    "a list of values, {values: [...]}, {linspace: [first, last, n]}, {geomspace: [first, last,"
    " n]}, {logspace: [a, b, n]}, {arange: [first, end, step]} or {rings: [r_in, r_out, n]}"
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
    def summary(self) -> str:
        """Its name, the number of its points, and their ends."""
        return f"axis {self.name}: {counted(len(self.points), 'point')}, {self.ends}"

    @property
    def keys(self) -> tuple[str, ...]:
        """Configuration keys that the axis sets at any of its points."""
        return tuple(dict.fromkeys(key for point in self.points for key in point))

    def with_points(self, points: Sequence[Overrides]) -> "Axis":
        """Return the axis with other numbers at its points, and the labels that follow from them.

        Parameters
        ----------
        points : sequence of dict
            As many as the axis has, each with the same keys.

        Returns
        -------
        Axis
            Itself where nothing differs.
        """
        if list(map(dict, points)) == list(self.points):
            return self
        labels = self.labels
        if self.name == ONE_AT_A_TIME:
            labels = tuple(map(_label_of_move, points, self.labels))
        elif all(self.name in point for point in points):
            labels = tuple(point[self.name] for point in points)
        return replace(self, points=tuple(points), labels=labels)


def merged(points: Iterable[Overrides]) -> Overrides:
    """Return the overrides of several points together; later points win."""
    return {key: value for point in points for key, value in point.items()}


def _is_finite_number(value: Any) -> bool:
    return is_number(value) and abs(value) <= sys.float_info.max  # which NaN is not


def _span(kind: str, numbers: Any) -> list[float]:
    """Return the values of ``{kind: [first, last, n]}``; ValueError where it gives none.

    The ends are as they were typed, and what lies between them is rounded to 12 digits.
    """
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
    values = [rounded(value) for value in spaced(first, last, n).tolist()]
    values[0] = float(first)
    if n > 1:
        values[-1] = float(last)
    return values


def _powers_of_ten(kind: str, numbers: Any) -> list[float]:
    """Return the values of ``{logspace: [a, b, n]}``; ValueError where it gives none."""
    exponents = _span(kind, numbers)
    if max(map(abs, exponents)) > MAX_EXPONENT:
        raise ValueError(
            f"{kind} takes powers of ten from -{MAX_EXPONENT} to {MAX_EXPONENT}, got"
            f" {shown(numbers)}; geomspace takes the numbers themselves"
        )
    return [rounded(10.0**exponent) for exponent in exponents]


def _steps(kind: str, numbers: Any) -> list[float]:
    """Return the values of ``{arange: [first, end, step]}``; ValueError where it gives none."""
    is_range = isinstance(numbers, list) and len(numbers) == 3
    if not is_range or not all(map(_is_finite_number, numbers)) or numbers[2] == 0:
        raise ValueError(f"{kind} takes [first, end, step], step not 0, got {shown(numbers)}")
    first, end, step = numbers
    # a quotient that is whole to 12 digits is whole, so that end is left out
    steps = rounded((end - first) / step)
    if steps > MAX_POINTS:
        raise ValueError(f"{kind} asks for more than {MAX_POINTS} points; split the sweep")
    count = math.ceil(steps)
    if count < 1:
        raise ValueError(f"{kind} {shown(numbers)} has no points: end is not beyond first")
    return [rounded(float(first + i * step)) for i in range(count)]


#: How the values of each kind of span follow from its numbers.
SPANS: Mapping[str, Callable[[str, Any], list[float]]] = {
    "linspace": _span,
    "geomspace": _span,
    "logspace": _powers_of_ten,
    "arange": _steps,
}


def _takes_whole_numbers(key: str) -> bool:
    field = config_keys(RunConfig).get(key)
    return field is not None and field.annotation is int


def _whole(key: str, kind: str, numbers: Any, values: Sequence[float]) -> list[int]:
    """Return the values of a span of a key that takes whole numbers.

    Raises
    ------
    ValueError
        Some are not whole to 12 digits.
    """
    broken = [f"{value:.6g}" for value in values if not rounded(value).is_integer()]
    whole = [round(value) for value in values]
    if not broken:
        return whole
    named = listed(broken, MAX_VALUES_NAMED)
    advice = "choose ends and n so that all are whole, or write a list"
    if len(whole) <= MAX_VALUES_NAMED:
        advice += f", such as {list(dict.fromkeys(whole))}"
    raise ValueError(
        f"must have whole numbers, for {key} takes no others, but {kind} {shown(numbers)} gives"
        f" {named}; {advice}"
    )


def _index_of_repeated(values: list[Any], *, as_recorded: bool) -> int | None:
    """Return the index of the first value that was given before; None where all differ.

    In what was ``as_recorded`` by an older version, numbers repeat each other bit for bit only.
    """
    earlier = set[Any]()
    for i, value in enumerate(values):
        try:
            key = value if as_recorded else identity(value)
            is_repeated = key in earlier
            earlier.add(key)
        except TypeError:  # lists and mappings
            is_repeated = any(same(value, other) for other in values[:i])
        if is_repeated:
            return i
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
    if any(outer <= inner for inner, outer in itertools.pairwise(edges)):
        raise ValueError(
            f"rings {shown(numbers)} have no width in 12 digits; move the ends apart, or lower n"
        )
    points = tuple(dict(zip(RING, ends, strict=True)) for ends in itertools.pairwise(edges))
    return Axis(name, points, tuple(range(len(points))))


def parse_axis(name: str, entry: Any, *, as_recorded: bool = False) -> Axis:
    """Return the axis that ``name: entry`` in a sweep file describes.

    Parameters
    ----------
    name : str
        A dotted key, or the name of an axis of rings.
    entry : list or mapping
        One of :data:`KINDS`.
    as_recorded : bool
        Whether the entry is from the record of a store, whose version may have told apart numbers
        that are the same to 12 digits.

    Returns
    -------
    Axis
        A point for each value. Spans are rounded to 12 digits.

    Raises
    ------
    ValueError
        It is none of these kinds, or has no values or a value twice.

    Examples
    --------
    >>> parse_axis("dynamics.e0", {"linspace": [0.1, 0.5, 5]}).labels
    (0.1, 0.2, 0.3, 0.4, 0.5)
    """
    if isinstance(entry, Mapping):
        if len(entry) != 1:
            raise ValueError(
                f"must be {KINDS}, got the keys {shown_text(', '.join(entry)) or '(none)'}"
            )
        ((kind, numbers),) = entry.items()
        if kind == "rings":
            return _rings(name, numbers)
        if kind in SPANS:
            entry = SPANS[kind](kind, numbers)
            if _takes_whole_numbers(name):
                entry = _whole(name, kind, numbers, entry)
        elif kind == "values":
            entry = numbers
        else:
            raise ValueError(f"there is no kind of axis {shown(kind)}; must be {KINDS}")
    if not isinstance(entry, list):
        raise ValueError(f"must be {KINDS}, got {shown(entry)}")
    if not entry:
        raise ValueError("is empty; give at least one value or drop the axis")
    i = _index_of_repeated(entry, as_recorded=as_recorded)
    if i is not None:
        value = entry[i]
        raise ValueError(f"has the value {shown(value)} twice{_rule_of_digits(value)}; drop one")
    return Axis(name, tuple({name: value} for value in entry), tuple(entry))


def _rule_of_digits(value: Any) -> str:
    """Return how a number is taken, where it was typed with more digits than count."""
    if isinstance(value, float) and rounded(value) != value:
        return f" (numbers are the same if {DIGITS} digits of them are)"
    return ""


def zip_axis(lists: Any, *, as_recorded: bool = False) -> Axis:
    """Return the axis of keys that move together.

    Parameters
    ----------
    lists : mapping
        Lists of values by key, all of one length.
    as_recorded : bool
        As of :func:`parse_axis`.

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
        if _index_of_repeated(values, as_recorded=as_recorded) is None:
            return Axis(key, points, tuple(values))
    raise ValueError(
        f"no key of {shown_text(', '.join(lists))} has a different value at every point, so"
        " that the points have no name; use variants"
    )


def _label_of_move(point: Overrides, label: Any) -> Any:
    """Return the label of a point that changes one key of the base; of others, that they have."""
    if len(point) != 1:
        return label
    ((key, value),) = point.items()
    return f"{key} = {value}"


def one_at_a_time_axis(values_of_keys: Mapping[str, Any], *, as_recorded: bool = False) -> Axis:
    """Return the axis of the base and of each key at each of its values, all others unchanged.

    Parameters
    ----------
    values_of_keys : mapping
        By key, what :func:`parse_axis` takes.
    as_recorded : bool
        As of :func:`parse_axis`.

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
            axis = parse_axis(key, values, as_recorded=as_recorded)
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


def with_equal_numbers_joined(
    axes: Sequence[Axis], include: Sequence[Overrides], *, drawn: str
) -> tuple[list[Axis], list[Overrides]]:
    """Return axes and included cases with one number for all that are the same to 12 digits.

    So cases that say the same in other digits are the same run. The number given first stays.

    Parameters
    ----------
    axes : sequence of Axis
        Of a sweep.
    include : sequence of mappings
        Its included cases.
    drawn : str
        Name of the axis of drawn points, which are rounded and left alone.
    """
    numbers = dict[tuple[str, float], Any]()

    def join(point: Overrides) -> Overrides:
        joined = dict(point)
        for key, value in point.items():
            if _is_finite_number(value):
                number = numbers.setdefault((key, rounded(value)), value)
                joined[key] = value if value == number else number
        return joined

    joined_axes = []
    for axis in axes:
        if axis.name == drawn:
            joined_axes.append(axis)
        else:
            joined_axes.append(axis.with_points(list(map(join, axis.points))))
    return joined_axes, list(map(join, include))


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
