"""A sweep with the numbers of its store.

A run is named after the bits of its configuration, but the same number may be given in other bits:
older versions did not round spans, so that their stores have 0.30000000000000004 where a span has
0.3 now, and a list may say 0.3 as well. Such numbers are matched here, where a sweep meets a store.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common.floats import is_number, rounded, same
from .axes import Overrides
from .designs import POINT
from .file import Sweep


def with_stored_numbers(
    sweep: Sweep, columns: Mapping[str, NDArray[Any]], base: Mapping[str, Any]
) -> Sweep:
    """Return a sweep with the numbers that its store has, where they are the same to 12 digits.

    Parameters
    ----------
    sweep : Sweep
        As it was read from its file, or from the record of the store.
    columns : mapping of str to (runs,) array
        Values of the swept keys in the store, by key.
    base : mapping
        The base that the store records, with all that is set for all cases.

    Returns
    -------
    Sweep
        Itself where it has the same bits. Numbers that the store does not have are unchanged.
    """
    numbers = {key: _Numbers(column) for key, column in columns.items()}

    def with_stored(point: Mapping[str, Any]) -> Overrides:
        return {
            key: numbers[key].stored(value) if key in numbers else value
            for key, value in point.items()
        }

    axes = []
    for axis in sweep.axes:
        is_drawn = axis.name == POINT  # all versions have rounded these
        axes.append(axis if is_drawn else axis.with_points(list(map(with_stored, axis.points))))
    include = list(map(with_stored, sweep.spec.include))
    base = _with_recorded_numbers(sweep.base, base)
    is_changed = any(axis is not before for axis, before in zip(axes, sweep.axes, strict=True))
    if not is_changed and include == sweep.spec.include and base == sweep.base:
        return sweep
    spec = sweep.spec.model_copy(update={"include": include})
    return replace(sweep, spec=spec, axes=tuple(axes), base=base)


class _Numbers:
    """The distinct numbers of a swept key in a store."""

    def __init__(self, column: NDArray[Any]) -> None:
        self._bits = set[float]()
        self._of_rounded = dict[float, float]()
        if column.dtype.kind == "b":
            return
        for value in np.unique(column).tolist():
            number = _number_of(value)
            if number is not None:
                self._bits.add(number)
                self._of_rounded.setdefault(rounded(number), number)

    def stored(self, value: Any) -> Any:
        """Return the number of the store that is the same as a value, or else the value."""
        if not is_number(value) or value in self._bits:
            return value
        return self._of_rounded.get(rounded(value), value)


def _number_of(value: Any) -> float | None:
    """Return a stored value as a number; None where it is another text, or NaN."""
    try:
        number = float(value)
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _with_recorded_numbers(base: Mapping[str, Any], recorded: Any) -> dict[str, Any]:
    """Return sections with the recorded numbers, where they are the same to 12 digits."""
    if not isinstance(recorded, Mapping):
        return dict(base)
    numbers = dict(base)
    for key, value in base.items():
        if isinstance(value, Mapping):
            numbers[key] = _with_recorded_numbers(value, recorded.get(key))
        elif isinstance(value, float) and same(value, recorded.get(key)):
            numbers[key] = recorded[key]
    return numbers
