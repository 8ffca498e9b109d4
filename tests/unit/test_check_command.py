"""``marsdisk check``: what it prints for people and programs, and its exit codes."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from marsdisk.cli import main
from marsdisk.convergence import BINS_LIMIT, QUANTITIES, TIME_LIMIT

CONFIGS = Path(__file__).parents[2] / "configs"
MONTH = ("--set", "numerics.t_end_years=0.1")
LOOSE = (*MONTH, "--set", "numerics.rtol=0.1", "--set", "numerics.atol=3.0e-4")


def check(*words: str, config: str = "melt_simple") -> Result:
    return CliRunner().invoke(main, ["check", str(CONFIGS / f"mars_0d_{config}.yaml"), *words])


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def test_a_run_within_its_limits_is_exit_code_0_and_says_what_was_compared() -> None:
    done = check(*MONTH)
    assert done.exit_code == 0, done.output
    text = in_one_line(done.output)
    for words in (
        *("40 bins, rtol = 0.001, atol = 1e-10: 0.1 yr in ", "quantity value with tighter steps err_time with twice the bins err_bins limits"),
        *("Tighter steps: the same run with rtol = 1e-05, atol = 1e-12, which took ", "shows the error of the integration"),
        *("Twice the bins: the same run on 80 bins between the same sizes, 1e-07 to 3 m.", "shows the error of the size grid"),
        *(
            "for the same optical depth Sigma_0 differs by 0.36 % between the grids",
            "M_loss [M_Mars] 4.50",
            "t99 [s] 31",
            "Sigma_final [kg m-2] 0.19",
        ),
        "passed: every err_time is within 0.001 and every err_bins within 0.01",
    ):
        assert words in text
    assert "FAIL" not in text
    assert "Note:" not in text


def test_a_run_beyond_a_limit_is_exit_code_1_and_says_which_and_what_to_do() -> None:
    done = check(*LOOSE)
    assert done.exit_code == 1, done.output
    assert re.search(r"failed: M_loss: err_time = 0\.00\d+ is over 0\.001; Sigma_final: err_time = 0\.00\d+ is over 0\.001", done.output)
    assert "for err_time: lower numerics.rtol and atol" in done.output
    assert "for err_bins" not in done.output
    assert [line.split()[-1] for line in done.output.splitlines()[2:5]] == ["FAIL", "pass", "FAIL"]


def test_limits_are_settable() -> None:
    assert check(*LOOSE, "--time-limit", "0.01").exit_code == 0
    done = check(*MONTH, "--bins-limit", "1e-6")
    assert done.exit_code == 1
    assert "for err_bins: raise sizes.n_bins" in done.output


def test_the_limits_that_help_names_are_those_that_hold() -> None:
    text = in_one_line(CliRunner().invoke(main, ["check", "--help"]).output)
    assert f"with tighter steps that passes. [default: {TIME_LIMIT:g}]" in text
    assert f"with twice the bins that passes. [default: {BINS_LIMIT:g}]" in text


def test_a_run_that_the_optical_depth_stops_says_where_each_of_them_ended_and_what_says_nothing() -> None:
    done = check(config="baseline")
    assert done.exit_code == 0, done.output
    for words in (
        "Note: the tighter run took as many steps, so it was not the tolerances that set them; err_time says little.",
        "Note: the run ended at 0.00182575 s (optical_depth), with tighter steps at 0.00182575 s (optical_depth), with twice the bins at 0.0017",
        "Note: nothing was lost in any of them, so M_loss and t99 agree at 0, which says nothing about their error.",
    ):
        assert words in done.output


def json_of(done: Result) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    return json.loads(done.output, parse_constant=refuse)


@pytest.mark.parametrize(("words", "code", "passed"), [(MONTH, 0, True), (LOOSE, 1, False)])
def test_for_programs_it_prints_the_same_as_json(words: tuple[str, ...], code: int, passed: bool) -> None:
    done = check(*words, "--json")
    assert done.exit_code == code, done.output
    found = json_of(done)
    assert found["passed"] is passed
    assert (found["failures"] == []) is passed
    assert (found["time_limit"], found["bins_limit"]) == (TIME_LIMIT, BINS_LIMIT)
    for kind, other in (("err_time", "tighter_steps"), ("err_bins", "twice_the_bins")):
        assert list(found[kind]) == list(QUANTITIES)
        for name, error in found[kind].items():
            assert error == abs(found["run"][name] - found[other][name]) / found[other][name]
    assert found["run"]["stop_reason"] == "t_end_years"


def test_an_infinite_difference_is_null_for_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marsdisk.convergence.relative_difference", lambda value, reference: float("inf"))
    done = check(*MONTH, "--json")
    assert done.exit_code == 1
    assert json_of(done)["err_time"] == dict.fromkeys(QUANTITIES)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--set", "sizes.n_bins=501"), "sizes.n_bins = 501: a check needs a run with twice as many"),
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
