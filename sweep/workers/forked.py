"""Worker processes that are forked from one that has everything loaded.

To import the package and load its kernels takes two seconds of a processor; to fork a process that
has done so, a hundredth of that. This module imports little itself: the sooner the server is
started, the more of that is done while the driver plans.

A fork is used where it is as good as a new process. The server has the driver's path of modules,
environment, limits, and priority; where these have changed, where it could not be started, and
where this process uses such a server for something else, workers are new.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .environment import ENVIRONMENT

LOADED = f"{__package__}.loaded"
#: Beginnings of the names of variables that count when modules are imported, or before.
READ_EARLY = (
    *("DASK_", "FSSPEC_", "LD_", "MALLOC_", "MARSDISK_", "NUMBA_", "OMP_", "OPENBLAS_"),
    *("PYTHON", "ZARR_"),
)
#: Dask puts its folders of this name into the path of modules.
SCRATCH = "dask-scratch-space"
#: The seed is what Dask sets where there is none.
ENVIRONMENT_OF_SERVER = {**ENVIRONMENT, "PYTHONHASHSEED": "6640"}


@dataclass(frozen=True)
class Start:
    """Circumstances under which a server was, or would be, started by a process."""

    process: int
    path: tuple[str, ...]  #: where modules are looked for
    read_early: dict[str, str]  #: variables that count when modules are imported
    limits: tuple[Any, ...]  #: of the process: umask, processors, priority, resources
    names: frozenset[str]  #: of all variables

    @classmethod
    def now(cls) -> "Start":
        """Return the circumstances of this process."""
        environment = {**os.environ, **ENVIRONMENT_OF_SERVER}
        return cls(
            process=os.getpid(),
            path=tuple(os.path.abspath(entry) for entry in sys.path if SCRATCH not in entry),
            read_early={
                name: value for name, value in environment.items() if name.startswith(READ_EARLY)
            },
            limits=_limits(),
            names=frozenset(environment),
        )

    def serves(self, now: "Start") -> bool:
        """Whether workers that are forked now are what new ones would be."""
        # variables that were added are handed on, but none is taken away
        return self == replace(now, names=self.names) and self.names <= now.names


_lock = threading.Lock()
_started: list[Start] = []  # of the server; empty where there is none


def start_server() -> None:
    """Begin to load what workers need, in a process of its own, unless that has been done."""
    with _lock:
        if _started or sys.platform != "linux" or _is_used_otherwise():
            return
        from multiprocessing import forkserver

        start = Start.now()
        multiprocessing.get_context("forkserver").set_forkserver_preload([LOADED])
        try:
            with _environment_of_server(start.path), _interrupts_held_back():
                forkserver.ensure_running()
        except OSError:
            # its socket has no place, for example below a very long TMPDIR
            return
        _started.append(start)


def start_method() -> str:
    """Return how ``multiprocessing`` is to start workers now: ``forkserver`` or ``spawn``."""
    with _lock:
        return "forkserver" if _started and _started[0].serves(Start.now()) else "spawn"


def environment_now() -> dict[str, str]:
    """Return the environment that workers are to have, which may be newer than the server's."""
    return dict(os.environ)


def _is_used_otherwise() -> bool:
    """Tell whether this process has such a server already, or starts its own processes by one."""
    from multiprocessing import forkserver

    # whether it runs cannot be asked in public
    server = getattr(forkserver, "_forkserver", None)
    is_running = getattr(server, "_forkserver_pid", None) is not None
    return is_running or multiprocessing.get_start_method(allow_none=True) == "forkserver"


def _limits() -> tuple[Any, ...]:
    """Return what a process inherits: umask, processors, priority, and limits of resources."""
    import resource

    kinds = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    return (
        next((line for line in status.splitlines() if line.startswith("Umask")), ""),
        frozenset(os.sched_getaffinity(0)),
        os.getpriority(os.PRIO_PROCESS, 0),
        tuple(resource.getrlimit(getattr(resource, kind)) for kind in kinds),
    )


@contextmanager
def _environment_of_server(path: tuple[str, ...]) -> Iterator[None]:
    """Let what is started find modules where this process does, and nowhere before."""
    changes = {
        **ENVIRONMENT_OF_SERVER,
        "PYTHONPATH": os.pathsep.join(path),
        "PYTHONSAFEPATH": "1",
    }
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Hold Ctrl-C back from what is started; it is for the driver, and the whole group hears it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
