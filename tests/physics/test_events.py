"""Steps end on stops and kinks.

The stop on optical depth, edges crossed by s_blow, nodes of a temperature table.
"""

from collections.abc import Callable

import numpy as np
import pytest
from plain_drivers import dust
from setups import make_drivers, make_ring, solve

from marsdisk.config import RunConfig
from marsdisk.physics import temperature
from marsdisk.physics.constants import YEAR
from marsdisk.result import RunResult, StopReason
from marsdisk.solver.drivers import blowout_state
from marsdisk.solver.events import TAU_STOP
from marsdisk.zero_d import run_zero_d

Shipped = Callable[..., RunConfig]
DENSE_MELT = {
    "optical_depth.tau0_target": 1.0,
    "optical_depth.tau_stop": 1.5,
    "numerics": {"t_end_years": 7.0},
    "supply.mu_orbit10pct": 3.0,
}
STOPPING = {"baseline": {}, "melt_simple": DENSE_MELT}


def stopped(shipped: Shipped, name: str, rtol: float) -> RunResult:
    return run_zero_d(shipped(name, {**STOPPING[name], "numerics.rtol": rtol}))


@pytest.mark.parametrize("rtol", [1e-3, 1e-6])
@pytest.mark.parametrize("name", STOPPING)
def test_a_run_ends_exactly_at_tau_stop(shipped: Shipped, name: str, rtol: float) -> None:
    result = stopped(shipped, name, rtol)
    tau_stop = result.config.optical_depth.tau_stop
    assert tau_stop is not None
    assert result.stop_reason is StopReason.OPTICAL_DEPTH
    assert result.tau_los[-1] == pytest.approx(tau_stop, rel=1e-9)
    assert result.tau_max == pytest.approx(tau_stop, rel=1e-9)
    assert np.all(result.tau_los <= tau_stop * (1.0 + 1e-9))
    assert result.t[-1] == result.t_end


@pytest.mark.parametrize("name", STOPPING)
def test_the_instant_of_the_stop_is_the_same_at_any_tolerance(shipped: Shipped, name: str) -> None:
    loose, tight, tightest = (stopped(shipped, name, rtol).t_end for rtol in (1e-3, 1e-6, 1e-9))
    assert loose == pytest.approx(tightest, rel=1e-3)
    assert tight == pytest.approx(tightest, rel=1e-5)


def test_the_stop_is_where_an_unstopped_run_passes(shipped: Shipped) -> None:
    ring = make_ring(20, sigma=0.05)
    drivers = make_drivers(ring, temperature.constant(3000.0), t_blow=1e300)
    stopped_path = solve(ring, drivers, 1e6, rtol=1e-8, tau_stop=5.0)
    on = solve(ring, drivers, 1e6, rtol=1e-8)
    assert stopped_path.outcome == TAU_STOP
    assert on.t_final == 1e6
    assert on.tau_max > 5.0
    before = np.searchsorted(on.t, stopped_path.t_final)
    assert np.array_equal(on.t[:before], stopped_path.t[:before])
    assert np.array_equal(on.y[:before], stopped_path.y[:before])


@pytest.mark.parametrize("rtol", [1e-2, 1e-6])
@pytest.mark.parametrize("sharp", [False, True])
@pytest.mark.parametrize(
    "law", [temperature.slab(5000.0), temperature.linear(5000.0)], ids=["slab", "linear"]
)
def test_the_run_lands_where_s_blow_crosses_an_edge(
    law: temperature.TemperatureLaw, sharp: bool, rtol: float
) -> None:
    ring = make_ring(60, s_lo=1e-8, s_hi=1e-2)
    drivers = make_drivers(ring, law, sharp=sharp)
    t_end = float(temperature.first_time_at_or_below(law, 1500.0) or 0.0)
    path = solve(ring, drivers, t_end, rtol=rtol)
    first = blowout_state(drivers, 0.0)[0]
    last = blowout_state(drivers, t_end)[0]
    crossed = ring.edges[(ring.edges < first * (1.0 - 1e-9)) & (ring.edges > last * (1.0 + 1e-9))]
    assert crossed.size > 10
    landed = np.array([blowout_state(drivers, t)[0] for t in path.t])
    for edge in crossed:
        assert np.abs(landed / edge - 1.0).min() <= 1e-9, edge
    assert np.unique(path.piece).size == crossed.size + 1


@pytest.mark.parametrize("sharp", [False, True])
def test_the_run_lands_on_every_node_of_a_temperature_table(sharp: bool) -> None:
    times = np.array([-1.0, 0.0, 0.1, 0.4, 0.9, 1.7]) * YEAR
    law = temperature.table(times, np.array([3000.0, 3000.0, 2500.0, 3800.0, 2900.0, 2000.0]))
    ring = make_ring(40)
    drivers = make_drivers(ring, law, sharp=sharp)
    path = solve(ring, drivers, 2.0 * YEAR, rtol=1e-3)
    assert set(times[2:]) <= set(path.t)
    assert path.ledger_error <= 1e-10


def test_heating_and_cooling_through_the_same_edges_is_followed_both_ways() -> None:
    law = temperature.table(np.array([0.0, 1e5, 2e5]), np.array([2000.0, 4000.0, 2000.0]))
    ring = make_ring(40, collisions=False)
    drivers = make_drivers(ring, law)
    path = solve(ring, drivers, 2e5, rtol=1e-9)
    up, down = (path.piece[(path.t[1:] <= 1e5) == first] for first in (True, False))
    assert np.all(np.diff(up) >= 0)
    assert np.all(np.diff(down) <= 0)
    assert path.piece[0] == path.piece[-1]
    middle = int(np.searchsorted(path.t, 1e5))
    decay = np.log(dust(path.y[[0, middle, -1]]).clip(1e-300))
    partly = (decay[0] - decay[1] > 1e-3) & (decay[0] - decay[1] < 10.0)
    assert np.any(partly)
    assert (decay[0] - decay[1])[partly] == pytest.approx((decay[1] - decay[2])[partly], rel=1e-6)
