"""The window of blocks in flight loses no block, and a sweep with blocks left is not called finished."""

import io
import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console
from small_sweeps import sweep_file

import sweep.cli
import sweep.driver
import sweep.watchdog
from sweep.cluster import Cluster
from sweep.driver import Window, Work, run_blocks
from sweep.errors import ClusterError, Interrupted, UnfitWorkerError, WorkersLostError
from sweep.plan import Block, make_plan
from sweep.progress import Reporter, Tally
from sweep.spec import load_sweep
from sweep.watchdog import Limits, Watchdog
from sweep.worker import BlockTask


class Workerless:
    """A client that takes tasks and never runs one."""

    id, status = "workerless", "running"

    def __init__(self) -> None:
        self.keys: list[str] = []

    def submit(self, call: Any, function: Any, task: bytes, *, key: str, pure: bool, workers: list[str] | None) -> "Future[Any]":
        self.keys.append(key)
        return Released()


class Released(Future[Any]):
    def release(self) -> None:
        pass


class Described(Cluster):
    """A cluster whose workers are what a test says."""

    def __init__(self, workers: dict[str, dict[str, Any]], *, own: bool = False, wanted: int = 0, queue: str = "") -> None:
        super().__init__(Workerless(), "tcp://head:8786")  # type: ignore[arg-type]
        self.described, self.own, self.wanted, self.queue, self.asked = workers, own, wanted, queue, 0

    def workers(self) -> dict[str, dict[str, Any]]:
        return self.described

    def waiting(self) -> str:
        return self.queue

    def replace_lost(self) -> str:
        self.asked += 1
        return "" if self.own else "asked for one more"

    @property
    def patience(self) -> float:
        return 3600.0


def one(last_seen: float = 0.0, status: str = "running") -> dict[str, Any]:
    return {"nthreads": 1, "status": status, "last_seen": last_seen, "name": "w"}


def task_of(block: Block) -> BlockTask:
    return BlockTask("s.zarr", block.index, block.rows, {}, ({}, {}), "task", True, attempt=1)


def work(count: int) -> Work:
    return Work(task_of, [Block(i, range(2 * i, 2 * i + 2)) for i in range(count)])


def window(given: Work, stop: threading.Event | None = None) -> Window:
    return Window(Described({"a": one()}), given, lambda receipt: None, stop or threading.Event(), Watchdog(Limits(), print))


def test_no_more_than_the_window_is_in_flight_and_no_key_is_used_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    made = window(work(10))
    monkeypatch.setattr(made, "_next_done", lambda: list(itertools.islice(made.flying, 1)))
    most = []
    monkeypatch.setattr(made, "_land", lambda future: most.append(len(made.flying)) or made.flying.pop(future))
    made.run()
    assert max(most) == 3
    assert len(most) == len(set(made.client.keys)) == 10  # type: ignore[attr-defined]


def test_a_cluster_that_is_lost_leaves_every_block_among_the_unfinished(monkeypatch: pytest.MonkeyPatch) -> None:
    made = window(work(5))

    def lost() -> None:
        raise WorkersLostError("no worker")

    monkeypatch.setattr(made, "_next_done", lost)
    with pytest.raises(ClusterError):
        made.run()
    assert [made.work.take().index for _ in range(len(made.work))] == [0, 1, 2, 3, 4]


def test_a_cluster_that_is_lost_while_a_block_is_under_suspicion_keeps_that_block_too(monkeypatch: pytest.MonkeyPatch) -> None:
    made = window(work(2))
    made.suspects.extend(made.work.take() for _ in range(2))

    def lost(future: object) -> None:
        raise WorkersLostError("no worker")

    monkeypatch.setattr(made, "_error_of", lost)
    with pytest.raises(ClusterError):
        made.run()
    assert [made.work.take().index for _ in range(len(made.work))] == [0, 1]


def test_a_stop_is_heeded_before_anything_is_waited_for() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        window(work(2), stop).run()


@pytest.mark.parametrize("stopped", [True, False])
def test_a_result_that_never_comes_from_a_lost_worker_stops_nobody(monkeypatch: pytest.MonkeyPatch, stopped: bool) -> None:
    stop, outcome = threading.Event(), []
    cluster, watchdog = Described({}, own=True), Watchdog(Limits(no_worker=0.1), print)
    made = Window(cluster, work(1), lambda receipt: None, stop, watchdog)
    monkeypatch.setattr(made, "_next_done", lambda: list(made.flying))  # done, but its worker is dead before its result is fetched

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

    @contextmanager
    def no_cluster(*given: Any, **options: Any) -> Iterator[Cluster]:
        starts.append(given)
        yield Described({})

    def lost(self: Window) -> None:
        raise WorkersLostError("no worker for 30 s")

    monkeypatch.setattr(sweep.driver, "workers_from", no_cluster)
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


class Clock:
    """A clock that tests set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(sweep.watchdog, "time", self)

    def monotonic(self) -> float:
        return self.now


def watched(cluster: Described, **limits: float) -> tuple[Watchdog, list[str]]:
    said: list[str] = []
    dog = Watchdog(Limits(**limits), said.append)
    dog.watch(cluster)
    return dog, said


@pytest.mark.parametrize(("own", "error"), [(True, WorkersLostError), (False, ClusterError)])
@pytest.mark.parametrize("workers", [{}, {"a": one(status="paused"), "b": one(status="paused")}])
def test_where_nobody_takes_blocks_the_wait_has_an_end(
    monkeypatch: pytest.MonkeyPatch, own: bool, error: type[Exception], workers: dict[str, dict[str, Any]]
) -> None:
    clock = Clock(monkeypatch)
    dog, said = watched(Described(workers, own=own), no_worker=120.0)
    clock.now += 119.0
    assert not dog.look()
    clock.now += 2.0
    with pytest.raises(error, match="paused" if workers else "no worker") as caught:
        dog.look()
    assert isinstance(caught.value, WorkersLostError) == own  # others are not restarted
    assert len([line for line in said if "is paused by its memory limit" in line]) == len(workers)


def test_jobs_that_wait_in_the_queue_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    dog, _ = watched(Described({}, queue="2 jobs in the queue"), no_worker=120.0)
    clock.now += 3000.0
    assert not dog.look()
    clock.now += 601.0
    with pytest.raises(ClusterError, match="no worker"):
        dog.look()


def test_lost_workers_are_asked_for_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, cluster = Clock(monkeypatch), Described({"a": one()}, wanted=2)
    dog, said = watched(cluster, too_few=30.0)
    for _ in range(65):
        clock.now += 1.0
        dog.look()
    assert cluster.asked == 2
    assert said == ["1 of 2 workers; asked for one more"]  # once


def test_own_workers_that_do_not_come_back_cost_the_cluster_unless_they_wait_in_a_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, cluster = Clock(monkeypatch), Described({"a": one()}, own=True, wanted=2, queue="1 job in the queue")
    dog, _ = watched(cluster, too_few=30.0, no_worker=120.0)
    for _ in range(300):
        clock.now += 1.0
        dog.look()
    cluster.queue = ""
    clock.now += 31.0
    with pytest.raises(WorkersLostError, match="only 1 of 2 workers for 120 s"):
        dog.look()


def test_where_nothing_is_finished_blocks_are_begun_anew_elsewhere_ever_more_patiently(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    cluster = Described({"a": one(last_seen=500.0), "b": one(last_seen=400.0)})
    dog, said = watched(cluster, quiet=10.0, quiet_factor=20.0)
    dog.finished(2.0)
    anew = []

    def look_on() -> None:
        for second in range(10_000):
            clock.now += 1.0
            if dog.look():
                anew.append(second)
                assert dog.usable() == ["a"]  # b has not been heard of for 100 s

    with pytest.raises(ClusterError, match=r"nothing was finished for .* though all blocks were begun anew 3 times"):
        look_on()
    assert [round(later - earlier, -1) for earlier, later in itertools.pairwise([0, *anew])] == [
        40,
        80,
        160,
    ]  # twenty times the longest block, and twice that
    assert "all blocks on their way are begun anew without b" in said[0]


def test_blocks_on_their_way_are_begun_anew_under_new_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    made = window(work(2))
    looks = iter([False, True])
    monkeypatch.setattr(made.watchdog, "look", lambda: next(looks, False))
    landed: list[int] = []

    def next_done() -> list[Any]:
        made._look()
        return list(made.flying)

    monkeypatch.setattr(made, "_next_done", next_done)
    monkeypatch.setattr(made, "_land", lambda future: landed.append(made.flying.pop(future).index))
    made.run()
    assert sorted(landed) == [0, 1]
    assert len(set(made.client.keys)) == len(made.client.keys) == 4  # type: ignore[attr-defined]


def test_a_worker_that_does_not_agree_costs_a_block_no_attempt_and_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made = window(work(1))
    made.watchdog._workers = {"a": one(), "b": one()}
    for _ in range(10):
        made._lost(task_of(Block(0, range(2))), UnfitWorkerError("b", "host:1 numpy 1 instead of 2"))
    assert {task.attempt for task in made.queue} == {1}
    assert made.watchdog.usable() == ["a"]


def test_limits_are_settings_of_dask() -> None:
    with sweep.watchdog.dask.config.set({"sweep.no-worker": "2 minutes", "sweep.quiet": 7}):
        limits = Limits.from_config()
    assert (limits.no_worker, limits.quiet, limits.too_few) == (120.0, 7.0, Limits().too_few)
