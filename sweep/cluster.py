"""Where workers come from: processes of this machine, one thread each."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import dask
from distributed import Client, LocalCluster

from .errors import ClusterError
from .worker import BlockTask, SweepPlugin

SETTINGS = {
    "distributed.scheduler.allowed-failures": 1,  # 0 would condemn a block at the first stray kill, more costs minutes per bad case
    "distributed.scheduler.worker-ttl": "5 minutes",
    # no result lives in Dask, so there is nothing to spill; a paused worker would hang for ever without an error
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.9,
    "distributed.worker.profile.enabled": False,
    "distributed.comm.timeouts.tcp": "30s",
    "distributed.nanny.pre-spawn-environ.DASK_LOGGING__DISTRIBUTED": "critical",  # read when a worker imports Dask, a restarted one too
    # Dask would have every free memory handed back at once, to be asked for again, page by page, by the next run
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 2**26,
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 2**24,
    **{
        f"distributed.nanny.pre-spawn-environ.{name}": 1
        for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    },
}

#: Dask looks so long after the loss of a worker whether it is back, and if not, even as it starts anew after a second loss, dismisses it for good.
LOCAL_SETTINGS = {"distributed.deploy.lost-worker-timeout": "1 day"}


@contextmanager
def local_client(workers: int, first: BlockTask) -> Iterator[Client]:
    """A client of ``workers`` fresh processes, ready for blocks like ``first``, listening on this machine only; all gone when the context ends.

    Raises
    ------
    ClusterError
        They could not be started.
    """
    for name in [name for name in logging.root.manager.loggerDict if name.split(".")[0] in {"asyncio", "distributed"}]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # the driver says in its own words what happens; Dask forgets tasks of its own
    with dask.config.set({**SETTINGS, **LOCAL_SETTINGS}):
        try:
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
            )
        except (OSError, RuntimeError, TimeoutError) as error:
            raise ClusterError(f"{workers} workers could not be started: {error}; try --workers 0, which needs none") from error
        with cluster, Client(cluster, set_as_default=False) as client:
            client.register_plugin(SweepPlugin(first))
            yield client
