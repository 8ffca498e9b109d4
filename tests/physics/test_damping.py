"""Collisions damp e and i: closed solutions, order of convergence, and what stays as it was."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from points import one_at_a_time
from setups import SCALE_HEIGHT, make_drivers, make_ring
from setups import solve as solve_ring

from marsdisk import zero_d
from marsdisk.cache import REASONS, CacheKind, RunCache
from marsdisk.common.errors import ConfigError, SolverError
from marsdisk.config import RunConfig
from marsdisk.physics import dynamics, orbit, temperature
from marsdisk.physics.dynamics import Motion, relaxed
from marsdisk.physics.grid import Array
from marsdisk.physics.phase import SOLID
from marsdisk.physics.sublimation import grain_heating
from marsdisk.result import RunResult, StopReason
from marsdisk.run.derived import derive
from marsdisk.solver.control import Limits
from marsdisk.solver.integrate import integrate
from marsdisk.solver.methods import RODAS5P
from marsdisk.solver.stretches import Damping, integrate_stretches
from marsdisk.solver.trajectory import Trajectory, joined
from marsdisk.zero_d import run_zero_d

Shipped = Callable[..., RunConfig]
GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "orbit.json").read_text(encoding="utf-8"))
#: Bodies too strong to break, all in the top bin, which two that merge do not leave: the collision
#: rate never changes.
BOULDERS: dict[str, Any] = {
    "sizes": {"s_min": 0.1, "s_max": 2.0, "n_bins": 4},
    "initial": {"s0_mode": "mono", "s_mono": 1.5},
    "qstar": {"table": [[1.0, 1e30, 0.0, 1e30, 0.0]]},
    "blowout.enabled": False,
    "blowout.chi": 1.0,
    "supply": {"mode": "none"},
    "temperature": {"law": "constant", "T0": 3000.0},
    "optical_depth": {"tau0_target": 1.0},
    "energy": {"enabled": True, "f_ke_cratering": 0.0},
}
#: Dust that grinds itself down, is fed and blown out, while its orbits are damped.
DUST: dict[str, Any] = {
    "sizes": {"s_min": 1e-7, "s_max": 1e-3, "n_bins": 16},
    "initial": {"s0_mode": "upper"},
    "psd.alpha": 3.5,
    "optical_depth": {"tau0_target": 0.01},
    "numerics": {"t_end_orbits": 100.0},
    "dynamics.damping": {"epsilon": 0.2, "e_eq": 0.02},
}


@pytest.mark.parametrize("case", GOLDEN["update_e"], ids=lambda case: f"e{case['e']}")
def test_relaxation_is_the_golden_one(case: dict[str, float]) -> None:
    assert relaxed(
        case["e"], case["e_eq"], math.exp(-case["dt"] / case["t_damp"])
    ) == pytest.approx(case["e_new"], rel=1e-12)


def boulders(
    shipped: Shipped, rtol: float, height: dict[str, Any]
) -> tuple[RunResult, Array, float]:
    """Run boulders; return epsilon^2 L t at the output times, and the speed at the start [m/s].

    L is that of the start.
    """
    changes = {
        **BOULDERS,
        "dynamics": {"e0": 0.5, "i0": 0.05, "damping": {"epsilon": 0.5, "e_eq": 0.1}, **height},
    }
    config = shipped(
        "melt_simple",
        {
            **changes,
            "numerics": {"t_end_orbits": 2.0, "rtol": rtol},
            "output": {"spacing": "linear"},
        },
    )
    derived = derive(config)
    result = run_zero_d(config)
    L = (
        math.pi
        * (2.0 * result.s[-1]) ** 2
        * derived.v_rel
        / (2.0 * math.sqrt(math.pi) * derived.H)
        * result.N[0, -1]
    )
    assert result.N[-1] == pytest.approx(result.N[0], rel=1e-12)
    return result, 0.25 * L * result.t, derived.v_rel


def test_e_relaxes_exponentially_where_height_follows_inclination(shipped: Shipped) -> None:
    """v/H and with it the collision rate stay as they are: exact, however long the stretches."""
    result, exponent, v_0 = boulders(shipped, 1e-3, {})
    assert exponent[-1] > 3.0
    assert result.e == pytest.approx(0.1 + 0.4 * np.exp(-exponent), rel=1e-12)
    assert result.v_rel == pytest.approx(v_0 * result.e / 0.5, rel=1e-12)


@pytest.mark.parametrize(
    "inputs",
    one_at_a_time(
        {"e0": 0.5, "i0": 0.05, "epsilon": 0.5, "e_eq": 0.1, "tau0_target": 1.0},
        e0=(0.05, 0.8),
        i0=(0.01, 0.2),
        epsilon=(0.1, 0.9),
        e_eq=(1e-3, 0.3),
        tau0_target=(0.1, 3.0),
    ),
)
def test_e_relaxes_in_the_collision_time_over_epsilon_squared(
    shipped: Shipped,
    inputs: dict[str, float],
) -> None:
    damping = {"epsilon": inputs["epsilon"], "e_eq": inputs["e_eq"]}
    dynamics_of_run = {"e0": inputs["e0"], "i0": inputs["i0"], "damping": damping}
    changes = {
        **BOULDERS,
        "dynamics": dynamics_of_run,
        "optical_depth": {"tau0_target": inputs["tau0_target"]},
        "numerics": {"t_end_orbits": 1.0},
    }
    config = shipped("melt_simple", changes)
    derived = derive(config)
    result = run_zero_d(config)
    area = math.pi * (2.0 * result.s[-1]) ** 2
    rate = area * derived.v_rel / (2.0 * math.sqrt(math.pi) * derived.H) * result.N[0, -1]
    left = np.exp(-(inputs["epsilon"] ** 2) * rate * result.t)
    expected = inputs["e_eq"] + (inputs["e0"] - inputs["e_eq"]) * left
    assert result.e == pytest.approx(expected, rel=1e-11)


def test_e_relaxes_ever_more_slowly_where_the_height_is_fixed(shipped: Shipped) -> None:
    """The rate goes as e: d ln q/dt = -k (b + (1-b) q) with b = e_eq/e0.

    Its solution is q = b/(exp(k b t) - 1 + b); to second order.
    """
    height = {"kernel_H_mode": "fixed", "H_fixed_over_a": 0.05}
    b = 0.2
    errors = []
    stretches = []
    for rtol in (1e-3, 1e-4, 1e-5):
        result, exponent, _ = boulders(shipped, rtol, height)
        q = b / (np.expm1(b * exponent) + b)
        errors.append(np.abs((result.e - 0.1) / 0.4 - q).max())
        stretches.append(rebuilt(result))
        assert errors[-1] < rtol
    assert -np.polyfit(np.log(stretches), np.log(errors), 1)[0] == pytest.approx(2.0, abs=0.3)


def test_the_energy_of_collisions_is_that_of_the_speed_of_its_time(shipped: Shipped) -> None:
    result, exponent, v_0 = boulders(shipped, 1e-4, {})
    x = exponent[-1]
    left = 0.4
    mean_e2 = (
        0.1**2
        + 2.0 * 0.1 * left * -math.expm1(-x) / x
        + left**2 * -math.expm1(-2.0 * x) / (2.0 * x)
    )
    m = 4.0 / 3.0 * math.pi * result.config.material.rho * result.s[-1] ** 3
    N = result.N[0, -1]
    events = 0.5 * N * x / 0.25  # per area, each body counted twice
    expected = events * 0.25 * m * v_0**2 * mean_e2 / 0.5**2 * derive(result.config).area
    assert result.E_collisions == pytest.approx(expected, rel=1e-4)
    assert result.E_dissipated == pytest.approx(expected, rel=1e-4)


def rebuilt(result: RunResult) -> int:
    """Count the rebuilds of the fragment tensor because of a changed speed."""
    return int(
        result.cache.invalidations[
            list(CacheKind).index(CacheKind.FRAGMENT_TENSOR), REASONS.index("v_rel")
        ]
    )


def test_the_disk_converges_with_the_square_of_the_stretches() -> None:
    """Grains that grind each other down, at steps far more exact than the stretches."""
    sizes: dict[str, Any] = {"s_lo": 1e-6, "s_hi": 1e-4, "sigma": 0.05}
    ring = make_ring(8, v_rel=1200.0, **sizes)
    drivers = make_drivers(ring, temperature.constant(3000.0), t_blow=1e5)
    area = math.pi * np.add.outer(ring.sizes, ring.sizes) ** 2

    def motion_at(q: float) -> Motion:
        e = relaxed(0.2, 0.1, q)
        return Motion(e, 1200.0 * e / 0.2, SCALE_HEIGHT)

    def solve(motion: Motion, y: Array, limits: Limits, *begin: Any) -> Trajectory:
        t, mode, above = begin
        terms = make_ring(8, v_rel=motion.v_rel, **sizes).terms
        arguments = y, terms, drivers, limits, RODAS5P
        return integrate(*arguments, t=t, mode=mode, above=above)

    def end(tolerance: float) -> tuple[Array, int]:
        limits = Limits(2e4, 1e-8, 1e-14, 100_000, math.inf)
        stretches = integrate_stretches(
            ring.c0, Damping(1e-3, area, ring.masses, motion_at), limits, solve, tolerance=tolerance
        )
        path = joined([stretch.path for stretch in stretches])
        assert path.ledger_error < 1e-13
        return path.y[-1], len(stretches)

    exact, _ = end(1e-5)
    undamped = solve_ring(ring, drivers, 2e4).y[-1]
    assert np.abs(exact - undamped).max() > 0.1 * ring.c0.sum(), "damping should matter"
    counts = []
    errors = []
    for tolerance in (1e-2, 1e-3, 1e-4):
        y, count = end(tolerance)
        counts.append(count)
        errors.append(np.abs(y - exact).max() / ring.c0.sum())
        assert errors[-1] < tolerance
    assert -np.polyfit(np.log(counts), np.log(errors), 1)[0] == pytest.approx(2.0, abs=0.3)


def test_the_disk_gets_to_its_equilibrium_with_the_same_bits_with_and_without_a_cache(
    shipped: Shipped,
) -> None:
    config = shipped("melt_simple", DUST)
    result = run_zero_d(config)
    cold = run_zero_d(config, cache=RunCache(enabled=False))
    derived = derive(config)
    i_eq = 0.05 / 0.5 * 0.02
    assert result.e[0] == 0.5
    assert result.e[-1] == pytest.approx(0.02, rel=1e-9)
    assert result.v_rel[-1] == pytest.approx(
        dynamics.dispersion_speed(orbit.keplerian_velocity(derived.r), 0.02, i_eq), rel=1e-9
    )
    assert np.all(np.diff(result.e) <= 0.0)
    assert rebuilt(result) > 20
    assert result.ledger_error <= 1e-12
    for name in ("Sigma", "tau_los", "M_loss_cum", "N", "e", "v_rel"):
        assert np.array_equal(getattr(result, name), getattr(cold, name)), name
    still = run_zero_d(shipped("melt_simple", {**DUST, "dynamics.damping": None}))
    assert result.tau_los[-1] > 1.1 * still.tau_los[-1], "damping should matter"


def test_a_disk_that_starts_at_its_equilibrium_stays_as_it_is_to_the_last_bit(
    shipped: Shipped,
) -> None:
    at_rest, still = (
        run_zero_d(shipped("melt_simple", {**DUST, "dynamics.damping": damping}))
        for damping in ({"e_eq": 0.5}, None)
    )
    assert np.array_equal(at_rest.N, still.N)
    assert np.array_equal(at_rest.M_loss_cum, still.M_loss_cum)
    assert np.array_equal(still.e, np.full(128, 0.5))


def test_a_trajectory_goes_on_from_where_another_ended() -> None:
    ring = make_ring(12)
    drivers = make_drivers(ring, temperature.slab(4000.0, depth=1e2), supply=1e-8 * ring.c0)
    limits = Limits(1e5, 1e-8, 1e-18, 10_000, math.inf)
    whole = integrate(ring.c0, ring.terms, drivers, limits, RODAS5P)
    first = integrate(ring.c0, ring.terms, drivers, limits._replace(t_end=3e4), RODAS5P)
    second = integrate(first.y[-1], ring.terms, drivers, limits, RODAS5P, t=3e4, mode=SOLID)
    path = joined([first, second])
    assert path.y[-1] == pytest.approx(whole.y[-1], rel=1e-5, abs=1e-9 * ring.c0.sum())
    assert path.t[0] == 0.0
    assert path.t[-1] == path.t_final == 1e5
    assert np.all(np.diff(path.t) > 0.0)
    assert path.accepted == path.t.size - 1
    assert path.ledger_error <= 1e-13


def test_events_are_located_whatever_the_stretches(shipped: Shipped) -> None:
    fed = {
        **DUST,
        "supply.mu_orbit10pct": 100.0,
        "supply.feedback": {"t_response_years": 0.01},
        "optical_depth": {"tau0_target": 0.01, "tau_stop": 0.2},
    }
    results = [
        run_zero_d(
            shipped("melt_simple", {**fed, "numerics": {"t_end_orbits": 100.0, "rtol": rtol}})
        )
        for rtol in (1e-3, 1e-5)
    ]
    for result in results:
        assert result.stop_reason is StopReason.OPTICAL_DEPTH
        assert result.tau_los[-1] == pytest.approx(0.2, rel=1e-9)
        assert result.tau_max == pytest.approx(0.2, rel=1e-12)
        assert result.ledger_error <= 1e-12
    assert results[0].t_end == pytest.approx(results[1].t_end, rel=1e-3)


@pytest.mark.parametrize("s_max", [1e-3, 3.0], ids=["grains", "boulders"])
def test_nothing_is_damped_while_grains_are_liquid(shipped: Shipped, s_max: float) -> None:
    """Nothing is damped from 0.95 of the way from T_c = 1700 K to T_v = 2000 K on.

    Boulders in dust then are damped faster than time is resolved.
    """
    cooling: dict[str, Any] = {
        "temperature": {"law": "slab", "T0": 4500.0, "depth": 1e3},
        "phase": {"enabled": True, "q_abs": 1.0, "tau_ref": 1e9},
    }
    cooling |= {
        "sizes.s_max": s_max,
        "numerics": {"t_end_years": 0.03},
        "output": {"spacing": "linear"},
    }
    config = shipped(
        "melt_simple",
        {
            **{key: value for key, value in DUST.items() if key != "sizes"},
            "sizes.n_bins": 16,
            **cooling,
        },
    )
    result = run_zero_d(config)
    derived = derive(config)
    solidified = temperature.first_time_at_or_below(
        derived.law, 1985.0 / grain_heating(derived.r, 1.0)
    )
    assert solidified is not None
    assert 0.1 * result.t_end < solidified < result.gated_time
    assert np.all(result.e[result.t <= solidified] == 0.5)
    assert np.all(result.e[result.t > solidified] < 0.5)
    assert s_max < 1.0 or result.e[result.t > solidified] == pytest.approx(0.02, rel=1e-9)
    assert result.steps + result.steps_rejected < 2000


def test_steps_of_stretches_that_are_made_again_count_as_rejected(
    shipped: Shipped, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def counting(*inputs: Any, **options: Any) -> Trajectory:
        path = integrate(*inputs, **options)
        calls.append(path.accepted + path.rejected)
        return path

    monkeypatch.setattr(zero_d, "integrate", counting)
    result = run_zero_d(
        shipped("melt_simple", {**DUST, "numerics": {"t_end_orbits": 100.0, "rtol": 1e-4}})
    )
    assert result.steps + result.steps_rejected == sum(calls) > result.steps


def test_a_run_with_too_many_stretches_says_so(shipped: Shipped) -> None:
    with pytest.raises(
        SolverError,
        match=r"numerics.max_steps = 30 reached at t = .* raise it or loosen numerics.rtol",
    ):
        run_zero_d(
            shipped("melt_simple", {**DUST, "numerics": {"t_end_orbits": 100.0, "max_steps": 30}})
        )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dynamics.v_rel": "pericenter"}, "pericenter is an orbital speed; set v_rel: dispersion"),
        (
            {
                "dynamics": {
                    "e0": 0.0,
                    "i0": 0.0,
                    "kernel_H_mode": "fixed",
                    "H_fixed_over_a": 0.1,
                    "damping": {"e_eq": 0.1},
                }
            },
            "nothing to damp",
        ),
        (
            {"collisions.enabled": False},
            "damping is by collisions, and collisions.enabled is false",
        ),
        (
            {"numerics": {"t_end_years": 1.0, "scheme": "imex_bdf1"}},
            "has no dynamics.damping; set scheme: rosenbrock",
        ),
        ({"dynamics.damping": {}}, "dynamics.damping.e_eq is missing"),
        ({"dynamics.enable_e_damping": True}, "it is now dynamics.damping: {epsilon, e_eq}"),
        ({"dynamics.t_damp_orbits": 20.0}, "it is now dynamics.damping: {epsilon, e_eq}"),
    ],
)
def test_damping_that_makes_no_sense_is_refused(
    shipped: Shipped, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        derive(shipped("melt_simple", {"dynamics.damping": {"e_eq": 0.1}, **changes}))
