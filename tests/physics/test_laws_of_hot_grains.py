"""What heat and gas do to grains against closed forms: sublimation, drag, sharp blow-out, phase."""

import math
from typing import Any

import numpy as np
import pytest
from points import one_at_a_time
from scipy import integrate

from marsdisk.physics.constants import R_GAS, R_MARS, SIGMA_SB
from marsdisk.physics.grid import grain_mass, make_grid
from marsdisk.physics.phase import (
    HYSTERESIS,
    LIQUID,
    SOLID,
    UNKNOWN,
    VAPOUR,
    PhaseLaw,
    phase_of,
    unsolid_fraction,
)
from marsdisk.physics.sinks import blowout_sink_vector, gas_drag_rates, sublimation_sink_rates
from marsdisk.physics.sublimation import (
    grain_heating,
    kink_temperatures,
    saturation_pressure,
    shrinking_speed_and_slope,
    transport_rates,
)
from marsdisk.physics.vapour import VapourSet, tabulated_vapour, vapour_of

Inputs = dict[str, float]

EVAPORATION = one_at_a_time(
    {
        "T": 1900.0,
        "A": 13.8,
        "B": 28000.0,
        "alpha_evap": 0.1,
        "mu": 0.14,
        "rho": 3270.0,
        "P_gas": 0.0,
    },
    T=(1000.0, 1500.0, 2100.0),
    A=(11.0, 15.0),
    B=(18000.0, 25000.0),
    alpha_evap=(0.007, 1.0),
    mu=(0.044, 0.3),
    rho=(1000.0, 5000.0),
    P_gas=(1e-3, 1e-2, 1e3),
)


@pytest.mark.parametrize("melt", [False, True])
@pytest.mark.parametrize("inputs", EVAPORATION)
def test_what_evaporates_is_what_a_gas_in_balance_would_bring_back(
    inputs: Inputs,
    melt: bool,
) -> None:
    """A gas of density rho_v brings rho_v <v>/4 to a wall, and alpha of that sticks."""
    T = inputs["T"]
    A = inputs["A"]
    B = inputs["B"]
    reference = (9.0, 30000.0)
    constants = (A, B, 5000.0, *reference) if not melt else (*reference, 900.0, A, B)
    material = VapourSet(inputs["alpha_evap"], inputs["mu"], *constants)
    vapour = vapour_of(material, inputs["rho"], inputs["P_gas"])
    P, log_slope = saturation_pressure(vapour, T)
    assert pytest.approx(math.exp(math.log(10.0) * (A - B / T)), rel=1e-11) == P
    assert log_slope == pytest.approx(math.log(10.0) * B / T**2, rel=1e-12)
    thermal = math.sqrt(8.0 * R_GAS * T / (math.pi * inputs["mu"]))
    excess = max(P - inputs["P_gas"], 0.0) * inputs["mu"] / (R_GAS * T)
    flux = inputs["alpha_evap"] * excess * thermal / 4.0
    speed = shrinking_speed_and_slope(vapour, T)[0]
    assert speed * inputs["rho"] == pytest.approx(flux, rel=1e-10, abs=0.0)


@pytest.mark.parametrize("P_gas", [1e-6, 1e-2, 2.0])
@pytest.mark.parametrize("B", [20000.0, 28000.0])
@pytest.mark.parametrize("A", [11.0, 13.8])
def test_grains_begin_to_evaporate_where_the_gas_around_them_is_saturated(
    A: float,
    B: float,
    P_gas: float,
) -> None:
    vapour = vapour_of(VapourSet(0.1, 0.14, A, B, 1e4, A, B), 3270.0, P_gas)
    balance = B / (A - math.log10(P_gas))
    assert kink_temperatures(vapour) == pytest.approx([1e4, balance], rel=1e-13)
    assert shrinking_speed_and_slope(vapour, balance * (1.0 - 1e-9)) == (0.0, 0.0)
    assert shrinking_speed_and_slope(vapour, balance * (1.0 + 1e-9))[0] > 0.0


@pytest.mark.parametrize("T", [900.0, 1500.0, 1777.0, 2000.0, 2600.0])
@pytest.mark.parametrize(("A", "B"), [(13.8, 28000.0), (11.0, 22000.0), (13.6, 17850.0)])
def test_a_table_of_vapour_pressures_holds_the_law_of_clausius_and_clapeyron_anywhere(
    A: float,
    B: float,
    T: float,
) -> None:
    nodes = np.array([1800.0, 1200.0, 2000.0, 1500.0])
    vapour = tabulated_vapour(nodes, 10.0 ** (A - B / nodes), 0.1, 0.14, 3270.0)
    expected = (10.0 ** (A - B / T), math.log(10.0) * B / T**2)
    assert saturation_pressure(vapour, T) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("T_M", [1500.0, 4000.0, 6000.0])
@pytest.mark.parametrize("Q_abs", [0.1, 0.4, 1.0, 2.0])
@pytest.mark.parametrize("r", [R_MARS, 1.85 * R_MARS, 2.7 * R_MARS])
def test_a_grain_gives_off_what_it_takes_from_mars(r: float, Q_abs: float, T_M: float) -> None:
    """Light through pi s^2, dilute as (R/r)^2, against the surface 4 pi s^2."""
    T = T_M * grain_heating(r, Q_abs)
    absorbed = Q_abs * SIGMA_SB * T_M**4 * (R_MARS / r) ** 2
    assert pytest.approx(absorbed, rel=1e-12) == 4.0 * SIGMA_SB * T**4


@pytest.mark.parametrize("ratio", [1.01, 1.5, 10.0])
@pytest.mark.parametrize("s", [1e-7, 1e-3, 1.0])
def test_a_bin_of_shrinking_grains_loses_the_mean_of_three_over_s(s: float, ratio: float) -> None:
    """The mass that stays and what goes to the bin below add up to that of smaller spheres."""
    evaporated, carried = transport_rates(np.array([s, s * ratio, s * ratio**2]))
    width = math.log(ratio)
    for k in range(2):
        low = s * ratio**k
        mean = integrate.quad(lambda x: 3.0 * math.exp(-x), 0.0, width, epsrel=1e-12)[0] / width
        assert evaporated[k] == pytest.approx(mean / low, rel=1e-10)
        assert carried[k] == pytest.approx(1.0 / (low * width), rel=1e-12)


@pytest.mark.parametrize("ds_dt", [-1e-12, -3e-9, -1e-5])
@pytest.mark.parametrize("s", [1e-8, 1e-4, 2.0])
def test_whole_grains_go_in_the_time_in_which_one_would_shrink_away(
    s: float,
    ds_dt: float,
) -> None:
    (rate,) = sublimation_sink_rates(np.array([s]), ds_dt)
    assert s + ds_dt / rate == pytest.approx(0.0, abs=1e-14 * s)


@pytest.mark.parametrize(
    "inputs",
    one_at_a_time(
        {"s": 1e-4, "rho": 3270.0, "rho_g": 1e-9, "c_s": 500.0},
        s=(1e-7, 1.0),
        rho=(1000.0, 5000.0),
        rho_g=(1e-12, 1e-3),
        c_s=(100.0, 2000.0),
    ),
)
def test_a_grain_stops_when_the_gas_it_has_met_weighs_as_much(inputs: Inputs) -> None:
    """Epstein drag: pi s^2 rho_g c_s t of gas, times 4/3, is the mass of the grain."""
    s = np.array([inputs["s"]])
    rho = inputs["rho"]
    (rate,) = gas_drag_rates(s, rho, inputs["rho_g"], inputs["c_s"])
    met = 4.0 / 3.0 * math.pi * inputs["s"] ** 2 * inputs["rho_g"] * inputs["c_s"] / rate
    assert met == pytest.approx(float(grain_mass(s, rho)[0]), rel=1e-12)


@pytest.mark.parametrize("t_blow", [1.0, 800.0, 1e5])
@pytest.mark.parametrize("s_blow", [1e-9, 3e-6, 2e-4, 1.0])
@pytest.mark.parametrize("s_lo", [1e-7, 1e-5])
def test_the_sharp_rule_empties_what_begins_below_the_blow_out_size(
    s_lo: float,
    s_blow: float,
    t_blow: float,
) -> None:
    x = make_grid(s_lo, 1e-2, 9).edges[:-1]
    expected = [1.0 / t_blow if size <= s_blow else 0.0 for size in x]
    assert blowout_sink_vector(x, s_blow, t_blow).tolist() == expected


PHASES = one_at_a_time(
    {"T_condense": 1700.0, "T_vaporize": 2000.0, "pressure": 0.01, "tau_ref": 1.0, "tau": 0.02},
    T_condense=(1000.0, 1900.0),
    T_vaporize=(1800.0, 3000.0),
    pressure=(0.0, 0.03),
    tau_ref=(0.7, 1e3),
    tau=(0.0, 0.01),
)


def law_of(inputs: dict[str, Any]) -> tuple[PhaseLaw, float]:
    """Return the law of grains as hot as Mars, and how pressure and optical depth damp it."""
    names = ("T_condense", "T_vaporize", "pressure", "tau_ref")
    damping = (1.0 + inputs["pressure"]) * (1.0 + inputs["tau"] / inputs["tau_ref"])
    return PhaseLaw(1.0, *(inputs[name] for name in names)), damping


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("inputs", PHASES)
def test_what_is_not_solid_rises_in_a_line_that_is_damped(inputs: Inputs, share: float) -> None:
    law, damping = law_of(inputs)
    T = law.T_condense + share * (law.T_vaporize - law.T_condense)
    fraction = unsolid_fraction(law, T, inputs["tau"])
    assert fraction * damping == pytest.approx(share, rel=1e-10)
    assert unsolid_fraction(law, law.T_condense, inputs["tau"]) == 0.0
    assert unsolid_fraction(law, law.T_vaporize, inputs["tau"]) == 1.0


@pytest.mark.parametrize("inputs", PHASES)
def test_the_phase_changes_at_its_bounds_and_later_on_the_way_up(inputs: Inputs) -> None:
    law, damping = law_of(inputs)

    def phase_at(fraction: float, before: int) -> int:
        T = law.T_condense + fraction * damping * (law.T_vaporize - law.T_condense)
        return phase_of(law, T, inputs["tau"], before)

    for bound, below, above in ((0.5, SOLID, VAPOUR), (0.95, VAPOUR, LIQUID)):
        for before in (UNKNOWN, LIQUID):
            phases = [phase_at(bound + step, before) for step in (-1e-9, 1e-9)]
            assert phases == [below, above]
    late = 0.5 + HYSTERESIS
    assert [phase_at(late + step, SOLID) for step in (-1e-9, 1e-9)] == [SOLID, VAPOUR]
    assert [phase_at(fraction, VAPOUR) for fraction in (0.499, 0.501)] == [SOLID, VAPOUR]
