"""Subjects and times of the tests: the tables of docs/testing.md."""

import os
import platform
from collections import Counter
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import pytest

from tests.benchmarks.page import load, processor, put_between_markers, table
from tests.folders import FOLDERS, rank

PAGE = Path(__file__).parents[1] / "docs" / "testing.md"


def folder_of(nodeid: str) -> str:
    return nodeid.split("/")[1]


def lines(reports: Iterable[pytest.TestReport], wall: float) -> list[str]:
    """Tabulate tests, and the seconds that they took with their fixtures, by folder."""
    seconds: Counter[str] = Counter()
    tests: Counter[str] = Counter()
    for report in reports:
        seconds[folder_of(report.nodeid)] += report.duration
        tests[folder_of(report.nodeid)] += report.when == "call"
    rows: list[list[object]] = []
    for name in sorted(filter(tests.get, tests), key=rank):
        rows.append([f"tests/{name}", FOLDERS.get(name, ""), tests[name], f"{seconds[name]:.0f}"])
    rows.append(["all", "", tests.total(), f"{seconds.total():.0f}"])
    machine = f"{os.cpu_count()} cores of {processor()}, Python {platform.python_version()}"
    measured = f"{machine}, load average {load()} at the end, {date.today()}"
    return [
        *table(["folder", "what is checked", "tests", "seconds"], rows),
        "",
        f"*{wall:.0f} s of wall time; {measured}.*",
    ]


def write(name: str, reports: Iterable[pytest.TestReport], wall: float) -> None:
    """Put the table between the markers of ``name``, such as ``make test``."""
    put_between_markers("times", name, lines(reports, wall), PAGE)
