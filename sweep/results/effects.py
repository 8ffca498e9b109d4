"""How much each axis of a product changes a result."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..common.text import two_digits
from ..store.store import Store
from .columns import coded, numbered
from .outcomes import GOOD, Outcomes, outcomes, targets


@dataclass(frozen=True)
class Effect:
    """The medians of a result at the values of one axis, over the same cases of all others.

    Parameters
    ----------
    axis : str
        Its name.
    lowest, highest : float
        The smallest and the largest of the medians; NaN where no cases can be compared.
    unit : str
        Unit of the medians; 1 where they have none.
    """

    axis: str
    lowest: float
    highest: float
    unit: str = "1"

    @property
    def size(self) -> tuple[float, float]:
        """What effects are put in order by: the ratio of the medians, or else their difference.

        A ratio means nothing where a median is not above zero: such an effect comes before others.
        """
        if not self.is_known:
            return (0.0, 0.0)
        if self.lowest > 0.0:
            return (self.highest / self.lowest, 0.0)
        if self.highest == self.lowest:
            return (1.0, 0.0)
        return (np.inf, self.highest - self.lowest)

    @property
    def is_known(self) -> bool:
        """Whether cases can be compared."""
        return not np.isnan(self.lowest)

    @property
    def words(self) -> str:
        """The effect in words, such as ``T0 9.2-fold`` or ``mu by 0.4 %``."""
        if not self.is_known:
            return f"{self.axis} cannot be compared"
        ratio, difference = self.size
        if ratio == 1.0:
            return f"{self.axis} not at all"
        if difference:
            unit = "" if self.unit == "1" else f" {self.unit}"
            return f"{self.axis} from {self.lowest:.3g} to {self.highest:.3g}{unit}"
        if ratio < 2.0:
            return f"{self.axis} by {two_digits(100.0 * (ratio - 1.0))} %"
        return f"{self.axis} {_fold(ratio)}-fold"


def _fold(ratio: float) -> str:
    """Return a ratio to three digits, without a power of ten below a million."""
    rounded = float(f"{ratio:.3g}")
    return f"{rounded:,.0f}" if 1000.0 <= rounded < 1e6 else f"{rounded:.3g}"


def effects(results: Outcomes) -> list[Effect]:
    """Return the effect of each axis of a product on a result, the largest first.

    The values of an axis are compared over the same cases of all other axes: those that have a
    result at every value of it. Where cases are excluded, failed, or pending, others do not count.

    Parameters
    ----------
    results : Outcomes
        The result of every case.
    """
    codes = {axis: coded(results.labels[axis])[1] for axis in results.axes}
    found = [_effect(axis, codes, results) for axis in results.axes]
    return sorted(found, key=lambda effect: effect.size, reverse=True)


def strongest_first(store: Store, name: str) -> list[str]:
    """Return the axes of a store's product, those that change a result most first.

    Parameters
    ----------
    store : Store
        The store.
    name : str
        A column; where it is no result, the axes keep their order.
    """
    axes = list(store.axes)
    if name not in targets(store):
        return axes
    ordered = [effect.axis for effect in effects(outcomes(store, name))]
    # rings are no axis of what is summed over them
    return ordered + [axis for axis in axes if axis not in ordered]


def _effect(axis: str, codes: Mapping[str, NDArray[np.int64]], results: Outcomes) -> Effect:
    """Return the effect of one axis; ``codes`` number the labels of the cases on each."""
    is_good = results.state == GOOD
    others = [codes[name][is_good] for name in codes if name != axis]
    own = codes[axis][is_good]
    count = int(codes[axis].max()) + 1 if codes[axis].size else 0
    # cases that differ in this axis alone have one number
    group = numbered(others, own.size)
    pairs = np.unique(group * count + own)
    values_of_group = np.bincount(pairs // max(count, 1), minlength=group.max(initial=-1) + 1)
    is_compared = values_of_group[group] == count
    values = results.value[is_good][is_compared]
    if not values.size:
        return Effect(axis, np.nan, np.nan)
    codes_compared = own[is_compared]
    medians = [float(np.median(values[codes_compared == code])) for code in range(count)]
    return Effect(axis, min(medians), max(medians), results.unit)
