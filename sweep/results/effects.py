"""How much each axis of a product changes a result."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .columns import coded
from .outcomes import GOOD, Outcomes


@dataclass(frozen=True)
class Effect:
    """The medians of a result at the values of one axis, over all others.

    Parameters
    ----------
    axis : str
        Its name.
    lowest, highest : float
        The smallest and the largest of the medians; NaN where there are none.
    """

    axis: str
    lowest: float
    highest: float

    @property
    def size(self) -> tuple[float, float]:
        """What effects are put in order by: the ratio of the medians, or else their difference.

        A ratio means nothing where a median is not above zero: such an effect comes before others.
        """
        if np.isnan(self.lowest):
            return (0.0, 0.0)
        if self.lowest > 0.0:
            return (self.highest / self.lowest, 0.0)
        if self.highest == self.lowest:
            return (1.0, 0.0)
        return (np.inf, self.highest - self.lowest)

    @property
    def words(self) -> str:
        """The effect in words, such as ``T0 9.2-fold`` or ``mu by 0.4 %``."""
        ratio, difference = self.size
        if ratio == 0.0:
            return f"{self.axis} has no result"
        if ratio == 1.0:
            return f"{self.axis} not at all"
        if difference:
            return f"{self.axis} from {self.lowest:.3g} to {self.highest:.3g}"
        if ratio < 2.0:
            return f"{self.axis} by {100.0 * (ratio - 1.0):.2g} %"
        return f"{self.axis} {ratio:.3g}-fold"


def effects(results: Outcomes) -> list[Effect]:
    """Return the effect of each axis of a product on a result, the largest first.

    Parameters
    ----------
    results : Outcomes
        The result of every case.
    """
    is_good = results.state == GOOD
    values = results.value[is_good]
    found = [_effect(axis, results.labels[axis][is_good], values) for axis in results.axes]
    return sorted(found, key=lambda effect: effect.size, reverse=True)


def _effect(axis: str, labels: NDArray[np.generic], values: NDArray[np.float64]) -> Effect:
    if not values.size:
        return Effect(axis, np.nan, np.nan)
    distinct, codes = coded(labels)
    medians = [float(np.median(values[codes == code])) for code in range(len(distinct))]
    return Effect(axis, min(medians), max(medians))
