"""Whole runs with sublimation, gas drag and changing supplies: closed forms and a closed ledger."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marsdisk.common.errors import ConfigError
from marsdisk.config import RunConfig
from marsdisk.physics.constants import M_MARS, YEAR
from marsdisk.physics.grid import grain_mass
from marsdisk.physics.orbit import annulus_area
from marsdisk.physics.sinks import gas_drag_rates
from marsdisk.physics.sublimation import grain_heating, shrinking_speed_and_slope
from marsdisk.physics.vapour import SETS, vapour_of
from marsdisk.result import RunResult, StopReason
from marsdisk.run.derived import derive
from marsdisk.zero_d import run_zero_d

Shipped = Callable[..., RunConfig]
RHO = 3270.0
ALONE: dict[str, Any] = {
    "collisions.enabled": False,
    "blowout": {"enabled": False},
    "supply": {"mode": "none"},
    "optical_depth.tau_stop": None,
}
HOT: dict[str, Any] = {"temperature": {"law": "constant", "T0": 4000.0}}
EXACT = {"rtol": 1e-9, "atol": 1e-15}
GRAINS: dict[str, Any] = {
    "sizes": {"s_min": 1e-6, "s_max": 1e-1, "n_bins": 50},
    "initial": {"s0_mode": "upper"},
    "psd.alpha": 3.5,
}


def to_mars(result: RunResult) -> float:
    return annulus_area(result.config.disk.r_in_RM, result.config.disk.r_out_RM) / M_MARS


def speed_of(config: RunConfig, T_M: float) -> float:
    """|ds/dt| [m/s]."""
    return shrinking_speed_and_slope(
        vapour_of(SETS["forsterite"], RHO),
        T_M * grain_heating(derive(config).r, config.sublimation.Q_abs),
    )[0]


def test_the_sink_removes_whole_grains_at_their_rate(shipped: Shipped) -> None:
    config = shipped(
        "melt_simple",
        {
            **ALONE,
            **HOT,
            **GRAINS,
            "sublimation.method": "sink",
            "numerics": {**EXACT, "t_end_years": 1e-4},
        },
    )
    result = run_zero_d(config)
    expected = np.exp(-speed_of(config, 4000.0) / result.s * result.t_end)
    assert 0.0 < expected.min() < 0.5 < expected.max()
    assert result.N[-1] / result.N[0] == pytest.approx(expected, abs=1e-8)
    assert result.M_loss == result.M_loss_sublimation
    assert result.M_loss == pytest.approx(
        (result.Sigma_0 - result.Sigma_final) * to_mars(result), rel=1e-10
    )


def shrunk(shipped: Shipped, n_bins: int) -> tuple[float, float]:
    """Return the mass left over that at the start, as computed and exact.

    Grains of about a millimetre shrink to half their size.
    """
    melt = {
        "s0_mode": "melt_lognormal_mixture",
        "melt_psd": {"f_fine": 0.0, "s_meter": 1e-3, "width_dex": 0.15, "s_cut": 1e-7},
    }
    grains = {"sizes": {"s_min": 1e-6, "s_max": 1e-1, "n_bins": n_bins}, "initial": melt}
    config = shipped(
        "melt_simple",
        {
            **ALONE,
            **HOT,
            **grains,
            "sublimation.method": "advection",
            "numerics": {"t_end_years": 1.0},
        },
    )
    speed = speed_of(config, 4000.0)
    numerics = {"rtol": 1e-7, "atol": 1e-13, "t_end_years": 0.5e-3 / speed / YEAR}
    result = run_zero_d(
        shipped(
            "melt_simple",
            {**ALONE, **HOT, **grains, "sublimation.method": "advection", "numerics": numerics},
        )
    )
    edges = result.s_edges
    # spread evenly in ln s
    fine = np.exp(
        np.linspace(np.log(edges[:-1]), np.log(edges[1:]), 201)[:-1]
        + 0.5 * np.diff(np.log(edges)) / 200
    ).T
    left = (np.maximum(1.0 - speed * result.t_end / fine, 0.0) ** 3).mean(axis=1)
    mass = result.N[0] * grain_mass(result.s, RHO)
    return result.Sigma_final / result.Sigma_0, float(mass @ left / mass.sum())


def test_shrinking_grains_keep_the_mass_of_smaller_spheres_to_first_order_in_the_bins(
    shipped: Shipped,
) -> None:
    errors = []
    for n_bins in (50, 100, 200):
        computed, exact = shrunk(shipped, n_bins)
        assert 0.05 < exact < 0.3
        errors.append(computed / exact - 1.0)
    assert errors[0] / errors[1] == pytest.approx(2.0, abs=0.35)
    assert errors[1] / errors[2] == pytest.approx(2.0, abs=0.25)
    assert abs(errors[2]) < 0.01


def test_at_the_start_a_shrinking_disk_loses_three_over_s_of_its_mass_per_metre(
    shipped: Shipped,
) -> None:
    config = shipped(
        "melt_simple",
        {
            **ALONE,
            **HOT,
            **GRAINS,
            "sublimation.method": "advection",
            "numerics": {"t_end_orbits": 1e-6},
        },
    )
    result = run_zero_d(config)
    mass = result.N[0] * grain_mass(result.s, RHO)
    edges = result.s_edges
    # mean of 3/s over a bin
    per_metre = 3.0 * (1.0 / edges[:-1] - 1.0 / edges[1:]) / np.diff(np.log(edges))
    below = mass[0] / (edges[0] * np.log(edges[1] / edges[0]))  # what shrinks away below the grid
    assert result.M_sink_dot[0] == pytest.approx(
        speed_of(config, 4000.0) * (mass @ per_metre + below) * to_mars(result), rel=1e-12
    )
    assert result.M_out_dot[0] == 0.0


def test_grains_that_shrink_below_the_blow_out_size_are_blown_out(shipped: Shipped) -> None:
    """Bound grains, none of them small enough at the start.

    Both where the grid begins at s_blow and where it goes below.
    """
    # grains cross s_blow slowly against t_blow
    warm = {"temperature": {"law": "constant", "T0": 3200.0}}
    shrinking = {
        **ALONE,
        **warm,
        "blowout": {"chi": 1.0},
        "sublimation.method": "advection",
        "numerics": {"t_end_years": 0.1},
    }
    bound = {
        "s0_mode": "melt_lognormal_mixture",
        "melt_psd": {"f_fine": 0.0, "s_meter": 2e-5, "width_dex": 0.1, "s_cut": 8e-6},
    }
    results = []
    for s_min in (1e-7, 2.0e-6):
        result = run_zero_d(
            shipped(
                "melt_simple",
                {
                    **shrinking,
                    "sizes": {"s_min": s_min, "s_max": 1e-2, "n_bins": 60},
                    "initial": bound,
                },
            )
        )
        assert s_min < result.s_blow[0] < 2.2e-6
        assert result.M_loss_blowout > 5e-4 * result.M_loss_sublimation > 0.0
        assert result.ledger_error <= 1e-12
        results.append(result)
    assert results[0].M_loss_blowout == pytest.approx(results[1].M_loss_blowout, rel=0.4), (
        "the leaving flux counts, wherever the grid ends"
    )


def test_gas_drag_empties_every_bin_in_its_own_time(shipped: Shipped) -> None:
    config = shipped(
        "melt_simple",
        {
            **ALONE,
            **HOT,
            **GRAINS,
            "drag": {"rho_g": 1e-9},
            "numerics": {**EXACT, "t_end_years": 1e-3},
        },
    )
    result = run_zero_d(config)
    expected = np.exp(-gas_drag_rates(result.s, RHO, 1e-9) * result.t_end)
    assert expected.min() < 0.5 < expected.max()
    assert result.N[-1] / result.N[0] == pytest.approx(expected, abs=1e-8)
    assert result.M_loss == result.M_loss_other > 0.0


@pytest.mark.parametrize(
    ("supply", "expected"),
    [
        (
            {
                "mode": "powerlaw",
                "powerlaw": {"A": 1e-3, "index": -1.0, "t0": 1e4, "t_offset": 100.0},
            },
            1e-3 * np.log((1e5 - 1e4 + 100.0) / 100.0),
        ),
        ({"mode": "powerlaw", "powerlaw": {"A": 1e-12, "index": 1.5}}, 1e-12 * 1e5**2.5 / 2.5),
        (
            {
                "mode": "piecewise",
                "segments": [
                    {"t_start": 1e3, "t_end": 2e3, "const_rate": 1e-6},
                    {"t_start": 5e4, "t_end": 6e4, "const_rate": 3e-6},
                ],
                "epsilon_mix": 0.5,
            },
            0.5 * (1e-6 * 1e3 + 3e-6 * 1e4),
        ),
        (
            {
                "mode": "const",
                "const_rate": 1e-6,
                "temperature": {"T_ref": 2000.0, "power": 2.0, "cap": 3.0},
            },
            3e-6 * 1e5,
        ),
    ],
    ids=["falling", "rising", "piecewise", "temperature"],
)
def test_a_changing_supply_adds_its_integral(
    shipped: Shipped, supply: dict[str, Any], expected: float
) -> None:
    changes = {
        **ALONE,
        **HOT,
        "supply": supply,
        "numerics": {"rtol": 1e-6, "atol": 1e-12, "t_end_years": 1e5 / YEAR},
    }
    result = run_zero_d(shipped("melt_simple", changes))
    assert result.M_supplied == pytest.approx(expected * to_mars(result), rel=1e-6)
    assert (result.Sigma_final - result.Sigma_0) == pytest.approx(expected, rel=2e-6)
    assert result.ledger_error <= 1e-12


def test_a_tabulated_supply_is_followed_from_node_to_node(shipped: Shipped, tmp_path: Path) -> None:
    (tmp_path / "rate.csv").write_text("t,rate\n0,1e-6\n5e4,1e-6\n5.0001e4,0\n", encoding="utf-8")
    table = {"mode": "table", "table": {"path": str(tmp_path / "rate.csv")}}
    result = run_zero_d(
        shipped(
            "melt_simple",
            {**ALONE, **HOT, "supply": table, "numerics": {"t_end_years": 1e5 / YEAR}},
        )
    )
    assert result.M_supplied == pytest.approx((1e-6 * 5e4 + 0.5e-6) * to_mars(result), rel=1e-12)


def test_a_melting_point_is_a_kink_that_is_landed_on(shipped: Shipped) -> None:
    """Grains cool through the melting point of forsterite.

    The vapour pressure jumps there by a twentieth.
    """
    cooling = {
        "temperature": {"law": "slab", "T0": 5000.0, "depth": 1e3},
        "disk": {"r_in_RM": 1.0, "r_out_RM": 1.2},
    }
    grains = {"sizes": {"s_min": 1e-4, "s_max": 3.0, "n_bins": 40}}
    changes = {
        **ALONE,
        **cooling,
        **grains,
        "sublimation.method": "advection",
        "numerics": {"t_end_until_temperature_K": 2500.0},
    }
    default = run_zero_d(shipped("melt_simple", changes))
    exact = run_zero_d(
        shipped(
            "melt_simple",
            {**changes, "numerics": {**changes["numerics"], "rtol": 1e-8, "atol": 1e-14}},
        )
    )
    assert default.M_loss_sublimation == pytest.approx(exact.M_loss_sublimation, rel=1e-3)
    assert default.steps_rejected < default.steps


def test_everything_at_once_still_closes_its_ledger(shipped: Shipped) -> None:
    changes = {
        "sublimation.method": "advection",
        "drag": {"rho_g": 1e-12},
        "supply": {
            "mode": "powerlaw",
            "powerlaw": {"A": 1e-4, "index": -0.5, "t_offset": 1e3},
            "injection": "initial_psd",
        },
        "optical_depth.tau_stop": None,
    }
    result = run_zero_d(shipped("melt_simple", changes))
    assert (
        min(
            result.M_loss_blowout, result.M_loss_sublimation, result.M_loss_other, result.M_supplied
        )
        > 0.0
    )
    assert result.M_loss == pytest.approx(
        result.M_loss_blowout + result.M_loss_sublimation + result.M_loss_other, rel=1e-12
    )
    balance = (
        result.Sigma_0 + (result.M_supplied - result.M_loss) / to_mars(result) - result.Sigma_final
    )
    assert abs(balance) <= 1e-12 * (result.Sigma_0 + result.M_supplied / to_mars(result))


def test_a_run_stops_when_no_grain_of_the_grid_is_unbound_any_more(shipped: Shipped) -> None:
    changes = {
        "numerics": {"t_end_years": 10.0, "stop_on_blowout_below_smin": True},
        "optical_depth.tau_stop": None,
        "sizes.s_min": 1e-6,
    }
    result = run_zero_d(shipped("melt_simple", changes))
    assert result.stop_reason is StopReason.BLOWOUT_BELOW_GRID
    assert result.s_blow[-1] == pytest.approx(1e-6, rel=1e-9)
    later = run_zero_d(
        shipped(
            "melt_simple",
            {**changes, "numerics": {**changes["numerics"], "min_duration_years": 8.0}},
        )
    )
    assert later.t_end == pytest.approx(8.0 * YEAR, rel=1e-12)


def test_a_run_stops_when_its_loss_rate_has_fallen(shipped: Shipped) -> None:
    melt = {"optical_depth.tau_stop": None, "supply": {"mode": "none"}}
    limit = 1e-19
    result = run_zero_d(
        shipped(
            "melt_simple",
            {**melt, "numerics": {"t_end_years": 2.0, "mass_loss_rate_stop_Mmars_s": limit}},
        )
    )
    assert result.stop_reason is StopReason.LOSS_RATE
    assert result.M_out_dot[-1] == pytest.approx(limit, rel=1e-9)
    assert result.M_out_dot[0] > limit
    assert result.t_end < 2.0 * YEAR


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sublimation": {"method": "none", "Q_abs": 0.5}}, "method is none but Q_abs"),
        (
            {"sublimation": {"method": "sink", "vapour_pressure": "nowhere.csv"}},
            "needs alpha_evap and mu",
        ),
        (
            {
                "sublimation": {
                    "method": "sink",
                    "vapour_pressure": "nowhere.csv",
                    "alpha_evap": 0.1,
                    "mu": 0.1,
                }
            },
            r"nowhere\.csv",
        ),
        ({"supply": {"mode": "powerlaw"}}, "mode powerlaw needs powerlaw"),
        ({"supply": {"mode": "powerlaw", "powerlaw": {"A": 1.0}}}, "give t_offset > 0"),
        (
            {"supply": {"mode": "const", "powerlaw": {"A": 1.0, "index": 1.0}}},
            "powerlaw belongs to mode powerlaw",
        ),
        ({"supply": {"mode": "table", "table": {"path": "nowhere.csv"}}}, r"nowhere\.csv"),
        (
            {
                "supply": {
                    "mode": "piecewise",
                    "segments": [{"t_start": 5.0, "t_end": 1.0, "const_rate": 1.0}],
                }
            },
            "must be before t_end",
        ),
        (
            {"supply": {"mode": "piecewise", "segments": [{"t_start": 0.0, "t_end": 1.0}]}},
            "takes one of const_rate, powerlaw and table",
        ),
        (
            {
                "supply": {
                    "mode": "powerlaw",
                    "mu_orbit10pct": 1.0,
                    "powerlaw": {"A": 1.0, "index": 1.0},
                }
            },
            "both set the rate",
        ),
        ({"numerics": {"t_end_years": 1.0, "min_duration_years": 1.0}}, "neither is set"),
        (
            {
                "numerics": {"t_end_years": 1.0, "scheme": "imex_bdf1"},
                "sublimation": {"method": "advection"},
            },
            "knows sublimation.method none and sink",
        ),
    ],
)
def test_sinks_that_contradict_each_other_are_refused(
    shipped: Shipped, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        run_zero_d(shipped("melt_simple", changes))


def test_a_table_of_vapour_pressures_gives_what_its_law_gives(
    shipped: Shipped, tmp_path: Path
) -> None:
    T = np.linspace(1500.0, 2100.0, 7)
    P = 10.0 ** (SETS["forsterite"].A - SETS["forsterite"].B / T)
    (tmp_path / "p.csv").write_text(
        "T,P_sat\n"
        + "\n".join(f"{a!r},{b!r}" for a, b in zip(T.tolist(), P.tolist(), strict=True)),
        encoding="utf-8",
    )
    table = {
        "method": "sink",
        "vapour_pressure": str(tmp_path / "p.csv"),
        "alpha_evap": 0.1,
        "mu": 0.140694,
    }
    named = {"method": "sink"}
    losses = []
    for sublimation in (table, named):
        changes = {
            **ALONE,
            **HOT,
            **GRAINS,
            "sublimation": sublimation,
            "numerics": {"t_end_years": 1e-5},
        }
        losses.append(run_zero_d(shipped("melt_simple", changes)).M_loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-9)


@pytest.mark.parametrize("scheme", ["rosenbrock", "imex_bdf1"])
def test_a_reservoir_is_used_up_and_no_more(shipped: Shipped, scheme: str) -> None:
    supply = {"mode": "const", "const_rate": 1e-6, "reservoir": 1e-12}
    numerics = {"scheme": scheme, "t_end_years": 1e5 / YEAR}
    result = run_zero_d(
        shipped("melt_simple", {**ALONE, **HOT, "supply": supply, "numerics": numerics})
    )
    # an outer step of the classic scheme knows only its begin
    within = 1e-9 if scheme == "rosenbrock" else 0.01
    assert 1e-6 * result.t_end * to_mars(result) > 2.0 * 1e-12
    assert result.M_supplied == pytest.approx(1e-12, rel=within)
    used_up = 1e-12 / (1e-6 * to_mars(result))
    later = result.t > 1.02 * used_up
    assert later.any()
    assert np.ptp(result.Sigma[later]) <= 1e-12 * result.Sigma_0
