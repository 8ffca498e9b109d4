"""A Dask cluster as people start it: a scheduler and workers as processes, on loopback."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from distributed import Client
from small_sweeps import SCRIPTS, environment

#: A worker's preload module that makes every run take so long that a sweep can be disturbed in its middle.
SLOW = """
import os
import time
import sweep.worker
really = sweep.worker.solve
def solve(run):
    time.sleep(float(os.environ.get("SLOW_SECONDS", "0.15")))
    return really(run)
sweep.worker.solve = solve
"""
#: One that makes a worker believe it has another version of the model.
OTHER_MODEL = """
import marsdisk, sweep.agreement
sweep.agreement.model_version = marsdisk.model_version = lambda: "9.9.9+other"
"""


class DaskProcesses:
    """Scheduler and workers, gone when the context ends; what they print is kept in ``folder``."""

    def __init__(self, folder: Path, *options: str, **extra: str) -> None:
        self.folder, self.options, self.extra, self.port = folder, options, extra, 0
        self.host, self.before = "127.0.0.1", ()
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        for name, text in (("slow_cases", SLOW), ("other_model", OTHER_MODEL)):
            (folder / f"{name}.py").write_text(text, encoding="utf-8")

    def __enter__(self) -> "DaskProcesses":
        self.start_scheduler()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for process in (*self.workers.values(), self.scheduler):
            kill(process)

    def _start(self, name: str, words: list[str], **extra: str) -> "subprocess.Popen[bytes]":
        path = os.pathsep.join([str(self.folder), *filter(None, [os.environ.get("PYTHONPATH")])])
        env = environment(PYTHONPATH=path, **self.extra, **extra)
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(words, cwd=self.folder, env=env, stdout=log, stderr=log, start_new_session=True)

    def start_scheduler(self) -> None:
        """Start it, again on the port it had."""
        file = self.folder / "scheduler.json"
        file.unlink(missing_ok=True)
        words = ["scheduler", "--host", self.host, "--port", str(self.port), "--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(file)]
        self.scheduler = self._start("scheduler", [*self.before, str(SCRIPTS / "dask"), *words, *self.options])
        wait_for(lambda: file.exists() and file.read_text(encoding="utf-8").endswith("}"))
        self.address = str(json.loads(file.read_text(encoding="utf-8"))["address"])
        self.port = int(self.address.rpartition(":")[2])

    def add_worker(self, name: str, *options: str, before: tuple[str, ...] = (), preload: str = "", **extra: str) -> "subprocess.Popen[bytes]":
        """Start one, of one thread and without a nanny, so that it is one process."""
        host = () if "--host" in options else ("--host", "127.0.0.1")
        words = ["worker", self.address, *host, "--name", name, "--no-nanny", "--no-dashboard", "--nthreads", "1"]
        extra |= {"DASK_DISTRIBUTED__WORKER__PRELOAD": preload} if preload else {}
        self.workers[name] = self._start(name, [*before, str(SCRIPTS / "dask"), *words, *self.options, *options], **extra)
        return self.workers[name]

    def wait_for_workers(self, count: int, **options: Any) -> None:
        """Until so many have joined."""
        with Client(self.address, set_as_default=False, **options) as client:
            client.wait_for_workers(count, timeout=120)


def kill(process: "subprocess.Popen[bytes]") -> None:
    """SIGKILL it and its children."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_for(condition: Any, seconds: float = 120.0) -> None:
    """Until it holds; a test that waits for ever fails instead."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)
