"""A sweep into S3, with a real server on this machine: same bits, one driver, no leaked secret."""

import json
import os
import re
import shlex
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from gate import Gate
from small_sweeps import assert_same_bits, command, run_here, sweep_file
from unreliable_server import SECRET
from waiting import PATIENCE, Driver, wait_for_blocks, wait_for_end

import sweep
from sweep.common.errors import StoreError
from sweep.store import lease
from sweep.store.driving import driving
from sweep.store.locate import locate
from sweep.store.object_store import Objects
from sweep.store.store import Store

BLOCKS = 10
Start = Callable[..., Driver]
pytestmark = pytest.mark.usefixtures("s3")


@pytest.fixture
def store(request: pytest.FixtureRequest) -> str:
    return f"s3://bucket/results/{request.node.name}.zarr"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a sweep of 10 blocks of one run each."""
    axes = {"temperature.T0": {"linspace": [3000.0, 4000.0, BLOCKS]}}
    return sweep_file(
        tmp_path_factory.mktemp("objects"), axes=axes, set={"numerics.t_end_years": 0.5}, block=1
    )


@pytest.fixture(scope="module")
def undisturbed(file: Path) -> Path:
    """Return the sweep's store in a folder. Only to be read."""
    run_here(file, file.parent / "undisturbed.zarr")
    return file.parent / "undisturbed.zarr"


@pytest.mark.faults("the driver of a sweep into an object store is killed")
def test_killed_refused_and_resumed_it_ends_with_the_bits_of_a_folder(
    start: Start, gate: Gate, file: Path, undisturbed: Path, store: str, tmp_path: Path
) -> None:
    gate.close_at(2)
    driver = start(file, store, 2, inside=gate.settings(store))
    wait_for_blocks(store, 2, driver)
    os.killpg(driver.pid, signal.SIGKILL)
    out, err, _ = wait_for_end(driver)
    before = Store.open(store).counts().done
    assert 2 <= before < BLOCKS
    # at once: its holder was a process of this machine, and is gone
    again = command("sweep", "resume", store, "--workers", 0, cwd=tmp_path)
    assert (again.returncode, again.stderr) == (0, "")
    assert f"{BLOCKS} of {BLOCKS} runs done, 0 failed" in again.stdout
    assert int(re.search(r"\((\d+) are committed already\)", again.stdout).group(1)) >= before  # type: ignore[union-attr]
    assert_same_bits(store, undisturbed)
    status, show, doctor = (
        command("sweep", verb, store, cwd=tmp_path) for verb in ("status", "show", "doctor")
    )
    assert f"{store}: {BLOCKS} done, 0 failed, 0 pending of {BLOCKS} runs" in status.stdout
    assert show.stdout.count(" done ") == BLOCKS
    assert (doctor.returncode, doctor.stdout) == (0, f"{store}: nothing is wrong\n")
    assert float(sweep.open_store(store).M_loss.sum()) == float(
        sweep.open_store(undisturbed).M_loss.sum()
    )
    location = locate(store)
    assert isinstance(location, Objects)
    contents = [location.read(key) for key, _ in location.listing()] + [
        location.note_read(note.rpartition(".")[2]) or b"" for note in location.leftovers()
    ]
    assert len(contents) > 30 * BLOCKS
    assert not any(SECRET.encode() in content for content in contents)
    assert not any(
        SECRET in text
        for done in (again, status, show, doctor)
        for text in (out, err, done.stdout, done.stderr)
    )


@pytest.mark.faults("the driver of a sweep into an object store is interrupted")
@pytest.mark.thorough
def test_an_interrupted_driver_releases_the_store_and_says_how_to_go_on(
    start: Start, gate: Gate, file: Path, undisturbed: Path, store: str, tmp_path: Path
) -> None:
    gate.close_at(1)
    driver = start(file, store, 0, inside=gate.settings(store))
    wait_for_blocks(store, 1, driver)
    second = command("sweep", "resume", store, "--workers", 0, cwd=tmp_path)
    doctor = command("sweep", "doctor", store, "--json", cwd=tmp_path)
    driver.send_signal(signal.SIGINT)
    gate.open()
    out, _, code = wait_for_end(driver)
    assert code == 130
    assert second.returncode == 2
    assert re.search(
        rf"error: {store}: process {driver.pid} on \S+ since \S+ is driving this sweep; wait"
        r" for it",
        second.stderr,
    )
    assert json.loads(doctor.stdout)["driver"].startswith(f"process {driver.pid} on ")
    assert (json.loads(doctor.stdout)["findings"], doctor.returncode) == ([], 0)
    again = re.search(r"resume with: (sweep run .*)", out)
    assert again is not None
    done = command(*shlex.split(again.group(1)), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert_same_bits(store, undisturbed)


def test_the_lease_of_a_silent_holder_ends_by_the_clock_of_the_server(
    store: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lease, "GONE_SECONDS", 2.0)
    monkeypatch.setattr(lease, "_lives", lambda holder: None)  # as on another machine
    location = locate(store)
    assert isinstance(location, Objects)
    begin = time.monotonic()
    location.note_create("lock", note_of(1, "long ago"))
    with driving(location) as own_lease:
        assert time.monotonic() - begin > 0.9  # the server's clock counts whole seconds
        assert not own_lease.lost
    with driving(location):  # released: at once
        pass


def test_the_lease_of_a_holder_that_shows_signs_of_life_is_not_taken(
    store: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.2)
    monkeypatch.setattr(lease, "_lives", lambda holder: None)  # as on another machine
    location = locate(store)
    with driving(location) as own_lease:
        with pytest.raises(StoreError, match="is driving this sweep"), driving(location):
            pass
        assert not own_lease.lost
    with driving(location):  # released: at once
        pass


def note_of(pid: int, since: str) -> bytes:
    """Return the note of a driver on another machine that holds the lease."""
    note = {"pid": pid, "host": "elsewhere", "since": since, "id": "x", "state": "held"}
    return json.dumps(note).encode()


def test_a_driver_that_was_cut_off_for_long_stops_when_another_has_taken_over(
    store: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.1)
    location = locate(store)
    stopped = threading.Event()
    with driving(location) as own_lease:
        own_lease.on_loss = stopped.set
        location.note_write("lock", note_of(7, "just now"))
        assert stopped.wait(PATIENCE)
        assert own_lease.lost == "process 7 on elsewhere since just now"
    # and leaves the other's lease alone
    assert json.loads(location.note_read("lock") or b"")["host"] == "elsewhere"


@pytest.mark.parametrize(
    ("settings", "store", "words"),
    [
        ({}, "s3://no-such-bucket/x.zarr", "the object store answered 404 Not Found, NoSuchBucket"),
        ({"AWS_ALLOW_HTTP": "false"}, "s3://bucket/x.zarr", "plain http; set AWS_ALLOW_HTTP=true"),
        pytest.param(
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
            "s3://bucket/x.zarr",
            "the object store cannot be reached",
            marks=pytest.mark.thorough,
        ),
    ],
)
def test_a_bucket_that_cannot_be_had_is_told_in_a_line(
    file: Path,
    settings: dict[str, str],
    store: str,
    words: str,
    tmp_path: Path,
) -> None:
    done = command("sweep", "run", file, "--store", store, "--workers", 0, cwd=tmp_path, **settings)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {store}: ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert SECRET not in done.stderr
