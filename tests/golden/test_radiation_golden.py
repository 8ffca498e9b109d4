"""Radiation pressure against the golden numbers.

With a table the golden blow-out sizes hold for another table and for interpolation linear in s;
here s_blow must solve its own equation s = K <Q_pr>(s, T) instead.
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marsdisk.io.efficiency_tables import shipped_qpr_table
from marsdisk.physics.constants import R_MARS
from marsdisk.physics.orbit import angular_velocity
from marsdisk.physics.qpr_table import look_up
from marsdisk.physics.radiation import (
    beta,
    blowout_size,
    blowout_time,
    chi_auto,
    radiation_pressure,
)

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "radiation.json").read_text())


def case_name(case: dict[str, Any]) -> str:
    return "-".join(
        f"{key}{value:g}"
        for key, value in case.items()
        if key != "beta" and isinstance(value, float)
    )


@pytest.mark.parametrize("case", GOLDEN["beta"], ids=case_name)
def test_beta(case: dict[str, Any]) -> None:
    assert beta(case["s"], case["rho"], case["T"], case["Qpr"]) == pytest.approx(
        case["beta"], rel=1e-12
    )


@pytest.mark.parametrize("case", GOLDEN["s_blow"], ids=case_name)
def test_blowout_size_of_a_constant_efficiency(case: dict[str, Any]) -> None:
    s_blow, slope, _ = blowout_size(radiation_pressure(case["rho"], case["Qpr"]), case["T"])
    assert s_blow == pytest.approx(case["s_blow"], rel=1e-12)
    assert slope == pytest.approx(4.0, rel=1e-12)


@pytest.mark.parametrize("rho", [1000.0, 3270.0, 5000.0])
@pytest.mark.parametrize(
    "T", [1000.0, 1500.0, 2000.0, 2250.0, 2265.0, 2475.0, 3000.0, 4000.0, 5000.0, 6500.0]
)
def test_blowout_size_of_the_table_solves_its_equation(rho: float, T: float) -> None:
    table = shipped_qpr_table("forsterite")
    pressure = radiation_pressure(rho, table)
    s_blow, _, clamped = blowout_size(pressure, T)
    K = pressure.strength * T**4
    # beta of the smallest grains falls again, and below some temperature none is unbound
    if s_blow == 0.0:
        sizes = np.geomspace(1e-8, 10.0, 20000)
        assert np.all(K * look_up(table, sizes, T) < sizes)
        return
    assert s_blow == pytest.approx(K * float(look_up(table, s_blow, T)), rel=1e-12)
    assert float(beta(s_blow, rho, T, float(look_up(table, s_blow, T)))) == pytest.approx(
        0.5, rel=1e-12
    )
    if not clamped:
        larger = np.geomspace(s_blow * (1.0 + 1e-9), 10.0, 4000)
        assert np.all(K * look_up(table, larger, T) < larger), "a larger size is unbound too"


@pytest.mark.parametrize(
    "case", GOLDEN["chi_auto"], ids=lambda case: f"{case['beta']}-{case['Qpr']}"
)
def test_chi_auto(case: dict[str, Any]) -> None:
    assert chi_auto(float(case["beta"]), float(case["Qpr"])) == pytest.approx(
        case["chi"], rel=1e-12
    )


@pytest.mark.parametrize("case", GOLDEN["t_blow"], ids=case_name)
def test_blowout_time(case: dict[str, Any]) -> None:
    assert blowout_time(case["chi"], angular_velocity(case["r_RM"] * R_MARS)) == pytest.approx(
        case["t_blow"], rel=1e-12
    )


# no nodes of the table, where there are two slopes
@pytest.mark.parametrize("T", [2310.0, 2410.0, 2650.0, 4130.0, 5370.0])
def test_the_slope_of_the_blowout_size_is_its_derivative(T: float) -> None:
    pressure = radiation_pressure(3270.0, shipped_qpr_table("forsterite"))
    h = 1e-4 * T
    up, down = (math.log(blowout_size(pressure, T + x)[0]) for x in (h, -h))
    assert blowout_size(pressure, T)[1] == pytest.approx(
        (up - down) / (math.log(T + h) - math.log(T - h)), rel=1e-6
    )
