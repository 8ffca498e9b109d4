"""The order of the integrator, measured on smooth problems whose coefficients change with time."""

import math

import numpy as np
import pytest
from plain_drivers import dust, lost
from setups import Ring, make_drivers, make_ring, solve

from marsdisk.physics import temperature
from marsdisk.physics.constants import SIGMA_SB
from marsdisk.physics.grid import Array
from marsdisk.physics.temperature import temperature_and_slope
from marsdisk.solver.control import Limits
from marsdisk.solver.drivers import Drivers, blowout_state
from marsdisk.solver.integrate import integrate
from marsdisk.solver.methods import RODAS5P

RTOLS = 10.0 ** -np.arange(3.0, 9.5, 0.5)
T_END = 2e4  # s


def cooling() -> temperature.TemperatureLaw:
    """Return the law of a thin slab that cools from 4000 K to 3000 K in T_END."""
    depth = 3.0 * SIGMA_SB * T_END / ((3000.0**-3 - 4000.0**-3) * 3000.0 * 1000.0)
    return temperature.slab(4000.0, depth=depth)


def wide_bins(collisions: bool) -> tuple[Ring, Drivers]:
    """Make bins so wide that s_blow stays within a single one during the run: no kink."""
    ring = make_ring(4, s_lo=1e-8, s_hi=1e4, sigma=0.03, v_rel=200.0, collisions=collisions)
    supply = np.full(4, 1e-7) if collisions else np.zeros(4)
    drivers = make_drivers(ring, cooling(), t_blow=6e3, supply=supply)
    start, end = (blowout_state(drivers, t)[0] for t in (0.0, T_END))
    assert np.searchsorted(ring.edges, start) == np.searchsorted(ring.edges, end)
    return ring, drivers


def seen(y: Array) -> Array:
    """Return the mass per bin and the mass lost [kg/m2]."""
    return np.append(dust(y), lost(y))


def observed_order(ring: Ring, drivers: Drivers, reference: Array) -> float:
    steps = []
    errors = []
    for rtol in RTOLS:
        path = solve(ring, drivers, T_END, rtol=float(rtol), atol=1e-10)
        error = np.abs(seen(path.y[-1]) - reference).max() / ring.c0.sum()
        if error > 1e-12:
            steps.append(path.t.size - 1)
            errors.append(error)
    assert len(errors) >= 6
    return -float(np.polyfit(np.log(steps), np.log(errors), 1)[0])


def test_order_on_a_decay_at_a_changing_rate() -> None:
    ring, drivers = wide_bins(collisions=False)
    law = drivers.temperature
    k = int(np.searchsorted(ring.edges, blowout_state(drivers, 0.0)[0])) - 1
    width = math.log(ring.edges[k + 1] / ring.edges[k])
    # share = ln(s_blow/e_k)/width with s_blow ~ T^4 and T^-3 = x = x_0 + rate t; its integral over
    # time in closed form
    x_0 = law.T0**-3.0
    x_1 = law.T0**-3.0 + law.rate * T_END
    at_start = math.log(blowout_state(drivers, 0.0)[0] / ring.edges[k]) + 4.0 / 3.0 * math.log(x_0)
    of_log = ((x_1 * math.log(x_1) - x_1) - (x_0 * math.log(x_0) - x_0)) / law.rate
    exponent = drivers.blowout.rate * (at_start * T_END - 4.0 / 3.0 * of_log) / width
    exact = ring.c0.copy()
    exact[:k] *= math.exp(-drivers.blowout.rate * T_END)
    exact[k] *= math.exp(-exponent)
    reference = np.append(exact, ring.c0.sum() - exact.sum())
    assert seen(solve(ring, drivers, T_END, rtol=1e-11, atol=1e-16).y[-1]) == pytest.approx(
        reference, abs=1e-11 * ring.c0.sum()
    )
    assert observed_order(ring, drivers, reference) >= 4.5


def test_order_with_collisions_and_supply() -> None:
    ring, drivers = wide_bins(collisions=True)
    reference = seen(solve(ring, drivers, T_END, rtol=1e-12, atol=1e-18).y[-1])
    assert np.abs(reference[:-1] - ring.c0).max() > 0.05 * ring.c0.sum(), (
        "collisions, supply and blow-out should all have acted"
    )
    assert observed_order(ring, drivers, reference) >= 4.5


def equal_steps(ring: Ring, drivers: Drivers, count: int) -> Array:
    """Return mass per bin and mass lost at T_END after ``count`` steps of one length.

    Each step is a run of its own, with nothing to control its error.
    """
    y = np.append(ring.c0, 0.0)
    h = T_END / count
    law = drivers.temperature
    for step in range(count):
        cooled = law._replace(T0=temperature_and_slope(law, step * h)[0])
        path = integrate(
            y[:-1],
            ring.terms,
            drivers._replace(temperature=cooled),
            Limits(h, 1.0, 1e30, 10, math.inf),
            RODAS5P,
        )
        assert path.t.size == 2
        y = np.append(dust(path.y[-1]), y[-1] + lost(path.y[-1]))
    return y


@pytest.mark.parametrize("collisions", [False, True])
def test_the_order_in_steps_of_one_length_is_the_stated_one(collisions: bool) -> None:
    ring, drivers = wide_bins(collisions)
    # boulders that hardly change: the first step an integration tries is long
    ring = ring._replace(c0=np.append(ring.c0[:-1], 100.0))
    reference = seen(solve(ring, drivers, T_END, rtol=1e-12, atol=1e-20).y[-1])
    counts = np.array([8, 16, 32, 64])
    errors = np.array(
        [np.abs(equal_steps(ring, drivers, count) - reference)[[0, -1]] for count in counts]
    )
    orders = -np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert orders == pytest.approx(RODAS5P.order, abs=0.2), "of the dust, and of the mass lost"
