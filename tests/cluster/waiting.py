"""Waiting for events, for as long as a test may take: only what hangs fails, not what is slow."""

import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

from sweep.store.locate import locate
from sweep.store.store import Store

Driver = subprocess.Popen[str]

#: s for what takes seconds on a quiet machine. A test's own limit (pyproject.toml) is longer.
PATIENCE = 600.0


def wait_for(condition: Callable[[], object], driver: Driver | None = None) -> None:
    """Wait until ``condition`` holds; ``driver`` has to live as long."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if driver is not None:
            assert driver.poll() is None, driver.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)  # between two looks at an event


def wait_for_blocks(store: Path | str, blocks: int, driver: Driver | None = None) -> None:
    """Wait until ``blocks`` blocks are committed, which must not be all."""
    location = locate(store)

    def are_committed() -> bool:
        return location.exists() and Store.open(location).counts().blocks_committed >= blocks

    wait_for(are_committed, driver)
    assert Store.open(location).counts().pending > 0


def wait_for_end(driver: Driver) -> tuple[str, str, int]:
    """Wait until a driver has ended; what it said, what it complained of, and its exit code."""
    out, err = driver.communicate(timeout=PATIENCE)
    return out, err, driver.returncode


def wait_for_death(processes: Iterable[psutil.Process]) -> None:
    """Wait until processes have ended that nobody kills."""
    alive = psutil.wait_procs(list(processes), timeout=PATIENCE)[1]
    assert not alive
