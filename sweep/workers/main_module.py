"""Worker processes that do not run the caller's script again."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import spawn
from typing import Any

_prepare = spawn.get_preparation_data
_lock = threading.Lock()
_sweeps = 0  # that run in this process


@contextmanager
def leave_main_module_alone() -> Iterator[None]:
    """Start processes that do not import the main module of this one.

    ``multiprocessing`` imports it into every process that it starts, so that functions of it can be
    sent there. A script without ``if __name__ == "__main__":`` would start its sweep once more in
    each worker. Blocks need nothing of it: all that is sent to workers is of this package. Other
    processes that this one starts meanwhile do without it, too.
    """
    global _sweeps
    with _lock:
        _sweeps += 1
        spawn.get_preparation_data = _prepare_without_main
    try:
        yield
    finally:
        with _lock:
            _sweeps -= 1
            if not _sweeps:
                spawn.get_preparation_data = _prepare


def _prepare_without_main(name: str) -> dict[str, Any]:
    data = _prepare(name)
    data.pop("init_main_from_name", None)
    data.pop("init_main_from_path", None)
    return data
