"""How many runs and blocks a refinement takes."""

import math

from ..spec.designs import POINT
from ..spec.file import Sweep


def runs_per_point(sweep: Sweep) -> int:
    """Return the number of runs per point: 1, or the number of rings."""
    return math.prod(len(axis.points) for axis in sweep.axes if axis.name != POINT)


def runs_per_round(sweep: Sweep) -> int:
    """Return the number of runs that a round adds; 0 without refinement."""
    refine = sweep.spec.refine
    if refine is None:
        return 0
    return refine.per_round * runs_per_point(sweep)


def runs_in_all(sweep: Sweep, runs: int) -> int:
    """Return an upper bound on the number of runs once all rounds are done, given that so far."""
    refine = sweep.spec.refine
    if refine is None:
        return runs
    per_point = runs_per_point(sweep)
    return max(runs, refine.max_runs // per_point * per_point)


def blocks_of_round(sweep: Sweep, size: int) -> int:
    """Return the number of blocks of ``size`` runs that a round fills; 0 without refinement."""
    return math.ceil(runs_per_round(sweep) / size)
