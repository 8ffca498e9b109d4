"""What running a sweep would do: its runs, blocks, time, and bytes."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from marsdisk.accuracy.convergence import check_run
from marsdisk.cli.program import compile_kernels
from marsdisk.common.errors import MarsDiskError
from marsdisk.config import RunConfig, build_config, merge
from marsdisk.zero_d import run_zero_d

from ..common.errors import PlanChangedError
from ..common.text import counted, text
from ..planning.create_store import Forecast, forecast
from ..planning.match_store import in_stored_rows, refuse_other_accuracy, refuse_other_plan
from ..planning.plan import Plan
from ..planning.refinement_size import runs_in_all
from ..running.progress import duration
from ..running.refinement_rounds import recorded
from ..store.failures import telling
from ..store.location import Location
from ..store.store import Store
from ..workers.profiles import usable_cores


@dataclass(frozen=True)
class Preview:
    """A plan with its time, which is measured on one of its runs, and the size of its store.

    Attributes
    ----------
    plan : Plan
        The plan.
    runs : int
        Number of its runs, with all rounds of a refinement.
    cores : int
        Cores that share them.
    run_seconds : float
        Computing time of all runs, in s.
    accuracy_seconds : float
        Computing time of repeating some of them with tighter steps and other bins, in s.
    store : Forecast
        Size of the store, at most.
    """

    plan: Plan
    runs: int
    cores: int
    run_seconds: float
    accuracy_seconds: float
    store: Forecast

    @classmethod
    def of(cls, plan: Plan, say: Callable[[str], None], cores: int | None = None) -> "Preview":
        """Measure one run of a plan.

        Parameters
        ----------
        plan : Plan
            The plan.
        say : callable
            Told when kernels have to be compiled first.
        cores : int, optional
            Cores that are to share the runs; by default all of this machine.
        """
        compile_kernels(say)
        middle = build_config(merge(plan.sweep.base, plan.case(plan.count // 2).overrides))
        runs = runs_in_all(plan.sweep, plan.count)
        run_seconds = _seconds_of_run(middle) * runs
        accuracy_seconds = 0.0
        if plan.accuracy_rows:
            share_repeated = len(plan.accuracy_rows) / plan.count
            accuracy_seconds = _seconds_of_comparison(middle) * share_repeated * runs
        return cls(
            plan=plan,
            runs=runs,
            cores=usable_cores() if cores is None else cores,
            run_seconds=run_seconds,
            accuracy_seconds=accuracy_seconds,
            store=forecast(plan),
        )

    @property
    def seconds(self) -> float:
        """Wall time on all cores, in s, without the start of the workers."""
        return (self.run_seconds + self.accuracy_seconds) / self.cores

    def lines(self) -> Iterator[str]:
        """Yield what a person wants to know before running the sweep."""
        plan = self.plan
        spec = plan.sweep.spec
        for axis in plan.sweep.axes:
            yield axis.summary
        yield (
            f"{counted(plan.count, 'run')}{self._cases_in_words()} in"
            f" {counted(len(plan.blocks), 'block')} of up to {plan.block_size}"
        )
        if self.runs > plan.count:
            yield f"more in rounds, up to {self.runs} runs; what follows is of all of them"
        sets = counted(len(plan.runs.identities), "distinct set")
        yield f"{sets} of cached arrays, cache scope {spec.cache.scope}"
        if plan.accuracy_rows:
            share = 100.0 * self.accuracy_seconds / (self.run_seconds + self.accuracy_seconds)
            ways = "with tighter steps and with half and twice the bins"
            yield f"{len(plan.accuracy_rows)} of them repeated {ways}, {share:.0f} % of the time"
        cores = counted(self.cores, "core")
        yield (
            f"about {duration(self.seconds)} on {cores}, measured on one run, and some seconds"
            " until the workers have started"
        )
        megabytes = self.store.bytes_raw / 1e6
        yield f"at most {megabytes:.1f} MB before compression, {self.store.files} files"
        for name, expectation in plan.sweep.expectations.items():
            yield f"evaluated at the end: {text(name)}: {expectation.words}"
        for warning in plan.warnings:
            yield f"note: {warning}"

    def _cases_in_words(self) -> str:
        """Return in brackets how many cases are included, excluded, or coincide with others."""
        counts = self._cases()
        kinds = {
            "included": counts["included"],
            "excluded": counts["excluded"],
            "that coincide with others are left out": counts["coinciding"],
        }
        words = ", ".join(f"{count} {kind}" for kind, count in kinds.items() if count)
        return f" ({words})" if words else ""

    def _cases(self) -> dict[str, int]:
        sweep = self.plan.sweep
        return {
            "included": len(sweep.spec.include),
            "excluded": sweep.excluded(),
            "coinciding": self.plan.duplicates,
        }

    def as_json(self) -> dict[str, Any]:
        """Return the same for programs, in s and bytes."""
        plan = self.plan
        return {
            "name": plan.sweep.spec.name,
            "axes": {axis.name: len(axis.points) for axis in plan.sweep.axes},
            "runs": plan.count,
            "runs_with_rounds": self.runs,
            "cases": self._cases(),
            "blocks": len(plan.blocks),
            "block_size": plan.block_size,
            "cached_sets": len(plan.runs.identities),
            "cache_scope": plan.sweep.spec.cache.scope,
            "runs_repeated": len(plan.accuracy_rows),
            "run_seconds": self.run_seconds,
            "accuracy_seconds": self.accuracy_seconds,
            "cores": self.cores,
            "seconds": self.seconds,
            "bytes_raw": self.store.bytes_raw,
            "files": self.store.files,
            "expectations": {
                name: expectation.words for name, expectation in plan.sweep.expectations.items()
            },
            "notes": list(plan.warnings),
        }


def lines_on_store(plan: Plan, location: Location) -> Iterator[str]:
    """Yield what a store has of a plan, and what running it there would add.

    Parameters
    ----------
    plan : Plan
        As it was made of the sweep file.
    location : Location
        Where its store is or will be.

    Raises
    ------
    StoreError
        There is something else than a store, or it cannot be read.
    """
    with telling(location, "cannot be read"):
        exists = location.exists()
    if not exists:
        yield f"{location} does not exist yet; sweep run creates it"
        return
    store = Store.open(location, same_length=False)
    try:
        plan, new = in_stored_rows(recorded(plan, store, extending=True), store)
        if new:
            refuse_other_accuracy(plan, store)
        else:
            refuse_other_plan(plan, store, new=new)
    except PlanChangedError as error:
        yield from str(error).splitlines()
        return
    counts = store.counts()
    yield (
        f"{location} has {counts.done} of these runs done, {counts.failed} failed,"
        f" {counts.pending} pending"
    )
    if new:
        yield f"sweep run --extend would add {counted(new, 'run')}"
    elif not counts.is_open:
        yield "sweep run would find nothing to do"


def _seconds_of_run(config: RunConfig) -> float:
    """Return the seconds that a run takes once the compiled kernels are loaded."""
    run_zero_d(config)  # the first run of a process loads the kernels
    begin = time.perf_counter()
    run_zero_d(config)
    return time.perf_counter() - begin


def _seconds_of_comparison(config: RunConfig) -> float:
    """Return the seconds that repeating a run with tighter steps and other bins takes."""
    run = run_zero_d(config)
    begin = time.perf_counter()
    with suppress(MarsDiskError):
        check_run(config, run=run)
    return time.perf_counter() - begin
