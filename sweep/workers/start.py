"""Workers for a sweep: processes of this machine, a running scheduler, jobs, or pods."""

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import dask
from distributed import Client, LocalCluster
from distributed.comm.core import CommClosedError

from ..common.errors import ClusterError, Interrupted, WorkersLostError
from ..common.quiet_loggers import quiet_loggers
from .base import WORKER_SETTINGS, Cluster, security
from .block import BlockTask, SweepPlugin
from .dashboard import (
    MakePage,
    close_to_other_sites,
    dashboard_for_us_alone,
    results_page,
    show_page,
)
from .environment import ENVIRONMENT
from .forked import environment_now, start_method
from .handshake import check_agreement, probing
from .main_module import leave_main_module_alone
from .profiles import (
    JobsProfile,
    KubernetesProfile,
    LocalProfile,
    OpenClient,
    Profile,
    Scheduler,
    Source,
    usable_cores,
)
from .watchdog import Limits

POLL_SECONDS = 0.3  # while waiting for the first worker
SILENT_WAIT_SECONDS = 2.0  # before the wait for the first worker is reported
UNREGISTER_SECONDS = 2.0

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


class LocalProcesses(Cluster):
    """Processes of this machine, restarted by Dask when they die."""

    own = True
    cure = "try --workers 0, which needs none"

    def __init__(self, client: Client, wanted: int) -> None:
        super().__init__(client, "this machine")
        self.wanted = wanted


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
    dashboard_page: Callable[[str], MakePage] | None = None,
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
    dashboard_page : callable, optional
        Makes the page that the dashboard of local workers shows of a store.

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
            stack.enter_context(dashboard_for_us_alone())
            make_page = None if dashboard_page is None else dashboard_page(first.store)
            profile = source if isinstance(source, LocalProfile) else None
            local = stack.enter_context(local_processes(count, profile, make_page))
            link = local.client.dashboard_link
            results = ""
            if make_page is not None:
                results = f", results so far {results_page(link)}"
            say(f"{_number_of_workers(count)}; dashboard {link}{results}")
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
def local_processes(
    count: int, profile: LocalProfile | None, make_page: MakePage | None
) -> Iterator[LocalProcesses]:
    """Start processes of this machine, and end them in the end."""
    host = "127.0.0.1"
    memory = "auto"
    if profile is not None:
        host = profile.host
        memory = profile.memory or memory
    with ExitStack() as stack:
        # to the end, as a process that dies is replaced
        stack.enter_context(leave_main_module_alone())
        method = {"distributed.worker.multiprocessing-method": start_method()}
        stack.enter_context(dask.config.set(method))
        try:
            cluster = LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                processes=True,
                host=host,
                dashboard_address="127.0.0.1:0",
                memory_limit=memory,
                env=environment_now(),
                silence_logs=logging.CRITICAL,
            )
        except (OSError, RuntimeError, TimeoutError) as error:
            raise ClusterError(
                f"{_number_of_workers(count)} could not be started: {error}; {LocalProcesses.cure}"
            ) from error
        close_to_other_sites(cluster.scheduler)
        if make_page is not None:
            show_page(cluster.scheduler, make_page)
        stack.enter_context(cluster)
        client = stack.enter_context(Client(cluster, set_as_default=False))
        yield LocalProcesses(client, count)


@contextmanager
def _remote(source: Source, limits: Limits) -> Iterator[Cluster]:
    if isinstance(source, OpenClient):
        yield Cluster(source.client, source.address)
        return
    if isinstance(source, Scheduler):
        with connect(source, limits.connect) as client:
            yield Cluster(client, source.address)
        return
    from . import jobs  # imports more of Dask than most sweeps need

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
