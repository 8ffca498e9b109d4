"""The command ``sweep``: plan, run, go on, look."""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from marsdisk.commands import INTERRUPTED, OK, SOME_FAILED, command, debug_group, printable, set_option, set_up_logging, terminal

from . import cli_cluster
from .cli_cluster import source_of, worker_options
from .cli_options import FILE, PLACE, STORE

if TYPE_CHECKING:
    from .profiles import Source
    from .spec import Sweep
    from .store.place import Place


@debug_group("Parameter sweeps of the Mars disk. Start with: sweep run configs/sweeps/temperature_supply.yaml")
def main(debug: bool) -> None:
    set_up_logging(debug)


def _go(sweep: "Sweep", store: "Place", workers: "Source", again: str) -> None:
    from .ending import finish, interrupted
    from .errors import Interrupted
    from .session import run_sweep

    console = terminal()
    try:
        plan, tally = run_sweep(sweep, store, workers=workers, console=console)
    except (Interrupted, KeyboardInterrupt):
        interrupted(store, again, console)
        sys.exit(INTERRUPTED)
    sys.exit(SOME_FAILED if finish(store, plan, tally, console) else OK)


@main.command()
@FILE
@click.option("--store", type=PLACE, help="Where results go: a folder, or a URL such as s3://BUCKET/NAME.zarr.  [default: results/NAME.zarr]")
@worker_options
@set_option
@command
def run(file: Path, store: "Place | None", overrides: dict[str, Any], **where: Any) -> None:
    """Run the sweep in FILE; the same command again goes on where it stopped.

    All cases are checked before the first one starts. Results are committed block by block, and what is committed is never lost or
    computed again. Exit codes: 0 all done, 1 some runs failed, 2 bad input or store, 130 interrupted.

    \b
    sweep run configs/sweeps/temperature_supply.yaml
    sweep run my_sweep.yaml --workers 8 --store /data/my_sweep.zarr --set numerics.t_end_years=1
    sweep run my_sweep.yaml --scheduler tcp://127.0.0.1:8786
    sweep run my_sweep.yaml --cluster slurm --dry-run
    """
    from .spec import load_sweep
    from .store.place import Place

    source, sweep = source_of(**where), load_sweep(file, overrides)
    _go(sweep, store or Place.of(f"results/{sweep.spec.name}.zarr"), source, shlex.join(["sweep", *sys.argv[1:]]))


@main.command()
@STORE
@worker_options
@command
def resume(store: "Place", **where: Any) -> None:
    """Go on with STORE from its own record of the sweep, without the sweep file."""
    from .session import sweep_of_store

    source = source_of(**where)
    _go(sweep_of_store(store), store, source, shlex.join(["sweep", *sys.argv[1:]]))


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
def status(store: "Place", as_json: bool) -> None:
    """How far STORE has come."""
    import json

    from .heartbeat import HEARTBEAT, RUNNING, driver_line, read_note
    from .store import reader

    counts, beat = reader.counts(reader.open_group(store)), read_note(store, HEARTBEAT)
    if as_json:
        click.echo(json.dumps({**vars(counts), "pending": counts.pending, **({"driver": beat} if beat and counts.pending else {})}))
        return
    click.echo(f"{store}: {counts.done} done, {counts.failed} failed, {counts.pending} pending of {counts.runs} runs")
    click.echo(f"{counts.blocks_committed} of {counts.blocks} blocks committed")
    if beat and counts.pending:
        click.echo(printable(driver_line(beat)))
    if beat.get("state") == RUNNING:
        click.echo(f"follow it with: sweep watch {store}")
    elif counts.pending:
        click.echo(f"go on with: sweep resume {store}")


@main.command()
@STORE
@click.option("--columns", metavar="NAME,NAME", help="Scalars to show.  [default: swept parameters, status, M_loss, t99, tau_max, stop_reason]")
@click.option("--rows", type=click.IntRange(1), default=40, show_default=True, help="At most so many rows.")
@click.option("--cache", "of_cache", is_flag=True, help="Sums of the cache statistics instead.")
@command
def show(store: "Place", columns: str | None, rows: int, of_cache: bool) -> None:
    """A table of the runs of STORE."""
    from .store import reader
    from .tables import cache_table, runs_table

    group = reader.open_group(store)
    make: Callable[[], Any] = (lambda: cache_table(group)) if of_cache else (lambda: runs_table(group, columns.split(",") if columns else None, rows))
    terminal().print(make())


@main.command()
@STORE
@click.option("--repair", is_flag=True, help="Remove what nobody reads, and mark blocks whose results cannot be read as pending.")
@click.option("--deep", is_flag=True, help="Read every chunk: finds garbled ones, too. Takes as long as reading the whole store.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@command
def doctor(store: "Place", repair: bool, deep: bool, as_json: bool) -> None:
    """Say what is wrong with STORE and what to do about it; change nothing without --repair.

    Looks for damaged and missing arrays, blocks that are torn, pending, unreadable or lost, files that nobody reads, notes of drivers that
    were killed, another version of the model, and changed tables. The sizes of all files are compared with what they must be, and the
    first bytes of compressed ones (in a folder) and the checksums of small ones are looked at: some seconds for a million runs.

    --repair never removes a readable result; the same sweep run or sweep resume then computes what was lost, to the same bits.
    Exit codes: 0 nothing wrong, 1 something is to be done, 2 the store cannot be read at all.

    \b
    sweep doctor results/temperature_supply.zarr
    sweep doctor results/temperature_supply.zarr --repair && sweep status results/temperature_supply.zarr
    sweep doctor s3://BUCKET/my_sweep.zarr --deep --json
    """
    import json

    from .doctor import findings_json, findings_table
    from .store import repair as doctors

    diagnosis = (doctors.repair if repair else doctors.examine)(store, deep=deep)
    if as_json:
        click.echo(json.dumps(findings_json(diagnosis, str(store))))
        sys.exit(OK if diagnosis.is_clean else SOME_FAILED)
    if diagnosis.findings:
        terminal().print(findings_table(diagnosis))
    if diagnosis.driver:
        click.echo(printable(f"{diagnosis.driver} is driving this sweep; what is not committed yet is its work"))
    click.echo(f"{store}: {'nothing is wrong' if not diagnosis.findings else 'repaired' if diagnosis.is_clean else 'something is to be done'}")
    sys.exit(OK if diagnosis.is_clean else SOME_FAILED)


cli_cluster.add_to(main)

if __name__ == "__main__":
    main()
