"""Drivers and their workers as processes."""

import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil
from small_sweeps import SCRIPTS
from waiting import Driver

from tests.preloading import preloading

BLOCKS = 30  # of the long sweep, one run each
ONE_KERNEL = Path(__file__).with_name("one_kernel.py")

SWEEP = (str(SCRIPTS / "sweep"),)
#: Starts a driver that works itself and does what preloads/inside_workers.py understands.
SWEEP_WITH_FAULTS = (
    sys.executable,
    "-c",
    "import inside_workers; from sweep.cli import main; main()",
)
#: Starts one that compiles a single kernel, see there.
SWEEP_WITH_ONE_KERNEL = (sys.executable, str(ONE_KERNEL))


def environment_inside(settings: Mapping[str, object]) -> dict[str, str]:
    """Return the environment of workers that obey preloads/inside_workers.py."""
    if not settings:
        return {}
    variables = {f"FAULT_{name.upper()}": str(value) for name, value in settings.items()}
    return {**preloading("inside_workers"), **variables}


def worker_processes(driver: Driver) -> list[psutil.Process]:
    """List the living worker processes of a driver."""
    workers = []
    for child in psutil.Process(driver.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # a zombie too
            words = " ".join(child.cmdline())
            # what workers are forked from is a child of the driver, and has their command line
            is_forked = "multiprocessing.forkserver" in words and child.ppid() != driver.pid
            if is_forked or "spawn_main" in words:
                workers.append(child)
    return workers


def listening(process: psutil.Process) -> set[str]:
    """Return the addresses that a process and its children listen on."""
    addresses = set()
    for member in (process, *process.children(recursive=True)):
        for connection in member.net_connections("inet"):
            if connection.status == "LISTEN":
                addresses.add(connection.laddr.ip)
    return addresses
