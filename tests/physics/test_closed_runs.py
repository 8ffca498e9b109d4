"""Whole runs of one process against closed forms, each at several values of every input."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from points import one_at_a_time

from marsdisk.config import RunConfig
from marsdisk.physics.constants import M_MARS, R_GAS, SIGMA_SB, YEAR
from marsdisk.physics.radiation import radiation_pressure
from marsdisk.physics.sublimation import grain_heating
from marsdisk.physics.vapour import SETS
from marsdisk.result import RunResult
from marsdisk.run.derived import derive
from marsdisk.zero_d import run_zero_d

Shipped = Callable[..., RunConfig]
Inputs = dict[str, float]

NO_SUPPLY: dict[str, Any] = {"supply": {"mode": "none"}}
NO_BLOWOUT: dict[str, Any] = {"blowout": {"enabled": False}}
ALONE: dict[str, Any] = {
    "collisions.enabled": False,
    "optical_depth": {"tau0_target": 1.0},
    "initial": {"s0_mode": "upper"},
    "psd.alpha": 3.5,
    "sizes.n_bins": 16,
}
EXACT: dict[str, Any] = {"rtol": 1e-9, "atol": 1e-15}


def constant(T0: float) -> dict[str, Any]:
    return {"temperature": {"law": "constant", "T0": T0}}


def in_mars_masses(config: RunConfig, sigma: float) -> float:
    """Convert ``sigma`` [kg/m2] over the annulus to M_Mars."""
    return sigma * derive(config).area / M_MARS


def left(result: RunResult) -> Any:
    """Return the share of each bin's grains that is left at the end."""
    return result.N[-1] / result.N[0]


@pytest.mark.parametrize("edge", ["continuous", "sharp"])
@pytest.mark.parametrize(
    "inputs",
    one_at_a_time(
        {"T0": 4000.0, "Q_pr": 1.0, "rho": 3270.0, "chi": 1.0, "r": 1.85, "orbits": 0.3},
        T0=(2500.0, 3300.0, 6000.0),
        Q_pr=(0.6, 1.4),
        rho=(1500.0, 4500.0),
        chi=(0.5, 2.0),
        r=(1.1, 2.6),
        orbits=(0.05, 1.0),
    ),
)
def test_unbound_grains_leave_in_the_blow_out_time(
    shipped: Shipped,
    inputs: Inputs,
    edge: str,
) -> None:
    changes = {
        **ALONE,
        **NO_SUPPLY,
        **constant(inputs["T0"]),
        "radiation.Q_pr": inputs["Q_pr"],
        "material.rho": inputs["rho"],
        "disk": {"r_in_RM": inputs["r"] - 0.1, "r_out_RM": inputs["r"] + 0.1},
        "blowout": {"chi": inputs["chi"], "edge": edge},
        "numerics": {**EXACT, "t_end_orbits": inputs["orbits"]},
    }
    result = run_zero_d(shipped("melt_simple", changes))
    pressure = radiation_pressure(inputs["rho"], inputs["Q_pr"])
    s_blow = pressure.strength * inputs["T0"] ** 4 * inputs["Q_pr"]
    below = np.log(s_blow / result.s_edges[:-1]) / np.diff(np.log(result.s_edges))
    unbound = np.clip(below, 0.0, 1.0)
    if edge == "sharp":
        unbound = np.ceil(unbound)
    expected = np.exp(-unbound * 2.0 * math.pi * inputs["orbits"] / inputs["chi"])
    assert left(result) == pytest.approx(expected, abs=1e-8)
    assert 0 < np.count_nonzero(unbound) < unbound.size


@pytest.mark.parametrize(
    "inputs",
    one_at_a_time(
        {"A": 1e-6, "index": -1.0, "t0": 1e4, "t_offset": 100.0, "epsilon_mix": 1.0, "t_end": 1e5},
        A=(1e-9, 1e-4),
        index=(-2.5, 0.0, 1.5, -0.5),
        t0=(0.0, 3e4),
        t_offset=(1.0, 1e5),
        epsilon_mix=(0.1, 2.0),
        t_end=(2e4, 1e6),
    ),
)
def test_a_supply_that_follows_a_power_law_adds_its_integral(
    shipped: Shipped,
    inputs: Inputs,
) -> None:
    if inputs["t_end"] <= inputs["t0"]:
        inputs = {**inputs, "t_end": 4e4}
    law = {name: inputs[name] for name in ("A", "index", "t0", "t_offset")}
    supply = {"mode": "powerlaw", "powerlaw": law, "epsilon_mix": inputs["epsilon_mix"]}
    numerics = {"rtol": 1e-8, "atol": 1e-13, "t_end_years": inputs["t_end"] / YEAR}
    optical_depth = {"tau0_target": 1e-3}
    changes = {**ALONE, **NO_BLOWOUT, **constant(3000.0), "supply": supply}
    config = shipped(
        "melt_simple", {**changes, "optical_depth": optical_depth, "numerics": numerics}
    )
    begin = inputs["t_offset"]
    p = inputs["index"] + 1.0
    end = inputs["t_end"] - inputs["t0"] + begin
    integral = math.log(end / begin) if p == 0.0 else (end**p - begin**p) / p
    expected = in_mars_masses(config, inputs["epsilon_mix"] * inputs["A"] * integral)
    assert run_zero_d(config).M_supplied == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("tabulated", [False, True])
@pytest.mark.parametrize(
    "inputs",
    one_at_a_time(
        {"first": 1e-6, "second": 3e-6, "begin": 1e3, "length": 1e4, "pause": 2e4},
        first=(0.0, 1e-5),
        second=(1e-8, 1e-5),
        begin=(0.0, 3e4),
        length=(10.0, 4e4),
        pause=(1.0, 1e5),
    ),
)
def test_a_supply_in_pieces_or_by_a_table_adds_the_area_below_it(
    shipped: Shipped,
    tmp_path: Path,
    inputs: Inputs,
    tabulated: bool,
) -> None:
    """Two stretches of constant supply; in the table, straight lines lead from corner to corner."""
    first = inputs["first"]
    second = inputs["second"]
    length = inputs["length"]
    begin = inputs["begin"]
    again = begin + length + inputs["pause"]
    t_end = again + 2.0 * length
    stretches = ((begin, begin + length, first), (again, again + length, second))
    segments = [{"t_start": a, "t_end": b, "const_rate": rate} for a, b, rate in stretches]
    supply: dict[str, Any] = {"mode": "piecewise", "segments": segments}
    area = (first + second) * length
    if tabulated:
        corners = [(t, rate) for a, b, rate in stretches for t in (a, b)]
        file = tmp_path / "rates.csv"
        lines = [f"{t!r},{rate!r}" for t, rate in corners]
        file.write_text("\n".join(["t,rate", *lines]), encoding="utf-8")
        supply = {"mode": "table", "table": {"path": str(file)}}
        before_and_after = begin * first + length * second
        area += before_and_after + 0.5 * (first + second) * inputs["pause"]
    changes = {**ALONE, **NO_BLOWOUT, **constant(3000.0), "supply": supply}
    config = shipped("melt_simple", {**changes, "numerics": {"t_end_years": t_end / YEAR}})
    supplied = run_zero_d(config).M_supplied
    assert supplied == pytest.approx(in_mars_masses(config, area), rel=1e-9)


@pytest.mark.parametrize(
    "inputs",
    one_at_a_time(
        {"T0": 3000.0, "scale": 1.0, "T_ref": 2000.0, "power": 2.0, "floor": 0.1, "cap": 10.0},
        T0=(2000.0, 6000.0),
        scale=(0.5, 3.0),
        T_ref=(1500.0, 4000.0),
        power=(-1.0, 0.0, 1.0),
        floor=(3.0, 0.0),
        cap=(1.5, 20.0),
    ),
)
def test_a_supply_that_follows_temperature_is_scaled_between_its_bounds(
    shipped: Shipped,
    inputs: Inputs,
) -> None:
    rate = 1e-6
    t_end = 1e4
    coupled = {name: value for name, value in inputs.items() if name != "T0"}
    supply = {"mode": "const", "const_rate": rate, "temperature": coupled}
    changes = {**ALONE, **NO_BLOWOUT, **constant(inputs["T0"]), "supply": supply}
    config = shipped("melt_simple", {**changes, "numerics": {"t_end_years": t_end / YEAR}})
    factor = inputs["scale"] * (inputs["T0"] / inputs["T_ref"]) ** inputs["power"]
    factor = min(max(factor, inputs["floor"]), inputs["cap"])
    expected = in_mars_masses(config, factor * rate * t_end)
    assert run_zero_d(config).M_supplied == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    "inputs",
    one_at_a_time(
        {"mu": 1.0, "f_orb": 0.05, "tau_ref": 1.0, "orbits": 10.0, "r": 1.85},
        mu=(0.1, 5.0),
        f_orb=(0.01, 0.5),
        tau_ref=(0.3, 4.0),
        orbits=(1.0, 33.0),
        r=(1.1, 2.6),
    ),
)
def test_a_supply_by_the_orbit_adds_a_share_of_its_layer_in_each(
    shipped: Shipped,
    inputs: Inputs,
) -> None:
    supply = {"mu_orbit10pct": inputs["mu"], "f_orb": inputs["f_orb"], "tau_ref": inputs["tau_ref"]}
    changes = {
        **ALONE,
        **NO_BLOWOUT,
        **constant(3000.0),
        "supply": supply,
        "disk": {"r_in_RM": inputs["r"] - 0.1, "r_out_RM": inputs["r"] + 0.1},
        "numerics": {"t_end_orbits": inputs["orbits"]},
    }
    result = run_zero_d(shipped("melt_simple", changes))
    layer = inputs["tau_ref"] * result.Sigma_0  # the disk begins with an optical depth of 1
    expected = inputs["mu"] * inputs["f_orb"] * inputs["orbits"] * layer
    assert result.Sigma_final - result.Sigma_0 == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    "inputs",
    one_at_a_time(
        {"rate": 1e-6, "reservoir": 1e-12},
        rate=(1e-7, 1e-5),
        reservoir=(1e-13, 3e-12),
    ),
)
def test_a_reservoir_lasts_as_long_as_its_mass_over_the_rate(
    shipped: Shipped,
    inputs: Inputs,
) -> None:
    supply = {"mode": "const", "const_rate": inputs["rate"], "reservoir": inputs["reservoir"]}
    for share in (0.7, 1.3):
        changes = {**ALONE, **NO_BLOWOUT, **constant(3000.0), "supply": supply}
        config = shipped("melt_simple", changes)
        used_up = inputs["reservoir"] / in_mars_masses(config, inputs["rate"])
        numerics = {"t_end_years": share * used_up / YEAR}
        result = run_zero_d(shipped("melt_simple", {**changes, "numerics": numerics}))
        expected = min(share, 1.0) * inputs["reservoir"]
        assert result.M_supplied == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    "inputs",
    one_at_a_time(
        {"rho": 3270.0, "rho_g": 1e-9, "c_s": 500.0, "t_end": 3e4},
        rho=(1500.0, 4500.0),
        rho_g=(1e-11, 1e-7),
        c_s=(100.0, 2000.0),
        t_end=(1e3, 2e5),
    ),
)
def test_drag_empties_each_bin_in_the_stopping_time(shipped: Shipped, inputs: Inputs) -> None:
    changes = {
        **ALONE,
        **NO_SUPPLY,
        **NO_BLOWOUT,
        **constant(3000.0),
        "material.rho": inputs["rho"],
        "drag": {"rho_g": inputs["rho_g"], "c_s": inputs["c_s"]},
        "numerics": {**EXACT, "t_end_years": inputs["t_end"] / YEAR},
    }
    result = run_zero_d(shipped("melt_simple", changes))
    stopping = inputs["rho"] * result.s / (inputs["rho_g"] * inputs["c_s"])
    assert left(result) == pytest.approx(np.exp(-result.t_end / stopping), abs=1e-8)


@pytest.mark.parametrize(
    "inputs",
    one_at_a_time(
        {"T0": 3500.0, "Q_abs": 1.0, "alpha_evap": 0.1, "mu": 0.14, "P_gas": 0.0, "rho": 3270.0},
        T0=(3200.0, 3600.0),
        Q_abs=(0.7, 1.3),
        alpha_evap=(0.01, 1.0),
        mu=(0.05, 0.3),
        P_gas=(1e-3, 1e-2),
        rho=(1500.0, 4500.0),
    ),
)
def test_whole_grains_sublimate_in_the_time_in_which_they_would_shrink_away(
    shipped: Shipped,
    inputs: Inputs,
) -> None:
    names = ("Q_abs", "alpha_evap", "mu", "P_gas")
    changes = {
        **ALONE,
        **NO_SUPPLY,
        **NO_BLOWOUT,
        **constant(inputs["T0"]),
        "material.rho": inputs["rho"],
        "sublimation": {"method": "sink", **{name: inputs[name] for name in names}},
        "numerics": {**EXACT, "t_end_years": 1e4 / YEAR},
    }
    config = shipped("melt_simple", changes)
    result = run_zero_d(config)
    T = inputs["T0"] * grain_heating(derive(config).r, inputs["Q_abs"])
    solid = SETS["forsterite"]
    assert solid.T_switch > T
    excess = 10.0 ** (solid.A - solid.B / T) - inputs["P_gas"]
    flux = inputs["alpha_evap"] * excess * math.sqrt(inputs["mu"] / (2.0 * math.pi * R_GAS * T))
    expected = np.exp(-flux / inputs["rho"] / result.s * result.t_end)
    assert expected.min() < 0.99
    assert left(result) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(
    "inputs",
    one_at_a_time(
        {"T_condense": 1700.0, "T_vaporize": 2000.0, "q_abs": 1.0, "T0": 4500.0, "r": 1.85},
        T_condense=(1500.0, 1750.0),
        T_vaporize=(1800.0, 2100.0),
        q_abs=(0.8, 1.2),
        T0=(4300.0, 5500.0),
        r=(1.7, 2.0),
    ),
)
def test_what_is_gated_begins_when_half_of_the_dust_is_solid(
    shipped: Shipped,
    inputs: Inputs,
) -> None:
    """A thin slab of Mars and a disk so thin that its optical depth damps nothing."""
    names = ("T_condense", "T_vaporize", "q_abs")
    phase = {"enabled": True, "tau_ref": 1e9, **{name: inputs[name] for name in names}}
    changes = {
        **ALONE,
        "phase": phase,
        "disk": {"r_in_RM": inputs["r"] - 0.1, "r_out_RM": inputs["r"] + 0.1},
        "temperature": {"law": "slab", "T0": inputs["T0"], "depth": 1e3},
        "optical_depth": {"tau0_target": 1e-3},
        "numerics": {"t_end_years": 0.05, "rtol": 1e-6},
    }
    config = shipped("melt_simple", changes)
    half = 0.5 * (inputs["T_condense"] + inputs["T_vaporize"])
    T_M = half / grain_heating(derive(config).r, inputs["q_abs"])
    heat_capacity = 1e3 * 3000.0 * 1000.0
    solid = heat_capacity * (T_M**-3 - inputs["T0"] ** -3) / (3.0 * SIGMA_SB)
    assert 0.0 < solid < 0.05 * YEAR
    assert run_zero_d(config).gated_time == pytest.approx(solid, rel=1e-8)
