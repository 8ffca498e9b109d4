"""Properties that hold for every configuration, on configurations that hypothesis draws."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from plain_drivers import dust, lost
from setups import collision_jacobian, collision_rate, make_ring, watched

from marsdisk.common.errors import SolverError
from marsdisk.config import RunConfig
from marsdisk.physics import temperature
from marsdisk.physics.orbit import annulus_area
from marsdisk.result import RunResult
from marsdisk.solver.drivers import ENTRIES, SUPPLIED, drive
from marsdisk.solver.events import REACHED_END
from marsdisk.solver.integrate import integrate
from marsdisk.zero_d import run_zero_d

Shipped = Callable[..., RunConfig]


def log(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(np.log10(low), np.log10(high)).map(lambda x: float(10.0**x))


def either(*choices: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(choices)


SUPPLY = st.fixed_dictionaries(
    {
        "mu_orbit10pct": log(0.01, 10.0),
        "injection": either("min_bin", "powerlaw_bins", "initial_psd"),
    }
)
DRAWN = st.fixed_dictionaries(
    {
        "material.rho": st.floats(1000.0, 5000.0),
        "sizes": st.fixed_dictionaries(
            {"s_min": log(1e-8, 1e-6), "s_max": log(0.1, 100.0), "n_bins": st.integers(2, 50)}
        ),
        "optical_depth": st.fixed_dictionaries({"tau0_target": log(1e-3, 10.0)}),
        "supply": either({"mode": "none"}) | SUPPLY,
        "collisions": st.fixed_dictionaries(
            {
                "enabled": either(True, True, False),
                "fragment_law": either("mass", "number"),
                "alpha_frag": st.floats(0.0, 5.0),
            }
        ),
        "blowout": st.fixed_dictionaries(
            {
                "enabled": either(True, True, False),
                "edge": either("continuous", "sharp"),
                "chi": st.floats(1.0, 2.0),
            }
        ),
        "dynamics": st.fixed_dictionaries(
            {
                "e0": st.floats(0.0, 0.9),
                "i0": log(1e-3, 0.5),
                "v_rel": either("dispersion", "pericenter"),
            }
        ),
        "qstar": st.fixed_dictionaries(
            {"table": either("forsterite", "basalt"), "scale": log(0.01, 100.0)}
        ),
        "temperature": (
            st.fixed_dictionaries({"law": st.just("constant"), "T0": st.floats(1000.0, 6500.0)})
            | st.fixed_dictionaries(
                {"law": st.just("slab"), "T0": st.floats(2000.0, 6500.0), "depth": log(1e5, 1e6)}
            )
        ),
        "numerics": st.fixed_dictionaries({"t_end_orbits": log(1e-3, 1e4)}),
    }
)


#: A bin is emptied so often in one step that its mass is lost in the round-off of the others.
BEYOND_DOUBLE_PRECISION: dict[str, Any] = {
    "material.rho": 1000.0,
    "sizes": {"s_min": 1e-7, "s_max": 1.0, "n_bins": 7},
    "optical_depth": {"tau0_target": 1.0},
    "supply": {"mu_orbit10pct": 10.0, "injection": "min_bin"},
    "collisions": {"enabled": True, "fragment_law": "mass", "alpha_frag": 0.0},
    "blowout": {"enabled": True, "edge": "continuous", "chi": 1.0},
    "dynamics": {"e0": 0.0, "i0": 0.01, "v_rel": "pericenter"},
    "qstar": {"table": "forsterite", "scale": 1.0},
    "temperature": {"law": "constant", "T0": 1000.0},
    "disk": {"r_in_RM": 95.0 / 64.0, "r_out_RM": 97.0 / 64.0},
    "numerics": {"t_end_orbits": 1e4},
}


def run_unless_refused(config: RunConfig) -> RunResult:
    """Run what was drawn, and pass over what double precision cannot balance."""
    try:
        return run_zero_d(config)
    except SolverError as error:
        assume("which double precision cannot balance" not in str(error))
        raise


def test_what_double_precision_cannot_balance_is_refused_and_the_cure_works(
    shipped: Shipped,
) -> None:
    with pytest.raises(
        SolverError, match=r"lower numerics\.rtol from 0\.001 to (1e-\d+)"
    ) as caught:
        run_zero_d(shipped("melt_simple", BEYOND_DOUBLE_PRECISION))
    rtol = float(str(caught.value).rsplit(" ", 1)[-1])
    cured = {**BEYOND_DOUBLE_PRECISION, "numerics.rtol": rtol}
    assert run_zero_d(shipped("melt_simple", cured)).ledger_error <= 1e-10


@given(drawn=DRAWN)
def test_the_ledger_closes_and_nothing_is_negative_at_every_step(
    shipped: Shipped, drawn: dict[str, Any]
) -> None:
    arguments, path, result = watched(shipped("melt_simple", drawn))
    mass = dust(path.y)
    gone = lost(path.y)
    entries = path.y[:, -ENTRIES:]
    assert np.all(mass >= 0.0)
    assert np.all(np.diff(entries, axis=0) >= 0.0), "mass came back"
    start = arguments.c0.sum()
    supplied = drive(arguments.drivers, 0.0).supply * path.t
    assert entries[:, SUPPLIED] == pytest.approx(supplied, rel=1e-12)
    assert np.all(np.abs(mass.sum(axis=1) + gone - start - supplied) <= 1e-10 * (start + supplied))
    assert result.ledger_error <= 1e-10


@given(
    seed=st.integers(0, 2**32),
    n=st.integers(2, 40),
    v_rel=log(10.0, 1e4),
    power=st.integers(-30, 30),
)
def test_collisions_are_quadratic_to_the_last_bit(
    seed: int, n: int, v_rel: float, power: int
) -> None:
    """Times a power of two no sum rounds differently.

    Twice the dust is twice the rate per mass, four times the rate.
    """
    ring = make_ring(n, v_rel=v_rel)
    c = 10.0 ** np.random.default_rng(seed).uniform(-12.0, 0.0, n)
    factor = 2.0**power
    assert np.array_equal(
        collision_rate(factor * c, ring.terms), factor**2 * collision_rate(c, ring.terms)
    )
    assert np.array_equal(
        collision_jacobian(factor * c, ring.terms), factor * collision_jacobian(c, ring.terms)
    )


@given(drawn=DRAWN)
def test_twice_the_dust_lives_the_same_life_at_twice_the_speed(
    shipped: Shipped, drawn: dict[str, Any]
) -> None:
    """Twice the dust with all rates doubled, for half the time, gives twice the dust, tau and loss.

    It is fed four times, and blown out and cooled twice as fast.
    """
    faster = {
        **drawn,
        "optical_depth.tau0_target": 2.0 * drawn["optical_depth"]["tau0_target"],
        "blowout.chi": 0.5 * drawn["blowout"]["chi"],
        "numerics.t_end_orbits": 0.5 * drawn["numerics"]["t_end_orbits"],
    }
    if "mu_orbit10pct" in drawn["supply"]:
        faster["supply.mu_orbit10pct"] = 4.0 * drawn["supply"]["mu_orbit10pct"]
    if "depth" in drawn["temperature"]:
        faster["temperature.depth"] = 0.5 * drawn["temperature"]["depth"]
    once = run_unless_refused(shipped("melt_simple", drawn))
    twice = run_unless_refused(shipped("melt_simple", faster))
    for name in ("Sigma", "tau_los", "N", "M_loss_cum", "M_loss", "tau_max"):
        expected = 2.0 * getattr(once, name)
        # of what has decayed by so many powers of ten, round-off is all that is left
        nothing = 1e-200 * float(np.max(expected))
        assert getattr(twice, name) == pytest.approx(expected, rel=1e-11, abs=nothing), name
    assert twice.M_out_dot == pytest.approx(4.0 * once.M_out_dot, rel=1e-11, abs=0.0)
    assert twice.t99 == pytest.approx(0.5 * once.t99, rel=1e-9)
    assert np.array_equal(once.T_M, twice.T_M)


@given(drawn=DRAWN, middle=st.integers(96, 160), half_width=st.integers(1, 32))
def test_the_loss_is_proportional_to_the_area_of_the_ring(
    shipped: Shipped, drawn: dict[str, Any], middle: int, half_width: int
) -> None:
    results = []
    areas = []
    for half in (1, half_width):
        # exact, so that the middle is the same double
        r_in = (middle - half) / 64.0
        r_out = (middle + half) / 64.0
        results.append(
            run_unless_refused(
                shipped("melt_simple", {**drawn, "disk": {"r_in_RM": r_in, "r_out_RM": r_out}})
            )
        )
        areas.append(annulus_area(r_in, r_out))
    narrow, wide = results
    assert wide.M_loss == pytest.approx(narrow.M_loss * areas[1] / areas[0], rel=1e-14, abs=0.0)
    assert wide.M_supplied == pytest.approx(
        narrow.M_supplied * areas[1] / areas[0], rel=1e-14, abs=0.0
    )
    assert np.array_equal(wide.Sigma, narrow.Sigma)


@given(drawn=DRAWN, share=st.floats(0.01, 0.99))
def test_a_run_stopped_and_gone_on_with_equals_one_that_was_not(
    shipped: Shipped, drawn: dict[str, Any], share: float
) -> None:
    """Nothing but the temperature knows what time it is."""
    config = shipped("melt_simple", {**drawn, "numerics.rtol": 1e-10, "numerics.atol": 1e-14})
    arguments, whole, _ = watched(config)
    t_1 = share * arguments.limits.t_end
    first = integrate(*arguments._replace(limits=arguments.limits._replace(t_end=t_1)))
    law = arguments.drivers.temperature
    cooled = law
    if config.temperature.law != "constant":
        T_1 = temperature.temperature_and_slope(law, t_1)[0]
        cooled = temperature.slab(T_1, config.temperature.depth)
    later = arguments._replace(
        c0=dust(first.y[-1]),
        drivers=arguments.drivers._replace(temperature=cooled),
        limits=arguments.limits._replace(t_end=arguments.limits.t_end - t_1),
    )
    second = integrate(*later)
    assert {whole.outcome, first.outcome, second.outcome} == {REACHED_END}
    mass = whole.y[-1].sum()
    # where the finest bins feed each other, errors add up to ten thousand times the tolerance
    assert dust(second.y[-1]) == pytest.approx(dust(whole.y[-1]), rel=1e-5, abs=1e-8 * mass)
    assert lost(first.y[-1]) + lost(second.y[-1]) == pytest.approx(
        lost(whole.y[-1]), abs=1e-8 * mass
    )


LOOKS = st.fixed_dictionaries(
    {
        "samples": st.integers(2, 300),
        "snapshots": st.just(2),
        "spacing": either("log", "linear"),
        "decades": st.floats(0.5, 12.0),
    }
)


@given(drawn=DRAWN, looks=LOOKS)
def test_where_the_solution_is_looked_at_does_not_change_a_bit(
    shipped: Shipped, drawn: dict[str, Any], looks: dict[str, Any]
) -> None:
    plain = run_unless_refused(shipped("melt_simple", drawn))
    finer = run_unless_refused(shipped("melt_simple", {**drawn, "output": looks}))
    for name in ("M_loss", "Sigma_final", "t99", "ledger_error", "steps"):
        assert getattr(plain, name) == getattr(finer, name), name
    for result in (plain, finer):  # which may see more between the steps than at their ends
        assert result.tau_max >= result.tau_los.max()
    assert np.array_equal(plain.N[-1], finer.N[-1])
