"""Copies of the checkout in a temporary folder, where sources are flipped and tests are run."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from .flips import Flip
from .nearby import Imports

QUICK_TESTS = ("-m", "not faults and not thorough", "-n", "0", "-x")
PYTEST = (sys.executable, "-m", "pytest", "-q", "--tb=no", "-rfE", "-p", "no:cacheprovider")
KERNELS_ON_DEMAND = ("-p", "tests.mutants.kernels_on_demand")
LONGEST_TEST = 300  # s, with a flip; without one each takes a fraction of it
LONGEST_RUN = 1500.0  # s, of all tests of a flip
# pytest: a file is missing or conftest.py cannot be imported; there are no tests
NOTHING_RAN = (4, 5)
COMPILED = ("marsdisk/_jit.py", "marsdisk/physics/", "marsdisk/solver/")
PRINT_KERNELS = "import marsdisk._jit; print(marsdisk._jit.compiled_folder())"
COMPILE = f"import marsdisk.zero_d; marsdisk.zero_d.ensure_compiled(); {PRINT_KERNELS}"


@dataclass(frozen=True)
class Verdict:
    """Outcome of the tests of a flip."""

    outcome: str  #: killed, timed out, survived, or unclear
    by: str
    seconds: float


class Copy:
    """Copy of the checkout with its own kernels, as Numba knows a source by path and time."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root = root
        self.folder = folder
        words = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        listed = subprocess.run(words, cwd=root, capture_output=True, text=True, check=True)
        for file in listed.stdout.rstrip("\0").split("\0"):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / file, folder / file)
        code, printed = self._run([sys.executable, "-c", COMPILE])
        if code != 0:
            raise RuntimeError(f"exit code {code} where kernels are compiled:\n{printed}")
        self.kernels = Path(printed.splitlines()[-1])

    def verdict(self, flip: Flip, tests: Sequence[str]) -> Verdict:
        """Show a flip to some test files, up to the first failure."""
        begin = time.monotonic()
        flipped = self.folder / flip.file
        flipped.write_bytes(flip.mutated)
        kernels = "kernels"
        try:
            if flip.file.startswith(COMPILED):
                kernels = "flipped-kernels"
                self._take_kernels_that_stay(flip.file)
            code, printed = self._test(tests, kernels)
        finally:
            shutil.copy2(self.root / flip.file, flipped)  # with its time
            shutil.rmtree(self.folder / "flipped-kernels", ignore_errors=True)
        outcome, by = self._outcome(code, printed, tests)
        return Verdict(outcome, by, time.monotonic() - begin)

    def _outcome(self, code: int | None, printed: str, tests: Sequence[str]) -> tuple[str, str]:
        if code == 0:
            return "survived", ""
        if code is None:
            return "timed out", f"after {LONGEST_RUN:.0f} s"
        failed = re.search(r"^(?:FAILED|ERROR) (.*?)(?: - (.*)|$)", printed, re.MULTILINE)
        if not failed:
            if code in NOTHING_RAN and self._test(["--collect-only", *tests])[0]:
                return "unclear", f"exit code {code} without the flip, too"
            return "killed", f"exit code {code}: {''.join(printed.splitlines()[-1:])}"
        test, error = failed.groups(default="")
        if self._test([test])[0]:
            return "unclear", f"{test} fails without the flip, too"
        return "timed out" if "Timeout" in error else "killed", test

    def _take_kernels_that_stay(self, flipped: str) -> None:
        """Copy the kernels of files that do not import the flipped file to the flipped model.

        Compiled code holds the functions that it calls.
        """
        code, printed = self._run([sys.executable, "-c", PRINT_KERNELS], "flipped-kernels")
        if code != 0:  # the flipped model cannot be imported, which its tests will say
            return
        looked_for = Path(printed.splitlines()[-1])
        if not looked_for.is_dir():
            return
        stale = {Path(file).stem for file in Imports(self.root).reached_from(flipped)}
        ignore = shutil.ignore_patterns("complete*", "lock*", *(f"{stem}.*" for stem in stale))
        shutil.copytree(self.kernels, looked_for, ignore=ignore, dirs_exist_ok=True)

    def _test(self, tests: Sequence[str], kernels: str = "kernels") -> tuple[int | None, str]:
        options = [f"--timeout={LONGEST_TEST}", f"--basetemp={self.folder / 'basetemp'}"]
        return self._run([*PYTEST, *QUICK_TESTS, *KERNELS_ON_DEMAND, *options, *tests], kernels)

    def _run(self, words: Sequence[str], kernels: str = "kernels") -> tuple[int | None, str]:
        """Run a program; return its exit code (None if it took too long) and its output."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.folder),
            "NUMBA_CACHE_DIR": str(self.folder / kernels),
        }
        with tempfile.TemporaryFile("w+", encoding="utf-8") as printed:
            streams = {"stdout": printed, "stderr": subprocess.STDOUT}
            process = psutil.Popen(words, cwd=self.folder, env=environment, **streams)
            code: int | None = None
            try:
                code = process.wait(LONGEST_RUN)
            except psutil.TimeoutExpired:
                for started in [*process.children(recursive=True), process]:
                    started.send_signal(signal.SIGKILL)
                process.wait()
            printed.seek(0)
            return code, printed.read()
