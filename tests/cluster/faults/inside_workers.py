"""Loaded by every worker of a disturbed sweep, where ``FAULT_`` variables say what goes wrong inside it."""

import ctypes
import os
import select
import time
from pathlib import Path
from typing import Any

import zarr

import sweep.worker

SLEEP = float(os.environ.get("FAULT_SLEEP", "0"))  # s before each run: long enough to be disturbed
BAD_T0 = float(os.environ.get("FAULT_BAD_T0", "nan"))
BLOCKS_BEFORE = int(os.environ.get("FAULT_BLOCKS_BEFORE", "0"))  # committed, before one is held up
WORKING = os.environ.get("FAULT_WORKING")  # a folder for a file of each worker that has begun to run blocks, with what it began and when
HOLD = os.environ.get("FAULT_HOLD_BEFORE_COMMIT")  # a file made at that moment

really_solve, really_set = sweep.worker.solve, zarr.AsyncArray.setitem


def segfault() -> None:
    ctypes.string_at(0)


def eat() -> None:
    held = []
    for _ in range(100):  # 5 GB, at which a machine is still well
        held.append(bytearray(b"x") * 50_000_000)
        time.sleep(0.05)


def solve(run: Any) -> Any:
    if WORKING:
        with (Path(WORKING) / str(os.getpid())).open("a", encoding="utf-8") as began:
            began.write(f"{run.config.temperature.T0} {time.monotonic()}\n")
    select.select([], [], [], SLEEP)  # time.sleep() fails under libfaketime
    if run.config.temperature.T0 == BAD_T0:
        {"segfault": segfault, "eat": eat}[os.environ["FAULT_DO"]]()
    return really_solve(run)


async def setitem(array: Any, selection: Any, value: Any, **options: Any) -> None:
    folder = Path(str(array.store_path).removeprefix("file://"))
    if HOLD and folder.name == "status" and len(list(folder.glob("c/*"))) >= BLOCKS_BEFORE:
        with Path(HOLD).open("a", encoding="utf-8") as flag:
            flag.write(f"{os.getpid()} {selection}\n")
        time.sleep(600.0)
    await really_set(array, selection, value, **options)


sweep.worker.solve = solve
zarr.AsyncArray.setitem = setitem
