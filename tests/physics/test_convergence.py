"""A run that tells its own error: against tighter steps, against other bins, and against limits."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import marsdisk
from marsdisk.accuracy.convergence import (
    BINS_LIMIT,
    COMPARED,
    QUANTITIES,
    TIME_LIMIT,
    Convergence,
    bins_for,
    check_run,
    comparisons,
    relative_difference,
    tolerance_for,
)
from marsdisk.accuracy.extrapolation import extrapolated_error
from marsdisk.cache import RunCache
from marsdisk.common.errors import ConfigError, SolverError
from marsdisk.config import RunConfig
from marsdisk.result import RunResult
from marsdisk.zero_d import run_zero_d

Shipped = Callable[..., RunConfig]
MONTH: dict[str, Any] = {"numerics": {"t_end_years": 0.1}}
LOOSE: dict[str, Any] = {"numerics": {"t_end_years": 0.1, "rtol": 0.1, "atol": 3e-4}}
CLASSIC: dict[str, Any] = {
    "sizes": {"s_min": 1e-4, "s_max": 1e-2, "n_bins": 20},
    "initial": {"s0_mode": "upper"},
    "optical_depth.tau_stop": None,
    "numerics": {"scheme": "imex_bdf1", "t_end_orbits": 2e-5, "dt": 4e-4},
}


def test_the_shipped_melt_loses_what_it_says_but_its_depth_at_the_end_needs_more_bins(
    shipped: Shipped,
) -> None:
    convergence = check_run(shipped("melt_simple"))
    assert (
        (convergence.time_limit, convergence.bins_limit) == (TIME_LIMIT, BINS_LIMIT) == (1e-3, 1e-2)
    )
    assert (
        set(convergence.err_time)
        == set(convergence.err_bins)
        == set(convergence.order_bins)
        == set(QUANTITIES)
    )
    assert all(0.0 <= error < 1e-3 for error in convergence.err_time.values())
    assert all(
        1e-7 < convergence.err_bins[name] < 1e-2 for name in ("M_loss", "t99", "M_out_dot_max")
    )
    beyond = {line.split(" = ")[0] for line in convergence.failures}
    assert "tau_final: err_bins" in beyond <= {"tau_final: err_bins", "Sigma_final: err_bins"}


def test_with_more_bins_it_passes(shipped: Shipped) -> None:
    convergence = check_run(shipped("melt_simple", {**MONTH, "sizes.n_bins": 160}))
    assert convergence.passed
    assert convergence.failures == ()


def test_the_first_run_is_the_run_itself_and_the_others_differ_in_one_thing(
    shipped: Shipped,
) -> None:
    config = shipped("melt_simple", MONTH)
    convergence = check_run(config)
    assert convergence.run.config == config
    assert convergence.run.N.tobytes() == run_zero_d(config).N.tobytes()
    max_steps = 10 * config.numerics.max_steps
    numerics = config.numerics.model_copy(
        update={"rtol": 1e-5, "atol": 1e-12, "max_steps": max_steps}
    )
    assert convergence.tighter.config == config.model_copy(update={"numerics": numerics})
    numerics = config.numerics.model_copy(update={"max_steps": max_steps})
    assert convergence.finer.config == config.model_copy(
        update={"numerics": numerics, "sizes": config.sizes.model_copy(update={"n_bins": 80})}
    )
    assert convergence.coarser is not None
    assert convergence.coarser.config == config.model_copy(
        update={"numerics": numerics, "sizes": config.sizes.model_copy(update={"n_bins": 20})}
    )
    assert convergence.coarser.s_edges[[0, -1]] == pytest.approx(
        convergence.run.s_edges[[0, -1]], rel=1e-12
    )
    assert convergence.finer.s_edges[[0, -1]] == pytest.approx(
        convergence.run.s_edges[[0, -1]], rel=1e-12
    )


def test_a_result_that_is_known_is_not_computed_again(shipped: Shipped) -> None:
    run = run_zero_d(shipped("melt_simple", MONTH))
    convergence = check_run(run.config, run=run)
    assert convergence.run is run
    again = check_run(run.config, cache=RunCache())
    assert (convergence.err_time, convergence.err_bins) == (again.err_time, again.err_bins)


@pytest.mark.parametrize("bins", [40, 41])
def test_errors_are_those_of_the_values_of_the_four_runs(shipped: Shipped, bins: int) -> None:
    convergence = check_run(shipped("melt_simple", {**MONTH, "sizes.n_bins": bins}))
    assert convergence.coarser is not None
    assert convergence.coarser.s.size == 20
    for name, quantity in COMPARED.items():
        value = quantity.value(convergence.run)
        tighter = quantity.value(convergence.tighter)
        assert convergence.err_time[name] == abs(value - tighter) / tighter
        coarser = quantity.value(convergence.coarser)
        finer = quantity.value(convergence.finer)
        error = extrapolated_error(coarser, value, finer, bins / 20)
        assert (convergence.err_bins[name], convergence.order_bins[name]) == pytest.approx(
            error, nan_ok=True
        )


def test_compared_are_totals_of_the_result_and_ends_and_peaks_of_its_series(
    shipped: Shipped,
) -> None:
    run = run_zero_d(shipped("melt_simple", MONTH))
    values = {name: quantity.value(run) for name, quantity in COMPARED.items()}
    assert values.pop("tau_final") == run.tau_los[-1] != run.tau_los.max()
    assert values.pop("M_out_dot_max") == run.M_out_dot[1:].max() > run.M_out_dot[-1]
    assert values == {name: getattr(run, name) for name in values}
    assert {"M_loss", "t99", "Sigma_final", "t_end", "tau_max"} == values.keys()


@pytest.mark.parametrize("bins", [2, 3])
def test_a_grid_of_two_or_three_bins_has_no_half(shipped: Shipped, bins: int) -> None:
    convergence = check_run(shipped("melt_simple", {**MONTH, "sizes.n_bins": bins}))
    assert convergence.coarser is None
    assert convergence.err_bins["M_loss"] > 0.5
    assert math.isnan(convergence.order_bins["M_loss"])
    assert (
        convergence.solver_time == convergence.tighter.solver_time + convergence.finer.solver_time
    )


def test_a_run_with_half_the_bins_that_cannot_go_on_is_named(
    shipped: Shipped, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(config: RunConfig, **options: Any) -> RunResult:
        if config.sizes.n_bins == 20:
            raise SolverError("no further")
        return run_zero_d(config, **options)

    monkeypatch.setattr("marsdisk.zero_d.run_zero_d", refuse)
    with pytest.raises(
        SolverError, match=r"^the run with half the bins, to compare with: no further"
    ):
        check_run(shipped("melt_simple", MONTH))


def test_the_error_of_the_integration_shrinks_with_the_tolerance(shipped: Shipped) -> None:
    runs = [
        {**MONTH, "numerics.rtol": rtol, "numerics.atol": 1e-5 * rtol}
        for rtol in (1e-2, 1e-4, 1e-6)
    ]
    errors = [max(check_run(shipped("melt_simple", run)).err_time.values()) for run in runs]
    assert errors[0] > 10.0 * errors[1] > 100.0 * errors[2] > 0.0


def test_err_time_is_the_error_that_a_much_tighter_run_finds(shipped: Shipped) -> None:
    """To a factor of two for the optical depth, whose error the tighter run shares a third of."""
    convergence = check_run(shipped("melt_simple", LOOSE))
    exact = run_zero_d(
        shipped("melt_simple", {"numerics": {"t_end_years": 0.1, "rtol": 1e-9, "atol": 1e-16}})
    )
    for name, quantity in COMPARED.items():
        error = relative_difference(quantity.value(convergence.run), quantity.value(exact))
        assert convergence.err_time[name] == pytest.approx(
            error, rel=1.0 if name == "tau_final" else 0.2
        )


def test_loose_tolerances_fail_by_name(shipped: Shipped) -> None:
    convergence = check_run(shipped("melt_simple", LOOSE))
    assert not convergence.passed
    names = [line.split(" = ")[0] for line in convergence.failures]
    assert [name for name in names if "err_time" in name] == [
        "M_loss: err_time",
        "Sigma_final: err_time",
    ]
    assert convergence.failures[0].endswith(" is over 0.001")
    again = check_run(convergence.run.config, run=convergence.run, time_limit=0.01, bins_limit=0.1)
    assert again.passed
    strict = dataclasses.replace(again, bins_limit=1e-3)
    assert {line.split(": ")[0] for line in strict.failures} == {
        *("M_loss", "Sigma_final", "tau_final", "M_out_dot_max"),
    }


def test_the_error_of_the_size_grid_shrinks_with_the_bins(shipped: Shipped) -> None:
    errors = [
        check_run(shipped("melt_simple", {**MONTH, "sizes.n_bins": bins})).err_bins["M_loss"]
        for bins in (20, 40, 80)
    ]
    assert errors[0] > 2.0 * errors[1] > 4.0 * errors[2] > 0.0


@pytest.mark.parametrize(
    ("value", "reference", "difference"),
    [
        (0.0, 0.0, 0.0),
        (1e-300, 0.0, math.inf),
        (0.0, 2.0, 1.0),
        (3.0, -2.0, 2.5),
        (2.0, 2.0, 0.0),
        (math.nan, 1.0, math.inf),
        (1.0, math.nan, math.inf),
        (math.nan, math.nan, math.inf),
        (math.inf, math.inf, math.inf),
    ],
)
def test_a_relative_difference_is_never_nan(
    value: float, reference: float, difference: float
) -> None:
    assert relative_difference(value, reference) == difference


def test_a_run_that_loses_nothing_agrees_with_runs_that_lose_nothing(shipped: Shipped) -> None:
    convergence = check_run(shipped("baseline"))
    assert convergence.run.M_loss == convergence.finer.M_loss == 0.0
    assert convergence.err_time["M_loss"] == convergence.err_bins["t99"] == 0.0
    assert [line.split(" = ")[0] for line in convergence.failures] == ["t_end: err_bins"]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_no_number_does_not_pass(shipped: Shipped, bad: float) -> None:
    run = run_zero_d(shipped("baseline"))
    worse = dataclasses.replace(run, M_loss=bad)
    convergence = Convergence(
        run=run, tighter=worse, finer=worse, coarser=run, time_limit=1.0, bins_limit=1.0
    )
    assert convergence.failures == (
        "M_loss: err_time = inf is over 1",
        "M_loss: err_bins = inf is over 1",
    )


@pytest.mark.parametrize(("rtol", "tighter"), [(1e-3, 1e-5), (1e-11, 1e-12), (1e-12, 1e-12)])
def test_tolerances_are_tightened_as_far_as_a_configuration_may_go(
    shipped: Shipped, rtol: float, tighter: float
) -> None:
    config = comparisons(shipped("melt_simple", {"numerics.rtol": rtol, "numerics.atol": 1e-19}))[0]
    assert (config.numerics.rtol, config.numerics.atol) == (pytest.approx(tighter), 1e-20)


def test_the_limit_on_steps_is_that_of_the_run_and_not_of_its_check(shipped: Shipped) -> None:
    convergence = check_run(shipped("melt_simple", {"numerics.max_steps": 70}))
    assert convergence.run.steps < 70 < convergence.finer.steps < convergence.tighter.steps


def test_more_bins_than_can_be_doubled_are_refused(shipped: Shipped) -> None:
    with pytest.raises(
        ConfigError,
        match=(
            r"sizes\.n_bins = 501: a check needs a run with twice as many, and 1000 are allowed;"
            r" give at most 500"
        ),
    ):
        check_run(shipped("melt_simple", {"sizes.n_bins": 501}))


def test_a_run_to_compare_with_that_cannot_go_on_is_told_from_the_run_itself(
    shipped: Shipped, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SolverError, match=r"^numerics.max_steps = 3 reached"):
        check_run(shipped("melt_simple", {"numerics.max_steps": 3}))
    monkeypatch.setattr("marsdisk.accuracy.convergence.MORE_STEPS", 1)
    with pytest.raises(
        SolverError,
        match=r"^the run with tighter steps, to compare with: numerics.max_steps = 70 reached",
    ):
        check_run(shipped("melt_simple", {"numerics.max_steps": 70}))


def test_the_classic_scheme_halves_its_step_and_its_error(shipped: Shipped) -> None:
    fine = {
        **CLASSIC,
        "sizes": {"s_min": 1e-6, "s_max": 1e-4, "n_bins": 20},
        "optical_depth": {"tau0_target": 0.1},
    }
    errors = []
    for dt in (2e-3, 1e-3):
        convergence = check_run(
            shipped(
                "melt_simple",
                {**fine, "numerics": {"scheme": "imex_bdf1", "t_end_orbits": 2e-6, "dt": dt}},
            )
        )
        assert convergence.tighter.config.numerics.dt == dt / 2
        assert convergence.tighter.steps == pytest.approx(2 * convergence.run.steps, abs=1)
        errors.append(convergence.err_time["M_loss"])
    assert errors[0] / errors[1] == pytest.approx(2.0, rel=0.1)


def test_the_error_of_a_classic_run_is_that_which_a_much_smaller_step_finds(
    shipped: Shipped,
) -> None:
    fine = {
        **CLASSIC,
        "sizes": {"s_min": 1e-6, "s_max": 1e-4, "n_bins": 20},
        "optical_depth": {"tau0_target": 0.1},
    }
    classic = {"scheme": "imex_bdf1", "t_end_orbits": 2e-6, "dt": 1e-3}
    convergence = check_run(shipped("melt_simple", {**fine, "numerics": classic}))
    exact = run_zero_d(shipped("melt_simple", {**fine, "numerics": {**classic, "dt": 1e-3 / 64}}))
    error = relative_difference(convergence.run.M_loss, exact.M_loss)
    assert convergence.err_time["M_loss"] == pytest.approx(error, rel=0.1)


def test_a_classic_run_without_a_step_of_its_own_has_half_a_thousandth_of_the_run_as_tighter_one(
    shipped: Shipped,
) -> None:
    convergence = check_run(
        shipped(
            "melt_simple", {**CLASSIC, "numerics": {"scheme": "imex_bdf1", "t_end_orbits": 2e-5}}
        )
    )
    assert convergence.tighter.config.numerics.dt == pytest.approx(convergence.run.t_end / 2000.0)
    assert (convergence.run.steps, convergence.tighter.steps) == (1000, 2000)


def test_classic_steps_that_collisions_bound_are_refused_as_nothing_halves_them(
    shipped: Shipped,
) -> None:
    with pytest.raises(
        ConfigError,
        match=(
            r"classic steps cover 2 outer steps of 1 s, .* half of dt would not show their error\."
            r" Give a dt well below"
        ),
    ):
        check_run(
            shipped(
                "melt_simple",
                {**CLASSIC, "numerics": {"scheme": "imex_bdf1", "t_end_orbits": 1e-4, "dt": 1.0}},
            )
        )


def test_it_is_there_from_the_package(shipped: Shipped) -> None:
    convergence = marsdisk.check_run(shipped("melt_simple", MONTH))
    assert isinstance(convergence, marsdisk.Convergence)
    assert isinstance(convergence.finer, RunResult)
    assert np.isfinite(convergence.finer.N).all()


@pytest.mark.parametrize(
    "limits", [{"time_limit": float("nan")}, {"bins_limit": 0.0}, {"bins_limit": -1.0}]
)
def test_a_limit_that_is_none_is_refused(shipped: Shipped, limits: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="limits of a check must be positive"):
        check_run(shipped("baseline"), **limits)


@pytest.mark.parametrize(
    ("bins", "error", "order", "needed"),
    [
        (40, 0.04, 2.0, 80),
        (40, 0.04, 1.0, 160),
        (40, 0.04, math.nan, 160),  # as of first order
        (40, 0.011, 2.0, 50),
        (25, 0.02, 0.5, 100),
        (40, 0.3, 1.0, None),  # 1200
        (40, math.inf, 1.0, None),
    ],
)
def test_bins_are_advised_by_the_order(
    bins: int, error: float, order: float, needed: int | None
) -> None:
    assert bins_for(bins, error, order, 0.01) == needed


@pytest.mark.parametrize(
    ("tolerance", "error", "advised"),
    [(1e-3, 5e-3, 4e-5), (1e-3, 2e-3, 1e-4), (0.1, 2.42e-3, 8e-3), (1e-10, 1e-2, 2e-12)],
)
def test_tolerances_are_advised_with_a_factor_of_five_to_spare(
    tolerance: float, error: float, advised: float
) -> None:
    assert tolerance_for(tolerance, error, 1e-3) == advised


def test_what_is_advised_brings_the_errors_down(shipped: Shipped) -> None:
    convergence = check_run(shipped("melt_simple", LOOSE))
    rtol = tolerance_for(0.1, max(convergence.err_time.values()), TIME_LIMIT)
    needed = [bins_for(40, *grid, BINS_LIMIT) for grid in convergence.grid_errors.values()]
    assert None not in needed
    bins = max(number for number in needed if number is not None)
    numerics = {"t_end_years": 0.1, "rtol": rtol, "atol": 3e-3 * rtol}
    assert bins > 40
    assert check_run(shipped("melt_simple", {"numerics": numerics, "sizes.n_bins": bins})).passed
