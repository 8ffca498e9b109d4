"""sweep summary: quantiles over a sample, with the intervals that its size leaves."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from small_sweeps import run_here, sweep_file
from toy_model import BOUNDS, TINY, install, uniform

import sweep.cli.commands

NORMAL = {"dynamics.e0": {"uniform": list(BOUNDS["dynamics.e0"])}}


def ask(store: Path, *words: str) -> Any:
    return CliRunner().invoke(sweep.cli.commands.main, ["summary", str(store), *words])


def json_of(store: Path, *words: str) -> Any:
    done = ask(store, *words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def run_toy(
    folder: Path, monkeypatch: pytest.MonkeyPatch, model: Any, keys: int = 1, **changes: Any
) -> Path:
    fails = changes.pop("fails", lambda config: False)
    install(monkeypatch, model, list(BOUNDS)[:keys], fails)
    run_here(sweep_file(folder, **TINY, **changes), folder / "toy.zarr")
    return folder / "toy.zarr"


def test_quantiles_are_those_of_the_prior_and_lie_in_their_intervals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = run_toy(
        tmp_path,
        monkeypatch,
        lambda u: float(u[0] ** 2),
        sample={"method": "random", "n": 400, "axes": NORMAL},
    )
    (group,) = json_of(store, "--quantiles", "0.05,0.5,0.95")["groups"]
    exact = [0.05**2, 0.25, 0.95**2]
    assert group["runs"] == 400
    assert all(
        low <= value <= high
        for low, value, high in zip(group["low"], exact, group["high"], strict=True)
    )
    assert group["quantiles"] == pytest.approx(exact, abs=0.05)
    assert json_of(store)["groups"][0] == group  # the same bits again


def test_the_interval_narrows_as_the_root_of_the_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    widths = []
    for n in (100, 1600):
        (folder := tmp_path / str(n)).mkdir()
        store = run_toy(
            folder,
            monkeypatch,
            lambda u: float(u[0]),
            sample={"method": "random", "n": n, "axes": NORMAL},
        )
        (group,) = json_of(store, "--quantiles", "0.5")["groups"]
        widths.append(group["high"][0] - group["low"][0])
    assert widths[0] / widths[1] == pytest.approx(4.0, rel=0.4)


def test_groups_are_the_values_of_an_axis_and_failed_runs_are_counted_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = run_toy(
        tmp_path,
        monkeypatch,
        lambda u: float(u[0]),
        axes={"temperature.T0": [3000.0, 4000.0]},
        sample={"method": "sobol", "n": 64, "axes": NORMAL},
        fails=lambda config: config.temperature.T0 == 4000.0 and config.dynamics.e0 > 0.4,
    )
    cold, hot = json_of(store, "--by", "T0")["groups"]
    assert (cold["at"], cold["runs"], cold["missing"]) == ({"T0": 3000.0}, 64, {})
    assert (hot["at"], hot["runs"], hot["missing"]) == ({"T0": 4000.0}, 48, {"failed": 16})
    assert hot["quantiles"][2] < 0.75 < cold["quantiles"][2]
    text = ask(store, "--by", "T0").output
    assert "quantiles of M_loss [M_Mars], with 95 % intervals" in text
    assert "16 failed" in text
    assert "16 of 128 cases failed: left out, no value is substituted" in text


def test_a_sampled_number_is_grouped_by_equally_filled_intervals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = run_toy(
        tmp_path,
        monkeypatch,
        lambda u: float(u[0]),
        sample={"method": "sobol", "n": 64, "axes": NORMAL},
    )
    groups = json_of(store, "--by", "e0", "--bins", "4")["groups"]
    assert [group["runs"] for group in groups] == [16] * 4
    assert np.diff([group["quantiles"][1] for group in groups]) == pytest.approx(0.25, abs=0.03)
    assert "makes 64 groups, 50 are shown at most; --bins 5" in ask(store, "--by", "e0").output


def test_a_case_that_shares_its_run_counts_as_often_as_it_was_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = run_toy(
        tmp_path,
        monkeypatch,
        lambda u: float(u[0]),
        sample={"method": "sobol", "n": 64, "axes": {"dynamics.e0": {"choice": [0.1, 0.2, 0.4]}}},
    )
    (group,) = json_of(store)["groups"]
    assert group["runs"] == 64
    assert group["quantiles"] == pytest.approx([0.0, 0.25, 0.75])


def test_too_few_runs_beyond_a_quantile_leave_it_without_an_interval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = run_toy(
        tmp_path,
        monkeypatch,
        lambda u: float(u[0]),
        sample={"method": "halton", "n": 40, "axes": NORMAL},
    )
    (group,) = json_of(store)["groups"]
    assert [low is None for low in group["low"]] == [True, False, True]


def test_of_a_saltelli_design_only_independent_points_count_and_others_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = run_toy(
        tmp_path,
        monkeypatch,
        lambda u: float(u[0]),
        2,
        design={"method": "saltelli", "n": 32, "axes": uniform(2)},
    )
    answer = json_of(store)
    assert answer["groups"][0]["runs"] == 64
    assert (
        "only the 64 cases that the saltelli design draws independently count here, not those mixed"
        " from them" in answer["notes"]
    )
    (folder := tmp_path / "morris").mkdir()
    morris = run_toy(
        folder,
        monkeypatch,
        lambda u: float(u[0]),
        2,
        design={"method": "morris", "n": 4, "axes": uniform(2)},
    )
    assert "a morris design does not draw from its distributions" in ask(morris).output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--by", "T1"], "--by T1: is no axis or parameter of the sweep; there are T0"),
        (["--target", "N"], "--target N: is no result with one number per run"),
        (["--quantiles", "0,2"], "'0,2' is not a list of numbers between 0 and 1"),
        (["--quantiles", "x"], "is not a list of numbers between 0 and 1, such as 0.05,0.5,0.95"),
    ],
)
def test_a_bad_question_says_what_there_is(finished: Path, words: list[str], message: str) -> None:
    done = ask(finished, *words)
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())


def test_a_real_sweep_is_summed_over_its_rings(finished: Path) -> None:
    dataset = sweep.open_store(finished)
    groups = json_of(finished, "--by", "T0", "--quantiles", "0.5")["groups"]
    assert [group["runs"] for group in groups] == [1, 1]
    assert [group["quantiles"][0] for group in groups] == pytest.approx(
        dataset.sweep.grid().M_loss.sum("ring").values
    )
