"""What a shell completes: stores, and the columns, parameters, results, and runs of a store."""

import subprocess
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from small_sweeps import SCRIPTS, environment

import sweep.cli.commands
from sweep.store.store import Store

STORE = "small.zarr"


@pytest.fixture
def beside(finished: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a finished sweep, which is the working folder."""
    monkeypatch.chdir(finished.parent)
    return finished.parent


def offered(line: str) -> list[str]:
    """Return what is offered for the last word of a line, which may be empty."""
    *typed, incomplete = line.split(" ")
    shell = ShellComplete(sweep.cli.commands.main, {}, "sweep", "_SWEEP_COMPLETE")
    items = shell.get_completions(typed, incomplete)
    return [item.value if item.type == "plain" else f"<{item.type}>" for item in items]


@pytest.mark.parametrize("verb", ["show", "resume", "plot", "status", "doctor", "browse", "card"])
@pytest.mark.usefixtures("beside")
def test_stores_are_completed(verb: str) -> None:
    assert offered(f"{verb} sm") == [STORE]


@pytest.mark.usefixtures("beside")
def test_the_second_store_of_compare_is_completed() -> None:
    assert offered(f"compare {STORE} ") == [STORE]


def test_stores_in_results_are_offered_without_typing_that(
    beside: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").symlink_to(beside)
    assert offered("show ") == ["results/small.zarr"]
    assert offered("show sma") == ["results/small.zarr"]
    assert offered("show results/") == ["results/small.zarr"]
    assert offered("show other") == ["<dir>"]


@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize(
    ("line", "names"),
    [
        (f"show {STORE} --columns M_loss_b", ["M_loss_blowout"]),
        (f"show {STORE} --columns T0,M_loss_b", ["T0,M_loss_blowout"]),
        (f"show {STORE} --columns temp", ["temperature.T0"]),
        (f"show --columns T0 {STORE} --sort tau_ma", ["tau_max"]),
        (f"show {STORE} --where tau_ma", ["tau_max"]),
        (f"export {STORE} --columns run,T", ["run,T0"]),
        (f"summary {STORE} --by te", ["temperature.T0"]),
        (f"summary {STORE} --by T0,ri", ["T0,ring"]),
        (f"plot {STORE} series --name M_out", ["M_out_dot"]),
        (f"plot {STORE} heatmap --x tem", ["temperature.T0"]),
        (f"sensitivity {STORE} --target M_loss_s", ["M_loss_sublimation"]),
    ],
)
def test_names_of_a_store_are_completed(line: str, names: list[str]) -> None:
    assert offered(line) == names


@pytest.mark.usefixtures("beside")
def test_runs_are_completed() -> None:
    run_ids = Store.open(STORE).column("run_id").tolist()
    assert offered(f"card {STORE} ") == run_ids
    assert offered(f"card {STORE} {run_ids[3][:6]}") == [run_ids[3]]


@pytest.mark.parametrize(
    "line",
    [
        "show gone.zarr --columns T",
        "show --columns T",
        "show s3://no-such-bucket@@/x --columns T",
        "card . 1",
    ],
)
def test_where_nothing_can_be_found_nothing_is_offered_or_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert offered(line) == []
    assert capfd.readouterr() == ("", "")


def test_bash_is_offered_the_same_by_the_installed_command(beside: Path) -> None:
    words = {"_SWEEP_COMPLETE": "bash_complete", "COMP_CWORD": "4"}
    words["COMP_WORDS"] = f"sweep show {STORE} --columns M_loss_b"
    done = subprocess.run(
        [str(SCRIPTS / "sweep")],
        cwd=beside,
        env=environment(**words),
        capture_output=True,
        text=True,
        timeout=60.0,
        check=False,
    )
    assert done.stdout.strip() == "plain,M_loss_blowout"
