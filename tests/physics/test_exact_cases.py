"""Runs whose answer is known in closed form."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from marsdisk.config import RunConfig
from marsdisk.physics import orbit, temperature
from marsdisk.physics.constants import M_MARS, YEAR
from marsdisk.physics.grid import grain_mass
from marsdisk.result import StopReason
from marsdisk.zero_d import run_zero_d

Shipped = Callable[..., RunConfig]
ALONE: dict[str, Any] = {
    "collisions.enabled": False,
    "supply": {"mode": "none"},
    "blowout.chi": 1.0,
}
HOT = {"temperature": {"law": "constant", "T0": 4000.0}}
START = {"initial": {"s0_mode": "upper"}, "psd.alpha": 3.5}
EXACT = {"rtol": 1e-10, "atol": 1e-16}


@pytest.mark.parametrize("edge", ["continuous", "sharp"])
@pytest.mark.parametrize("n_bins", [12, 40])
def test_blowout_alone_is_an_exponential_decay_of_every_bin(
    shipped: Shipped, edge: str, n_bins: int
) -> None:
    ends = {
        "numerics": {**EXACT, "t_end_orbits": 1.0},
        "output.spacing": "linear",
        "sizes.n_bins": n_bins,
    }
    result = run_zero_d(
        shipped("melt_simple", {**ALONE, **HOT, **START, **ends, "blowout.edge": edge})
    )
    edges = result.s_edges
    s_blow = result.s_blow[0]
    share = np.clip(np.log(s_blow / edges[:-1]) / np.diff(np.log(edges)), 0.0, 1.0)
    if edge == "sharp":
        share = np.where(edges[:-1] <= s_blow, 1.0, 0.0)
    else:
        assert np.count_nonzero((share > 0.0) & (share < 1.0)) == 1
    omega = orbit.angular_velocity(orbit.reference_radius(1.0, 2.7))
    expected = np.exp(-np.outer(result.t_snapshot, share * omega))
    assert result.N / result.N[0] == pytest.approx(expected, abs=2e-9)
    lost = (result.N[0] * (1.0 - expected[-1])) @ grain_mass(result.s, 3270.0)
    assert result.M_loss == pytest.approx(lost * orbit.annulus_area(1.0, 2.7) / M_MARS, rel=1e-8)


@pytest.mark.parametrize("injection", ["min_bin", "powerlaw_bins", "initial_psd"])
def test_supply_alone_adds_rate_times_time(shipped: Shipped, injection: str) -> None:
    rate = 2e-9  # kg/(m2 s)
    supply = {"mode": "const", "const_rate": rate, "injection": injection}
    overrides = {
        **ALONE,
        **HOT,
        **START,
        "supply": supply,
        "blowout.enabled": False,
        "output.spacing": "linear",
    }
    result = run_zero_d(shipped("melt_simple", overrides))
    assert result.Sigma == pytest.approx(result.Sigma_0 + rate * result.t, rel=1e-13)
    assert result.M_loss == 0.0
    assert result.t99 == 0.0
    gained = (result.N[-1] - result.N[0]) * grain_mass(result.s, 3270.0)
    assert gained.sum() == pytest.approx(rate * result.t_end, rel=1e-10)
    if injection == "min_bin":
        assert np.count_nonzero(np.abs(gained) > 1e-12 * result.Sigma_0) == 1


@pytest.mark.parametrize(("T0", "years"), [(3000.0, 4.916), (4000.0, 6.112), (5000.0, 6.538)])
def test_a_slab_cools_to_2000_kelvin(shipped: Shipped, T0: float, years: float) -> None:
    assert temperature.first_time_at_or_below(temperature.slab(T0), 2000.0) == pytest.approx(
        years * YEAR, abs=0.0005 * YEAR
    )
    config = shipped(
        "melt_simple",
        {
            "temperature.T0": T0,
            "numerics": {"t_end_until_temperature_K": 2000.0},
            "optical_depth.tau_stop": None,
        },
    )
    result = run_zero_d(config)
    assert result.stop_reason is StopReason.TEMPERATURE
    assert result.t_end == pytest.approx(years * YEAR, abs=0.0005 * YEAR)
    assert result.T_M[0] == pytest.approx(T0, rel=1e-12)
    assert result.T_M[-1] == pytest.approx(2000.0, rel=1e-12)


def test_nothing_changes_when_every_process_is_off(shipped: Shipped) -> None:
    result = run_zero_d(shipped("melt_simple", {**ALONE, "blowout.enabled": False}))
    assert np.all(np.abs(result.Sigma / result.Sigma_0 - 1.0) <= 1e-14)
    assert np.all(np.abs(result.N - result.N[0]) <= 1e-14 * result.N[0])
    assert result.M_loss == 0.0


@pytest.mark.parametrize("rings", [((1.0, 2.7), (1.8, 1.9)), ((2.2, 2.7), (2.4, 2.5))])
def test_the_mass_lost_is_proportional_to_the_area_of_the_ring(
    shipped: Shipped, rings: tuple[tuple[float, float], ...]
) -> None:
    per_area = []
    for r_in, r_out in rings:
        result = run_zero_d(shipped("melt_simple", {"disk.r_in_RM": r_in, "disk.r_out_RM": r_out}))
        per_area.append(result.M_loss / orbit.annulus_area(r_in, r_out))
    assert per_area[0] == pytest.approx(per_area[1], rel=1e-9)


def test_without_collisions_twice_the_dust_is_twice_of_everything(shipped: Shipped) -> None:
    def run(factor: float) -> dict[str, Any]:
        changes = {
            "collisions.enabled": False,
            "optical_depth.tau0_target": factor * 0.5,
            "supply.mu_orbit10pct": factor,
        }
        result = run_zero_d(shipped("melt_simple", changes))
        names = (
            "Sigma",
            "tau_los",
            "M_out_dot",
            "M_loss_cum",
            "N",
            "M_loss",
            "M_supplied",
            "Sigma_0",
            "Sigma_final",
            "tau_max",
        )
        return {name: getattr(result, name) for name in names}

    once = run(1.0)
    twice = run(2.0)
    for name, value in once.items():
        assert twice[name] == pytest.approx(2.0 * value, rel=1e-12, abs=0.0), name


@pytest.mark.parametrize(
    "injection", [{"injection": "powerlaw_bins", "s_inj_max": 1e-3}, {"injection": "initial_psd"}]
)
def test_a_disk_fed_for_long_loses_what_it_is_supplied_with(
    shipped: Shipped, injection: dict[str, Any]
) -> None:
    supply = {"mode": "const", "const_rate": 1e-7, **injection}
    result = run_zero_d(
        shipped(
            "melt_simple",
            {
                **HOT,
                "supply": supply,
                "optical_depth.tau_stop": None,
                "numerics": {"t_end_years": 100.0},
            },
        )
    )
    assert result.M_out_dot[-1] * result.t_end == pytest.approx(result.M_supplied, rel=1e-9)
    assert result.Sigma[-1] == pytest.approx(result.Sigma[-2], rel=1e-6)
