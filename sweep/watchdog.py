"""Notices that nothing moves any more: all workers gone, fewer than asked for, paused between the memory limits, or silent for long."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import dask
from dask.utils import parse_timedelta

from .errors import ClusterError, WorkersLostError

if TYPE_CHECKING:
    from .cluster import Cluster

# since a worker's last heartbeat, beside the latest of all: it hangs, is stopped or cut off
SILENT_SECONDS = 20.0
BLOCKS_PER_WORKER = 3  # in flight: enough that no worker waits for the driver


@dataclass(frozen=True)
class Limits:
    """Seconds to be patient. Each can be set as ``sweep.NAME`` in Dask's configuration, or as ``DASK_SWEEP__NAME`` in the environment."""

    connect: float = 15.0  #: for a scheduler to answer
    reconnect: float = 300.0  #: for a scheduler that is gone to come back
    no_worker: float = 120.0  #: without any worker that takes blocks
    too_few: float = 30.0  #: with fewer workers than asked for, before more are asked for
    quiet: float = 600.0  #: without any finished block, at least
    quiet_factor: float = 20.0  #: times the longest block so far, if that is more

    @classmethod
    def from_config(cls) -> "Limits":
        """Defaults, and what Dask's configuration says instead."""
        given = {
            field.name: dask.config.get(f"sweep.{field.name.replace('_', '-')}", None)
            for field in fields(cls)
        }
        return cls(
            **{
                name: float(parse_timedelta(value, "s"))
                for name, value in given.items()
                if value is not None
            }
        )


class Watchdog:
    """Looks at a cluster about once a second; it outlives the cluster, so that its patience grows with every restart."""

    def __init__(self, limits: Limits, say: Callable[[str], None]) -> None:
        self.limits = limits
        self.say = say
        self.longest = 0.0  #: s of a block
        #: workers that do not agree with the driver, by address, with the reason
        self.unfit: dict[str, str] = {}
        self.repeats = 0  #: of all blocks in flight, since something was finished
        self._paused: set[str] = set()

    def watch(self, cluster: "Cluster") -> None:
        """Begin with a cluster."""
        now = time.monotonic()
        self.cluster = cluster
        self.unfit = {}
        self._hanging: set[str] = set()
        self._looked = 0.0
        self._alive = now
        self._full = now
        self._asked = now
        self._moved = now
        self._done = ""
        self._starved = ""
        self._has_told_of_memory = False
        self._workers: Mapping[str, Mapping[str, Any]] = {}
        self.size = BLOCKS_PER_WORKER

    def finished(self, seconds: float) -> None:
        """A block has been committed."""
        self.longest = max(self.longest, seconds)
        self.repeats = 0
        self._alive = time.monotonic()
        self._moved = self._alive

    def came_back(self) -> None:
        """A worker has given a block back that storage did not take: it does not hang."""
        self._moved = time.monotonic()

    def usable(self) -> list[str] | None:
        """The workers to choose from; None for all."""
        bad = {*self.unfit, *self._hanging}
        good = [address for address in self._workers if address not in bad]
        return good if bad and good else None

    def refuse(self, address: str, problem: str) -> None:
        """Use a worker no more, because it does not agree with the driver."""
        if address not in self.unfit:
            self.say(f"worker {address} is not used: {problem}")
        self.unfit[address] = problem

    def look(self) -> bool:
        """Whether all blocks in flight should be submitted again; asks for new workers where it may.

        Raises
        ------
        WorkersLostError
            The cluster is worth nothing any more, another may be.
        ClusterError
            A person has to do something.
        """
        now = time.monotonic()
        if self.cluster.client.status != "running":
            raise WorkersLostError(f"the scheduler of {self.cluster.address} is gone")
        if now - self._looked < 1.0:
            return False
        before = self._workers
        self._workers = self.cluster.workers()
        self._looked = now
        for address in sorted(before.keys() - self._workers.keys()):
            self.say(f"worker {address} is gone; its blocks run on others")
        takers = [
            address
            for address, worker in self._workers.items()
            if worker.get("status", "running") == "running" and address not in self.unfit
        ]
        self.size = BLOCKS_PER_WORKER * max(
            1, sum(self._workers[address]["nthreads"] for address in takers)
        )
        self._report_paused()
        if not takers or before.keys() - self._workers.keys():
            self._report_lack_of_memory()
        self._any_taker(bool(takers), now)
        self._enough(now)
        return self._not_quiet(now)

    def _report_paused(self) -> None:
        paused = {
            address for address, worker in self._workers.items() if worker.get("status") == "paused"
        }
        for address in sorted(paused - self._paused):
            self.say(f"worker {address} is paused by its memory limit and takes no blocks")
        self._paused = paused

    def _report_lack_of_memory(self) -> None:
        """Note that nannies have ended workers for lack of memory since blocks were last taken; say so once of a cluster."""
        if self._starved:
            return
        self._starved = self.cluster.out_of_memory()
        if self._starved and not self._has_told_of_memory:
            self._has_told_of_memory = True
            self.say(self._starved)

    def _any_taker(self, there: bool, now: float) -> None:
        if there:
            self._alive = now
            self._starved = ""
        silent = now - self._alive
        if silent <= self.limits.no_worker or (
            silent < self.cluster.patience and self.cluster.waiting()
        ):
            return
        why = (
            f"all {len(self._workers)} workers are paused or do not agree with the driver"
            if self._workers
            else "no worker"
        )
        what = f"{why} for {self.limits.no_worker:.0f} s"
        if self.cluster.own and not self._starved:
            raise WorkersLostError(what)
        cure = self._starved or (
            "restart them with more memory" if self._paused else self.cluster.cure
        )
        raise ClusterError(
            "; ".join([f"{what} at {self.cluster.address}", *self.unfit.values(), cure])
        )

    def _enough(self, now: float) -> None:
        if len(self._workers) >= self.cluster.wanted:
            self._full = self._asked = now
        elif now - self._asked > self.limits.too_few:
            self._asked = now
            few = f"{len(self._workers)} of {self.cluster.wanted} workers"
            done = self.cluster.replace_lost()
            if done and done != self._done:
                self._done = done
                self.say(f"{few}; {done}")
            if (
                not done
                and self.cluster.own
                and self._workers
                and now - self._full > self.limits.no_worker
                and not self.cluster.waiting()
            ):
                raise WorkersLostError(f"only {few} for {self.limits.no_worker:.0f} s")

    def _not_quiet(self, now: float) -> bool:
        # a block may rightly take longer than any before
        limit = max(self.limits.quiet, self.limits.quiet_factor * self.longest) * 2.0**self.repeats
        if now - self._moved <= limit or not self._workers:
            return False
        if self.repeats >= 3:
            raise ClusterError(
                f"nothing was finished for {now - self._moved:.0f} s on {len(self._workers)}"
                f" workers, though all blocks were begun anew {self.repeats} times; do the workers"
                " hang? If your runs take so long, make blocks smaller (block: in the sweep file)"
            )
        self.repeats += 1
        what = f"nothing was finished for {now - self._moved:.0f} s"
        self._moved = now
        if self.cluster.own:
            raise WorkersLostError(what)
        latest = max(worker["last_seen"] for worker in self._workers.values())
        self._hanging = {
            address
            for address, worker in self._workers.items()
            if latest - worker["last_seen"] > SILENT_SECONDS
        } | self._paused
        names = f" without {', '.join(sorted(self._hanging))}" if self._hanging else ""
        self.say(f"{what}; all blocks on their way are begun anew{names}")
        return True
