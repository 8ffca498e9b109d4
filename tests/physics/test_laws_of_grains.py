"""Orbits and sizes of grains against closed forms: motion, opacity, starts."""

import math

import numpy as np
import pytest
from points import one_at_a_time
from scipy import integrate
from scipy.special import erf

from marsdisk.physics import dynamics, orbit, psd
from marsdisk.physics.constants import M_MARS, R_MARS, G
from marsdisk.physics.grid import Array, grain_mass, make_grid
from marsdisk.physics.opacity import geometric_opacity, surface_density_of_mass, tau_per_mass

Inputs = dict[str, float]


@pytest.mark.parametrize("r", [0.5 * R_MARS, R_MARS, 2.7 * R_MARS, 1e9])
def test_an_orbit_is_kept_by_gravity(r: float) -> None:
    v = orbit.keplerian_velocity(r)
    omega = orbit.angular_velocity(r)
    assert v**2 / r == pytest.approx(G * M_MARS / r**2, rel=1e-14)
    assert omega * r == pytest.approx(v, rel=1e-14)
    assert orbit.orbital_period(r) * v == pytest.approx(2.0 * math.pi * r, rel=1e-14)


@pytest.mark.parametrize("r_in", [1.0, 1.5, 2.2])
@pytest.mark.parametrize("width", [0.01, 0.2, 1.7])
def test_an_annulus_is_as_long_as_its_middle_and_as_wide_as_it_is(
    r_in: float,
    width: float,
) -> None:
    middle = orbit.reference_radius(r_in, r_in + width)
    assert middle == pytest.approx((r_in + 0.5 * width) * R_MARS, rel=1e-14)
    expected = 2.0 * math.pi * middle * width * R_MARS
    assert orbit.annulus_area(r_in, r_in + width) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("r", [1.2 * R_MARS, 1.85 * R_MARS, 2.7 * R_MARS])
@pytest.mark.parametrize("e", [0.0, 0.1, 0.5, 0.9])
def test_the_speed_at_pericentre_follows_from_the_energy_of_the_orbit(e: float, r: float) -> None:
    speed = math.sqrt(G * M_MARS * (2.0 / (r * (1.0 - e)) - 1.0 / r))
    assert dynamics.pericenter_speed(orbit.keplerian_velocity(r), e) == pytest.approx(speed)
    grazing = dynamics.mars_pericenter_eccentricity(r)
    assert r * (1.0 - grazing) == pytest.approx(R_MARS, rel=1e-14)


@pytest.mark.parametrize(
    "inputs",
    one_at_a_time(
        {"v_K": 2600.0, "e": 0.3, "i": 0.05},
        v_K=(2000.0, 3500.0),
        e=(0.0, 0.05, 0.8),
        i=(0.0, 0.3, 0.01),
    ),
)
def test_the_dispersion_is_the_root_of_the_sum_of_two_squares(inputs: Inputs) -> None:
    v = dynamics.dispersion_speed(inputs["v_K"], inputs["e"], inputs["i"])
    squares = 1.25 * inputs["e"] ** 2 + inputs["i"] ** 2
    assert (v / inputs["v_K"]) ** 2 == pytest.approx(squares, rel=1e-13)


@pytest.mark.parametrize(
    "inputs",
    one_at_a_time(
        {"r": 6e6, "i": 0.05, "H_factor": 1.0},
        r=(3.4e6, 9e6),
        i=(1e-6, 0.3),
        H_factor=(0.5, 2.0),
    ),
)
def test_the_height_is_that_of_the_inclined_orbit(inputs: Inputs) -> None:
    expected = inputs["r"] * inputs["i"] * inputs["H_factor"]
    assert dynamics.scale_height(**inputs) == pytest.approx(expected, rel=1e-14)
    assert dynamics.scale_height(inputs["r"], 0.0, inputs["H_factor"]) == 1e-12


@pytest.mark.parametrize(
    "inputs",
    one_at_a_time(
        {"start": 0.5, "equilibrium": 0.1},
        start=(0.05, 0.9),
        equilibrium=(0.0, 0.3),
    ),
)
def test_an_element_relaxes_in_steps_as_in_one(inputs: Inputs) -> None:
    start = inputs["start"]
    end = inputs["equilibrium"]
    assert dynamics.relaxed(start, end, 1.0) == pytest.approx(start, rel=1e-15)
    assert dynamics.relaxed(start, end, 0.0) == end
    half = dynamics.relaxed(start, end, math.exp(-0.5))
    again = dynamics.relaxed(half, end, math.exp(-0.5))
    assert again == pytest.approx(dynamics.relaxed(start, end, math.exp(-1.0)), rel=1e-14)


@pytest.mark.parametrize("rho", [1000.0, 3270.0, 5000.0])
@pytest.mark.parametrize("s", [1e-7, 1e-4, 0.5])
def test_grains_of_one_size_have_an_opacity_of_three_quarters_over_rho_s(
    s: float,
    rho: float,
) -> None:
    grid = make_grid(1e-9, 1e2, 37)
    masses = grain_mass(grid.sizes, rho)
    shares = psd.mono(grid, s)
    size = grid.sizes[np.argmax(shares)]
    assert abs(math.log(size / s)) < 0.5 * math.log(grid.edges[1] / grid.edges[0]) * 1.0001
    kappa = float(tau_per_mass(geometric_opacity(grid.sizes, masses, 1.0), 0.0) @ shares)
    assert kappa == pytest.approx(0.75 / (rho * size), rel=1e-12)


@pytest.mark.parametrize(
    "inputs",
    one_at_a_time(
        {"alpha": 3.5, "s_min": 1e-5, "s_max": 1.0, "rho": 3270.0},
        alpha=(2.5, 3.2, 3.8),
        s_min=(1e-6, 1e-4),
        s_max=(0.01, 10.0),
        rho=(1500.0, 4500.0),
    ),
)
def test_the_opacity_of_a_power_law_is_that_of_its_integrals(inputs: Inputs) -> None:
    grid = make_grid(inputs["s_min"], inputs["s_max"], 2000)
    alpha = inputs["alpha"]
    masses = grain_mass(grid.sizes, inputs["rho"])
    shares = psd.melt_truncated_powerlaw(grid, alpha, inputs["s_min"], inputs["s_max"], 0.0)

    def integral(moment: float) -> float:
        p = moment + 1.0 - alpha
        return (inputs["s_max"] ** p - inputs["s_min"] ** p) / p

    expected = 0.75 / inputs["rho"] * integral(2.0) / integral(3.0)
    kappa = float(tau_per_mass(geometric_opacity(grid.sizes, masses, 1.0), 0.0) @ shares)
    assert kappa == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    "inputs",
    one_at_a_time(
        {"mass": 3e19, "r_in": 4e6, "r_out": 9e6, "p": 1.0},
        mass=(1e17, 1e20),
        r_in=(3.4e6, 8e6),
        r_out=(5e6, 2e7),
        p=(0.0, 2.0, -1.5, 3.5),
    ),
)
def test_the_surface_density_of_a_mass_sums_up_to_it(inputs: Inputs) -> None:
    def ring(r: float) -> float:
        sigma = surface_density_of_mass(r=r, **inputs)
        return 2.0 * math.pi * r * sigma

    mass = integrate.quad(ring, inputs["r_in"], inputs["r_out"], epsrel=1e-12)[0]
    assert mass == pytest.approx(inputs["mass"], rel=1e-10)


@pytest.mark.parametrize(
    "inputs",
    one_at_a_time(
        {"f_fine": 0.3, "s_fine": 1e-4, "s_meter": 1.5, "width_dex": 0.3, "s_cut": 1e-7},
        f_fine=(0.0, 1.0, 0.7),
        s_fine=(1e-5, 1e-3),
        s_meter=(0.1, 10.0),
        width_dex=(0.1, 0.5),
        s_cut=(5e-5, 2e-4),
    ),
)
def test_the_melt_mixture_is_two_error_functions(inputs: Inputs) -> None:
    """Each is lognormal in dM/ds and cut off below; its share up to s is one of dM/d ln s, too."""
    grid = make_grid(1e-7, 1e3, 4000)
    cumulative = np.cumsum(psd.melt_lognormal_mixture(grid, **inputs))[::400]
    upper = grid.edges[1:][::400]
    width = inputs["width_dex"] * math.log(10.0)

    def below(s: Array | float, centre: float) -> Array:
        return erf((np.log(s / centre) / width - width) / math.sqrt(2.0))

    def share(centre: float) -> Array:
        low = below(inputs["s_cut"], centre)
        high = below(1e3, centre)
        return np.clip((below(upper, centre) - low) / (high - low), 0.0, None)

    f = inputs["f_fine"]
    expected = f * share(inputs["s_fine"]) + (1.0 - f) * share(inputs["s_meter"])
    assert cumulative == pytest.approx(expected, abs=3e-3)


@pytest.mark.parametrize("alpha", [1.83, 3.0, 3.5, 4.2])
@pytest.mark.parametrize("wave", [0.0, 0.2, 0.5])
@pytest.mark.parametrize("ends", [(1e-6, 3.0), (1e-8, 10.0)])
def test_three_slopes_and_a_wave_are_what_they_are_called(
    ends: tuple[float, float],
    wave: float,
    alpha: float,
) -> None:
    grid = make_grid(*ends, 400)
    s = grid.sizes
    s_lo, s_hi = ends
    density = psd.three_slope(grid, alpha, wave) / (s**3 * grid.widths)
    phase = 2.0 * math.pi * np.log(s / s_lo) / math.log(s_hi / s_lo)
    smooth = density / (1.0 + wave * np.sin(phase))
    regions = {
        alpha: s < 10.0 * s_lo,
        alpha + 1.0: (s >= 10.0 * s_lo) & (s < 0.1 * s_hi),
        alpha + 1.5: s >= 0.1 * s_hi,
    }
    for slope, inside in regions.items():
        constant = smooth[inside] * (s[inside] / s_lo) ** slope
        assert constant == pytest.approx(np.full(constant.size, constant[0]), rel=1e-9)
