"""Steady cascades, fed at the top: slopes of Dohnanyi, and of O'Brien and Greenberg."""

import functools

import numpy as np

from marsdisk.physics.grid import make_grid
from marsdisk.result import RunResult
from marsdisk.zero_d import run_zero_d

from .case import Case, Curve, Outcome, Panel, Row
from .ring import config_with, fitted_slope, number_per_size, strength, surface_density

# m; 16 bins per decade
BOTTOM = 1e-6
TOP = 1e3
BINS = 144
FED = 1e-8  # kg/(m2 s)
MIDDLE = (1e-3, 10.0)  # m, where slopes are measured
EXPONENTS = (-0.3, 0.3)


@functools.cache
def fed_cascade(ratio: float, exponent: float = 0.0, alpha: float = 3.5) -> RunResult:
    """Return a cascade that hands down as much as it is fed.

    Parameters
    ----------
    ratio : float
        Q_D*/v^2 at 1 cm.
    exponent : float
        That of Q_D* in size.
    alpha : float
        Exponent of the number of fragments, dN/ds ∝ s^-alpha.

    Returns
    -------
    RunResult
        After 1e6 years, blowing out what it is fed to 1e-6.
    """
    largest = float(make_grid(BOTTOM, TOP, BINS).sizes[-1])
    run = run_zero_d(
        config_with(
            sizes={"s_min": BOTTOM, "s_max": TOP, "n_bins": BINS},
            initial={"s0_mode": "mono", "s_mono": largest, "mass": 1e-12},
            qstar=strength(ratio, exponent),
            collisions={"fragment_law": "number", "alpha_frag": alpha},
            supply={"mode": "const", "const_rate": FED, "s_inj_min": (1.0 - 1e-9) * largest},
            numerics={"t_end_years": 1e6, "rtol": 1e-5, "atol": 1e-16},
            output={"samples": 8, "snapshots": 2},
        )
    )
    blown_out = surface_density(run.M_out_dot[-1])
    if abs(blown_out / FED - 1.0) > 1e-6:
        raise RuntimeError(f"the cascade is not steady: {blown_out} kg/(m2 s) leave it of {FED}")
    return run


def slope_in_the_middle(run: RunResult) -> float:
    """Return q of dN/ds ∝ s^-q over four decades of size, far from both ends."""
    return -fitted_slope(run.s, number_per_size(run), *MIDDLE)


def compensated(run: RunResult, q: float, label: str) -> Curve:
    """Return the size distribution over s^-q, 1 in the middle."""
    relative = number_per_size(run) * run.s**q
    inside = (run.s > MIDDLE[0]) & (run.s < MIDDLE[1])
    return Curve(run.s, relative / np.exp(np.mean(np.log(relative[inside]))), label)


def flat() -> Curve:
    """Return what a distribution of the expected slope looks like."""
    return Curve(np.array([BOTTOM, TOP]), np.ones(2), "expected", "expected")


def compare_dohnanyi() -> Outcome:
    """Return q for constant Q_D*, with fragments of three different laws."""
    rows = []
    curves = []
    for alpha in (2.5, 3.0, 3.5):
        run = fed_cascade(1e-2, alpha=alpha)
        label = f"fragments dN/ds ∝ s^-{alpha:g}"
        rows.append(Row.compare(f"q of dN/ds ∝ s^-q, {label}", slope_in_the_middle(run), 3.5, 2e-4))
        curves.append(compensated(run, 3.5, label))
    panel = Panel("s [m]", "dN/ds over s^-3.5", (*curves, flat()), shaded=MIDDLE)
    return Outcome(tuple(rows), (panel,))


def obrien_and_greenberg(exponent: float) -> float:
    """Return q of dN/ds ∝ s^-q for Q_D* ~ s^exponent."""
    return (7.0 + exponent / 3.0) / (2.0 + exponent / 3.0)


def compare_obrien_and_greenberg() -> Outcome:
    """Return q where Q_D* falls and where it rises with size."""
    rows = []
    curves = []
    for exponent in EXPONENTS:
        run = fed_cascade(3e-3, exponent)
        q = obrien_and_greenberg(exponent)
        quantity = f"q of dN/ds ∝ s^-q for Q_D* ∝ s^{exponent:g}"
        rows.append(Row.compare(quantity, slope_in_the_middle(run), q, 5e-3))
        curves.append(compensated(run, q, f"Q_D* ∝ s^{exponent:g}"))
    panel = Panel("s [m]", "dN/ds over s^-q", (*curves, flat()), shaded=MIDDLE)
    return Outcome(tuple(rows), (panel,))


DOHNANYI = Case(
    name="dohnanyi",
    title="A cascade of bodies of constant strength",
    sources=(
        "Dohnanyi 1969, J. Geophys. Res. 74, 2531",
        "Tanaka, Inaba & Nakazawa 1996, Icarus 123, 450",
    ),
    text=(
        "Bodies are supplied in the largest of 144 bins (1 µm to 1 km), and what is unbound "
        "(below 1.06 µm) is blown out, until as much leaves as is fed. $Q_D^\\ast = 0.01 v^2$ at"
        " all sizes; `fragment_law: number`. Expected: $q = 3.5$, whatever the fragments' own "
        "exponent. (Under the default, `fragment_law: mass`, fragments go straight to the "
        "smallest bin and there is no such cascade.)"
    ),
    reason=(
        "The slope is fitted over the four decades that are shaded. Below them the cut-off at "
        "the blow-out size throws waves up into the distribution, and above them the largest "
        "bodies have none larger to break them."
    ),
    compute=compare_dohnanyi,
)

OBRIEN = Case(
    name="obrien_greenberg",
    title="A cascade of bodies whose strength changes with size",
    sources=("O'Brien & Greenberg 2003, Icarus 164, 334",),
    text=(
        "As above, with $Q_D^\\ast = 0.003 v^2 (s/{\\rm cm})^a$, falling with size for $a = -0.3$ "
        "and rising with it for $a = 0.3$. Expected: $q = (7 + a/3)/(2 + a/3)$, which is 3.632 "
        "for the first and 3.381 for the second."
    ),
    reason=(
        "The theory lets bodies be broken by others that are much smaller. Here these have a tenth "
        "to a third of the target's size, a ratio that itself changes along the cascade with "
        "$Q_D^\\ast/v^2$. That shifts $q$ by 0.01, towards 3.5 for either sign of $a$; from one "
        "$a$ to the other $q$ changes by 0.25."
    ),
    compute=compare_obrien_and_greenberg,
)
