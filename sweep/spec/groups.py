"""Functions in expressions over a group of runs, such as the largest value in it."""

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .expressions import Function

OF_GROUP = ("largest", "smallest", "sum", "mean", "median")
OF_ORDER = ("earlier", "largest_so_far", "smallest_so_far")
Floats = NDArray[np.float64]


class Groups:
    """Cases sorted into groups, and in order within each.

    Every function takes one value per case (or one for all) and returns one per case, in the order
    of the cases. NaN in a group gives NaN.

    Parameters
    ----------
    label : (cases,) array of int
        Equal for cases of one group.
    order : (cases,) array, optional
        Values that cases of a group are ordered by.

    Examples
    --------
    >>> pairs = Groups(np.array([7, 3, 7, 3]), np.array([2.0, 1.0, 1.0, 2.0]))
    >>> pairs.largest(np.array([1.0, 5.0, 4.0, 2.0]))
    array([4., 5., 4., 5.])
    >>> pairs.earlier(np.array([False, True, True, False]))
    array([ True, False, False,  True])
    """

    def __init__(self, label: NDArray[np.int64], order: NDArray[Any] | None = None) -> None:
        #: (cases,) group of each case, counted from 0
        self.number: NDArray[np.int64] = np.unique(label, return_inverse=True)[1].reshape(
            label.shape
        )
        if order is None:
            order = np.zeros(label.size)
        self._order = np.lexsort((order, self.number))
        #: (groups,) number of cases in each
        self.sizes: NDArray[np.int64] = np.bincount(self.number)
        self._starts = np.cumsum(self.sizes) - self.sizes

    def of_each(self, ufunc: np.ufunc, values: ArrayLike) -> NDArray[Any]:
        """Return the reduction of each group, (groups,), by a function such as ``np.maximum``."""
        reduced: NDArray[Any] = ufunc.reduceat(self._sorted(values), self._starts)
        return reduced

    def largest(self, values: ArrayLike) -> Floats:
        """Return the largest value of the group."""
        return self.of_each(np.maximum, values)[self.number]

    def smallest(self, values: ArrayLike) -> Floats:
        """Return the smallest value of the group."""
        return self.of_each(np.minimum, values)[self.number]

    def sum(self, values: ArrayLike) -> Floats:
        """Return the sum over the group."""
        return self.of_each(np.add, values)[self.number]

    def mean(self, values: ArrayLike) -> Floats:
        """Return the mean of the group."""
        return (self.of_each(np.add, values) / self.sizes)[self.number]

    def median(self, values: ArrayLike) -> Floats:
        """Return the median of the group."""
        values = np.broadcast_to(values, self.number.shape)
        ascending = values[np.lexsort((values, self.number))]  # NaN last
        low = ascending[self._starts + (self.sizes - 1) // 2]
        high = ascending[self._starts + self.sizes // 2]
        last = ascending[self._starts + self.sizes - 1]
        # halves are added, for the sum of two large numbers could be infinite
        middle = np.where(low == high, low, low / 2.0 + high / 2.0)
        return np.where(np.isnan(last), np.nan, middle)[self.number]

    def earlier(self, holds: ArrayLike) -> NDArray[np.bool_]:
        """Return whether a condition holds for any case before in the group."""
        counts = self._sorted(holds).astype(np.int64)
        before = np.cumsum(counts) - counts
        return self._unsorted(before > np.repeat(before[self._starts], self.sizes))

    def largest_so_far(self, values: ArrayLike) -> Floats:
        """Return the largest value of the case and all before it in the group."""
        distinct, rank = np.unique(self._sorted(values), return_inverse=True)  # NaN last
        # each group has ranks of its own, above those of the groups before
        offset = np.repeat(np.arange(self.sizes.size) * distinct.size, self.sizes)
        return self._unsorted(distinct[np.maximum.accumulate(rank + offset) - offset])

    def smallest_so_far(self, values: ArrayLike) -> Floats:
        """Return the smallest value of the case and all before it in the group."""
        return -self.largest_so_far(np.negative(values))

    def smallest_earlier(self, values: ArrayLike, default: float) -> Floats:
        """Return the smallest value of all before the case; ``default`` where there are none."""
        smallest = self._sorted(self.smallest_so_far(values))
        shifted = np.concatenate([[default], smallest[:-1]])[: smallest.size]
        shifted[self._starts] = default
        return self._unsorted(shifted)

    @functools.cached_property
    def functions(self) -> Mapping[str, Function]:
        """Functions for expressions, by name."""
        functions = {name: Function(getattr(self, name)) for name in (*OF_GROUP, *OF_ORDER)}
        functions["earlier"] = Function(self.earlier, takes="truth", gives="truth")
        return functions

    def _sorted(self, values: ArrayLike) -> NDArray[Any]:
        return np.broadcast_to(values, self.number.shape)[self._order]

    def _unsorted(self, values: NDArray[Any]) -> NDArray[Any]:
        in_order_of_cases = np.empty_like(values)
        in_order_of_cases[self._order] = values
        return in_order_of_cases
