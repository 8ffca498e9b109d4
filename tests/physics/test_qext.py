"""Planck mean extinction efficiency: limits, an independent quadrature, and the shipped table."""

import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.constants
import scipy.integrate
from transparent_forsterite import TRANSPARENT_FORSTERITE

import marsdisk
from marsdisk.io.efficiency_tables import (
    read_qext_table,
    read_qpr_table,
    shipped_qext_table,
    shipped_qpr_table,
)
from marsdisk.physics.grid import Array
from marsdisk.physics.qpr_table import QextTable, look_up
from marsdisk.qpr import build, compare, mie
from marsdisk.qpr.optical_constants import OpticalConstants

pytestmark = pytest.mark.filterwarnings("ignore:miepython runs without numba")

WAVELENGTH = np.geomspace(0.2e-6, 50e-6, 40)
EDGE_TERM = 1.9924
"""Q_ext = 2 + EDGE_TERM x^(-2/3) + ... of a large opaque sphere (Nussenzveig, Wiscombe 1980)."""


@pytest.fixture(autouse=True)
def _plain_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few spheres are computed here: compiling the kernels would take longer than using them."""
    if "miepython" not in sys.modules:
        monkeypatch.setenv("MIEPYTHON_USE_JIT", "0")


def constant(n: float, k: float) -> OpticalConstants:
    ones = np.ones_like(WAVELENGTH)
    return OpticalConstants("a", WAVELENGTH, n * ones, k * ones)


#: A glass that absorbs in the infrared, with a node wherever its index bends.
GLASS = OpticalConstants(
    "a",
    np.array([0.2e-6, 1e-6, 4e-6, 10e-6, 50e-6]),
    np.array([1.8, 1.6, 1.5, 2.2, 1.9]),
    np.array([0.01, 0.001, 0.02, 0.8, 0.3]),
)


def means_by_quadrature(constants: OpticalConstants, s: float, T: float) -> mie.Efficiencies:
    """Compute Planck means, sphere by sphere, with SciPy's adaptive rule."""
    import miepython

    nodes = np.log(constants.wavelength)

    def integrand(log_w: float) -> Array:
        # Planck's law over wavelength, times the wavelength, for an integral over its logarithm.
        w = np.exp(log_w)
        y = scipy.constants.h * scipy.constants.c / (w * scipy.constants.k * T)
        brilliance = w**-4 / np.expm1(y)
        m = complex(np.interp(log_w, nodes, constants.n), -np.interp(log_w, nodes, constants.k))
        ext, sca, _, g = miepython.efficiencies_mx(m, 2 * np.pi * s / w)
        return brilliance * np.array([ext - g * sca, ext, 1.0])

    parts = []
    for a, b in itertools.pairwise(nodes):
        parts.append(scipy.integrate.quad_vec(integrand, a, b, epsrel=1e-5)[0])
    pressure, extinction, light = np.sum(parts, axis=0)
    return mie.Efficiencies(pressure / light, extinction / light)


@pytest.mark.parametrize("s", [1e-8, 1e-7, 1e-6, 2e-6])
def test_planck_means_agree_with_another_quadrature(s: float) -> None:
    T = [500.0, 1500.0, 5000.0]
    means = mie.compute_planck_means([GLASS], s, T)
    expected = np.array([means_by_quadrature(GLASS, s, kelvin) for kelvin in T])
    np.testing.assert_allclose(means.Q_pr[:, 0], expected[:, 0], rtol=2e-4)
    np.testing.assert_allclose(means.Q_ext[:, 0], expected[:, 1], rtol=2e-4)


@pytest.mark.parametrize(("n", "k"), [(1.3, 0.05), (1.7, 0.3), (3.0, 2.0)])
def test_extinction_of_tiny_absorbing_grains_goes_as_s(n: float, k: float) -> None:
    m2 = (n - 1j * k) ** 2
    for s in (1e-10, 4e-10):
        expected = -4 * (2 * np.pi * s / WAVELENGTH) * ((m2 - 1) / (m2 + 2)).imag
        spectra = mie.compute_spectra(constant(n, k), s)
        np.testing.assert_allclose(spectra.Q_ext, expected, rtol=1e-3)


@pytest.mark.parametrize("n", [1.3, 1.5, 2.5])
def test_extinction_of_tiny_transparent_grains_goes_as_x4(n: float) -> None:
    for s in (1e-10, 4e-10):
        x = 2 * np.pi * s / WAVELENGTH
        expected = 8 / 3 * x**4 * ((n**2 - 1) / (n**2 + 2)) ** 2
        spectra = mie.compute_spectra(constant(n, 0.0), s)
        np.testing.assert_allclose(spectra.Q_ext, expected, rtol=1e-3)


@pytest.mark.parametrize("k", [0.1, 1.0])
@pytest.mark.parametrize("x", [300.0, 1000.0, 9900.0])
def test_extinction_of_large_opaque_spheres_goes_to_two(x: float, k: float) -> None:
    near = OpticalConstants("a", np.array([1e-6, 1.001e-6]), np.full(2, 1.5), np.full(2, k))
    excess = mie.compute_spectra(near, x * 1e-6 / (2 * np.pi)).Q_ext[0] - 2.0
    assert excess == pytest.approx(EDGE_TERM * x ** (-2 / 3), rel=0.1)


@pytest.mark.parametrize("k", [0.0, 1e-4, 0.1, 1.0])
def test_extinction_makes_no_step_where_the_mie_sums_end(k: float) -> None:
    near = OpticalConstants("a", np.array([1e-6, 1.001e-6]), np.full(2, 1.63), np.full(2, k))
    sizes = np.array([0.99, 1.01]) * mie.X_LIMIT * 1e-6 / (2 * np.pi)
    below, above = (mie.compute_spectra(near, s).Q_ext[0] for s in sizes)
    assert above == 2.0
    assert below == pytest.approx(2.0, rel=5e-3)


def test_planck_mean_of_extinction_is_over_the_axes_and_grows_with_temperature() -> None:
    a = constant(1.6, 0.1)
    b = constant(1.8, 0.1)
    s = [1e-8, 1e-6]
    T = [1000.0, 3000.0]
    mixture = mie.compute_planck_means([a, b], s, T).Q_ext
    single = [mie.compute_planck_means([axis], s, T).Q_ext for axis in (a, b)]
    np.testing.assert_allclose(mixture, np.mean(single, axis=0), rtol=1e-13)
    # A grain far below the wavelength has Q as s/lambda.
    assert mixture[1, 0] == pytest.approx(3.0 * mixture[0, 0], rel=0.03)


COARSE: dict[str, Any] = {"sizes_per_decade": 2, "temperature_step": 3000.0}


def test_both_tables_are_as_they_were_read_and_name_both_files(tmp_path: Path) -> None:
    nk = tmp_path / "nk.csv"
    nk.write_text("# test glass\nwavelength_um,n,k\n1,1.5,0.1\n1.01,1.6,0.1\n", encoding="utf-8")
    out = tmp_path / "my pressure.csv"
    ext = tmp_path / "e.csv"
    pressure, extinction = build.build_tables(nk, out, ext, **COARSE)
    assert pressure == read_qpr_table(out)
    assert extinction == read_qext_table(ext)
    assert (pressure.name, extinction.name) == ("my pressure", "e")
    for path in (out, ext):
        text = path.read_text(encoding="utf-8")
        assert str(tmp_path) not in text
        assert "# made by: marsdisk qpr nk.csv --out 'my pressure.csv' --ext e.csv\n" in text
    assert (extinction.Q[:, -1] == 2.0).all()
    assert (pressure.Q[:, -1] == 1.0).all()


def test_without_a_second_file_the_first_is_the_same_but_for_the_command(tmp_path: Path) -> None:
    nk = tmp_path / "nk.csv"
    nk.write_text("wavelength_um,n,k\n1,1.5,0.1\n1.01,1.6,0.1\n", encoding="utf-8")
    tables = build.build_tables(nk, tmp_path / "a.csv", tmp_path / "e.csv", **COARSE)
    alone = build.build_tables(nk, tmp_path / "b.csv", **COARSE)
    assert alone == tables
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.csv", "e.csv", "nk.csv"]
    with_ext = (tmp_path / "a.csv").read_text(encoding="utf-8")
    without = (tmp_path / "b.csv").read_text(encoding="utf-8")
    assert with_ext.replace("a.csv --ext e.csv", "b.csv") == without


def test_shipped_extinction_agrees_with_refractive_index_alone_where_scattering_rules() -> None:
    # Above 4000 K 97 % of the light is at these wavelengths; the rest passes the grain (n = 1).
    s = np.array([3e-7, 1e-6])
    T = np.array([4000.0, 5000.0])
    mean = mie.compute_planck_means([TRANSPARENT_FORSTERITE], s, T).Q_ext
    shipped = look_up(shipped_qext_table("forsterite"), s, T[:, None])
    np.testing.assert_allclose(shipped, mean, rtol=0.02)


TEMPERATURES = np.array([300.0, 1000.0, 2500.0, 4000.0, 6500.0])


def test_shipped_extinction_of_the_smallest_grains_is_that_of_radiation_pressure() -> None:
    # Rayleigh scattering is the same forwards and backwards, and absorption counts in full in both.
    # The asymmetry of scattering sets in with (2 pi s / lambda)^2, first in hot light.
    ratio = shipped_ratio(np.array([1e-8]))[:, 0]
    np.testing.assert_allclose(ratio[:3], 1.0, rtol=5e-4)
    assert (np.diff(ratio[2:]) > 0.0).all()
    assert ratio[-1] < 1.02


def test_shipped_extinction_is_above_radiation_pressure_up_to_twice_it_for_rocks() -> None:
    extinction = shipped_qext_table("forsterite")
    pressure = shipped_qpr_table("forsterite")
    assert (extinction.Q >= pressure.Q).all()
    assert extinction.Q.max() < 3.0
    np.testing.assert_array_equal(shipped_ratio(np.array([1.0, 3.0])), 2.0)


def test_shipped_extinction_of_grains_above_the_wavelength_is_two_and_a_little_more() -> None:
    sizes = np.array([1e-4, 1e-3, 1e-2])
    value = look_up(shipped_qext_table("forsterite"), sizes, TEMPERATURES[1:, None])
    assert (value >= 2.0).all()
    assert (np.diff(value, axis=1) < 0.0).all()
    assert (value[:, 0] < 2.08).all()
    assert (value[:, 2] < 2.002).all()


def shipped_ratio(s: Array) -> Array:
    """Return <Q_ext> over <Q_pr> at the sizes `s` [m] and `TEMPERATURES`."""
    extinction = shipped_qext_table("forsterite")
    pressure = shipped_qpr_table("forsterite")
    T = TEMPERATURES[:, None]
    return look_up(extinction, s, T) / look_up(pressure, s, T)


def test_both_shipped_tables_are_of_one_input_one_grid_and_no_folder() -> None:
    data = Path(marsdisk.__file__).parent / "data"
    notes = {}
    for name in ("qpr_forsterite.csv", "qext_forsterite.csv"):
        lines = (data / name).read_text(encoding="utf-8").splitlines()
        notes[name] = {line for line in lines if line.startswith("#")}
        words = " ".join(notes[name]).replace(" / ", " over ").split()
        assert not [word for word in words if "/" in word]
    shared = notes["qpr_forsterite.csv"] & notes["qext_forsterite.csv"]
    beginnings = sorted(line.split(":")[0] for line in shared)
    assert beginnings == [
        "# axes averaged with equal weight",
        "# grid",
        "# input",
        "# optical constants",
        "# units",
        "# versions",
        "# wavelengths",
    ]


def test_two_tables_of_extinction_are_compared(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "twice.csv"
    shipped = shipped_qext_table("forsterite")
    twice = QextTable(shipped.log_s, shipped.T, 2.0 * shipped.Q, "twice")
    build.write_table(path, twice, digits=8)
    assert compare.main(["--ext", str(path), "forsterite"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ratio twice / forsterite"
    assert all(line.split()[-3:] == ["2.000"] * 3 for line in lines[2:])
    with pytest.raises(SystemExit):
        compare.main([str(path), "forsterite"])
    assert "a table of <Q_ext>, where one of <Q_pr> is needed" in capsys.readouterr().err
