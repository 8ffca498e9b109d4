"""Default tolerances against tight ones; our integrator against SciPy's on the same equations."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from error_control import SETUPS, errors, tight_run
from plain_drivers import dust
from setups import make_drivers, make_ring, scipy_solution, solve

from marsdisk.config import RunConfig
from marsdisk.physics import temperature
from marsdisk.zero_d import run_zero_d

INNER = (1.0, 1.05)
OUTER = (2.65, 2.7)
SWEEP = [
    (3000.0, 0.5, 0.3, INNER),
    (3000.0, 1.0, 3.0, OUTER),
    (4000.0, 0.5, 1.0, OUTER),
    (4000.0, 1.0, 3.0, INNER),
    (5000.0, 0.5, 3.0, INNER),
    (5000.0, 1.0, 0.3, OUTER),
]


def overrides(T0: float, tau0: float, mu: float, ring: tuple[float, float]) -> dict[str, Any]:
    return {
        "temperature.T0": T0,
        "optical_depth": {"tau0_target": tau0},
        "supply.mu_orbit10pct": mu,
        "disk": {"r_in_RM": ring[0], "r_out_RM": ring[1]},
        "numerics": {"t_end_until_temperature_K": 2000.0},
    }


@pytest.mark.parametrize(
    "changes",
    [{}, *(overrides(*case) for case in SWEEP)],
    ids=["melt", *("-".join(map(str, case)) for case in SWEEP)],
)
def test_the_default_tolerances_are_good_to_a_thousandth(
    shipped: Callable[..., RunConfig], changes: dict[str, Any]
) -> None:
    default = run_zero_d(shipped("melt_simple", changes))
    tight = run_zero_d(
        shipped("melt_simple", {**changes, "numerics.rtol": 1e-9, "numerics.atol": 1e-16})
    )
    assert default.stop_reason is tight.stop_reason
    assert default.M_loss == pytest.approx(tight.M_loss, rel=1e-3)
    assert default.Sigma_final == pytest.approx(tight.Sigma_final, rel=1e-3)
    assert default.Sigma == pytest.approx(tight.Sigma, rel=1e-3), "on the way"
    assert default.M_loss_cum == pytest.approx(tight.M_loss_cum, abs=1e-3 * tight.M_loss), (
        "on the way"
    )


#: Set-ups that others cover, or that take long.
THOROUGH_SETUPS = {
    "melt, cools to 2000 K",
    "melt, a reservoir of 5e-10 M_Mars",
    "three slopes, no supply",
    "sublimation as a sink",
    "collisions alone",
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.thorough if name in THOROUGH_SETUPS else ())
        for name in SETUPS
    ],
)
def test_default_tolerances_are_good_to_a_percent_while_the_disk_decays(name: str) -> None:
    assert max(errors(name, tight_run(name)).largest.values()) < 1e-2


@pytest.mark.parametrize("solver", ["Radau", pytest.param("BDF", marks=pytest.mark.thorough)])
@pytest.mark.parametrize(
    "law",
    [temperature.constant(3000.0), temperature.slab(4000.0, depth=20.0)],
    ids=["steady", "cooling"],
)
def test_scipy_finds_the_same_solution(law: temperature.TemperatureLaw, solver: str) -> None:
    ring = make_ring(20, sigma=0.05)
    drivers = make_drivers(ring, law, supply=np.full(20, 1e-9))
    t_end = 3e4
    sigma = float(ring.c0.sum())
    path = solve(ring, drivers, t_end, rtol=1e-9)
    c = scipy_solution(ring.c0, ring.terms, drivers, path, solver, rtol=1e-9, atol=1e-14)[:-1]
    assert dust(path.y[-1]) / sigma == pytest.approx(c / sigma, abs=1e-6)
    assert np.abs(c - ring.c0).max() > 0.05 * sigma
