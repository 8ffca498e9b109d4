"""The result of an integration: its accepted steps, and the state at any time between them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .._jit import borrowing_kernel
from ..physics.grid import Array
from .drivers import ENTRIES, SUPPLIED


class Trajectory(NamedTuple):
    """Accepted steps, with what the dense output needs.

    A state is the mass per bin and the ledger's entries [kg/m2], n + 4 numbers, and where the
    supply has feedback ln f after them.
    """

    outcome: int
    t_final: float  #: s
    bins: int  #: n
    t: Array  #: (steps+1,) s
    y: Array  #: (steps+1, n+4) kg/m2
    bend: Array  #: (steps, 3, n+4) what the dense output adds to a straight line
    piece: Array  #: (steps,) bin of s_blow during the step
    mode: Array  #: (steps,) mode of the drivers during the step
    accepted: int  #: steps made; the classic scheme keeps only its outer steps
    rejected: int
    beyond_qpr: int  #: steps that used <Q_pr> beyond its table
    repaired: int  #: bins that ended a step below zero and were set to zero
    ledger_error: float  #: largest |sum c + losses - start - supplied| / (start + supplied)
    tau_max: float
    gated_time: float  #: s during which grains were not solid
    above: int  #: bits of those of s_blow and the loss rate that have been above their stops


def imbalance(path: Trajectory) -> Array:
    """Return the surplus of the ledger after each step, over start and supply, (steps+1,)."""
    n = path.bins
    supplied = path.y[:, path.bins + SUPPLIED]
    start = path.y[0, :n].sum()
    missing = path.y[:, : n + ENTRIES].sum(axis=1) - 2.0 * supplied - start
    relative: Array = missing / (start + supplied)
    return relative


def joined(paths: Sequence[Trajectory]) -> Trajectory:
    """Join trajectories that follow each other in time into one.

    Each begins where the one before it ended.
    """
    if len(paths) == 1:
        return paths[0]
    first = paths[0]
    last = paths[-1]
    changes: dict[str, Any] = {}
    for name in ("bend", "piece", "mode"):
        changes[name] = np.concatenate([getattr(path, name) for path in paths])
    for name in ("accepted", "rejected", "beyond_qpr", "repaired", "gated_time"):
        changes[name] = sum(getattr(path, name) for path in paths)
    whole = last._replace(
        t=np.concatenate([first.t[:1], *(path.t[1:] for path in paths)]),
        y=np.concatenate([first.y[:1], *(path.y[1:] for path in paths)]),
        tau_max=max(path.tau_max for path in paths),
        **changes,
    )
    return whole._replace(ledger_error=float(np.abs(imbalance(whole)).max()))


@borrowing_kernel
def component_at(y0: Array, y1: Array, bend: Array, k: int, x: float) -> float:
    """Return component ``k`` at fraction ``x`` of a step, by the method's dense output."""
    return float(
        (1.0 - x) * y0[k]
        + x * (y1[k] + (1.0 - x) * (bend[0, k] + x * (bend[1, k] + x * bend[2, k])))
    )


@borrowing_kernel
def interpolate(y0: Array, y1: Array, bend: Array, x: float, n: int, out: Array) -> None:
    """Set ``out`` to the state at fraction ``x`` of a step, by the method's dense output.

    Where a bin would be negative it is zero, and the fullest bin has less.

    Parameters
    ----------
    y0, y1 : array
        State at the begin and end of the step.
    bend : (3, size) array
        Difference of the dense output from a straight line.
    x : float
        Fraction of the step.
    n : int
        Number of bins.
    out : array
        Overwritten.
    """
    lacking = 0.0
    fullest = 0
    for k in range(y0.size):
        out[k] = component_at(y0, y1, bend, k, x)
    for k in range(n):
        if out[k] < 0.0:
            lacking -= out[k]
            out[k] = 0.0
        if out[k] > out[fullest]:
            fullest = k
    out[fullest] -= lacking
    if out[fullest] < 0.0:
        # the polynomial is useless; the straight line is positive
        for k in range(y0.size):
            out[k] = (1.0 - x) * y0[k] + x * y1[k]
