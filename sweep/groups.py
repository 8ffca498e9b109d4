"""Functions of an expression that look at a whole group of runs: the largest of it, or what has come before in it."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .expressions import Function

OF_GROUP = ("largest", "smallest", "sum", "mean", "median")
OF_ORDER = ("earlier", "largest_so_far", "smallest_so_far")
Floats = NDArray[np.float64]


class Groups:
    """Cases sorted into groups, and in order within each.

    Every function takes one value per case (or one for all) and gives one per case, in the order of
    the cases; NaN makes NaN.

    Parameters
    ----------
    label : (cases,) whole numbers, equal for cases of one group
    place : (cases,) what the cases of a group are ordered by; None where they have no order

    Examples
    --------
    >>> pairs = Groups(np.array([7, 3, 7, 3]), np.array([2.0, 1.0, 1.0, 2.0]))
    >>> pairs.largest(np.array([1.0, 5.0, 4.0, 2.0]))
    array([4., 5., 4., 5.])
    >>> pairs.earlier(np.array([False, True, True, False]))
    array([ True, False, False,  True])
    """

    def __init__(self, label: NDArray[np.int64], place: NDArray[Any] | None = None) -> None:
        #: (cases,) group of each case, counted from 0
        self.number: NDArray[np.int64] = np.unique(label, return_inverse=True)[1].reshape(
            label.shape
        )
        self._order = np.lexsort((np.zeros(label.size) if place is None else place, self.number))
        #: (groups,) how many cases each has
        self.sizes: NDArray[np.int64] = np.bincount(self.number)
        self._starts = np.cumsum(self.sizes) - self.sizes

    def of_each(self, ufunc: np.ufunc, values: ArrayLike) -> NDArray[Any]:
        """(groups,) such as ``np.maximum``, over the values of each group."""
        found: NDArray[Any] = ufunc.reduceat(self._sorted(values), self._starts)
        return found

    def largest(self, values: ArrayLike) -> Floats:
        return self.of_each(np.maximum, values)[self.number]

    def smallest(self, values: ArrayLike) -> Floats:
        return self.of_each(np.minimum, values)[self.number]

    def sum(self, values: ArrayLike) -> Floats:
        return self.of_each(np.add, values)[self.number]

    def mean(self, values: ArrayLike) -> Floats:
        return (self.of_each(np.add, values) / self.sizes)[self.number]

    def median(self, values: ArrayLike) -> Floats:
        every = np.broadcast_to(values, self.number.shape)
        by_size = every[np.lexsort((every, self.number))]  # NaN last
        low, high, last = (
            by_size[self._starts + place]
            for place in ((self.sizes - 1) // 2, self.sizes // 2, self.sizes - 1)
        )
        # the sum of two large ones could be infinite
        middle = np.where(low == high, low, low / 2.0 + high / 2.0)
        return np.where(np.isnan(last), np.nan, middle)[self.number]

    def earlier(self, holds: ArrayLike) -> NDArray[np.bool_]:
        """Whether it holds for any case before in the group."""
        each = self._sorted(holds).astype(np.int64)
        before = np.cumsum(each) - each
        return self._unsorted(before > np.repeat(before[self._starts], self.sizes))

    def largest_so_far(self, values: ArrayLike) -> Floats:
        """Of the case and all before it in the group."""
        once, rank = np.unique(self._sorted(values), return_inverse=True)  # NaN last
        # so that a group does not see those before it
        offset = np.repeat(np.arange(self.sizes.size) * once.size, self.sizes)
        return self._unsorted(once[np.maximum.accumulate(rank + offset) - offset])

    def smallest_so_far(self, values: ArrayLike) -> Floats:
        """Of the case and all before it in the group."""
        return -self.largest_so_far(np.negative(values))

    def smallest_earlier(self, values: ArrayLike, first: float) -> Floats:
        """Of all before the case in the group; ``first`` where there is none."""
        found = self._sorted(self.smallest_so_far(values))
        shifted = np.concatenate([[first], found[:-1]])[: found.size]
        shifted[self._starts] = first
        return self._unsorted(shifted)

    @functools.cached_property
    def functions(self) -> Mapping[str, Function]:
        """For an expression."""
        found: Mapping[str, Callable[..., Any]] = {
            name: getattr(self, name) for name in (*OF_GROUP, *OF_ORDER)
        }
        return {
            name: (
                Function(call, takes="truth", gives="truth")
                if name == "earlier"
                else Function(call)
            )
            for name, call in found.items()
        }

    def _sorted(self, values: ArrayLike) -> NDArray[Any]:
        return np.broadcast_to(values, self.number.shape)[self._order]

    def _unsorted(self, values: NDArray[Any]) -> NDArray[Any]:
        found = np.empty_like(values)
        found[self._order] = values
        return found
