"""Geometry, speeds and constants against the golden numbers."""

import json
from pathlib import Path
from typing import Any

import pytest

from marsdisk.physics import constants, dynamics, orbit

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "orbit.json").read_text())
CONSTANTS = {
    "G": constants.G,
    "c": constants.C_LIGHT,
    "sigma_SB": constants.SIGMA_SB,
    "R_gas": constants.R_GAS,
    "M_mars": constants.M_MARS,
    "R_mars": constants.R_MARS,
    "year_s": constants.YEAR,
    "day_s": constants.DAY,
}


def test_the_constants_are_the_golden_ones() -> None:
    assert GOLDEN["constants"] == CONSTANTS


@pytest.mark.parametrize("case", GOLDEN["kepler"], ids=lambda case: f"{case['r_RM']}")
def test_kepler_motion(case: dict[str, Any]) -> None:
    r = case["r_RM"] * constants.R_MARS
    assert r == pytest.approx(case["r_m"], rel=1e-12)
    assert orbit.keplerian_velocity(r) == pytest.approx(case["v_K"], rel=1e-12)
    assert orbit.angular_velocity(r) == pytest.approx(case["Omega"], rel=1e-12)
    assert orbit.orbital_period(r) == pytest.approx(case["T_orb"], rel=1e-12)
    assert dynamics.mars_pericenter_eccentricity(r) == pytest.approx(
        case["e_mars_pericenter"], rel=1e-12, abs=1e-15
    )


@pytest.mark.parametrize(
    "case", GOLDEN["annulus"], ids=lambda case: f"{case['r_in_RM']}-{case['r_out_RM']}"
)
def test_annulus(case: dict[str, Any]) -> None:
    assert orbit.reference_radius(case["r_in_RM"], case["r_out_RM"]) == pytest.approx(
        case["r_ref_m"], rel=1e-12
    )
    assert orbit.annulus_area(case["r_in_RM"], case["r_out_RM"]) == pytest.approx(
        case["area_m2"], rel=1e-12
    )


@pytest.mark.parametrize(
    "case", GOLDEN["v_rel"], ids=lambda case: f"e{case['e']}-v{case['v_K']:.0f}"
)
def test_both_laws_of_relative_speed(case: dict[str, Any]) -> None:
    assert dynamics.pericenter_speed(case["v_K"], case["e"]) == pytest.approx(
        case["v_pericenter"], rel=1e-12
    )
    assert dynamics.dispersion_speed(case["v_K"], case["e"], case["i"]) == pytest.approx(
        case["v_rayleigh"], rel=1e-12
    )
