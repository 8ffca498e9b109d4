"""What happens twice or at the wrong time: drivers, blocks, clocks."""

import multiprocessing
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from faults import Fault, committed
from gate import Gate
from waiting import PATIENCE, Driver, wait_for, wait_for_end

from sweep.planning.plan import make_plan
from sweep.running.driver import block_task
from sweep.running.driver_notes import Beat
from sweep.running.session import create
from sweep.spec.file import load_sweep
from sweep.store.locate import locate
from sweep.store.store import Store, read_fence
from sweep.workers.block import BlockTask, CacheScopes, run_block

Start = Callable[..., Driver]

FAKETIMES = list(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


@pytest.mark.faults("two drivers are started on one store at once")
def test_two_drivers_at_once(
    tmp_path: Path,
    many_file: Path,
    whole: Path,
    start: Start,
    gate: Gate,
    fault: Fault,
) -> None:
    store = tmp_path / "s.zarr"
    gate.close_at(1)  # one of them goes on until the other has been refused
    drivers = [start(many_file, store, 1, inside=gate.settings(store)) for _ in range(2)]
    wait_for(lambda: any(driver.poll() is not None for driver in drivers))
    gate.open()
    ends = [wait_for_end(driver) for driver in drivers]
    winner, refused = sorted(ends, key=lambda end: end[2])
    fault.ended(*winner, expected=0)
    fault.ended(*refused, expected=2)
    fault.message(refused[1], r"is driving this sweep; wait for it")
    fault.recovered(many_file, store, whole)


def run_all(tasks: list[BlockTask], barrier: Barrier) -> None:
    """Run the blocks, each at the moment when the other process does."""
    scopes = CacheScopes()
    for task in tasks:
        barrier.wait(timeout=PATIENCE)
        run_block(task, scopes)


@pytest.mark.faults("every block is run by two workers at once")
def test_every_block_run_twice_at_once(
    tmp_path: Path,
    many_file: Path,
    whole: Path,
    fault: Fault,
) -> None:
    plan = make_plan(load_sweep(many_file))
    store = tmp_path / "s.zarr"
    create(plan, store)
    tasks = [block_task(plan, str(store), block, read_fence(store)) for block in plan.blocks]
    context = multiprocessing.get_context("spawn")  # as Dask starts its workers
    barrier = context.Barrier(2)
    twins = [context.Process(target=run_all, args=(tasks, barrier)) for _ in range(2)]
    for twin in twins:
        twin.start()
    for twin in twins:
        twin.join()
        fault.ended("", "", twin.exitcode if twin.exitcode is not None else -1, expected=0)
    fault.recovered(many_file, store, whole)


def days_ahead(store: Path) -> float:
    """Return by how many days the clock of the driver is ahead of ours."""
    instant = Beat.read(locate(store)).at
    return (datetime.fromisoformat(str(instant)) - datetime.now(UTC)) / timedelta(days=1)


@pytest.mark.faults("the clock jumps forwards by ten days and back by a year")
def test_clock_jumps(
    tmp_path: Path,
    many_file: Path,
    whole: Path,
    start: Start,
    gate: Gate,
    fault: Fault,
) -> None:
    if not FAKETIMES:
        pytest.skip("libfaketime is not installed")
    store = tmp_path / "s.zarr"
    clock = tmp_path / "clock"
    clock.write_text("+0", encoding="utf-8")
    fake = {
        "LD_PRELOAD": str(FAKETIMES[0]),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    begin = time.monotonic()
    gate.close_at(10)
    driver = start(many_file, store, 2, inside={"sleep": 0.05, **gate.settings(store)}, **fake)
    wait_for(lambda: committed(store) >= 10, driver)
    clock.write_text("+10d", encoding="utf-8")
    wait_for(lambda: days_ahead(store) > 9.0, driver)
    gate.close_at(30)
    wait_for(lambda: committed(store) >= 30, driver)
    clock.write_text("-365d", encoding="utf-8")
    wait_for(lambda: days_ahead(store) < -364.0, driver)
    gate.open()
    out, err, code = wait_for_end(driver)
    fault.ended(out, err, code, expected=0)
    seconds = time.monotonic() - begin
    duration = re.match(
        r"(?:(\d+) min )?([\d.]+) s, \d+ runs per second", fault.message(out, "runs per second")
    )
    assert duration is not None
    # durations come from a clock that nobody sets
    assert 0.0 < 60.0 * float(duration[1] or 0.0) + float(duration[2]) <= seconds
    fault.outcome.said = "durations are right"
    walls = Store.open(store).column("wall_time")
    assert (walls > 0.0).all()
    assert (walls < seconds).all()
    fault.recovered(many_file, store, whole)
