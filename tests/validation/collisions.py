"""A layer of equal grains: how often they collide, and the collision time of Wyatt et al."""

import functools
import math

import numpy as np
from scipy import integrate

from marsdisk.physics import dynamics, orbit
from marsdisk.physics.collide import compute_collision_kernel_C1
from marsdisk.physics.grid import Array
from marsdisk.result import RunResult
from marsdisk.zero_d import run_zero_d

from .case import Case, Curve, Outcome, Panel, Row
from .ring import PERIOD, RADIUS, config_with, strength

#: Two bins, 0.6 to 1.10 um and 1.10 to 2 um: fragments fall into the lower, which is unbound.
SMALLEST = 6e-7  # m
LARGEST = 2e-6  # m
TAU = 1e-6  # so thin that what is blown out meets nothing on its way
INCLINATION = 0.1
ECCENTRICITIES = (0.0, 0.1, 0.2, 0.3)


def speed(e: float) -> float:
    """Return the relative speed [m/s] at an eccentricity."""
    return dynamics.dispersion_speed(orbit.keplerian_velocity(RADIUS), e, INCLINATION)


def wyatt_time() -> float:
    """Return t_per/(4 pi tau) [s]."""
    return PERIOD / (4.0 * math.pi * TAU)


@functools.cache
def equal_grains(e: float) -> RunResult:
    """Return a layer of grains so weak that two that meet are gone, for ten collision times."""
    v_rel = speed(e)
    return run_zero_d(
        config_with(
            dynamics={"e0": e, "i0": INCLINATION},
            sizes={"s_min": SMALLEST, "s_max": LARGEST, "n_bins": 2},
            initial={"s0_mode": "mono", "s_mono": 0.99 * LARGEST},
            optical_depth={"tau0_target": TAU},
            qstar=strength(1e-6, v_rel=v_rel),
            blowout={"chi": 0.5, "edge": "sharp"},
            numerics={"t_end_orbits": 10.0 * wyatt_time() / PERIOD, "rtol": 1e-8, "atol": 1e-16},
            output={"samples": 41, "snapshots": 41, "spacing": "linear"},
        )
    )


def gross_rate(number: float, size: float, v_rel: float) -> float:
    """Return the collisions per time and area [1/(m2 s)], by a sum over the heights of the layer.

    Half of n (n sigma v) at each height, sigma = pi (2 s)^2, with the density n of a Gaussian of
    standard deviation H = i r.
    """
    H = INCLINATION * RADIUS

    def per_height(x: float) -> float:
        density = number * math.exp(-0.5 * x * x) / (math.sqrt(2.0 * math.pi) * H)
        return 0.5 * density**2 * math.pi * (2.0 * size) ** 2 * v_rel * H

    return float(integrate.quad(per_height, -12.0, 12.0, epsabs=0.0, epsrel=1e-12)[0])


def compare_gross_rate() -> Outcome:
    """Return the rate at which equal grains collide, and how their number falls by it."""
    run = equal_grains(0.2)
    v_rel = speed(0.2)
    size = float(run.s[-1])
    first = run.N[0, -1]
    H = INCLINATION * RADIUS
    numbers = np.array([first])
    rates = []
    sums = []
    for share in (1e-3, 0.1, 1.0):
        events = compute_collision_kernel_C1(share * numbers, run.s[-1:], H, v_rel)
        rates.append(float(events[0, 0]))
        sums.append(gross_rate(share * first, size, v_rel))
    t_coll = first / (2.0 * sums[-1])
    left = run.N[:, -1] / first
    expected = 1.0 / (1.0 + run.t_snapshot / t_coll)
    quantity = "collisions per area and time [1/(m2 s)]"
    rows = (
        Row.compare_series(quantity, np.array(rates), np.array(sums), 1e-12),
        Row.compare_series("N/N_0 after ten of Wyatt's times", left, expected, 1e-5),
    )
    times = run.t_snapshot / t_coll
    curves = (Curve(times, left, "run"), Curve(times, expected, "1/(1 + t/t_coll)", "expected"))
    panel = Panel("t/t_coll", "N/N_0", curves, "linear")
    return Outcome(rows, (panel,))


def measured_time(run: RunResult) -> float:
    """Return t_coll [s] by which the grains of a run become fewer, N_0/N = 1 + t/t_coll."""
    ratio: Array = run.N[0, -1] / run.N[1:, -1] - 1.0
    return float(np.mean(run.t_snapshot[1:] / ratio))


def factor(e: float) -> float:
    """Return our collision time over that of Wyatt et al.

    Theirs is that of a layer of uniform density between -i r and i r, in which grains meet at
    i v_K; ours is Gaussian, and eccentricities add to the speed.
    """
    return math.sqrt(math.pi / (1.0 + 1.25 * (e / INCLINATION) ** 2))


def compare_wyatt() -> Outcome:
    """Return the collision time of runs over t_per/(4 pi tau), for several eccentricities."""
    rows = []
    ratios = []
    for e in ECCENTRICITIES:
        ratios.append(measured_time(equal_grains(e)) / wyatt_time())
        quantity = f"t_coll over t_per/(4π τ), e/i = {e / INCLINATION:g}"
        rows.append(Row.compare(quantity, ratios[-1], factor(e), 1e-5))
    line = np.linspace(0.0, 1.1 * ECCENTRICITIES[-1], 100)
    curves = (
        Curve(np.array(ECCENTRICITIES) / INCLINATION, np.array(ratios), "runs"),
        Curve(line / INCLINATION, np.array([factor(e) for e in line]), "expected", "expected"),
    )
    panel = Panel("e/i", "t_coll over t_per/(4π τ)", curves, "linear", "linear")
    return Outcome(tuple(rows), (panel,))


GROSS_RATE = Case(
    name="gross_rate",
    title="How often equal grains collide",
    sources=(
        "kernel: Krivov, Löhne & Sremčević 2006, A&A 455, 509",
        "here: a sum over heights",
    ),
    text=(
        "A layer of grains of one size and $\\tau = 10^{-6}$, Gaussian in height with $H = ir$. "
        "Expected per area: $\\frac12 \\int n(z)^2 \\sigma v\\thinspace dz$ with $\\sigma = 4\\pi "
        "s^2$, by quadrature. In a run the grains are so weak that two that meet become dust, "
        "which is unbound. Then $dN/dt$ is minus twice the rate and $N = N_0/(1 + t/t_{\\rm "
        "coll})$."
    ),
    reason=(
        "Round-off for the rate. In the run dust takes 1200 s to leave, which is about a "
        "millionth of the collision time of the grains, and until then it hits a few of them."
    ),
    compute=compare_gross_rate,
)

WYATT = Case(
    name="collision_time",
    title="Collision time",
    sources=("Wyatt et al. 1999, ApJ 527, 918 (t_coll = t_per/(4π τ_eff))",),
    text=(
        "The same layers with $e/i$ = 0, 1, 2 and 3; the collision time is that by which their "
        "grains become fewer. The formula is that of a layer of uniform density, $2ir$ thick, "
        "in which grains meet at $iv_K$. Ours is Gaussian with the standard deviation $ir$, "
        "which makes the time longer by $\\sqrt\\pi$, and meets at $v_K\\sqrt{1.25e^2 + i^2}$. A "
        "factor $\\sqrt{\\pi/(1 + 1.25 e^2/i^2)}$ is to be expected: 1.77 for circular orbits, "
        "0.72 for $e = 2i$."
    ),
    reason="As above: the dust on its way out.",
    compute=compare_wyatt,
)
