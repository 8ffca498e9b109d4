"""Truncated power law of molten ejecta, and surface densities, against the golden numbers."""

import json
from pathlib import Path

import numpy as np
import pytest

from marsdisk.physics.constants import M_MARS, R_MARS
from marsdisk.physics.grid import make_grid
from marsdisk.physics.opacity import geometric_opacity, surface_density_of_mass, tau_per_mass
from marsdisk.physics.psd import melt_truncated_powerlaw

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "melt.json").read_text())


def test_truncated_power_law() -> None:
    grid = make_grid(GOLDEN["s_min"], GOLDEN["s_max"], GOLDEN["n_bins"])
    masses = np.array(GOLDEN["m"])
    weights = np.array(GOLDEN["mass_weights"])
    shares = melt_truncated_powerlaw(
        grid, **{key: GOLDEN[key] for key in ("alpha_solid", "s_min_solid", "s_max_solid", "s_cut")}
    )
    assert shares == pytest.approx(weights / weights.sum(), rel=1e-12, abs=0.0)
    assert GOLDEN["sigma_surf"] * shares / masses == pytest.approx(
        np.array(GOLDEN["N"]), rel=1e-12, abs=0.0
    )
    assert float(
        tau_per_mass(geometric_opacity(grid.sizes, masses, 1.0), 0.0) @ shares
    ) == pytest.approx(GOLDEN["kappa"], rel=1e-12)


@pytest.mark.parametrize(
    "case",
    json.loads((Path(__file__).parents[1] / "data" / "mass.json").read_text()),
    ids=lambda case: f"p{case['p']:g}",
)
def test_surface_density_of_a_mass_spread_over_an_annulus(case: dict[str, float]) -> None:
    r_in, r_out, r = (case[f"{name}_RM"] * R_MARS for name in ("r_in", "r_out", "r"))
    density = surface_density_of_mass(case["M_Mmars"] * M_MARS, r_in, r_out, r, case["p"])
    assert density == pytest.approx(case["Sigma"], rel=1e-12)
