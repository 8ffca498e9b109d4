"""Series of a result: they close the ledger at any time; spectrum of what was blown out."""

import io
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plain_drivers import RHO
from rich.console import Console

import sweep
from marsdisk.common.errors import ConfigError
from marsdisk.config import RunConfig
from marsdisk.notes import Note
from marsdisk.physics.constants import M_MARS, R_MARS, SIGMA_SB, G
from marsdisk.physics.grid import grain_mass
from marsdisk.physics.orbit import annulus_area
from marsdisk.physics.vapour import SETS
from marsdisk.result import GATES
from marsdisk.run.derived import derive
from marsdisk.zero_d import run_zero_d
from sweep.running.session import run_sweep
from sweep.spec.file import load_sweep

Shipped = Callable[..., RunConfig]
#: Set-ups in which every channel of loss, gate and feedback acts.
SETUPS: dict[str, dict[str, Any]] = {
    "melt": {"numerics": {"t_end_orbits": 30.0}},
    "sublimating": {
        "sublimation": {"method": "advection"},
        "temperature": {"law": "slab", "T0": 5000.0},
        "drag": {"rho_g": 1e-9},
        "numerics": {"t_end_orbits": 30.0},
    },
    "dimmed": {
        "blowout.light": "attenuated",
        "optical_depth": {"tau0_target": 20.0, "tau_stop": None},
        "numerics": {"t_end_orbits": 30.0},
    },
    "gated": {
        "phase": {"enabled": True, "T_condense": 1500.0, "T_vaporize": 1510.0},
        "temperature": {"law": "slab", "T0": 3800.0, "depth": 2e3},
        "numerics": {"t_end_years": 0.3},
    },
    "fed back": {
        "supply": {
            "mode": "const",
            "mu_orbit10pct": 1.0,
            "reservoir": 1e-10,
            "feedback": {"gain": 1.0, "t_response_years": 1e-3, "tau_target": 0.1},
        },
        "numerics": {"t_end_orbits": 30.0},
    },
    "classic": {
        "sizes": {"s_min": 1e-6, "s_max": 1e-3, "n_bins": 12},
        "initial": {"s0_mode": "upper"},
        "optical_depth": {"tau0_target": 1e-3, "tau_stop": None},
        "numerics": {"scheme": "imex_bdf1", "t_end_orbits": 0.3, "dt": 200.0},
    },
    "planck": {
        "optical_depth": {"opacity": "planck", "tau0_target": 0.3},
        "numerics": {"t_end_orbits": 30.0},
    },
}


@pytest.mark.parametrize("setup", SETUPS)
def test_the_ledger_closes_at_every_sample(shipped: Shipped, setup: str) -> None:
    config = shipped("melt_simple", SETUPS[setup])
    result = run_zero_d(config)
    to_mars = annulus_area(config.disk.r_in_RM, config.disk.r_out_RM) / M_MARS
    dust_and_lost = result.Sigma * to_mars + result.M_loss_cum
    begin = result.Sigma_0 * to_mars + result.M_supplied_cum
    assert dust_and_lost == pytest.approx(begin, rel=1e-11)
    channels = result.M_loss_blowout_cum + result.M_loss_sublimation_cum + result.M_loss_other_cum
    assert result.M_loss_cum == pytest.approx(channels, rel=1e-14)
    at_snapshots = np.isin(result.t, result.t_snapshot)
    if config.optical_depth.opacity == "geometric":
        masses = grain_mass(result.s, config.material.rho)
        kappa = (result.N @ (np.pi * result.s**2)) / (result.N @ masses)
        assert result.kappa[at_snapshots] == pytest.approx(kappa, rel=1e-12)
    assert result.tau_max >= result.tau_los.max()


@pytest.mark.parametrize("setup", SETUPS)
def test_what_was_blown_out_of_the_bins_is_what_was_blown_out(shipped: Shipped, setup: str) -> None:
    result = run_zero_d(shipped("melt_simple", SETUPS[setup]))
    assert (result.M_blown >= 0.0).all()
    below = result.M_loss_blowout - result.M_blown.sum()
    assert below >= -1e-13 * result.M_loss_blowout
    if setup != "sublimating":  # where grains shrink below the grid
        assert result.M_blown.sum() == pytest.approx(result.M_loss_blowout, rel=1e-12)
    largest = result.s_blow.max()
    assert not result.M_blown[result.s_edges[:-1] > largest * (1.0 + 1e-12)].any()


def test_the_spectrum_of_free_decay_is_that_of_the_start(shipped: Shipped) -> None:
    """Without collisions and supply, each bin that is unbound as a whole loses all that it had."""
    changes = {
        "collisions.enabled": False,
        "supply": {"mode": "none"},
        "temperature": {"law": "constant", "T0": 4000.0},
        "initial": {"s0_mode": "upper"},
        "optical_depth": {"tau0_target": 1e-3, "tau_stop": None},
        "numerics": {"t_end_orbits": 20.0},
    }
    result = run_zero_d(shipped("melt_simple", changes))
    config = result.config
    to_mars = annulus_area(config.disk.r_in_RM, config.disk.r_out_RM) / M_MARS
    start = result.N[0] * grain_mass(result.s, config.material.rho) * to_mars
    unbound = result.s_edges[1:] < result.s_blow[0]
    assert unbound.sum() > 5
    assert result.M_blown[unbound] == pytest.approx(start[unbound], rel=1e-3)


def test_series_of_what_drives_a_disk_are_those_of_closed_forms(shipped: Shipped) -> None:
    config = shipped("melt_simple", SETUPS["sublimating"])
    result = run_zero_d(config)
    rate = 3.0 * SIGMA_SB / (1e5 * 3000.0 * 1000.0)
    assert pytest.approx((5000.0**-3 + rate * result.t) ** (-1.0 / 3.0), rel=1e-12) == result.T_M
    disk = config.disk
    r = 0.5 * (disk.r_in_RM + disk.r_out_RM)
    assert result.T_grain == pytest.approx(
        result.T_M * config.sublimation.Q_abs**0.25 * math.sqrt(0.5 / r), rel=1e-12
    )
    T_orb = 2.0 * math.pi * math.sqrt((r * R_MARS) ** 3 / (G * M_MARS))
    assert result.supply_nominal == pytest.approx(0.05 / (result.kappa[0] * T_orb), rel=1e-10)
    assert result.supply_applied == pytest.approx(result.supply_nominal, rel=1e-14)
    assert (result.supply_feedback == 1.0).all()
    forsterite = SETS["forsterite"]
    solid = forsterite.A - forsterite.B / result.T_grain
    melt = forsterite.A_liquid - forsterite.B_liquid / result.T_grain
    pressure = 10.0 ** np.where(result.T_grain < forsterite.T_switch, solid, melt)  # Pa
    flux = (
        forsterite.alpha_evap
        * pressure
        * np.sqrt(forsterite.mu / (2.0 * math.pi * 8.314462618 * result.T_grain))
    )
    assert result.ds_dt == pytest.approx(flux / config.material.rho, rel=1e-9)
    t_blow = derive(config).blowout_rate * result.t_blow
    assert t_blow == pytest.approx(np.ones(t_blow.size), rel=1e-14)
    assert (result.gates == (1 << len(GATES)) - 1).all()
    assert (result.phase == 0).all()


def test_a_dimmed_disk_blows_out_more_slowly(shipped: Shipped) -> None:
    result = run_zero_d(shipped("melt_simple", SETUPS["dimmed"]))
    share = -np.expm1(-result.tau_los) / result.tau_los
    assert result.t_blow * share == pytest.approx(result.t_blow[0] * share[0], rel=1e-12)


def test_gates_and_phases_follow_the_temperature(shipped: Shipped) -> None:
    result = run_zero_d(shipped("melt_simple", SETUPS["gated"]))
    paused = result.gates & 4 == 0
    assert paused.any()
    assert not paused.all()
    assert (result.M_out_dot[paused] == 0.0).all()
    assert (result.phase[paused] > 0).all()
    supplied = (result.gates & 2) != 0
    assert (result.supply_applied[~supplied] == 0.0).all()
    assert Note.NEVER_SOLID not in result.notes


def test_an_empty_reservoir_and_feedback_change_what_is_supplied(shipped: Shipped) -> None:
    result = run_zero_d(shipped("melt_simple", SETUPS["fed back"]))
    open_gate = result.gates & 2 != 0
    expected = np.where(open_gate, result.supply_nominal * result.supply_feedback, 0.0)
    assert result.supply_applied == pytest.approx(expected, rel=1e-13)
    assert np.ptp(result.supply_feedback) > 0.0
    assert result.M_supplied_cum.max() <= 1e-10 * (1.0 + 1e-9)


def test_the_collision_time_of_equal_grains(shipped: Shipped) -> None:
    """Rate n sigma v: one size at the start, in a layer of scale height H."""
    changes = {
        "initial": {"s0_mode": "mono", "s_mono": 1e-3},
        "supply": {"mode": "none"},
        "optical_depth": {"tau0_target": 1e-4, "tau_stop": None},
        "material.rho": RHO,
        "numerics": {"t_end_orbits": 1e-6},
    }
    result = run_zero_d(shipped("melt_simple", changes))
    config = result.config
    r = 0.5 * (config.disk.r_in_RM + config.disk.r_out_RM) * 3.3895e6
    H = config.dynamics.i0 * r * config.dynamics.H_factor
    filled = int(result.N[0].argmax())
    area = 4.0 * math.pi * result.s[filled] ** 2
    rate = result.N[0][filled] * area * result.v_rel[0] / (2.0 * math.sqrt(math.pi) * H)
    assert result.t_coll_smallest[0] == pytest.approx(1.0 / rate, rel=1e-12)
    assert result.t_coll_largest[0] == result.t_coll_smallest[0]
    still = run_zero_d(shipped("melt_simple", {**changes, "collisions.enabled": False}))
    assert np.isnan(still.t_coll_largest).all()


def test_rings_share_the_reservoir_of_their_disk_by_area(shipped: Shipped) -> None:
    whole = {"mass": 3e-5, "r_in_RM": 1.2, "r_out_RM": 2.4}
    short = {"numerics": {"t_end_orbits": 0.01}}
    edges = np.linspace(1.2, 2.4, 7).tolist()
    supply = {
        "mode": "const",
        "mu_orbit10pct": 1.0,
        "injection": "initial_psd",
        "reservoir_of_disk": whole,
    }
    rings = [
        run_zero_d(
            shipped(
                "melt_simple",
                {**short, "disk": {"r_in_RM": low, "r_out_RM": high}, "supply": supply},
            )
        )
        for low, high in pairwise(edges)
    ]
    at_start = [
        ring.Sigma_0 * annulus_area(low, high) / M_MARS
        for ring, (low, high) in zip(rings, pairwise(edges), strict=True)
    ]
    assert sum(ring.M_available for ring in rings) == pytest.approx(3e-5 + sum(at_start), rel=1e-12)
    with pytest.raises(ConfigError, match=r"from 1.1 to 1.3 R_M is not all within it"):
        run_zero_d(
            shipped(
                "melt_simple",
                {**short, "disk": {"r_in_RM": 1.1, "r_out_RM": 1.3}, "supply": supply},
            )
        )


@pytest.mark.parametrize(
    ("supply", "more"),
    [
        ({"mode": "none"}, 0.0),
        ({"mode": "const", "mu_orbit10pct": 0.0}, 0.0),
        ({"mode": "const", "mu_orbit10pct": 1.0}, math.inf),
        ({"mode": "const", "mu_orbit10pct": 1.0, "reservoir": 2e-9}, 2e-9),
    ],
)
def test_what_a_disk_can_lose_at_most(
    shipped: Shipped, supply: dict[str, Any], more: float
) -> None:
    result = run_zero_d(
        shipped("melt_simple", {"supply": supply, "numerics": {"t_end_orbits": 0.01}})
    )
    disk = result.config.disk
    at_start = result.Sigma_0 * annulus_area(disk.r_in_RM, disk.r_out_RM) / M_MARS
    assert result.M_available == pytest.approx(at_start + more, rel=1e-12)


def test_a_reader_of_a_store_closes_the_ledger_from_it_alone(tmp_path: Path) -> None:
    base = tmp_path / "base.yaml"
    text = (
        Path(__file__)
        .parents[2]
        .joinpath("configs/mars_0d_melt_simple.yaml")
        .read_text(encoding="utf-8")
    )
    base.write_text(text, encoding="utf-8")
    content = """
name: closing
base: base.yaml
axes:
  ring: {rings: [1.2, 2.4, 3]}
  blowout.light: [full, attenuated]
set:
  numerics.t_end_years: 0.02
  sublimation.method: advection
  output.samples: 16
  output.snapshots: 2
"""
    (tmp_path / "closing.yaml").write_text(content, encoding="utf-8")
    quiet = Console(file=io.StringIO())
    run_sweep(load_sweep(tmp_path / "closing.yaml"), tmp_path / "s.zarr", workers=0, console=quiet)
    runs = sweep.open_store(tmp_path / "s.zarr")
    area = np.pi * (runs.r_out_RM**2 - runs.r_in_RM**2) * 3.3895e6**2
    remaining_and_lost = runs.Sigma * area / M_MARS + runs.M_loss_cum
    initial_and_supplied = runs.Sigma_0 * area / M_MARS + runs.M_supplied_cum
    assert remaining_and_lost.values == pytest.approx(initial_and_supplied.values, rel=1e-11)
    assert (runs.M_blown.sum("bin") <= runs.M_loss_blowout * (1.0 + 1e-12)).all()
    assert runs.gates.attrs["flag_meanings"].split() == list(GATES)
