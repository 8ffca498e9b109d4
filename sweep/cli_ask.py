"""Commands that ask a finished store: what controls a result, and how surely it is known."""

import json
import math
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import click

from marsdisk.commands import command, force_option, print_whole, terminal

from .cli_options import STORE

if TYPE_CHECKING:
    import numpy as np
    import zarr
    from numpy.typing import NDArray
    from rich.table import Table

    from marsdisk.outfile import OutFile

    from .outcomes import Outcomes
    from .sensitivity import Answer
    from .store.place import Place
    from .uncertainty import Spread

TARGET = click.option(
    "--target",
    default="M_loss",
    show_default=True,
    metavar="NAME",
    help="Result with one number per run.",
)
LOG = click.option(
    "--log", is_flag=True, help="Take log10 of the target, for what varies over decades."
)
JSON = click.option("--json", "as_json", is_flag=True, help="For programs.")


def _quantiles(context: click.Context, parameter: click.Parameter, text: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or not all(0.0 < number < 1.0 for number in numbers):
        raise click.BadParameter(
            f"{text!r} is no list of numbers between 0 and 1, such as 0.05,0.5,0.95"
        )
    return numbers


def _found(store: "Place", target: str, log: bool) -> "tuple[zarr.Group, Outcomes]":
    from .outcomes import outcomes
    from .rounds import refuse_gathered
    from .store import reader

    group = reader.open_group(store)
    refuse_gathered(group, target)
    return group, outcomes(group, target, log=log)


def _clean(value: Any) -> Any:
    """For JSON, which has no NaN."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def _listed(values: "NDArray[np.float64]") -> list[Any]:
    return [_clean(float(value)) for value in values]


@click.command()
@STORE
@TARGET
@LOG
@click.option(
    "--method",
    type=click.Choice(["saltelli", "morris", "fast", "pawn"]),
    help="Default: that of the design in the store, else pawn.",
)
@click.option(
    "--left-out",
    type=click.FloatRange(0.0, 1.0),
    default=0.05,
    show_default=True,
    help="Share of the design that may be no result.",
)
@click.option(
    "--out",
    type=click.Path(),
    metavar="FILE",
    help="Draw the indices, and how they settled with n, into this picture (.png, .svg, .pdf).",
)
@force_option
@JSON
@command
def sensitivity(
    store: "Place",
    target: str,
    log: bool,
    method: str | None,
    left_out: float,
    out: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Which parameters control a result of STORE, and how surely.

    A sweep file with design: {method: saltelli, n: 512, axes: {...}} gives first-order indices S1
    (the share of the variance that a parameter causes alone) and total ones ST (together with
    others); morris screens many parameters with few runs; fast is like saltelli. Any other store is
    asked by pawn, which compares distributions (sweep plot STORE sensitivity draws what each axis
    of a grid does). Intervals are of 95 %. A run that failed or is pending takes its block of the
    design with it; nothing is put in its place. Each label of the other axes is asked on its own;
    masses are summed over rings.

    \b
    sweep sensitivity results/loss.zarr --target M_loss --log --out loss.png
    sweep sensitivity results/temperature_supply.zarr --target t99 --method pawn
    """
    from marsdisk.outfile import PICTURES, OutFile

    from .sensitivity import answers

    file = None if out is None else OutFile.from_name(out, PICTURES, force=force)
    group, found = _found(store, target, log)
    given = answers(group, found, method=method, allowed=left_out)
    if file is not None:
        from .sensitivity_figure import draw

        draw(given, found, file)
    beside = nullcontext() if file is None else file.messages()
    with beside:
        if as_json:
            _print_json(given, found, str(store))
        else:
            _print_answers(given, found, file)


def _print_json(given: "Sequence[Answer]", found: "Outcomes", store: str) -> None:
    from .outcomes import remarks

    about = {"store": store, "target": found.target, "unit": found.unit, "log": found.log}
    groups = [_as_json(answer) for answer in given]
    print_whole(json.dumps({**about, "notes": remarks(found), "groups": groups}))


def _print_answers(given: "Sequence[Answer]", found: "Outcomes", file: "OutFile | None") -> None:
    from .outcomes import remarks

    console = terminal()
    for answer in given:
        console.print(heading(answer, found), soft_wrap=True)
        console.print(_index_table(answer, found))
        console.print(
            "\n".join(f"{name}: {meaning}" for name, meaning in answer.measure.columns.items()),
            soft_wrap=True,
        )
        console.print("\n".join(verdict(answer)), soft_wrap=True)
        console.print(_convergence_table(answer))
    for note in remarks(found):
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
        "indices": {name: _listed(values) for name, values in answer.final.of.items()},
        "convergence": [
            {"n": step.n, **{name: _listed(values) for name, values in step.of.items()}}
            for step in answer.steps
        ],
        "change": _clean(answer.change),
        "widest": _clean(answer.widest),
        "settled": answer.settled,
    }


def heading(answer: "Answer", found: "Outcomes") -> str:
    """What is asked, where, and from how much."""
    at = "".join(f", {name} = {label}" for name, label in answer.at.items())
    blocks = f"{answer.final.n} {answer.measure.units}" + (
        " of each parameter" if answer.method == "fast" else ""
    )
    return f"{found.words}{at}: {answer.method}, {blocks}"


def _index_table(answer: "Answer", found: "Outcomes") -> "Table":
    import numpy as np
    from rich.table import Table

    from .tables import text

    measure = answer.measure
    final = answer.final
    table = Table()
    table.add_column("parameter")
    for name in measure.columns:
        table.add_column(
            (
                f"{name} [{found.unit}]"
                if answer.method == "morris" and not found.log and found.unit != "1"
                else name
            ),
            justify="right",
        )
    for i in np.argsort(-final.of[measure.main]):
        cells = []
        for name in measure.columns:
            half = final.of.get(f"{name}_conf")
            number = float(final.of[name][i])
            # never -0.000
            shown = text(number) if answer.method == "morris" else f"{round(number, 3) + 0.0:.3f}"
            cells.append(
                shown
                if half is None
                else (
                    f"{shown} +-"
                    f" {text(float(half[i])) if answer.method == 'morris' else f'{half[i]:.3f}'}"
                )
            )
        table.add_row(answer.names[i], *cells)
    return table


def verdict(answer: "Answer") -> list[str]:
    """Whether n was enough, in words, and what to do where it was not."""
    measure = answer.measure
    scale = answer.scale
    limit = measure.limit
    of_largest = " of the largest" if measure.relative else ""
    lines = (
        [f"{answer.dropped} {measure.units} left out, as a run of theirs is no result"]
        if answer.dropped
        else []
    )
    if answer.method in {"saltelli", "fast"}:
        alone = float(answer.final.of["S1"].sum())
        lines.append(
            f"single parameters together cause {100.0 * alone:.0f} % of the variance; what is"
            " missing to 100 % is interaction"
        )
    if answer.method == "fast":
        lines.append(
            "the intervals are the scatter between curves; the bias of the method, some hundredths,"
            " is not in them (saltelli has none)"
        )
    halved = (
        f"change since half the {measure.units} {answer.change / scale:.2g}"
        if len(answer.steps) > 1
        else f"too few {measure.units} to halve"
    )
    told = f"{halved}, widest interval +- {answer.widest / scale:.2g}{of_largest} (limit {limit:g})"
    if answer.settled:
        return [*lines, f"n was enough: {told}"]
    more = {
        "saltelli": "double design.n",
        "morris": "double design.n",
        "fast": "double design.curves",
        "pawn": "take more runs",
    }[answer.method]
    return [*lines, f"n was NOT enough: {told}; {more} and run the sweep with --extend"]


def _convergence_table(answer: "Answer") -> "Table":
    import numpy as np
    from rich.table import Table

    from .tables import text

    main = answer.measure.main
    shown = text if answer.method == "morris" else "{:.3f}".format
    table = Table()
    table.add_column(f"{main} from so many {answer.measure.units}")
    for step in answer.steps:
        table.add_column(str(step.n), justify="right")
    for i in np.argsort(-answer.final.of[main]):
        table.add_row(
            answer.names[i],
            *(
                f"{shown(float(step.of[main][i]))} +- {shown(float(step.of[f'{main}_conf'][i]))}"
                for step in answer.steps
            ),
        )
    return table


@click.command()
@STORE
@TARGET
@LOG
@click.option("--by", default="", metavar="NAME,NAME", help="Group by these axes or parameters.")
@click.option(
    "--bins",
    type=click.IntRange(2, 50),
    help="Group numbers by equally filled intervals instead of their values.",
)
@click.option(
    "--quantiles",
    default="0.05,0.5,0.95",
    show_default=True,
    callback=_quantiles,
    help="Between 0 and 1.",
)
@JSON
@command
def summary(
    store: "Place",
    target: str,
    log: bool,
    by: str,
    bins: int | None,
    quantiles: list[float],
    as_json: bool,
) -> None:
    """Quantiles of a result of STORE over its sample, by group.

    With sample: {method: sobol, n: 1024, axes: {...}} in the sweep file, the parameters'
    distributions are the prior, and this is what they make of the result. The interval behind a
    quantile (95 %, bootstrap) is what the number of runs leaves open; it is not given where fewer
    than 5 runs lie beyond the quantile. Runs that failed or are pending are counted beside. Masses
    are summed over rings.

    \b
    sweep summary results/loss.zarr --target M_loss --by T0
    sweep summary results/loss.zarr --target t99 --by i0 --bins 4 --quantiles 0.16,0.5,0.84
    """
    from .outcomes import remarks
    from .uncertainty import independent, spreads

    group, found = _found(store, target, log)
    found, remark = independent(group, found)
    notes = [*remarks(found), *filter(None, [remark])]
    groups = spreads(
        found, [name.strip() for name in by.split(",") if name.strip()], quantiles, bins
    )
    if as_json:
        content = [
            {
                "at": dict(group.at),
                "runs": group.runs,
                "missing": dict(group.missing),
                "quantiles": _listed(group.quantiles),
                "low": _listed(group.low),
                "high": _listed(group.high),
            }
            for group in groups
        ]
        head = {
            "store": str(store),
            "target": target,
            "unit": found.unit,
            "log": log,
            "probabilities": quantiles,
            "notes": notes,
        }
        print_whole(json.dumps({**head, "groups": content}))
        return
    console = terminal()
    console.print(f"quantiles of {found.words}, with their intervals of 95 %", soft_wrap=True)
    console.print(_quantile_table(groups, found, quantiles))
    for note in notes:
        console.print(f"note: {note}", soft_wrap=True)


def _quantile_table(groups: "list[Spread]", found: "Outcomes", quantiles: list[float]) -> "Table":
    from rich.table import Table

    from .tables import text

    table = Table()
    for name in groups[0].at:
        table.add_column(name, justify="right")
    table.add_column("runs", justify="right")
    table.add_column("left out", justify="right")
    for quantile in quantiles:
        table.add_column(f"{quantile:g}", justify="right")
    for group in groups:
        missing = ", ".join(f"{count} {word}" for word, count in group.missing.items()) or "-"
        numbers = zip(
            group.quantiles.tolist(), group.low.tolist(), group.high.tolist(), strict=True
        )
        cells = [
            text(at) + (f" [{text(low)}, {text(high)}]" if math.isfinite(low) else "")
            for at, low, high in numbers
        ]
        table.add_row(*map(text, group.at.values()), str(group.runs), missing, *cells)
    return table


ASK = (sensitivity, summary)
