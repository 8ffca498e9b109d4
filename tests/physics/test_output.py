"""Output of a run agrees with itself and does not depend on where the solution is sampled."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from marsdisk.config import RunConfig
from marsdisk.physics.orbit import orbital_period, reference_radius
from marsdisk.result import StopReason
from marsdisk.zero_d import run_zero_d

Shipped = Callable[..., RunConfig]
TOTALS = (
    *(
        "M_loss",
        "M_loss_blowout",
        "M_supplied",
        "Sigma_0",
        "Sigma_final",
        "t_end",
        "t99",
        "tau_max",
        "ledger_error",
        "steps",
    ),
    *("steps_rejected", "clamped", "stop_reason"),
)


@pytest.mark.parametrize(
    "output",
    [
        {"samples": 2, "snapshots": 2},
        {"samples": 1000},
        {"spacing": "linear"},
        {"decades": 12.0, "snapshots": 128},
    ],
)
@pytest.mark.parametrize("name", ["melt", "baseline"])
def test_totals_do_not_depend_on_where_the_solution_is_looked_at(
    shipped: Shipped, name: str, output: dict[str, Any]
) -> None:
    plain = run_zero_d(shipped(name))
    result = run_zero_d(shipped(name, {"output": output}))
    assert {key: getattr(plain, key) for key in TOTALS} == {
        key: getattr(result, key) for key in TOTALS
    }
    assert np.array_equal(plain.N[-1], result.N[-1])


@pytest.mark.parametrize("T0", [3000.0, 5000.0])
def test_99_percent_of_the_loss_is_lost_by_t99(shipped: Shipped, T0: float) -> None:
    result = run_zero_d(
        shipped(
            "melt_simple",
            {"temperature.T0": T0, "output.samples": 50_000, "output.spacing": "linear"},
        )
    )
    assert 0.0 < result.t99 < result.t_end
    assert np.interp(result.t99, result.t, result.M_loss_cum) == pytest.approx(
        0.99 * result.M_loss, rel=1e-6
    )


@pytest.mark.parametrize(
    "output", [{"samples": 50, "decades": 4.0}, {"samples": 33, "spacing": "linear"}]
)
def test_samples_begin_at_zero_and_end_with_the_run(
    shipped: Shipped, output: dict[str, Any]
) -> None:
    result = run_zero_d(shipped("melt_simple", {"output": {**output, "snapshots": 5}}))
    assert result.t[0] == 0.0
    assert result.t[-1] == result.t_end
    if "decades" in output:
        assert result.t[1] == pytest.approx(1e-4 * result.t_end, rel=1e-12)
        assert np.diff(np.log(result.t[1:])) == pytest.approx(
            np.log(result.t[-1] / result.t[1]) / 48, rel=1e-9
        )
    assert np.all(np.isin(result.t_snapshot, result.t))
    assert (result.t_snapshot[0], result.t_snapshot[-1]) == (0.0, result.t_end)


def test_the_flux_out_is_the_slope_of_the_loss(shipped: Shipped) -> None:
    result = run_zero_d(
        shipped(
            "melt_simple",
            {
                "output.samples": 20_000,
                "output.spacing": "linear",
                "numerics": {"t_end_orbits": 40.0, "rtol": 1e-8},
            },
        )
    )
    slope = np.gradient(result.M_loss_cum, result.t)
    assert result.M_out_dot[100:-100] == pytest.approx(slope[100:-100], rel=1e-3)


@pytest.mark.parametrize(
    ("numerics", "reason"),
    [
        ({"t_end_years": 0.01, "t_end_orbits": 1e6}, StopReason.T_END_YEARS),
        ({"t_end_years": 100.0, "t_end_orbits": 3.0}, StopReason.T_END_ORBITS),
        ({"t_end_years": 100.0, "t_end_until_temperature_K": 3900.0}, StopReason.TEMPERATURE),
    ],
)
def test_the_earliest_end_ends_the_run(
    shipped: Shipped, numerics: dict[str, float], reason: StopReason
) -> None:
    result = run_zero_d(shipped("melt_simple", {"numerics": numerics}))
    assert result.stop_reason is reason
    if reason is StopReason.T_END_ORBITS:
        assert result.t_end == pytest.approx(
            3.0 * orbital_period(reference_radius(1.0, 2.7)), rel=1e-14
        )
    assert result.stop_reason.advice


def test_the_same_configuration_gives_the_same_bits(shipped: Shipped) -> None:
    once = run_zero_d(shipped("melt_simple"))
    again = run_zero_d(shipped("melt_simple"))
    assert np.array_equal(once.N, again.N)
    assert np.array_equal(once.M_loss_cum, again.M_loss_cum)


@pytest.mark.parametrize(
    "line_of_sight", [{}, {"path_multiplier": 2.0, "h_over_r": 0.5}, {"path_multiplier": 0.1}]
)
@pytest.mark.parametrize("tau0", [0.1, 1.0])
def test_a_run_starts_at_its_optical_depth(
    shipped: Shipped, tau0: float, line_of_sight: dict[str, float]
) -> None:
    result = run_zero_d(
        shipped(
            "melt_simple",
            {
                "optical_depth": {"tau0_target": tau0, **line_of_sight},
                "numerics": {"t_end_orbits": 1.0},
            },
        )
    )
    factor = 4.0 if "h_over_r" in line_of_sight else 1.0
    assert result.tau_los[0] == pytest.approx(tau0, rel=1e-12)
    assert factor * np.sum(np.pi * result.s**2 * result.N[0]) == pytest.approx(tau0, rel=1e-12)
    assert result.tau_max >= result.tau_los.max() * (1.0 - 1e-6)
