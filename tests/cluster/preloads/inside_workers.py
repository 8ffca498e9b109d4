"""Loaded by every worker of a disturbed sweep: ``FAULT_`` variables say what goes wrong in it."""

import ctypes
import math
import os
import select
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sweep.workers.block
from sweep.store.folder import Folder
from sweep.store.locate import locate
from sweep.store.store import Store

SLEEP = float(os.environ.get("FAULT_SLEEP", "0"))  # s before each run: long enough to be disturbed
BAD_T0 = float(os.environ.get("FAULT_BAD_T0", "nan"))
BLOCKS_BEFORE = int(os.environ.get("FAULT_BLOCKS_BEFORE", "0"))  # committed, before one is held up
WORKING = os.environ.get("FAULT_WORKING")  # a folder for a file of each worker that has begun a run
HOLD = os.environ.get("FAULT_HOLD_BEFORE_COMMIT")  # a file made at that moment
GATE = os.environ.get("FAULT_GATE")  # a folder, see gate.py
STORE = os.environ.get("FAULT_STORE", "")  # whose committed blocks close the gate

FOR_EVER = 3600.0  # s, longer than any test
EATEN_BYTES = 1_500_000_000  # of memory: above the limit, and a machine is still well
BITE_BYTES = 50_000_000

really_solve = sweep.workers.block.solve
really_commit = Folder.commit


def pause(seconds: float) -> None:
    """Sleep; ``time.sleep()`` fails under libfaketime."""
    select.select([], [], [], seconds)


def segfault() -> None:
    ctypes.string_at(0)


def eat() -> None:
    """Take memory, and keep it until somebody ends this process."""
    bites = []
    for _ in range(EATEN_BYTES // BITE_BYTES):
        bites.append(bytearray(b"x") * BITE_BYTES)
        pause(0.05)
    pause(FOR_EVER)


def commit_records(location: Folder) -> int:
    """Count the files with a commit record."""
    names = [path.name for path in (location.path / "status" / "c").glob("*")]
    return sum(not name.endswith(".partial") for name in names)


def committed_blocks() -> int:
    """Count the blocks of the store that have a commit record."""
    location = locate(STORE)
    if isinstance(location, Folder):  # quicker, and serves on a disk that is full
        return commit_records(location)
    return Store.open(location).counts().blocks_committed


def let_through(gate: Path) -> float:
    """Return the number of committed blocks that closes the gate."""
    try:
        return float((gate / "limit").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return math.inf


def pass_gate() -> None:
    """Wait while the gate is closed; a file says so meanwhile."""
    if GATE is None:
        return
    gate = Path(GATE)
    note = gate / f"held-{os.getpid()}-{threading.get_ident()}"
    while let_through(gate) <= committed_blocks():
        note.touch()
        pause(0.05)
    note.unlink(missing_ok=True)


def solve(run: Any) -> Any:
    if WORKING:
        with (Path(WORKING) / str(os.getpid())).open("a", encoding="utf-8") as began:
            began.write(f"{run.config.temperature.T0} {time.monotonic()}\n")
    pass_gate()
    pause(SLEEP)
    if run.config.temperature.T0 == BAD_T0:
        {"segfault": segfault, "eat": eat}[os.environ["FAULT_DO"]]()
    return really_solve(run)


class Hold:
    """Guard at which a worker stays for good, just before it makes its block visible."""

    def __init__(self, record: str) -> None:
        self.record = record

    async def refuse_late(self) -> None:
        with Path(str(HOLD)).open("a", encoding="utf-8") as flag:
            flag.write(f"{os.getpid()} {self.record}\n")
        pause(FOR_EVER)


async def commit(self: Folder, chunks: Mapping[str, bytes], record: str, guard: Any) -> None:
    if HOLD and commit_records(self) >= BLOCKS_BEFORE:
        guard = Hold(record)
    await really_commit(self, chunks, record, guard)


sweep.workers.block.solve = solve
Folder.commit = commit  # type: ignore[method-assign]
