"""The window of unbound sizes: grains far smaller than the wavelength of light are bound again."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq
from setups import watched

from marsdisk._jit import interpreted
from marsdisk.config import RunConfig
from marsdisk.io.efficiency_tables import shipped_qpr_table
from marsdisk.notes import Note
from marsdisk.physics.qpr_table import look_up
from marsdisk.physics.radiation import beta, blowout_size, radiation_pressure, smallest_unbound_size
from marsdisk.result import StopReason
from marsdisk.solver.drivers import drive
from marsdisk.zero_d import run_zero_d

Shipped = Callable[..., RunConfig]
RHO = 3270.0
FORSTERITE = shipped_qpr_table("forsterite")
PRESSURE = radiation_pressure(RHO, FORSTERITE)


def excess(s: float, T: float) -> float:
    """Return beta - 1/2."""
    return float(beta(s, RHO, T, look_up(FORSTERITE, s, T))) - 0.5


def window(T: float) -> tuple[float, float]:
    s_blow = interpreted(blowout_size)(PRESSURE, T)[0]
    return interpreted(smallest_unbound_size)(PRESSURE, T, s_blow)[0], s_blow


@pytest.mark.parametrize("T", np.arange(1500.0, 6500.0, 250.0).tolist())
def test_both_ends_of_the_window_are_roots(T: float) -> None:
    low, s_blow = window(T)
    sizes = np.geomspace(1e-8, 1e-2, 4000)
    is_unbound = np.array([excess(s, T) > 0.0 for s in sizes.tolist()])
    if not is_unbound.any():
        assert low == 0.0
        return
    last = int(np.flatnonzero(is_unbound)[-1])
    before = np.flatnonzero(~is_unbound[:last])
    assert s_blow == pytest.approx(
        brentq(excess, sizes[last], sizes[last + 1], args=(T,), xtol=1e-22), rel=1e-9
    )
    if not before.size:
        assert low == 0.0
        return
    first = int(before[-1])
    assert low == pytest.approx(
        brentq(excess, sizes[first], sizes[first + 1], args=(T,), xtol=1e-22), rel=1e-9
    )


@pytest.mark.parametrize("T", [2345.0, 2750.0, 3333.0, 4140.0])
def test_the_slope_of_the_lower_end_is_its_derivative(T: float) -> None:
    def lower(T: float) -> tuple[float, float]:
        return interpreted(smallest_unbound_size)(
            PRESSURE, T, interpreted(blowout_size)(PRESSURE, T)[0]
        )

    _, slope = lower(T)
    step = 1e-5 * T
    numerical = np.log(lower(T + step)[0] / lower(T - step)[0]) / np.log((T + step) / (T - step))
    assert slope == pytest.approx(numerical, rel=1e-5)


def test_a_constant_efficiency_has_no_lower_end() -> None:
    constant = radiation_pressure(RHO, 1.0)
    assert (
        interpreted(smallest_unbound_size)(
            constant, 3000.0, interpreted(blowout_size)(constant, 3000.0)[0]
        )[0]
        == 0.0
    )


def changes(below: str, edge: str, T: float) -> dict[str, Any]:
    return {
        "initial": {
            "s0_mode": "melt_truncated_powerlaw",
            "truncated": {"s_min_solid": 1e-8, "s_max_solid": 1e-3, "s_cut": 1e-8},
        },
        "sizes": {"s_min": 1e-8, "s_max": 1e-3, "n_bins": 60},
        "temperature": {"law": "constant", "T0": T},
        "collisions.enabled": False,
        "supply": {"mode": "none"},
        "material.rho": RHO,
        "optical_depth": {"tau0_target": 1e-3, "tau_stop": None},
        "blowout": {"below_window": below, "edge": edge, "chi": 1.0},
        "numerics": {"t_end_orbits": 5.0, "rtol": 1e-8, "atol": 1e-16},
    }


@pytest.mark.parametrize("T", [2500.0, 3500.0])
@pytest.mark.parametrize("edge", ["continuous", "sharp"])
def test_grains_below_the_window_stay(shipped: Shipped, T: float, edge: str) -> None:
    low, s_blow = window(T)
    assert low > 5e-8
    result = run_zero_d(shipped("melt_simple", changes("bound", edge, T)))
    bins = result.s_edges
    kept = result.N[-1] / result.N[0]
    inside = (bins[:-1] > low) & (bins[1:] < s_blow)
    assert kept[bins[1:] < low] == pytest.approx(1.0, rel=1e-9)
    assert kept[bins[:-1] > s_blow] == pytest.approx(1.0, rel=1e-9)
    assert inside.sum() >= 3
    assert kept[inside] == pytest.approx(np.exp(-2.0 * np.pi * 5.0), rel=1e-5)
    split = (bins[:-1] < low) & (bins[1:] > low)
    share = np.log(bins[1:] / low) / np.log(bins[1:] / bins[:-1])
    expected = np.exp(-2.0 * np.pi * 5.0 * (share if edge == "continuous" else 0.0 * share))
    assert kept[split] == pytest.approx(expected[split], rel=1e-5)
    all_small = run_zero_d(shipped("melt_simple", changes("unbound", edge, T))).N[-1]
    assert (all_small[bins[1:] < s_blow] < 1e-10 * result.N[0][bins[1:] < s_blow]).all()


def test_nothing_flows_out_when_the_window_has_closed(shipped: Shipped) -> None:
    """Its ends meet while Mars cools; the last sample is the moment at which they do."""
    cooling = {
        **changes("bound", "continuous", 2400.0),
        "temperature": {"law": "slab", "T0": 2400.0, "depth": 20.0},
    }
    stopping = {"t_end_orbits": 20.0, "stop_on_blowout_below_smin": True}
    result = run_zero_d(shipped("melt_simple", {**cooling, "numerics": stopping}))
    assert result.stop_reason is StopReason.BLOWOUT_BELOW_GRID
    assert Note.STOPPED_EARLY not in result.notes
    assert result.s_blow[-1] == 0.0
    assert result.M_out_dot[-1] == 0.0
    assert result.M_out_dot[0] > 0.0


def test_the_lower_end_is_passed_at_full_order(shipped: Shipped) -> None:
    """Mars cools so that both ends cross edges of the grid.

    A tolerance a hundred times lower changes little.
    """
    cooling = {
        **changes("bound", "continuous", 2800.0),
        "temperature": {"law": "slab", "T0": 2800.0, "depth": 20.0},
    }
    coarse, fine = (
        run_zero_d(
            shipped(
                "melt_simple",
                {**cooling, "numerics": {"t_end_orbits": 2.0, "rtol": rtol, "atol": 1e-16}},
            )
        )
        for rtol in (1e-5, 1e-8)
    )
    assert coarse.M_loss == pytest.approx(fine.M_loss, rel=1e-5)
    assert coarse.T_M[-1] < 2500.0
    run = watched(
        shipped(
            "melt_simple",
            {**cooling, "numerics": {"t_end_orbits": 2.0, "rtol": 1e-5, "atol": 1e-16}},
        )
    )
    edges = run.result.s_edges
    lows = np.array(
        [interpreted(drive)(run.arguments.drivers, t).s_low for t in run.path.t.tolist()]
    )
    lows = lows[lows > 0.0]
    passed = edges[(edges > lows.min()) & (edges < lows.max())]
    assert passed.size >= 2
    for edge in passed:
        # a step ends where the lower end passes an edge
        assert np.abs(lows / edge - 1.0).min() < 1e-9
