"""Mars cools and s_blow falls from bin to bin: sharp and continuous rule of the blow-out edge.

Under the sharp rule the outflow is a saw-tooth, under the continuous rule it is smooth.

Fragments follow the number law, so that what flows out is dust of about the blow-out size.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from setups import Run, watched

from marsdisk.config import RunConfig
from marsdisk.physics.constants import DAY, YEAR
from marsdisk.physics.grid import Array
from marsdisk.physics.shielding import unshielded
from marsdisk.solver import sample

Shipped = Callable[..., RunConfig]
RTOL = 1e-6
BINS = (40, 80, 160)
# s; the start is forgotten by the first
SETTLED = 0.2 * YEAR
END = 2.0 * YEAR
STEP_ASIDE = 1e-9  # of the time of a crossing, to both sides


class Crossings(NamedTuple):
    """Outflow where s_blow passes edges, in the order of time."""

    times: Array  #: s
    before: Array  #: kg/(m2 s)
    after: Array  #: kg/(m2 s)
    abandoned: Array  #: blow-out rate times the mass of the bin that s_blow leaves [kg/(m2 s)]

    @property
    def jumps(self) -> Array:
        """Relative to the outflow before."""
        return self.after / self.before - 1.0


@functools.cache
def run(shipped: Shipped, edge: str, n: int) -> Run:
    changes: dict[str, Any] = {
        "blowout.edge": edge,
        "sizes.n_bins": n,
        "collisions": {"fragment_law": "number", "alpha_frag": 3.5},
        "optical_depth.tau_stop": None,
        "numerics": {"t_end_years": END / YEAR, "rtol": RTOL, "atol": 1e-13},
    }
    return watched(shipped("melt_simple", changes))


def outflow(run: Run, times: Array) -> Array:
    """Return the outflow [kg/(m2 s)] by the dense output."""
    return sample.look(run.path, run.arguments.drivers, unshielded(), times, 1.0)[1][6]


def crossings(run: Run) -> Crossings:
    path = run.path
    nodes = np.flatnonzero(np.diff(path.piece)) + 1
    times = path.t[nodes]
    left = path.piece[nodes - 1].astype(int)
    before = outflow(run, times * (1.0 - STEP_ASIDE))
    after = outflow(run, times * (1.0 + STEP_ASIDE))
    return Crossings(times, before, after, run.arguments.drivers.blowout.rate * path.y[nodes, left])


@pytest.mark.parametrize("n", BINS)
def test_cooling_takes_s_blow_through_the_same_edges_under_both_rules(
    shipped: Shipped, n: int
) -> None:
    sharp, continuous = (crossings(run(shipped, edge, n)) for edge in ("sharp", "continuous"))
    assert sharp.times.size >= n // 20
    assert continuous.times == pytest.approx(sharp.times, rel=1e-12)


@pytest.mark.parametrize("n", BINS)
def test_the_sharp_rule_lets_a_whole_bin_stay_at_every_edge(shipped: Shipped, n: int) -> None:
    teeth = crossings(run(shipped, "sharp", n))
    assert teeth.before - teeth.after == pytest.approx(teeth.abandoned, rel=1e-6)


def test_the_teeth_shrink_as_the_bins_do(shipped: Shipped) -> None:
    """A tooth is the share of the outflow from one bin.

    A fifth with 40 bins, and half as much with twice as many.
    """
    teeth = [-crossings(run(shipped, "sharp", n)).jumps for n in BINS]
    assert all(np.ptp(of_one) < 0.15 * np.mean(of_one) for of_one in teeth), "alike along the run"
    means = np.array([np.mean(of_one) for of_one in teeth])
    assert means[0] == pytest.approx(0.22, abs=0.02)
    assert means[:-1] / means[1:] == pytest.approx([2.0, 2.0], rel=0.1)


@pytest.mark.parametrize("n", BINS)
def test_the_outflow_grows_back_after_every_tooth(shipped: Shipped, n: int) -> None:
    """What stays is ground down and leaves through the bins below.

    Within a day, less than a twelfth of the tooth is left.
    """
    seen = run(shipped, "sharp", n)
    teeth = crossings(seen)
    settled = teeth.times > SETTLED
    assert np.all(teeth.jumps[settled] < -2.0 / n)
    after_a_day = outflow(seen, teeth.times[settled] + DAY) / teeth.before[settled] - 1.0
    assert np.all(np.abs(after_a_day) < np.abs(teeth.jumps[settled]) / 12.0)


@pytest.mark.parametrize("n", BINS)
def test_the_continuous_rule_passes_every_edge_without_a_jump(shipped: Shipped, n: int) -> None:
    """Ten times as close, the change across an edge is a tenth, down to a second.

    A tooth keeps its size.
    """
    windows = 10.0 ** np.arange(3.0, -0.1, -1.0)  # s to both sides
    change = {}
    for edge in ("sharp", "continuous"):
        seen = run(shipped, edge, n)
        times = crossings(seen).times
        change[edge] = np.array(
            [
                outflow(seen, times + window) / outflow(seen, times - window) - 1.0
                for window in windows
            ]
        )
    assert change["continuous"][:-1] == pytest.approx(10.0 * change["continuous"][1:], rel=0.05)
    assert np.abs(change["continuous"]).max() < RTOL * windows[0]
    assert change["sharp"] == pytest.approx(
        np.broadcast_to(change["sharp"][-1], change["sharp"].shape), rel=0.1
    )


@pytest.mark.parametrize("n", BINS)
def test_the_continuous_outflow_has_no_teeth_anywhere(shipped: Shipped, n: int) -> None:
    """At 4001 times the outflow changes by a thousandth at most where an edge is passed.

    A tooth is worth 6 % and more.
    """
    times = np.linspace(SETTLED, END, 4001)
    steps = {
        edge: np.abs(np.diff(np.log(outflow(run(shipped, edge, n), times)))).max()
        for edge in ("sharp", "continuous")
    }
    assert steps["continuous"] < 1e-3
    assert steps["sharp"] > 0.04
