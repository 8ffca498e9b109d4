"""``marsdisk profile``: what it measures, and how it says it."""

import itertools
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from marsdisk.cache import RunCache
from marsdisk.classic import profiling
from marsdisk.classic.profiling import FUNCTIONS, StepProfile, profile_step
from marsdisk.cli import main
from marsdisk.config import load_config
from marsdisk.report.profile import print_profile

CONFIG = str(Path(__file__).parents[2] / "configs" / "mars_0d_baseline.yaml")


def test_for_programs_it_prints_seconds_by_function_and_the_counters() -> None:
    done = CliRunner().invoke(
        main, ["profile", CONFIG, "--steps", "200", "--json", "--set", "sizes.n_bins=20"]
    )
    assert done.exit_code == 0, done.output
    report = json.loads(done.output)
    assert set(report["cached"]) == set(report["uncached"]) == set(FUNCTIONS)
    assert (
        report["cached"]["compute_q_d_star_array"]
        == 0.0
        < report["uncached"]["compute_q_d_star_array"]
    )
    assert all(
        report[name]["step_collisions"]
        > report[name]["step_imex_bdf1_C3"]
        > report[name]["_gain_tensor"]
        > 0.0
        for name in ("cached", "uncached")
    )
    tensor = report["cache"]["fragment_tensor"]
    assert (tensor["hits"], tensor["misses"], tensor["rebuilds"], tensor["refused"]) == (
        200,
        0,
        0,
        0,
    )
    assert tensor["bytes"] == 3 * 8 * 20**2


def test_for_people_it_prints_a_table_with_ratios() -> None:
    done = CliRunner().invoke(
        main, ["profile", CONFIG, "--steps", "50", "--set", "sizes.n_bins=10"]
    )
    assert done.exit_code == 0, done.output
    assert "50 classic steps under cProfile" in done.output
    for word in (
        *FUNCTIONS,
        "cache on [ms]",
        "cache off [ms]",
        "off/on",
        "a step without the profiler",
        "fragment_tensor 50/50",
    ):
        assert word in done.output


@pytest.mark.parametrize(
    ("cached", "uncached", "words"),
    [(0.5, 1.0, "2.0"), (0.0, 1.0, "not called"), (0.0, 0.0, "-")],
)
def test_a_ratio_says_whether_the_cache_made_a_call_needless(
    capsys: pytest.CaptureFixture[str],
    cached: float,
    uncached: float,
    words: str,
) -> None:
    on, off = (dict.fromkeys(FUNCTIONS, seconds) for seconds in (cached, uncached))
    print_profile(StepProfile(on, off, 1.0, 1.0, RunCache().stats()), 1)
    rows = [line for line in capsys.readouterr().out.splitlines() if FUNCTIONS[0] in line]
    assert [row.replace("│", " ").split(maxsplit=3)[3].strip() for row in rows] == [words]


def test_seconds_of_a_step_are_those_of_a_batch_divided_by_its_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticks = itertools.count(0, 10)
    clock = SimpleNamespace(perf_counter=lambda: float(next(ticks)))
    monkeypatch.setattr(profiling, "time", clock)
    found = profile_step(load_config(CONFIG, {"sizes.n_bins": 10}), 20)
    assert found.step_cached == found.step_uncached == 10.0 / 4  # a fifth of the steps


@pytest.mark.parametrize("steps", ["0", "-3", "many"])
def test_a_number_of_steps_that_is_none_is_refused(steps: str) -> None:
    assert CliRunner().invoke(main, ["profile", CONFIG, "--steps", steps]).exit_code == 2
