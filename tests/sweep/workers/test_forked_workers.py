"""Workers are forked from a process that has everything loaded, where that is as good as new."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from small_sweeps import run_here, sweep_file

from sweep.workers import forked, start

ROOT = Path(__file__).parents[3]
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
    monkeypatch.setattr(forked, "_started", [forked.Start.now()])
    for name, value in changes.items():
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, value)
    assert forked.start_method() == method


def test_limits_that_have_changed_are_those_of_new_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(forked, "_started", [forked.Start.now()])
    assert forked.start_method() == "forkserver"
    before = os.umask(0o077)
    try:
        assert forked.start_method() == "spawn"
    finally:
        os.umask(before)
    monkeypatch.setattr(sys, "path", ["/elsewhere", *sys.path])
    assert forked.start_method() == "spawn"


OWN_CHECKOUT = """
import sys
sys.path.insert(0, sys.argv[1])
import os, sweep
from sweep.workers import forked, start
assert sweep.__file__.startswith(sys.argv[1])
forked.start_server()
def where():
    import marsdisk
    return marsdisk.__file__
if __name__ == "__main__":
    with start.local_processes(1, None, None) as workers:
        print(forked.start_method(), *workers.client.run(where).values())
"""


@pytest.mark.parametrize("changes", [{}, {"TMPDIR": "x" * 90}], ids=["", "long TMPDIR"])
def test_workers_have_the_code_of_their_driver_whatever_lies_in_its_folder(
    tmp_path: Path, changes: dict[str, str]
) -> None:
    checkout = tmp_path / "checkout"
    for package in ("marsdisk", "sweep", "configs"):
        shutil.copytree(ROOT / package, checkout / package)
    (tmp_path / "yaml.py").write_text("raise RuntimeError('this is not yaml')\n")
    script = tmp_path / "scripts" / "run.py"
    script.parent.mkdir()
    script.write_text(OWN_CHECKOUT)
    if changes:
        (tmp_path / changes["TMPDIR"]).mkdir()
        changes = {"TMPDIR": str(tmp_path / changes["TMPDIR"])}
    words = [sys.executable, str(script), str(checkout)]
    # without kernels, none are loaded
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kernels"), **changes}
    done = subprocess.run(
        words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    method, *places = done.stdout.split()
    assert method == ("spawn" if changes else "forkserver")
    assert [place.startswith(str(checkout)) for place in places] == [True]
