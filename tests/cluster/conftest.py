"""Drivers as real processes, and a sweep long enough to be disturbed in its middle."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "sweep"))

from dask_processes import DaskProcesses
from drivers import BLOCKS, SWEEP, SWEEP_WITH_FAULTS, environment_inside
from fault_table import FaultTable, add_row
from gate import Gate
from small_sweeps import environment, run_here, sweep_file
from unreliable_server import s3_server, settings_of
from waiting import Driver

from sweep.store.object_client import client_store

Launch = Callable[..., Driver]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--faults-page", type=Path, help="page to put the table of faults into")
    times = "how often faults are repeated whose outcome is a matter of moments"
    parser.addoption("--rounds", type=int, default=2, help=times)


def pytest_configure(config: pytest.Config) -> None:
    """Collect the table in the process that hears of all tests."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(FaultTable(config.getoption("--faults-page", None)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[pytest.TestReport]:
    report: pytest.TestReport = yield
    add_row(item, report)
    return report


@pytest.fixture(scope="session")
def long_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a sweep of 30 blocks of one run each."""
    axes = {"temperature.T0": {"linspace": [3000.0, 4000.0, BLOCKS]}}
    folder = tmp_path_factory.mktemp("long")
    return sweep_file(folder, axes=axes, set={"numerics.t_end_years": 0.5}, block=1)


@pytest.fixture(scope="session")
def undisturbed(long_file: Path) -> Path:
    """Return the sweep's store, run without any disturbance in this process. Only to be read."""
    store = long_file.parent / "undisturbed.zarr"
    run_here(long_file, store)
    return store


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """Return an open gate."""
    return Gate(tmp_path / "gate")


@pytest.fixture
def launch() -> Iterator[Launch]:
    """Return a function that starts a command in a process group that ends with the test.

    ``launch(words, folder, NAME="value")``: its folder, and additions to our environment.
    """
    launched: list[Driver] = []

    def launch(words: Sequence[object], folder: Path, **extra: str) -> Driver:
        process = subprocess.Popen(
            [str(word) for word in words],
            cwd=folder,
            env=environment(**extra),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        launched.append(process)
        return process

    yield launch
    for process in launched:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def start(launch: Launch) -> Launch:
    """Return a function that starts a driver: ``start(file, store, workers)``.

    ``inside`` is what goes wrong in its workers, or in the driver that works itself, in words of
    preloads/inside_workers.py; ``through`` are the words to start it with, in place of ``sweep``.
    """

    def start(
        file: Path,
        store: Path | str,
        workers: int,
        *,
        inside: Mapping[str, object] | None = None,
        through: Sequence[str] = SWEEP,
        **extra: str,
    ) -> Driver:
        program = SWEEP_WITH_FAULTS if inside and workers == 0 else through
        words = [*program, "run", file, "--store", store, "--workers", workers]
        folder = store.parent if isinstance(store, Path) else file.parent
        return launch(words, folder, **environment_inside(inside or {}), **extra)

    return start


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[DaskProcesses]:
    """Yield a scheduler, to which tests add workers."""
    with DaskProcesses(tmp_path) as processes:
        yield processes


@pytest.fixture(scope="session")
def port() -> Iterator[int]:
    """Yield the port of an S3 server that does as it is told."""
    with s3_server() as number:
        yield number


@pytest.fixture
def s3(port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let this process, and those that it starts, reach the S3 server directly."""
    for name, value in settings_of(f"http://127.0.0.1:{port}").items():
        monkeypatch.setenv(name, value)
    client_store.cache_clear()
    yield
    client_store.cache_clear()
