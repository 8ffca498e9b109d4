"""Commands that show a store: tables, figures, comparisons, files for other programs."""

import sys
from typing import TYPE_CHECKING, Any

import click

from marsdisk.cli.logs import message
from marsdisk.cli.options import force_option
from marsdisk.cli.program import command, print_whole
from marsdisk.common.exit_codes import OK, SOME_FAILED
from marsdisk.common.text import printable
from marsdisk.report.terminal import terminal

from . import completion
from .options import AS_JSON, LOCATION, STORE, WHERE

if TYPE_CHECKING:
    from ..store.location import Location


def _names(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> list[str] | None:
    return None if value is None else [name.strip() for name in value.split(",")]


@click.command()
@STORE
@WHERE
@click.option(
    "--sort",
    metavar="NAME",
    shell_complete=completion.column,
    help="Sort by a column; -NAME starts with the largest.",
)
@click.option(
    "--columns",
    metavar="NAME,NAME",
    callback=_names,
    shell_complete=completion.columns,
    help=(
        "Scalars to show.  [default: swept parameters, status, M_loss, t99, tau_max, stop_reason,"
        " as many as fit]"
    ),
)
@click.option(
    "--rows", type=click.IntRange(1), default=40, show_default=True, help="Maximum number of rows."
)
@click.option(
    "--cache", "of_cache", is_flag=True, help="Show sums of the cache statistics instead."
)
@AS_JSON
@command
def show(
    store: "Location",
    *,
    where: str | None,
    sort: str | None,
    columns: list[str] | None,
    rows: int,
    of_cache: bool,
    as_json: bool,
) -> None:
    """Show a table of the runs of STORE.

    A condition combines names of columns, numbers, and texts in quotes with comparisons (== != <
    <= > >=, in), and, or, not, + - * / ** %, brackets, and the functions abs, sqrt, exp, log,
    log10, isfinite, min and max. All scalars and parameters of the store are columns, in the units
    of the store, and so is run, the number of a run. status is 'pending', 'done' or 'failed'.

    \b
    sweep show results/temperature_supply.zarr --sort -M_loss --rows 10
    sweep show results/temperature_supply.zarr --columns T0,ring,error \\
        --where 'T0 > 3500 and status == "failed"'
    sweep show results/temperature_supply.zarr --columns ring,M_loss,t99 \\
        --where 'ring in (0, 31) and log10(M_loss) > -10'
    """  # noqa: D301 # \b tells click to keep the lines
    import json

    from ..report.as_json import runs_as_json
    from ..report.tables import cache_table, runs_table
    from ..results.columns import Columns, in_sequence
    from ..results.notes import Notes
    from ..store.store import Store

    table = Columns(Store.open(store))
    console = terminal()
    runs = in_sequence(table, table.where(where), sort)
    if as_json:
        if of_cache:
            raise click.UsageError("--json shows runs, and --cache sums; keep one of them")
        print_whole(json.dumps(runs_as_json(table, columns, runs, rows)))
        return
    if of_cache:
        console.print(cache_table(table.store, runs))
    else:
        console.print(runs_table(table, columns, runs, rows=rows, width=console.width))
    if where is not None:
        click.echo(f"{runs.size} of {table['run'].size} runs")
    for line in Notes.of(table.store, runs).lines:
        click.echo(f"note: {line}")


@click.command()
@STORE
@click.argument(
    "kind",
    type=click.Choice(
        ["heatmap", "series", "psd", "radial", "sensitivity", "cache", "convergence"]
    ),
)
@click.option(
    "--name",
    multiple=True,
    metavar="NAME",
    shell_complete=completion.result_or_series,
    help="A scalar (heatmap, sensitivity) or a series (series, which takes several; radial).",
)
@click.option(
    "--x",
    metavar="PARAMETER",
    shell_complete=completion.parameter,
    help="heatmap: horizontal axis.  [default: what changes the result most]",
)
@click.option(
    "--y",
    metavar="PARAMETER",
    shell_complete=completion.parameter,
    help="heatmap: vertical axis.  [default: what changes it most after that]",
)
@click.option(
    "--over",
    metavar="PARAMETER",
    shell_complete=completion.parameter,
    help="heatmap: one panel for each value; series: one curve, or band of a sample, for each.",
)
@WHERE
@click.option(
    "--ring",
    type=click.IntRange(0),
    help="One ring instead of the sum over rings (heatmap, series, sensitivity).",
)
@click.option(
    "--run",
    multiple=True,
    metavar="RUN",
    shell_complete=completion.run,
    help="Number of a run, or the beginning of its run_id (psd: one run; series: any number).",
)
@click.option(
    "--per",
    type=click.Choice(["mass", "number"]),
    help="psd: distribution of mass or of number.  [default: mass]",
)
@click.option("--vmin", type=float, help="heatmap: value at the lower end of the colours.")
@click.option("--vmax", type=float, help="heatmap: value at the upper end of the colours.")
@click.option(
    "--cmap",
    metavar="NAME",
    help=(
        "heatmap, series, psd, radial: colour map, by Matplotlib's name, such as cividis or"
        " magma_r.  [default: viridis]"
    ),
)
@click.option(
    "--unit",
    metavar="UNIT",
    help=(
        "heatmap, series, radial, sensitivity: unit of the result, such as kg, 'M_Mars yr-1', um,"
        " or '1e-9 M_Mars'; one that does not fit is answered with those that do.  [default: by"
        " the values]"
    ),
)
@click.option(
    "--xscale",
    type=click.Choice(["linear", "log"]),
    help="series, psd, sensitivity: scale of the horizontal axis.  [default: by the values]",
)
@click.option(
    "--yscale",
    type=click.Choice(["linear", "log"]),
    help="series, psd, convergence: scale of the vertical axis.  [default: by the values]",
)
@click.option(
    "--title",
    metavar="TEXT",
    help="Title in place of its own; '' for none.  [default: none with --style paper]",
)
@click.option(
    "--width", type=float, metavar="MM", help="Width in millimetres.  [default: by the style]"
)
@click.option(
    "--style",
    type=click.Choice(["screen", "paper"]),
    default="screen",
    show_default=True,
    help="paper: column width, 300 dpi.",
)
@click.option(
    "--out",
    type=click.Path(),
    metavar="FILE",
    help="A .png, .svg or .pdf file; - prints it.  [default: NAME-KIND.png]",
)
@force_option
@command
def plot(
    store: "Location", kind: str, *, style: str, out: str | None, force: bool, **options: Any
) -> None:
    """Draw a figure from STORE, for a paper or a screen.

    \b
    heatmap      a scalar over two parameters, without interpolation; cells that
                 failed, are missing, or stopped early are hatched
    series       series of runs over time; of a sample, the median and the bands of
                 25 to 75 % and 5 to 95 % of the runs
    psd          size distributions of a run at its snapshots, with the blow-out size
    radial       a series of all rings of a disk over time
    sensitivity  effect of each axis alone on a scalar, others at their middle values
                 (indices with intervals: sweep sensitivity)
    cache        lookups of each cache slot, and why values were dropped
    convergence  numerical errors of some runs (accuracy: in the sweep file)
                 and their limits

    Masses and their rates are summed over the rings of a disk, if there are rings, unless --ring
    is given or rings are an axis of the figure. If more parameters differ than the figure shows,
    it takes the middle value of the others and reports it; --where selects other values.

    \b
    sweep plot results/temperature_supply.zarr heatmap \\
        --x mu_orbit10pct --y T0 --over tau0_target
    sweep plot results/temperature_supply.zarr series --name M_loss_cum \\
        --where 'tau0_target == 1' --style paper --out loss.pdf
    sweep plot results/temperature_supply.zarr series --over T0 --unit kg/yr
    sweep plot results/mass_loss_prior.zarr series --over T0 --cmap cividis
    sweep plot results/temperature_supply.zarr psd --run 17 --per number
    sweep plot results/temperature_supply.zarr radial --where 'T0 == 5000'
    """  # noqa: D301 # \b tells click to keep the lines
    from marsdisk.io.out_file import PICTURES, OutFile, plain_name

    from ..plots import draw, refuse_options, save
    from ..store.store import Store

    arguments = {option: value for option, value in options.items() if value not in (None, ())}
    if kind != "series":
        for option in ("name", "run"):
            values = arguments.get(option, ())
            if len(values) > 1:
                raise click.UsageError(f"{kind} takes one --{option}")
            if values:
                arguments[option] = values[0]
    refuse_options(kind, arguments)
    notes: list[str] = []
    opened = Store.open(store)
    default = f"{plain_name(opened.description.title)}-{kind}.png"
    file = OutFile.from_name(out if out is not None else default, PICTURES, force=force)
    figure = draw(opened, kind, style=style, notes=notes, **arguments)
    with file.messages():
        save(figure, file, style=style)
        for note in dict.fromkeys(notes):
            click.echo(f"note: {note}")
        message(f"written to {file}")


@click.command()
@click.argument("a", type=LOCATION)
@click.argument("b", type=LOCATION)
@click.option(
    "--rtol",
    type=click.FloatRange(0.0, 1.0, max_open=True),
    default=0.0,
    show_default=True,
    help="Largest relative difference that counts as equal.",
)
@click.option(
    "--rows",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="Maximum number of lines of each kind.",
)
@AS_JSON
@command
def compare(a: "Location", b: "Location", *, rtol: float, rows: int, as_json: bool) -> None:
    """Compare the results in stores A and B: what differs, by how much, and why.

    Runs are matched by run_id, which identifies configuration, tables and model version; the
    others by the values of all parameters that either store sweeps. All numbers are compared
    except those that differ from day to day, such as computing times. Exit codes: 0 the same, 1
    different, 2 bad input.

    \b
    sweep compare results/before.zarr results/after.zarr
    sweep compare results/coarse.zarr results/fine.zarr --rtol 1e-4
    """  # noqa: D301 # \b tells click to keep the lines
    import json

    from ..report.as_json import comparison_as_json
    from ..results.compare import compare as compare_stores
    from ..results.compare import report
    from ..store.store import Store

    stores = Store.open(a), Store.open(b)
    comparison = compare_stores(*stores, rtol)
    console = terminal()
    if as_json:
        print_whole(json.dumps(comparison_as_json(comparison, *stores, rtol)))
        sys.exit(OK if comparison.same else SOME_FAILED)
    for part in report(comparison, rtol, rows):
        console.print(part, soft_wrap=isinstance(part, str))
    sys.exit(OK if comparison.same else SOME_FAILED)


@click.command()
@STORE
@click.option(
    "--to",
    type=click.Choice(["csv", "parquet", "netcdf"]),
    required=True,
    help="Format of the file.",
)
@click.option(
    "--out",
    type=click.Path(),
    metavar="FILE",
    help="The file to write; - prints it.  [default: NAME.csv, .parquet or .nc]",
)
@force_option
@WHERE
@click.option(
    "--columns",
    metavar="NAME,NAME",
    callback=_names,
    shell_complete=completion.columns,
    help="Scalars to export.  [default: all; with --series the parameters and the status]",
)
@click.option(
    "--series",
    is_flag=True,
    help="Add all time series: a row for each run and sample (NetCDF: a dimension sample).",
)
@command
def export(
    store: "Location",
    *,
    to: str,
    out: str | None,
    force: bool,
    where: str | None,
    columns: list[str] | None,
    series: bool,
) -> None:
    """Export runs of STORE to a file for other programs, with units.

    Units are in the header of a CSV file, in the column metadata of a Parquet file (and in
    DataFrame.attrs of pandas), and in the attributes of a NetCDF file, as CF and UDUNITS write
    them (6.4171e+23 kg for M_Mars). CSV has all digits of the numbers. Failed and pending runs have
    no numbers; their status says which. Large stores are written a few blocks at a time. FILE may
    be a pipe or a device; an existing file is overwritten only with --force.

    \b
    sweep export results/temperature_supply.zarr --to csv \\
        --where 'ring == 0' --columns T0,M_loss,t99
    sweep export results/temperature_supply.zarr --to parquet --series
    sweep export results/temperature_supply.zarr --to netcdf --out all.nc
    """  # noqa: D301 # \b tells click to keep the lines
    from marsdisk.io.out_file import OutFile

    from ..results.export import Extract, default_out
    from ..results.export import export as write_export
    from ..results.notes import Notes
    from ..store.store import Store

    opened = Store.open(store)
    name = out if out is not None else default_out(opened, to, series=series)
    file = OutFile.from_name(name, [to], force=force)
    extract = Extract.of(opened, where, columns, series=series)
    rows = write_export(extract, to, file)
    with file.messages():
        for line in Notes.of(opened, extract.runs).lines:
            click.echo(f"note: {line}")
        message(f"{rows} {'runs' if to == 'netcdf' else 'rows'} written to {file}")


@click.command()
@STORE
@click.argument("run", shell_complete=completion.run)
@click.option(
    "--out", type=click.Path(), metavar="FILE", help="Write to this file instead of printing."
)
@force_option
@AS_JSON
@command
def card(store: "Location", run: str, *, out: str | None, force: bool, as_json: bool) -> None:
    """Write a Markdown summary of one RUN of STORE, with all it takes to trust and reproduce it.

    RUN is the number of a run, or the beginning of its run_id. The card has the parameters (those
    that differ between runs first), results, stop reason, mass ledger, accuracy, cache statistics,
    and provenance, and shows how to run it again and how to open it.

    \b
    sweep card results/temperature_supply.zarr 17
    sweep card results/temperature_supply.zarr d9ff7e --out run.md
    """  # noqa: D301 # \b tells click to keep the lines
    import json

    from marsdisk.io.out_file import OutFile

    from ..report.as_json import run_as_json
    from ..report.run_card import card as card_of_run
    from ..results.rerun import find_run
    from ..store.store import Store

    opened = Store.open(store)
    kind = "json" if as_json else "markdown"
    file = None if out is None else OutFile.from_name(out, [kind], force=force)
    number = find_run(opened, run)
    if as_json:
        content = f"{json.dumps(run_as_json(opened, number), indent=1)}\n"
    else:
        content = printable(card_of_run(opened, number))
    if file is None:
        click.echo(content, nl=False)
        return
    with file.writing() as stream:
        stream.write(content.encode())
    with file.messages():
        message(f"written to {file}")


LOOK = [show, plot, compare, export, card]
