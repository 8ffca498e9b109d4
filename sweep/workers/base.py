"""A scheduler with workers, and the settings that all workers have."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from distributed import Client
from distributed.security import Security

from ..common.errors import WorkersLostError
from .handshake import Probe
from .profiles import Tls

SCHEDULER_SECONDS = 30.0  # to describe its workers, which takes milliseconds
MEMORY_TOPIC = "worker-restart-memory"  # in Dask's log of events
WORKER_MB = 300  # of a worker with our packages, before its first run
LOOPBACK_WORKER = ["--host", "127.0.0.1"]  # by default, it listens on all interfaces
WORKER_SETTINGS = {
    # no result lives in Dask, so there is nothing to spill; a paused worker would hang for ever,
    # without an error
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.9,
    "distributed.worker.profile.enabled": False,
    "distributed.comm.timeouts.tcp": "30s",
}


class Cluster:
    """A scheduler with workers; by itself, one that somebody else has started."""

    own = False
    wanted = 0  #: workers that were asked for; 0 if unknown
    probe: Probe | None = None  #: what the workers were compared with

    def __init__(self, client: Client, address: str) -> None:
        self.client = client
        self.address = address
        events = self._ended_for_memory()
        # by the scheduler's clock; what happened before is none of this sweep's
        self._last_event_time = events[-1][0] if events else 0.0

    def workers(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the scheduler's description of each worker, by address.

        Raises
        ------
        WorkersLostError
            The scheduler is gone or does not answer.
        """
        try:
            scheduler: Any = self.client.scheduler
            identity: Any = self.client.sync(
                scheduler.identity, n_workers=-1, callback_timeout=SCHEDULER_SECONDS
            )
        except TimeoutError as error:
            raise WorkersLostError(
                f"the scheduler of {self.address} has not answered for {SCHEDULER_SECONDS:.0f} s"
            ) from error
        except OSError as error:
            raise WorkersLostError(f"the scheduler of {self.address} is gone") from error
        workers: Mapping[str, Mapping[str, Any]] = identity["workers"]
        return workers

    def count_executing(self, keys: Collection[str]) -> int:
        """Count the tasks among ``keys`` that are running, without those that wait in a worker."""
        wanted = set(keys)
        sent_to = self.client.processing()
        count = 0
        for address, worker in self.workers().items():
            tasks = wanted.intersection(sent_to.get(address, ()))
            count += min(len(tasks), worker["nthreads"])
        return count

    def _ended_for_memory(self) -> list[tuple[float, Mapping[str, Any]]]:
        """Return time and description of each worker that its nanny ended for lack of memory."""
        # a scheduler that is gone cannot be asked
        with suppress(Exception):
            scheduler: Any = self.client.scheduler
            options = {"topic": MEMORY_TOPIC, "callback_timeout": SCHEDULER_SECONDS}
            return list(self.client.sync(scheduler.events, **options))
        return []

    def out_of_memory(self) -> str:
        """Return a message if nannies ended workers for lack of memory since the last call."""
        new = [event for event in self._ended_for_memory() if event[0] > self._last_event_time]
        if not new:
            return ""
        self._last_event_time, last = new[-1]
        times = f"{len(new)} times" if len(new) > 1 else "once"
        return (
            f"a nanny has ended its worker {times} for taking more memory than its limit allows, "
            f"the last one at {last['rss'] / 1e6:.0f} MB; a worker takes some {WORKER_MB} MB"
            " before its first run: give it more (--memory-limit of dask worker, memory: of a"
            " profile)"
        )

    def replace_lost(self) -> str:
        """Ask for workers in place of lost ones; return a message about it, empty if none."""
        return ""

    def waiting(self) -> str:
        """Return the reason why there may be no worker yet; empty if there is none."""
        return ""

    @property
    def patience(self) -> float:
        """Time to wait for the first worker while :meth:`waiting` gives a reason, in s."""
        return 0.0

    @property
    def cure(self) -> str:
        """Advice for a person where there are no workers."""
        return (
            f"start some (dask worker {self.address} --nthreads 1), then run the same command again"
        )


def security(tls: Tls | None) -> Security | None:
    """Return Dask's settings for encryption; None without certificates."""
    if tls is None:
        return None
    files = {
        "ca_file": tls.ca,
        "client_cert": tls.cert,
        "client_key": tls.key,
        "scheduler_cert": tls.cert,
        "scheduler_key": tls.key,
    }
    return Security(
        require_encryption=True,
        **{f"tls_{name}": file for name, file in files.items()},
        tls_worker_cert=tls.cert,
        tls_worker_key=tls.key,
    )
