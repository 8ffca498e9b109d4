"""``make mutants``: flip expressions of the packages one at a time; some test has to notice.

A script of our own, as neither mutmut nor cosmic-ray does what is needed here: draw a few flips
over all modules from a seed, ask the tests near a module instead of all, and compile anew the
kernels that a flip in physics or solver changes. (To interpret them, with ``NUMBA_DISABLE_JIT``,
is no way round that: where a kernel divides by zero Python would raise.)

Nothing is written into the checkout: every job has a copy in a temporary folder. Each flip is
shown to the test files of its module, the nearest first, until a test fails, which has to pass
without the flip. A flip that no test notices has to stand in explained.yaml, by its content, with
the reason why that is right; else the exit code is 1.
"""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

import yaml

from .copies import Copy, Verdict
from .flips import Flip, draw
from .nearby import Imports

ROOT = Path(__file__).parents[2]
EXPLAINED = Path(__file__).parent / "explained.yaml"


def explanations() -> dict[tuple[str, str, str], str]:
    """Why no test has to notice a flip, by its file, its line and the flipped line."""
    entries = yaml.safe_load(EXPLAINED.read_text(encoding="utf-8")) or []
    return {(entry["file"], entry["line"], entry["flipped"]): entry["why"] for entry in entries}


def judge_all(flips: Sequence[Flip], jobs: int, max_files: int) -> list[Verdict]:
    """Show every flip to its tests, and print each verdict as it comes."""
    imports = Imports(ROOT)
    reasons = explanations()
    free: SimpleQueue[Copy] = SimpleQueue()

    def judge(flip: Flip) -> Verdict:
        tests = imports.tests_of(flip.file)[:max_files]
        copy = free.get()
        try:
            verdict = copy.verdict(flip, tests)
        finally:
            free.put(copy)
        why = reasons.get((flip.file, flip.line, flip.flipped_line), "")
        if why and verdict.outcome == "survived":
            verdict = replace(verdict, outcome="explained", by=why)
        asked = verdict.by or ", ".join(tests)
        print(f"{verdict.outcome} in {verdict.seconds:.0f} s: {flip}\n    {asked}", flush=True)
        return verdict

    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(jobs) as pool:
        for copy in pool.map(lambda job: Copy(ROOT, Path(folder) / str(job)), range(jobs)):
            free.put(copy)
        return list(pool.map(judge, flips))


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutants")
    add = parser.add_argument
    add("--seed", type=int, default=15, help="equal seeds draw equal flips of equal sources")
    add("--count", type=int, default=60, help="how many flips")
    add("--only", metavar="TEXT", default="", help="those whose file:line contains this text")
    add("--jobs", type=int, default=2, help="how many at a time")
    add("--files", type=int, default=8, help="how many test files a flip is shown to at most")
    add("--list", action="store_true", help="show the flips, and run nothing")
    return parser.parse_args()


def main() -> int:
    options = parse_options()
    begin = time.monotonic()
    drawn = draw(ROOT, Imports(ROOT).modules, options.count, options.seed)
    flips = [flip for flip in drawn if options.only in f"{flip.file}:{flip.number}"]
    if options.list:
        print(*flips, sep="\n")
        return 0
    verdicts = judge_all(flips, options.jobs, options.files)
    counts = Counter(verdict.outcome for verdict in verdicts)
    parts = ", ".join(f"{number} {outcome}" for outcome, number in counts.most_common())
    seconds = time.monotonic() - begin
    print(f"{len(flips)} flips of seed {options.seed} in {seconds:.0f} s: {parts}")
    return 1 if counts["survived"] or counts["unclear"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
