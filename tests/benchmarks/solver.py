"""Time and error of the integrator over the shipped configurations.

``python -m tests.benchmarks.solver [--against PATH] [--rtol 1e-3 1e-6]``

Every time is the fastest of many runs of a prepared configuration through
:func:`marsdisk.zero_d.solve`: the integrator and the reading of its dense output. With
``--against`` a checkout of another version is timed in turn with this one, each in a process of its
own that rests while the other works. Errors are relative, against this version at rtol 1e-10.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
# turns of each version, and how long one lasts
ROUNDS = 30
SECONDS = 0.02
EXACT = 1e-10


def serve() -> None:
    """Answer requests, one line of JSON each, with the package of the checkout."""
    from marsdisk.cache import RunCache
    from marsdisk.config import load_config
    from marsdisk.zero_d import finish, prepare, run_zero_d, solve

    prepared: dict[str, Any] = {}
    for line in sys.stdin:
        request = json.loads(line)
        if line not in prepared:
            config = load_config(request["config"], request["overrides"])
            run_zero_d(config)  # compiles
            prepared[line] = prepare(config, RunCache())
        best = float("inf")
        stop = time.perf_counter() + SECONDS
        while time.perf_counter() < stop:
            begin = time.perf_counter()
            solved = solve(prepared[line])
            best = min(best, time.perf_counter() - begin)
        result = finish(solved)
        numbers = {
            "M_loss": result.M_loss,
            "Sigma": result.Sigma.tolist(),
            "tau": result.tau_los.tolist(),
        }
        print(
            json.dumps(
                {
                    "seconds": best,
                    "steps": result.steps,
                    "rejected": result.steps_rejected,
                    **numbers,
                }
            ),
            flush=True,
        )


class Version:
    """A checkout that answers in a process of its own."""

    def __init__(self, checkout: Path) -> None:
        words = [sys.executable, str(Path(__file__)), "--serve"]
        environment = {**os.environ, "PYTHONPATH": str(checkout)}
        self.process = subprocess.Popen(
            words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, config: Path, rtol: float) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        overrides = {"numerics.rtol": rtol, "numerics.atol": 1e-5 * rtol}
        self.process.stdin.write(json.dumps({"config": str(config), "overrides": overrides}) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


def error(answer: dict[str, Any], exact: dict[str, Any], name: str) -> float:
    """Return the largest relative error; NaN where a true value is zero."""
    values = np.array(answer[name])
    true = np.array(exact[name])
    if not np.all(true != 0.0):
        return float("nan")
    return float(np.max(np.abs(values / true - 1.0)))


def compare(versions: list[Version], rtols: list[float]) -> None:
    print(
        "| configuration | rtol | "
        + " | ".join(["ms", "steps", "M_loss", "Sigma(t)", "tau(t)"] * len(versions))
        + (" | times |" if versions[1:] else " |")
    )
    print("|---" * (2 + 5 * len(versions) + len(versions[1:])) + "|")
    ratios: dict[float, list[float]] = {rtol: [] for rtol in rtols}
    for config in sorted((ROOT / "configs").glob("*.yaml")):
        exact = versions[0].ask(config, EXACT)
        for rtol in rtols:
            best = [float("inf")] * len(versions)
            # in turns, so that other load of the machine meets both versions
            for _ in range(ROUNDS):
                answers = [version.ask(config, rtol) for version in versions]
                for i, answer in enumerate(answers):
                    best[i] = min(best[i], answer["seconds"])
            words = [config.stem, f"{rtol:g}"]
            for seconds, answer in zip(best, answers, strict=True):
                errors = [
                    f"{error(answer, exact, name):.1e}" for name in ("M_loss", "Sigma", "tau")
                ]
                words += [
                    f"{1e3 * seconds:.3f}",
                    f"{answer['steps']} + {answer['rejected']}",
                    *errors,
                ]
            if versions[1:]:
                ratios[rtol].append(best[1] / best[0])
                words.append(f"{ratios[rtol][-1]:.2f}")
            print(f"| {' | '.join(words)} |", flush=True)
    for rtol in rtols:
        if ratios[rtol]:
            print(
                f"rtol {rtol:g}: {statistics.geometric_mean(ratios[rtol]):.2f} times faster in the"
                f" geometric mean, at least {min(ratios[rtol]):.2f}"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, help="checkout of another version")
    parser.add_argument("--rtol", type=float, nargs="+", default=[1e-3, 1e-6])
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
    else:
        versions = [Version(ROOT)]
        if options.against:
            versions.append(Version(options.against.resolve()))
        compare(versions, options.rtol)
