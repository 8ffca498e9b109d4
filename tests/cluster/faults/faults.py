"""Checks of the state that every fault must leave behind."""

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from click.testing import CliRunner
from fault_table import Outcome
from small_sweeps import assert_same_bits, command, results
from waiting import Driver, wait_for_death

import sweep.cli.commands
from sweep.store.store import Store

BLOCKS = 60  # of the sweep that is disturbed, two runs each
KILLED = -9

Done = subprocess.CompletedProcess[str]


@dataclass
class Fault:
    """Checks that record what they have seen."""

    outcome: Outcome
    _ends: list[str] = field(default_factory=list)

    def ended(self, out: str, err: str, code: int, *, expected: int) -> None:
        """Assert that the disturbed command ended with the right exit code and no traceback."""
        assert code == expected, (code, out, err)
        assert "Traceback" not in out + err, err
        self._ends.append("killed" if code == KILLED else str(code))
        self.outcome.ended = ", ".join(dict.fromkeys(self._ends))

    def message(self, text: str, pattern: str) -> str:
        """Return the single line that says what happened."""
        lines = [line for line in text.splitlines() if re.search(pattern, line)]
        assert len(lines) >= 1, text
        self.outcome.said = _without_places(lines[0])
        return lines[0]

    def recovered(self, file: Path, store: Path, undisturbed: Path) -> None:
        """Resume with the same command, and compare the bits with those of an undisturbed sweep."""
        done = command("sweep", "run", file, "--store", store, "--workers", 2, cwd=store.parent)
        assert (done.returncode, done.stderr) == (0, ""), done
        assert Store.open(store).counts().pending == Store.open(store).counts().failed == 0
        assert_same_bits(store, undisturbed)
        self.outcome.again = f"{done.returncode}, same bits{doctor_is_clean(store)}"

    def failed_alone(
        self,
        file: Path,
        store: Path,
        undisturbed: Path,
        T0: float,
        reason: str,
    ) -> None:
        """Assert that only the runs with ``T0`` failed, for ``reason``.

        The same command leaves them failed, and all others have the bits of an undisturbed sweep.
        """
        done = command("sweep", "run", file, "--store", store, "--workers", 2, cwd=store.parent)
        assert (done.returncode, done.stderr) == (1, ""), done
        assert "all runs were already complete" in done.stdout
        values = results(store)
        expected = results(undisturbed)
        bad = values["T0"] == T0
        assert bad.any()
        assert [reason in error for error in values["error"]] == bad.tolist()
        for name in expected:
            assert (
                values[name][~bad].tobytes() == expected[name][~bad].tobytes()
                or values[name][~bad].tolist() == expected[name][~bad].tolist()
            ), name
        self.outcome.again = (
            f"{done.returncode}, the other runs have the same bits{doctor_is_clean(store)}"
        )
        done = command(
            "sweep",
            "run",
            file,
            "--store",
            store,
            "--workers",
            2,
            "--retry-failed",
            cwd=store.parent,
        )
        assert (done.returncode, done.stderr) == (0, ""), done
        assert_same_bits(store, undisturbed)
        self.outcome.again += "; --retry-failed without the fault: 0, same bits"


def doctor_is_clean(store: Path) -> str:
    """Assert that ``sweep doctor`` finds nothing wrong, and return words for the table."""
    done = CliRunner().invoke(sweep.cli.commands.main, ["doctor", str(store)])
    assert done.exit_code == 0, done.output
    return ", doctor clean"


def committed(store: Path) -> int:
    """Count the blocks with a commit record, from the names of files alone."""
    return sum(not path.name.endswith(".partial") for path in (store / "status" / "c").glob("*"))


def kill_with_family(driver: Driver, victims: Iterable[psutil.Process] = ()) -> None:
    """Kill the driver and some of its processes at once.

    Wait for its remaining processes, which must end by themselves.
    """
    family = psutil.Process(driver.pid).children(recursive=True)
    for process in [*victims, psutil.Process(driver.pid)]:
        process.kill()
    wait_for_death(family)


#: What differs from one run of the tests to the next, and the word for it in the table.
PLACES_AND_TIMES = {
    r"/\S*/(\S+\.zarr)": "STORE",
    r"tcp://[\w.:]+": "ADDRESS",
    r"process \d+ on \S+": "process N on HOST",
    r"since \S+": "since TIME",
}


def _without_places(line: str) -> str:
    line = line.removeprefix("error: ")
    for pattern, word in PLACES_AND_TIMES.items():
        line = re.sub(pattern, word, line)
    return line
