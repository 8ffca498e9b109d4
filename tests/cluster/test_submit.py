"""Drivers on the cluster: followed and stopped from another machine, and replaced when they die."""

import json
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner
from dask_processes import DaskProcesses, kill
from drivers import BLOCKS, SWEEP
from gate import Gate
from small_sweeps import assert_same_bits, command, run_here
from waiting import PATIENCE, Driver, wait_for, wait_for_blocks, wait_for_end

import sweep.cli.commands
from sweep.running.driver_notes import STOPPED
from sweep.running.submit import Request, _hand_over
from sweep.store.locate import locate
from sweep.store.store import Store

Start = Callable[..., Driver]

PATIENTLY = ("--patience", PATIENCE)


@pytest.fixture
def dask(dask: DaskProcesses, tmp_path: Path) -> Iterator[DaskProcesses]:
    """Yield a scheduler whose drivers end with the test."""
    yield dask
    end_driver(tmp_path)


def heartbeat(store: Path) -> dict[str, Any]:
    note = store.with_name(f".{store.name}.heartbeat")
    return dict(json.loads(note.read_bytes())) if note.exists() else {}


def end_driver(folder: Path) -> None:
    """Drivers outlive the workers that started them."""
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "resume" in words and any(word.startswith(f"{folder}{os.sep}") for word in words):
            process.kill()


def submit(file: Path, store: Path, dask: DaskProcesses) -> None:
    words = ["sweep", "submit", file, "--store", store, "--scheduler", dask.address]
    done = command(*words, cwd=store.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(rf"submitted small, id [0-9a-f]{{12}}, to {dask.address}", done.stdout)
    assert f"next: sweep watch {store}, sweep status {store}, sweep cancel {store}" in done.stdout


@pytest.mark.faults("a submitted sweep is cancelled from elsewhere")
def test_a_submitted_sweep_is_cancelled_from_elsewhere_and_goes_on_to_the_same_bits(
    tmp_path: Path, dask: DaskProcesses, gate: Gate, long_file: Path, undisturbed: Path
) -> None:
    store = tmp_path / "s.zarr"
    gate.close_at(2)
    dask.add_worker("one", inside=gate.settings(store))
    submit(long_file, store, dask)
    wait_for_blocks(store, 2)
    status = command("sweep", "status", store, cwd=tmp_path).stdout
    driver = heartbeat(store)
    assert f"driven by process {driver['pid']} on {driver['host']} since" in status
    assert f"follow it with: sweep watch {store}" in status
    cancelled = command("sweep", "cancel", store, *PATIENTLY, cwd=tmp_path, timeout=PATIENCE)
    assert cancelled.returncode == 0, cancelled
    assert re.search(
        rf"stopped; \d+ of {BLOCKS} runs are committed; resume with: sweep resume {store}",
        cancelled.stdout,
    )
    watched = command("sweep", "watch", store, *PATIENTLY, cwd=tmp_path, timeout=PATIENCE)
    assert watched.returncode == 130
    assert re.search(
        r"stopping, as \S+ on \S+ \(process \d+\) asked; what is committed stays", watched.stdout
    )
    assert Store.open(store).counts().pending > 0

    gate.open()
    submit(long_file, store, dask)
    watched = command("sweep", "watch", store, *PATIENTLY, cwd=tmp_path, timeout=PATIENCE)
    assert watched.returncode == 0, watched
    assert f"{BLOCKS} of {BLOCKS} runs done, 0 failed" in watched.stdout
    assert_same_bits(store, undisturbed)
    words = ["sweep", "submit", long_file, "--store", store, "--scheduler", dask.address]
    again = command(*words, cwd=tmp_path)
    message = f"{store}: everything is committed already; nothing was submitted\n"
    assert (again.returncode, again.stdout) == (0, message)
    nobody = command("sweep", "cancel", store, cwd=tmp_path)
    assert nobody.returncode == 2
    assert (
        f"{store}: nobody drives it; there is nothing to cancel (last driven by process"
        in nobody.stdout
    )


def test_a_driver_of_this_machine_is_cancelled_and_watched_alike(
    tmp_path: Path,
    long_file: Path,
    start: Start,
    launch: Start,
    gate: Gate,
) -> None:
    store = tmp_path / "s.zarr"
    gate.close_at(1)
    driver = start(long_file, store, 0, inside=gate.settings(store))
    wait_for_blocks(store, 1, driver)
    request = launch([*SWEEP, "cancel", store, *PATIENTLY], tmp_path)
    message = "asked; what is committed stays"
    wait_for(lambda: any(message in line for line in heartbeat(store)["said"]), driver)
    gate.open()
    out, _, code = wait_for_end(driver)
    assert code == 130
    assert message in out
    assert f"resume with: sweep run {long_file}" in out
    assert wait_for_end(request)[2] == 0
    assert heartbeat(store)["state"] == "cancelled"


@pytest.mark.faults("worker that carries a submitted driver killed, alone and with its driver")
@pytest.mark.parametrize("driver_too", [False, True])
def test_a_driver_whose_worker_dies_goes_on_or_is_replaced(
    tmp_path: Path,
    dask: DaskProcesses,
    launch: Start,
    gate: Gate,
    long_file: Path,
    undisturbed: Path,
    driver_too: bool,
) -> None:
    store = tmp_path / "s.zarr"
    gate.close_at(2)
    dask.add_worker("first", inside=gate.settings(store))
    dask.wait_for_workers(1)
    submit(long_file, store, dask)  # the only worker carries the driver
    wait_for_blocks(store, 2)
    before = heartbeat(store)
    dask.add_worker("second", inside=gate.settings(store))
    dask.wait_for_workers(2)
    watching = launch([*SWEEP, "watch", store, *PATIENTLY], tmp_path)
    kill(dask.workers["first"])
    if driver_too:
        os.kill(before["pid"], signal.SIGKILL)
    gate.open()
    out, _, code = wait_for_end(watching)
    assert code == 0, out
    assert (heartbeat(store)["pid"] != before["pid"]) == driver_too
    assert Store.open(store).counts().done == BLOCKS
    assert_same_bits(store, undisturbed)
    wait_for(lambda: not list(tmp_path.glob(".s.zarr.submission*")))


def test_a_driver_that_was_killed_is_reported_and_waited_for_no_longer_than_asked(
    tmp_path: Path,
    long_file: Path,
    start: Start,
    gate: Gate,
) -> None:
    store = tmp_path / "s.zarr"
    gate.close_at(1)
    driver = start(long_file, store, 0, inside=gate.settings(store))
    wait_for_blocks(store, 1, driver)
    driver.kill()
    wait_for_end(driver)
    watched = command("sweep", "watch", store, "--patience", 2, cwd=tmp_path)
    assert watched.returncode == 2
    assert re.search(
        rf"{store}: no sign of a driver for \S+ s; driven by process {driver.pid} on ",
        watched.stdout,
    )
    assert f"resume with: sweep resume {store}" in watched.stdout
    run_here(long_file, store)
    assert command("sweep", "watch", store, cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    "note",
    [
        b"[1]",
        b"{",
        b'{"state": ["running"], "said": {"a": 1}}',
        b'{"state": "running", "left": Infinity, "said": [1]}',
        b'{"state": "\\u001b[2J"}',
    ],
)
def test_a_note_from_anybody_harms_no_command(
    tmp_path: Path,
    undisturbed: Path,
    note: bytes,
) -> None:
    store = tmp_path / "s.zarr"
    shutil.copytree(undisturbed, store)
    (tmp_path / ".s.zarr.heartbeat").write_bytes(note)
    for words, codes in (
        (["status"], {0}),
        (["status", "--json"], {0}),
        (["watch", "--patience", "1"], {0, 2}),
        (["cancel", "--patience", "1"], {2}),
    ):
        done = CliRunner().invoke(sweep.cli.commands.main, [words[0], str(store), *words[1:]])
        assert done.exit_code in codes, done.output
        assert "\x1b" not in done.output
        assert "defect" not in done.output


class ClientOnce:
    """``get_client`` whose scheduler is found at the third attempt."""

    def __init__(self) -> None:
        self.attempts = 0
        self.keys: list[str] = []

    def __call__(self) -> "ClientOnce":
        self.attempts += 1
        if self.attempts < 3:
            raise OSError("Timed out trying to connect to tcp://scheduler:8786 after 30 s")
        return self

    def submit(self, task: object, request: Request, *, key: str, pure: bool) -> object:
        self.keys.append(key)
        return task


def test_a_sweep_keeps_its_driver_where_a_scheduler_is_not_found_for_a_while(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = ClientOnce()
    monkeypatch.setattr("sweep.running.submit.STANDBY_SECONDS", 0.0)
    monkeypatch.setattr("sweep.running.submit.get_client", client)
    monkeypatch.setattr("sweep.running.submit.fire_and_forget", lambda future: None)
    _hand_over(locate(tmp_path / "s.zarr"), Request("abc", str(tmp_path / "s.zarr"), None, turn=1))
    assert client.attempts == 3
    assert client.keys == ["sweep-driver-abc-1"]
    assert not heartbeat(tmp_path / "s.zarr")


def test_a_sweep_whose_scheduler_is_never_found_again_says_so(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise OSError("Timed out")

    monkeypatch.setattr("sweep.running.submit.STANDBY_SECONDS", 0.0)
    monkeypatch.setattr("sweep.running.submit.get_client", fail)
    _hand_over(locate(tmp_path / "s.zarr"), Request("abc", str(tmp_path / "s.zarr"), None, turn=1))
    beat = heartbeat(tmp_path / "s.zarr")
    assert beat["state"] == STOPPED
    assert re.fullmatch(
        r"the scheduler cannot be reached from \S+: Timed out; submit again", beat["error"]
    )
