"""Cascades that nothing feeds: mass as 1/t, and dust as the primordial sizes of Löhne et al."""

import functools

import numpy as np

from marsdisk.physics.constants import YEAR
from marsdisk.physics.grid import Array
from marsdisk.result import RunResult
from marsdisk.zero_d import run_zero_d

from .case import Case, Curve, Outcome, Panel, Row
from .ring import config_with, fitted_slope, strength, surface_density

BOTTOM = 1e-6  # m
DUST = (1e-5, 1e-3)  # m
LATE = (1e2, 1e6)  # yr
LATEST = (1e5, 1e6)  # yr
EARLY = 0.02  # yr, when dust has come into balance and 5 % of the mass is lost
#: By the exponent at the start: the mass [M_Mars], and the years in which the slope is measured.
PRIMORDIAL = {3.85: (1e-11, (1.0, 1e3)), 4.0: (1e-13, (10.0, 1e4))}


@functools.cache
def unfed(top: float, bins: int, q: float, mass: float, decades: float) -> RunResult:
    """Return a ring that grinds itself down for 1e6 years from one power law.

    Parameters
    ----------
    top : float
        Largest size [m].
    bins : int
        Number of bins down to 1 um.
    q : float
        Exponent of the start, dN/ds ∝ s^-q.
    mass : float
        Mass at the start [M_Mars].
    decades : float
        How many the series spans in time.

    Returns
    -------
    RunResult
        With a size distribution at each time of its series.
    """
    law = {"alpha_solid": q, "s_min_solid": BOTTOM, "s_max_solid": top, "s_cut": BOTTOM}
    return run_zero_d(
        config_with(
            sizes={"s_min": BOTTOM, "s_max": top, "n_bins": bins},
            initial={"s0_mode": "melt_truncated_powerlaw", "truncated": law, "mass": mass},
            qstar=strength(1e-2),
            collisions={"fragment_law": "number", "alpha_frag": 3.5},
            numerics={"t_end_years": 1e6, "rtol": 1e-6, "atol": 1e-16},
            output={"samples": 161, "snapshots": 161, "decades": decades},
        )
    )


def compare_decay() -> Outcome:
    """Return how the mass of a cascade of constant strength falls."""
    run = unfed(1.0, 96, 3.5, 1e-12, 10.0)
    years = run.t[1:] / YEAR
    share = run.Sigma[1:] / run.Sigma[0]
    early = int(np.argmin(np.abs(years - EARLY)))
    lost = surface_density(run.M_out_dot[1 + early])
    start = (run.Sigma[1 + early] / lost - run.t[1 + early]) / YEAR
    expected = 1.0 / (1.0 + years / start)
    until = (years > EARLY) & (share > 0.1)
    late, latest = (fitted_slope(years, share, *span) for span in (LATE, LATEST))
    quantity = "M/M_0 when it is near 0.1, from the rate at 0.02 yr"
    rows = (
        Row.compare_series(quantity, share[until], expected[until], 0.025),
        Row.compare("exponent of M(t) from 1e2 to 1e6 yr", late, -1.0, 0.02),
        Row.compare("exponent of M(t) from 1e5 to 1e6 yr", latest, -1.0, 0.015),
    )
    curves = (
        Curve(years, share, "run"),
        Curve(years, expected, "1/(1 + t/t_0)", "expected"),
    )
    return Outcome(rows, (Panel("t [yr]", "M/M_0", curves),))


def dust_mass(run: RunResult) -> Array:
    """Return the mass of 10 um to 1 mm at each snapshot, over that at the start."""
    inside = (run.s > DUST[0]) & (run.s < DUST[1])
    mass = run.N[:, inside] @ run.s[inside] ** 3
    relative: Array = mass / mass[0]
    return relative


def compare_primordial() -> Outcome:
    """Return how dust falls where larger and larger bodies begin to collide."""
    rows = []
    curves = []
    for q, (mass, window) in PRIMORDIAL.items():
        run = unfed(1e6, 192, q, mass, 12.0)
        years = run.t[1:] / YEAR
        dust = dust_mass(run)[1:]
        exponent = (3.5 - q) / (q - 3.0)
        measured = fitted_slope(years, dust, *window)
        quantity = f"exponent of M_dust(t) for a start of s^-{q:g}"
        rows.append(Row.compare(quantity, measured, exponent, 2e-3))
        late = years > 1e-5
        curves.append(Curve(years[late], dust[late], f"start s^-{q:g}"))
        line = np.array(window)
        middle = float(np.sqrt(line[0] * line[1]))
        level = float(np.interp(middle, years, dust))
        label = f"t^{exponent:.3f}"
        curves.append(Curve(line, level * (line / middle) ** exponent, label, "expected"))
    panel = Panel("t [yr]", "mass of 10 µm to 1 mm, start = 1", tuple(curves))
    return Outcome(tuple(rows), (panel,))


DECAY = Case(
    name="decay",
    title="Decay of a cascade that nothing feeds",
    sources=(
        "Dohnanyi 1969, J. Geophys. Res. 74, 2531",
        "Dominik & Decin 2003, ApJ 598, 626",
        "Wyatt et al. 2007, ApJ 658, 569 (M = M_0/(1 + t/t_0))",
    ),
    text=(
        "A ring with $dN/ds \\propto s^{-3.5}$ from 1 µm to 1 m (96 bins), constant strength, "
        "without supply. As collisions go with the square of the mass, $M = M_0/(1 + t/t_0)$ "
        "with $t_0$ the mass over the rate of its loss; here both are taken at 0.02 yr, when "
        "the dust has come into balance."
    ),
    reason=(
        "The formula holds for as long as the size distribution keeps its shape. It keeps it to"
        " 2 % until a tenth is left. Later the shape changes at the largest sizes, where "
        "nothing replaces what is lost and a body lives the longer, the larger it is. Bodies "
        "that differ by a bin differ little in this, and so the exponent goes back to 1 slowly."
    ),
    compute=compare_decay,
)

PRIMORDIAL_SIZES = Case(
    name="primordial_sizes",
    title="Dust of a ring whose largest bodies have not collided yet",
    sources=("Löhne, Krivov & Rodmann 2008, ApJ 673, 1123",),
    text=(
        "Rings that begin with $dN/ds \\propto s^{-q}$, $q$ = 3.85 and 4, from 1 µm to 1000 km "
        "(192 bins). Bodies below a size $s_t(t)$ have come into balance, with slope 3.5, "
        "larger ones are as they were. For constant strength a body of size $s$ lives for a "
        "time $\\propto s^{q-3}$, so that $s_t \\propto t^{1/(q-3)}$, and the dust, which joins "
        "on there, goes as $s_t^{3.5-q} = t^{(3.5-q)/(q-3)}$: their analytic model, with their "
        "exponents of mass turned into those of size."
    ),
    reason=(
        "Measured while $s_t$ is far above the dust and far below the largest body; before and "
        "after, dust goes as another power of time, and in the end as $1/t$."
    ),
    compute=compare_primordial,
)
