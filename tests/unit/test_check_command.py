"""``marsdisk check``: what it prints for people and programs, and its exit codes."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from marsdisk.accuracy.convergence import BINS_LIMIT, QUANTITIES, TIME_LIMIT
from marsdisk.accuracy.extrapolation import extrapolated_error
from marsdisk.cli import main
from marsdisk.config import load_config
from marsdisk.report.result import write_result
from marsdisk.zero_d import run_zero_d

CONFIGS = Path(__file__).parents[2] / "configs"
MONTH = ("--set", "numerics.t_end_years=0.1")
FINE = (*MONTH, "--set", "sizes.n_bins=160")
LOOSE = (*MONTH, "--set", "numerics.rtol=0.1", "--set", "numerics.atol=3.0e-4")


def check(*words: str, config: str = "melt_simple") -> Result:
    return CliRunner().invoke(main, ["check", str(CONFIGS / f"mars_0d_{config}.yaml"), *words])


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def test_a_run_within_its_limits_is_exit_code_0_and_says_what_was_compared() -> None:
    done = check(*FINE)
    assert done.exit_code == 0, done.output
    text = in_one_line(done.output)
    for words in (
        "160 bins, rtol = 0.001, atol = 1e-10: 0.1 yr in ",
        "quantity unit value error from time steps error from bins order limits verdict",
        (
            "Error from time steps (err_time): that of the integration, by the same run with rtol ="
            " 1e-05, atol = 1e-12, which took "
        ),
        (
            "Error from bins (err_bins): that of the size grid, extrapolated from the same run on"
            " 80, 160 and 320 bins between the same sizes, 1e-07 to 3 m"
        ),
        "for the same optical depth Sigma_0 differs by 0.022 % between 160 and 320 bins",
        "M_loss M_Mars 4.4",
        "t99 s 31",
        "Sigma_final kg m-2 0.19",
        "t_end s 3155760 0 0 - 0.001, 0.01 pass",
        "passed: every err_time is within 0.001 and every err_bins within 0.01",
    ):
        assert words in text
    assert "FAIL" not in text
    assert "Note:" not in text


def test_a_run_beyond_a_limit_is_exit_code_1_and_says_which_and_what_to_do() -> None:
    done = check(*LOOSE)
    assert done.exit_code == 1, done.output
    assert re.search(
        r"failed: M_loss: err_time = 0\.00\d+ is over 0\.001; Sigma_final: err_time = 0\.00\d+ is"
        r" over 0\.001",
        done.output,
    )
    assert re.search(
        r"within both limits: t99 to 0\.00\d+ %, t_end to round-off, tau_max to round-off,"
        r" M_out_dot_max to 0\.\d+ %\n",
        done.output,
    )
    assert (
        "for err_time: lower numerics.rtol and atol to about 0.008 and 2e-05 and check again, or"
        " accept the error: --time-limit 0.0025\n" in done.output
    )
    assert re.search(
        r"for err_bins: raise sizes\.n_bins to about 1\d0 and check again \(tau_final needs most\),"
        r" or accept the error: --bins-limit 0\.0\d+\n",
        done.output,
    )
    verdicts = {line.split()[0]: line.split()[-1] for line in done.output.splitlines()[2:9]}
    assert list(verdicts) == list(QUANTITIES)
    assert [name for name, verdict in verdicts.items() if verdict == "FAIL"] == [
        "M_loss",
        "Sigma_final",
        "tau_final",
    ]


def test_what_the_advice_names_is_what_passes() -> None:
    (limit,) = re.findall(r"--bins-limit \S+", check(*MONTH).output)
    assert check(*MONTH, *limit.split()).exit_code == 0
    (bins,) = re.findall(r"raise sizes.n_bins to about (\d+)", check(*MONTH).output)
    assert check(*MONTH, "--set", f"sizes.n_bins={bins}").exit_code == 0


def test_limits_are_settable() -> None:
    assert check(*LOOSE, "--time-limit", "0.01", "--bins-limit", "0.1").exit_code == 0
    done = check(*MONTH, "--bins-limit", "1e-6")
    assert done.exit_code == 1
    assert (
        "for err_bins: no sizes.n_bins that is allowed would be enough (tau_final needs most)"
        in done.output
    )


def test_the_limits_that_help_names_are_those_that_hold() -> None:
    text = in_one_line(CliRunner().invoke(main, ["check", "--help"]).output)
    assert f"error from time steps that passes. [default: {TIME_LIMIT:g}]" in text
    assert f"error from the size bins that passes. [default: {BINS_LIMIT:g}]" in text


def test_runs_that_the_optical_depth_stops_are_compared_by_their_ends() -> None:
    done = check(config="baseline")
    assert done.exit_code == 1, done.output
    for words in (
        (
            "Note: the tighter run took as many steps, so it was not the tolerances that set them;"
            " err_time says little."
        ),
        (
            "Note: the run ended at 0.00182575 s (optical_depth), with tighter steps at 0.00182575"
            " s (optical_depth), with twice the bins at 0.0017"
        ),
        "with half the bins at 0.0020",
        "failed: t_end: err_bins = 0.05",
        (
            "Note: nothing was lost in any of them, so M_loss and t99 agree at 0, which says"
            " nothing about their error."
        ),
    ):
        assert words in done.output


def json_of(done: Result) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    return json.loads(done.output, parse_constant=refuse)


@pytest.mark.parametrize(("words", "code", "passed"), [(FINE, 0, True), (LOOSE, 1, False)])
def test_for_programs_it_prints_the_same_as_json(
    words: tuple[str, ...], code: int, passed: bool
) -> None:
    done = check(*words, "--json")
    assert done.exit_code == code, done.output
    report = json_of(done)
    assert report["passed"] is passed
    assert (report["failures"] == []) is passed
    assert (report["time_limit"], report["bins_limit"]) == (TIME_LIMIT, BINS_LIMIT)
    assert (
        list(report["err_time"])
        == list(report["err_bins"])
        == list(report["order_bins"])
        == list(QUANTITIES)
    )
    runs = ("tighter_steps", "half_the_bins", "run", "twice_the_bins")
    for name in QUANTITIES:
        tighter, coarser, value, finer = (report[run][name] for run in runs)
        assert report["err_time"][name] == abs(value - tighter) / tighter
        error, order = extrapolated_error(coarser, value, finer)
        assert report["err_bins"][name] == error
        assert report["order_bins"][name] == (None if math.isnan(order) else order)
    bins = report["run"]["bins"]
    assert [report[run]["bins"] for run in runs] == [bins, bins // 2, bins, 2 * bins]
    assert report["run"]["stop_reason"] == "t_end_years"


def test_an_infinite_difference_is_null_for_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "marsdisk.accuracy.convergence.relative_difference", lambda value, reference: float("inf")
    )
    done = check(*MONTH, "--json")
    assert done.exit_code == 1
    assert json_of(done)["err_time"] == dict.fromkeys(QUANTITIES)


def test_a_grid_without_a_half_is_null_for_programs_and_named_for_people() -> None:
    few = (*MONTH, "--set", "sizes.n_bins=3")
    assert json_of(check(*few, "--json"))["half_the_bins"] is None
    assert "extrapolated from the same run on 3 and 6 bins" in check(*few).output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--set", "sizes.n_bins=501"),
            "sizes.n_bins = 501: a check needs a run with twice as many",
        ),
        (("--set", "material.rh=3"), "there is no such key; did you mean material.rho?"),
        (("--set", "numerics.max_steps=3"), "numerics.max_steps = 3 reached"),
        (("--time-limit", "0"), "Invalid value for '--time-limit'"),
        (("--bins-limit", "-1"), "Invalid value for '--bins-limit'"),
    ],
)
def test_bad_input_is_exit_code_2_with_a_message(words: tuple[str, ...], message: str) -> None:
    done = check(*words)
    assert done.exit_code == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_from_python_a_result_is_written_over_an_older_one(tmp_path: Path) -> None:
    result = run_zero_d(
        load_config(CONFIGS / "mars_0d_melt_simple.yaml", {"numerics.t_end_years": 0.001})
    )
    for _ in range(2):
        write_result(result, tmp_path / "run.csv")
    assert (tmp_path / "run.csv").read_text(encoding="utf-8").startswith("t [s],")
