"""Copies of the checkout in a temporary folder, where sources are flipped and tests are run."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from .flips import Flip

QUICK_TESTS = ("-m", "not faults and not thorough")
PYTEST = (sys.executable, "-m", "pytest", "-q", "--tb=no", "-rfE", "-p", "no:cacheprovider")
#: Flips in these files make all kernels be compiled anew.
COMPILED = ("marsdisk/_jit.py", "marsdisk/physics/", "marsdisk/solver/")


@dataclass(frozen=True)
class Verdict:
    """What the tests said to a flip."""

    outcome: str  #: killed, timed out, survived or explained
    by: str
    seconds: float


class Copy:
    """One copy, with compiled kernels of its own: Numba knows a source by its path and time."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root = root
        self.folder = folder
        words = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        listed = subprocess.run(words, cwd=root, capture_output=True, text=True, check=True)
        for file in listed.stdout.rstrip("\0").split("\0"):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / file, folder / file)

    def seconds_of_tests(self, jobs: int) -> dict[str, float]:
        """Run all tests, which have to pass, and tell how long each file takes."""
        report = ["-o", "junit_family=xunit1", "--junitxml=seconds.xml"]
        code, printed = self._test(["-n", str(jobs), "--dist", "loadfile", *report, "tests"])
        if code:
            raise SystemExit(f"the unmutated tests have to pass first:\n{printed[-3000:]}")
        seconds: defaultdict[str, float] = defaultdict(float)
        for case in ET.parse(self.folder / "seconds.xml").getroot().iter("testcase"):
            seconds[case.attrib["file"]] += float(case.attrib["time"])
        return dict(seconds)

    def verdict(self, flip: Flip, tests: Sequence[str], limit: float) -> Verdict:
        """Show a flip to some test files, up to the first failure."""
        begin = time.monotonic()
        flipped = self.folder / flip.file
        flipped.write_bytes(flip.mutated)
        kernels = "flipped-kernels" if flip.file.startswith(COMPILED) else "kernels"
        try:
            code, printed = self._test(["-n", "0", "-x", *tests], limit, kernels)
        finally:
            shutil.copy2(self.root / flip.file, flipped)  # with its time
            shutil.rmtree(self.folder / "flipped-kernels", ignore_errors=True)
        seconds = time.monotonic() - begin
        if code == 0:
            return Verdict("survived", "", seconds)
        if code is None:
            return Verdict("timed out", f"after {limit:.0f} s", seconds)
        failed = re.search(r"^(?:FAILED|ERROR) (.*?)(?: - |$)", printed, re.MULTILINE)
        lines = printed.strip().splitlines() or [""]
        return Verdict("killed", failed[1] if failed else f"exit code {code}: {lines[-1]}", seconds)

    def _test(
        self,
        words: Sequence[str],
        limit: float | None = None,
        kernels: str = "kernels",
    ) -> tuple[int | None, str]:
        """Exit code of pytest (None where it took longer than the limit) and what it printed."""
        command = [*PYTEST, *QUICK_TESTS, f"--basetemp={self.folder / 'basetemp'}", *words]
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.folder),
            "NUMBA_CACHE_DIR": str(self.folder / kernels),
        }
        with tempfile.TemporaryFile("w+", encoding="utf-8") as printed:
            streams = {"stdout": printed, "stderr": subprocess.STDOUT}
            process = psutil.Popen(command, cwd=self.folder, env=environment, **streams)
            code: int | None = None
            try:
                code = process.wait(limit)
            except psutil.TimeoutExpired:
                for started in [*process.children(recursive=True), process]:
                    started.send_signal(signal.SIGKILL)
                process.wait()
            printed.seek(0)
            return code, printed.read()
