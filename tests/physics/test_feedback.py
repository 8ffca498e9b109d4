"""Feedback of the optical depth on the supply: d ln f/dt = rate (tau_target - tau)/tau_target.

It acts between two bounds.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from points import one_at_a_time
from scipy import integrate as scipy_integrate
from setups import Ring, jacobian_of, make_drivers, make_ring, rate_of, solve

from marsdisk.common.errors import ConfigError
from marsdisk.config import RunConfig
from marsdisk.physics import temperature
from marsdisk.physics.constants import YEAR
from marsdisk.physics.grid import Array
from marsdisk.physics.opacity import geometric_opacity
from marsdisk.physics.supply import Feedback
from marsdisk.solver.drivers import (
    ENTRIES,
    HELD,
    SUPPLIED,
    Drivers,
    blowout_state,
    piece_of,
    set_blowout_rates,
)
from marsdisk.solver.trajectory import Trajectory
from marsdisk.zero_d import run_zero_d

Shipped = Callable[..., RunConfig]
GOLDEN = Path(__file__).parents[1] / "data" / "supply_rates.json"
T_END = 1e5  # s
WIDE = (math.log(1e-6), math.log(1e6))


def fed(ring: Ring, supply: float, feedback: Feedback, *, t_blow: float = math.inf) -> Drivers:
    """Make drivers at 3000 K with ``supply`` f [kg/(m2 s)], composed like the ring itself."""
    shares = ring.c0 / ring.c0.sum()
    return make_drivers(
        ring, temperature.constant(3000.0), t_blow=t_blow, supply=supply * shares
    )._replace(feedback=feedback)


def weights(ring: Ring) -> Array:
    return geometric_opacity(ring.sizes, ring.masses, 1.0).per_mass[0]


def tau_of(path: Trajectory, ring: Ring) -> Array:
    tau: Array = path.y[:, : path.bins] @ weights(ring)
    return tau


def factor_of(path: Trajectory) -> Array:
    factor: Array = np.exp(path.y[:, -1])
    return factor


def test_every_bound_is_reached_and_left_where_the_exact_solution_has_it() -> None:
    """With supply alone f is a parabola in tau, cut off at the bounds.

    From tau' = a f and f' = b f (1 - tau/tau*).
    """
    ring = make_ring(8, collisions=False)
    tau_0 = float(weights(ring) @ ring.c0)
    target = 2.0 * tau_0
    b = 3e-4
    cap = 1.5
    floor = 0.5
    a = 12.0 * tau_0 / T_END
    path = solve(
        ring,
        fed(ring, a * ring.c0.sum() / tau_0, Feedback(b, target, math.log(floor), math.log(cap))),
        T_END,
        rtol=1e-8,
    )
    tau = tau_of(path, ring)
    factor = factor_of(path)

    def parabola(begin: float) -> Array:
        result: Array = b / a * (tau - begin - (tau**2 - begin**2) / (2.0 * target))
        return result

    exact = np.where(
        tau < target,
        np.minimum(1.0 + parabola(tau_0), cap),
        np.maximum(cap + parabola(target), floor),
    )
    assert factor == pytest.approx(exact, rel=1e-7)
    at_bound = path.mode.astype(int) & HELD != 0
    assert np.flatnonzero(np.diff(at_bound)).size == 3, "free, at the cap, free, at the floor"
    assert [factor.max(), factor.min(), factor[-1]] == pytest.approx([cap, floor, floor], rel=1e-9)
    supplied = path.y[:, path.bins + SUPPLIED]
    assert supplied == pytest.approx(
        (tau - tau_0) / a * a * ring.c0.sum() / tau_0, rel=1e-9, abs=1e-14 * ring.c0.sum()
    )
    assert path.ledger_error <= 1e-14


def test_feedback_is_the_limit_of_short_steps() -> None:
    """Each golden step multiplied f by 1 + x where ln f grows by x here.

    At the same optical depth, kept for as long.
    """
    case = json.loads(GOLDEN.read_text(encoding="utf-8"))["feedback"]
    golden = case["spec_extra"]["feedback"]
    feedback = Feedback(
        golden["gain"] / (golden["response_time_years"] * YEAR),
        golden["target_tau"],
        math.log(1e-6),
        math.log(10.0),
    )
    ring = make_ring(4, collisions=False)
    before = 1.0
    for step in case["steps"]:
        tau = float(weights(ring) @ ring.c0)
        still = fed(ring, 0.0, feedback)
        path = solve(ring._replace(c0=step["tau"] / tau * ring.c0), still, step["dt"])
        assert path.y[-1, -1] == pytest.approx(
            step["feedback_scale"] / before - 1.0, rel=1e-9, abs=1e-15
        )
        before = step["feedback_scale"]


@pytest.mark.parametrize(
    "inputs",
    one_at_a_time(
        {"rate": 1e-4, "tau_target": 2.0, "tau": 0.5, "t": 1e4, "floor": 1e-3, "cap": 1e3},
        rate=(1e-6, 1e-3),
        tau_target=(0.3, 40.0),
        tau=(1e-3, 7.0),
        t=(1.0, 1e5),
        floor=(0.5, 1e-6),
        cap=(1.3, 1e6),
    ),
)
def test_at_a_depth_that_stays_the_factor_is_an_exponential_up_to_its_bound(
    inputs: dict[str, float],
) -> None:
    bounds = (math.log(inputs["floor"]), math.log(inputs["cap"]))
    feedback = Feedback(inputs["rate"], inputs["tau_target"], *bounds)
    ring = make_ring(4, collisions=False)
    ring = ring._replace(c0=inputs["tau"] / float(weights(ring) @ ring.c0) * ring.c0)
    path = solve(ring, fed(ring, 0.0, feedback), inputs["t"])
    free = inputs["rate"] * inputs["t"] * (1.0 - inputs["tau"] / inputs["tau_target"])
    assert path.y[-1, -1] == pytest.approx(min(max(free, bounds[0]), bounds[1]), rel=1e-9)


def scipy_end(ring: Ring, drivers: Drivers, supply: float, t_blow: float) -> Array:
    """Return the mass per bin and ln f at T_END by SciPy's Radau."""
    n = ring.c0.size
    w = weights(ring)
    feedback = drivers.feedback
    shares = ring.c0 / ring.c0.sum()
    S = np.zeros(n)
    s_blow = blowout_state(drivers, 0.0)[0]
    set_blowout_rates(drivers.blowout, piece_of(drivers.blowout, s_blow), s_blow, S)

    def rate(t: float, y: Array) -> Array:
        c = y[:n]
        f = math.exp(y[n])
        return np.append(
            rate_of(c, ring) + supply * f * shares - S * c,
            feedback.rate * (1.0 - w @ c / feedback.tau_target),
        )

    def slope(t: float, y: Array) -> Array:
        J = np.zeros((n + 1, n + 1))
        J[:n, :n] = jacobian_of(y[:n], ring) - np.diag(S)
        J[:n, n] = supply * math.exp(y[n]) * shares
        J[n, :n] = -feedback.rate / feedback.tau_target * w
        return J

    solution = scipy_integrate.solve_ivp(
        rate,
        (0.0, T_END),
        np.append(ring.c0, 0.0),
        method="Radau",
        jac=slope,
        rtol=1e-11,
        atol=1e-16,
    )
    end: Array = solution.y[:, -1]
    return end


def swinging() -> tuple[Ring, Drivers, Array]:
    """Return a case with a supply that swings around its target, and SciPy's solution."""
    ring = make_ring(6, s_lo=1e-7, s_hi=1e-2, sigma=0.01, v_rel=300.0)
    supply = 1e-6
    t_blow = 6e3
    target = 0.5 * float(weights(ring) @ ring.c0)
    drivers = fed(ring, supply, Feedback(3e-4, target, *WIDE), t_blow=t_blow)
    return ring, drivers, scipy_end(ring, drivers, supply, t_blow)


def test_the_order_and_the_limit_are_those_of_the_equations() -> None:
    ring, drivers, exact = swinging()
    steps = []
    errors = []
    for rtol in 10.0 ** -np.arange(3.0, 8.6, 0.5):
        path = solve(ring, drivers, T_END, rtol=float(rtol), atol=1e-12)
        error = np.abs(
            np.delete(path.y[-1], range(path.bins, path.bins + ENTRIES)) - exact
        ) / np.append(np.full(path.bins, ring.c0.sum()), 1.0)
        steps.append(path.accepted)
        errors.append(error.max())
        assert path.ledger_error <= 1e-13
    assert abs(exact[-1]) > 0.1, "the factor should have moved"
    assert errors[-1] < 1e-8
    assert -np.polyfit(np.log(steps), np.log(errors), 1)[0] >= 3.5


STEERED: dict[str, Any] = {
    "temperature": {"law": "constant", "T0": 3500.0},
    "optical_depth.tau_stop": None,
    "numerics": {"t_end_years": 2.0},
    "sizes.n_bins": 20,
}


@pytest.mark.parametrize("tau_target", [0.05, 0.5])
def test_the_optical_depth_goes_where_it_is_steered(shipped: Shipped, tau_target: float) -> None:
    feedback = {"tau_target": tau_target, "t_response_years": 0.02, "cap": 1e6}
    result = run_zero_d(shipped("melt_simple", {**STEERED, "supply.feedback": feedback}))
    assert result.tau_los[-1] == pytest.approx(tau_target, rel=1e-3)
    assert abs(result.tau_los[0] / tau_target - 1.0) > 0.5
    assert result.ledger_error <= 1e-12


def test_a_bound_keeps_it_from_getting_there(shipped: Shipped) -> None:
    """At rest at its cap, the feedback is a constant supply, so many times the nominal one."""
    feedback = {"tau_target": 1e3, "t_response_years": 1e-6, "cap": 2.0}
    capped = run_zero_d(shipped("melt_simple", {**STEERED, "supply.feedback": feedback}))
    doubled = run_zero_d(shipped("melt_simple", {**STEERED, "supply.mu_orbit10pct": 2.0}))
    assert capped.M_supplied == pytest.approx(doubled.M_supplied, rel=1e-5)
    assert capped.tau_los[-1] == pytest.approx(doubled.tau_los[-1], rel=1e-3)


@pytest.mark.parametrize("bound", ["cap", "floor"])
@pytest.mark.parametrize("offset", [-1e-6, -1e-12, 0.0, 1e-12, 1e-6])
def test_a_disk_that_comes_to_rest_at_its_target_does_not_switch_for_ever(
    shipped: Shipped, bound: str, offset: float
) -> None:
    rest = run_zero_d(shipped("melt_simple", STEERED)).tau_los[-1]
    feedback = {"tau_target": rest * (1.0 + offset), "t_response_years": 1e-6, bound: 1.0}
    result = run_zero_d(shipped("melt_simple", {**STEERED, "supply.feedback": feedback}))
    assert result.tau_los[-1] == pytest.approx(rest, rel=1e-3)
    assert result.steps + result.steps_rejected < 1000


def test_factors_of_temperature_reservoir_and_phase_multiply(shipped: Shipped) -> None:
    """A supply with every factor stays within its reservoir, and waits until grains are solid."""
    supply = {
        "feedback": {"tau_target": 5.0, "t_response_years": 0.01},
        "temperature": {"power": 2.0},
        "reservoir": 1e-11,
    }
    result = run_zero_d(
        shipped("melt_simple", {**STEERED, "supply": {"injection": "initial_psd", **supply}})
    )
    assert result.M_supplied == pytest.approx(1e-11, rel=1e-9)
    assert result.ledger_error <= 1e-12
    hot = {"phase": {"enabled": True, "T_condense": 800.0, "T_vaporize": 900.0}}
    assert (
        run_zero_d(shipped("melt_simple", {**STEERED, **hot, "supply.feedback": {}})).M_supplied
        == 0.0
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"supply": {"mode": "none", "feedback": {}}}, "mode is none but feedback"),
        (
            {"supply.feedback": {"floor": 2.0}},
            r"supply.feedback.floor = 2.0: must be a number in \(0, 1\]",
        ),
        ({"supply.feedback": {"floor": 1.0, "cap": 1.0}}, "leaves the factor no room"),
        ({"supply.feedback": {"target_tau": 1.0}}, "it is now supply.feedback.tau_target"),
        (
            {"supply.feedback": {"response_time_years": 1.0}},
            "it is now supply.feedback.t_response_years",
        ),
        (
            {"supply.feedback": {}, "numerics": {"t_end_years": 1.0, "scheme": "imex_bdf1"}},
            "has no supply.feedback; set scheme: rosenbrock",
        ),
    ],
)
def test_a_feedback_that_makes_no_sense_is_refused(
    shipped: Shipped, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        shipped("melt_simple", changes)
