"""The window of blocks in flight loses no block; a sweep with blocks left is not finished."""

import functools
import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import distributed
import pytest
from click.testing import CliRunner
from fake_cluster import (
    LOST,
    PENDING,
    Clock,
    FakeClient,
    FakeCluster,
    FakeFuture,
    Outcome,
    StopEvent,
    described_worker,
    receipt_of,
    wait,
)
from rich.console import Console
from small_sweeps import sweep_file

import sweep.cli.commands
import sweep.running.driver
import sweep.workers.watchdog
from sweep.common.errors import (
    ClusterError,
    Interrupted,
    StoreError,
    UnfitWorkerError,
    WorkersLostError,
)
from sweep.planning.create_store import create
from sweep.planning.plan import Block, make_plan
from sweep.running.driver import RESTARTS, Window, Work, run_blocks
from sweep.running.progress import Reporter, Tally
from sweep.spec.file import load_sweep
from sweep.store.fence import Fence
from sweep.workers.base import Cluster
from sweep.workers.block import BlockTask, Receipt
from sweep.workers.watchdog import Limits, Watchdog

KILLED = distributed.KilledWorker("task", "worker", 1)
LOSSES = ("of the connection", "of all futures", "of answers", "of a result")
KILLER = "killed its worker process twice, as a crash in compiled code or too much memory does"


def task_of(block: Block, accuracy_indices: frozenset[int] = frozenset()) -> BlockTask:
    """Make a task whose runs are told apart by their rows."""
    overrides = tuple({"row": row} for row in block.rows)
    return BlockTask(
        "s.zarr",
        block.index,
        block.rows,
        base={},
        overrides=overrides,
        scope="task",
        cache_enabled=True,
        attempt=1,
        fence=Fence("", ""),
        accuracy_indices=accuracy_indices,
    )


def rows_of(task: BlockTask) -> list[int]:
    """Return the runs that a worker starts for a task."""
    return [run["row"] for i, run in enumerate(task.overrides) if i not in task.condemned]


def commit(future: FakeFuture) -> Receipt:
    """Answer as a worker without any trouble does."""
    return receipt_of(future.task)


class Drive:
    """Blocks on their way over a fake cluster, and their outcomes."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        outcome_of: Callable[[FakeFuture], Outcome],
        blocks: int,
        *,
        runs: int = 2,
        accuracy_indices: frozenset[int] = frozenset(),
        workers: dict[str, dict[str, Any]] | None = None,
        own: bool = False,
        **limits: float,
    ) -> None:
        self.clock = Clock()
        monkeypatch.setattr(sweep.workers.watchdog, "time", self.clock)
        monkeypatch.setattr(sweep.running.driver, "wait", wait)
        described = {"a": described_worker()} if workers is None else workers
        self.client = FakeClient(self.clock, outcome_of)
        self.cluster = FakeCluster(self.client, described, own=own)
        self.stop = StopEvent(self.clock)
        every = [Block(i, range(runs * i, runs * (i + 1))) for i in range(blocks)]
        self.work = Work(functools.partial(task_of, accuracy_indices=accuracy_indices), every)
        self.said: list[str] = []
        self.receipts: list[Receipt] = []
        self.watchdog = Watchdog(Limits(**limits), self.said.append)

    def run(self) -> None:
        """Run all blocks to their commit, or to an error."""
        receive = self.receipts.append
        Window(self.cluster, self.work, receive, self.stop, self.watchdog).run()

    @property
    def committed(self) -> list[int]:
        return [receipt.index for receipt in self.receipts]

    def take_what_is_left(self) -> list[int]:
        """Blocks that another window would begin, in its order."""
        return [self.work.take().index for _ in range(self.work.waiting)]

    def sent(self, function: str = "run_block") -> list[FakeFuture]:
        return [future for future in self.client.submitted if future.function == function]


@pytest.fixture
def drive(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Drive]:
    """Return a function that sets up a window: ``drive(outcome_of, blocks)``."""
    return functools.partial(Drive, monkeypatch)


@pytest.mark.parametrize(("threads", "max_in_flight"), [((1,), 3), ((1, 2), 9)])
def test_no_more_than_the_window_is_in_flight_and_no_key_is_used_twice(
    drive: Callable[..., Drive],
    threads: Sequence[int],
    max_in_flight: int,
) -> None:
    workers = {f"w{i}": described_worker(threads=count) for i, count in enumerate(threads)}
    window = drive(commit, 20, workers=workers)
    window.run()
    assert window.client.most_in_flight == max_in_flight
    assert window.committed == list(range(20))
    assert len(window.client.keys) == len(set(window.client.keys)) == 20
    assert window.client.in_flight == []
    assert len(window.work) == 0


@pytest.mark.parametrize("loss", LOSSES)
def test_a_cluster_that_is_lost_leaves_every_block_among_the_unfinished(
    drive: Callable[..., Drive],
    loss: str,
) -> None:
    def outcome_of(future: FakeFuture) -> Outcome:
        if future.task.index == 0:
            return receipt_of(future.task)
        if loss == "of the connection":
            window.client.status = "connecting"
        if loss == "of answers":
            window.cluster.error = WorkersLostError("the scheduler has not answered")
        if loss == "of all futures":
            return CancelledError()
        if loss == "of a result":
            return CancelledError() if future.outcome == LOST else LOST
        return PENDING

    window = drive(outcome_of, 5)
    with pytest.raises(WorkersLostError):
        window.run()
    assert window.committed == [0]
    assert window.take_what_is_left() == [1, 2, 3, 4]


def test_a_cluster_that_is_lost_while_a_block_is_under_suspicion_keeps_that_block_too(
    drive: Callable[..., Drive],
) -> None:
    def outcome_of(future: FakeFuture) -> Outcome:
        if future.function == "run_block":
            return KILLED
        window.client.status = "connecting"
        return CancelledError()

    window = drive(outcome_of, 2)
    with pytest.raises(WorkersLostError):
        window.run()
    assert len(window.sent("try_runs")) == 1
    assert window.take_what_is_left() == [0, 1]


def test_a_stop_is_heeded_before_anything_is_begun(drive: Callable[..., Drive]) -> None:
    window = drive(commit, 2)
    window.stop.set()
    with pytest.raises(Interrupted):
        window.run()
    assert window.client.submitted == []
    assert window.take_what_is_left() == [0, 1]


@pytest.mark.parametrize("function", ["run_block", "try_runs"])
def test_a_stop_ends_every_wait(drive: Callable[..., Drive], function: str) -> None:
    """That for a block, and that for a trial of runs that are suspected of killing workers."""

    def outcome_of(future: FakeFuture) -> Outcome:
        if future.function == function:
            window.stop.set()
            return PENDING
        return KILLED

    window = drive(outcome_of, 2)
    with pytest.raises(Interrupted):
        window.run()
    assert window.clock.now <= 1002.0
    assert window.take_what_is_left() == [0, 1]


@pytest.mark.parametrize(("stopped", "end"), [(True, Interrupted), (False, WorkersLostError)])
def test_a_result_that_never_comes_from_a_lost_worker_stops_nobody(
    drive: Callable[..., Drive],
    stopped: bool,
    end: type[Exception],
) -> None:
    """Its block is done, but the worker is dead before anybody has fetched its result."""

    def outcome_of(future: FakeFuture) -> Outcome:
        if stopped and window.clock.now > 1010.0:
            window.stop.set()
        return LOST

    window = drive(outcome_of, 1, workers={}, own=True, no_worker=120.0)
    with pytest.raises(end):
        window.run()
    assert 10.0 < window.clock.now - 1000.0 < (20.0 if stopped else 130.0)
    assert window.take_what_is_left() == [0]


def test_a_result_that_was_lost_is_fetched_when_its_block_has_run_again(
    drive: Callable[..., Drive],
) -> None:
    def outcome_of(future: FakeFuture) -> Outcome:
        if window.clock.now < 1010.0:
            return LOST
        return receipt_of(future.task)

    window = drive(outcome_of, 2)
    window.run()
    assert sorted(window.committed) == [0, 1]
    assert len(window.client.submitted) == 2  # it is Dask that runs it again


def test_a_block_that_raises_an_error_is_tried_again_until_it_is_clear_that_it_repeats(
    drive: Callable[..., Drive],
) -> None:
    window = drive(lambda future: ValueError("no such luck"), 1)
    with pytest.raises(ClusterError, match="block 0 could not be run: ValueError: no such luck"):
        window.run()
    assert [future.task.attempt for future in window.sent()] == list(range(1, RESTARTS + 2))
    assert window.take_what_is_left() == [0]


def test_a_block_that_raises_an_error_once_is_committed_after_the_others(
    drive: Callable[..., Drive],
) -> None:
    def outcome_of(future: FakeFuture) -> Outcome:
        if future.task.index == 0 and future.task.attempt == 1:
            return OSError("a lost connection looks like many things")
        return receipt_of(future.task)

    window = drive(outcome_of, 5)
    window.run()
    assert window.committed == [1, 2, 3, 4, 0]


@pytest.mark.parametrize("error", [StoreError("the disk is full"), SystemExit(3)])
def test_an_error_that_no_other_worker_can_help_ends_the_window_at_once(
    drive: Callable[..., Drive],
    error: BaseException,
) -> None:
    window = drive(lambda future: error, 4)
    with pytest.raises(type(error)) as caught:
        window.run()
    assert caught.value is error
    assert len(window.client.submitted) == 3
    assert window.take_what_is_left() == [0, 1, 2, 3]


def test_blocks_on_their_way_are_begun_anew_under_new_keys(drive: Callable[..., Drive]) -> None:
    """Without the worker that hangs, and as the same attempt."""

    def outcome_of(future: FakeFuture) -> Outcome:
        return PENDING if future.workers is None else receipt_of(future.task)

    workers = {"a": described_worker(last_seen=500.0), "b": described_worker(last_seen=400.0)}
    window = drive(outcome_of, 2, workers=workers, quiet=10.0)
    window.run()
    assert window.committed == [0, 1]
    assert [future.task.index for future in window.sent()] == [0, 1, 0, 1]
    assert [future.task.attempt for future in window.sent()] == [1] * 4
    assert [future.workers for future in window.sent()] == [None, None, ["a"], ["a"]]
    assert len(set(window.client.keys)) == 4
    assert window.client.in_flight == []


def test_own_workers_on_which_nothing_moves_are_given_up(drive: Callable[..., Drive]) -> None:
    window = drive(lambda future: PENDING, 2, own=True, quiet=10.0)
    with pytest.raises(WorkersLostError, match=r"nothing was finished for 1[01] s"):
        window.run()
    assert window.take_what_is_left() == [0, 1]


def test_a_block_may_take_much_longer_than_those_that_are_finished(
    drive: Callable[..., Drive],
) -> None:
    def outcome_of(future: FakeFuture) -> Outcome:
        if future.task.index == 0:
            return receipt_of(future.task, seconds=30.0)
        return PENDING if window.clock.now < 1500.0 else receipt_of(future.task)

    window = drive(outcome_of, 2, quiet=10.0, quiet_factor=20.0)
    window.run()
    assert window.committed == [0, 1]
    assert len(window.client.submitted) == 2


def test_a_worker_that_does_not_agree_costs_a_block_no_attempt_and_is_not_asked_again(
    drive: Callable[..., Drive],
) -> None:
    def outcome_of(future: FakeFuture) -> Outcome:
        if future.workers is None:
            return UnfitWorkerError("b", "host:1 numpy 1 instead of 2")
        return receipt_of(future.task)

    window = drive(outcome_of, 5, workers={"a": described_worker(), "b": described_worker()})
    window.run()
    assert sorted(window.committed) == [0, 1, 2, 3, 4]
    assert [future.workers for future in window.sent()] == [None] * 5 + [["a"]] * 5
    assert {future.task.attempt for future in window.sent()} == {1}
    assert window.said == ["worker b is not used: host:1 numpy 1 instead of 2"]


def test_where_no_worker_agrees_the_sweep_ends_and_says_why(drive: Callable[..., Drive]) -> None:
    window = drive(lambda future: UnfitWorkerError("a", "host:1 numpy 1 instead of 2"), 2)
    with pytest.raises(ClusterError, match=r"all 1 workers .* do not agree .*numpy 1 instead of 2"):
        window.run()
    assert window.clock.now > 1000.0 + window.watchdog.limits.no_worker
    assert {future.task.attempt for future in window.sent()} == {1}
    assert window.take_what_is_left() == [0, 1]


def test_runs_that_kill_their_worker_are_found_while_nothing_else_runs(
    drive: Callable[..., Drive],
) -> None:
    """Block 1 has the runs 4 to 7, of which run 6 kills whatever starts it."""
    company = []

    def outcome_of(future: FakeFuture) -> Outcome:
        if future.function == "try_runs":
            company.append([sent for sent in window.client.in_flight if sent is not future])
        if 6 in rows_of(future.task):
            return KILLED
        return None if future.function == "try_runs" else receipt_of(future.task)

    window = drive(outcome_of, 3, runs=4)
    window.run()
    trials = [rows_of(future.task) for future in window.sent("try_runs")]
    assert trials == [[4, 5, 6, 7], [4, 5], [6, 7], [6], [7]]
    assert company == [[]] * len(trials)
    assert window.committed == [0, 2, 1]
    last = window.sent()[-1].task
    assert (last.index, last.attempt, last.condemned) == (1, 2, {2: KILLER})
    assert last.condemned_repeats == frozenset()


def test_a_repeat_that_kills_its_worker_costs_only_the_estimate(
    drive: Callable[..., Drive],
) -> None:
    """Runs 1 and 3 are repeated for their accuracy, and a repeat of run 3 is fatal."""

    def outcome_of(future: FakeFuture) -> Outcome:
        task = future.task
        repeated = {
            task.overrides[i]["row"] for i in task.accuracy_indices - task.condemned_repeats
        }
        if 3 in repeated:
            return KILLED
        return None if future.function == "try_runs" else receipt_of(task)

    window = drive(outcome_of, 1, runs=4, accuracy_indices=frozenset({1, 3}))
    window.run()
    last = window.sent()[-1].task
    assert window.committed == [0]
    assert (dict(last.condemned), last.condemned_repeats) == ({}, frozenset({3}))


def test_a_block_that_kills_its_worker_though_no_run_does_is_given_up(
    drive: Callable[..., Drive],
) -> None:
    window = drive(lambda future: None if future.function == "try_runs" else KILLED, 1)
    with pytest.raises(ClusterError, match="block 0 kills its worker though none of its runs does"):
        window.run()
    assert [future.task.attempt for future in window.sent()] == list(range(1, RESTARTS + 2))
    assert window.take_what_is_left() == [0]


def test_a_trial_that_hangs_or_meets_an_unfit_worker_is_begun_anew_elsewhere(
    drive: Callable[..., Drive],
) -> None:
    def outcome_of(future: FakeFuture) -> Outcome:
        if future.function == "run_block":
            return KILLED if future.task.attempt == 1 else receipt_of(future.task)
        usable = future.workers or ["a", "b", "c"]
        if "c" in usable:
            return PENDING
        return UnfitWorkerError("b", "numpy 1 instead of 2") if "b" in usable else None

    hanging = described_worker(last_seen=400.0)
    seen = described_worker(last_seen=500.0)
    window = drive(outcome_of, 1, workers={"a": seen, "b": seen, "c": hanging}, quiet=10.0)
    window.run()
    trials = window.sent("try_runs")
    assert [future.workers for future in trials] == [None, ["a", "b"], ["a"]]
    assert [rows_of(future.task) for future in trials] == [[0, 1]] * 3
    assert window.committed == [0]
    assert dict(window.sent()[-1].task.condemned) == {}


@pytest.fixture
def run_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Reporter]:
    """Return a function that runs six blocks on clusters of a test, and returns the report."""
    axes = {"temperature.T0": {"linspace": [3000.0, 4000.0, 6]}}
    plan = make_plan(load_sweep(sweep_file(tmp_path, axes=axes, block=1)))
    store = str(tmp_path / "s.zarr")
    create(plan, store)
    reporter = Reporter(Console(file=io.StringIO()), Tally(6))
    stop = StopEvent(Clock())

    def run_on(workers_from: Callable[..., Any]) -> Reporter:
        monkeypatch.setattr(sweep.running.driver, "workers_from", workers_from)
        monkeypatch.setattr(sweep.running.driver, "wait", wait)
        run_blocks(plan, store, plan.blocks, workers=2, reporter=reporter, stop=stop)
        return reporter

    return run_on


def losing_clusters(commits: int, started: list[FakeClient]) -> Callable[..., Any]:
    """Return a starter of clusters that commit ``commits`` blocks, then lose their scheduler."""

    @contextmanager
    def workers_from(*arguments: Any, **options: Any) -> Iterator[Cluster]:
        committed = []

        def outcome_of(future: FakeFuture) -> Outcome:
            if len(committed) < commits:
                committed.append(future.task.index)
                return receipt_of(future.task)
            client.status = "connecting"
            return PENDING

        client = FakeClient(Clock(), outcome_of)
        started.append(client)
        yield FakeCluster(client, {"a": described_worker()})

    return workers_from


def test_a_cluster_that_is_lost_again_and_again_is_given_up(
    run_on: Callable[..., Reporter],
) -> None:
    started: list[FakeClient] = []
    with pytest.raises(ClusterError, match="the scheduler of tcp://head:8786 is gone"):
        run_on(losing_clusters(0, started))
    assert len(started) == 1 + RESTARTS


def test_a_cluster_that_is_lost_again_and_again_is_replaced_as_long_as_it_gets_on(
    run_on: Callable[..., Reporter],
) -> None:
    started: list[FakeClient] = []
    reporter = run_on(losing_clusters(1, started))
    assert reporter.tally.finished == 6
    first = [client.submitted[0].task.index for client in started]
    assert first == [0, 1, 2, 3, 4, 5]
    announced = [line.partition("; ")[2] for line in reporter.messages]
    assert announced == [f"starting new workers for the {n} blocks left" for n in (5, 4, 3, 2, 1)]


def test_a_cluster_that_was_never_there_is_not_started_again(
    run_on: Callable[..., Reporter],
) -> None:
    starts = []

    def workers_from(*arguments: Any, **options: Any) -> Any:
        starts.append(arguments)
        raise WorkersLostError("no scheduler answers")

    with pytest.raises(ClusterError, match="no scheduler answers"):
        run_on(workers_from)
    assert len(starts) == 1


def test_a_sweep_with_runs_left_does_not_end_with_exit_code_0(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    sweep_file(tmp_path, axes={"temperature.T0": [3000.0, 4000.0]})
    monkeypatch.setattr(sweep.running.driver, "run_blocks", lambda *arguments, **options: None)
    done = CliRunner().invoke(sweep.cli.commands.main, ["run", "small.yaml", "--workers", "0"])
    assert done.exit_code != 0
