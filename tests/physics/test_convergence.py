"""A run that tells its own error: against tighter steps, against twice the bins, and against limits."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import marsdisk
from marsdisk.cache import RunCache
from marsdisk.config import RunConfig
from marsdisk.convergence import BINS_LIMIT, QUANTITIES, TIME_LIMIT, Convergence, check_run, comparisons, relative_difference
from marsdisk.errors import ConfigError, SolverError
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


def test_a_shipped_configuration_passes(shipped: Shipped) -> None:
    found = check_run(shipped("melt_simple"))
    assert found.passed
    assert found.failures == ()
    assert (found.time_limit, found.bins_limit) == (TIME_LIMIT, BINS_LIMIT) == (1e-3, 1e-2)
    assert set(found.err_time) == set(found.err_bins) == set(QUANTITIES)
    assert all(0.0 < error < 1e-6 for error in found.err_time.values())
    assert all(1e-7 < error < 1e-2 for error in found.err_bins.values())


def test_the_first_run_is_the_run_itself_and_the_others_differ_in_one_thing(shipped: Shipped) -> None:
    config = shipped("melt_simple", MONTH)
    found = check_run(config)
    assert found.run.config == config
    assert found.run.N.tobytes() == run_zero_d(config).N.tobytes()
    most = 10 * config.numerics.max_steps
    numerics = config.numerics.model_copy(update={"rtol": 1e-5, "atol": 1e-12, "max_steps": most})
    assert found.tighter.config == config.model_copy(update={"numerics": numerics})
    numerics = config.numerics.model_copy(update={"max_steps": most})
    assert found.finer.config == config.model_copy(update={"numerics": numerics, "sizes": config.sizes.model_copy(update={"n_bins": 80})})
    assert found.finer.s_edges[[0, -1]] == pytest.approx(found.run.s_edges[[0, -1]], rel=1e-12)


def test_a_result_that_is_known_is_not_computed_again(shipped: Shipped) -> None:
    run = run_zero_d(shipped("melt_simple", MONTH))
    found = check_run(run.config, run=run)
    assert found.run is run
    again = check_run(run.config, cache=RunCache())
    assert (found.err_time, found.err_bins) == (again.err_time, again.err_bins)


def test_the_differences_are_relative_to_the_better_run(shipped: Shipped) -> None:
    found = check_run(shipped("melt_simple", MONTH))
    for name in QUANTITIES:
        value, tighter, finer = (getattr(result, name) for result in (found.run, found.tighter, found.finer))
        assert found.err_time[name] == abs(value - tighter) / tighter
        assert found.err_bins[name] == abs(value - finer) / finer


def test_the_error_of_the_integration_shrinks_with_the_tolerance(shipped: Shipped) -> None:
    runs = [{**MONTH, "numerics.rtol": rtol, "numerics.atol": 1e-5 * rtol} for rtol in (1e-2, 1e-4, 1e-6)]
    errors = [max(check_run(shipped("melt_simple", run)).err_time.values()) for run in runs]
    assert errors[0] > 10.0 * errors[1] > 100.0 * errors[2] > 0.0


def test_err_time_is_the_error_that_a_much_tighter_run_finds(shipped: Shipped) -> None:
    found = check_run(shipped("melt_simple", LOOSE))
    exact = run_zero_d(shipped("melt_simple", {"numerics": {"t_end_years": 0.1, "rtol": 1e-9, "atol": 1e-16}}))
    for name in QUANTITIES:
        assert found.err_time[name] == pytest.approx(relative_difference(getattr(found.run, name), getattr(exact, name)), rel=0.2)


def test_loose_tolerances_fail_by_name(shipped: Shipped) -> None:
    found = check_run(shipped("melt_simple", LOOSE))
    assert not found.passed
    assert [line.split(" = ")[0] for line in found.failures] == ["M_loss: err_time", "Sigma_final: err_time"]
    assert found.failures[0].endswith(" is over 0.001")
    assert check_run(found.run.config, run=found.run, time_limit=0.01).passed
    assert len(check_run(found.run.config, run=found.run, time_limit=0.01, bins_limit=1e-4).failures) == 2


def test_the_error_of_the_size_grid_shrinks_with_the_bins(shipped: Shipped) -> None:
    errors = [check_run(shipped("melt_simple", {**MONTH, "sizes.n_bins": bins})).err_bins["M_loss"] for bins in (20, 40, 80)]
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
def test_a_relative_difference_is_never_nan(value: float, reference: float, difference: float) -> None:
    assert relative_difference(value, reference) == difference


def test_a_run_that_loses_nothing_agrees_with_runs_that_lose_nothing(shipped: Shipped) -> None:
    found = check_run(shipped("baseline"))
    assert found.run.M_loss == found.finer.M_loss == 0.0
    assert found.err_time["M_loss"] == found.err_bins["t99"] == 0.0
    assert found.passed


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_no_number_does_not_pass(shipped: Shipped, bad: float) -> None:
    run = run_zero_d(shipped("baseline"))
    worse = dataclasses.replace(run, M_loss=bad)
    found = Convergence(run=run, tighter=worse, finer=worse, time_limit=1.0, bins_limit=1.0)
    assert found.failures == ("M_loss: err_time = inf is over 1", "M_loss: err_bins = inf is over 1")


@pytest.mark.parametrize(("rtol", "tighter"), [(1e-3, 1e-5), (1e-11, 1e-12), (1e-12, 1e-12)])
def test_tolerances_are_tightened_as_far_as_a_configuration_may_go(shipped: Shipped, rtol: float, tighter: float) -> None:
    config = comparisons(shipped("melt_simple", {"numerics.rtol": rtol, "numerics.atol": 1e-19}))[0]
    assert (config.numerics.rtol, config.numerics.atol) == (pytest.approx(tighter), 1e-20)


def test_the_limit_on_steps_is_that_of_the_run_and_not_of_its_check(shipped: Shipped) -> None:
    found = check_run(shipped("melt_simple", {"numerics.max_steps": 70}))
    assert found.run.steps < 70 < found.finer.steps < found.tighter.steps


def test_more_bins_than_can_be_doubled_are_refused(shipped: Shipped) -> None:
    with pytest.raises(ConfigError, match=r"sizes\.n_bins = 501: a check needs a run with twice as many, and 1000 are allowed; give at most 500"):
        check_run(shipped("melt_simple", {"sizes.n_bins": 501}))


def test_a_run_to_compare_with_that_cannot_go_on_is_told_from_the_run_itself(shipped: Shipped, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SolverError, match=r"^numerics.max_steps = 3 reached"):
        check_run(shipped("melt_simple", {"numerics.max_steps": 3}))
    monkeypatch.setattr("marsdisk.convergence.MORE_STEPS", 1)
    with pytest.raises(SolverError, match=r"^the run with tighter steps, to compare with: numerics.max_steps = 70 reached"):
        check_run(shipped("melt_simple", {"numerics.max_steps": 70}))


def test_the_classic_scheme_halves_its_step_and_its_error(shipped: Shipped) -> None:
    fine = {**CLASSIC, "sizes": {"s_min": 1e-6, "s_max": 1e-4, "n_bins": 20}, "optical_depth": {"tau0_target": 0.1}}
    errors = []
    for dt in (2e-3, 1e-3):
        found = check_run(shipped("melt_simple", {**fine, "numerics": {"scheme": "imex_bdf1", "t_end_orbits": 2e-6, "dt": dt}}))
        assert found.tighter.config.numerics.dt == dt / 2
        assert found.tighter.steps == pytest.approx(2 * found.run.steps, abs=1)
        errors.append(found.err_time["M_loss"])
    assert errors[0] / errors[1] == pytest.approx(2.0, rel=0.1)


def test_a_classic_run_without_a_step_of_its_own_has_half_a_thousandth_of_the_run_as_tighter_one(shipped: Shipped) -> None:
    found = check_run(shipped("melt_simple", {**CLASSIC, "numerics": {"scheme": "imex_bdf1", "t_end_orbits": 2e-5}}))
    assert found.tighter.config.numerics.dt == pytest.approx(found.run.t_end / 2000.0)
    assert (found.run.steps, found.tighter.steps) == (1000, 2000)


def test_classic_steps_that_collisions_bound_are_refused_as_nothing_halves_them(shipped: Shipped) -> None:
    with pytest.raises(
        ConfigError, match=r"classic steps cover 2 outer steps of 1 s, .* half of dt would not show their error\. Give a dt well below"
    ):
        check_run(shipped("melt_simple", {**CLASSIC, "numerics": {"scheme": "imex_bdf1", "t_end_orbits": 1e-4, "dt": 1.0}}))


def test_it_is_there_from_the_package(shipped: Shipped) -> None:
    found = marsdisk.check_run(shipped("melt_simple", MONTH))
    assert isinstance(found, marsdisk.Convergence)
    assert isinstance(found.finer, RunResult)
    assert np.isfinite(found.finer.N).all()


@pytest.mark.parametrize("limits", [{"time_limit": float("nan")}, {"bins_limit": 0.0}, {"bins_limit": -1.0}])
def test_a_limit_that_is_none_is_refused(shipped: Shipped, limits: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="limits of a check must be positive"):
        check_run(shipped("baseline"), **limits)
