"""What is tested where, and what it costs: the tables of docs/testing.md."""

import os
import platform
import sys
from collections import Counter
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import pytest

from tests.benchmarks.page import load, processor, put_between_markers, table

PAGE = Path(__file__).parents[1] / "docs" / "testing.md"

#: What the tests of each folder check.
FOLDERS = {
    "unit": "configuration, errors, files, compiled code, and the rules of the house",
    "golden": "formulas against numbers of an independent program, to 1e-12",
    "physics": "exact solutions, conservation, limits, order of the integrator, SciPy's solvers, Mie theory",
    "integration": "whole runs: mass, scalings, the wave behind the blow-out edge",
    "cache": "a cache never changes a number; every key field counts",
    "sweep": "sweep files, plans, stores, tables, figures, and commands; hostile files and stores",
    "cluster": "drivers and workers as processes: signals, schedulers, SLURM, object stores, networks",
    "browser": "the page in a real browser",
    "docker": "image and services, read as files",
}


def folder_of(nodeid: str) -> str:
    return nodeid.split("/")[1]


def lines(reports: Iterable[pytest.TestReport], wall: float) -> list[str]:
    """Markdown: tests, and the seconds that they took with their fixtures, by folder."""
    seconds: Counter[str] = Counter()
    tests: Counter[str] = Counter()
    for report in reports:
        seconds[folder_of(report.nodeid)] += report.duration
        tests[folder_of(report.nodeid)] += report.when == "call"
    rows = [[f"tests/{name}", FOLDERS[name], tests[name], f"{seconds[name]:.0f}"] for name in FOLDERS if tests[name]]
    rows.append(["all", "", tests.total(), f"{seconds.total():.0f}"])
    machine = f"{os.cpu_count()} cores of {processor()}, Python {platform.python_version()}"
    return [
        *table(["folder", "what is checked", "tests", "seconds"], rows),
        "",
        f"*{wall:.0f} s of wall time; {machine}, load average {load()} at the end, {date.today()}.*",
    ]


def write(name: str, reports: Iterable[pytest.TestReport], wall: float) -> None:
    """Put the table between the markers of ``name``, such as ``make test``."""
    if any(report.failed for report in reports):
        print("times are not written, for some tests failed", file=sys.stderr)
        return
    put_between_markers("times", name, lines(reports, wall), PAGE)
