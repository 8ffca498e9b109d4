"""Collisions against closed forms: rates, strength, remnants, fragments, energy."""

import math

import numpy as np
import pytest
from points import one_at_a_time
from scipy import integrate

from marsdisk.physics.collide import compute_collision_kernel_C1, pair_areas, rate_coefficient
from marsdisk.physics.collisions_smol import _fragment_tensor
from marsdisk.physics.energy import energy_rates, energy_terms, relative_energy, retained_fraction
from marsdisk.physics.fragments import (
    fragment_weights,
    mass_exponent,
    reduced_specific_energy,
    remnant_bins,
    unbound_fraction,
)
from marsdisk.physics.grid import bin_of, grain_mass, make_grid
from marsdisk.physics.qstar import QStarLaw, compute_q_d_star_array

Inputs = dict[str, float]


@pytest.mark.parametrize(
    "inputs",
    one_at_a_time(
        {"s_1": 1e-5, "s_2": 1e-2, "H_1": 1e5, "H_2": 3e5, "v": 300.0},
        s_1=(1e-7, 0.3),
        s_2=(1e-5, 2.0),
        H_1=(1e3, 1e6),
        H_2=(1e4, 2e5),
        v=(1.0, 5000.0),
    ),
)
def test_grains_meet_as_often_as_their_vertical_profiles_overlap(inputs: Inputs) -> None:
    """The rate in a column is the cross-section times v, summed over n_1 n_2 at every height."""
    s, H = (np.array([inputs[f"{name}_1"], inputs[f"{name}_2"]]) for name in "sH")

    def overlap(i: int, j: int) -> float:
        norm = 2.0 * math.pi * H[i] * H[j]

        def product(z: float) -> float:
            return math.exp(-0.5 * (z / H[i]) ** 2 - 0.5 * (z / H[j]) ** 2) / norm

        reach = 12.0 * float(min(H[i], H[j]))
        return float(integrate.quad(product, -reach, reach, epsrel=1e-11)[0])

    K = rate_coefficient(pair_areas(s), H, inputs["v"])
    N = np.array([3e3, 7e5])
    events = compute_collision_kernel_C1(N, s, H, inputs["v"])
    for i in range(2):
        for j in range(2):
            expected = math.pi * (s[i] + s[j]) ** 2 * inputs["v"] * overlap(i, j)
            assert K[i, j] == pytest.approx(expected, rel=1e-9)
            pairs = N[i] * N[j] * (0.5 if i == j else 1.0)
            assert events[i, j] == pytest.approx(pairs * expected, rel=1e-9)


STRENGTH = one_at_a_time(
    {"Q_s": 500.0, "a": 0.38, "B": 1e-3, "b": 1.36, "rho": 3270.0, "mu": 0.45},
    Q_s=(10.0, 1e5),
    a=(0.2, 0.6),
    B=(1e-5, 0.1),
    b=(1.1, 1.7),
    rho=(1000.0, 5000.0),
    mu=(0.36, 0.6),
)


@pytest.mark.parametrize("v", [0.5, 3.0, 10.0])
@pytest.mark.parametrize("inputs", STRENGTH)
def test_the_weakest_body_is_where_both_slopes_balance(inputs: Inputs, v: float) -> None:
    """The condition d Q/d ln s = 0: a Q_s s^-a = b W s^b.

    Beyond the table, W = B rho (v/v_ref)^(2 - 3 mu).
    """
    mu = inputs["mu"]
    v_ref = 3.0
    row = (v_ref, *(inputs[name] for name in ("Q_s", "a", "B", "b")))
    law = QStarLaw((row,), "si", mu)
    W = inputs["B"] * inputs["rho"] * (v / v_ref) ** (2.0 - 3.0 * mu)
    a = inputs["a"]
    b = inputs["b"]
    weakest = (a * inputs["Q_s"] / (b * W)) ** (1.0 / (a + b))
    sizes = weakest * np.array([1e-12, 0.99, 1.0, 1.01, 1e9])
    small, below, lowest, above, large = compute_q_d_star_array(sizes, inputs["rho"], v, law)
    assert lowest == pytest.approx(inputs["Q_s"] * weakest**-a * (1.0 + a / b), rel=1e-12)
    assert min(below, above) > lowest
    assert small == pytest.approx(inputs["Q_s"] * sizes[0] ** -a, rel=1e-6)
    assert large == pytest.approx(W * sizes[-1] ** b, rel=1e-6)


@pytest.mark.parametrize("factor", [1e-3, 0.5, 20.0])
@pytest.mark.parametrize("s", [1e-6, 1.0, 1e3])
def test_a_scaled_law_is_the_law_times_the_factor(s: float, factor: float) -> None:
    law = QStarLaw()
    once = compute_q_d_star_array(s, 3270.0, 3.7, law)
    scaled = compute_q_d_star_array(s, 3270.0, 3.7, law.scaled(factor))
    assert scaled == pytest.approx(factor * once, rel=1e-13)


@pytest.mark.parametrize(
    "inputs",
    one_at_a_time(
        {"m_1": 1e-3, "m_2": 2.0, "v": 1500.0},
        m_1=(1e-15, 5.0),
        m_2=(1e-9, 40.0),
        v=(1.0, 6000.0),
    ),
)
def test_the_energy_of_a_collision_is_that_about_the_centre_of_mass(inputs: Inputs) -> None:
    m = np.array([inputs["m_1"], inputs["m_2"]])
    v = inputs["v"]
    speeds = v * np.array([m[1], -m[0]]) / m.sum()
    energy = float(np.sum(0.5 * m * speeds**2))
    specific = reduced_specific_energy(m[0], m[1], v)
    assert float(specific) == pytest.approx(energy / m.sum(), rel=1e-12)
    assert relative_energy(m, v)[0, 1] == pytest.approx(energy, rel=1e-12)


@pytest.mark.parametrize("phi", [0.0, 1e-18, 1e-3, 1.0, 1.7])
def test_below_super_catastrophic_energy_half_of_it_is_lost(phi: float) -> None:
    assert float(unbound_fraction(np.array(phi))) == pytest.approx(0.5 * phi, rel=1e-15)


@pytest.mark.parametrize("phi", [1.8, 7.2, 180.0, 1.8e6])
def test_above_it_the_largest_remnant_falls_with_the_power_of_three_halves(phi: float) -> None:
    expected = 0.1 * (1.8 / phi) ** 1.5
    assert 1.0 - float(unbound_fraction(np.array(phi))) == pytest.approx(expected, abs=2e-16)


@pytest.mark.parametrize("rho", [1000.0, 5000.0])
@pytest.mark.parametrize("unbound", [0.0, 0.5, 0.999])
@pytest.mark.parametrize("s", [3e-6, 1e-3, 0.2])
def test_the_largest_remnant_is_in_the_bin_of_a_sphere_of_its_mass(
    s: float,
    unbound: float,
    rho: float,
) -> None:
    edges = make_grid(1e-7, 1.0, 53).edges
    m_tot = 2.0 * grain_mass(np.array([s]), rho)
    bins = remnant_bins(edges, m_tot, np.array([unbound]), rho)
    assert bins[0] == bin_of(edges, s * (2.0 * (1.0 - unbound)) ** (1.0 / 3.0))


@pytest.mark.parametrize("ends", [(1e-7, 1.0), (1e-4, 1e-3)])
@pytest.mark.parametrize("alpha", [-2.0, 0.5, 1.0 - 1e-9, 1.0, 1.0 + 1e-13, 3.5, 6.0])
def test_fragments_up_to_a_size_hold_the_integral_of_their_law(
    alpha: float,
    ends: tuple[float, float],
) -> None:
    edges = make_grid(*ends, 23).edges
    weights = fragment_weights(edges, alpha)

    def mass(low: float, high: float) -> float:
        """Integrate dM/ds = s^-alpha over ln s."""
        length = math.log(high / low)
        inside = integrate.quad(lambda y: math.exp((1.0 - alpha) * -y), 0.0, length, epsrel=1e-12)
        return float(inside[0]) * high ** (1.0 - alpha)

    for K in (0, 7, 22):
        whole = mass(edges[0], edges[K + 1])
        for k in (0, 3, 7, 15):
            if k <= K:
                expected = mass(edges[k], edges[k + 1]) / whole
                assert weights[K, k] == pytest.approx(expected, rel=1e-8)
        assert np.all(weights[K, K + 1 :] == 0.0)


@pytest.mark.parametrize(("alpha", "of_all"), [(-60.0, -1), (60.0, 0)])
@pytest.mark.parametrize("n", [5, 40])
def test_a_steep_law_puts_all_fragments_at_one_end(n: int, alpha: float, of_all: int) -> None:
    weights = fragment_weights(make_grid(1e-3, 1.0, n).edges, alpha)
    ends = [row[: K + 1][of_all] for K, row in enumerate(weights)]
    assert ends == pytest.approx(np.ones(n), abs=1e-3)


@pytest.mark.parametrize("alpha", [2.5, 3.5, 4.0])
def test_a_number_law_weighs_its_fragments_with_s_cubed(alpha: float) -> None:
    assert mass_exponent(alpha, "number") == alpha - 3.0
    assert mass_exponent(alpha, "mass") == alpha


@pytest.mark.parametrize("unbound", [0.0, 0.499, 0.501, 1.0])
@pytest.mark.parametrize("shares", [(0.1, 0.25), (0.0, 1.0), (0.7, 0.3)])
def test_energy_is_kept_by_cratering_or_fragmentation(
    shares: tuple[float, float],
    unbound: float,
) -> None:
    retained = float(retained_fraction(np.array(unbound), *shares))
    assert retained == shares[unbound > 0.5]


@pytest.mark.parametrize(
    "inputs",
    one_at_a_time(
        {"N": 1e3, "s": 0.01, "v": 200.0, "H": 1e5, "f_cratering": 0.1, "f_fragmentation": 0.25},
        N=(1.0, 1e7),
        s=(1e-4, 1.0),
        v=(50.0, 3000.0),
        H=(1e3, 1e6),
        f_cratering=(0.0, 0.4),
        f_fragmentation=(0.6, 0.05),
    ),
)
def test_equal_grains_bring_a_quarter_of_m_v2_into_each_collision(inputs: Inputs) -> None:
    rho = 3270.0
    v = inputs["v"]
    grid = make_grid(0.9 * inputs["s"], inputs["s"] / 0.9, 1)
    m = grain_mass(grid.sizes, rho)
    K = rate_coefficient(pair_areas(grid.sizes), inputs["H"], v)
    tensor = _fragment_tensor(grid.sizes, m, grid.edges, v, rho, law=QStarLaw())
    shares = (inputs["f_cratering"], inputs["f_fragmentation"])
    terms = energy_terms(K, tensor, m, v, *shares)
    relative, retained = energy_rates(inputs["N"] * m, terms)
    expected = 0.5 * float(K[0, 0]) * inputs["N"] ** 2 * 0.25 * float(m[0]) * v**2
    assert relative == pytest.approx(expected, rel=1e-12)
    kept = shares[bool(tensor.unbound[0, 0] > 0.5)]
    assert retained == pytest.approx(kept * expected, rel=1e-12)
