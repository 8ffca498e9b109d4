"""Workers are forked from a process that has everything loaded, where that is as good as new."""

import os
import sys
from pathlib import Path

import psutil
import pytest
from small_sweeps import run_here, sweep_file

from sweep.workers import forked, start

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux alone")


def servers() -> set[int]:
    """Return the processes that workers of this one are forked from."""
    return {
        child.pid
        for child in psutil.Process().children()
        if any("multiprocessing.forkserver" in word for word in child.cmdline())
    }


def test_all_sweeps_of_a_process_fork_their_workers_from_one(tmp_path: Path) -> None:
    file = sweep_file(tmp_path, axes={"temperature.T0": [3000.0, 3500.0, 4000.0, 4500.0]})
    workers = set[int]()

    def look(_: object) -> None:
        for server in map(psutil.Process, servers()):
            workers.update(worker.pid for worker in server.children())

    for name, count in (("first", 1), ("second", 2)):
        run_here(file, tmp_path / f"{name}.zarr", workers=1, on_progress=look)
        assert len(servers()) == 1
        assert len(workers) == count


def test_workers_have_the_environment_that_their_driver_has_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forked.start_server()
    monkeypatch.setenv("SWEEP_TEST", "there")
    with start.local_processes(1, None, None) as workers:
        assert set(workers.client.run(os.getenv, "SWEEP_TEST").values()) == {"there"}
        assert set(workers.client.run(os.getenv, "OMP_NUM_THREADS").values()) == {"1"}


@pytest.mark.parametrize(
    ("changes", "method"),
    [
        ({}, "forkserver"),
        ({"ADDED": "1"}, "forkserver"),
        ({"BEFORE": "2"}, "forkserver"),
        ({"OMP_NUM_THREADS": "2"}, "forkserver"),
        ({"BEFORE": None}, "spawn"),
        ({"NUMBA_CPU_NAME": "generic"}, "spawn"),
        ({"MARSDISK_FRESH_KERNELS": "/elsewhere"}, "spawn"),
    ],
)
def test_what_was_loaded_under_another_environment_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str | None], method: str
) -> None:
    monkeypatch.setenv("BEFORE", "1")
    monkeypatch.setattr(forked, "_began_with", dict(os.environ) | forked.ENVIRONMENT_OF_SERVER)
    for name, value in changes.items():
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, value)
    assert forked.start_method() == method
