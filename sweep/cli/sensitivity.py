"""Commands that analyse a store: which parameters control a result, and how uncertain it is."""

import json
import math
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import click

from marsdisk.cli.options import force_option
from marsdisk.cli.program import command, print_whole
from marsdisk.report.terminal import terminal

from ..common.json_values import for_json
from . import completion
from .options import AS_JSON, STORE

if TYPE_CHECKING:
    from rich.table import Table

    from marsdisk.io.out_file import OutFile

    from ..results.outcomes import Outcomes
    from ..results.quantiles import Spread
    from ..results.quantity import Quantity
    from ..results.sensitivity import Answer
    from ..store.location import Location
    from ..store.store import Store

TARGET = click.option(
    "--target",
    default="M_loss",
    show_default=True,
    metavar="NAME",
    shell_complete=completion.result,
    help="Result with one number per run.",
)
LOG10 = click.option(
    "--log10", "log", is_flag=True, help="Take log10 of the target, if it varies over decades."
)


def _quantiles(_context: click.Context, _parameter: click.Parameter, text: str) -> list[float]:
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or not all(0.0 < number < 1.0 for number in numbers):
        raise click.BadParameter(
            f"{text!r} is not a list of numbers between 0 and 1, such as 0.05,0.5,0.95"
        )
    return numbers


def _open(store: "Location", target: str, *, log: bool) -> "tuple[Store, Outcomes]":
    """Open a store, and return it with its outcomes of a target."""
    from ..results.outcomes import outcomes, refuse_gathered
    from ..store.store import Store

    opened = Store.open(store)
    refuse_gathered(opened, target)
    return opened, outcomes(opened, target, log=log)


@click.command()
@STORE
@TARGET
@LOG10
@click.option(
    "--method",
    type=click.Choice(["saltelli", "morris", "fast", "pawn"]),
    help="Method.  [default: that of the store's design, or else pawn]",
)
@click.option(
    "--left-out",
    type=click.FloatRange(0.0, 1.0),
    default=0.05,
    show_default=True,
    help="Largest fraction of the design that may be left out for lack of a result.",
)
@click.option(
    "--out",
    type=click.Path(),
    metavar="FILE",
    help="Draw the indices and their convergence with n to this picture (.png, .svg, .pdf).",
)
@force_option
@AS_JSON
@command
def sensitivity(
    store: "Location",
    *,
    target: str,
    log: bool,
    method: str | None,
    left_out: float,
    out: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Estimate which parameters control a result of STORE, with confidence intervals.

    For a sweep file with design: {method: saltelli, n: 512, axes: {...}}, these are first-order
    indices S1 (the share of the variance that a parameter causes alone) and total indices ST
    (together with all others); morris screens many parameters with few runs; fast is like
    saltelli. For any other store the method is pawn, which compares distributions (sweep plot
    STORE sensitivity draws the effect of each axis of a grid). Intervals are 95 % intervals. A run
    that failed or is pending is not replaced; its whole block of the design is left out. Each
    label of the other axes is analysed separately; masses are summed over rings.

    \b
    sweep sensitivity results/loss.zarr --target M_loss --log10 --out loss.png
    sweep sensitivity results/temperature_supply.zarr --target t99 --method pawn
    """  # noqa: D301 # \b tells click to keep the lines
    from marsdisk.io.out_file import PICTURES, OutFile

    from ..results.sensitivity import answers

    file = None if out is None else OutFile.from_name(out, PICTURES, force=force)
    opened, outcomes = _open(store, target, log=log)
    groups = answers(opened, outcomes, method=method, allowed=left_out)
    if file is not None:
        from ..plots.sensitivity_indices import draw

        draw(groups, outcomes, file)
    with nullcontext() if file is None else file.messages():
        if as_json:
            _print_json(groups, outcomes, str(store))
        else:
            _print_answers(groups, outcomes, file)


def _print_json(groups: "Sequence[Answer]", outcomes: "Outcomes", store: str) -> None:
    from ..results.outcomes import remarks

    content = {
        "store": store,
        "target": outcomes.target,
        "unit": outcomes.unit,
        "log": outcomes.log,
        "notes": remarks(outcomes),
        "groups": [_as_json(answer) for answer in groups],
    }
    print_whole(json.dumps(content))


def _print_answers(
    groups: "Sequence[Answer]", outcomes: "Outcomes", file: "OutFile | None"
) -> None:
    from ..results.outcomes import remarks

    console = terminal()
    for answer in groups:
        console.print(heading(answer, outcomes), soft_wrap=True)
        console.print(_index_table(answer, outcomes))
        for name, meaning in answer.measure.columns.items():
            console.print(f"{name}: {meaning}", soft_wrap=True)
        for line in verdict(answer):
            console.print(line, soft_wrap=True)
        for line in answer.notes:
            console.print(f"note: {line}", soft_wrap=True)
        console.print(_convergence_table(answer))
    for note in remarks(outcomes):
        console.print(f"note: {note}", soft_wrap=True)
    if file is not None:
        console.print(f"drawn: {file}", soft_wrap=True)


def _as_json(answer: "Answer") -> dict[str, Any]:
    return {
        "at": dict(answer.at),
        "method": answer.method,
        "parameters": answer.names,
        "n": answer.final.n,
        "left_out": answer.dropped,
        "missing": dict(answer.missing),
        "indices": {name: for_json(values) for name, values in answer.final.of.items()},
        "convergence": [
            {"n": step.n, **{name: for_json(values) for name, values in step.of.items()}}
            for step in answer.steps
        ],
        "change": for_json(answer.change),
        "widest": for_json(answer.widest),
        "settled": answer.settled,
        "notes": list(answer.notes),
    }


def heading(answer: "Answer", found: "Outcomes") -> str:
    """Return the heading of an answer: target, labels, method, and number of blocks."""
    labels = "".join(f", {name} = {label}" for name, label in answer.at.items())
    blocks = f"{answer.final.n} {answer.measure.units}"
    if answer.method == "fast":
        blocks += " of each parameter"
    return f"{found.words}{labels}: {answer.method}, {blocks}"


def _index_text(number: float, method: str) -> str:
    """Return an index as text: of method ``morris`` it has a unit, of others it is a share."""
    from ..common.text import text

    if method == "morris":
        return text(number)
    # adding 0.0 turns -0.0 into 0.0
    return f"{round(number, 3) + 0.0:.3f}"


def _with_interval(number: float, half: float, method: str) -> str:
    return f"{_index_text(number, method)} +- {_index_text(half, method)}"


def _index_table(answer: "Answer", outcomes: "Outcomes") -> "Table":
    import numpy as np
    from rich.table import Table

    measure = answer.measure
    columns = answer.final.of
    has_unit = answer.method == "morris" and not outcomes.log and outcomes.unit != "1"
    table = Table()
    table.add_column("parameter")
    for name in measure.columns:
        table.add_column(f"{name} [{outcomes.unit}]" if has_unit else name, justify="right")
    for i in np.argsort(-columns[measure.main]):
        cells = []
        for name in measure.columns:
            number = float(columns[name][i])
            half = columns.get(f"{name}_conf")
            if half is None:
                cells.append(_index_text(number, answer.method))
            else:
                cells.append(_with_interval(number, float(half[i]), answer.method))
        table.add_row(answer.names[i], *cells)
    return table


_CURES = {
    "saltelli": "double design.n",
    "morris": "double design.n",
    "fast": "double design.curves",
    "pawn": "take more runs",
}


def verdict(answer: "Answer") -> list[str]:
    """Return lines that say whether n was enough, and what to do if it was not."""
    measure = answer.measure
    scale = answer.scale
    lines = []
    if answer.dropped:
        lines.append(
            f"{answer.dropped} {measure.units} left out because one of their runs has no result"
        )
    if answer.method in {"saltelli", "fast"}:
        alone = float(answer.final.of["S1"].sum())
        lines.append(
            f"single parameters together cause {100.0 * alone:.0f} % of the variance; the rest is"
            " interaction"
        )
    if answer.method == "fast":
        lines.append(
            "the intervals are the scatter between curves and do not include the bias of the"
            " method, a few hundredths (saltelli has none)"
        )
    change = f"too few {measure.units} to halve"
    if len(answer.steps) > 1:
        change = f"change since half the {measure.units} {answer.change / scale:.2g}"
    of_largest = " of the largest" if measure.relative else ""
    reason = (
        f"{change}, widest interval +- {answer.widest / scale:.2g}{of_largest}"
        f" (limit {measure.limit:g})"
    )
    if answer.settled:
        return [*lines, f"n was enough: {reason}"]
    cure = f"{_CURES[answer.method]} and run the sweep with --extend"
    return [*lines, f"n was NOT enough: {reason}; {cure}"]


def _convergence_table(answer: "Answer") -> "Table":
    import numpy as np
    from rich.table import Table

    main = answer.measure.main
    table = Table()
    table.add_column(f"{main} from this many {answer.measure.units}")
    for step in answer.steps:
        table.add_column(str(step.n), justify="right")
    for i in np.argsort(-answer.final.of[main]):
        cells = []
        for step in answer.steps:
            number = float(step.of[main][i])
            half = float(step.of[f"{main}_conf"][i])
            cells.append(_with_interval(number, half, answer.method))
        table.add_row(answer.names[i], *cells)
    return table


@click.command()
@STORE
@TARGET
@LOG10
@click.option(
    "--by",
    default="",
    metavar="NAME,NAME",
    shell_complete=completion.parameters,
    help="Group by these axes or parameters.",
)
@click.option(
    "--bins",
    type=click.IntRange(2, 50),
    help="Group by this many intervals with equally many runs, instead of by values.",
)
@click.option(
    "--quantiles",
    default="0.05,0.5,0.95",
    show_default=True,
    callback=_quantiles,
    help="Probabilities between 0 and 1.",
)
@AS_JSON
@command
def summary(
    store: "Location",
    *,
    target: str,
    log: bool,
    by: str,
    bins: int | None,
    quantiles: list[float],
    as_json: bool,
) -> None:
    """Print quantiles of a result of STORE over its sample, by group.

    With sample: {method: sobol, n: 1024, axes: {...}} in the sweep file, the distributions of the
    parameters are the prior, and the quantiles are those of the result under this prior. Each
    quantile has a 95 % interval (bootstrap) that reflects the number of runs; it is omitted if
    fewer than 5 runs lie beyond the quantile, and where cases are a grid rather than a sample.
    Runs that failed or are pending are counted in a column of their own. Masses are summed over
    rings.

    \b
    sweep summary results/loss.zarr --target M_loss --by T0
    sweep summary results/loss.zarr --target t99 --by i0 --bins 4 --quantiles 0.16,0.5,0.84
    """  # noqa: D301 # \b tells click to keep the lines
    import numpy as np

    from ..results.outcomes import remarks
    from ..results.quantiles import independent, spreads
    from ..results.quantity import Quantity, remark_on_units

    opened, outcomes = _open(store, target, log=log)
    outcomes, remark = independent(opened, outcomes)
    notes = remarks(outcomes)
    if remark:
        notes.append(remark)
    names = [opened.name_of(name.strip()) for name in by.split(",")]
    groups = spreads(outcomes, list(filter(None, names)), quantiles, bins)
    if as_json:
        content = {
            "store": str(store),
            "target": target,
            "unit": outcomes.unit,
            "log": log,
            "probabilities": quantiles,
            "notes": notes,
            "groups": [_spread_as_json(spread) for spread in groups],
        }
        print_whole(json.dumps(content))
        return
    console = terminal()
    values = None if log else outcomes.value
    quantity = Quantity.of(opened, target, values, outcomes.target_in_words)
    head = f"log10 of {quantity.head}" if log else quantity.head
    have_intervals = any(np.isfinite(group.low).any() for group in groups)
    intervals = ", with 95 % intervals" if have_intervals else ""
    console.print(f"quantiles of {head}{intervals}", soft_wrap=True)
    console.print(_quantile_table(groups, quantiles, quantity))
    remark = remark_on_units([quantity])
    if remark:
        notes.append(remark)
    for note in notes:
        console.print(f"note: {note}", soft_wrap=True)


def _spread_as_json(spread: "Spread") -> dict[str, Any]:
    return {
        "at": dict(spread.at),
        "runs": spread.runs,
        "missing": dict(spread.missing),
        "quantiles": for_json(spread.quantiles),
        "low": for_json(spread.low),
        "high": for_json(spread.high),
    }


def _quantile_table(
    groups: "list[Spread]", probabilities: list[float], quantity: "Quantity"
) -> "Table":
    from rich.table import Table

    from ..common.text import text

    table = Table()
    for name in groups[0].at:
        table.add_column(name, justify="right")
    table.add_column("runs", justify="right")
    table.add_column("left out", justify="right")
    for probability in probabilities:
        table.add_column(f"{probability:g}", justify="right")
    for group in groups:
        missing = ", ".join(f"{count} {word}" for word, count in group.missing.items()) or "-"
        cells = []
        for quantile, low, high in zip(
            quantity.convert(group.quantiles).tolist(),
            quantity.convert(group.low).tolist(),
            quantity.convert(group.high).tolist(),
            strict=True,
        ):
            interval = f" [{text(low)}, {text(high)}]" if math.isfinite(low) else ""
            cells.append(f"{text(quantile)}{interval}")
        table.add_row(*map(text, group.at.values()), str(group.runs), missing, *cells)
    return table


ASK = (sensitivity, summary)
