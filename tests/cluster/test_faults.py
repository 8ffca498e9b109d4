"""Committed runs survive any kill or interruption; the same command resumes, with the same bits."""

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from drivers import BLOCKS, SWEEP_WITH_ONE_KERNEL, worker_processes
from gate import Gate
from small_sweeps import assert_same_bits, command, in_one_line, results, run_here, sweep_file
from waiting import Driver, wait_for, wait_for_blocks, wait_for_death, wait_for_end

import sweep
import sweep.workers.block
from sweep.common.errors import Interrupted
from sweep.running.driver_notes import Beat
from sweep.store.locate import locate
from sweep.store.store import Store
from tests.preloading import preloading

Start = Callable[..., Driver]


@pytest.mark.parametrize(
    ("number", "to_group", "workers"),
    [
        pytest.param(signal.SIGINT, True, 2, marks=pytest.mark.thorough),
        pytest.param(
            signal.SIGINT,
            False,
            2,
            marks=pytest.mark.faults("the driver alone is interrupted (SIGINT), not its terminal"),
        ),
        pytest.param(
            signal.SIGINT,
            True,
            0,
            marks=pytest.mark.faults("a driver that works itself is interrupted (SIGINT)"),
        ),
        (signal.SIGTERM, False, 0),
        pytest.param(
            signal.SIGHUP,
            True,
            2,
            marks=pytest.mark.faults(
                "the terminal of a sweep is closed (SIGHUP to all its processes)"
            ),
        ),
    ],
)
def test_an_interrupted_sweep_says_how_to_go_on_and_that_command_finishes_it(
    tmp_path: Path,
    long_file: Path,
    undisturbed: Path,
    start: Start,
    gate: Gate,
    number: int,
    to_group: bool,
    workers: int,
) -> None:
    store = tmp_path / "s.zarr"
    gate.close_at(3)
    driver = start(long_file, store, workers, inside=gate.settings(store))
    wait_for_blocks(store, 3, driver)
    workers_then = worker_processes(driver)
    (os.killpg if to_group else os.kill)(driver.pid, number)
    gate.open()
    out, err, code = wait_for_end(driver)
    assert code == 130
    message = "stopping; committed results stay, and the same command resumes the sweep"
    assert out.count(message) == 1
    assert any(message in line for line in Beat.read(locate(store)).said)
    wait_for_death(workers_then)
    count = rf"(\d+) of {BLOCKS} runs are committed in {store}"
    line = re.search(f"interrupted: {count}; resume with: (sweep run .*)", out)
    assert line is not None
    committed, again = line.groups()
    assert 3 <= int(committed) == Store.open(store).counts().done < BLOCKS
    before = _committed(store)
    done = command(*shlex.split(again), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"({committed} are committed already)" in done.stdout
    assert before.items() <= _committed(store).items()  # nothing committed was written again
    assert_same_bits(store, undisturbed)
    # which ends a process of multiprocessing, too; its complaint goes to a closed terminal
    if number != signal.SIGHUP:
        assert "Traceback" not in err


TWO_SIGNALS = """
import functools, signal
from sweep.running.stopping import stopping_on_signals
with stopping_on_signals(functools.partial(print, flush=True)) as stop:
    signal.raise_signal(signal.SIGINT)
    print(stop.is_set(), flush=True)
    signal.raise_signal(signal.SIGTERM)
    print("still there", flush=True)
"""


def test_a_second_signal_ends_the_process_at_once_and_says_that_nothing_is_lost() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TWO_SIGNALS],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (-signal.SIGTERM, "")
    first, stopping, second = done.stdout.splitlines()
    promise = "committed results stay, and the same command resumes the sweep"
    assert first == f"stopping; {promise} (a second signal stops at once)"
    assert (stopping, second) == ("True", f"stopped at once; {promise}")


@pytest.mark.faults("the driver is interrupted (SIGINT) while kernels are compiled")
def test_an_interruption_while_kernels_are_compiled_starts_no_block(
    tmp_path: Path,
    long_file: Path,
    start: Start,
) -> None:
    store = tmp_path / "s.zarr"
    kernels = tmp_path / "cold"
    notes = tmp_path / "notes"
    notes.mkdir()
    extra = {"NUMBA_CACHE_DIR": str(kernels), "ONE_KERNEL": str(notes)}
    driver = start(long_file, store, 2, through=SWEEP_WITH_ONE_KERNEL, **extra)
    wait_for(lambda: list(notes.glob("compiling-*")), driver)
    driver.send_signal(signal.SIGINT)
    (notes / "go_on").touch()
    _assert_interrupted_before_any_block(driver, store)
    assert list(notes.glob("compiled-*")), "what was begun is there for the next driver"


@pytest.mark.thorough
def test_an_interruption_while_all_kernels_are_compiled_starts_no_block(
    tmp_path: Path,
    long_file: Path,
    start: Start,
) -> None:
    store = tmp_path / "s.zarr"
    kernels = tmp_path / "cold"
    driver = start(long_file, store, 2, NUMBA_CACHE_DIR=str(kernels))
    wait_for(lambda: list(kernels.rglob("*.nbc")), driver)
    driver.send_signal(signal.SIGINT)
    _assert_interrupted_before_any_block(driver, store)


def _assert_interrupted_before_any_block(driver: Driver, store: Path) -> None:
    out, err, code = wait_for_end(driver)
    assert (code, err) == (130, "")
    assert "compiling the kernels, once for each version of the model" in out
    assert "stopping; committed results stay" in out
    assert (
        f"interrupted: 0 of {BLOCKS} runs are committed in {store}; resume with: sweep run " in out
    )
    assert [path.name for path in store.parent.iterdir() if "lock" in path.name] == []


def _committed(store: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (store / "status" / "c").iterdir()}


@pytest.mark.faults("both workers are killed at once")
def test_killed_workers_cost_nothing_but_time(
    tmp_path: Path,
    long_file: Path,
    undisturbed: Path,
    start: Start,
    gate: Gate,
) -> None:
    store = tmp_path / "s.zarr"
    gate.close_at(3)
    driver = start(long_file, store, 2, inside=gate.settings(store))
    wait_for_blocks(store, 3, driver)
    workers_then = worker_processes(driver)
    assert len(workers_then) == 2
    for process in workers_then:
        process.kill()
    gate.open()
    out, err, code = wait_for_end(driver)
    assert code == 0, (out, err)
    assert f"{BLOCKS} of {BLOCKS} runs done, 0 failed" in out
    assert "Traceback" not in err
    assert_same_bits(store, undisturbed)


@pytest.mark.faults("the driver is killed")
def test_a_killed_driver_leaves_no_process_and_the_same_command_goes_on(
    tmp_path: Path, long_file: Path, undisturbed: Path, start: Start, gate: Gate
) -> None:
    store = tmp_path / "s.zarr"
    gate.close_at(3)
    driver = start(long_file, store, 2, inside=gate.settings(store))
    wait_for_blocks(store, 3, driver)
    family = psutil.Process(driver.pid).children(recursive=True)
    driver.kill()
    wait_for_end(driver)
    wait_for_death(family)
    assert 3 <= Store.open(store).counts().done < BLOCKS
    run_here(long_file, store)
    assert_same_bits(store, undisturbed)


def test_a_second_driver_is_refused_while_the_first_lives(
    tmp_path: Path,
    long_file: Path,
    undisturbed: Path,
    start: Start,
    gate: Gate,
) -> None:
    store = tmp_path / "s.zarr"
    gate.close_at(1)
    first = start(long_file, store, 0, inside=gate.settings(store))
    wait_for_blocks(store, 1, first)
    words = ["sweep", "run", long_file, "--store", store, "--workers", 0]
    second = command(*words, cwd=tmp_path)
    gate.open()
    assert second.returncode == 2
    assert re.match(
        rf"error: {store}: process {first.pid} on \S+ since \S+ is driving this sweep; "
        r"wait for it .* or stop it first",
        second.stderr,
    )
    assert wait_for_end(first)[1:] == ("", 0)
    assert_same_bits(store, undisturbed)


BAD_T0 = {
    3100.0: "sys.exit(7)",
    3200.0: "raise RuntimeError('no such luck')",
    3300.0: "os.kill(os.getpid(), signal.SIGKILL)",
}
BAD_CASES = f"""
import os, signal, sys
import sweep.workers.block
really = sweep.workers.block.solve
def solve(run):
    exec({BAD_T0!r}.get(run.config.temperature.T0, ""))
    return really(run)
sweep.workers.block.solve = solve
"""


@pytest.mark.faults("cases exit, raise, or kill their worker")
def test_cases_that_exit_raise_or_kill_their_worker_fail_alone(
    tmp_path: Path,
    start: Start,
) -> None:
    (tmp_path / "bad_cases.py").write_text(BAD_CASES, encoding="utf-8")
    axes = {"temperature.T0": [3000.0, 3100.0, 3200.0, 3300.0, 3400.0, 3500.0]}
    file = sweep_file(tmp_path, axes=axes)
    driver = start(file, tmp_path / "s.zarr", 2, **preloading("bad_cases", tmp_path))
    out, err, code = wait_for_end(driver)
    assert code == 1, (out, err)
    dataset = sweep.open_store(tmp_path / "s.zarr")
    errors = dict(zip(dataset.T0.values.tolist(), dataset.error.values.tolist(), strict=True))
    assert {T0 for T0, error in errors.items() if error} == set(BAD_T0)
    assert errors[3100.0].startswith("SystemExit: 7 (unexpected")
    assert errors[3200.0].startswith("RuntimeError: no such luck (unexpected")
    assert "killed its worker process" in errors[3300.0]
    assert dataset.status.values.tolist() == [1, 2, 2, 2, 1, 1]
    run_here(file, tmp_path / "good.zarr")
    undisturbed = results(tmp_path / "good.zarr")
    good = dict(zip(undisturbed["T0"].tolist(), undisturbed["M_loss"].tolist(), strict=True))
    for T0 in BAD_T0:
        good.pop(T0, None)
    losses = dict(zip(dataset.T0.values.tolist(), dataset.M_loss.values.tolist(), strict=True))
    assert {T0: losses[T0] for T0 in good} == good
    assert "run it alone: marsdisk run " in in_one_line(out)
    assert "Traceback" not in err
    # what happened to workers is told in our words, not by their logs
    assert "distributed" not in err


BAD_CHECKS = """
import os, signal
import sweep.workers.block
really = sweep.workers.block.check_run
def check_run(config, **options):
    if config.temperature.T0 == 3300.0:
        os.kill(os.getpid(), signal.SIGKILL)
    return really(config, **options)
sweep.workers.block.check_run = check_run
"""


@pytest.mark.faults("the check of a run kills its worker")
def test_a_check_that_kills_its_worker_costs_neither_its_run_nor_other_checks(
    tmp_path: Path,
    start: Start,
) -> None:
    (tmp_path / "bad_checks.py").write_text(BAD_CHECKS, encoding="utf-8")
    file = sweep_file(
        tmp_path,
        axes={"temperature.T0": [3000.0, 3100.0, 3200.0, 3300.0]},
        accuracy={"fraction": 1.0},
    )
    driver = start(file, tmp_path / "s.zarr", 2, **preloading("bad_checks", tmp_path))
    out, err, code = wait_for_end(driver)
    assert code == 0, (out, err)
    dataset = sweep.open_store(tmp_path / "s.zarr")
    assert dataset.status.values.tolist() == [1, 1, 1, 1]
    assert np.isinf(dataset.err_bins.values).all(axis=1).tolist() == [False, False, False, True]
    assert np.isfinite(dataset.err_time.values[:3]).all()
    assert "repeated 3 of 4 runs" in out
    assert "run 3 could not be compared; see why: marsdisk check " in out


@pytest.mark.parametrize(
    "error",
    [
        SystemExit(7),
        RuntimeError("no such luck"),
        MemoryError(),
        RecursionError("deep"),
        GeneratorExit(),
        ValueError("x" * 10_000),
    ],
)
def test_in_this_process_too_a_case_that_raises_fails_alone(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
) -> None:
    really = sweep.workers.block.solve

    def solve(run: Any) -> Any:
        if run.config.temperature.T0 == 3500.0:
            raise error
        return really(run)

    monkeypatch.setattr(sweep.workers.block, "solve", solve)
    run_here(
        sweep_file(tmp_path, axes={"temperature.T0": [3000.0, 3500.0, 4000.0]}, block=3),
        tmp_path / "s.zarr",
    )
    dataset = sweep.open_store(tmp_path / "s.zarr")
    assert dataset.status.values.tolist() == [1, 2, 1]
    assert str(dataset.error.values[1]).startswith(type(error).__name__)


def test_interrupting_a_run_never_marks_it_as_failed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    really = sweep.workers.block.solve

    def solve(run: Any) -> Any:
        if run.config.temperature.T0 == 3500.0:
            signal.raise_signal(signal.SIGINT)
        return really(run)

    assert threading.current_thread() is threading.main_thread()
    file = sweep_file(tmp_path, axes={"temperature.T0": [3000.0, 3500.0, 4000.0]}, block=1)
    store = tmp_path / "s.zarr"
    monkeypatch.setattr(sweep.workers.block, "solve", solve)
    with pytest.raises(Interrupted):
        run_here(file, store)
    monkeypatch.undo()
    assert Store.open(store).counts().failed == 0
    assert Store.open(store).counts().done == 3 - Store.open(store).counts().pending == 2
    run_here(file, store)
    run_here(file, tmp_path / "undisturbed.zarr")
    assert_same_bits(store, tmp_path / "undisturbed.zarr")
