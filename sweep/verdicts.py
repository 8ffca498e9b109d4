"""The user's checks on the terminal and for programs: which hold, and the worst run of those that fail."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import zarr
from rich.console import Console
from rich.table import Table

from marsdisk.commands import OK

from .checks import Check
from .judging import Judgement, Offender, exit_code, judge
from .progress import say
from .rows import Results
from .store.place import Place
from .tables import text


def report_checks(
    group: zarr.Group, checks: Mapping[str, Check], store: Place, console: Console
) -> int:
    """Print which of the user's checks hold in a store, if there are any; the exit code that they ask for."""
    if not checks:
        return OK
    judgements = judge(checks, Results.of(group), f"{store}: checks")
    console.print(verdicts(judgements))
    for line in findings(judgements, store):
        say(console, line)
    return exit_code(judgements)


def verdicts(judgements: Sequence[Judgement]) -> Table:
    """A row for each check."""
    table = Table(title="checks of the results", title_justify="left")
    for head in ("check", "", "judged", "fail", "not judged"):
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
            if not of.check.axes
            else f"{count} with runs {state}"
            if " " in state
            else f"{count} with {state} runs"
        )
    if of.alone:
        yield f"{of.alone} of one run, nothing to compare"


def findings(judgements: Sequence[Judgement], store: Place) -> list[str]:
    """What failing checks expect and their worst runs, and why others could not be judged."""
    lines = []
    for of in judgements:
        if of.worst is not None:
            lines += [
                f"check {text(of.name)} fails in {of.failing} of {of.judged} {of.what}: expected"
                f" {of.check.words}"
            ]
            lines += [
                f"  worst: {_place(of.worst)}",
                f"  look closer: sweep card {store} {of.worst.run}",
            ]
        elif not of.judged:
            nobody = (
                "no run is chosen by where"
                if of.check.where is not None
                else "there are no runs of the product of axes"
            )
            why = ", ".join(_others(of)) or nobody
            lines.append(f"check {text(of.name)} cannot be judged, which is not a pass: {why}")
        if "without a value" in of.not_judged:
            lines.append(
                f"  check {text(of.name)}: say what a run without a value means with isfinite(...)"
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
    """Of each check what was asked and found; numbers that are not finite are null."""
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
                **of.check.model_dump(),
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
