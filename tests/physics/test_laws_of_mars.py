"""Mars and its light against closed forms: cooling, radiation pressure, blow-out, shielding."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from points import one_at_a_time
from scipy.special import lambertw

from marsdisk.config import RunConfig
from marsdisk.physics import temperature
from marsdisk.physics.constants import C_LIGHT, DAY, M_MARS, R_MARS, SIGMA_SB, G
from marsdisk.physics.grid import Array, grain_mass
from marsdisk.physics.opacity import line_of_sight_factor, surface_density_at_tau
from marsdisk.physics.orbit import orbital_period
from marsdisk.physics.qpr_table import QprTable
from marsdisk.physics.radiation import beta, blowout_size, blowout_time, radiation_pressure
from marsdisk.physics.shielding import analytic, effective_opacity, phi_at, surface_density_at_tau1
from marsdisk.physics.temperature import (
    TemperatureLaw,
    first_time_at_or_below,
    linear,
    slab,
    temperature_and_slope,
)
from marsdisk.run.derived import derive

Shipped = Callable[..., RunConfig]
Inputs = dict[str, float]

LAYERS = one_at_a_time(
    {"T0": 4000.0, "depth": 1e5, "rho": 3000.0, "c_p": 1000.0},
    T0=(1500.0, 2500.0, 3000.0, 6500.0, 5000.0),
    depth=(1e3, 3e4, 2e5),
    rho=(2000.0, 4500.0),
    c_p=(700.0, 1400.0),
)


def heat_capacity(layer: Inputs) -> float:
    """J/(m2 K)."""
    return layer["depth"] * layer["rho"] * layer["c_p"]


def loss(T: float) -> float:
    """W/m2."""
    return SIGMA_SB * T**4


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("layer", LAYERS)
def test_linear_cooling_spends_its_heat_as_fast_as_at_the_start(
    layer: Inputs,
    share: float,
) -> None:
    law = linear(**layer)
    T0 = layer["T0"]
    T = (1.0 - share) * T0
    t = heat_capacity(layer) * (T0 - T) / loss(T0)
    slope = -loss(T0) / heat_capacity(layer)
    assert temperature_and_slope(law, t) == pytest.approx((T, slope), rel=1e-12)
    assert first_time_at_or_below(law, T) == pytest.approx(t, rel=1e-12, abs=0.0)


@pytest.mark.parametrize("T0", [2000.0, 3000.0, 4000.0, 5000.0, 6000.0])
def test_linear_cooling_by_3000_kelvin_takes_the_days_of_hyodo(T0: float) -> None:
    law = linear(T0)
    days = 3000.0 / -temperature_and_slope(law, 0.0)[1] / DAY
    assert days == pytest.approx(717.6 * (T0 / 4000.0) ** -4, rel=1e-4)


@pytest.mark.parametrize("layer", LAYERS)
def test_linear_cooling_ends_at_absolute_zero(layer: Inputs) -> None:
    law = linear(**layer)
    end = heat_capacity(layer) * layer["T0"] / loss(layer["T0"])
    assert temperature_and_slope(law, 1.001 * end) == (0.0, 0.0)
    assert first_time_at_or_below(law, 2.0 * layer["T0"]) == 0.0


@pytest.mark.parametrize("T", [5000.0, 3000.0, 1000.0])
@pytest.mark.parametrize("layer", LAYERS)
def test_a_slab_loses_what_it_radiates(layer: Inputs, T: float) -> None:
    law = slab(**layer)
    t = heat_capacity(layer) * (T**-3 - layer["T0"] ** -3) / (3.0 * SIGMA_SB)
    if layer["T0"] <= T:
        assert first_time_at_or_below(law, T) == 0.0
        return
    slope = -loss(T) / heat_capacity(layer)
    assert temperature_and_slope(law, t) == pytest.approx((T, slope), rel=1e-12)
    assert first_time_at_or_below(law, T) == pytest.approx(t, rel=1e-12)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_slab_cools_at_first_as_the_line_and_at_last_whatever_it_began_with(
    layer: Inputs,
) -> None:
    at_first = [temperature_and_slope(law(**layer), 0.0) for law in (slab, linear)]
    assert at_first[0] == pytest.approx(at_first[1], rel=1e-12)
    late = 1e6 * heat_capacity(layer) * layer["T0"] / loss(layer["T0"])
    T = temperature_and_slope(slab(**layer), late)[0]
    expected = (3.0 * SIGMA_SB * late / heat_capacity(layer)) ** (-1.0 / 3.0)
    assert pytest.approx(expected, rel=1e-6) == T


@pytest.mark.parametrize("T0", [1000.0, 4000.0, 6500.0])
@pytest.mark.parametrize("t", [0.0, 1e3, 1e12])
def test_a_constant_temperature_stays(T0: float, t: float) -> None:
    assert temperature_and_slope(temperature.constant(T0), t) == (T0, 0.0)


@pytest.mark.parametrize("values", [(3000.0, 2000.0), (2000.0, 6000.0), (2500.0, 2500.0)])
@pytest.mark.parametrize("ends", [(0.0, 1e6), (1e5, 3e5), (-1e6, 1e8)])
def test_a_table_of_two_nodes_is_a_line(
    ends: tuple[float, float],
    values: tuple[float, float],
) -> None:
    law = temperature.table(np.array(ends), np.array(values))
    for share in (0.0, 0.25, 0.7, 1.0):
        t = ends[0] + share * (ends[1] - ends[0])
        expected = values[0] + share * (values[1] - values[0])
        assert temperature_and_slope(law, t)[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("T_stop", [2500.0, 1200.0])
@pytest.mark.parametrize("law", ["slab", "linear"])
@pytest.mark.parametrize("layer", LAYERS)
def test_a_run_ends_when_mars_has_cooled_as_its_law_says(
    shipped: Shipped,
    layer: Inputs,
    law: str,
    T_stop: float,
) -> None:
    if T_stop >= layer["T0"]:
        T_stop = 1400.0
    changes = {
        "temperature": {"law": law, **layer},
        "numerics": {"t_end_until_temperature_K": T_stop},
    }
    T0 = layer["T0"]
    spent = {
        "slab": (T_stop**-3 - T0**-3) / (3.0 * SIGMA_SB),
        "linear": (T0 - T_stop) / loss(T0),
    }
    t_end = derive(shipped("melt_simple", changes)).t_end
    assert t_end == pytest.approx(heat_capacity(layer) * spent[law], rel=1e-12)


@pytest.mark.parametrize("law", ["slab", "linear"])
def test_a_file_that_gives_the_depth_alone_means_the_layer_of_the_default(
    shipped: Shipped,
    law: str,
) -> None:
    short = {"law": law, "T0": 3500.0, "depth": 5e4}
    full = {**short, "rho": 3000.0, "c_p": 1000.0}
    laws: list[TemperatureLaw] = []
    for section in (short, full):
        changes = {"temperature": section, "numerics": {"t_end_orbits": 1.0}}
        laws.append(derive(shipped("melt_simple", changes)).law)
    assert (laws[0].T0, laws[0].rate) == (laws[1].T0, laws[1].rate)


LIGHT = one_at_a_time(
    {"T": 4000.0, "rho": 3270.0, "Q": 1.0},
    T=(1000.0, 2000.0, 6500.0, 3000.0),
    rho=(1000.0, 5000.0),
    Q=(0.5, 1.5),
)


@pytest.mark.parametrize("s", [1e-8, 1e-6, 1e-2])
@pytest.mark.parametrize("light", LIGHT)
def test_beta_is_the_ratio_of_two_forces_at_any_distance(light: Inputs, s: float) -> None:
    T = light["T"]
    rho = light["rho"]
    Q = light["Q"]
    luminosity = 4.0 * math.pi * R_MARS**2 * loss(T)
    for r in (R_MARS, 2.7 * R_MARS):
        push = luminosity / (4.0 * math.pi * r**2 * C_LIGHT) * math.pi * s**2 * Q
        pull = G * M_MARS * float(grain_mass(np.array(s), rho)) / r**2
        assert beta(s, rho, T, Q) == pytest.approx(push / pull, rel=1e-12)


@pytest.mark.parametrize("light", LIGHT)
def test_a_grain_of_the_blow_out_size_has_a_beta_of_one_half(light: Inputs) -> None:
    T = light["T"]
    rho = light["rho"]
    Q = light["Q"]
    s_blow, slope, _ = blowout_size(radiation_pressure(rho, Q), T)
    assert beta(s_blow, rho, T, Q) == pytest.approx(0.5, rel=1e-12)
    assert slope == pytest.approx(4.0, rel=1e-12)


def table_of(efficiency: Callable[[Array, Array], Array]) -> QprTable:
    log_s = np.linspace(math.log(1e-8), math.log(1.0), 12)
    T = np.array([500.0, 3000.0, 7000.0])
    return QprTable(log_s, T, efficiency(log_s[None, :], T[:, None]), "closed form")


@pytest.mark.parametrize(
    "inputs",
    one_at_a_time(
        {"T": 4000.0, "rho": 3270.0, "at_1_um": 0.6, "rise": 0.04},
        T=(2600.0, 3000.0, 6000.0),
        rho=(1500.0, 4500.0),
        at_1_um=(0.4, 0.9),
        rise=(0.01, 0.07, -0.03),
    ),
)
def test_the_blow_out_size_is_lamberts_function_where_the_efficiency_goes_with_ln_s(
    inputs: Inputs,
) -> None:
    """The law is s = K (a + b ln(s/s_1)), of which s is the larger root.

    With y = s/(K b), y - ln y = a/b + ln(K b/s_1).
    """
    a = inputs["at_1_um"]
    b = inputs["rise"]
    s_1 = 1e-6
    table = table_of(lambda log_s, T: a + b * (log_s - math.log(s_1)) + 0.0 * T)
    pressure = radiation_pressure(inputs["rho"], table)
    K = pressure.strength * inputs["T"] ** 4
    branch = -1 if b > 0.0 else 0
    y = -lambertw(-math.exp(-a / b) * s_1 / (K * b), branch).real
    s_blow, slope, clamped = blowout_size(pressure, inputs["T"])
    assert s_blow == pytest.approx(K * b * y, rel=1e-11)
    assert slope == pytest.approx(4.0 / (1.0 - b * K / s_blow), rel=1e-9)
    assert not clamped


@pytest.mark.parametrize(
    "inputs",
    one_at_a_time(
        {"T": 4000.0, "rho": 3270.0, "cold": 0.5, "per_K": 1e-4},
        T=(1000.0, 2000.0, 6000.0),
        rho=(1500.0, 4500.0),
        cold=(0.3, 0.8),
        per_K=(2e-5, 1.5e-4),
    ),
)
def test_the_blow_out_size_follows_an_efficiency_that_goes_with_temperature(inputs: Inputs) -> None:
    T = inputs["T"]
    per_K = inputs["per_K"]
    table = table_of(lambda log_s, T: inputs["cold"] + per_K * T + 0.0 * log_s)
    Q = inputs["cold"] + per_K * T
    s_blow, slope, _ = blowout_size(radiation_pressure(inputs["rho"], table), T)
    assert beta(s_blow, inputs["rho"], T, Q) == pytest.approx(0.5, rel=1e-12)
    assert slope == pytest.approx(4.0 + T * per_K / Q, rel=1e-12)


@pytest.mark.parametrize("r", [R_MARS, 1.85 * R_MARS, 2.7 * R_MARS])
@pytest.mark.parametrize(("chi", "limited"), [(0.1, 0.5), (0.5, 0.5), (1.3, 1.3), (9.0, 2.0)])
def test_the_blow_out_time_is_a_part_of_an_orbit(chi: float, limited: float, r: float) -> None:
    period = orbital_period(r)
    expected = limited * period / (2.0 * math.pi)
    assert blowout_time(chi, 2.0 * math.pi / period) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    "inputs",
    one_at_a_time(
        {"w0": 0.3, "g": 0.2, "tau": 0.7},
        w0=(0.0, 0.9, 1.0),
        g=(0.0, 0.6, -0.1),
        tau=(0.1, 3.0, 20.0),
    ),
)
def test_light_is_cut_to_a_part_that_multiplies_from_layer_to_layer(inputs: Inputs) -> None:
    law = analytic(inputs["w0"], inputs["g"])
    tau = inputs["tau"]
    surface = 1.0 - inputs["g"]
    through = math.exp(-tau * (1.0 - inputs["w0"])) * surface
    assert phi_at(law, 0.0) == pytest.approx(min(surface, 1.0), rel=1e-14)
    assert phi_at(law, tau) == pytest.approx(min(through, 1.0), rel=1e-14)


@pytest.mark.parametrize(
    "inputs",
    one_at_a_time(
        {"tau": 1.0, "kappa": 0.2, "path": 1.0, "h_over_r": 0.1, "phi": 0.4},
        tau=(1e-3, 5.0),
        kappa=(1e-3, 30.0),
        path=(0.5, 3.0),
        h_over_r=(0.02, 1.0),
        phi=(0.01, 1.0),
    ),
)
def test_optical_depth_is_opacity_times_surface_density(inputs: dict[str, Any]) -> None:
    f_los = line_of_sight_factor(inputs["path"], inputs["h_over_r"])
    assert f_los == pytest.approx(max(1.0, inputs["path"] / inputs["h_over_r"]), rel=1e-14)
    sigma = surface_density_at_tau(inputs["tau"], inputs["kappa"], f_los)
    assert f_los * inputs["kappa"] * sigma == pytest.approx(inputs["tau"], rel=1e-14)
    shaded = effective_opacity(inputs["kappa"], inputs["phi"])
    assert shaded * surface_density_at_tau1(shaded) == pytest.approx(1.0, rel=1e-14)
    assert shaded / inputs["kappa"] == pytest.approx(inputs["phi"], rel=1e-14)
