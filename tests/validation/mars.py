"""Mars: how it cools, and how its light pushes a perfect absorber."""

import math
from typing import Any

import numpy as np
from scipy import constants as nature

from marsdisk.physics.constants import DAY, M_MARS, R_MARS, YEAR
from marsdisk.physics.radiation import beta
from marsdisk.result import RunResult
from marsdisk.zero_d import run_zero_d

from .case import Case, Curve, Outcome, Panel, Row
from .ring import RHO, config_with

HEAT_CAPACITY = 1e5 * 3000.0 * 1000.0  # J/(m2 K), of 100 km
TEMPERATURES = (2000.0, 3000.0, 4000.0, 5000.0, 6000.0)  # K
L_SUN = 3.828e26  # W, nominal (IAU 2015)
GM_SUN = 1.3271244e20  # m3/s2, nominal (IAU 2015)


def cooling(law: str, T0: float, T_stop: float) -> RunResult:
    """Return a run without collisions until Mars has cooled to ``T_stop`` [K]."""
    changes: dict[str, Any] = {
        "temperature": {"law": law, "T0": T0},
        "collisions": {"enabled": False},
        "sizes": {"s_min": 1e-7, "s_max": 1.0, "n_bins": 4},
        "numerics": {"t_end_until_temperature_K": T_stop},
        "output": {"samples": 41, "spacing": "linear"},
    }
    return run_zero_d(config_with(**changes))


def compare_cooling() -> Outcome:
    """Return temperatures and times of both laws of cooling."""
    rows = []
    curves = []
    for T0 in (3000.0, 4000.0, 6000.0):
        run = cooling("slab", T0, 1500.0)
        heat = HEAT_CAPACITY / (3.0 * nature.Stefan_Boltzmann)
        expected = (T0**-3 + run.t / heat) ** (-1.0 / 3.0)
        quantity = f"slab from {T0:g} K: T_M after {run.t_end / YEAR:.1f} yr [K]"
        rows.append(Row.compare_series(quantity, run.T_M, expected, 2e-10))
        curves += [
            Curve(run.t / YEAR, run.T_M, f"slab from {T0:g} K"),
            Curve(run.t / YEAR, expected, "", "expected"),
        ]
    lines = []
    for T0 in (3000.0, 4000.0, 6000.0):
        run = cooling("linear", T0, 1500.0)
        expected = T0 - run.t * nature.Stefan_Boltzmann * T0**4 / HEAT_CAPACITY
        lines += [
            Curve(run.t / YEAR, run.T_M, f"linear from {T0:g} K"),
            Curve(run.t / YEAR, expected, "", "expected"),
        ]
        quantity = f"linear from {T0:g} K: T_M after {run.t_end / YEAR:.2f} yr [K]"
        rows.append(Row.compare_series(quantity, run.T_M, expected, 2e-10))
    days = 3000.0 / 2500.0 * cooling("linear", 4000.0, 1500.0).t_end / DAY
    rows.append(Row.compare("linear from 4000 K: days for 3000 K", days, 717.6, 1e-4))
    panels = (
        Panel("t [yr]", "T_M [K]", tuple(curves), "linear", "linear"),
        Panel("t [yr]", "T_M [K]", tuple(lines), "linear", "linear"),
    )
    return Outcome(tuple(rows), panels)


def burns(s: float, rho: float, luminosity: float, GM: float) -> float:
    """Return beta of a perfect absorber by the printed 5.7e-5/(rho s), cgs, for the Sun."""
    solar = 5.7e-5 / (1e-3 * rho * 100.0 * s)
    return solar * (luminosity / L_SUN) * (GM_SUN / GM)


def compare_burns() -> Outcome:
    """Return beta of grains that take up all light that meets them."""
    GM = nature.G * M_MARS
    sizes = np.geomspace(1e-7, 1e-3, 9)
    ours = []
    exact = []
    printed = []
    curves = []
    for T in TEMPERATURES:
        luminosity = 4.0 * math.pi * R_MARS**2 * nature.Stefan_Boltzmann * T**4
        pushed = np.asarray(beta(sizes, RHO, T, 1.0))
        force = 3.0 * luminosity / (16.0 * math.pi * GM * nature.c * RHO * sizes)
        ours.append(pushed)
        exact.append(force)
        printed.append(np.array([burns(s, RHO, luminosity, GM) for s in sizes]))
        curves += [
            Curve(sizes, pushed, f"{T:g} K"),
            Curve(sizes, force, "", "expected"),
        ]
    micrometre = int(np.argmin(np.abs(sizes - 1e-6)))
    middle = TEMPERATURES.index(4000.0)
    order = np.roll(np.arange(len(ours) * sizes.size), -(middle * sizes.size + micrometre + 1))
    series = [np.concatenate(values)[order] for values in (ours, exact, printed)]
    names = ("3L/(16π G M c ρ s)", "from 5.7e-5/(ρ s) for the Sun")
    of_1_um = [f"β of 1 µm at 4000 K, {name}" for name in names]
    rows = (
        Row.compare_series(of_1_um[0], series[0], series[1], 2e-10),
        Row.compare_series(of_1_um[1], series[0], series[2], 0.01),
    )
    return Outcome(rows, (Panel("s [m]", "β", tuple(curves)),))


COOLING = Case(
    name="cooling",
    title="Cooling of Mars",
    sources=("heat balance of a layer", "Hyodo et al. 2018, ApJ 860, 150 (717.6 days)"),
    text=(
        "Runs from three temperatures down to 1500 K. A slab of heat capacity $C = D\\rho c_p$ ="
        " 3e11 J m⁻² K⁻¹ (100 km) that radiates $\\sigma T^4$: $C(T^{-3} - T_0^{-3}) = 3\\sigma "
        "t$. One that radiates as at the start: $C(T_0 - T) = \\sigma T_0^4 t$, and with that "
        "the time that is printed for cooling by 3000 K from 4000 K."
    ),
    reason=(
        "At 41 times each. The constants of the model have ten digits, those of the expectation"
        " (SciPy) all that are known; the printed time has four."
    ),
    compute=compare_cooling,
)

BURNS = Case(
    name="beta",
    title="Radiation pressure on a perfect absorber",
    sources=("Burns, Lamy & Soter 1979, Icarus 40, 1 (5.7e-5 Q_pr/(ρ s) for the Sun, cgs)",),
    text=(
        "$\\beta$ with $\\langle Q_{\\rm pr}\\rangle = 1$ at nine sizes from 0.1 µm to 1 mm and "
        "five temperatures from 2000 to 6000 K, beside the ratio of the two forces written with"
        " the luminosity of Mars, $L = 4\\pi R^2\\sigma T^4$, and beside the number that is "
        "printed for the Sun, times $(L/L_\\odot)(M_\\odot/M)$."
    ),
    reason="The constants have ten digits; the printed number has two.",
    compute=compare_burns,
)
