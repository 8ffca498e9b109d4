"""What every fault must leave behind, and the table that tells of it."""

import re
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from drivers import Driver
from small_sweeps import assert_same_bits, command, in_one_line, results

from sweep.store.reader import counts

HERE = Path(__file__).parent
PATIENCE = 300.0  # s
BLOCKS = 60  # of the sweep that is disturbed, two runs each
KILLED = -9

Done = subprocess.CompletedProcess[str]


@dataclass
class Outcome:
    """A row of the table."""

    fault: str
    ended: str = ""
    said: str = ""
    again: str = ""
    verdict: str = "FAILED"


@dataclass
class Fault:
    """Checks that write down what they have seen."""

    outcome: Outcome
    _ends: list[str] = field(default_factory=list)

    def ended(self, out: str, err: str, code: int, *, expected: int) -> None:
        """How the disturbed command ended: with the right exit code, and without a traceback."""
        assert code == expected, (code, out, err)
        assert "Traceback" not in out + err, err
        self._ends.append("killed" if code == KILLED else str(code))
        self.outcome.ended = ", ".join(dict.fromkeys(self._ends))

    def told(self, text: str, pattern: str) -> str:
        """The one line that says what happened."""
        lines = [line for line in text.splitlines() if re.search(pattern, line)]
        assert len(lines) >= 1, text
        self.outcome.said = _without_places(lines[0])
        return lines[0]

    def recovered(self, file: Path, store: Path, undisturbed: Path) -> None:
        """The same command again finishes, with the bits of a sweep that was never disturbed."""
        done = command("sweep", "run", file, "--store", store, "--workers", 2, cwd=store.parent)
        assert (done.returncode, done.stderr) == (0, ""), done
        assert counts(store).pending == counts(store).failed == 0
        assert_same_bits(store, undisturbed)
        self.outcome.again = f"{done.returncode}, same bits{doctor_is_clean(store)}"

    def failed_alone(self, file: Path, store: Path, undisturbed: Path, T0: float, reason: str) -> None:
        """Only the runs with ``T0`` failed, for ``reason``; the same command leaves them so, all others have the bits of an undisturbed sweep."""
        done = command("sweep", "run", file, "--store", store, "--workers", 2, cwd=store.parent)
        assert (done.returncode, done.stderr) == (1, ""), done
        assert "everything was committed already" in done.stdout
        found, expected = results(store), results(undisturbed)
        bad = found["T0"] == T0
        assert bad.any()
        assert [reason in error for error in found["error"]] == bad.tolist()
        for name in expected:
            assert found[name][~bad].tobytes() == expected[name][~bad].tobytes() or found[name][~bad].tolist() == expected[name][~bad].tolist(), name
        self.outcome.again = f"{done.returncode}, the other runs have the same bits{doctor_is_clean(store)}"
        done = command("sweep", "run", file, "--store", store, "--workers", 2, "--retry-failed", cwd=store.parent)
        assert (done.returncode, done.stderr) == (0, ""), done
        assert_same_bits(store, undisturbed)
        self.outcome.again += "; --retry-failed without the fault: 0, same bits"


def doctor_is_clean(store: Path) -> str:
    """Words for the table, once ``sweep doctor`` has found nothing wrong."""
    done = command("sweep", "doctor", store, cwd=store.parent)
    assert done.returncode == 0, done
    return ", doctor clean"


def committed(store: Path) -> int:
    """Blocks with a commit record, from the names of files alone."""
    return sum(not path.name.endswith(".partial") for path in (store / "status" / "c").glob("*"))


def wait_until(condition: Callable[[], bool], driver: Driver | None = None) -> None:
    """Until it holds; the driver has to live as long."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert driver is None or driver.poll() is None, driver.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ending(driver: Driver) -> tuple[str, str, int]:
    """What a driver said, and its exit code."""
    out, err = driver.communicate(timeout=PATIENCE)
    return out, err, driver.returncode


def kill_with_family(driver: Driver, victims: Iterable[psutil.Process] = ()) -> None:
    """SIGKILL to the driver and some of its processes at once; waits for all the others, which must end by themselves."""
    family = psutil.Process(driver.pid).children(recursive=True)
    for process in [*victims, psutil.Process(driver.pid)]:
        process.kill()
    assert not psutil.wait_procs(family, timeout=60.0)[1]


def _without_places(line: str) -> str:
    line = re.sub(r"tcp://[\w.:]+", "ADDRESS", re.sub(r"/\S*/(\S+\.zarr)", r"STORE", line))
    return re.sub(r"since \S+", "since TIME", re.sub(r"process \d+ on \S+", "process N on HOST", line.removeprefix("error: ")))


def as_table(outcomes: Iterable[Outcome]) -> str:
    """Markdown."""
    heads = "| fault | exit code | what is said | the same command again | |\n|---|---|---|---|---|"
    rows = [in_one_line(f"| {o.fault} | {o.ended} | {o.said} | {o.again} | {o.verdict} |") for o in sorted(outcomes, key=lambda o: o.fault)]
    return "\n".join([heads, *rows])


def into_page(page: Path, table: str) -> None:
    """Put the table between its markers."""
    before, begin, rest = page.read_text(encoding="utf-8").partition("<!-- faults: make faults -->\n")
    _, end, after = rest.partition("<!-- end -->")
    assert begin
    assert end
    page.write_text(f"{before}{begin}{table}\n{end}{after}", encoding="utf-8")
