"""Processes held back while grains are not solid: when they set in, and runs that never started."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from marsdisk.cli import main
from marsdisk.common.errors import ConfigError
from marsdisk.config import RunConfig
from marsdisk.physics import temperature
from marsdisk.physics.sublimation import grain_heating
from marsdisk.result import StopReason
from marsdisk.run.derived import derive
from marsdisk.zero_d import run_zero_d

CONFIGS = Path(__file__).parents[2] / "configs"
Shipped = Callable[..., RunConfig]
GATED: dict[str, Any] = {
    "phase": {"enabled": True, "q_abs": 1.0},
    "optical_depth": {"tau0_target": 1e-3},
}


def test_a_disk_too_hot_to_be_solid_stays_as_it_is_and_says_so(shipped: Shipped) -> None:
    hot = {
        "phase.T_condense": 1000.0,
        "phase.T_vaporize": 1001.0,
        "optical_depth.tau_stop": 2.0,
        "numerics": {"t_end_years": 0.1},
    }
    result = run_zero_d(shipped("melt_simple", {**GATED, **hot, "sublimation.method": "advection"}))
    assert result.gated_time == pytest.approx(result.t_end, rel=1e-12)
    assert result.M_loss == result.M_supplied == 0.0
    assert result.Sigma_final == pytest.approx(result.Sigma_0, rel=1e-13)
    assert result.M_out_dot.max() == result.M_sink_dot.max() == 0.0


def test_the_command_line_says_that_nothing_acted() -> None:
    words = [
        "run",
        str(CONFIGS / "mars_0d_melt_simple.yaml"),
        "--set",
        "phase={enabled: true, T_condense: 800, T_vaporize: 900}",
        "--set",
        "numerics.t_end_years=0.01",
    ]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert "note: grains were never solid" in done.output


def test_a_disk_without_gates_is_never_held_back(shipped: Shipped) -> None:
    assert run_zero_d(shipped("melt_simple", {"numerics": {"t_end_years": 0.01}})).gated_time == 0.0


@pytest.mark.parametrize("any_phase", [False, True])
def test_supply_and_blow_out_set_in_when_half_is_solid(shipped: Shipped, any_phase: bool) -> None:
    """In a thin disk f = (T_p - T_c)/(T_v - T_c) falls to 1/2 at 1850 K.

    The disk's own optical depth does not matter there.
    """
    cooling = {
        "temperature": {"law": "slab", "T0": 4500.0, "depth": 1e3},
        "collisions.enabled": False,
        "numerics": {"t_end_years": 0.05, "rtol": 1e-6},
    }
    target = {"blowout.target_phase": "any"} if any_phase else {}
    config = shipped("melt_simple", {**GATED, **cooling, **target, "phase.tau_ref": 1e9})
    derived = derive(config)
    solid = temperature.first_time_at_or_below(derived.law, 1850.0 / grain_heating(derived.r, 1.0))
    assert solid is not None
    assert 0.1 * derived.t_end < solid < 0.9 * derived.t_end
    result = run_zero_d(config)
    assert result.gated_time == pytest.approx(solid, rel=1e-9)
    always = run_zero_d(shipped("melt_simple", {**cooling, "optical_depth": {"tau0_target": 1e-3}}))
    assert result.M_supplied / always.M_supplied == pytest.approx(
        1.0 - solid / derived.t_end, rel=1e-9
    )
    before = result.t < 0.99 * solid
    assert bool(result.M_out_dot[before].max() > 0.0) is any_phase
    assert result.M_out_dot[~before].max() > 0.0
    assert result.ledger_error <= 1e-12


def test_collisions_rest_only_while_everything_is_liquid(shipped: Shipped) -> None:
    still = {
        "blowout.enabled": False,
        "supply": {"mode": "none"},
        "numerics": {"t_end_orbits": 0.01},
        "temperature": {"law": "constant", "T0": 4000.0},
    }
    hot = {"enabled": True, "q_abs": 1.0, "tau_ref": 1e9}
    T_p = 4000.0 * grain_heating(derive(shipped("melt_simple", still)).r, 1.0)
    changed = {}
    for name, fraction in (("liquid", 0.96), ("vapour", 0.94), ("solid", 0.4)):
        law = {
            **hot,
            "T_condense": T_p - 1000.0 * fraction,
            "T_vaporize": T_p + 1000.0 * (1.0 - fraction),
        }
        result = run_zero_d(
            shipped("melt_simple", {**still, "phase": law, "optical_depth.tau_stop": None})
        )
        changed[name] = abs(result.tau_los[-1] / result.tau_los[0] - 1.0)
    assert changed["liquid"] < 1e-13
    assert changed["vapour"] == changed["solid"] > 1e-3


def test_the_optical_depth_stops_only_solid_grains(shipped: Shipped) -> None:
    baseline = {
        "psd.floor": "none",
        "optical_depth": {"tau0_target": 1.0, "tau_stop": 1.5},
        "numerics": {"t_end_years": 1e-6},
    }
    # vapour: neither solid nor all liquid
    law = {"enabled": True, "q_abs": 1.0, "T_condense": 500.0, "T_vaporize": 1600.0, "tau_ref": 1e9}
    assert run_zero_d(shipped("baseline", baseline)).stop_reason is StopReason.OPTICAL_DEPTH
    assert (
        run_zero_d(shipped("baseline", {**baseline, "phase": law})).stop_reason
        is not StopReason.OPTICAL_DEPTH
    )


def test_an_optical_depth_that_keeps_grains_solid_does_so(shipped: Shipped) -> None:
    hot = {
        "temperature": {"law": "constant", "T0": 3700.0},
        "collisions.enabled": False,
        "numerics": {"t_end_years": 0.01},
    }
    thin, thick = (
        run_zero_d(shipped("melt_simple", {**GATED, **hot, "optical_depth": {"tau0_target": tau}}))
        for tau in (1e-3, 10.0)
    )
    assert thin.gated_time == pytest.approx(thin.t_end, rel=1e-12)
    assert thick.gated_time < thick.t_end


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        ({"T_condense": 1700.0}, "enabled is false but T_condense is given"),
        ({"enabled": True, "T_condense": 2000.0, "T_vaporize": 1000.0}, "exchange them"),
    ],
)
def test_phases_that_contradict_each_other_are_refused(
    shipped: Shipped, phase: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        shipped("melt_simple", {"phase": phase})
