"""What the watchdog says and does as time passes and workers come, pause, hang and go."""

import itertools
from typing import Any

import dask
import pytest
from fake_cluster import Clock, FakeClient, FakeCluster, described_worker

import sweep.workers.watchdog
from sweep.common.errors import ClusterError, WorkersLostError
from sweep.workers.watchdog import BLOCKS_PER_WORKER, Limits, Watchdog

PAUSED = {
    "a": described_worker(status="paused"),
    "b": described_worker(status="paused"),
}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replace the clock of the watchdog."""
    clock = Clock()
    monkeypatch.setattr(sweep.workers.watchdog, "time", clock)
    return clock


def cluster_of(clock: Clock, workers: dict[str, dict[str, Any]], **options: Any) -> FakeCluster:
    return FakeCluster(FakeClient(clock), workers, **options)


def watch_cluster(cluster: FakeCluster, **limits: float) -> tuple[Watchdog, list[str]]:
    """Return a watchdog of a cluster, and the list of its messages."""
    messages: list[str] = []
    watchdog = Watchdog(Limits(**limits), messages.append)
    watchdog.watch(cluster)
    return watchdog, messages


@pytest.mark.parametrize(("own", "error"), [(True, WorkersLostError), (False, ClusterError)])
@pytest.mark.parametrize("workers", [{}, PAUSED])
def test_where_nobody_takes_blocks_the_wait_has_an_end(
    clock: Clock,
    own: bool,
    error: type[Exception],
    workers: dict[str, dict[str, Any]],
) -> None:
    watchdog, messages = watch_cluster(cluster_of(clock, workers, own=own), no_worker=120.0)
    clock.advance(119.0)
    assert not watchdog.look()
    clock.advance(2.0)
    with pytest.raises(error, match="paused" if workers else "no worker") as caught:
        watchdog.look()
    assert isinstance(caught.value, WorkersLostError) == own  # others are not restarted
    assert [line for line in messages if "is paused by its memory limit" in line] == [
        f"worker {address} is paused by its memory limit and takes no blocks" for address in workers
    ]


def test_jobs_that_wait_in_the_queue_are_waited_for(clock: Clock) -> None:
    watchdog, _ = watch_cluster(cluster_of(clock, {}, queue="2 jobs in the queue"), no_worker=120.0)
    clock.advance(3000.0)
    assert not watchdog.look()
    clock.advance(601.0)
    with pytest.raises(ClusterError, match="no worker"):
        watchdog.look()


def test_lost_workers_are_asked_for_again_and_again(clock: Clock) -> None:
    cluster = cluster_of(clock, {"a": described_worker()}, wanted=2)
    watchdog, messages = watch_cluster(cluster, too_few=30.0)
    for _ in range(65):
        clock.advance(1.0)
        watchdog.look()
    assert cluster.requests == 2
    assert messages == ["1 of 2 workers; asked for one more"]  # once


def test_own_workers_that_do_not_come_back_cost_the_cluster_unless_they_wait_in_a_queue(
    clock: Clock,
) -> None:
    queue = "1 job in the queue"
    cluster = cluster_of(clock, {"a": described_worker()}, own=True, wanted=2, queue=queue)
    watchdog, _ = watch_cluster(cluster, too_few=30.0, no_worker=120.0)
    for _ in range(300):
        clock.advance(1.0)
        watchdog.look()
    cluster.queue = ""
    clock.advance(31.0)
    with pytest.raises(WorkersLostError, match="only 1 of 2 workers for 120 s"):
        watchdog.look()


def test_where_nothing_is_finished_blocks_are_begun_anew_elsewhere_ever_more_patiently(
    clock: Clock,
) -> None:
    workers = {"a": described_worker(last_seen=500.0), "b": described_worker(last_seen=400.0)}
    watchdog, messages = watch_cluster(cluster_of(clock, workers), quiet=10.0, quiet_factor=20.0)
    watchdog.finished(2.0)
    anew = []

    def keep_looking() -> None:
        for second in range(10_000):
            clock.advance(1.0)
            if watchdog.look():
                anew.append(second)
                assert watchdog.usable() == ["a"]  # b has not been heard of for 100 s

    end = r"nothing was finished for .* though all blocks were restarted 3 times"
    with pytest.raises(ClusterError, match=end):
        keep_looking()
    waits = [later - earlier for earlier, later in itertools.pairwise([0, *anew])]
    # twenty times the longest block, twice that, and twice that again
    assert [round(wait, -1) for wait in waits] == [40, 80, 160]
    assert "all blocks in flight are restarted without b" in messages[0]


def test_a_finished_block_takes_the_impatience_away(clock: Clock) -> None:
    """As often as blocks are begun anew, all is well once one of them ends."""
    watchdog, _ = watch_cluster(cluster_of(clock, {"a": described_worker()}), quiet=100.0)
    for _ in range(10):
        clock.advance(101.0)
        assert watchdog.look()
        clock.advance(199.0)
        assert not watchdog.look()
        watchdog.finished(1.0)
        clock.advance(100.0)
        assert not watchdog.look()


def test_the_window_is_as_wide_as_the_threads_of_workers_that_take_blocks(clock: Clock) -> None:
    cluster = cluster_of(clock, {"a": described_worker(threads=2), "b": described_worker()})
    watchdog, messages = watch_cluster(cluster)
    assert watchdog.size == BLOCKS_PER_WORKER
    watchdog.look()
    assert watchdog.size == 3 * BLOCKS_PER_WORKER
    watchdog.refuse("a", "numpy 1 instead of 2")
    clock.advance(0.5)
    watchdog.look()
    assert watchdog.size == 3 * BLOCKS_PER_WORKER  # it looks about once a second
    clock.advance(0.5)
    watchdog.look()
    assert watchdog.size == BLOCKS_PER_WORKER
    cluster.described = {"a": described_worker(threads=2)}
    clock.advance(1.0)
    watchdog.look()
    assert watchdog.size == BLOCKS_PER_WORKER  # so that something is on its way when one comes
    assert messages == [
        "worker a is not used: numpy 1 instead of 2",
        "worker b is gone; its blocks run on others",
    ]


def test_limits_are_settings_of_dask() -> None:
    with dask.config.set({"sweep.no-worker": "2 minutes", "sweep.quiet": 7}):
        limits = Limits.from_config()
    assert (limits.no_worker, limits.quiet, limits.too_few) == (120.0, 7.0, Limits().too_few)
