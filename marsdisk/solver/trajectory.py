"""What an integration leaves behind: its accepted steps, and the state at any time between them."""

from typing import NamedTuple

from .._jit import kernel
from ..physics.grid import Array
from .drivers import ENTRIES


class Trajectory(NamedTuple):
    """Accepted steps, with what the dense output needs. The last four components are the ledger's entries [kg/m2]."""

    outcome: int
    t_final: float  #: s
    t: Array  #: (steps+1,) s
    y: Array  #: (steps+1, n+4) kg/m2
    bend: Array  #: (steps, 3, n+4) what the dense output adds to a straight line
    piece: Array  #: (steps,) bin of s_blow during the step
    mode: Array  #: (steps,) what could act during the step
    accepted: int  #: steps made, which for the classic scheme are shorter than those kept
    rejected: int
    clamped: int
    ledger_error: float  #: largest |sum c + losses - start - supplied| / (start + supplied)
    tau_max: float
    gated_time: float  #: s during which grains were not solid


@kernel
def between(y0: Array, y1: Array, bend: Array, k: int, x: float) -> float:
    """Component ``k`` at fraction ``x`` of a step, by the method's dense output."""
    return float((1.0 - x) * y0[k] + x * (y1[k] + (1.0 - x) * (bend[0, k] + x * (bend[1, k] + x * bend[2, k]))))


@kernel
def interpolate(y0: Array, y1: Array, bend: Array, x: float, out: Array) -> None:
    """State at fraction ``x`` of a step by the method's dense output; what a bin lacks to zero is taken from the fullest."""
    n, lacking, fullest = y0.size - ENTRIES, 0.0, 0
    for k in range(n + ENTRIES):
        out[k] = between(y0, y1, bend, k, x)
    for k in range(n):
        if out[k] < 0.0:
            lacking -= out[k]
            out[k] = 0.0
        if out[k] > out[fullest]:
            fullest = k
    out[fullest] -= lacking
    if out[fullest] < 0.0:  # a useless polynomial: the chord is positive
        for k in range(n + ENTRIES):
            out[k] = (1.0 - x) * y0[k] + x * y1[k]
