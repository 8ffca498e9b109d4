"""Workers that nobody waits for any more, and changes of their store before they resume."""

import itertools
import random
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dask_processes import DaskProcesses
from drivers import SWEEP
from faults import Fault
from gate import Gate
from small_sweeps import assert_same_bits, run_here, sweep_file
from waiting import Driver, wait_for, wait_for_end

from sweep.common.errors import StoreError
from sweep.store.folder import Folder
from sweep.store.locate import locate
from sweep.store.object_store import Objects
from sweep.store.store import Store

BLOCKS = 8
LONGEST_PAUSE = 0.3  # s after which all that a worker does in a block has begun
TIME_LIMIT = 1.5  # s, of runs that take milliseconds
T0 = {"temperature.T0": {"linspace": [3000.0, 4000.0, BLOCKS]}}
COLUMNS = {"set": {"numerics.t_end_years": 0.1}, "block": 1}

Columns = dict[str, np.ndarray[Any, Any]]
Launch = Callable[..., Driver]


@dataclass
class Sweeps:
    """A sweep, sweeps that may replace it, and their stores without a disturbance."""

    folder: Path

    def __post_init__(self) -> None:
        longer = {"numerics.t_end_years": 0.2}
        hotter = {"temperature.T0": {"linspace": [3000.0, 5000.0, 2 * BLOCKS - 1]}}
        self.file = sweep_file(self.folder, "first.yaml", axes=T0, **COLUMNS)
        self.corrected = sweep_file(self.folder, "corrected.yaml", axes=T0, set=longer, block=1)
        self.extended = sweep_file(self.folder, "extended.yaml", axes=hotter, **COLUMNS)
        self.limited = sweep_file(
            self.folder,
            "limited.yaml",
            axes=T0,
            time_limit=TIME_LIMIT,
            **COLUMNS,
        )

    def undisturbed(self, file: Path) -> Path:
        """Return the store of a file that was run in this process. Only to be read."""
        store = file.with_suffix(".zarr")
        if not store.exists():
            run_here(file, store)
        return store


def delete(store: str) -> None:
    """Delete what stands there, as a person would."""
    location = locate(store)
    if isinstance(location, Folder):
        shutil.rmtree(location.path)
    else:
        location.delete([key for key, _ in location.listing()])


def move(store: str) -> str:
    """Rename a store, and return its new name."""
    moved = store.removesuffix("late.zarr") + "moved.zarr"
    source = locate(store)
    if isinstance(source, Folder):
        source.path.rename(moved)
        return moved
    target = locate(moved)
    assert isinstance(source, Objects)
    assert isinstance(target, Objects)
    for key, _ in source.listing():
        target.inside.put(key, source.read(key))
    delete(store)
    return moved


def columns(store: str) -> Columns:
    """Return every array along ``run``, including times."""
    opened = Store.open(store)
    names = [name for name, spec in opened.arrays.items() if spec.dims[0] == "run"]
    return {name: opened.column(name) for name in names}


def assert_untouched(store: str, before: Columns) -> None:
    """Assert that no array of a store has changed, neither worker nor attempt nor times."""
    after = columns(store)
    assert after.keys() == before.keys()
    changed = [name for name in after if after[name].tolist() != before[name].tolist()]
    assert not [name for name in changed if not same_bytes(after[name], before[name])]


def same_bytes(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> bool:
    """Tell whether two arrays have the same bytes, where NaN count as the same."""
    return first.dtype.kind != "T" and first.tobytes() == second.tobytes()


@dataclass
class Late:
    """Frozen workers in the middle of a block, whose driver has ended."""

    store: str
    sweeps: Sweeps
    dask: DaskProcesses
    gate: Gate
    launch: Launch
    dice: random.Random
    rounds: int

    def freeze(self, file: Path, number: signal.Signals) -> tuple[str, str, int]:
        """Start a driver, freeze its workers at a random moment, and end it; return its output."""
        self.gate.forget_waiting()
        self.gate.close_at(1)
        words = [*SWEEP, "run", file, "--store", self.store, "--scheduler", self.dask.address]
        driver = self.launch(words, self.dask.folder)
        pids = {process.pid for process in self.dask.workers.values()}
        wait_for(lambda: pids <= self.gate.waiting(), driver)
        self.gate.open()
        time.sleep(self.dice.uniform(0.0, LONGEST_PAUSE))  # anywhere in a block
        self._send(signal.SIGSTOP)
        driver.send_signal(number)
        return wait_for_end(driver)

    def wake(self) -> None:
        """Let the workers go on, and wait until they have nothing left to do."""
        self._send(signal.SIGCONT)
        with self.dask.client() as client:

            def are_idle() -> bool:
                # An error instead of a number: a connection broke as it resumed; it is asked again.
                left = client.run(
                    lambda dask_worker: len(dask_worker.state.tasks),
                    on_error="return",
                )
                return all(tasks == 0 for tasks in left.values())

            wait_for(are_idle)

    def _send(self, number: signal.Signals) -> None:
        for process in self.dask.workers.values():
            process.send_signal(number)


def stay_deleted(late: Late) -> None:
    """Delete the store: nobody makes a new one."""
    delete(late.store)
    late.wake()
    with pytest.raises(StoreError):
        Store.open(late.store).counts()
    assert not Path(late.store).exists()


def stay_moved(late: Late) -> None:
    """Move the store away: it is finished at its new location, and nothing replaces it."""
    moved = move(late.store)
    run_here(late.sweeps.file, moved)
    before = columns(moved)
    late.wake()
    with pytest.raises(StoreError):
        Store.open(late.store).counts()
    assert_untouched(moved, before)
    assert_same_bits(moved, late.sweeps.undisturbed(late.sweeps.file))
    delete(moved)


def stay_as_rerun(late: Late, file: Path, *, anew: bool = True, **options: bool) -> None:
    """Run a sweep into the location, which keeps its bits."""
    if anew:
        delete(late.store)
    run_here(file, late.store, **options)
    before = columns(late.store)
    late.wake()
    assert_untouched(late.store, before)
    assert_same_bits(late.store, late.sweeps.undisturbed(file))


def stay_corrected(late: Late) -> None:
    """Delete the store, and run a corrected sweep into its place."""
    stay_as_rerun(late, late.sweeps.corrected)


def stay_as_made_anew(late: Late) -> None:
    """Delete the store, and run the same sweep into its place."""
    stay_as_rerun(late, late.sweeps.file)


def stay_resumed(late: Late) -> None:
    """Give the same command again, which finishes the store."""
    stay_as_rerun(late, late.sweeps.file, anew=False)


def stay_extended(late: Late) -> None:
    """Finish the store with more runs."""
    stay_as_rerun(late, late.sweeps.extended, anew=False, extending=True)


def go_on(late: Late) -> None:
    """Do nothing: the store waits for these blocks, and the same command does the rest."""
    late.wake()
    run_here(late.sweeps.file, late.store)
    assert_same_bits(late.store, late.sweeps.undisturbed(late.sweeps.file))


MEANWHILE: dict[str, Callable[[Late], None]] = {
    "is deleted": stay_deleted,
    "is moved": stay_moved,
    "is made anew for a corrected sweep": stay_corrected,
    "is made anew for the same sweep": stay_as_made_anew,
    "is finished by the same command": stay_resumed,
    "is extended": stay_extended,
    "stays as it is": go_on,
}


def forms(with_every_change: Sequence[str]) -> list[Any]:
    """List the changes as parameters of a test; those left out are tried by ``make faults``."""
    return [
        pytest.param(name, marks=() if name in with_every_change else pytest.mark.thorough)
        for name in MEANWHILE
    ]


def assert_late_blocks_change_nothing(late: Late, meanwhile: str, fault: Fault) -> None:
    """End a driver with frozen workers, change the store, and let the workers resume.

    As often as is asked for.
    """
    endings = itertools.cycle((signal.SIGINT, signal.SIGKILL))
    for number in itertools.islice(endings, late.rounds):
        out, err, code = late.freeze(late.sweeps.file, number)
        expected = 130 if number == signal.SIGINT else -signal.SIGKILL
        fault.ended(out, err, code, expected=expected)
        if "still run" in out:
            fault.message(out, r"blocks? still runs? on workers of")
        MEANWHILE[meanwhile](late)
        if locate(late.store).exists():
            delete(late.store)
    fault.outcome.again = "no bit of what was committed is changed"
