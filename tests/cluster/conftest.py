"""Drivers as real processes, and a sweep long enough to be disturbed in its middle."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from drivers import BLOCKS, Driver
from verdicts import VERDICTS, verdict

sys.path.insert(0, str(Path(__file__).parents[1] / "sweep"))

from small_sweeps import SCRIPTS, environment, run_here, sweep_file

from sweep.store.reader import counts


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[pytest.TestReport]:
    report: pytest.TestReport = yield
    marker = item.get_closest_marker("faults")
    if marker and marker.args and "fault" not in getattr(item, "fixturenames", ()) and (report.when == "call" or not report.passed):
        VERDICTS[marker.args[0]] = verdict(report)
    return report


@pytest.fixture(scope="session")
def long_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of 30 blocks of one run each."""
    axes = {"temperature.T0": {"linspace": [3000.0, 4000.0, BLOCKS]}}
    return sweep_file(tmp_path_factory.mktemp("long"), axes=axes, set={"numerics.t_end_years": 0.5}, block=1)


@pytest.fixture(scope="session")
def undisturbed(long_file: Path) -> Path:
    """Its store, run without any disturbance in this process. Only to be read."""
    store = long_file.parent / "undisturbed.zarr"
    run_here(long_file, store)
    return store


@pytest.fixture
def start() -> Iterator[Callable[..., Driver]]:
    """Starts a driver in a process group of its own: ``start(file, store, workers)``; none of it outlives the test.

    ``through`` are the words to start it with, in place of ``sweep``.
    """
    drivers: list[Driver] = []

    def start(file: Path, store: Path, workers: int, *, through: Sequence[str] = (str(SCRIPTS / "sweep"),), **extra: str) -> Driver:
        words = [*through, "run", str(file), "--store", str(store), "--workers", str(workers)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        driver = subprocess.Popen(words, cwd=store.parent, env=environment(**extra), start_new_session=True, **pipes)  # type: ignore[call-overload]
        drivers.append(driver)
        return driver

    yield start
    for driver in drivers:
        if driver.poll() is None:
            os.killpg(driver.pid, signal.SIGKILL)
        driver.communicate()


@pytest.fixture
def until_committed() -> Callable[[Driver, Path, int], None]:
    """Waits until a living driver has committed some blocks but not all."""

    def wait(driver: Driver, store: Path, blocks: int) -> None:
        deadline = time.monotonic() + 300.0
        while not store.exists() or counts(store).blocks_committed < blocks:
            assert driver.poll() is None, driver.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert counts(store).pending > 0

    return wait
