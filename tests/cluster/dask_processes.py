"""A Dask cluster as people start it: a scheduler and workers as processes, on loopback."""

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from distributed import Client
from drivers import environment_inside
from ports import free_port
from small_sweeps import SCRIPTS, environment
from waiting import PATIENCE, wait_for

from tests.preloading import preloading


class DaskProcesses:
    """Scheduler and workers, which end with the context; their output is kept in ``folder``."""

    def __init__(self, folder: Path, *options: str, **extra: str) -> None:
        self.folder = folder
        self.options = options
        self.extra = extra
        self.port = free_port()
        self.host = "127.0.0.1"
        self.before: tuple[str, ...] = ()
        self.workers: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "DaskProcesses":
        self.start_scheduler()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in (*self.workers.values(), self.scheduler):
            kill(process)

    def _start(self, name: str, words: list[str], **extra: str) -> "subprocess.Popen[bytes]":
        env = environment(**self.extra, **extra)
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                words,
                cwd=self.folder,
                env=env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start_scheduler(self) -> None:
        """Start it, again on the port it had."""
        file = self.folder / "scheduler.json"
        file.unlink(missing_ok=True)
        words = [*self.before, str(SCRIPTS / "dask"), "scheduler"]
        words += ["--host", self.host, "--port", str(self.port)]
        words += ["--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(file)]
        self.scheduler = self._start("scheduler", [*words, *self.options])
        wait_for(lambda: file.exists() and file.read_text(encoding="utf-8").endswith("}"))
        self.address = str(json.loads(file.read_text(encoding="utf-8"))["address"])

    def add_worker(
        self,
        name: str,
        *options: str,
        before: tuple[str, ...] = (),
        inside: Mapping[str, object] | None = None,
        preload: str = "",
        **extra: str,
    ) -> "subprocess.Popen[bytes]":
        """Start one, of one thread and without a nanny, so that it is one process.

        Parameters
        ----------
        before : words in front of its command
        inside : what it does of what preloads/inside_workers.py understands
        preload : another module of that folder to load
        """
        words = [*before, str(SCRIPTS / "dask"), "worker", self.address, "--name", name]
        words += [] if "--host" in options else ["--host", "127.0.0.1"]
        words += ["--no-nanny", "--no-dashboard", "--nthreads", "1"]
        extra |= preloading(preload) if preload else environment_inside(inside or {})
        self.workers[name] = self._start(name, [*words, *self.options, *options], **extra)
        return self.workers[name]

    def wait_for_workers(self, count: int, **options: Any) -> None:
        """Wait until ``count`` of them have joined."""
        with self.client(**options) as client:
            client.wait_for_workers(count, timeout=PATIENCE)

    def client(self, **options: Any) -> Client:
        """Connect a client to the scheduler."""
        return Client(self.address, set_as_default=False, timeout=PATIENCE, **options)


def kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process and its children."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
