"""The blow-out size, and the window of unbound sizes, against Mie theory."""

import functools
import tempfile
from pathlib import Path

import numpy as np
from scipy import constants as nature
from scipy import optimize

from marsdisk.io.efficiency_tables import read_qpr_table
from marsdisk.physics.constants import M_MARS, R_MARS
from marsdisk.physics.grid import Array
from marsdisk.physics.qpr_table import QprTable, look_up
from marsdisk.physics.radiation import beta, blowout_size, radiation_pressure, smallest_unbound_size
from marsdisk.qpr import build
from marsdisk.qpr.mie import compute_planck_means, load_miepython
from marsdisk.qpr.optical_constants import OpticalConstants
from marsdisk.zero_d import run_zero_d

from .case import Case, Curve, Outcome, Panel, Row
from .ring import RHO, config_with

INDEX = 1.65 - 0.03j  # at all wavelengths
TEMPERATURES = (2425.0, 2710.0, 2980.0)  # K, between those of the table
WAVELENGTHS = (0.25e-6, 40e-6)  # m, of the table
SIZES = np.geomspace(0.03e-6, 3e-6, 101)  # m, of the table: 50 per decade
TABLE_TEMPERATURES = np.arange(1500.0, 3501.0, 50.0)  # K
#: Between these the force is looked for in Mie theory itself.
SMALLEST = 0.05e-6  # m
LARGEST = 3e-6  # m
# K, of a window that is not there yet, and of one that is
CLOSED = 2000.0
OPEN = 2400.0


@functools.cache
def table_of_the_model() -> QprTable:
    """Return <Q_pr> as ``marsdisk.qpr`` makes it, written to a file and read again."""
    ends = np.array(WAVELENGTHS)
    constants = OpticalConstants("", ends, np.full(2, INDEX.real), np.full(2, -INDEX.imag))
    Q = compute_planck_means([constants], SIZES, TABLE_TEMPERATURES).Q_pr
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        build.write_table(path, QprTable(np.log(SIZES), TABLE_TEMPERATURES, Q, "table"), digits=8)
        return read_qpr_table(path)


@functools.cache
def nodes_and_weights() -> tuple[Array, Array]:
    """Return y = h c/(lambda k T) and weights of Planck's law in it, by Gauss and Legendre in ln y.

    The energy per ln y goes as y^4/(e^y - 1), and its integral over all y is pi^4/15.
    """
    x, w = np.polynomial.legendre.leggauss(400)
    low, high = np.log([0.05, 35.0])
    y = np.exp(0.5 * (high - low) * (x + 1.0) + low)
    return y, 0.5 * (high - low) * w * y**4 / np.expm1(y) * 15.0 / np.pi**4


@functools.cache
def mie_mean(s: float, T: float) -> float:
    """Return <Q_pr> of a sphere of radius ``s`` [m] in the light of a black body, by Mie theory."""
    y, weights = nodes_and_weights()
    wavelength = nature.h * nature.c / (nature.k * T * y)
    x = 2.0 * np.pi * s / wavelength
    ext, sca, _, g = load_miepython().efficiencies_mx(np.full(x.size, INDEX), x)
    return float(weights @ (ext - g * sca))


def mie_excess(s: float, T: float) -> float:
    """Return beta - 1/2 from Mie theory and the ratio of the two forces."""
    light = nature.Stefan_Boltzmann * T**4 * R_MARS**2 / nature.c * np.pi * s**2 * mie_mean(s, T)
    gravity = nature.G * M_MARS * RHO * 4.0 / 3.0 * np.pi * s**3
    return float(light / gravity - 0.5)


def window(T: float) -> tuple[float, float]:
    """Return the smallest and the largest size [m] with a beta of 1/2 by Mie theory."""
    sizes = np.geomspace(SMALLEST, LARGEST, 25)
    unbound = np.flatnonzero([mie_excess(float(s), T) > 0.0 for s in sizes])

    def root(index: int) -> float:
        low, high = np.log(sizes[index : index + 2])
        return float(np.exp(optimize.brentq(lambda x: mie_excess(float(np.exp(x)), T), low, high)))

    return root(unbound[0] - 1), root(unbound[-1])


def beta_of_the_model(s: Array, T: float) -> Array:
    """Return beta from the table of the model."""
    return np.asarray(beta(s, RHO, T, look_up(table_of_the_model(), s, T)))


def lower_end_of_the_model(T: float) -> float:
    """Return the smallest unbound size [m] by the table of the model."""
    pressure = radiation_pressure(RHO, table_of_the_model())
    return float(smallest_unbound_size(pressure, T, blowout_size(pressure, T)[0])[0])


def blowout_size_of_a_run(T: float) -> float:
    """Return s_blow [m] of a run that reads the table from a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        build.write_table(path, table_of_the_model(), digits=8)
        run = run_zero_d(
            config_with(
                temperature={"law": "constant", "T0": T},
                radiation={"Q_pr": str(path)},
                sizes={"s_min": 1e-7, "s_max": 1e-3, "n_bins": 4},
                collisions={"enabled": False},
                numerics={"t_end_orbits": 1e-3},
            )
        )
    return float(run.s_blow[0])


def coldest_of_the_model() -> float:
    """Return the temperature [K] below which the model finds no unbound size."""
    pressure = radiation_pressure(RHO, table_of_the_model())
    low = CLOSED
    high = OPEN
    while high - low > 1e-3:
        middle = 0.5 * (low + high)
        if blowout_size(pressure, middle)[0] > 0.0:
            high = middle
        else:
            low = middle
    return high


def coldest_of_mie() -> float:
    """Return the temperature [K] at which the largest beta of any size is 1/2."""

    def largest_excess(T: float) -> float:
        bounds = np.log([SMALLEST, LARGEST])
        best = optimize.minimize_scalar(
            lambda x: -mie_excess(float(np.exp(x)), T),
            bounds=bounds,
            method="bounded",
            options={"xatol": 1e-3},
        )
        return float(-best.fun)

    return float(optimize.brentq(largest_excess, CLOSED, OPEN, xtol=1e-2))


def compare_mie() -> Outcome:
    """Return blow-out sizes of runs, lower ends of the window, and where the window closes."""
    table_of_the_model()
    upper = []
    lower = []
    curves = []
    sizes = np.geomspace(SMALLEST, LARGEST, 25)
    for T in TEMPERATURES:
        smallest, largest = window(T)
        s_blow = blowout_size_of_a_run(T)
        below = lower_end_of_the_model(T)
        upper.append(Row.compare(f"s_blow at {T:g} K [µm]", 1e6 * s_blow, 1e6 * largest, 1e-3))
        quantity = f"lower end of the window at {T:g} K [µm]"
        lower.append(Row.compare(quantity, 1e6 * below, 1e6 * smallest, 2e-3))
        model = beta_of_the_model(sizes, T)
        theory = np.array([mie_excess(float(s), T) for s in sizes]) + 0.5
        curves += [
            Curve(1e6 * sizes, model, f"{T:g} K"),
            Curve(1e6 * sizes, theory, "", "expected"),
        ]
    coldest = coldest_of_the_model(), coldest_of_mie()
    closes = Row.compare("nothing is unbound below [K]", *coldest, 5e-4)
    half = Curve(1e6 * np.array([SMALLEST, LARGEST]), np.full(2, 0.5), "", "expected")
    panel = Panel("s [µm]", "β", (*curves, half))
    return Outcome((*upper, *lower, closes), (panel,))


MIE = Case(
    name="blowout_size",
    title="Blow-out size and its window, by Mie theory",
    sources=(
        "Burns, Lamy & Soter 1979, Icarus 40, 1",
        "Strubbe & Chiang 2006, ApJ 648, 652",
        "Mie theory by miepython (after Wiscombe 1980, Appl. Opt. 19, 1505)",
    ),
    text=(
        "Spheres of refractive index 1.65 - 0.03i at all wavelengths. Ours: a table of $\\langle"
        " Q_{\\rm pr}\\rangle$ made by `marsdisk.qpr` in a temporary folder, read by runs, whose "
        "$s_{\\rm blow}$ is shown; the lower end of the window, and the temperature at which it "
        "closes, from the same table. Expected: roots of $\\beta = \\frac12$ that SciPy finds on "
        "miepython's efficiencies, averaged over Planck's law by another quadrature "
        "(Gauss-Legendre in the logarithm of the frequency, all wavelengths)."
    ),
    reason=(
        "The table has 50 sizes per decade and steps of 50 K, between which the model "
        "interpolates linearly, and it leaves out light below 0.25 and above 40 µm."
    ),
    compute=compare_mie,
    needs="miepython",
)
