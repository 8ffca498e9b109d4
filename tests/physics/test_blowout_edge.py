"""Mars cools and s_blow falls from bin to bin: under the sharp rule the outflow jumps at every edge, under the continuous one nowhere."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from setups import Run, watched

from marsdisk.config import RunConfig
from marsdisk.physics.grid import Array
from marsdisk.solver import sample

Shipped = Callable[..., RunConfig]
RTOL = 1e-6
BINS = (40, 80, 160)
YEARS = 2.0
STEP_ASIDE = 1e-9  # of the time of a crossing, to both sides


class Crossings(NamedTuple):
    """The outflow where s_blow crosses edges."""

    before: Array  #: kg/(m2 s)
    after: Array  #: kg/(m2 s)
    abandoned: Array  #: blow-out rate times the mass of the bin that s_blow leaves [kg/(m2 s)]

    @property
    def jumps(self) -> Array:
        """Relative to the outflow before."""
        return self.after / self.before - 1.0


@functools.cache
def run(shipped: Shipped, edge: str, n: int) -> Run:
    numerics = {"t_end_years": YEARS, "rtol": RTOL, "atol": 1e-13}
    changes: dict[str, Any] = {"blowout.edge": edge, "sizes.n_bins": n, "optical_depth.tau_stop": None, "numerics": numerics}
    return watched(shipped("melt", changes))


def flux(run: Run, times: Array) -> Array:
    """Outflow [kg/(m2 s)] by the dense output."""
    return sample.drivers_at(run.path, run.given.drivers, times, sample.states(run.path, times))[2]


def crossings(run: Run) -> Crossings:
    path, drivers = run.path, run.given.drivers
    last = np.flatnonzero(np.diff(path.piece)) + 1  # node at which the piece changes
    at, left = path.t[last], path.piece[last - 1].astype(int)
    before, after = flux(run, at * (1.0 - STEP_ASIDE)), flux(run, at * (1.0 + STEP_ASIDE))
    return Crossings(before, after, drivers.blowout_rate * path.y[last, left])


@pytest.mark.parametrize("n", BINS)
def test_cooling_takes_s_blow_through_edges(shipped: Shipped, n: int) -> None:
    sharp, continuous = (crossings(run(shipped, edge, n)) for edge in ("sharp", "continuous"))
    assert sharp.before.size == continuous.before.size >= n // 20


@pytest.mark.parametrize("n", BINS)
def test_the_sharp_rule_drops_a_whole_bin_at_every_edge(shipped: Shipped, n: int) -> None:
    """Its mass stays in the disk from one instant to the next."""
    found = crossings(run(shipped, "sharp", n))
    assert found.before - found.after == pytest.approx(found.abandoned, rel=1e-6)


@pytest.mark.parametrize("n", BINS)
def test_the_continuous_rule_drops_nothing_at_an_edge(shipped: Shipped, n: int) -> None:
    assert np.abs(crossings(run(shipped, "continuous", n)).jumps).max() <= 10.0 * RTOL
