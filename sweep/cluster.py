"""Workers had and given back: processes of this machine, a running scheduler, or one of the clusters in :mod:`sweep.jobs`."""

import logging
import re
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import dask
from distributed import Client, LocalCluster
from distributed.comm.core import CommClosedError
from distributed.security import Security

from .agreement import Probe, check_agreement, probing
from .browse.dashboard import close_to_other_sites, on_dashboard, results_page
from .errors import ClusterError, Interrupted, WorkersLostError
from .profiles import (
    JobsProfile,
    KubernetesProfile,
    LocalProfile,
    Profile,
    Scheduler,
    Source,
    Tls,
    usable_cores,
)
from .quiet import quiet_loggers
from .watchdog import Limits
from .worker import BlockTask, SweepPlugin

SCHEDULER_SECONDS = 30.0  # for it to say who its workers are, which takes milliseconds
MEMORY_TOPIC = "worker-restart-memory"  # of Dask's log of events
WORKER_MB = 300  # of a worker with our packages, before its first run
LOOPBACK_WORKER = ["--host", "127.0.0.1"]  # it would listen on all interfaces

THREADS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
#: Dask would have every free memory handed back at once, to be asked for again, page by page, by
#: the next run.
MALLOC = {"MALLOC_TRIM_THRESHOLD_": 2**26, "MALLOC_MMAP_THRESHOLD_": 2**24}
WORKER_SETTINGS = {
    # no result lives in Dask, so there is nothing to spill; a paused worker would hang for ever
    # without an error
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.9,
    "distributed.worker.profile.enabled": False,
    "distributed.comm.timeouts.tcp": "30s",
}
# read when a worker starts, a restarted one too
ENVIRONMENT = {**MALLOC, **dict.fromkeys(THREADS, 1), "DASK_LOGGING__DISTRIBUTED": "critical"}
SETTINGS = {
    **WORKER_SETTINGS,
    # 0 would condemn a block at the first stray kill, more costs minutes per bad case
    "distributed.scheduler.allowed-failures": 1,
    "distributed.scheduler.worker-ttl": "5 minutes",
    **{f"distributed.nanny.pre-spawn-environ.{name}": value for name, value in ENVIRONMENT.items()},
}

#: Dask looks so long after the loss of a worker whether it is back, and if not, even as it starts
#: anew after a second loss, dismisses it for good.
LOCAL_SETTINGS = {"distributed.deploy.lost-worker-timeout": "1 day"}


class Cluster:
    """A scheduler with workers that the driver did not start: it may ask, but not restart."""

    own = False
    wanted = 0  #: workers that were asked for; 0 where nobody knows
    probe: Probe | None = None  #: what they were compared with

    def __init__(self, client: Client, address: str) -> None:
        self.client = client
        self.address = address
        ended = self._ended_for_memory()
        # before our time, by the scheduler's clock
        self._last_ended = ended[-1][0] if ended else 0.0

    def workers(self) -> Mapping[str, Mapping[str, Any]]:
        """By address, as the scheduler describes them."""
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
        found: Mapping[str, Mapping[str, Any]] = identity["workers"]
        return found

    def count_executing(self, keys: Collection[str]) -> int:
        """Count the tasks among ``keys`` that workers are at; those that wait in a worker do not count."""
        asked = set(keys)
        sent_to = self.client.processing()
        count = 0
        for address, worker in self.workers().items():
            held = asked.intersection(sent_to.get(address, ()))
            count += min(len(held), worker["nthreads"])
        return count

    def _ended_for_memory(self) -> list[tuple[float, Mapping[str, Any]]]:
        """What nannies have told the scheduler of workers that they ended for lack of memory, with the time."""
        with suppress(Exception):  # of a scheduler that is gone there is nothing to be asked
            scheduler: Any = self.client.scheduler
            waiting = {"topic": MEMORY_TOPIC, "callback_timeout": SCHEDULER_SECONDS}
            return list(self.client.sync(scheduler.events, **waiting))
        return []

    def out_of_memory(self) -> str:
        """Say that nannies end workers for lack of memory; empty where none has done so since this was last asked."""
        new = [
            (time, event["rss"])
            for time, event in self._ended_for_memory()
            if time > self._last_ended
        ]
        if not new:
            return ""
        self._last_ended = new[-1][0]
        sizes = [size for _, size in new]
        times = f"{len(sizes)} times" if len(sizes) > 1 else "once"
        return (
            f"a nanny has ended its worker {times} for taking more memory than its limit allows, "
            f"the last one at {sizes[-1] / 1e6:.0f} MB; a worker takes some {WORKER_MB} MB before "
            "its first run: give it more (--memory-limit of dask worker, memory: of a profile)"
        )

    def replace_lost(self) -> str:
        """Ask for workers in the place of lost ones; what was done, in words."""
        return ""

    def waiting(self) -> str:
        """Why there may rightly be no worker yet, in words."""
        return ""

    @property
    def patience(self) -> float:
        """s to wait for the first worker while :meth:`waiting` has a reason."""
        return 0.0

    @property
    def cure(self) -> str:
        """What a person can do where there are no workers."""
        return (
            f"start some (dask worker {self.address} --nthreads 1), then run the same command again"
        )


class LocalProcesses(Cluster):
    """Processes of this machine, restarted by Dask when they die."""

    own = True
    cure = "try --workers 0, which needs none"

    def __init__(self, client: Client, wanted: int) -> None:
        super().__init__(client, "this machine")
        self.wanted = wanted


def security(tls: Tls | None) -> Security | None:
    """Both directions encrypted, or None; what cannot be read is named by Dask when it connects."""
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


def connect(scheduler: Scheduler, timeout: float) -> Client:
    """A client of a running scheduler.

    Raises
    ------
    WorkersLostError
        Nobody answers there, or not to us.
    """
    try:
        return Client(
            scheduler.address,
            security=security(scheduler.tls),
            timeout=timeout,
            set_as_default=False,
        )
    except (OSError, TimeoutError, ValueError, TypeError, RuntimeError) as error:
        detail = (
            re.sub(r"^in <.*?>: ", "", str(error.__cause__ or error).strip())
            or type(error).__name__
        )
        raise WorkersLostError(
            f"no scheduler answers at {scheduler.address}: {detail}; start one there (dask"
            " scheduler), or check address and certificates"
        ) from error


@contextmanager
def naming_loss(address: str) -> Iterator[None]:
    """Says in our words that the connection to a scheduler broke."""
    try:
        yield
    except CommClosedError as error:
        raise WorkersLostError(f"the connection to the scheduler of {address} is gone") from error


def processes_of(source: Source, blocks: int) -> int | None:
    """How many local processes ``source`` asks for, no more than blocks; None where it is something else."""
    if isinstance(source, LocalProfile):
        source = source.workers or usable_cores()
    return min(source, blocks) if isinstance(source, int) else None


@contextmanager
def workers_from(
    source: Source,
    first: BlockTask,
    blocks: int,
    *,
    limits: Limits,
    say: Callable[[str], None],
    stop: threading.Event,
) -> Iterator[Cluster]:
    """Workers ready for blocks like ``first``; what was started for them is gone when the context ends.

    Raises
    ------
    ClusterError
        They could not be had, or do not agree with the driver.
    Interrupted
        ``stop`` was set while waiting for them.
    """
    # the driver says in its own words what happens to workers
    with (
        quiet_loggers(_loggers_of_dask(), logging.CRITICAL),
        dask.config.set(SETTINGS),
        ExitStack() as stack,
    ):
        count = processes_of(source, blocks)
        if count is not None:
            stack.enter_context(dask.config.set(LOCAL_SETTINGS))
            stack.enter_context(on_dashboard(first.store))
            local = stack.enter_context(
                _local(count, source if isinstance(source, LocalProfile) else None)
            )
            say(
                f"{count} worker{'s' * (count > 1)}; dashboard"
                f" {local.client.dashboard_link}{results_page(local.client.dashboard_link)}"
            )
            local.client.register_plugin(SweepPlugin(first))
            yield local
            return
        cluster = stack.enter_context(_remote(source, limits))
        _until_some(cluster, limits, say, stop)
        probe = stack.enter_context(probing(first.store))
        plugin = SweepPlugin(first, probe)
        with naming_loss(cluster.address):
            check_agreement(cluster.client, probe)
            cluster.probe = probe
            cluster.client.register_plugin(plugin)
        stack.callback(_unregister, cluster.client, plugin.name)
        workers = cluster.workers()
        threads = sum(worker["nthreads"] for worker in workers.values())
        say(
            f"{len(workers)} worker{'s' * (len(workers) > 1)} of {cluster.address}, {threads} at a"
            f" time; dashboard {cluster.client.dashboard_link}"
        )
        if threads > len(workers):
            say(
                "note: some workers have several threads, which hinder each other; processes of one"
                " thread each are faster (dask worker --nthreads 1)"
            )
        yield cluster


def _loggers_of_dask() -> list[str]:
    """Names of the loggers that tell of lost workers and connections."""
    known = [
        name for name in logging.root.manager.loggerDict if name.split(".")[0] == "distributed"
    ]
    return ["asyncio", "tornado.application", *known]


def _unregister(client: Client, name: str) -> None:
    with suppress(Exception):  # whoever is gone needs no clean-up
        if client.status == "running":
            client.sync(client._unregister_worker_plugin, name=name, callback_timeout=2.0)


@contextmanager
def _local(count: int, profile: LocalProfile | None) -> Iterator[LocalProcesses]:
    host = profile.host if profile else "127.0.0.1"
    memory = profile.memory if profile and profile.memory else "auto"
    try:
        cluster = LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            host=host,
            dashboard_address="127.0.0.1:0",
            memory_limit=memory,
            silence_logs=logging.CRITICAL,
        )
    except (OSError, RuntimeError, TimeoutError) as error:
        raise ClusterError(
            f"{count} workers could not be started: {error}; {LocalProcesses.cure}"
        ) from error
    close_to_other_sites(cluster.scheduler)
    with cluster, Client(cluster, set_as_default=False) as client:
        yield LocalProcesses(client, count)


@contextmanager
def _remote(source: Scheduler | Profile | int, limits: Limits) -> Iterator[Cluster]:
    if isinstance(source, Scheduler):
        with connect(source, limits.connect) as client:
            yield Cluster(client, source.address)
        return
    from . import jobs  # which imports this module

    if isinstance(source, JobsProfile):
        with jobs.batch_jobs(source) as cluster:
            yield cluster
    elif isinstance(source, KubernetesProfile):
        with jobs.pods(source) as cluster:
            yield cluster


def _until_some(
    cluster: Cluster, limits: Limits, say: Callable[[str], None], stop: threading.Event
) -> None:
    """Wait for the first worker."""
    begin = last = time.monotonic()
    said = False
    starved = ""
    while not cluster.workers():
        if stop.wait(0.3):
            raise Interrupted
        now = time.monotonic()
        if not said and now - begin > 2.0:
            say(
                "waiting for workers of"
                f" {cluster.address}{': ' * bool(cluster.waiting())}{cluster.waiting()}"
            )
            said = True
        if said and not starved:
            starved = cluster.out_of_memory()
            if starved:
                say(starved)
        if now - last > limits.too_few:
            last = now
            done = cluster.replace_lost()
            if done:
                say(done)
        if now - begin > max(limits.no_worker, cluster.patience if cluster.waiting() else 0.0):
            raise ClusterError(
                f"no worker of {cluster.address} within {now - begin:.0f} s;"
                f" {starved or cluster.cure}"
            )


def loud(source: Source) -> str:
    """The warning that a source deserves which listens beyond this machine; empty if it does not."""
    if not isinstance(source, Profile) or not source.listens_widely:
        return ""
    encrypted = isinstance(source, JobsProfile) and source.tls is not None
    rest = (
        "only holders of its certificates can use it"
        if encrypted
        else "WHOEVER REACHES IT CAN RUN CODE AS YOU (give tls: certificates, or a closed network)"
    )
    return (
        f"WARNING: the scheduler and its workers listen on {source.listens_widely}, beyond this"
        f" machine; {rest}"
    )
