"""The window of blocks in flight loses no block, and a sweep with blocks left is not called finished."""

import io
import itertools
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console
from small_sweeps import sweep_file

import sweep.cli
import sweep.driver
from sweep.driver import Window, run_blocks
from sweep.errors import ClusterError, Interrupted, WorkersLostError
from sweep.plan import make_plan
from sweep.progress import Reporter, Tally
from sweep.spec import load_sweep
from sweep.worker import BlockTask


class Workerless:
    """A client that takes tasks and never runs one."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def submit(self, function: Any, task: BlockTask, *, key: str, pure: bool) -> "Future[Any]":
        self.keys.append(key)
        return Future()


def tasks(count: int) -> list[BlockTask]:
    return [BlockTask(f"s{i}.zarr", i, 2 * i, {}, ({}, {}), "task", True, attempt=1) for i in range(count)]


def window(given: list[BlockTask], stop: threading.Event | None = None) -> Window:
    return Window(Workerless(), given, 3, lambda receipt: None, stop or threading.Event())  # type: ignore[arg-type]


def test_no_more_than_the_window_is_in_flight_and_no_key_is_used_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    made = window(tasks(10))
    monkeypatch.setattr(made, "_next_done", lambda futures=(): list(itertools.islice(made.flying, 1)))
    most = []
    monkeypatch.setattr(made, "_land", lambda future: most.append(len(made.flying)) or made.flying.pop(future))
    made.run()
    assert max(most) == 3
    assert len(most) == len(set(made.client.keys)) == 10  # type: ignore[attr-defined]


def test_a_cluster_that_is_lost_leaves_every_block_among_the_unfinished(monkeypatch: pytest.MonkeyPatch) -> None:
    made = window(tasks(5))

    def lost(futures: object = ()) -> None:
        raise WorkersLostError("no worker")

    monkeypatch.setattr(made, "_next_done", lost)
    with pytest.raises(ClusterError):
        made.run()
    assert sorted(task.index for task in made.unfinished()) == [0, 1, 2, 3, 4]


def test_a_cluster_that_is_lost_while_a_block_is_under_suspicion_keeps_that_block_too(monkeypatch: pytest.MonkeyPatch) -> None:
    made = window(tasks(2))
    made.suspects.extend(made.queue)
    made.queue.clear()

    def lost(futures: object = ()) -> None:
        raise WorkersLostError("no worker")

    monkeypatch.setattr(made, "_next_done", lost)
    with pytest.raises(ClusterError):
        made.run()
    assert sorted(task.index for task in made.unfinished()) == [0, 1]


def test_a_stop_is_heeded_before_anything_is_waited_for() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        window(tasks(2), stop).run()


@pytest.mark.parametrize("stopped", [True, False])
def test_a_result_that_never_comes_from_a_lost_worker_stops_nobody(monkeypatch: pytest.MonkeyPatch, stopped: bool) -> None:
    stop, outcome = threading.Event(), []
    made = window(tasks(1), stop)
    made.client.status = "running"
    made.client.scheduler_info = lambda **options: {"workers": {}}
    monkeypatch.setattr(sweep.driver, "STALL_SECONDS", 0.1)
    monkeypatch.setattr(made, "_next_done", lambda futures=(): list(made.flying))  # done, but its worker is dead before its result is fetched

    def run() -> None:
        try:
            made.run()
        except (Interrupted, WorkersLostError) as error:
            outcome.append(type(error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    if stopped:
        stop.set()
    thread.join(timeout=60.0)
    assert outcome == [Interrupted] if stopped else outcome == [WorkersLostError]


def test_a_cluster_that_is_lost_again_and_again_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    starts = []

    class NoCluster:
        dashboard_link = ""

        def __init__(self, workers: int, first: BlockTask) -> None:
            starts.append(workers)

        def __enter__(self) -> "NoCluster":
            return self

        def __exit__(self, *error: object) -> None:
            pass

    def lost(self: Window) -> None:
        raise WorkersLostError("no worker for 30 s")

    monkeypatch.setattr(sweep.driver, "local_client", NoCluster)
    monkeypatch.setattr(Window, "run", lost)
    plan = make_plan(load_sweep(sweep_file(tmp_path, axes={"temperature.T0": [3000.0, 4000.0]})))
    reporter = Reporter(Console(file=io.StringIO()), Tally(2))
    with pytest.raises(ClusterError, match="no worker for 30 s"):
        run_blocks(plan, str(tmp_path / "s.zarr"), plan.blocks, workers=2, reporter=reporter, stop=threading.Event())
    assert 1 < len(starts) < 10


def test_a_sweep_with_runs_left_does_not_end_with_exit_code_0(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sweep_file(tmp_path, axes={"temperature.T0": [3000.0, 4000.0]})
    monkeypatch.setattr(sweep.driver, "run_blocks", lambda *arguments, **options: None)
    done = CliRunner().invoke(sweep.cli.main, ["run", "small.yaml", "--workers", "0"])
    assert done.exit_code != 0
