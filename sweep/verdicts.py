"""Expectations on the terminal and as JSON: which hold, and the worst run of those that fail."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import zarr
from rich.console import Console
from rich.table import Table

from marsdisk.commands import OK

from .checks import Expectation
from .judging import Judgement, Offender, exit_code, judge
from .progress import say
from .rows import Results
from .store.place import Place
from .tables import text


def report_checks(
    group: zarr.Group, expectations: Mapping[str, Expectation], store: Place, console: Console
) -> int:
    """Print which expectations hold in a store, if there are any; return the exit code that they ask for."""
    if not expectations:
        return OK
    judgements = judge(expectations, Results.of(group), f"{store}: expect")
    console.print(verdicts(judgements))
    for line in findings(judgements, store):
        say(console, line)
    return exit_code(judgements)


def verdicts(judgements: Sequence[Judgement]) -> Table:
    """A row for each expectation."""
    table = Table(title="expectations", title_justify="left")
    for head in ("expectation", "", "judged", "fail", "not judged"):
        table.add_column(head, justify="right" if head in {"judged", "fail"} else "left")
    for of in judgements:
        table.add_row(
            text(of.name),
            of.verdict,
            f"{of.judged} {of.what}",
            str(of.failing),
            ", ".join(_others(of)) or "-",
        )
    return table


def _others(of: Judgement) -> Iterator[str]:
    for state, count in of.not_judged.items():
        yield (
            f"{count} {state}"
            if not of.expectation.axes
            else f"{count} with runs {state}"
            if " " in state
            else f"{count} with {state} runs"
        )
    if of.alone:
        yield f"{of.alone} of one run, nothing to compare"


def findings(judgements: Sequence[Judgement], store: Place) -> list[str]:
    """What failing expectations expect and their worst runs, and why others could not be judged."""
    lines = []
    for of in judgements:
        if of.worst is not None:
            lines += [
                f"expectation {text(of.name)} fails in {of.failing} of {of.judged} {of.what}: expected"
                f" {of.expectation.words}"
            ]
            lines += [
                f"  worst: {_place(of.worst)}",
                f"  look closer: sweep card {store} {of.worst.run}",
            ]
        elif not of.judged:
            nobody = (
                "no run is chosen by where"
                if of.expectation.where is not None
                else "there are no runs of the product of axes"
            )
            why = ", ".join(_others(of)) or nobody
            lines.append(
                f"expectation {text(of.name)} cannot be judged, which is not a pass: {why}"
            )
        if "without a value" in of.not_judged:
            lines.append(
                f"  expectation {text(of.name)}: say what a run without a value means with isfinite(...)"
                " in expect or where"
            )
    return lines


def _place(worst: Offender) -> str:
    at, numbers = (
        ", ".join(f"{text(name)} = {text(value)}" for name, value in of.items())
        for of in (worst.at, worst.numbers)
    )
    return (
        f"{at + ': ' if at else ''}{numbers + ' ' if numbers else ''}(run {worst.run},"
        f" {text(worst.run_id)})"
    )


def as_json(judgements: Sequence[Judgement]) -> list[dict[str, Any]]:
    """Of each expectation what was asked and found; numbers that are not finite are null."""
    found = []
    for of in judgements:
        worst = (
            None
            if of.worst is None
            else {
                **vars(of.worst),
                "at": _finite(of.worst.at),
                "numbers": _finite(of.worst.numbers),
            }
        )
        counts = {
            "of": of.what,
            "judged": of.judged,
            "failing": of.failing,
            "not_judged": dict(of.not_judged),
            "alone": of.alone,
        }
        found.append(
            {
                "name": of.name,
                **of.expectation.model_dump(),
                "verdict": of.verdict,
                "passed": of.passed,
                **counts,
                "worst": worst,
            }
        )
    return found


def _finite(values: Any) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in values.items()
    }
