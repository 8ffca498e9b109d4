"""Processes killed or stopped by real signals, at random moments and at the worst ones."""

import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from drivers import worker_processes
from faults import BLOCKS, KILLED, Fault, committed, kill_with_family
from gate import Gate
from waiting import Driver, wait_for, wait_for_end

from sweep.store.store import Store
from sweep.workers.watchdog import BLOCKS_PER_WORKER

Start = Callable[..., Driver]


@pytest.mark.parametrize("kills", [10, pytest.param(50, marks=pytest.mark.thorough)])
@pytest.mark.faults("a worker is killed at a random moment, up to 50 times over one sweep")
def test_workers_killed_at_random(
    tmp_path: Path,
    many_file: Path,
    whole: Path,
    start: Start,
    gate: Gate,
    kills: int,
    fault: Fault,
) -> None:
    dice = random.Random(5)
    store = tmp_path / "s.zarr"
    working = tmp_path / "working"
    working.mkdir()
    gate.close_at(1)
    inside = {"sleep": 0.1, "working": working, **gate.settings(store)}
    driver = start(many_file, store, 2, inside=inside)

    def victims() -> list[psutil.Process]:
        workers = worker_processes(driver)
        return [process for process in workers if (working / str(process.pid)).exists()]

    for kill in range(kills):
        wanted = kill * (BLOCKS - 5) // kills
        gate.close_at(wanted + 4)  # the sweep must not end before the last blow
        wait_for(lambda wanted=wanted: committed(store) >= wanted and victims(), driver)
        time.sleep(dice.uniform(0.0, 0.5))  # anywhere between its start and its writing
        while not victims():  # the second worker may just have died of the last blow
            wait_for(victims, driver)
        dice.choice(victims()).kill()
    gate.open()
    out, err, code = wait_for_end(driver)
    fault.ended(out, err, code, expected=0)
    fault.message(out, r"worker \S+ is gone; its blocks run on others")
    assert Store.open(store).counts().failed == 0
    fault.recovered(many_file, store, whole)


@pytest.mark.faults("driver and scheduler are killed at a random moment, 5 times over one sweep")
def test_drivers_killed_at_random(
    tmp_path: Path,
    many_file: Path,
    whole: Path,
    start: Start,
    gate: Gate,
    fault: Fault,
) -> None:
    dice = random.Random(7)
    store = tmp_path / "s.zarr"
    for kill in range(5):
        wanted = 10 * kill + 1
        gate.close_at(wanted + 9)
        driver = start(many_file, store, 2, inside={"sleep": 0.05, **gate.settings(store)})
        wait_for(lambda wanted=wanted: committed(store) >= wanted, driver)
        time.sleep(dice.uniform(0.0, 0.3))  # anywhere between two commits
        kill_with_family(driver)
        fault.ended(*wait_for_end(driver), expected=KILLED)
    assert 0 < Store.open(store).counts().pending < Store.open(store).counts().runs
    fault.recovered(many_file, store, whole)


@pytest.mark.parametrize("killed", ["the driver is", "driver and workers are"])
@pytest.mark.faults("{killed} killed after a block's arrays are written and before its commit")
def test_killed_between_arrays_and_commit(
    tmp_path: Path,
    many_file: Path,
    whole: Path,
    start: Start,
    fault: Fault,
    killed: str,
) -> None:
    store = tmp_path / "s.zarr"
    flag = tmp_path / "held"
    inside = {"hold_before_commit": flag, "blocks_before": 3}
    driver = start(many_file, store, 2, inside=inside)
    wait_for(flag.exists, driver)
    kill_with_family(driver, worker_processes(driver) if "workers" in killed else [])
    fault.ended(*wait_for_end(driver), expected=KILLED)
    assert list((store / "M_loss" / "c").glob("*.partial"))  # a torn block, which nobody may trust
    fault.recovered(many_file, store, whole)
    assert not list(store.rglob("*.partial"))


WITH_TTL = """
import sys
import sweep.workers.start
sweep.workers.start.SETTINGS["distributed.scheduler.worker-ttl"] = "20 s"
from sweep.cli import main
main()
"""


@pytest.mark.faults("a worker is stopped (SIGSTOP) while the others finish, and goes on (SIGCONT)")
def test_a_worker_stopped_for_a_while(
    tmp_path: Path,
    many_file: Path,
    whole: Path,
    start: Start,
    gate: Gate,
    fault: Fault,
) -> None:
    store = tmp_path / "s.zarr"
    driver, stopped = start_and_stop_a_worker(many_file, store, start, gate)
    # all but what may be on its way to the stopped one
    wait_for(lambda: committed(store) >= BLOCKS - 2 * BLOCKS_PER_WORKER, driver)
    assert Store.open(store).counts().pending > 0  # what the stopped one holds
    stopped.send_signal(signal.SIGCONT)
    fault.ended(*wait_for_end(driver), expected=0)
    fault.recovered(many_file, store, whole)


def start_and_stop_a_worker(
    file: Path,
    store: Path,
    start: Start,
    gate: Gate,
    **options: object,
) -> tuple[Driver, psutil.Process]:
    """Start a driver with two workers; return it and the worker stopped in the middle of a run."""
    gate.close_at(5)
    driver = start(file, store, 2, inside=gate.settings(store), **options)
    wait_for(lambda: committed(store) >= 5, driver)
    stopped = worker_processes(driver)[0]
    wait_for(lambda: stopped.pid in gate.waiting(), driver)
    stopped.send_signal(signal.SIGSTOP)
    gate.open()
    return driver, stopped


@pytest.mark.faults("a worker is stopped (SIGSTOP) for good")
def test_a_worker_stopped_for_good(
    tmp_path: Path,
    many_file: Path,
    whole: Path,
    start: Start,
    gate: Gate,
    fault: Fault,
) -> None:
    store = tmp_path / "s.zarr"
    through = [sys.executable, "-c", WITH_TTL]  # the real limit is 5 minutes
    driver, stopped = start_and_stop_a_worker(many_file, store, start, gate, through=through)
    fault.ended(*wait_for_end(driver), expected=0)
    assert not stopped.is_running()
    fault.recovered(many_file, store, whole)
