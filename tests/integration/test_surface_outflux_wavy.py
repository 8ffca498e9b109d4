"""Outflow of a wavy start: the sum of m S N over unbound bins, which is what the ledger holds."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from marsdisk.config import RunConfig
from marsdisk.physics.constants import M_MARS
from marsdisk.physics.grid import Array, grain_mass
from marsdisk.physics.orbit import annulus_area
from marsdisk.physics.sinks import blowout_sink_vector
from marsdisk.result import RunResult
from marsdisk.run.derived import derive
from marsdisk.zero_d import run_zero_d

#: Shaped as the baseline, but of grains alike enough for the classic step, partly below the
#: blow-out size at 4000 K.
WAVY: dict[str, Any] = {
    "psd": {"alpha": 3.5, "wavy_strength": 0.2, "floor": "none"},
    "sizes": {"s_min": 1e-6, "s_max": 1e-4, "n_bins": 20},
    "temperature": {"law": "constant", "T0": 4000.0},
    "optical_depth": {"tau0_target": 1e-5},
    "output": {"samples": 201, "spacing": "linear", "snapshots": 201},
}
SCHEMES = ["rosenbrock", "imex_bdf1"]


def run(shipped: Callable[..., RunConfig], scheme: str, **changes: Any) -> RunResult:
    return run_zero_d(
        shipped(
            "baseline", {**WAVY, "numerics": {"scheme": scheme, "t_end_orbits": 0.5}, **changes}
        )
    )


def outflow(result: RunResult) -> Array:
    """Sum m S N at every snapshot [M_Mars/s], from the size distributions."""
    disk = result.config.disk
    rate = derive(result.config).blowout_rate
    S = np.array(
        [blowout_sink_vector(result.s_edges[:-1], s_blow, 1.0 / rate) for s_blow in result.s_blow]
    )
    return (
        np.sum(S * result.N * grain_mass(result.s, result.config.material.rho), axis=1)
        * annulus_area(disk.r_in_RM, disk.r_out_RM)
        / M_MARS
    )


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_outflow_is_what_the_unbound_bins_lose(
    shipped: Callable[..., RunConfig], scheme: str
) -> None:
    result = run(shipped, scheme)
    expected = outflow(result)
    assert np.all(expected > 0.0)
    assert result.M_out_dot == pytest.approx(expected, rel=1e-12)


# of the trapezoidal rule, of first order
@pytest.mark.parametrize(("scheme", "error"), [("rosenbrock", 3e-5), ("imex_bdf1", 2e-3)])
def test_the_ledger_is_the_outflow_summed_over_time(
    shipped: Callable[..., RunConfig], scheme: str, error: float
) -> None:
    result = run(shipped, scheme)
    assert result.M_loss == result.M_loss_blowout > 0.0
    assert result.M_loss == pytest.approx(np.trapezoid(outflow(result), result.t), rel=error)
    assert result.M_loss_cum[-1] == result.M_loss
    assert np.all(np.diff(result.M_loss_cum) > 0.0)


def test_the_wave_of_the_start_is_seen_in_the_outflow(shipped: Callable[..., RunConfig]) -> None:
    wavy = run(shipped, "rosenbrock")
    smooth = run(shipped, "rosenbrock", psd={**WAVY["psd"], "wavy_strength": 0.0})
    assert wavy.M_out_dot[0] / wavy.Sigma_0 > 1.02 * smooth.M_out_dot[0] / smooth.Sigma_0


@pytest.mark.parametrize("scheme", SCHEMES)
def test_both_schemes_lose_the_same(shipped: Callable[..., RunConfig], scheme: str) -> None:
    exact = run(
        shipped, "rosenbrock", **{"numerics": {"t_end_orbits": 0.5, "rtol": 1e-8, "atol": 1e-14}}
    )
    assert run(shipped, scheme).M_loss == pytest.approx(exact.M_loss, rel=2e-3)


def test_grains_at_the_first_edge_are_unbound_however_it_is_rounded_where_that_is_the_blow_out_size(
    shipped: Callable[..., RunConfig],
) -> None:
    """With psd.floor: blowout the grid begins at s_blow(0).

    The sharp rule blows out its first bin while Mars stays hot, and none once it cools.
    """
    short = {"optical_depth": {"tau0_target": 1e-5}, "numerics": {"t_end_orbits": 1e-3}}
    hot = [
        run_zero_d(shipped("baseline", {**short, "temperature": {"law": "constant", "T0": T}}))
        for T in np.linspace(3000.0, 6000.0, 31)
    ]
    assert all(result.M_out_dot[-1] > 0.0 for result in hot)
    cooling = run_zero_d(shipped("baseline", short))
    assert cooling.M_out_dot[-1] == 0.0
    assert cooling.M_loss < 1e-5 * hot[0].M_loss
