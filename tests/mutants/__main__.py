"""``make mutants``: flip expressions of the packages one at a time; some test has to notice.

A script of our own, as neither mutmut nor cosmic-ray does what is needed here: draw a few flips
over all modules from a seed, ask the tests near a module instead of all, and compile anew the
kernels that a flip in physics or solver changes. (To interpret them, with ``NUMBA_DISABLE_JIT``,
is no way round that: where a kernel divides by zero Python would raise.)

Nothing is written into the checkout: every job has a copy in a temporary folder. Each flip is
shown to the test files of its module, the nearest first, until a test fails, which has to pass
without the flip. What stands in explained.yaml, by its content, needs no test, for the reason that
is given there. The exit code is 1 if another flip is noticed by no test.
"""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import yaml

from .copies import Copy, Verdict
from .flips import Flip, draw
from .nearby import Imports

ROOT = Path(__file__).parents[2]
EXPLAINED = Path(__file__).parent / "explained.yaml"


def explanations() -> dict[tuple[str, str, str], str]:
    """Return the reasons why no test has to notice a flip, by file, line and flipped line."""
    entries = yaml.safe_load(EXPLAINED.read_text(encoding="utf-8")) or []
    return {(entry["file"], entry["line"], entry["flipped"]): entry["why"] for entry in entries}


def judge_all(flips: Sequence[Flip], copies: Sequence[Copy], max_files: int) -> list[Verdict]:
    """Show every flip to its tests, and print each verdict as it comes."""
    imports = Imports(ROOT)
    free: SimpleQueue[Copy] = SimpleQueue()

    for copy in copies:
        free.put(copy)

    def judge(flip: Flip) -> Verdict:
        tests = imports.tests_of(flip.file)[:max_files]
        copy = free.get()
        try:
            verdict = copy.verdict(flip, tests)
        finally:
            free.put(copy)
        judges = verdict.by or ", ".join(tests)
        print(f"{verdict.outcome} in {verdict.seconds:.0f} s: {flip}\n    {judges}", flush=True)
        return verdict

    with ThreadPoolExecutor(len(copies)) as pool:
        return list(pool.map(judge, flips))


def make_copies(folder: Path, number: int) -> list[Copy]:
    """Make copies of the checkout, and compile the kernels of each."""
    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(lambda job: Copy(ROOT, folder / str(job)), range(number)))


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutants")
    add = parser.add_argument
    add("--seed", type=int, default=15, help="equal seeds draw equal flips of equal sources")
    add("--count", type=int, default=60, help="how many flips")
    add("--only", metavar="TEXT", nargs="+", default=[""], help="those whose file:line has one")
    add("--jobs", type=int, default=2, help="how many at a time")
    add("--files", type=int, default=5, help="how many test files a flip is shown to at most")
    add("--folder", type=Path, help="where the copies are made and stay, for another run")
    add("--list", action="store_true", help="show the flips, and run nothing")
    return parser.parse_args()


def main() -> int:
    options = parse_options()
    begin = time.monotonic()
    drawn = draw(ROOT, Imports(ROOT).modules, options.count, options.seed)
    flips = []
    for flip in drawn:
        if any(text in flip.place for text in options.only):
            flips.append(flip)
    if options.list:
        print(*flips, sep="\n")
        return 0
    reasons = explanations()
    unexplained = []
    for flip in flips:
        why = reasons.get((flip.file, flip.line, flip.flipped_line))
        if why:
            print(f"explained: {flip}\n    {why}", flush=True)
        else:
            unexplained.append(flip)
    with tempfile.TemporaryDirectory(prefix="mutants-") as temporary:
        copies = make_copies(options.folder or Path(temporary), options.jobs)
        verdicts = judge_all(unexplained, copies, options.files)
    counts = Counter(verdict.outcome for verdict in verdicts)
    counts["explained"] = len(flips) - len(unexplained)
    parts = ", ".join(f"{number} {outcome}" for outcome, number in counts.most_common())
    seconds = time.monotonic() - begin
    print(f"{len(flips)} flips of seed {options.seed} in {seconds:.0f} s: {parts}")
    return 1 if counts["survived"] or counts["unclear"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
