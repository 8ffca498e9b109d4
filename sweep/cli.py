"""The command ``sweep``: plan, run, go on, look."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from marsdisk.commands import INTERRUPTED, OK, SOME_FAILED, command, debug_group, set_option, set_up_logging, terminal

from .cli_browse import browse
from .cli_look import LOOK
from .cli_options import FILE, STORE, WORKERS

if TYPE_CHECKING:
    from .spec import Sweep


@debug_group("Parameter sweeps of the Mars disk. Start with: sweep run configs/sweeps/temperature_supply.yaml")
def main(debug: bool) -> None:
    set_up_logging(debug)


def _go(sweep: "Sweep", store: Path, workers: int | None, again: str) -> None:
    from .ending import finish, interrupted
    from .errors import Interrupted
    from .plan import usable_cores
    from .session import run_sweep

    console = terminal()
    try:
        plan, tally = run_sweep(sweep, store, workers=usable_cores() if workers is None else workers, console=console)
    except (Interrupted, KeyboardInterrupt):
        interrupted(store, again, console)
        sys.exit(INTERRUPTED)
    sys.exit(SOME_FAILED if finish(store, plan, tally, console) else OK)


@main.command()
@FILE
@click.option("--store", type=click.Path(path_type=Path), help="Where results go.  [default: results/NAME.zarr]")
@WORKERS
@set_option
@command
def run(file: Path, store: Path | None, workers: int | None, overrides: dict[str, Any]) -> None:
    """Run the sweep in FILE; the same command again goes on where it stopped.

    All cases are checked before the first one starts. Results are committed block by block, and what is committed is never lost or
    computed again. Exit codes: 0 all done, 1 some runs failed, 2 bad input or store, 130 interrupted.

    \b
    sweep run configs/sweeps/temperature_supply.yaml
    sweep run my_sweep.yaml --workers 8 --store /data/my_sweep.zarr --set numerics.t_end_years=1
    """
    from .spec import load_sweep

    sweep = load_sweep(file, overrides)
    place = store or Path("results") / f"{sweep.spec.name}.zarr"
    _go(sweep, place, workers, shlex.join(["sweep", *sys.argv[1:]]))


@main.command()
@STORE
@WORKERS
@command
def resume(store: Path, workers: int | None) -> None:
    """Go on with STORE from its own record of the sweep, without the sweep file."""
    from .session import sweep_of_store

    sweep = sweep_of_store(store)
    _go(sweep, store, workers, f"sweep resume {store}")


@main.command()
@FILE
@set_option
@command
def plan(file: Path, overrides: dict[str, Any]) -> None:
    """Say what running FILE would do: cases, blocks, shared arrays, time, bytes. Starts nothing, but measures one run."""
    from .ending import print_plan
    from .plan import make_plan
    from .spec import load_sweep

    print_plan(make_plan(load_sweep(file, overrides)), terminal())


@main.command()
@STORE
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@command
def status(store: Path, as_json: bool) -> None:
    """How far STORE has come."""
    import json

    from .store import reader

    counts = reader.counts(reader.open_group(store))
    if as_json:
        click.echo(json.dumps({**vars(counts), "pending": counts.pending}))
        return
    click.echo(f"{store}: {counts.done} done, {counts.failed} failed, {counts.pending} pending of {counts.runs} runs")
    click.echo(f"{counts.blocks_committed} of {counts.blocks} blocks committed")
    if counts.pending:
        click.echo(f"go on with: sweep resume {store}")


for look in (*LOOK, browse):
    main.add_command(look)


if __name__ == "__main__":
    main()
