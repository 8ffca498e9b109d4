"""The compiled right-hand side and Jacobian against the written equations in 60-digit arithmetic.

The rate is gross gain minus gross loss.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from mpmath import mp, mpf
from setups import RHO, SCALE_HEIGHT, Ring, busiest_of, jacobian_of, make_ring, rate_of

from marsdisk.physics.fragments import mass_exponent
from marsdisk.physics.grid import Array
from marsdisk.physics.qstar import QStarLaw

BINS = 8
GRIDS = {"dust to boulders": (1e-7, 3.0), "twelve decades": (1e-9, 1e3), "one decade": (1e-3, 1e-2)}
SPEEDS = (131.0, 1507.0, 4485.0, 12000.0)  # below, inside and above the table of Q_D*


class Entries(NamedTuple):
    """Values of dc/dt and its derivatives in 60 digits.

    For each, the sum of the absolute contributions to it.
    """

    rate: list[mpf]
    rate_moved: list[mpf]
    slope: list[list[mpf]]
    slope_moved: list[list[mpf]]


def q_d_star(s: mpf, v_kms: mpf, law: QStarLaw) -> mpf:
    """Return the strength and gravity terms, each linear in speed between two reference speeds.

    Beyond them only gravity follows v.
    """

    def terms(row: tuple[float, ...]) -> tuple[mpf, mpf]:
        _, Q_s, a, B, b = (mpf(x) for x in row)
        return (
            mpf("1e-4") * Q_s * (100 * s) ** -a,
            mpf("1e-4") * B * (mpf(RHO) / 1000) * (100 * s) ** b,
        )

    rows = law.coefficients
    for low, high in pairwise(rows):
        if low[0] <= v_kms <= high[0]:
            x = (v_kms - low[0]) / (mpf(high[0]) - low[0])
            return sum(
                (1 - x) * first + x * last
                for first, last in zip(terms(low), terms(high), strict=True)
            )
    end = rows[0] if v_kms < rows[0][0] else rows[-1]
    strength, gravity = terms(end)
    return strength + gravity * (v_kms / end[0]) ** (2 - 3 * mpf(law.mu))


def remnant_share(m_i: mpf, m_j: mpf, v: mpf, q_star: mpf) -> mpf:
    phi = m_i * m_j * v**2 / (2 * (m_i + m_j) ** 2) / q_star
    return 1 - phi / 2 if phi < mpf("1.8") else mpf("0.1") * (phi / mpf("1.8")) ** mpf("-1.5")


def high_precision(array: Array) -> list[mpf]:
    return [mpf(float(x)) for x in array]


def triple_loop(c: Array, ring: Ring, v_rel: float, exponent: float) -> Entries:
    n = c.size
    v = mpf(v_rel)
    p = 1 - mpf(exponent)
    s = high_precision(ring.sizes)
    e = high_precision(ring.edges)
    m = high_precision(ring.masses)
    dust = high_precision(c)
    integral = [
        (e[k + 1] ** p - e[k] ** p) / p if p != 0 else mp.log(e[k + 1] / e[k]) for k in range(n)
    ]
    rate = [mpf(0)] * n
    rate_moved = [mpf(0)] * n
    slope = [[mpf(0)] * n for _ in range(n)]
    slope_moved = [[mpf(0)] * n for _ in range(n)]
    for i in range(n):
        for j in range(i, n):
            kernel = (
                mp.pi
                * (s[i] + s[j]) ** 2
                * v
                / (mp.sqrt(2 * mp.pi) * mp.sqrt(2) * SCALE_HEIGHT)
                / (2 if i == j else 1)
            )
            # events over c_i c_j
            events = kernel / (m[i] * m[j])
            total = m[i] + m[j]
            F = remnant_share(m[i], m[j], v, q_d_star(s[j], v / 1000, QStarLaw()))
            size = mp.cbrt(3 * F * total / (4 * mp.pi * mpf(RHO)))
            K = max([k for k in range(n) if e[k] <= size], default=0)
            for k in range(n):
                fragments = (
                    (1 - F) * total * integral[k] / sum(integral[: K + 1]) if k <= K else mpf(0)
                )
                gain = fragments + (F * total if k == K else 0)
                loss = (m[i] if k == i else 0) + (m[j] if k == j else 0)
                # a target that stays in its bin is neither lost nor gained
                kept = m[j] if k == j == K else 0
                remnant = abs(F * total - kept) if k == K else mpf(0)
                moved = fragments + remnant + loss - kept
                rate[k] += events * (gain - loss) * dust[i] * dust[j]
                rate_moved[k] += events * moved * dust[i] * dust[j]
                for column, partner in ((i, j), (j, i)):
                    slope[k][column] += events * (gain - loss) * dust[partner]
                    slope_moved[k][column] += events * moved * dust[partner]
    return Entries(rate, rate_moved, slope, slope_moved)


def states(ring: Ring) -> dict[str, Array]:
    generator = np.random.default_rng(ring.sizes.size)
    return {
        "three slopes": ring.c0,
        "uneven": 10.0 ** generator.uniform(-12.0, 0.0, ring.sizes.size),
    }


@pytest.mark.parametrize("law", ["mass", "number"])
@pytest.mark.parametrize("v_rel", SPEEDS)
@pytest.mark.parametrize("grid", GRIDS)
def test_rate_and_jacobian_equal_sixty_digit_arithmetic(grid: str, v_rel: float, law: str) -> None:
    """Errors are within 1e-13 of what is moved into and out of each bin.

    The busiest bin also takes the round-off of the whole sum.
    """
    s_lo, s_hi = GRIDS[grid]
    exponent = 3.5 if law == "mass" else 0.5
    assert mass_exponent(3.5, law) == exponent
    ring = make_ring(BINS, s_lo=s_lo, s_hi=s_hi, v_rel=v_rel, alpha=exponent)
    for name, c in states(ring).items():
        with mp.workdps(60):
            exact = triple_loop(c, ring, v_rel, exponent)
            assert abs(sum(exact.rate)) <= mpf("1e-30") * sum(exact.rate_moved)
            slope = jacobian_of(c, ring)
            busiest = busiest_of(c, ring)
            rate = rate_of(c, ring, busiest)
            for k in range(BINS):
                allowed = mpf("1e-13") * exact.rate_moved[k] + (
                    mpf("1e-15") * sum(exact.rate_moved) if k == busiest else 0
                )
                assert abs(float(rate[k]) - exact.rate[k]) <= allowed, (name, k)
                for column in range(BINS):
                    allowed = mpf("1e-13") * exact.slope_moved[k][column]
                    assert abs(float(slope[k, column]) - exact.slope[k][column]) <= allowed, (
                        name,
                        k,
                        column,
                    )
