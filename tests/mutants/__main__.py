"""``make mutants``: flip expressions of the packages one at a time; some test has to notice.

A script of our own, as neither mutmut nor cosmic-ray does what is needed here: draw a few flips
over all modules from a seed, ask the tests near a module instead of all, and compile the kernels
anew for a flip in physics or solver. (To interpret them, with ``NUMBA_DISABLE_JIT``, is no way
round that: where a kernel divides by zero Python would raise.)

Nothing is written into the checkout: every job has a copy in a temporary folder. First all tests
are run there without a flip; they have to pass, and tell how long each file takes. Then each flip
is shown to the tests of its module, the nearest first and of these the quickest first, until one
fails or ``--budget`` seconds of tests are through. A flip that no test notices has to stand in
explained.yaml, by its content, with the reason why it changes nothing; else the exit code is 1.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
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
MEASURED = ROOT / "results" / "mutants" / "seconds.json"
COMPILATION = 300.0  # s, of all kernels on a busy machine
PATIENCE = 4.0  # times as long as the tests take without a flip


def affordable(
    distances: Mapping[str, int],
    seconds: Mapping[str, float],
    budget: float,
) -> list[str]:
    """The nearest test files that fit into a budget of seconds, quickest first; at least one."""
    known = distances.keys() & seconds.keys()
    spent = 0.0
    chosen: list[str] = []
    for file in sorted(known, key=lambda file: (distances[file], seconds[file], file)):
        if not chosen or spent + seconds[file] <= budget:
            chosen.append(file)
            spent += seconds[file]
    return chosen


def explanations() -> dict[tuple[str, str, str], str]:
    """Why a flip changes nothing, by its file, its line and the flipped line."""
    entries = yaml.safe_load(EXPLAINED.read_text(encoding="utf-8")) or []
    return {(entry["file"], entry["line"], entry["flipped"]): entry["why"] for entry in entries}


def judge_all(
    flips: Sequence[Flip],
    copies: Sequence[Copy],
    seconds: Mapping[str, float],
    budget: float,
) -> list[Verdict]:
    """Show every flip to its tests, and print each verdict as it comes."""
    imports = Imports(ROOT)
    reasons = explanations()
    free: SimpleQueue[Copy] = SimpleQueue()
    for copy in copies:
        free.put(copy)

    def judge(flip: Flip) -> Verdict:
        tests = affordable(imports.distances(flip.file), seconds, budget)
        limit = COMPILATION + PATIENCE * sum(seconds[file] for file in tests)
        copy = free.get()
        try:
            verdict = copy.verdict(flip, tests, limit)
        finally:
            free.put(copy)
        why = reasons.get((flip.file, flip.line, flip.flipped_line), "")
        if why and verdict.outcome == "survived":
            verdict = replace(verdict, outcome="explained", by=why)
        asked = verdict.by or f"{len(tests)} test files, first {', '.join(tests[:3])}"
        print(f"{verdict.outcome} in {verdict.seconds:.0f} s: {flip}\n    {asked}", flush=True)
        return verdict

    with ThreadPoolExecutor(len(copies)) as pool:
        return list(pool.map(judge, flips))


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--seed", type=int, default=15, help="equal seeds draw equal flips of equal sources")
    add("--count", type=int, default=60, help="how many flips")
    add("--only", metavar="TEXT", default="", help="only modules whose path contains this")
    add("--jobs", type=int, default=2, help="how many at a time")
    add("--budget", type=float, default=120.0, help="seconds of tests for one flip at most")
    add("--measured", action="store_true", help="take the tests' seconds from the last run")
    add("--list", action="store_true", help="show the flips, and run nothing")
    return parser.parse_args()


def main() -> int:
    options = parse_options()
    begin = time.monotonic()
    modules = [module for module in Imports(ROOT).modules if options.only in module]
    flips = draw(ROOT, modules, options.count, options.seed)
    if options.list:
        print(*flips, sep="\n")
        return 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copies = [Copy(ROOT, Path(folder) / str(job)) for job in range(options.jobs)]
        if not options.measured:
            MEASURED.parent.mkdir(parents=True, exist_ok=True)
            MEASURED.write_text(json.dumps(copies[0].seconds_of_tests(options.jobs), indent=1))
        verdicts = judge_all(flips, copies, json.loads(MEASURED.read_text()), options.budget)
    counts = Counter(verdict.outcome for verdict in verdicts)
    parts = ", ".join(f"{number} {outcome}" for outcome, number in counts.most_common())
    seconds = time.monotonic() - begin
    print(f"{len(flips)} flips of seed {options.seed} in {seconds:.0f} s: {parts}")
    return 1 if counts["survived"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
