"""The error of the size grid, extrapolated from the same quantity on three grids."""

import math
from typing import NamedTuple

import numpy as np

#: Limits of the order of convergence that three grids can show.
LEAST_ORDER = 0.5
MOST_ORDER = 2.0
#: Differences that change sign, or shrink faster than any order of the scheme, do so by accident.
#: The first of them, divided by these, is then the least error.
LEAST_SHARE_OF_ALTERNATING = 4.0
LEAST_SHARE_OF_FALLING = 8.0
#: Differences that shrink by more than this do not do so by accident: on the coarsest grid the
#: quantity is in another regime.
LEAST_RATIO_IN_ONE_REGIME = 1e-3
#: Relative differences up to this are round-off.
ROUND_OFF = 1e-12
_ORDERS = np.linspace(LEAST_ORDER, MOST_ORDER, 1501)


class GridError(NamedTuple):
    """Distance of a quantity from its value on infinitely fine bins."""

    error: float  #: relative
    order: float  #: of convergence, used for the extrapolation; NaN where the grids show none


def extrapolated_error(
    coarser: float | None,
    value: float,
    finer: float,
    coarsening: float = 2.0,
) -> GridError:
    """Estimate the error of ``value`` from two other grids.

    Differences are those of logarithms, so that they mean the same whether a quantity falls or
    rises by a large factor. If they are d1 (from ``coarser`` to ``value``) and d2 (from ``value``
    to ``finer``), bins of the order p have d1/d2 = (c^p - 1)/(1 - 2^-p), where c is
    ``coarsening``; p is limited to between 0.5 and 2, and the error is d2/(1 - 2^-p), but at least
    d1/8. Where the differences change sign, there is no order, and the error is the larger of d2
    and d1/4. Where d2 is less than a thousandth of d1, the coarsest grid says nothing about the
    others, and the error is d2. Where there is no coarser grid, the order is taken to be 0.5.

    Parameters
    ----------
    coarser : float or None
        The quantity with fewer bins; None where a grid cannot have fewer.
    value : float
        The quantity whose error is estimated.
    finer : float
        The quantity with twice the bins.
    coarsening : float
        Number of bins of ``value`` over that of ``coarser``.

    Returns
    -------
    GridError
        Its error is 0 where ``value`` and ``finer`` are equal, and infinite where one of the three
        is not finite or only ``finer`` is 0.

    Examples
    --------
    >>> extrapolated_error(1.16, 1.04, 1.01).error  # of second order, towards 1
    0.0407...
    """
    values = [value, finer] if coarser is None else [coarser, value, finer]
    if not all(math.isfinite(number) for number in values):
        return GridError(math.inf, math.nan)
    if abs(value - finer) <= ROUND_OFF * abs(finer):
        return GridError(abs(value - finer) / abs(finer) if finer else 0.0, math.nan)
    # logarithms need positive values; others are zero, or round-off about it
    if min(value, finer) <= 0.0:
        return GridError(abs(value - finer) / abs(finer) if finer else math.inf, math.nan)
    second = math.log(finer / value)
    if coarser is None or coarser <= 0.0:
        return GridError(_relative(second / (1.0 - 2.0**-LEAST_ORDER)), math.nan)
    first = math.log(value / coarser)
    if abs(second) < LEAST_RATIO_IN_ONE_REGIME * abs(first):
        return GridError(_relative(second), math.nan)
    if first * second <= 0.0:
        size = max(abs(second), abs(first) / LEAST_SHARE_OF_ALTERNATING)
        return GridError(_relative(math.copysign(size, second)), math.nan)
    order = _order(first / second, coarsening)
    size = max(abs(second) / (1.0 - 2.0**-order), abs(first) / LEAST_SHARE_OF_FALLING)
    return GridError(_relative(math.copysign(size, second)), order)


def _order(ratio: float, coarsening: float) -> float:
    """Return the order of convergence, within its limits, for a ratio of two differences."""
    ratios = (coarsening**_ORDERS - 1.0) / (1.0 - 2.0**-_ORDERS)
    return float(np.interp(ratio, ratios, _ORDERS))


def _relative(distance: float) -> float:
    """Return the relative error of a value whose logarithm is ``distance`` from its limit."""
    return abs(math.expm1(min(-distance, 700.0)))
