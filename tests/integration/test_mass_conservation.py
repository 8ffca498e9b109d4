"""Mass over a whole run.

The default solver keeps it to round-off, the classic scheme to the error that it reports.
"""

from collections.abc import Callable
from typing import Any

import pytest

from marsdisk.config import RunConfig
from marsdisk.physics.constants import M_MARS
from marsdisk.physics.grid import grain_mass
from marsdisk.physics.orbit import annulus_area
from marsdisk.result import RunResult
from marsdisk.zero_d import run_zero_d

Shipped = Callable[..., RunConfig]
#: A disk whose grains differ little in size, so that the classic step is not bound to dust on
#: boulders.
COARSE: dict[str, Any] = {
    "sizes": {"s_min": 1e-4, "s_max": 1e-2, "n_bins": 20},
    "initial": {"s0_mode": "upper"},
    "optical_depth.tau_stop": None,
}


def imbalance(result: RunResult) -> float:
    """Return final dust plus losses minus start and supply, over start and supply.

    From the size distributions alone.
    """
    disk = result.config.disk
    to_mars = annulus_area(disk.r_in_RM, disk.r_out_RM) / M_MARS
    first, last = (
        float(result.N[i] @ grain_mass(result.s, result.config.material.rho)) * to_mars
        for i in (0, -1)
    )
    return (last + result.M_loss - first - result.M_supplied) / (first + result.M_supplied)


@pytest.mark.parametrize("name", ["melt", "baseline"])
def test_the_default_solver_keeps_mass_to_round_off(shipped: Shipped, name: str) -> None:
    result = run_zero_d(
        shipped(name, {"optical_depth.tau_stop": None, "numerics": {"t_end_years": 0.05}})
    )
    assert abs(imbalance(result)) <= 1e-12
    assert result.ledger_error <= 1e-12


def classic(shipped: Shipped, dt: float) -> RunResult:
    numerics = {"scheme": "imex_bdf1", "t_end_orbits": 5e-4, "dt": dt}
    return run_zero_d(shipped("melt_simple", {**COARSE, "numerics": numerics}))


def test_the_classic_scheme_reports_what_it_makes_of_mass(shipped: Shipped) -> None:
    result = classic(shipped, 1.0)
    assert result.steps > 100
    assert 1e-9 < abs(imbalance(result)) == pytest.approx(result.ledger_error, rel=0.05)


def test_shorter_steps_of_the_classic_scheme_make_less_mass(shipped: Shipped) -> None:
    errors = [classic(shipped, dt).ledger_error for dt in (1e-3, 5e-4)]
    assert errors[1] == pytest.approx(0.5 * errors[0], rel=0.05)


@pytest.mark.parametrize("scheme", ["rosenbrock", "imex_bdf1"])
def test_without_any_process_nothing_changes(shipped: Shipped, scheme: str) -> None:
    still = {"collisions.enabled": False, "blowout.enabled": False, "supply": {"mode": "none"}}
    result = run_zero_d(
        shipped("melt_simple", {**still, "numerics": {"scheme": scheme, "t_end_orbits": 1.0}})
    )
    assert result.ledger_error <= 1e-15
    assert result.M_loss == result.M_supplied == 0.0
