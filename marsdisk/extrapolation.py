"""The error of the size grid, extrapolated from the same quantity on three grids."""

import math
from typing import NamedTuple

import numpy as np

#: of convergence, that three grids are believed to show
LEAST_ORDER = 0.5
MOST_ORDER = 2.0
#: Differences that change sign, or shrink faster than any order of the scheme, do so by accident.
#: The first of them, divided by these, is then the least error.
LEAST_SHARE_OF_ALTERNATING = 4.0
LEAST_SHARE_OF_FALLING = 8.0
#: Differences that shrink more than this are no accident: the coarsest grid shows something else.
OTHER_REGIME = 1e-3
#: Relative differences that say nothing.
ROUND_OFF = 1e-12
_ORDERS = np.linspace(LEAST_ORDER, MOST_ORDER, 1501)


class GridError(NamedTuple):
    """How far a quantity is from what it would be on infinitely fine bins."""

    error: float  #: relative
    order: float  #: of convergence, by which it is extrapolated; NaN where the grids show none


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
        The quantity whose error is asked for.
    finer : float
        The quantity with twice the bins.
    coarsening : float
        Bins of ``value`` over bins of ``coarser``.

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
    known = (value, finer) if coarser is None else (coarser, value, finer)
    if not all(math.isfinite(number) for number in known):
        return GridError(math.inf, math.nan)
    if abs(value - finer) <= ROUND_OFF * abs(finer):
        return GridError(abs(value - finer) / abs(finer) if finer else 0.0, math.nan)
    if min(value, finer) <= 0.0:  # zero, or round-off about it
        return GridError(abs(value - finer) / abs(finer) if finer else math.inf, math.nan)
    second = math.log(finer / value)
    if coarser is None or coarser <= 0.0:
        return GridError(_relative(second / (1.0 - 2.0**-LEAST_ORDER)), math.nan)
    first = math.log(value / coarser)
    if abs(second) < OTHER_REGIME * abs(first):
        return GridError(_relative(second), math.nan)
    if first * second <= 0.0:
        size = max(abs(second), abs(first) / LEAST_SHARE_OF_ALTERNATING)
        return GridError(_relative(math.copysign(size, second)), math.nan)
    order = _order(first / second, coarsening)
    size = max(abs(second) / (1.0 - 2.0**-order), abs(first) / LEAST_SHARE_OF_FALLING)
    return GridError(_relative(math.copysign(size, second)), order)


def _order(ratio: float, coarsening: float) -> float:
    """Order of convergence of differences of this ratio, within its limits."""
    ratios = (coarsening**_ORDERS - 1.0) / (1.0 - 2.0**-_ORDERS)
    return float(np.interp(ratio, ratios, _ORDERS))


def _relative(distance: float) -> float:
    """Error relative to the limit of a value whose logarithm is ``distance`` away from it."""
    return abs(math.expm1(min(-distance, 700.0)))
