"""Light that the dust itself dims: closed forms, limits, and what leaves a thick layer.

With the order of the integrator in it.
"""

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from plain_drivers import dust
from setups import make_drivers, make_ring, solve

from marsdisk._jit import interpreted
from marsdisk.config import RunConfig
from marsdisk.io.efficiency_tables import shipped_qext_table
from marsdisk.notes import Note
from marsdisk.physics import temperature
from marsdisk.physics.opacity import lit_share
from marsdisk.physics.qpr_table import look_up
from marsdisk.solver.drivers import Drivers
from marsdisk.zero_d import run_zero_d

Shipped = Callable[..., RunConfig]
#: Grains of one size that Mars blows out, and nothing else.
EQUAL_GRAINS: dict[str, Any] = {
    "initial": {"s0_mode": "mono", "s_mono": 3e-6},
    "sizes": {"s_min": 1e-6, "s_max": 1e-2, "n_bins": 16},
    "temperature": {"law": "constant", "T0": 5000.0},
    "collisions.enabled": False,
    "supply": {"mode": "none"},
    "optical_depth": {"tau0_target": 1.0, "tau_stop": None},
    "blowout.chi": 1.0,
    "numerics": {"t_end_orbits": 1.0, "rtol": 1e-9, "atol": 1e-16},
}


def shining(tau0: float, orbits: float = 1.0, light: str = "attenuated") -> dict[str, Any]:
    numerics = {**EQUAL_GRAINS["numerics"], "t_end_orbits": orbits}
    optical_depth = {**EQUAL_GRAINS["optical_depth"], "tau0_target": tau0}
    return {
        **EQUAL_GRAINS,
        "optical_depth": optical_depth,
        "numerics": numerics,
        "blowout.light": light,
    }


@pytest.mark.parametrize("tau", [-0.3, -0.05, 1e-12, 1e-3, 0.0999, 0.1001, 0.7, 5.0, 80.0, 1e4])
def test_the_share_of_lit_grains_and_its_slope(tau: float) -> None:
    with mpmath.workdps(60):
        x = mpmath.mpf(tau)
        share = (1 - mpmath.exp(-x)) / x
        slope = (mpmath.exp(-x) - share) / x
        expected = float(share), float(slope)
    assert interpreted(lit_share)(tau) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("tau0", [1e-3, 0.5, 3.0, 30.0, 300.0])
@pytest.mark.parametrize("orbits", [0.3, 2.0, 20.0])
def test_equal_grains_leave_as_the_closed_form_says(
    shipped: Shipped, tau0: float, orbits: float
) -> None:
    """The equation d tau/dt = -(1 - e^-tau)/t_blow, so that e^tau - 1 falls as e^(-t/t_blow)."""
    result = run_zero_d(shipped("melt_simple", shining(tau0, orbits)))
    in_t_blow = 2.0 * math.pi * orbits  # chi = 1
    rest = tau0 + math.log(-math.expm1(-tau0)) - in_t_blow  # ln of (e^tau0 - 1) e^(-t/t_blow)
    expected = rest + math.log1p(math.exp(-rest)) if rest > 0.0 else math.log1p(math.exp(rest))
    assert result.tau_los[-1] == pytest.approx(expected, rel=1e-6)
    whole = result.M_loss / (1.0 - expected / tau0)
    thick = max(min(tau0 - 1.0, tau0 - expected), 0.0) / tau0
    assert result.M_loss_thick == pytest.approx(thick * whole, rel=1e-6, abs=1e-12 * whole)


@pytest.mark.parametrize("chi", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("r", [1.5, 2.0, 2.6])
def test_the_closed_form_goes_by_the_blow_out_time(shipped: Shipped, chi: float, r: float) -> None:
    disk = {"r_in_RM": r - 0.05, "r_out_RM": r + 0.05}
    tau0 = 3.0
    result = run_zero_d(
        shipped("melt_simple", {**shining(tau0, 0.2), "blowout.chi": chi, "disk": disk})
    )
    rest = math.expm1(tau0) * math.exp(-2.0 * math.pi * 0.2 / chi)
    assert result.tau_los[-1] == pytest.approx(math.log1p(rest), rel=1e-6)


@pytest.mark.parametrize("T0", [2500.0, 4000.0, 6000.0])
@pytest.mark.parametrize("tau0", [0.01, 1.0])
def test_the_opacity_follows_the_light_of_mars(shipped: Shipped, T0: float, tau0: float) -> None:
    """The depth tau_los is f_los times the sum of pi s^2 <Q_ext>(s, T_M) N.

    At the start and while Mars cools.
    """
    changes: dict[str, Any] = {
        "optical_depth": {
            "opacity": "planck",
            "tau0_target": tau0,
            "path_multiplier": 2.0,
            "h_over_r": 0.5,
            "tau_stop": None,
        },
        "temperature": {"law": "slab", "T0": T0, "depth": 50.0},
        "numerics": {"t_end_orbits": 3.0},
        "output": {"samples": 12, "snapshots": 12},
    }
    result = run_zero_d(shipped("melt_simple", changes))
    Q = np.array([look_up(shipped_qext_table("forsterite"), result.s, T) for T in result.T_M])
    depth = 4.0 * np.sum(np.pi * result.s**2 * Q * result.N, axis=1)
    assert result.tau_los == pytest.approx(depth, rel=1e-12)
    assert result.tau_los[0] == pytest.approx(tau0, rel=1e-12)
    assert result.T_M[-1] < 0.95 * T0


@pytest.mark.parametrize("T0", [3000.0, 4000.0, 6000.0])
def test_a_thin_disk_does_not_dim_its_light(shipped: Shipped, T0: float) -> None:
    changes: dict[str, Any] = {
        "optical_depth": {"tau0_target": 1e-7, "tau_stop": None},
        "supply": {"mode": "none"},
        "temperature": {"law": "slab", "T0": T0},
        "numerics": {"t_end_orbits": 3.0},
    }
    full = run_zero_d(shipped("melt_simple", changes))
    attenuated = run_zero_d(shipped("melt_simple", {**changes, "blowout.light": "attenuated"}))
    assert attenuated.M_loss_blowout == pytest.approx(full.M_loss_blowout, rel=1e-6)
    assert attenuated.M_loss_thick == full.M_loss_thick == 0.0


@pytest.mark.parametrize("tau0", [30.0, 300.0])
def test_a_layer_of_optical_depth_1_leaves_a_thick_disk_in_a_blow_out_time(
    shipped: Shipped, tau0: float
) -> None:
    result = run_zero_d(shipped("melt_simple", shining(tau0, 0.1)))
    layer = result.Sigma_0 / tau0
    lost = result.Sigma_0 - result.Sigma_final
    assert lost == pytest.approx(layer * 2.0 * math.pi * 0.1, rel=1e-6)


def test_what_is_blown_out_of_a_thick_disk_is_told_in_full_light_too(shipped: Shipped) -> None:
    result = run_zero_d(shipped("melt_simple", shining(10.0, 3.0, light="full")))
    whole = result.M_loss_blowout / -math.expm1(-2.0 * math.pi * 3.0)
    assert result.M_loss_thick == pytest.approx(0.9 * whole, rel=1e-6)
    assert Note.OPAQUE_WHILE_BLOWN_OUT in result.notes
    assert (
        Note.OPAQUE_WHILE_BLOWN_OUT
        not in run_zero_d(shipped("melt_simple", shining(10.0, 3.0))).notes
    )


def attenuated(drivers: Drivers) -> Drivers:
    return drivers._replace(blowout=drivers.blowout._replace(attenuated=True))


@pytest.mark.parametrize("collisions", [False, True])
def test_the_method_keeps_its_order_in_dimmed_light(collisions: bool) -> None:
    """Bins so wide that s_blow stays within one: smooth.

    Without the exact Jacobian the order would fall to that of an inexact one.
    """
    ring = make_ring(4, s_lo=1e-8, s_hi=1e4, sigma=0.03, v_rel=200.0, collisions=collisions)
    law = temperature.slab(4000.0, depth=5e1)
    drivers = attenuated(make_drivers(ring, law, t_blow=3e3, supply=np.full(4, 1e-7)))
    weights = drivers.opacity.per_mass[0]
    ring = ring._replace(c0=ring.c0 * 8.0 / float(weights @ ring.c0))
    reference = dust(solve(ring, drivers, 2e4, rtol=1e-11, atol=1e-16).y[-1])
    steps = []
    errors = []
    for rtol in 10.0 ** -np.arange(3.0, 9.0):
        path = solve(ring, drivers, 2e4, rtol=float(rtol), atol=1e-12)
        steps.append(path.t.size - 1)
        errors.append(np.abs(dust(path.y[-1]) - reference).max() / ring.c0.sum())
    order = -float(np.polyfit(np.log(steps), np.log(errors), 1)[0])
    assert order > 4.3


@pytest.mark.parametrize("tau0", [1.0, 100.0, 1e4])
def test_the_ledger_closes_in_dimmed_light(shipped: Shipped, tau0: float) -> None:
    changes: dict[str, Any] = {
        "optical_depth": {"tau0_target": tau0, "tau_stop": None},
        "sublimation": {"method": "advection"},
        "blowout": {"light": "attenuated"},
        "numerics": {"t_end_orbits": 5.0},
    }
    for T0 in (2500.0, 5500.0):
        result = run_zero_d(
            shipped("melt_simple", {**changes, "temperature": {"law": "slab", "T0": T0}})
        )
        assert result.ledger_error <= 1e-12


def test_the_classic_scheme_dims_the_light_too(shipped: Shipped) -> None:
    changes = shining(5.0, 1.0)
    exact = run_zero_d(shipped("melt_simple", changes))
    classic = run_zero_d(
        shipped(
            "melt_simple",
            {**changes, "numerics": {"scheme": "imex_bdf1", "t_end_orbits": 1.0, "dt": 10.0}},
        )
    )
    assert classic.M_loss == pytest.approx(exact.M_loss, rel=5e-3)
    assert classic.M_loss_thick == pytest.approx(exact.M_loss_thick, rel=5e-3)
