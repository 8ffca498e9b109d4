"""Sweeps written, planned, run, and asked from Python: the same numbers and messages."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client, LocalCluster
from matplotlib.figure import Figure
from small_sweeps import (
    MELT,
    SMALL,
    T0_AND_RINGS,
    assert_same_bits,
    forget_block,
    run_command,
    sweep_file,
)

import marsdisk
import sweep
from sweep.running.progress import Tally
from sweep.store.coroutines import run_coroutine

SECTIONS: dict[str, Any] = {**SMALL, "axes": T0_AND_RINGS}


@pytest.fixture
def study() -> sweep.Sweep:
    return sweep.Sweep(**SECTIONS)


@pytest.fixture
def opened(finished: Path) -> sweep.Store:
    return sweep.Store.open(finished)


def test_what_is_public_is_listed_and_there() -> None:
    for package in (sweep, marsdisk):
        assert set(dir(package)) == set(package.__all__)
        for name in dir(package):
            assert getattr(package, name) is not None
    assert sweep.__version__ == marsdisk.__version__


@pytest.mark.parametrize("program", ["sweep", "marsdisk"])
def test_a_package_is_its_program(program: str) -> None:
    words = [sys.executable, "-m", program, "--version"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert sweep.__version__ in done.stdout


def test_a_sweep_from_python_has_the_runs_of_its_file(tmp_path: Path, study: sweep.Sweep) -> None:
    of_file = sweep.load(sweep_file(tmp_path, axes=T0_AND_RINGS))
    digests = {sweep.plan(given).preview.plan.digest for given in (study, of_file)}
    assert len(digests) == 1
    assert (
        study.axes
        == of_file.axes
        == {
            "temperature.T0": [3000.0, 4000.0],
            "ring": [0, 1, 2],
        }
    )


def test_overrides_of_python_are_those_of_the_command_line(tmp_path: Path) -> None:
    file = sweep_file(tmp_path, axes=T0_AND_RINGS)
    changed = sweep.load(file, {"numerics.t_end_years": 0.01})
    assert changed.definition.base["numerics"]["t_end_years"] == 0.01


def test_numbers_of_numpy_are_taken_where_a_file_has_lists() -> None:
    given = sweep.Sweep(
        **SMALL,
        axes={"temperature.T0": np.array([3000.0, 4000.0]), "sizes.n_bins": range(20, 40, 10)},
        include=({"temperature.T0": np.float64(5000.0)},),
    )
    assert given.axes == {"temperature.T0": [3000.0, 4000.0], "sizes.n_bins": [20, 30]}
    assert given.definition.spec.include == [{"temperature.T0": 5000.0}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"axis": {"temperature.T0": [3000]}}, "there is no such section"),
        ({"axes": {"T0": [3000]}}, "did you mean temperature.T0"),
        ({"base": "nowhere.yaml"}, "base = 'nowhere.yaml'"),
        ({"axes": {}}, "nothing is swept"),
        ({"axes": {"temperature.T0": {3000, 4000}}}, "axes.temperature.T0"),
    ],
)
def test_a_mistake_is_named_with_its_place(change: dict[str, Any], message: str) -> None:
    with pytest.raises(sweep.ConfigError, match=message):
        sweep.plan(sweep.Sweep(**{**SECTIONS, **change}))


@pytest.mark.parametrize("what", [3, None, {"base": "a.yaml"}])
def test_what_is_no_sweep_is_refused_with_what_is(what: Any) -> None:
    with pytest.raises(sweep.ConfigError, match="nor the path of a sweep file"):
        sweep.plan(what)


def test_a_plan_has_the_lines_of_the_command(tmp_path: Path, study: sweep.Sweep) -> None:
    plan = sweep.plan(study)
    assert (plan.runs, plan.blocks, plan.warnings) == (6, 3, ())
    assert plan.seconds > 0.0
    assert plan.bytes > 0
    done = run_command("sweep", "plan", sweep_file(tmp_path, axes=T0_AND_RINGS), cwd=tmp_path)
    timeless = [line for line in repr(plan).splitlines()[1:] if "measured" not in line]
    assert set(timeless) <= set(done.stdout.splitlines())
    assert "6 runs in 3 blocks of up to 2" in plan._repr_html_()


def test_a_run_gives_the_bits_of_the_command_and_the_next_one_resumes(
    tmp_path: Path, study: sweep.Sweep, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "python.zarr"
    store = sweep.run(study, path, workers=0)
    assert_same_bits(path, finished)
    assert "6 of 6 runs done, 0 failed" in capsys.readouterr().out
    forget_block(path, 1)
    assert store.counts().pending == 2
    tallies: list[int] = []
    sweep.run(study, path, workers=0, on_progress=lambda tally: tallies.append(tally.finished))
    assert tallies == [0, 2]
    assert "all runs were already complete" not in capsys.readouterr().out
    sweep.run(study, path, workers=0)
    assert "all runs were already complete" in capsys.readouterr().out
    assert_same_bits(path, finished)


def test_without_a_store_results_are_where_the_command_puts_them(
    tmp_path: Path,
    study: sweep.Sweep,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    store = sweep.run(study, workers=0, quiet=True)
    assert str(store) == "results/small.zarr"
    assert capfd.readouterr() == ("", "")


def test_a_store_is_extended_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "s.zarr"
    first = sweep.Sweep(**{**SECTIONS, "axes": {"temperature.T0": [3000.0]}})
    longer = sweep.Sweep(**{**SECTIONS, "axes": {"temperature.T0": [3000.0, 4000.0]}})
    sweep.run(first, path, workers=0, quiet=True)
    with pytest.raises(sweep.StoreError, match="holds another plan"):
        sweep.run(longer, path, workers=0, quiet=True)
    store = sweep.run(longer, path, workers=0, quiet=True, extend=True)
    assert store.counts().done == 2


UNGUARDED = """
import sweep
study = sweep.load("small.yaml")
store = sweep.run(study, "s.zarr", workers=2)
print(store.counts().done, "done")
"""


def test_a_script_without_a_main_guard_starts_its_workers_and_is_run_once(
    tmp_path: Path, finished: Path
) -> None:
    sweep_file(tmp_path, axes=T0_AND_RINGS)
    (tmp_path / "script.py").write_text(UNGUARDED, encoding="utf-8")
    words = [sys.executable, "script.py"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("6 done") == 1
    assert_same_bits(tmp_path / "s.zarr", finished)


def test_it_runs_where_an_event_loop_runs(
    tmp_path: Path, study: sweep.Sweep, finished: Path
) -> None:
    async def run() -> sweep.Store:
        return sweep.run(study, tmp_path / "s.zarr", workers=1, quiet=True)

    # in another thread, for another test may have left an event loop in this one
    assert run_coroutine(run()).counts().done == 6
    assert_same_bits(tmp_path / "s.zarr", finished)


@pytest.fixture
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def test_workers_of_a_client_are_used_and_it_stays_open(
    tmp_path: Path,
    study: sweep.Sweep,
    finished: Path,
    client: Client,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sweep.run(study, tmp_path / "s.zarr", client=client)
    assert f"1 worker of {client.scheduler.address}" in capsys.readouterr().out
    assert client.status == "running"
    assert_same_bits(tmp_path / "s.zarr", finished)
    client.close()
    with pytest.raises(sweep.ConfigError, match="is closed; open another one"):
        sweep.run(study, tmp_path / "s.zarr", client=client)


def test_workers_and_a_client_exclude_each_other(study: sweep.Sweep, tmp_path: Path) -> None:
    with pytest.raises(sweep.ConfigError, match="workers and client exclude each other"):
        sweep.run(study, tmp_path / "s.zarr", workers=2, client=object())  # type: ignore[arg-type]


def test_what_is_no_client_is_refused(study: sweep.Sweep, tmp_path: Path) -> None:
    with pytest.raises(sweep.ConfigError, match="client"):
        sweep.run(study, tmp_path / "s.zarr", client="tcp://127.0.0.1:8786")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": -1}, "workers = -1"),
        ({"workers": 1.5}, "workers = 1.5"),
        ({"max_failures": "many"}, "max_failures = 'many'"),
    ],
)
def test_a_bad_option_is_named(
    study: sweep.Sweep, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(sweep.ConfigError, match=message):
        sweep.run(study, tmp_path / "s.zarr", **options)
    assert not (tmp_path / "s.zarr").exists()


FAILING: dict[str, Any] = {
    **SMALL,
    "axes": {"numerics.max_steps": [5, 100_000]},
    "block": 1,
}


def test_too_many_failures_are_an_error_and_what_is_committed_stays(tmp_path: Path) -> None:
    failing = sweep.Sweep(**FAILING)
    with pytest.raises(sweep.TooManyFailures, match="1 of 1 finished runs failed"):
        sweep.run(failing, tmp_path / "s.zarr", workers=0, max_failures=0)
    store = sweep.run(failing, tmp_path / "s.zarr", workers=0)
    assert store.counts().failed == 1
    failed = store.failed()
    assert failed.sizes["run"] == 1
    assert "steps" in str(failed.error.values[0])


def test_an_interrupted_run_raises_what_python_does_and_resumes(
    tmp_path: Path, study: sweep.Sweep, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(tally: Tally) -> None:
        if tally.finished:
            import signal

            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        sweep.run(study, tmp_path / "s.zarr", workers=0, on_progress=interrupt)
    assert "2 of 6 runs are committed" in capsys.readouterr().out
    sweep.run(study, tmp_path / "s.zarr", workers=0)
    assert_same_bits(tmp_path / "s.zarr", finished)


def test_a_store_answers_what_its_dataset_does(opened: sweep.Store) -> None:
    runs = opened.runs
    assert runs.sizes["run"] == 6
    assert opened.grid().sizes["ring"] == 3
    assert opened.disk_total().M_loss.equals(runs.sweep.disk_total().M_loss)
    assert opened.where("T0 > 3500 and status == 'done'").T0.values.tolist() == [4000.0] * 3
    assert opened.where("T0 > 9000").sizes["run"] == 0
    assert opened.failed().sizes["run"] == 0
    assert opened.notes().equals(runs.sweep.notes())
    assert opened.config(0).temperature.T0 in {3000.0, 4000.0}
    assert opened.command(0).startswith("marsdisk run ")
    assert "6 done" in repr(opened)
    assert "6 done" in opened._repr_html_()


def test_a_condition_that_cannot_be_understood_says_where(opened: sweep.Store) -> None:
    with pytest.raises(sweep.MarsDiskError, match="T1"):
        opened.where("T1 > 3")


@pytest.mark.parametrize("kind", ["heatmap", "series", "psd", "radial", "sensitivity", "cache"])
def test_figures_of_a_store_are_those_of_the_command(opened: sweep.Store, kind: str) -> None:
    options = {"where": "T0 == 3000"} if kind == "radial" else {}
    assert isinstance(getattr(opened.plot, kind)(**options), Figure)


def test_a_result_shows_its_numbers_caveats_and_figures() -> None:
    result = marsdisk.run_zero_d(marsdisk.load_config(MELT))
    shown = repr(result)
    assert shown.startswith("run that ended after")
    assert f"M_loss = {result.M_loss:.6g} M_Mars  (mass lost)" in shown
    assert len(shown) < 10_000
    html = result._repr_html_()
    assert html.count("data:image/svg+xml") == 1
    for total in result.totals():
        assert f"<td>{total.name}</td>" in html
    for sentence in result.notes.sentences:
        assert sentence[:20] in html


def test_expectations_are_evaluated_as_by_the_command(tmp_path: Path) -> None:
    expected = {"loses": {"expect": "M_loss > 0"}, "loses much": {"expect": "M_loss > 1"}}
    study = sweep.Sweep(**SECTIONS, expect=expected)
    store = sweep.run(study, tmp_path / "s.zarr", workers=0, quiet=True)
    assert {entry["name"]: entry["failing"] for entry in store.expectations()} == {
        "loses": 0,
        "loses much": 6,
    }
