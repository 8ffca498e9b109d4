"""Numbers on an axis or a colour bar: logarithmic where that helps, with ticks that are written as people write them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float, digits: int = 4) -> str:
    """``0.5``, ``4000``, ``2.88×10⁻⁹``; a dash for NaN."""
    if value != value:
        return "–"
    if value == 0.0 or math.isinf(value):
        return f"{value:g}".replace("-", "−")
    exponent = math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    if -4 < exponent < 6:
        return f"{float(f'{value:.{digits - 1}e}'):.10g}".replace("-", "−")
    mantissa = f"{value / 10.0**exponent:.{digits}g}".replace("-", "−")
    power = f"10{str(exponent).translate(_RAISED)}"
    return power if mantissa == "1" else f"{mantissa}×{power}"


@dataclass(frozen=True)
class Scale:
    """From values to places on a linear axis: themselves, or their logarithms, where values that are not positive have no place."""

    log: bool
    low: float
    high: float

    @classmethod
    def of(cls, values: NDArray[Any], log: bool | None = None) -> "Scale":
        """Of the finite of ``values``; logarithmic, unless ``log`` decides, where positive values span more than a decade and none is negative."""
        finite = values[np.isfinite(values)]
        positive = finite[finite > 0.0]
        if log is None:
            log = bool(
                positive.size
                and not (finite < 0.0).any()
                and positive.max() > 10.0 * positive.min()
            )
        shown = positive if log else finite
        if not shown.size:
            return cls(False, 0.0, 1.0)
        return cls(log, float(shown.min()), float(shown.max()))

    def place(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """NaN for what has no place."""
        values = np.asarray(values, dtype=np.float64)
        if not self.log:
            return values
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(values > 0.0, np.log10(values), np.nan)

    def ends(self, margin: float = 0.0) -> tuple[float, float]:
        """Places of the lowest and the highest value, with a share of their distance around them; never the same."""
        low, high = (
            (math.log10(self.low), math.log10(self.high)) if self.log else (self.low, self.high)
        )
        if high - low <= 1e-9 * max(abs(low), abs(high)):
            around = 0.5 if self.log else 0.1 * abs(low) or 0.5
            return low - around, high + around
        return low - margin * (high - low), high + margin * (high - low)

    def ticks(self, most: int = 6, margin: float = 0.0) -> list[tuple[float, str]]:
        """Places with their labels."""
        low, high = self.ends(margin)
        if not self.log:
            return [(value, number(value, 6)) for value in _round_numbers(low, high, most)]
        first = math.ceil(low - 1e-9)
        last = math.floor(high + 1e-9)
        if last - first + 1 > 2:
            step = -(-(last - first + 1) // most)
            return [(float(power), number(10.0**power)) for power in range(first, last + 1, step)]
        for mantissas in ((1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
            values = [
                m * 10.0**power for power in range(math.floor(low) - 1, last + 2) for m in mantissas
            ]
            inside = [value for value in values if low - 1e-9 <= math.log10(value) <= high + 1e-9]
            if len(inside) <= most:
                break
        if len(inside) >= 2:
            return [(math.log10(value), number(value)) for value in inside]
        return [
            (math.log10(value), number(value, 6))
            for value in _round_numbers(10.0**low, 10.0**high, most)
            if value > 0.0
        ]


def _round_numbers(low: float, high: float, most: int) -> Sequence[float]:
    """At most ``most`` multiples of 1, 2 or 5 times a power of ten from ``low`` to ``high``."""
    unit = 10.0 ** math.floor(math.log10((high - low) / most))
    for step in (factor * unit for factor in (1, 2, 5, 10, 20)):
        first = math.ceil(low / step - 1e-9)
        last = math.floor(high / step + 1e-9)
        if last - first < most:
            break
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]
