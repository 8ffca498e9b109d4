"""Commands that look at a store: tables, figures, comparisons, files for other programs."""

from pathlib import Path

import click

from marsdisk.commands import command, terminal

from .cli_options import STORE, WHERE


def _names(context: click.Context, parameter: click.Parameter, value: str | None) -> list[str] | None:
    return None if value is None else [name.strip() for name in value.split(",")]


COLUMNS = click.option("--columns", metavar="NAME,NAME", callback=_names, help="Scalars to take.")


@click.command()
@STORE
@WHERE
@click.option("--sort", metavar="NAME", help="Sort by a column; -NAME from the largest.")
@click.option(
    "--columns",
    metavar="NAME,NAME",
    callback=_names,
    help="Scalars to show.  [default: swept parameters, status, M_loss, t99, tau_max, stop_reason, as many as fit]",
)
@click.option("--rows", type=click.IntRange(1), default=40, show_default=True, help="At most so many rows.")
@click.option("--cache", "of_cache", is_flag=True, help="Sums of the cache statistics instead.")
@command
def show(store: Path, where: str | None, sort: str | None, columns: list[str] | None, rows: int, of_cache: bool) -> None:
    """A table of the runs of STORE.

    A condition is written with the names of columns, comparisons (== != < <= > >=, in), and, or, not, + - * / ** %, brackets, numbers
    and texts in quotes, and the functions abs, sqrt, exp, log, log10, isfinite, min and max. All scalars and parameters of the store
    are columns, in the units of the store; so is run, the number of a run. status is 'pending', 'done' or 'failed'.

    \b
    sweep show results/temperature_supply.zarr --sort -M_loss --rows 10
    sweep show results/temperature_supply.zarr --where 'T0 > 3500 and status == "failed"' --columns T0,ring,error
    sweep show results/temperature_supply.zarr --where 'ring in (0, 31) and log10(M_loss) > -10' --columns ring,M_loss,t99
    """
    from .store import reader
    from .tables import cache_table, in_sequence, runs_table
    from .views import Columns

    held, console = Columns(reader.open_group(store)), terminal()
    runs = in_sequence(held, held.where(where), sort)
    if of_cache:
        console.print(cache_table(held.group, runs))
    else:
        console.print(runs_table(held, columns, runs, rows=rows, width=console.width))
    if where is not None:
        click.echo(f"{runs.size} of {held['run'].size} runs")


LOOK = [show]
