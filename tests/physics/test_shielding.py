"""Self-shielding and surface densities beyond the golden numbers: slopes, limits, and files."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marsdisk.common.errors import ConfigError
from marsdisk.config import RunConfig
from marsdisk.io.law_tables import read_phi_table
from marsdisk.physics.opacity import surface_density_of_mass
from marsdisk.physics.shielding import (
    ShieldingLaw,
    analytic,
    effective_opacity,
    phi_at,
    surface_density_at_tau1,
    tabulated,
    unshielded,
)
from marsdisk.zero_d import run_zero_d

TABLE = tabulated(np.array([0.5, 1.0, 3.0, 5.0]), np.array([1.4, 0.8, 0.2, -0.2]))
LAWS = {
    "none": unshielded(),
    "analytic": analytic(),
    "forward": analytic(0.6, 0.5),
    "backward": analytic(0.6, -0.5),
    "table": TABLE,
}


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_phi_is_a_share_that_falls_with_depth(law: ShieldingLaw) -> None:
    phi = np.array([phi_at(law, tau) for tau in np.linspace(0.0, 10.0, 101)])
    assert np.all((phi >= 0.0) & (phi <= 1.0))
    assert np.all(np.diff(phi) <= 0.0)


def test_scattering_is_isotropic_and_absent_unless_it_is_asked_for() -> None:
    for tau in (0.0, 0.5, 3.0):
        assert phi_at(analytic(), tau) == pytest.approx(math.exp(-tau), rel=1e-15)
        assert phi_at(analytic(0.4), tau) == pytest.approx(math.exp(-0.6 * tau), rel=1e-15)


@pytest.mark.parametrize(
    ("tau", "expected"),
    [(0.0, 1.0), (0.75, 1.0), (1.0, 0.8), (2.0, 0.5), (3.0, 0.2), (4.5, 0.0), (99.0, 0.0)],
)
def test_a_table_is_linear_held_at_its_ends_and_limited(tau: float, expected: float) -> None:
    assert phi_at(TABLE, tau) == pytest.approx(expected, abs=1e-15)


def test_one_row_is_a_constant() -> None:
    assert [
        phi_at(tabulated(np.array([2.0]), np.array([0.3])), tau) for tau in (0.0, 2.0, 7.0)
    ] == [0.3] * 3


def test_a_run_reports_what_light_reaches_its_dust_and_nothing_else_changes(
    shipped: Callable[..., RunConfig],
) -> None:
    short: dict[str, Any] = {"numerics": {"t_end_years": 0.01}}
    plain, shaded = (
        run_zero_d(shipped("melt_simple", {**short, "shielding": shielding}))
        for shielding in ({}, {"mode": "analytic", "w0": 0.2})
    )
    assert np.all(plain.Phi == 1.0)
    assert shaded.Phi == pytest.approx(np.exp(-0.8 * shaded.tau_los), rel=1e-14)
    assert plain.Sigma_tau1 == pytest.approx(plain.Sigma / plain.tau_los, rel=1e-14)
    assert shaded.Sigma_tau1 == pytest.approx(plain.Sigma_tau1 / shaded.Phi, rel=1e-14)
    for name in ("Sigma", "tau_los", "N", "M_loss", "M_out_dot"):
        assert np.array_equal(getattr(plain, name), getattr(shaded, name))


@pytest.mark.parametrize(
    ("shielding", "words"),
    [
        ({"mode": "none", "w0": 0.1}, "w0 has no effect with mode none"),
        ({"mode": "table"}, "needs path"),
        ({"mode": "table", "path": "nowhere.csv"}, r"shielding\.path = .*nowhere\.csv"),
    ],
)
def test_shielding_that_contradicts_itself_is_refused(
    shipped: Callable[..., RunConfig], shielding: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        run_zero_d(shipped("melt_simple", {"shielding": shielding}))


@pytest.mark.parametrize(
    ("tau", "phi", "message"),
    [
        ([], [], "at least one"),
        ([1.0], [0.5, 0.4], "one Phi for each"),
        ([1.0, 1.0], [0.5, 0.4], "increase strictly"),
        ([1.0, 2.0], [0.5, math.nan], "finite"),
    ],
)
def test_numbers_that_are_no_table_are_refused(
    tau: list[float], phi: list[float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        tabulated(np.array(tau), np.array(phi))


def test_a_table_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "phi.csv"
    file.write_text("phi,tau\n1.4,0.5\n0.8,1\n0.2,3\n-0.2,5\n", encoding="utf-8")
    assert all(np.array_equal(a, b) for a, b in zip(read_phi_table(file), TABLE, strict=True))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("tau,w0,g,Phi\n0,0,0,1\n", "no column 'phi'; the columns are tau, w0, g, Phi"),
        ("tau,phi\n1,0.5\n0,1\n", "line 3: tau = 0 after 1"),
        ("tau,phi\n0,x\n", "line 2, column phi: 'x' is not a number"),
    ],
)
def test_files_that_are_no_table_are_refused(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "phi.csv"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_phi_table(file)


def test_scattering_that_makes_no_sense_is_refused() -> None:
    for w0, g in ((-0.1, 0.0), (1.1, 0.0), (0.0, 1.1), (math.nan, 0.0)):
        with pytest.raises(ValueError, match="albedo"):
            analytic(w0, g)


def test_opacities_that_make_no_sense_are_refused() -> None:
    for kappa, phi in ((-1.0, 1.0), (math.nan, 1.0), (1.0, math.nan)):
        with pytest.raises(ValueError, match="opacity"):
            effective_opacity(kappa, phi)


def test_a_transparent_layer_never_turns_opaque() -> None:
    assert surface_density_at_tau1(effective_opacity(3.0, 0.0)) == math.inf


@pytest.mark.parametrize("p", [-1.0, 0.0, 1.0, 2.0 - 1e-9, 2.0, 2.0 + 1e-13, 3.5])
def test_the_surface_density_holds_the_mass(p: float) -> None:
    r = np.linspace(4e6, 9e6, 20001)
    sigma = np.array([surface_density_of_mass(3e19, 4e6, 9e6, x, p) for x in r])
    assert np.trapezoid(2.0 * math.pi * r * sigma, r) == pytest.approx(3e19, rel=1e-7)
    assert sigma[-1] / sigma[0] == pytest.approx((4.0 / 9.0) ** p, rel=1e-12)


@pytest.mark.parametrize(("r_in", "r_out"), [(4e6, 4e6), (5e6, 4e6), (0.0, 4e6), (4e6, math.inf)])
def test_an_annulus_without_area_is_refused(r_in: float, r_out: float) -> None:
    with pytest.raises(ValueError, match="r_in < r_out"):
        surface_density_of_mass(1.0, r_in, r_out, 4e6, 1.0)
