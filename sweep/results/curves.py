"""Curves over time: a series of a run, or of a disk made of rings, and quantiles of many."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..store.store import Store
from .quantity import Quantity

#: Probabilities of the quantiles over many curves, the median in the middle.
PROBABILITIES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Curve:
    """A series over time."""

    runs: list[int]  #: a single run, or the rings of a disk
    t: NDArray[np.float64]
    values: NDArray[np.float64]

    @classmethod
    def of(cls, store: Store, runs: list[int], name: str) -> "Curve | None":
        """Return the series of a run, or the sum of a series over the rings of a disk.

        Parameters
        ----------
        store : Store
            The store.
        runs : list of int
            Rows of finished runs.
        name : str
            The series.

        Returns
        -------
        Curve or None
            In the units of the store; None where rings have different times, which have no sum.
        """
        times = np.array([store.rows("t", run) for run in runs])
        if not np.allclose(times, times[0], rtol=1e-9, atol=0.0):
            return None
        return cls(runs, times[0], np.sum([store.rows(name, run) for run in runs], axis=0))

    def converted(self, time: Quantity, quantity: Quantity) -> "Curve":
        """Return the curve in the units in which time and the series are shown."""
        return Curve(self.runs, time.convert(self.t), quantity.convert(self.values))

    def after_start(self) -> "Curve":
        """Return the curve without its start, which has no place on a logarithmic axis."""
        positive = self.t > 0.0
        return Curve(self.runs, self.t[positive], self.values[positive])


def quantiles_of_curves(
    curves: Sequence[Curve],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return quantiles over curves, up to the time when the first of them ends.

    A quantile of values some of which are missing would be one of other runs, and is NaN.

    Parameters
    ----------
    curves : sequence of Curve
        At least one.

    Returns
    -------
    t : (times,) array
        Times of the curve that ends first.
    quantiles : (probabilities, times) array
        Of :data:`PROBABILITIES`.
    """
    first = min(curves, key=lambda curve: float(curve.t[-1]))
    values = np.array([np.interp(first.t, curve.t, curve.values) for curve in curves])
    return first.t, np.quantile(values, PROBABILITIES, axis=0)
