"""Self-shielding against the golden numbers.

Some numbers were read from a grid over (tau, w0, g) of the analytic formula. Its slice w0 = g = 0
is replayed as a table over tau; not replayed are the numbers between its other nodes, and the one
beyond its largest tau, extrapolated below 0.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from marsdisk.io.law_tables import read_phi_table
from marsdisk.physics.opacity import line_of_sight_factor
from marsdisk.physics.shielding import (
    ShieldingLaw,
    analytic,
    effective_opacity,
    phi_at,
    surface_density_at_tau1,
    unshielded,
)

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "shielding.json").read_text())


LARGEST_TAU = 10.0  # of the grid


def phi_of(law: ShieldingLaw, tau: float) -> float:
    return phi_at(law, tau)


def read(folder: Path, text: str) -> ShieldingLaw:
    file = folder / "phi.csv"
    file.write_text(text, encoding="utf-8")
    return read_phi_table(file)


@pytest.fixture
def table(tmp_path: Path) -> ShieldingLaw:
    return read(tmp_path, GOLDEN["phi_table"])


@pytest.fixture
def grid_slice(tmp_path: Path) -> ShieldingLaw:
    return read(tmp_path, GOLDEN["phi_slice"])


def of_slice(name: str) -> list[dict[str, Any]]:
    return [case for case in GOLDEN[name] if case["w0"] == case["g"] == 0.0]


@pytest.mark.parametrize("case", GOLDEN["phi_1d"], ids=lambda case: f"{case['tau']:g}")
def test_phi_of_a_table(case: dict[str, float], table: ShieldingLaw) -> None:
    phi = phi_of(table, case["tau"])
    kappa_eff = effective_opacity(case["kappa"], phi)
    assert phi == pytest.approx(case["Phi"], rel=1e-12)
    assert kappa_eff == pytest.approx(case["kappa_eff"], rel=1e-12)
    assert surface_density_at_tau1(kappa_eff) == pytest.approx(case["sigma_tau1"], rel=1e-12)


@pytest.mark.parametrize(
    "case",
    GOLDEN["phi_3d"],
    ids=lambda case: "-".join(f"{case[key]:g}" for key in ("tau", "w0", "g")),
)
def test_analytic_phi(case: dict[str, float]) -> None:
    assert phi_of(analytic(case["w0"], case["g"]), case["tau"]) == pytest.approx(
        case["Phi_approx"], rel=1e-12, abs=0.0
    )


@pytest.mark.parametrize("case", of_slice("phi_3d"), ids=lambda case: f"{case['tau']:g}")
def test_phi_of_the_slice_of_a_grid(case: dict[str, float], grid_slice: ShieldingLaw) -> None:
    phi = phi_of(grid_slice, case["tau"])
    if case["tau"] <= LARGEST_TAU:
        assert phi == pytest.approx(case["Phi_table"], rel=1e-12, abs=0.0)
    else:
        assert case["Phi_table"] < 0.0 < phi == phi_of(grid_slice, LARGEST_TAU)


@pytest.mark.parametrize("case", of_slice("apply_shielding"), ids=lambda case: f"{case['tau']:g}")
def test_shielded_opacity(case: dict[str, Any], grid_slice: ShieldingLaw) -> None:
    kappa_eff = effective_opacity(case["kappa"], phi_of(grid_slice, case["tau"]))
    assert [kappa_eff, surface_density_at_tau1(kappa_eff)] == pytest.approx(
        case["result"], rel=1e-12, abs=0.0
    )


@pytest.mark.parametrize(
    "case", GOLDEN["modes"], ids=lambda case: "-".join([case["mode"], *case["args"]])
)
def test_modes(case: dict[str, Any], table: ShieldingLaw, grid_slice: ShieldingLaw) -> None:
    options = case["args"]
    law = unshielded()
    if "phi_tau_fn" in options:
        law = table
    elif case["mode"] == "psitau":
        law = grid_slice
    tau = options.get("tau_fixed", case["kappa"] * case["sigma"] * case["f_los"])
    phi = phi_at(law, tau)
    kappa_eff = effective_opacity(case["kappa"], phi)
    sigma_tau1 = surface_density_at_tau1(kappa_eff)
    # a layer of the given optical depth, or of the given surface density
    if case["mode"] == "fixed_tau1":
        sigma_tau1 = options.get("sigma_tau1_fixed", tau * sigma_tau1)
    assert tau == pytest.approx(case["tau"], rel=1e-12)
    assert [phi, kappa_eff, sigma_tau1] == pytest.approx(
        [case["phi"], case["kappa_eff"], case["sigma_tau1"]], rel=1e-12
    )


@pytest.mark.parametrize(
    "case", GOLDEN["los_factor"], ids=lambda case: f"{case['path']:g}-{case['h_over_r']:g}"
)
def test_lengthening_of_the_line_of_sight(case: dict[str, float]) -> None:
    assert line_of_sight_factor(case["path"], case["h_over_r"]) == pytest.approx(
        case["f_los"], rel=1e-12
    )
