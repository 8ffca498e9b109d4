"""Processes that are killed or stopped, by real signals, at random moments and at the worst ones."""

import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from drivers import Driver, worker_processes
from faults import BLOCKS, KILLED, Fault, committed, ending, kill_with_family, wait_until

from sweep.store.reader import counts

Start = Callable[..., Driver]

KILLS = 50


@pytest.mark.faults("a worker is killed at a random moment, 50 times over one sweep")
def test_workers_killed_at_random(tmp_path: Path, many_file: Path, whole: Path, start_with: Start, fault: Fault) -> None:
    dice, store, working = random.Random(5), tmp_path / "s.zarr", tmp_path / "working"
    working.mkdir()
    driver = start_with({"sleep": 0.1, "working": working}, many_file, store, 2)

    def victims() -> list[psutil.Process]:
        return [process for process in worker_processes(driver) if (working / str(process.pid)).exists()]

    for kill in range(KILLS):
        wait_until(lambda kill=kill: committed(store) >= kill * (BLOCKS - 5) // KILLS and bool(victims()), driver)
        time.sleep(dice.uniform(0.0, 0.5))  # anywhere between its start and its writing
        while not (found := victims()):  # the other one may just have died of the last blow
            wait_until(lambda: bool(victims()), driver)
        dice.choice(found).kill()
    out, err, code = ending(driver)
    fault.ended(out, err, code, expected=0)
    fault.told(out, r"worker \S+ is gone; its blocks run on others")
    assert counts(store).failed == 0
    fault.recovered(many_file, store, whole)


@pytest.mark.faults("driver and scheduler are killed at a random moment, 5 times over one sweep")
def test_drivers_killed_at_random(tmp_path: Path, many_file: Path, whole: Path, start_with: Start, fault: Fault) -> None:
    dice, store = random.Random(7), tmp_path / "s.zarr"
    for kill in range(5):
        driver = start_with({"sleep": 0.05}, many_file, store, 2)
        wait_until(lambda wanted=10 * kill + 1: committed(store) >= wanted, driver)
        time.sleep(dice.uniform(0.0, 0.3))
        kill_with_family(driver)
        fault.ended(*ending(driver), expected=KILLED)
    assert 0 < counts(store).pending < counts(store).runs
    fault.recovered(many_file, store, whole)


@pytest.mark.parametrize("killed", ["the driver is", "driver and workers are"])
@pytest.mark.faults("{killed} killed after a block's arrays are written and before its commit")
def test_killed_between_arrays_and_commit(tmp_path: Path, many_file: Path, whole: Path, start_with: Start, fault: Fault, killed: str) -> None:
    store, flag = tmp_path / "s.zarr", tmp_path / "held"
    driver = start_with({"hold_before_commit": flag, "blocks_before": 3}, many_file, store, 2)
    wait_until(flag.exists, driver)
    kill_with_family(driver, worker_processes(driver) if "workers" in killed else [])
    fault.ended(*ending(driver), expected=KILLED)
    written, recorded = (
        {path.name for path in (store / name / "c").iterdir() if path.is_dir() or path.name.isdigit()} for name in ("M_loss", "status")
    )
    assert written > recorded  # a torn block, which nobody may trust
    fault.recovered(many_file, store, whole)


WITH_TTL = """
import sys
import sweep.cluster
sweep.cluster.SETTINGS["distributed.scheduler.worker-ttl"] = "5 s"
from sweep.cli import main
main()
"""


@pytest.mark.faults("a worker is stopped (SIGSTOP) while the others finish, and goes on (SIGCONT)")
def test_a_worker_stopped_for_a_while(tmp_path: Path, many_file: Path, whole: Path, start_with: Start, fault: Fault) -> None:
    store = tmp_path / "s.zarr"
    driver = start_with({"sleep": 0.02}, many_file, store, 2)
    wait_until(lambda: committed(store) >= 5, driver)
    stopped = worker_processes(driver)[0]
    stopped.send_signal(signal.SIGSTOP)
    last = [0.0, -1.0]
    wait_until(lambda: _nothing_new(store, last), driver)
    assert counts(store).pending > 0  # what the stopped one holds
    stopped.send_signal(signal.SIGCONT)
    fault.ended(*ending(driver), expected=0)
    fault.recovered(many_file, store, whole)


def _nothing_new(store: Path, last: list[float]) -> bool:
    """Whether no block was committed for three seconds; ``last`` keeps since when, and how many there were."""
    now, blocks = time.monotonic(), committed(store)
    if blocks != last[1]:
        last[:] = [now, blocks]
    return now - last[0] > 3.0


@pytest.mark.faults("a worker is stopped (SIGSTOP) for good")
def test_a_worker_stopped_for_good(tmp_path: Path, many_file: Path, whole: Path, start_with: Start, fault: Fault) -> None:
    store = tmp_path / "s.zarr"
    driver = start_with({"sleep": 0.02}, many_file, store, 2, through=[sys.executable, "-c", WITH_TTL])  # the real limit is 5 minutes
    wait_until(lambda: committed(store) >= 5, driver)
    stopped = worker_processes(driver)[0]
    stopped.send_signal(signal.SIGSTOP)
    fault.ended(*ending(driver), expected=0)
    assert not psutil.pid_exists(stopped.pid)
    fault.recovered(many_file, store, whole)
