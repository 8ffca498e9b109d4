"""Workers that their nannies end again and again for lack of memory are named as that."""

import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from dask_processes import DaskProcesses
from drivers import SWEEP
from fake_cluster import Clock, FakeClient, FakeCluster, StopEvent, described_worker
from small_sweeps import SCRIPTS
from waiting import Driver, wait_for_end

import sweep.workers.start
import sweep.workers.watchdog
from sweep.common.errors import ClusterError
from sweep.workers.start import _until_some
from sweep.workers.watchdog import Limits, Watchdog

WORDS = (
    "a nanny has ended its worker 3 times for taking more memory than its limit allows, "
    "the last one at 148 MB; a worker takes some 300 MB before its first run: "
    "give it more (--memory-limit of dask worker, memory: of a profile)"
)


class StarvedCluster(FakeCluster):
    """Cluster whose nannies end their workers."""

    ended: tuple[tuple[float, Mapping[str, Any]], ...] = ()

    def _ended_for_memory(self) -> list[tuple[float, Mapping[str, Any]]]:
        return list(self.ended)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replace the clock of code that waits for workers."""
    clock = Clock()
    monkeypatch.setattr(sweep.workers.watchdog, "time", clock)
    monkeypatch.setattr(sweep.workers.start, "time", clock)
    return clock


def starve(cluster: StarvedCluster) -> None:
    """Let its nannies end three workers, the last one of 148 MB."""
    sizes = enumerate((150e6, 149e6, 148e6))
    cluster.ended += tuple((1000.0 + number, {"rss": size}) for number, size in sizes)


def test_the_first_worker_that_never_comes_for_lack_of_memory_is_named_while_it_is_waited_for(
    clock: Clock,
) -> None:
    messages: list[str] = []
    cluster = StarvedCluster(FakeClient(clock), {})
    starve(cluster)
    with pytest.raises(ClusterError) as caught:
        _until_some(cluster, Limits(no_worker=120.0), messages.append, StopEvent(clock))
    assert messages[:2] == [f"waiting for workers of {cluster.address}", WORDS]
    assert messages.count(WORDS) == 1
    assert str(caught.value) == f"no worker of {cluster.address} within 120 s; {WORDS}"


@pytest.mark.parametrize("own", [True, False])
def test_workers_that_go_for_lack_of_memory_are_named_once_and_no_new_ones_are_started(
    clock: Clock,
    own: bool,
) -> None:
    messages: list[str] = []
    cluster = StarvedCluster(FakeClient(clock), {"a": described_worker()}, own=own)
    watchdog = Watchdog(Limits(no_worker=120.0), messages.append)
    watchdog.watch(cluster)
    clock.advance(1.0)
    watchdog.look()
    starve(cluster)
    cluster.described = {}
    for _ in range(3):
        clock.advance(2.0)
        watchdog.look()
    assert messages == ["worker a is gone; its blocks run on others", WORDS]
    clock.advance(120.0)
    with pytest.raises(ClusterError) as caught:
        watchdog.look()
    assert str(caught.value) == f"no worker for 120 s at {cluster.address}; {WORDS}"


def test_what_nannies_have_ended_before_our_time_is_not_told(clock: Clock) -> None:
    class OfOthers(StarvedCluster):
        ended = ((900.0, {"rss": 1e9}),)

    cluster = OfOthers(FakeClient(clock), {})
    assert cluster.out_of_memory() == ""
    cluster.ended += ((901.0, {"rss": 2e9}),)
    assert cluster.out_of_memory().startswith("a nanny has ended its worker once for taking")
    assert cluster.out_of_memory() == ""  # told already


@pytest.mark.faults("the nanny of a worker restarts it again and again, for lack of memory")
def test_a_worker_of_too_little_memory_is_named_by_the_driver(
    dask: DaskProcesses,
    launch: Callable[..., Driver],
    long_file: Path,
    tmp_path: Path,
) -> None:
    worker = [SCRIPTS / "dask", "worker", dask.address, "--nthreads", "1", "--no-dashboard"]
    launch([*worker, "--host", "127.0.0.1", "--memory-limit", "60MB"], tmp_path)
    words = [*SWEEP, "run", long_file, "--store", tmp_path / "s.zarr", "--scheduler", dask.address]
    driver = launch(words, tmp_path, DASK_SWEEP__NO_WORKER="600")
    for line in driver.stdout or ():
        if "for taking more memory than its limit allows" in line:
            break
    driver.send_signal(signal.SIGINT)
    out, err, code = wait_for_end(driver)
    assert (code, err) == (130, ""), out
