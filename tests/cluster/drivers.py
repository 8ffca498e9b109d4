"""Drivers and their workers as processes."""

import subprocess

import psutil

BLOCKS = 30  # of the long sweep, one run each
Driver = subprocess.Popen[str]


def worker_processes(driver: Driver) -> list[psutil.Process]:
    """Worker processes of a driver."""
    return [child for child in psutil.Process(driver.pid).children(recursive=True) if any("spawn_main" in word for word in child.cmdline())]
