"""Linear and logarithmic scales of axes and colour bars, with readable ticks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...results.quantity import is_logarithmic

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float, digits: int = 4) -> str:
    """Return a number as people write it, such as ``4000`` or ``2.88×10⁻⁹``; a dash for NaN."""
    if value != value:
        return "–"
    if value == 0.0 or math.isinf(value):
        return f"{value:g}".replace("-", "−")
    rounded = float(f"{value:.{digits - 1}e}")
    exponent = math.floor(math.log10(abs(rounded)))
    if -4 < exponent < 6:
        return f"{rounded:.10g}".replace("-", "−")
    mantissa = f"{value / 10.0**exponent:.{digits}g}".replace("-", "−")
    power = f"10{str(exponent).translate(_SUPERSCRIPTS)}"
    return power if mantissa == "1" else f"{mantissa}×{power}"


@dataclass(frozen=True)
class Scale:
    """A scale from values to positions on a linear axis.

    Attributes
    ----------
    log : bool
        Whether positions are log10 of the values; values that are not positive then have none.
    low, high : float
        The lowest and the highest value.
    """

    log: bool
    low: float
    high: float

    @classmethod
    def of(cls, values: NDArray[Any], *, log: bool | None = None) -> "Scale":
        """Return the scale of the finite values.

        Parameters
        ----------
        values : numpy.ndarray
            Any shape.
        log : bool or None
            By default, the scale suits the values.
        """
        finite = values[np.isfinite(values)]
        positive = finite[finite > 0.0]
        if log is None:
            log = is_logarithmic(values)
        shown = positive if log else finite
        if not shown.size:
            return cls(log=False, low=0.0, high=1.0)
        return cls(log, float(shown.min()), float(shown.max()))

    def positions_of(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return the positions of values, NaN where a value has none."""
        values = np.asarray(values, dtype=np.float64)
        if not self.log:
            return values
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(values > 0.0, np.log10(values), np.nan)

    def ends(self, margin: float = 0.0) -> tuple[float, float]:
        """Return the positions of the lowest and the highest value, which are never equal.

        ``margin`` is the fraction of their distance that is added at both ends.
        """
        low = math.log10(self.low) if self.log else self.low
        high = math.log10(self.high) if self.log else self.high
        if high - low <= 1e-9 * max(abs(low), abs(high)):
            half_width = 0.5 if self.log else 0.1 * abs(low) or 0.5
            return low - half_width, high + half_width
        return low - margin * (high - low), high + margin * (high - low)

    def ticks(self, most: int = 6, margin: float = 0.0) -> list[tuple[float, str]]:
        """Return at most some ``most`` positions with their labels."""
        low, high = self.ends(margin)
        if not self.log:
            return [(value, number(value, 6)) for value in _round_numbers(low, high, most)]
        first = math.ceil(low - 1e-9)
        last = math.floor(high + 1e-9)
        powers = last - first + 1
        if powers > 2:
            step = -(-powers // most)
            return [(float(power), number(10.0**power)) for power in range(first, last + 1, step)]
        values = _round_mantissas(low, high, most)
        if len(values) >= 2:
            return [(math.log10(value), number(value)) for value in values]
        return [
            (math.log10(value), number(value, 6))
            for value in _round_numbers(10.0**low, 10.0**high, most)
            if value > 0.0
        ]


def _round_mantissas(low: float, high: float, most: int) -> list[float]:
    """Return round numbers with logarithms from ``low`` to ``high``, at most some ``most``."""
    powers = range(math.floor(low) - 1, math.floor(high + 1e-9) + 2)
    for mantissas in ((1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        values = [mantissa * 10.0**power for power in powers for mantissa in mantissas]
        inside = [value for value in values if low - 1e-9 <= math.log10(value) <= high + 1e-9]
        if len(inside) <= most:
            break
    return inside


def _round_numbers(low: float, high: float, most: int) -> Sequence[float]:
    """Return multiples of 1, 2 or 5 times a power of ten from ``low`` to ``high``."""
    unit = 10.0 ** math.floor(math.log10((high - low) / most))
    for factor in (1, 2, 5, 10, 20):
        step = factor * unit
        first = math.ceil(low / step - 1e-9)
        last = math.floor(high / step + 1e-9)
        if last - first < most:
            break
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]
