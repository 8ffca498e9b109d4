"""Worker processes that are forked from one that has everything loaded.

To import the package and load its kernels takes two seconds of a processor; to fork a process that
has done so, a hundredth of that. This module imports little itself: the sooner the server is
started, the more of that is done while the driver plans.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from .environment import ENVIRONMENT

LOADED = f"{__package__}.loaded"
#: Beginnings of the names of variables that count when modules are imported, or before.
READ_EARLY = ("DASK_", "LD_", "MALLOC_", "MARSDISK_", "NUMBA_", "OMP_", "OPENBLAS_", "PYTHON")

#: With the seed that Dask sets where there is none.
ENVIRONMENT_OF_SERVER = {**ENVIRONMENT, "PYTHONHASHSEED": "6640"}

_began_with: dict[str, str] = {}  # the environment of the server; empty before its start


def start_server() -> None:
    """Begin to load what workers need, in a process of its own, unless that has been done."""
    if sys.platform != "linux" or _began_with:
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([LOADED])
    from multiprocessing import forkserver

    with _environment_of_workers(), _interrupts_held_back():
        _began_with.update(os.environ)
        forkserver.ensure_running()


def start_method() -> str:
    """Return how ``multiprocessing`` is to start workers now: ``forkserver`` or ``spawn``.

    A process that was loaded under another environment is none to fork workers from.
    """
    if not _began_with:
        return "spawn"
    with _environment_of_workers():
        is_same = _early(os.environ) == _early(_began_with)
        none_removed = _began_with.keys() <= os.environ.keys()
    return "forkserver" if is_same and none_removed else "spawn"


def environment_now() -> dict[str, str]:
    """Return the environment that workers are to have, which may be newer than the server's."""
    return dict(os.environ)


def _early(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(READ_EARLY)}


@contextmanager
def _environment_of_workers() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in ENVIRONMENT_OF_SERVER}
    os.environ.update(ENVIRONMENT_OF_SERVER)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Hold Ctrl-C back from what is started; it is for the driver, and the whole group hears it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
