"""Cost of flushing every block to the disk; ``python -m tests.benchmarks.flushing [--write]``.

Real blocks are committed as workers do it, and what was written is flushed where a block is held
against its store: when all files are written and none has its name yet. The ways take turns, block
by block.
"""

import ctypes
import io
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from sweep.running.session import run_sweep
from sweep.spec.file import load_sweep
from sweep.store.coroutines import run_coroutine
from sweep.store.folder import Folder

from .page import ROOT, publish, table
from .studies import CASES_PER_RING, study_file

STORES = ROOT / "docs" / "stores.md"
RUNS = 256  # one block
BLOCKS = 60


def flush_nothing(folder: Path) -> None:
    """Leave it to the system when something gets to the disk."""


def flush_files(folder: Path) -> None:
    """Wait for each file."""
    for path in folder.rglob("*.partial"):
        with path.open("rb") as file:
            os.fsync(file.fileno())


def flush_file_system(folder: Path) -> None:
    """Wait for all that was written to the file system, by anybody."""
    libc = ctypes.CDLL(None, use_errno=True)
    number = os.open(folder, os.O_RDONLY)
    try:
        if libc.syncfs(number):
            raise OSError(ctypes.get_errno(), "syncfs")
    finally:
        os.close(number)


WAYS: Mapping[str, Callable[[Path], None]] = {
    "**ours**: nothing is flushed": flush_nothing,
    "each file (fsync)": flush_files,
    "the file system, once a block (syncfs)": flush_file_system,
}


@dataclass(frozen=True)
class FlushingGuard:
    """Lets a block be written, but not before it is flushed."""

    folder: Path
    flush: Callable[[Path], None]

    async def refuse_other_store(self) -> None:
        """Refuse nothing."""

    async def refuse_late(self) -> None:
        """Flush what stands there under other names."""
        self.flush(self.folder)


def real_block(folder: str) -> tuple[dict[str, bytes], float]:
    """Return the chunks of a sweep's first block by their keys, and the seconds of its runs."""
    file = study_file(folder, -(-RUNS // CASES_PER_RING), block=RUNS)
    store = Path(folder) / "study.zarr"
    quiet = Console(file=io.StringIO())
    tally = run_sweep(load_sweep(file), store, workers=0, console=quiet)[1]
    keys = [path for path in store.glob("*/c/**/*") if path.is_file()]
    first = [path for path in keys if path.relative_to(store).parts[2] == "0"]
    chunks = {path.relative_to(store).as_posix(): path.read_bytes() for path in first}
    return chunks, tally.block_seconds * RUNS / tally.runs


def seconds_to_commit(location: Folder, chunks: Mapping[str, bytes], guard: FlushingGuard) -> float:
    """Return the seconds until a block is committed."""
    begin = time.perf_counter()
    run_coroutine(location.commit(chunks, "status/", guard))
    return time.perf_counter() - begin


def lines(blocks: int = BLOCKS) -> list[str]:
    """Return the table."""
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:  # on a disk, not in memory
        chunks, seconds = real_block(folder)
        location = Folder(str(Path(folder) / "s.zarr"))
        for key in chunks:
            (location.path / key.partition("/")[0]).mkdir(parents=True, exist_ok=True)
        for _ in range(blocks):
            for way, flush in WAYS.items():
                guard = FlushingGuard(location.path, flush)
                times[way].append(seconds_to_commit(location, chunks, guard))
    rows = []
    for way, commits in times.items():
        middle, largest = np.quantile(commits, [0.5, 0.95])
        share = f"{100 * middle / seconds:.1f}"
        rows.append([way, f"{1e3 * middle:.1f}", f"{1e3 * largest:.1f}", share])
    size = sum(map(len, chunks.values()))
    head = (
        "what is flushed",
        "median [ms]",
        "95 % of blocks within [ms]",
        "of the time of its runs [%]",
    )
    return [
        (
            f"{blocks} times a block of {RUNS} runs: {len(chunks)} files, {size / 1e6:.2f} MB,"
            f" whose runs take {seconds:.2f} s of one core."
        ),
        "",
        *table(head, rows),
    ]


if __name__ == "__main__":
    publish("flushing", STORES, lines)
