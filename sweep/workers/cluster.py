"""Workers for a sweep: processes of this machine, a running scheduler, jobs, or pods."""

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

from ..browse.dashboard import close_to_other_sites, on_dashboard, results_page
from ..common.errors import ClusterError, Interrupted, WorkersLostError
from ..common.quiet_loggers import quiet_loggers
from .block import BlockTask, SweepPlugin
from .handshake import Probe, check_agreement, probing
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
from .watchdog import Limits

SCHEDULER_SECONDS = 30.0  # to describe its workers, which takes milliseconds
MEMORY_TOPIC = "worker-restart-memory"  # in Dask's log of events
WORKER_MB = 300  # of a worker with our packages, before its first run
LOOPBACK_WORKER = ["--host", "127.0.0.1"]  # by default, it listens on all interfaces
POLL_SECONDS = 0.3  # while waiting for the first worker
SILENT_WAIT_SECONDS = 2.0  # before the wait for the first worker is reported
UNREGISTER_SECONDS = 2.0

THREADS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
#: By Dask's defaults, all free memory is returned at once, only to be requested again page by page
#: by the next run.
MALLOC = {"MALLOC_TRIM_THRESHOLD_": 2**26, "MALLOC_MMAP_THRESHOLD_": 2**24}
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
# read when a worker starts or restarts
ENVIRONMENT = {**MALLOC, **dict.fromkeys(THREADS, 1), "DASK_LOGGING__DISTRIBUTED": "critical"}
SETTINGS = {
    **WORKER_SETTINGS,
    # 0 would condemn a block at the first stray kill, more costs minutes per bad case
    "distributed.scheduler.allowed-failures": 1,
    "distributed.scheduler.worker-ttl": "5 minutes",
    **{f"distributed.nanny.pre-spawn-environ.{name}": value for name, value in ENVIRONMENT.items()},
}

#: Dask removes a worker for good that has not come back within this time, even one that is just
#: restarting after a second loss; so it is practically infinite.
LOCAL_SETTINGS = {"distributed.deploy.lost-worker-timeout": "1 day"}


class Cluster:
    """A scheduler with workers that the driver did not start and may not restart."""

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


class LocalProcesses(Cluster):
    """Processes of this machine, restarted by Dask when they die."""

    own = True
    cure = "try --workers 0, which needs none"

    def __init__(self, client: Client, wanted: int) -> None:
        super().__init__(client, "this machine")
        self.wanted = wanted


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


def connect(scheduler: Scheduler, timeout: float) -> Client:
    """Connect to a running scheduler.

    Parameters
    ----------
    scheduler : Scheduler
        Its address, and certificates if it requires them.
    timeout : float
        Time to wait for an answer, in s.

    Raises
    ------
    WorkersLostError
        Nobody answers there, or the scheduler refuses the connection.
    """
    try:
        return Client(
            scheduler.address,
            security=security(scheduler.tls),
            timeout=timeout,
            set_as_default=False,
        )
    except (OSError, TimeoutError, ValueError, TypeError, RuntimeError) as error:
        message = str(error.__cause__ or error).strip()
        detail = re.sub(r"^in <.*?>: ", "", message) or type(error).__name__
        raise WorkersLostError(
            f"no scheduler answers at {scheduler.address}: {detail}; start one there (dask"
            " scheduler), or check address and certificates"
        ) from error


@contextmanager
def naming_loss(address: str) -> Iterator[None]:
    """Raise WorkersLostError instead of Dask's error where the connection to a scheduler breaks."""
    try:
        yield
    except CommClosedError as error:
        raise WorkersLostError(f"the connection to the scheduler of {address} is gone") from error


def processes_of(source: Source, blocks: int) -> int | None:
    """Return how many local processes to start, at most one per block; None if not local."""
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
    """Provide workers that are ready for blocks; end those that were started for it.

    Parameters
    ----------
    source : Source
        Where workers come from.
    first : BlockTask
        A block, which workers rehearse.
    blocks : int
        Number of blocks; no more local processes are started.
    limits : Limits
        Times to wait.
    say : callable
        Takes messages for people.
    stop : threading.Event
        Set by somebody else to interrupt the wait.

    Yields
    ------
    Cluster
        Scheduler and workers.

    Raises
    ------
    ClusterError
        There are no workers, or they do not agree with the driver.
    Interrupted
        ``stop`` was set while waiting for them.
    """
    with (
        # the driver reports in its own words what happens to workers
        quiet_loggers(_loggers_of_dask(), logging.CRITICAL),
        dask.config.set(SETTINGS),
        ExitStack() as stack,
    ):
        count = processes_of(source, blocks)
        if count is not None:
            stack.enter_context(dask.config.set(LOCAL_SETTINGS))
            stack.enter_context(on_dashboard(first.store))
            profile = source if isinstance(source, LocalProfile) else None
            local = stack.enter_context(_local(count, profile))
            link = local.client.dashboard_link
            say(f"{_number_of_workers(count)}; dashboard {link}{results_page(link)}")
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
            f"{_number_of_workers(len(workers))} of {cluster.address}, {threads} at a time;"
            f" dashboard {cluster.client.dashboard_link}"
        )
        if threads > len(workers):
            say(
                "note: some workers have several threads, which hinder each other; processes of one"
                " thread each are faster (dask worker --nthreads 1)"
            )
        yield cluster


def _number_of_workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"


def _loggers_of_dask() -> list[str]:
    """Return the names of the loggers that report lost workers and connections."""
    names = logging.root.manager.loggerDict
    of_dask = [name for name in names if name.split(".")[0] == "distributed"]
    return ["asyncio", "tornado.application", *of_dask]


def _unregister(client: Client, name: str) -> None:
    # a scheduler that is gone needs no clean-up
    with suppress(Exception):
        if client.status == "running":
            # the public call cannot be given a time limit
            unregister = client._unregister_worker_plugin  # noqa: SLF001 # no public counterpart
            client.sync(unregister, name=name, callback_timeout=UNREGISTER_SECONDS)


@contextmanager
def _local(count: int, profile: LocalProfile | None) -> Iterator[LocalProcesses]:
    host = "127.0.0.1"
    memory = "auto"
    if profile is not None:
        host = profile.host
        memory = profile.memory or memory
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
    begin = time.monotonic()
    last_request = begin
    reported = False
    memory_problem = ""
    while not cluster.workers():
        if stop.wait(POLL_SECONDS):
            raise Interrupted
        now = time.monotonic()
        waited = now - begin
        if not reported and waited > SILENT_WAIT_SECONDS:
            reason = cluster.waiting()
            say(f"waiting for workers of {cluster.address}" + (f": {reason}" if reason else ""))
            reported = True
        if reported and not memory_problem:
            memory_problem = cluster.out_of_memory()
            if memory_problem:
                say(memory_problem)
        if now - last_request > limits.too_few:
            last_request = now
            message = cluster.replace_lost()
            if message:
                say(message)
        patience = cluster.patience if cluster.waiting() else 0.0
        if waited > max(limits.no_worker, patience):
            raise ClusterError(
                f"no worker of {cluster.address} within {waited:.0f} s;"
                f" {memory_problem or cluster.cure}"
            )


def loud(source: Source) -> str:
    """Return a warning if the scheduler of ``source`` listens beyond this machine; else empty."""
    if not isinstance(source, Profile) or not source.listens_widely:
        return ""
    if isinstance(source, JobsProfile) and source.tls is not None:
        access = "only holders of its certificates can use it"
    else:
        access = (
            "WHOEVER REACHES IT CAN RUN CODE AS YOU (give tls: certificates, or a closed network)"
        )
    return (
        f"WARNING: the scheduler and its workers listen on {source.listens_widely}, beyond this"
        f" machine; {access}"
    )
