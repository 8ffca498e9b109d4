"""Notice that a cluster does not make progress: workers are lost, paused, too few, or hang."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import dask
from dask.utils import parse_timedelta

from ..common.errors import ClusterError, WorkersLostError

if TYPE_CHECKING:
    from .base import Cluster

# age of a worker's heartbeat, relative to the latest of all, from which on the worker hangs
SILENT_SECONDS = 20.0
BLOCKS_PER_WORKER = 3  # in flight: enough that no worker waits for the driver
CHECK_SECONDS = 1.0  # between two checks of the workers
MAX_REPEATS = 3  # of all blocks in flight, before the driver gives up


@dataclass(frozen=True)
class Limits:
    """Times to wait, in s.

    Each can be set as ``sweep.NAME`` in Dask's configuration, or as ``DASK_SWEEP__NAME`` in the
    environment.
    """

    connect: float = 15.0  #: for a scheduler to answer
    reconnect: float = 300.0  #: for a scheduler that is gone to come back
    no_worker: float = 120.0  #: without any worker that takes blocks
    too_few: float = 30.0  #: with fewer workers than wanted, before more are requested
    quiet: float = 600.0  #: without any finished block
    #: likewise, as a multiple of the longest block so far; the larger of both counts
    quiet_factor: float = 20.0

    @classmethod
    def from_config(cls) -> "Limits":
        """Return the limits of Dask's configuration; defaults for those that it does not set."""
        limits = {}
        for field in fields(cls):
            value = dask.config.get(f"sweep.{field.name.replace('_', '-')}", None)
            if value is not None:
                limits[field.name] = float(parse_timedelta(value, "s"))
        return cls(**limits)


class Watchdog:
    """Checks the workers of a cluster about once a second.

    It outlives the cluster, so that it becomes more patient with every restart.

    Parameters
    ----------
    limits : Limits
        Times to wait.
    say : callable
        Takes messages for people.
    """

    def __init__(self, limits: Limits, say: Callable[[str], None]) -> None:
        self.limits = limits
        self.say = say
        self.longest = 0.0  #: time that the longest block took, in s
        #: workers that do not agree with the driver, by address, with the reason
        self.unfit: dict[str, str] = {}
        #: times that all blocks in flight were submitted again since a block was finished
        self.repeats = 0
        self._paused: set[str] = set()

    def watch(self, cluster: "Cluster") -> None:
        """Begin to watch a cluster."""
        now = time.monotonic()
        self.cluster = cluster
        self.unfit = {}
        self.size = BLOCKS_PER_WORKER  #: blocks that may be in flight
        self._hanging: set[str] = set()
        self._workers: Mapping[str, Mapping[str, Any]] = {}
        # the last time at which ...
        self._check_time = 0.0  # workers were checked
        self._taker_time = now  # a worker took blocks
        self._full_time = now  # there were as many workers as wanted
        self._request_time = now  # there were, or more were requested
        self._progress_time = now  # a block was finished or given back
        self._last_request = ""
        self._memory_problem = ""
        self._reported_memory = False

    def finished(self, seconds: float) -> None:
        """Note that a block has been committed, which took ``seconds``."""
        self.longest = max(self.longest, seconds)
        self.repeats = 0
        self._taker_time = time.monotonic()
        self._progress_time = self._taker_time

    def came_back(self) -> None:
        """Note that a worker has given back a block that storage did not take: it does not hang."""
        self._progress_time = time.monotonic()

    def usable(self) -> list[str] | None:
        """Return the addresses of the workers that may get blocks; None for all."""
        excluded = {*self.unfit, *self._hanging}
        usable = [address for address in self._workers if address not in excluded]
        return usable if excluded and usable else None

    def refuse(self, address: str, problem: str) -> None:
        """Do not use a worker any more, because it does not agree with the driver."""
        if address not in self.unfit:
            self.say(f"worker {address} is not used: {problem}")
        self.unfit[address] = problem

    def look(self) -> bool:
        """Check the workers, and ask for new ones in place of lost ones where that is possible.

        Returns
        -------
        bool
            Whether all blocks in flight should be submitted again.

        Raises
        ------
        WorkersLostError
            This cluster is of no use any more; another one may be.
        ClusterError
            A person has to do something.
        """
        now = time.monotonic()
        if self.cluster.client.status != "running":
            raise WorkersLostError(f"the scheduler of {self.cluster.address} is gone")
        if now - self._check_time < CHECK_SECONDS:
            return False
        before = self._workers
        self._workers = self.cluster.workers()
        self._check_time = now
        lost = before.keys() - self._workers.keys()
        for address in sorted(lost):
            self.say(f"worker {address} is gone; its blocks run on others")
        takers = [
            address
            for address, worker in self._workers.items()
            if worker.get("status", "running") == "running" and address not in self.unfit
        ]
        threads = sum(self._workers[address]["nthreads"] for address in takers)
        self.size = BLOCKS_PER_WORKER * max(1, threads)
        self._report_paused()
        if not takers or lost:
            self._report_lack_of_memory()
        if takers:
            self._taker_time = now
            self._memory_problem = ""
        self._refuse_lack_of_takers(now)
        self._request_workers(now)
        return self._must_resubmit(now)

    def _report_paused(self) -> None:
        paused = {
            address for address, worker in self._workers.items() if worker.get("status") == "paused"
        }
        for address in sorted(paused - self._paused):
            self.say(f"worker {address} is paused by its memory limit and takes no blocks")
        self._paused = paused

    def _report_lack_of_memory(self) -> None:
        """Note that nannies ended workers for lack of memory; report it once for a cluster."""
        if self._memory_problem:
            return
        self._memory_problem = self.cluster.out_of_memory()
        if self._memory_problem and not self._reported_memory:
            self._reported_memory = True
            self.say(self._memory_problem)

    def _refuse_lack_of_takers(self, now: float) -> None:
        """Raise an error if no worker has taken blocks for too long."""
        silence = now - self._taker_time
        if silence <= self.limits.no_worker:
            return
        if silence < self.cluster.patience and self.cluster.waiting():
            return
        problem = "no worker"
        if self._workers:
            problem = f"all {len(self._workers)} workers are paused or do not agree with the driver"
        problem = f"{problem} for {self.limits.no_worker:.0f} s"
        if self.cluster.own and not self._memory_problem:
            raise WorkersLostError(problem)
        if self._memory_problem:
            cure = self._memory_problem
        elif self._paused:
            cure = "restart them with more memory"
        else:
            cure = self.cluster.cure
        raise ClusterError(
            "; ".join([f"{problem} at {self.cluster.address}", *self.unfit.values(), cure])
        )

    def _request_workers(self, now: float) -> None:
        """Ask for workers if there are fewer than wanted."""
        if len(self._workers) >= self.cluster.wanted:
            self._full_time = now
            self._request_time = now
            return
        if now - self._request_time <= self.limits.too_few:
            return
        self._request_time = now
        problem = f"{len(self._workers)} of {self.cluster.wanted} workers"
        request = self.cluster.replace_lost()
        if request:
            if request != self._last_request:
                self._last_request = request
                self.say(f"{problem}; {request}")
            return
        is_overdue = now - self._full_time > self.limits.no_worker
        if self.cluster.own and self._workers and is_overdue and not self.cluster.waiting():
            raise WorkersLostError(f"only {problem} for {self.limits.no_worker:.0f} s")

    def _must_resubmit(self, now: float) -> bool:
        """Whether no block was finished for so long that all must be submitted again."""
        # a block may rightly take longer than any before
        limit = max(self.limits.quiet, self.limits.quiet_factor * self.longest) * 2.0**self.repeats
        silence = now - self._progress_time
        if silence <= limit or not self._workers:
            return False
        problem = f"nothing was finished for {silence:.0f} s"
        if self.repeats >= MAX_REPEATS:
            raise ClusterError(
                f"{problem} on {len(self._workers)} workers, though all blocks were restarted"
                f" {self.repeats} times; do the workers hang? If your runs take this long, make"
                " blocks smaller (block: in the sweep file)"
            )
        self.repeats += 1
        self._progress_time = now
        if self.cluster.own:
            raise WorkersLostError(problem)
        latest = max(worker["last_seen"] for worker in self._workers.values())
        self._hanging = {
            address
            for address, worker in self._workers.items()
            if latest - worker["last_seen"] > SILENT_SECONDS
        } | self._paused
        names = f" without {', '.join(sorted(self._hanging))}" if self._hanging else ""
        self.say(f"{problem}; all blocks in flight are restarted{names}")
        return True
