"""One scheduler and one driver with very many workers that do nothing but wait.

``python -m tests.benchmarks.simulated_cluster [--write]``

Scheduler, driver, messages and tasks are the real ones. The workers are Dask's, a lot of them in
one process, and a block takes them a given time, in which they compute and write nothing: so what
each block costs beside the work itself can be measured far beyond this machine.
"""

import asyncio
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import dask
import psutil
from distributed import Client, Scheduler, Worker

import sweep.workers.profiles
from sweep.planning.plan import make_plan
from sweep.running.driver import Window, Work, block_task
from sweep.spec.file import load_sweep
from sweep.store.fence import Fence
from sweep.workers import block as at_work
from sweep.workers.base import Cluster
from sweep.workers.block import BlockTask, Receipt
from sweep.workers.start import SETTINGS, connect
from sweep.workers.watchdog import Limits, Watchdog

from .many import sweep_file
from .page import SCALE, publish, table

BLOCK = 1024  # runs
RUNS = 10 * BLOCK  # whose blocks are handed out again and again
#: Workers, and s that a block takes each: the same rate for more and more, which one process of
#: workers can bear; then as fast as it goes.
CASES = ((8, 0.4), (64, 3.2), (256, 12.8), (8, 0.0))
SECONDS = 20.0  # of every case, about


class Measured(NamedTuple):
    """Figures of one case."""

    blocks: int
    seconds: float
    scheduler: float  #: s of processor time
    driver: float
    memory: float  #: MB by which the scheduler has grown since it had no workers
    message: float  #: bytes of a task as it is sent


async def serve() -> None:
    """Run a scheduler until it is killed."""
    async with Scheduler(host="127.0.0.1", port=0, dashboard=False) as scheduler:
        print(scheduler.address, flush=True)
        await scheduler.finished()


async def wait_for_blocks(address: str, workers: int, seconds: float) -> None:
    """Run workers that take a block, wait and report it as done, until they are killed."""

    def wait(task: BlockTask, scopes: object = None) -> Receipt:
        time.sleep(seconds)
        return Receipt(task.index, len(task.overrides), 0, 0, 0, seconds, seconds, "nobody")

    at_work.run_block = wait  # type: ignore[assignment]
    started = [
        Worker(address, nthreads=1, host="127.0.0.1", dashboard=False, memory_limit=0, name=i)
        for i in range(workers)
    ]
    await asyncio.gather(*started)
    print("ready", flush=True)
    await asyncio.gather(*(worker.finished() for worker in started))


def used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def drive(address: str, blocks: int) -> dict[str, float]:
    """Hand out ``blocks`` blocks as a sweep does.

    Return wall-clock and processor seconds of the driver, and the bytes of a message.
    """
    with tempfile.TemporaryDirectory() as folder:
        plan = replace(make_plan(load_sweep(sweep_file(Path(folder), RUNS))), block_size=BLOCK)
    full = [block for block in plan.blocks if len(block.rows) == BLOCK]
    many = (
        replace(block, index=i)
        for i, block in zip(range(blocks), itertools.cycle(full), strict=False)
    )
    process = psutil.Process()
    receipts = list[Receipt]()
    with (
        dask.config.set(SETTINGS),
        connect(sweep.workers.profiles.Scheduler(address), 15.0) as client,
    ):
        work = Work(
            lambda block: block_task(plan, "memory://nothing.zarr", block, Fence("", plan.digest)),
            many,
        )
        message = len(work.first().packed())
        begin = used(process)
        clock = time.perf_counter()
        Window(
            Cluster(client, address),
            work,
            receipts.append,
            threading.Event(),
            Watchdog(Limits(), print),
        ).run()
        assert len(receipts) == blocks
        return {
            "seconds": time.perf_counter() - clock,
            "driver": used(process) - begin,
            "message": message,
        }


def measure(workers: int, seconds: float, *, for_seconds: float) -> Measured:
    command = [sys.executable, "-m", "tests.benchmarks.simulated_cluster"]
    expected = min(workers / seconds if seconds else 150.0, 150.0)
    blocks = int(max(2 * workers, expected * for_seconds))
    running: list[subprocess.Popen[str]] = []

    def start(*words: object) -> subprocess.Popen[str]:
        # read when Dask is imported
        environment = {**os.environ, "DASK_LOGGING__DISTRIBUTED": "critical"}
        running.append(
            subprocess.Popen(
                [*command, *map(str, words)], env=environment, stdout=subprocess.PIPE, text=True
            )
        )
        return running[-1]

    try:
        scheduler = start("--serve")
        assert scheduler.stdout is not None
        address = scheduler.stdout.readline().strip()
        process = psutil.Process(scheduler.pid)
        empty = process.memory_info().rss
        fleet = start("--wait", address, workers, seconds)
        assert fleet.stdout is not None
        assert fleet.stdout.readline() == "ready\n"
        with Client(address, set_as_default=False) as client:
            assert len(client.scheduler_info(n_workers=-1)["workers"]) == workers
        before = used(process)
        driver = start("--drive", address, blocks)
        figures = json.loads(driver.communicate()[0].splitlines()[-1])
        return Measured(
            blocks,
            figures["seconds"],
            used(process) - before,
            figures["driver"],
            (process.memory_info().rss - empty) / 1e6,
            figures["message"],
        )
    finally:
        for child in reversed(running):
            child.kill()
            child.wait()


def lines(cases: Sequence[tuple[int, float]] = CASES, for_seconds: float = SECONDS) -> list[str]:
    rows = []
    for workers, seconds in cases:
        measured = measure(workers, seconds, for_seconds=for_seconds)
        rate = measured.blocks / measured.seconds
        offered = f"{workers / seconds:.0f}" if seconds else "as many as go"
        scheduler = 1e3 * measured.scheduler / measured.blocks
        driver = 1e3 * measured.driver / measured.blocks
        rows.append(
            [
                workers,
                f"{seconds:g}",
                offered,
                f"{rate:.0f}",
                f"{scheduler:.2f}",
                f"{driver:.2f}",
                f"{measured.memory:.0f}",
                f"{measured.message / 1e3:.0f}",
            ]
        )
    head = (
        "workers",
        "s per block",
        "blocks/s the workers could do",
        "blocks/s done",
        "scheduler [ms of processor per block]",
        "driver [ms per block]",
        "growth of the scheduler's memory [MB]",
        "message of a block [kB]",
    )
    return table(head, rows)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--serve"]:
            with dask.config.set(SETTINGS):
                asyncio.run(serve())
        case ["--wait", address, workers, seconds]:
            with dask.config.set(SETTINGS):
                asyncio.run(wait_for_blocks(address, int(workers), float(seconds)))
        case ["--drive", address, blocks]:
            print(json.dumps(drive(address, int(blocks))))
        case _:
            publish("simulated_cluster", SCALE, lines)
