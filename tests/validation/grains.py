"""A grain that shrinks because it evaporates."""

import functools
import math
from typing import NamedTuple

import numpy as np
from scipy import constants as nature

from marsdisk.physics.constants import R_MARS, YEAR
from marsdisk.physics.grid import Array, make_grid
from marsdisk.zero_d import run_zero_d

from .case import Case, Curve, Outcome, Panel, Row
from .ring import RADIUS, RHO, config_with

T_MARS = 3600.0  # K
SMALLEST = 1e-6  # m
LARGEST = 1.3e-4  # m
BINS = (50, 100, 200)


def shrinking_speed() -> float:
    """Return |ds/dt| [m/s] of forsterite, from the published fit of its vapour pressure.

    ln P = 34.1 - 65308 K/T in dyn/cm2 with an evaporation coefficient of 0.1 and a molar mass of
    140.694 g/mol; the grain is as warm as a black body in the light of Mars.
    """
    T = T_MARS * math.sqrt(R_MARS / (2.0 * RADIUS))
    pressure = 0.1 * math.exp(34.1 - 65308.0 / T)  # Pa
    molecular = 0.140694 / (2.0 * math.pi * nature.R * T)
    return 0.1 * pressure * math.sqrt(molecular) / RHO


class Shrinking(NamedTuple):
    """Equal grains that evaporate until half of their radius is left."""

    t: Array  #: s
    s: Array  #: m, of grains that share the mass that is left
    mean: Array  #: m, mean radius of the grains that the bins stand for
    expected: Array  #: m


@functools.cache
def shrinking_grains(bins: int) -> Shrinking:
    """Return a run with a number of bins over two decades of size."""
    sizes = make_grid(SMALLEST, LARGEST, bins).sizes
    s0 = float(sizes[np.argmin(np.abs(sizes - 1e-4))])
    speed = shrinking_speed()
    run = run_zero_d(
        config_with(
            temperature={"law": "constant", "T0": T_MARS},
            sizes={"s_min": SMALLEST, "s_max": LARGEST, "n_bins": bins},
            initial={"s0_mode": "mono", "s_mono": s0},
            optical_depth={"tau0_target": 1e-3},
            collisions={"enabled": False},
            blowout={"enabled": False},
            sublimation={"method": "advection"},
            numerics={"t_end_years": 0.5 * s0 / speed / YEAR, "rtol": 1e-6, "atol": 1e-14},
            output={"samples": 41, "snapshots": 41, "spacing": "linear"},
        )
    )
    mass = run.Sigma / run.Sigma[0]
    mean = run.N @ run.s / run.N.sum(axis=1)
    return Shrinking(run.t, s0 * np.cbrt(mass), mean, s0 - speed * run.t)


def compare_shrinking() -> Outcome:
    """Return the radius of grains that evaporate, for several numbers of bins."""
    rows = []
    radii = []
    means = []
    misses = []
    tolerances = dict(zip(BINS, (0.015, 8e-3, 4e-3), strict=True))
    for bins in BINS:
        grains = shrinking_grains(bins)
        quantity = f"s/s_0 when it should be 0.5, {bins} bins"
        ours = grains.s / grains.s[0]
        expected = grains.expected / grains.expected[0]
        rows.append(Row.compare_series(quantity, ours, expected, tolerances[bins]))
        share = grains.t / grains.t[-1]
        radii.append(Curve(share, ours, f"{bins} bins"))
        means.append(Curve(share, grains.mean / grains.mean[0], f"{bins} bins"))
        misses.append(ours[-1])
    extrapolated = 2.0 * misses[-1] - misses[-2]
    rows.append(Row.compare("s/s_0, extrapolated from 100 and 200 bins", extrapolated, 0.5, 1e-3))
    line = Curve(share, expected, "1 - |ds/dt| t/s_0", "expected")
    time = "t over the time until half is left"
    panels = (
        Panel(time, "s/s_0, from the mass", (*radii, line), "linear", "linear"),
        Panel(time, "s/s_0, mean of what is in the bins", (*means, line), "linear", "linear"),
    )
    return Outcome(tuple(rows), panels)


SHRINKING = Case(
    name="shrinking",
    title="A grain that evaporates",
    sources=(
        "Hertz, Knudsen & Langmuir",
        "vapour pressure of forsterite: van Lieshout, Min & Dominik 2014, A&A 572, A76",
    ),
    text=(
        "Equal grains of 100 µm around a Mars of 3600 K (the grains have 1872 K), "
        "`sublimation.method: advection`, nothing else. Expected: $s = s_0 - |ds/dt|\\thinspace "
        "t$, with $|ds/dt|$ from the published fit, $\\ln P = 34.1 - 65308\\thinspace{\\rm K}/T$ "
        "(dyn cm⁻²) and an evaporation coefficient of 0.1. Our $s$ is the radius that the "
        "grains would have if the mass that is left were spread evenly over as many as there "
        "were."
    ),
    reason=(
        "Advection through bins is of first order: the difference halves with their width. What"
        " is conserved is mass. The grains spread over bins meanwhile, and the bins hold more "
        "of them, and smaller ones, than there should be (on the right); this, too, halves with"
        " their width."
    ),
    compute=compare_shrinking,
)
