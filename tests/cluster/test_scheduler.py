"""Sweeps on an existing scheduler and its workers: same bits, and no worker that does not agree."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from dask_processes import DaskProcesses, kill
from drivers import BLOCKS, SWEEP, listening
from gate import Gate
from small_sweeps import assert_same_bits, command, run_here
from waiting import Driver, wait_for, wait_for_blocks, wait_for_end

from sweep.running.driver_notes import Beat
from sweep.store.locate import locate
from sweep.store.store import Store

Start = Callable[..., Driver]


@pytest.fixture
def drive(launch: Start, dask: DaskProcesses) -> Start:
    """Return a function that starts a driver on the scheduler: ``drive(file, store)``."""

    def drive(file: Path, store: Path, **extra: str) -> Driver:
        words = [*SWEEP, "run", file, "--store", store, "--scheduler", dask.address]
        return launch(words, store.parent, **extra)

    return drive


def has_said(store: Path, words: str) -> bool:
    """Tell whether the driver of a store has printed a line with these words."""
    lines = Beat.read(locate(store)).said
    return any(words in line for line in lines)


def test_a_running_scheduler_gives_the_same_bits_and_a_late_worker_that_differs_is_not_used(
    tmp_path: Path,
    dask: DaskProcesses,
    drive: Start,
    gate: Gate,
    long_file: Path,
    undisturbed: Path,
) -> None:
    store = tmp_path / "s.zarr"
    gate.close_at(3)
    dask.add_worker("two", "--nthreads", "2", inside=gate.settings(store))
    dask.wait_for_workers(1)
    driver = drive(long_file, store)
    wait_for_blocks(store, 3, driver)
    dask.add_worker("late", preload="other_model")
    wait_for(lambda: has_said(store, "is not used"), driver)
    gate.open()
    out, err, code = wait_for_end(driver)
    assert (code, err) == (0, ""), out
    assert f"1 worker of {dask.address}, 2 at a time" in out
    assert "processes of one thread each are faster (dask worker --nthreads 1)" in out
    assert re.search(
        r"worker tcp://127\.0\.0\.1:\d+ is not used: \S+:\d+:\w+ marsdisk 9\.9\.9\+other"
        r" instead of ",
        out,
    )
    assert_same_bits(store, undisturbed)
    assert not list(tmp_path.glob(".s.zarr.probe*"))


def test_who_has_another_version_or_does_not_see_the_store_is_named_and_nothing_starts(
    tmp_path: Path,
    dask: DaskProcesses,
    long_file: Path,
) -> None:
    (tmp_path / "shared").mkdir()
    hidden = os.geteuid() == 0 and shutil.which("unshare") is not None
    if hidden:  # a worker before whose eyes another file system lies over the store's folder
        cover = (
            "unshare",
            "--mount",
            "sh",
            "-c",
            f'mount -t tmpfs none {tmp_path / "shared"} && exec "$@"',
            "sh",
        )
        dask.add_worker("blind", before=cover)
    dask.add_worker("good")
    dask.wait_for_workers(1 + hidden)
    run = (
        "sweep",
        "run",
        long_file,
        "--store",
        tmp_path / "shared" / "s.zarr",
        "--scheduler",
        dask.address,
    )
    if hidden:
        done = command(*run, cwd=tmp_path)
        assert done.returncode == 2
        assert re.search(
            r"worker blind on 127\.0\.0\.1 \(\S+\): (does not see what the driver wrote"
            r" next to|cannot write next to) \S+/s\.zarr",
            done.stderr,
        )
        assert "put the store where all machines see it under the same name" in done.stderr
    dask.add_worker("other", preload="other_model")
    dask.wait_for_workers(2 + hidden)
    done = command(*run, cwd=tmp_path)
    assert done.returncode == 2
    assert "these do not agree with the driver; nothing was started:" in done.stderr
    assert re.search(
        r"worker other on 127\.0\.0\.1 \(\S+\): marsdisk 9\.9\.9\+other instead of 0", done.stderr
    )
    assert "worker good" not in done.stderr
    assert "pip install the same version of marsdisk" in done.stderr
    assert Store.open(tmp_path / "shared" / "s.zarr").counts().done == 0


def test_where_no_scheduler_answers_that_is_said(tmp_path: Path, long_file: Path) -> None:
    done = command(
        "sweep",
        "run",
        long_file,
        "--store",
        "s.zarr",
        "--scheduler",
        "127.0.0.1:9",
        cwd=tmp_path,
        DASK_SWEEP__CONNECT="2",
        DASK_SWEEP__RECONNECT="1",
    )
    assert done.returncode == 2
    assert "error: no scheduler answers at tcp://127.0.0.1:9: " in done.stderr
    assert "start one there (dask scheduler), or check address and certificates" in done.stderr


@pytest.mark.faults("scheduler killed for good")
def test_a_killed_scheduler_ends_the_sweep_with_clear_words_and_the_same_command_goes_on(
    tmp_path: Path,
    dask: DaskProcesses,
    drive: Start,
    gate: Gate,
    long_file: Path,
    undisturbed: Path,
) -> None:
    store = tmp_path / "s.zarr"
    gate.close_at(3)
    dask.add_worker("one", inside=gate.settings(store))
    driver = drive(long_file, store, DASK_SWEEP__RECONNECT="1", DASK_SWEEP__CONNECT="10")
    wait_for_blocks(store, 3, driver)
    dask.scheduler.send_signal(signal.SIGKILL)
    out, err, code = wait_for_end(driver)
    assert code == 2, (out, err)
    assert re.search(
        rf"the scheduler of {dask.address} is gone.*; waiting up to 1 s for it to come back", out
    ), (out, err)
    assert err.startswith(f"error: no scheduler answers at {dask.address}: ")
    assert "Traceback" not in err
    assert 3 <= Store.open(store).counts().done < BLOCKS
    run_here(long_file, store)
    assert_same_bits(store, undisturbed)


@pytest.mark.faults("scheduler killed and started anew at the same address")
def test_a_scheduler_that_comes_back_is_used_again(
    tmp_path: Path,
    dask: DaskProcesses,
    drive: Start,
    gate: Gate,
    long_file: Path,
    undisturbed: Path,
) -> None:
    store = tmp_path / "s.zarr"
    gate.close_at(3)
    dask.add_worker("one", inside=gate.settings(store))
    driver = drive(long_file, store)
    wait_for_blocks(store, 3, driver)
    kill(dask.scheduler)
    gate.open()
    dask.start_scheduler()
    dask.add_worker("two")
    out, err, code = wait_for_end(driver)
    assert (code, err) == (0, ""), out
    assert "is gone" in out
    assert_same_bits(store, undisturbed)


@pytest.mark.faults(
    "worker that hangs (SIGSTOP) and another that is killed, on a scheduler of others"
)
def test_a_worker_that_hangs_and_one_that_dies_are_done_without(
    tmp_path: Path,
    dask: DaskProcesses,
    drive: Start,
    gate: Gate,
    long_file: Path,
    undisturbed: Path,
) -> None:
    store = tmp_path / "s.zarr"
    gate.close_at(3)
    for name in ("good", "hanging", "dying"):
        dask.add_worker(name, inside=gate.settings(store))
    dask.wait_for_workers(3)
    # a block that waited for the gate counts as a long one, which makes drivers more patient
    driver = drive(long_file, store, DASK_SWEEP__QUIET="25", DASK_SWEEP__QUIET_FACTOR="0")
    wait_for_blocks(store, 3, driver)
    hanging = dask.workers["hanging"]
    dying = dask.workers["dying"]
    wait_for(lambda: {hanging.pid, dying.pid} <= gate.waiting(), driver)
    hanging.send_signal(signal.SIGSTOP)
    kill(dying)
    gate.open()
    out, err, code = wait_for_end(driver)
    assert (code, err) == (0, ""), out
    assert re.search(
        r"nothing was finished for \d+ s; all blocks in flight are restarted without tcp://",
        out,
    )
    assert_same_bits(store, undisturbed)


@pytest.mark.faults("workers that are paused between the memory limits")
def test_paused_workers_are_named_and_the_wait_ends(
    tmp_path: Path,
    dask: DaskProcesses,
    drive: Start,
    long_file: Path,
) -> None:
    pause = {"DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE": "0.001"}
    dask.add_worker("full", "--memory-limit", "4GiB", **pause)
    with dask.client() as client:

        def states() -> list[str]:
            return [worker["status"] for worker in client.scheduler_info()["workers"].values()]

        wait_for(lambda: states() == ["paused"])
    driver = drive(long_file, tmp_path / "s.zarr", DASK_SWEEP__NO_WORKER="4")
    out, err, code = wait_for_end(driver)
    assert code == 2
    assert re.search(r"worker tcp://\S+ is paused by its memory limit and takes no blocks", out)
    assert re.search(
        r"error: all 1 workers are paused .* for 4 s at tcp://\S+; restart them with more memory",
        err,
    )


def _authority(folder: Path) -> None:
    """Make certificates that an authority of this test has signed, and one of a stranger."""
    openssl = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    for name in ("ca", "stranger"):
        subprocess.run(
            [*openssl, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem"],
            cwd=folder,
            capture_output=True,
            check=True,
        )
    request = [
        "openssl",
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=us",
        "-keyout",
        "us.key",
        "-out",
        "us.csr",
    ]
    signed = [
        "openssl",
        "x509",
        "-req",
        "-days",
        "2",
        "-in",
        "us.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-out",
        "us.pem",
    ]
    for words in (request, signed):
        subprocess.run(words, cwd=folder, capture_output=True, check=True)


@pytest.mark.thorough
@pytest.mark.skipif(shutil.which("openssl") is None, reason="certificates are made by openssl")
def test_an_encrypted_scheduler_serves_holders_of_its_certificates_only(
    tmp_path: Path,
    long_file: Path,
    undisturbed: Path,
) -> None:
    _authority(tmp_path)
    us = ["--tls-ca", "ca.pem", "--tls-cert", "us.pem", "--tls-key", "us.key"]
    with DaskProcesses(tmp_path, "--protocol", "tls", "--tls-ca-file", *us[1:]) as dask:
        assert dask.address.startswith("tls://127.0.0.1:")
        dask.add_worker("one")
        run = (
            "sweep",
            "run",
            long_file,
            "--store",
            tmp_path / "s.zarr",
            "--scheduler",
            dask.address,
        )
        stranger = command(
            *run,
            "--tls-ca",
            "ca.pem",
            "--tls-cert",
            "stranger.pem",
            "--tls-key",
            "stranger.key",
            cwd=tmp_path,
            DASK_SWEEP__CONNECT="3",
            DASK_SWEEP__RECONNECT="1",
        )
        assert stranger.returncode == 2
        assert f"no scheduler answers at {dask.address}" in stranger.stderr
        done = command(*run, *us, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert_same_bits(tmp_path / "s.zarr", undisturbed)


def test_nothing_listens_beyond_this_machine(
    tmp_path: Path,
    long_file: Path,
    start: Start,
    gate: Gate,
) -> None:
    store = tmp_path / "s.zarr"
    gate.close_at(1)
    driver = start(long_file, store, 2, inside=gate.settings(store))
    wait_for_blocks(store, 1, driver)
    assert listening(psutil.Process(driver.pid)) == {"127.0.0.1"}
