"""Drivers and their workers as processes."""

import subprocess
from contextlib import suppress

import psutil

BLOCKS = 30  # of the long sweep, one run each
Driver = subprocess.Popen[str]


def worker_processes(driver: Driver) -> list[psutil.Process]:
    """Worker processes of a driver that live."""
    found = []
    for child in psutil.Process(driver.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # a zombie too
            if any("spawn_main" in word for word in child.cmdline()):
                found.append(child)
    return found
