"""Starts and opacity against the golden numbers.

The golden opacity of an array with NaN and negative numbers (taken as 0 there) does not apply:
starts that are not finite and positive raise here, so no such array reaches the opacity. Nor does
the golden start whose wave decays: it has no such parameter here.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marsdisk.physics import psd
from marsdisk.physics.grid import Array, SizeGrid, grain_mass, make_grid
from marsdisk.physics.opacity import geometric_opacity, surface_density_at_tau, tau_per_mass

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "psd.json").read_text())
SLOPES = [case for case in GOLDEN["cases"] if case.get("wavy_decay") == 0.0]
MIXTURES = [case for case in GOLDEN["cases"] if "f_fine" in case]


def grid_of(case: dict[str, Any]) -> SizeGrid:
    return make_grid(case["s_min"], case["s_max"], case["n_bins"])


def check(case: dict[str, Any], shares: Array) -> None:
    grid = grid_of(case)
    masses = grain_mass(grid.sizes, case["rho"])
    assert grid.edges == pytest.approx(case["edges"], rel=1e-12)
    assert masses == pytest.approx(case["m"], rel=1e-12)
    assert case["sigma_surf"] * shares / masses == pytest.approx(case["N"], rel=1e-12)
    assert float(
        tau_per_mass(geometric_opacity(grid.sizes, masses, 1.0), 0.0) @ shares
    ) == pytest.approx(case["kappa"], rel=1e-12)


@pytest.mark.parametrize("case", SLOPES, ids=lambda case: case["name"])
def test_three_slopes(case: dict[str, Any]) -> None:
    grid = grid_of(case)
    alpha = 3.0 * case["alpha"] - 2.0 if case["alpha_mode"] == "mass" else case["alpha"]
    shares = psd.three_slope(grid, alpha, case["wavy_strength"])
    assert shares / (grid.sizes**3 * grid.widths) == pytest.approx(case["number"], rel=1e-12)
    check(case, shares)


@pytest.mark.parametrize("case", MIXTURES, ids=lambda case: case["name"])
def test_melt_mixture(case: dict[str, Any]) -> None:
    parameters = {key: case[key] for key in ("f_fine", "s_fine", "s_meter", "width_dex", "s_cut")}
    check(case, psd.melt_lognormal_mixture(grid_of(case), **parameters))


def test_opacity_of_given_numbers() -> None:
    golden = GOLDEN["kappa_direct"]
    sizes = np.array(golden["sizes"])
    number = np.array(golden["number"]) * golden["widths"]
    masses = grain_mass(sizes, golden["rho"])
    shares = masses * number / (masses * number).sum()
    per_mass = tau_per_mass(geometric_opacity(sizes, masses, 1.0), 0.0)
    assert float(per_mass @ shares) == pytest.approx(golden["kappa"], rel=1e-12)


@pytest.mark.parametrize("case", SLOPES[:2], ids=lambda case: case["name"])
def test_an_optical_depth_of_one_is_one_over_kappa(case: dict[str, Any]) -> None:
    assert surface_density_at_tau(1.0, case["kappa"], 1.0) == pytest.approx(
        1.0 / case["kappa"], rel=1e-15
    )
