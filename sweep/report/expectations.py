"""Expectations on the terminal and as JSON: those that hold, and the worst run of others."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from marsdisk.common.exit_codes import OK

from ..common.command import Command
from ..common.json_values import for_json
from ..common.text import text
from ..results.judge import Judgement, Offender, exit_code, judge
from ..results.judged_columns import Results
from ..running.progress import say
from ..spec.expectations import Expectation
from ..store.store import Store


def report_expectations(
    store: Store, expectations: Mapping[str, Expectation], console: Console
) -> int:
    """Print which expectations hold in a store, if there are any.

    Parameters
    ----------
    store : Store
        The store.
    expectations : mapping
        Expectations by name.
    console : Console
        Where to print.

    Returns
    -------
    int
        The exit code of a command that ends with them.

    Raises
    ------
    ConfigError
        With a line for each name, axis or function that the store does not have.
    """
    if not expectations:
        return OK
    judgements = judge(expectations, Results.of(store), f"{store}: expect")
    console.print(verdicts(judgements))
    for line in findings(judgements, store):
        say(console, line)
    return exit_code(judgements)


def verdicts(judgements: Sequence[Judgement]) -> Table:
    """Return a table with a row for each expectation."""
    table = Table(title="expectations", title_justify="left")
    for heading in ("expectation", "", "judged", "fail", "not judged"):
        table.add_column(heading, justify="right" if heading in {"judged", "fail"} else "left")
    for judgement in judgements:
        table.add_row(
            text(judgement.name),
            judgement.verdict,
            f"{judgement.judged} {judgement.counted}",
            str(judgement.failing),
            ", ".join(_not_judged(judgement)) or "-",
        )
    return table


def _not_judged(judgement: Judgement) -> Iterator[str]:
    """Yield how many runs or groups were not judged, for each reason."""
    for state, count in judgement.not_judged.items():
        if not judgement.expectation.axes:
            yield f"{count} {state}"
        elif " " in state:
            yield f"{count} with runs {state}"
        else:
            yield f"{count} with {state} runs"
    if judgement.single:
        yield f"{judgement.single} of one run, nothing to compare"


def findings(judgements: Sequence[Judgement], store: Store) -> list[str]:
    """Return lines on expectations that fail, with their worst runs, or cannot be judged."""
    lines = []
    for judgement in judgements:
        name = f"expectation {text(judgement.name)}"
        worst = judgement.worst
        if worst is not None:
            lines += [
                f"{name} fails in {judgement.failing} of {judgement.judged} {judgement.counted}:"
                f" expected {judgement.expectation.words}",
                f"  worst: {_in_words(worst)}",
                f"  look closer: {Command.sweep('card', store, worst.run)}",
            ]
        elif not judgement.judged:
            reasons = ", ".join(_not_judged(judgement)) or _reason_for_no_runs(judgement)
            lines.append(f"{name} cannot be judged, which is not a pass: {reasons}")
        if "without a value" in judgement.not_judged:
            lines.append(
                f"  {name}: say what a run without a value means with isfinite(...) in expect or"
                " where"
            )
    return lines


def _reason_for_no_runs(judgement: Judgement) -> str:
    if judgement.expectation.where is not None:
        return "no run is chosen by where"
    return "there are no runs of the product of axes"


def _in_words(worst: Offender) -> str:
    labels = ", ".join(f"{text(name)} = {text(value)}" for name, value in worst.labels.items())
    numbers = ", ".join(f"{text(name)} = {text(value)}" for name, value in worst.numbers.items())
    run = f"(run {worst.run}, {text(worst.run_id)})"
    line = f"{numbers} {run}" if numbers else run
    return f"{labels}: {line}" if labels else line


def as_json(judgements: Sequence[Judgement]) -> list[dict[str, Any]]:
    """Return each expectation with its outcome; numbers that are not finite are None."""
    entries = []
    for judgement in judgements:
        worst = None
        if judgement.worst is not None:
            worst = {
                "run": judgement.worst.run,
                "run_id": judgement.worst.run_id,
                "at": for_json(judgement.worst.labels),
                "numbers": for_json(judgement.worst.numbers),
            }
        entries.append(
            {
                "name": judgement.name,
                **judgement.expectation.model_dump(),
                "verdict": judgement.verdict,
                "passed": judgement.passed,
                "of": judgement.counted,
                "judged": judgement.judged,
                "failing": judgement.failing,
                "not_judged": dict(judgement.not_judged),
                "alone": judgement.single,
                "worst": worst,
            }
        )
    return entries
