"""Planck mean Q_pr from Mie theory: physical limits, averages, the file. Q_ext has test_qext.py."""

import os
import sys
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
from transparent_forsterite import TRANSPARENT_FORSTERITE

from marsdisk.cli.commands import qpr as qpr_command
from marsdisk.io.efficiency_tables import read_qpr_table, shipped_qpr_table
from marsdisk.physics.qpr_table import QprTable, look_up
from marsdisk.qpr import build, compare, mie
from marsdisk.qpr.optical_constants import OpticalConstants, read_optical_constants, refine

pytestmark = pytest.mark.filterwarnings("ignore:miepython runs without numba")

WAVELENGTH = np.geomspace(0.1e-6, 100e-6, 60)


@pytest.fixture(autouse=True)
def _plain_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few spheres are computed here: compiling the kernels would take longer than using them."""
    if "miepython" not in sys.modules:
        monkeypatch.setenv("MIEPYTHON_USE_JIT", "0")


def constant(n: float, k: float, axis: str = "a") -> OpticalConstants:
    ones = np.ones_like(WAVELENGTH)
    return OpticalConstants(axis, WAVELENGTH, n * ones, k * ones)


def write_nk(path: Path, *lines: str, head: str = "axis,wavelength_um,n,k") -> Path:
    path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    return path


def test_rayleigh_limit_is_absorption_and_goes_as_x() -> None:
    n = 1.7
    k = 0.3
    s = 1e-10
    m2 = (n - 1j * k) ** 2
    x = 2 * np.pi * s / WAVELENGTH
    expected = -4 * x * ((m2 - 1) / (m2 + 2)).imag
    np.testing.assert_allclose(mie.compute_spectra(constant(n, k), s).Q_pr, expected, rtol=1e-4)


def test_rayleigh_limit_without_absorption_is_scattering_and_goes_as_x4() -> None:
    n = 1.5
    s = 1e-10
    x = 2 * np.pi * s / WAVELENGTH
    expected = 8 / 3 * x**4 * ((n**2 - 1) / (n**2 + 2)) ** 2
    np.testing.assert_allclose(mie.compute_spectra(constant(n, 0.0), s).Q_pr, expected, rtol=1e-4)


def test_planck_mean_in_the_rayleigh_limit_is_linear_in_temperature_and_size() -> None:
    # <1/lambda> = T k_B/(h c) * 24 zeta(5) / (pi^4 / 15) when the range of wavelengths covers the
    # Planck curve.
    n = 1.7
    k = 0.3
    s = 1e-10
    m2 = (n - 1j * k) ** 2
    T = np.array([1000.0, 2000.0])
    mean_inverse = 24 * 1.0369277551433699 / (np.pi**4 / 15) * T / mie.C2
    expected = -8 * np.pi * s * ((m2 - 1) / (m2 + 2)).imag * mean_inverse
    mean = mie.compute_planck_means([constant(n, k)], [s, 2 * s], T).Q_pr
    np.testing.assert_allclose(mean, expected[:, None] * [1.0, 2.0], rtol=2e-3)


def test_large_opaque_spheres_approach_one_and_pass_the_limit_smoothly() -> None:
    # Geometric optics: an opaque sphere returns momentum by its surface reflection only, a few per
    # cent at n = 1.5.
    constants = OpticalConstants("a", np.array([1e-6, 1.001e-6]), np.full(2, 1.5), np.full(2, 0.1))
    sizes = np.array([0.9, 1.1]) * mie.X_LIMIT * 1e-6 / (2 * np.pi)
    below, above = (mie.compute_spectra(constants, s).Q_pr[0] for s in sizes)
    assert above == 1.0
    assert below == pytest.approx(1.0, abs=0.1)


def test_large_transparent_spheres_stay_below_one_as_documented() -> None:
    constants = OpticalConstants("a", np.array([1e-6, 1.001e-6]), np.full(2, 1.63), np.zeros(2))
    s = 0.99 * mie.X_LIMIT * 1e-6 / (2 * np.pi)
    assert mie.compute_spectra(constants, s).Q_pr[0] == pytest.approx(0.41, abs=0.02)


@pytest.mark.parametrize(
    ("m", "x", "expected"),
    # Q_ext, Q_sca, g of Wiscombe (1979), NCAR/TN-140+STR, table of test cases.
    [
        (1.5 - 1.0j, 1.0, (2.336321, 0.663454, 0.192136)),
        (1.33 - 1e-5j, 100.0, (2.101321, 2.096594, 0.868959)),
        (1.5 - 1.0j, 100.0, (2.097502, 1.283697, 0.850252)),
    ],
)
def test_agrees_with_published_values(
    m: complex, x: float, expected: tuple[float, float, float]
) -> None:
    ext, sca, g = expected
    constants = OpticalConstants(
        "a", np.array([1e-6, 2e-6]), np.full(2, m.real), np.full(2, -m.imag)
    )
    spectra = mie.compute_spectra(constants, x * 1e-6 / (2 * np.pi))
    assert spectra.Q_pr[0] == pytest.approx(ext - g * sca, abs=1e-5)
    assert spectra.Q_ext[0] == pytest.approx(ext, abs=1e-5)


def test_planck_mean_of_a_constant_is_the_constant() -> None:
    weights = mie.planck_weights(WAVELENGTH, np.array([300.0, 1000.0, 6500.0]))
    np.testing.assert_allclose(weights @ np.full(WAVELENGTH.size, 0.7), 0.7, rtol=1e-14)
    assert (weights >= 0).all()


def test_planck_weights_follow_wien() -> None:
    fine = np.geomspace(0.1e-6, 100e-6, 20001)
    T = np.array([300.0, 1500.0, 6000.0])
    per_metre = mie.planck_weights(fine, T) / np.gradient(fine)
    np.testing.assert_allclose(
        fine[per_metre[:, 1:-1].argmax(axis=1) + 1] * T, 2.897771955e-3, rtol=1e-3
    )


def test_two_axes_are_averaged() -> None:
    near = np.array([1e-6, 1.05e-6])
    a, b = (
        OpticalConstants(axis, near, np.full(2, n), np.full(2, 0.1))
        for axis, n in (("a", 1.6), ("b", 1.8))
    )
    s = [1e-8, 1e-6]
    T = [1000.0, 3000.0]
    mixture = mie.compute_planck_means([a, b], s, T).Q_pr
    single = [mie.compute_planck_means([constants], s, T).Q_pr for constants in (a, b)]
    np.testing.assert_allclose(mixture, np.mean(single, axis=0), rtol=1e-13)


def test_refining_keeps_the_nodes_and_bounds_the_step() -> None:
    constants = OpticalConstants(
        "a", np.array([1e-6, 2e-6, 2.001e-6]), np.array([1.0, 2.0, 4.0]), np.zeros(3)
    )
    fine = refine(constants, 0.01)
    assert np.diff(np.log(fine.wavelength)).max() <= 0.01 * (1 + 1e-9)
    np.testing.assert_allclose(
        np.interp(constants.wavelength, fine.wavelength, fine.n), constants.n, rtol=1e-12
    )


def test_progress_rises_to_one() -> None:
    seen: list[float] = []
    near = OpticalConstants("a", np.array([1e-6, 1.02e-6]), np.full(2, 1.5), np.full(2, 0.1))
    mie.compute_planck_means([near], [1e-8, 1e-7, 1e-6], [1000.0], progress=seen.append)
    assert len(seen) == 3
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0)


@pytest.mark.parametrize(("s", "T"), [([0.0], [1000.0]), ([1e-6], [np.nan])])
def test_impossible_coordinates_are_refused(s: list[float], T: list[float]) -> None:
    with pytest.raises(ValueError, match="finite and positive"):
        mie.compute_planck_means([constant(1.5, 0.1)], s, T)
    with pytest.raises(ValueError, match="no optical constants"):
        mie.compute_planck_means([], s, T)


def test_missing_miepython_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "miepython", None)
    monkeypatch.delitem(sys.modules, "miepython")
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delenv("MIEPYTHON_USE_JIT", raising=False)
    monkeypatch.setattr(sys, "meta_path", [])
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'marsdisk\[qpr\]'"):
        mie.compute_spectra(constant(1.5, 0.1), 1e-6)
    assert "MIEPYTHON_USE_JIT" not in os.environ


def test_reads_axes_in_order(tmp_path: Path) -> None:
    path = write_nk(tmp_path / "nk.csv", "b,1,1.5,0", "b,2,1.6,0.1", "a,1,1.7,0", "a,3,1.8,0.2")
    b, a = read_optical_constants(path)
    assert (b.axis, a.axis) == ("b", "a")
    np.testing.assert_allclose(a.wavelength, [1e-6, 3e-6])
    np.testing.assert_array_equal(b.k, [0.0, 0.1])


def test_file_without_axis_column_is_one_axis(tmp_path: Path) -> None:
    path = write_nk(tmp_path / "nk.csv", "1,1.5,0", "2,1.6,0", head="# glass\nwavelength_um,n,k")
    (constants,) = read_optical_constants(path)
    np.testing.assert_array_equal(constants.n, [1.5, 1.6])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("a,1,1.5,0",), "fewer than 2 wavelengths for axis 'a'"),
        ((), "no data; give a header and at least one row"),
        (("a,1,1.5,0", "a,1,1.5,0"), "line 3: wavelengths of an axis must increase"),
        (("a,1,1.5,0", "a,2,1.5"), "line 3: 3 cells where the header has 4"),
        (("a,1,x,0",), "line 2, column n: 'x' is not a number"),
        (("a,1,nan,0",), "line 2, column n: nan is not finite"),
        (("a,1,1.5,-1e-3",), "line 2: k = -0.001 must be at least 0"),
    ],
)
def test_malformed_optical_constants_are_refused(
    tmp_path: Path, lines: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        read_optical_constants(write_nk(tmp_path / "nk.csv", *lines))
    assert "nk.csv" in str(caught.value)


def test_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no column 'k'; the columns are axis, wavelength_um, n"):
        read_optical_constants(
            write_nk(tmp_path / "nk.csv", "a,1,1.5", head="axis,wavelength_um,n")
        )


def test_grids_span_the_model_and_bound_their_steps() -> None:
    s = build.size_grid()
    T = build.temperature_grid()
    assert (s[0], s[-1], T[0], T[-1]) == (1e-8, 3.0, 300.0, 6500.0)
    assert (np.diff(s) > 0).all()
    assert (np.diff(T) > 0).all()
    assert np.diff(T).max() <= 100.0
    # Whole kelvins: half a kelvin at either end of a step of 11 K.
    assert (np.diff(T) / T[:-1]).max() < build.MAX_RELATIVE_TEMPERATURE_STEP + 1.0 / 300.0
    assert np.diff(np.log10(s[s <= 1e-6])).max() <= 1 / 46 * (1 + 1e-3)
    with pytest.raises(ValueError, match="sizes_per_decade"):
        build.size_grid(0)
    with pytest.raises(ValueError, match="temperature_step"):
        build.temperature_grid(0.0)


def test_build_table_writes_what_it_returns_and_the_same_bytes_again(tmp_path: Path) -> None:
    nk = write_nk(
        tmp_path / "nk.csv", "1,1.5,0.1", "1.01,1.6,0.1", head="# test glass\nwavelength_um,n,k"
    )
    first = tmp_path / "first" / "out.csv"
    second = tmp_path / "second" / "out.csv"
    for out in (first, second):
        out.parent.mkdir()
    table, _ = build.build_tables(nk, first, sizes_per_decade=2, temperature_step=3000.0)
    assert table == read_qpr_table(first)
    assert table.name == "out"
    build.build_tables(nk, second, sizes_per_decade=2, temperature_step=3000.0)
    assert first.read_bytes() == second.read_bytes()
    text = first.read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    assert "# made by: marsdisk qpr nk.csv --out out.csv" in text
    assert "# optical constants: test glass" in text
    s = np.exp(table.log_s[:8])
    T = table.T[[0, -1]]
    again = mie.compute_planck_means(read_optical_constants(nk), s, T).Q_pr
    np.testing.assert_allclose(again, look_up(table, s, T[:, None]), rtol=6e-5)


def test_shipped_forsterite_agrees_with_refractive_index_alone_where_scattering_rules() -> None:
    # Above 4000 K 97 % of the light is at these wavelengths; the rest is made to pass the grain (n
    # = 1).
    s = np.array([3e-7, 1e-6])
    T = np.array([4000.0, 5000.0])
    mean = mie.compute_planck_means([TRANSPARENT_FORSTERITE], s, T).Q_pr
    np.testing.assert_allclose(
        look_up(shipped_qpr_table("forsterite"), s, T[:, None]), mean, rtol=0.015
    )


def test_shipped_forsterite_falls_at_small_sizes() -> None:
    table = shipped_qpr_table("forsterite")
    T = np.array([1500.0, 2500.0, 4000.0])
    value = look_up(table, np.array([1e-8, 1e-7, 1e-6]), T[:, None])
    assert (value[:, 0] < 0.01).all()
    assert (value[:, 1] < 0.15).all()
    assert (value[:, 2] > 0.5).all()
    # Absorption (Q as s) rules the smallest grains in cool light; in hot light, where k = 0,
    # scattering (Q as s^4) does.
    growth = look_up(table, 2e-8, [1000.0, 1500.0, 5000.0]) / look_up(
        table, 1e-8, [1000.0, 1500.0, 5000.0]
    )
    np.testing.assert_allclose(growth[:2], 2.0, rtol=0.03)
    assert 4.0 < growth[2] < 16.0


def test_compare_prints_ratios_by_band(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log_s = np.log([1e-6, 5e-6, 1e-3])
    T = np.array([500.0, 2500.0])
    base = QprTable(log_s, T, np.ones((2, 3)), "base")
    twice = tmp_path / "twice.csv"
    path = tmp_path / "base.csv"
    build.write_table(path, base)
    build.write_table(twice, QprTable(log_s, T, np.full((2, 3), 2.0), "twice"))
    assert compare.main([str(twice), str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ratio twice / base"
    assert len(lines) == 2 + 6
    assert all(line.split()[-3:] == ["2.000"] * 3 for line in lines[2:])


def test_compare_with_a_bad_file_exits_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        compare.main(["forsterite", str(tmp_path / "none.csv")])
    assert stop.value.code == 2
    assert "none.csv" in capsys.readouterr().err


def test_the_command_computes_the_tables_that_the_function_does() -> None:
    defaults = {name: p.default for name, p in signature(build.build_tables).parameters.items()}
    options = {option.name: option.default for option in qpr_command.params}
    for name in ("sizes_per_decade", "temperature_step"):
        assert options[name] == defaults[name]
