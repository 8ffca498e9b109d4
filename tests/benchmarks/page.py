"""Print the tables of benchmarks; ``--write`` puts them into a page of docs between its markers."""

import os
import platform
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "docs"))

from make_tables import put_between_markers  # noqa: E402

PERFORMANCE = ROOT / "docs" / "performance.md"
SCALE = ROOT / "docs" / "scale.md"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Format a table as lines of Markdown."""
    return [f"| {' | '.join(map(str, row))} |" for row in (head, ["---"] * len(head), *rows)]


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    for line in lines:
        if line.startswith("model name"):
            return line.partition(": ")[2]
    return platform.machine()


def load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


def publish(name: str, page: Path, make: Callable[[], list[str]]) -> None:
    """Run a benchmark, and print its lines and the machine; ``--write`` puts both into ``page``."""
    before = load()
    lines = make()
    command = f"python -m tests.benchmarks.{name}"
    lines += [
        "",
        (
            f"*{os.cpu_count()} cores of {processor()}, load average {before} before and {load()}"
            f" after, {date.today()}.*"
        ),
    ]
    print("\n".join(lines), flush=True)
    if "--write" in sys.argv:
        put_between_markers(name, command, lines, page)
