"""Object stores that are busy, slow, away for a while, or do not confirm what they have done."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from faults import Fault
from gate import Gate
from small_sweeps import assert_same_bits, command, run_here, sweep_file
from unreliable_server import (
    EXPIRED,
    SLOW_DOWN,
    Chance,
    Fate,
    UnreliableServer,
    cut_some,
    delay_some,
    do_no_harm,
    from_then_on,
    refuse_some,
    settings_of,
)
from waiting import Driver, wait_for_blocks, wait_for_end

from sweep.store.store import Store

Start = Callable[..., Driver]

BLOCKS = 5  # of one run each, so that a slow store does not take minutes
PATIENCE = "30"  # s, in place of five minutes
IN_THE_MIDDLE = ("PUT", "/status/c/2")  # the commit record of the third block


@pytest.fixture
def proxy(port: int) -> Iterator[UnreliableServer]:
    """Yield the proxy in front of the object store."""
    with UnreliableServer(port) as server:
        yield server


@pytest.fixture
def store(request: pytest.FixtureRequest, s3: None) -> str:
    """Return a location in the bucket, which this process reaches directly."""
    return f"s3://bucket/{re.sub('[^a-z0-9]+', '-', request.node.name.lower())}.zarr"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a sweep of a few blocks."""
    axes = {"temperature.T0": {"linspace": [3000.0, 4000.0, BLOCKS]}}
    folder = tmp_path_factory.mktemp("unreliable")
    return sweep_file(folder, axes=axes, set={"numerics.t_end_years": 0.1}, block=1)


@pytest.fixture(scope="module")
def alone(file: Path) -> Path:
    """Return the sweep's store in a folder, run without any disturbance. Only to be read."""
    run_here(file, file.parent / "alone.zarr")
    return file.parent / "alone.zarr"


def check_recovery(fault: Fault, file: Path, store: str, alone: Path) -> None:
    """Resume with the same command, and compare the bits with those in a folder.

    There may be nothing left to do.
    """
    again = command("sweep", "run", file, "--store", store, "--workers", 0, cwd=file.parent)
    assert (again.returncode, again.stderr) == (0, ""), again
    assert Store.open(store).counts().pending == Store.open(store).counts().failed == 0
    assert_same_bits(store, alone)
    deep = command("sweep", "doctor", store, "--deep", cwd=file.parent)
    assert (deep.returncode, deep.stdout) == (0, f"{store}: nothing is wrong\n")
    fault.outcome.again = f"{again.returncode}, same bits, doctor clean"


@pytest.mark.parametrize(
    "chance",
    [
        pytest.param(
            refuse_some(0.3, SLOW_DOWN),
            marks=pytest.mark.faults("an object store answers 30 % of all requests with 503"),
            id="busy",
        ),
        pytest.param(
            cut_some(0.25),
            marks=[
                pytest.mark.faults(
                    "an object store does what it is asked, but 25 % of its answers are lost"
                ),
                pytest.mark.thorough,
            ],
            id="cut",
        ),
        pytest.param(
            delay_some(0.1, 3.0),
            marks=[
                pytest.mark.faults("an object store answers every tenth request up to 3 s late"),
                pytest.mark.thorough,
            ],
            id="slow",
        ),
    ],
)
@pytest.mark.parametrize("workers", [pytest.param(2, marks=pytest.mark.thorough), 0])
def test_a_sweep_through_an_unreliable_connection(
    start: Start,
    proxy: UnreliableServer,
    chance: Chance,
    workers: int,
    file: Path,
    alone: Path,
    store: str,
    fault: Fault,
) -> None:
    proxy.chance = chance
    driver = start(file, store, workers, **settings_of(proxy.address))
    out, err, code = wait_for_end(driver)
    fault.ended(out, err, code, expected=0)
    assert all("; waiting for up to" in line for line in err.splitlines()), err
    assert f"{BLOCKS} of {BLOCKS} runs done, 0 failed" in out
    assert proxy.harmed > 10
    check_recovery(fault, file, store, alone)


def read_until(driver: Driver, words: str) -> str:
    """Read the output of a driver up to the line with ``words``."""
    text = ""
    for line in driver.stdout or ():
        text += line
        if words in line:
            return text
    raise AssertionError((text, *driver.communicate()))


@pytest.mark.faults("an object store is away in the middle and comes back")
@pytest.mark.parametrize("workers", [2, pytest.param(0, marks=pytest.mark.thorough)])
def test_a_store_that_goes_away_and_comes_back(
    start: Start,
    proxy: UnreliableServer,
    workers: int,
    file: Path,
    alone: Path,
    store: str,
    fault: Fault,
) -> None:
    proxy.chance = from_then_on(*IN_THE_MIDDLE, Fate(lost=True))
    extra = {**settings_of(proxy.address), "DASK_SWEEP__STORAGE_PATIENCE": PATIENCE}
    driver = start(file, store, workers, **extra)
    text = read_until(driver, "blocks are tried again")
    proxy.chance = do_no_harm
    out, err, code = wait_for_end(driver)
    fault.ended(text + out, err, code, expected=0)
    fault.message(text, "the object store does not answer any more")
    assert f"{BLOCKS} of {BLOCKS} runs done, 0 failed" in out
    check_recovery(fault, file, store, alone)


@pytest.mark.faults("an object store stays away")
@pytest.mark.parametrize("workers", [pytest.param(2, marks=pytest.mark.thorough), 0])
def test_a_store_that_stays_away(
    start: Start,
    proxy: UnreliableServer,
    workers: int,
    file: Path,
    alone: Path,
    store: str,
    fault: Fault,
) -> None:
    proxy.chance = from_then_on(*IN_THE_MIDDLE, Fate(lost=True))
    extra = {**settings_of(proxy.address), "DASK_SWEEP__STORAGE_PATIENCE": "3"}
    driver = start(file, store, workers, **extra)
    out, err, code = wait_for_end(driver)
    fault.ended(out, err, code, expected=2)
    last = fault.message(err, "^error: ")
    assert "the object store does not answer any more" in last
    assert last.endswith("run the same command again when it answers")
    assert "disk" not in out + err
    check_recovery(fault, file, store, alone)


@pytest.mark.faults("the credentials for an object store expire in the middle")
@pytest.mark.parametrize("workers", [2, pytest.param(0, marks=pytest.mark.thorough)])
def test_credentials_that_expire(
    start: Start,
    proxy: UnreliableServer,
    workers: int,
    file: Path,
    alone: Path,
    store: str,
    fault: Fault,
) -> None:
    proxy.chance = from_then_on(*IN_THE_MIDDLE, Fate(refusal=EXPIRED))
    driver = start(file, store, workers, **settings_of(proxy.address))
    out, err, code = wait_for_end(driver)
    fault.ended(out, err, code, expected=2)
    fault.message(err, "ExpiredToken: the credentials have expired; renew them")
    assert "disk" not in out + err
    check_recovery(fault, file, store, alone)


@pytest.mark.faults("a driver is killed while an object store answers 30 % with 503")
def test_a_driver_that_is_killed_before_a_busy_store(
    start: Start,
    gate: Gate,
    proxy: UnreliableServer,
    file: Path,
    alone: Path,
    store: str,
    fault: Fault,
) -> None:
    gate.close_at(2)
    proxy.chance = refuse_some(0.3, SLOW_DOWN)
    extra = settings_of(proxy.address)
    driver = start(file, store, 2, inside=gate.settings(store), **extra)
    wait_for_blocks(store, 2, driver)
    os.killpg(driver.pid, signal.SIGKILL)
    out, err, code = wait_for_end(driver)
    fault.ended(out, err, code, expected=-signal.SIGKILL)
    check_recovery(fault, file, store, alone)
