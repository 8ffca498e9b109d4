"""When runs of one process end, against closed forms, each at several values of every input."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from points import one_at_a_time

from marsdisk.config import RunConfig
from marsdisk.physics.constants import SIGMA_SB
from marsdisk.physics.radiation import radiation_pressure
from marsdisk.result import StopReason
from marsdisk.run.derived import derive
from marsdisk.zero_d import run_zero_d

Shipped = Callable[..., RunConfig]
Inputs = dict[str, float]

HEAT_CAPACITY = 1e5 * 3000.0 * 1000.0  # J/(m2 K) of the slab of the defaults
CONSTANT: dict[str, Any] = {"temperature": {"law": "constant", "T0": 4000.0}}
ALONE: dict[str, Any] = {
    "collisions.enabled": False,
    "initial": {"s0_mode": "upper"},
    "psd.alpha": 3.5,
    "sizes.n_bins": 16,
    "optical_depth": {"tau0_target": 1.0},
    "supply": {"mode": "none"},
}


@pytest.mark.parametrize(
    "inputs",
    one_at_a_time(
        {"tau_0": 1.0, "tau_stop": 1.5, "rate": 1e-7, "h_over_r": 1.0},
        tau_0=(0.01, 0.9),
        tau_stop=(1.1, 8.0),
        rate=(1e-9, 1e-5),
        h_over_r=(0.1, 0.4),
    ),
)
def test_a_disk_that_is_only_fed_stops_when_it_has_grown_in_proportion(
    shipped: Shipped,
    inputs: Inputs,
) -> None:
    changes = {
        **ALONE,
        **CONSTANT,
        "blowout": {"enabled": False},
        "supply": {"mode": "const", "const_rate": inputs["rate"], "injection": "initial_psd"},
        "optical_depth": {
            "tau0_target": inputs["tau_0"],
            "tau_stop": inputs["tau_stop"],
            "h_over_r": inputs["h_over_r"],
        },
        "numerics": {"t_end_years": 1e6},
    }
    result = run_zero_d(shipped("melt_simple", changes))
    growth = inputs["tau_stop"] / inputs["tau_0"] - 1.0
    assert result.stop_reason is StopReason.OPTICAL_DEPTH
    assert result.t_end == pytest.approx(growth * result.Sigma_0 / inputs["rate"], rel=1e-9)


@pytest.mark.parametrize(
    "inputs",
    one_at_a_time(
        {"s_min": 1e-6, "T0": 4000.0, "Q_pr": 1.0, "rho": 3270.0},
        s_min=(4e-7, 2e-6),
        T0=(3500.0, 5500.0),
        Q_pr=(0.6, 1.4),
        rho=(1500.0, 4500.0),
    ),
)
def test_a_run_stops_when_mars_has_cooled_so_far_that_no_grain_of_the_grid_is_unbound(
    shipped: Shipped,
    inputs: Inputs,
) -> None:
    """s_blow goes as T^4 where all grains have one efficiency."""
    pressure = radiation_pressure(inputs["rho"], inputs["Q_pr"])
    T = (inputs["s_min"] / (pressure.strength * inputs["Q_pr"])) ** 0.25
    changes = {
        **ALONE,
        "sizes": {"s_min": inputs["s_min"], "s_max": 1.0, "n_bins": 16},
        "temperature": {"law": "slab", "T0": inputs["T0"]},
        "radiation.Q_pr": inputs["Q_pr"],
        "material.rho": inputs["rho"],
        "numerics": {"t_end_years": 50.0, "stop_on_blowout_below_smin": True},
    }
    result = run_zero_d(shipped("melt_simple", changes))
    cooled = HEAT_CAPACITY * (T**-3 - inputs["T0"] ** -3) / (3.0 * SIGMA_SB)
    assert result.stop_reason is StopReason.BLOWOUT_BELOW_GRID
    assert result.t_end == pytest.approx(cooled, rel=1e-8)


@pytest.mark.parametrize(
    "inputs",
    one_at_a_time(
        {"fall": 0.1, "chi": 1.0, "r": 1.85, "tau_0": 1.0},
        fall=(0.9, 1e-4),
        chi=(0.5, 2.0),
        r=(1.1, 2.6),
        tau_0=(1e-3, 5.0),
    ),
)
def test_a_run_stops_when_an_outflow_that_decays_has_fallen_to_its_limit(
    shipped: Shipped,
    inputs: Inputs,
) -> None:
    changes = {
        **ALONE,
        **CONSTANT,
        "blowout": {"chi": inputs["chi"], "edge": "sharp"},
        "disk": {"r_in_RM": inputs["r"] - 0.1, "r_out_RM": inputs["r"] + 0.1},
        "optical_depth": {"tau0_target": inputs["tau_0"]},
    }
    at_first = run_zero_d(shipped("melt_simple", {**changes, "numerics": {"t_end_orbits": 1e-9}}))
    limit = inputs["fall"] * float(at_first.M_out_dot[0])
    ends = {"rtol": 1e-9, "atol": 1e-15, "t_end_orbits": 100.0}
    ends["mass_loss_rate_stop_Mmars_s"] = limit
    config = shipped("melt_simple", {**changes, "numerics": ends})
    result = run_zero_d(config)
    expected = -math.log(inputs["fall"]) / derive(config).blowout_rate
    assert result.stop_reason is StopReason.LOSS_RATE
    assert result.t_end == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("r", [1.1, 1.85, 2.6])
@pytest.mark.parametrize("orbits", [0.5, 40.0])
def test_a_run_of_orbits_is_as_long_as_kepler_has_it(
    shipped: Shipped,
    orbits: float,
    r: float,
) -> None:
    lengths = {}
    for radius in (r, 4.0 * r):
        disk = {"r_in_RM": radius, "r_out_RM": radius}
        derived = derive(
            shipped("melt_simple", {"disk": disk, "numerics": {"t_end_orbits": orbits}})
        )
        assert derived.t_end == pytest.approx(orbits * derived.T_orb, rel=1e-14)
        lengths[radius] = derived.t_end
    assert lengths[4.0 * r] / lengths[r] == pytest.approx(8.0, rel=1e-12)
