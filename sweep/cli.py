"""The command ``sweep``: plan, run, go on, look."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from marsdisk.commands import (
    INTERRUPTED,
    OK,
    SOME_FAILED,
    command,
    debug_group,
    print_whole,
    printable,
    set_option,
    set_up_logging,
    terminal,
)

from .cli_ask import ASK
from .cli_browse import browse
from .cli_checks import checks, expect
from .cli_cluster import CLUSTER, source_of, worker_options
from .cli_look import LOOK
from .cli_options import FILE, PLACE, STORE

if TYPE_CHECKING:
    from .profiles import Source
    from .progress import Allowance
    from .spec import Sweep
    from .store.place import Place


@debug_group(
    "Parameter sweeps of the Mars disk. Start with: sweep run"
    " configs/sweeps/temperature_supply.yaml"
)
def main(debug: bool) -> None:
    set_up_logging(debug)


class AllowanceParameter(click.ParamType):  # type: ignore[type-arg]
    """A number of runs, or a percentage."""

    name = "N|P%"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> "Allowance":
        from .progress import Allowance

        try:
            return Allowance(str(value))
        except ValueError:
            self.fail(
                f"{value!r} is neither a number of runs, such as 10, nor a percentage, such as 5%",
                param,
                ctx,
            )


RETRY = click.option(
    "--retry-failed", is_flag=True, help="Run failed runs again, too; all others stay as they are."
)
ALLOWED = click.option(
    "--max-failures",
    "allowed",
    type=AllowanceParameter(),
    help="Stop when more runs, or more of those finished, have failed.",
)


def _go(sweep: "Sweep", store: "Place", workers: "Source", again: str, **options: Any) -> None:
    from .ending import finish, interrupted, too_many_failed
    from .errors import Interrupted, TooManyFailures
    from .session import run_sweep

    console = terminal()
    try:
        _, tally = run_sweep(sweep, store, workers=workers, console=console, **options)
    except (Interrupted, KeyboardInterrupt):
        interrupted(store, again, console)
        sys.exit(INTERRUPTED)
    except TooManyFailures as stopped:
        too_many_failed(store, stopped, sweep, again, console)
        sys.exit(SOME_FAILED)
    sys.exit(finish(store, sweep, tally, console))


@main.command()
@FILE
@click.option(
    "--store",
    type=PLACE,
    help=(
        "Where results go: a folder, or a URL such as s3://BUCKET/NAME.zarr.  [default:"
        " results/NAME.zarr]"
    ),
)
@worker_options
@click.option(
    "--extend",
    "extending",
    is_flag=True,
    help=(
        "Add the runs that FILE has and the store lacks; nothing that it has is run or written"
        " again."
    ),
)
@RETRY
@ALLOWED
@set_option
@command
def run(
    file: Path,
    store: "Place | None",
    extending: bool,
    retry_failed: bool,
    allowed: "Allowance | None",
    overrides: dict[str, Any],
    **where: Any,
) -> None:
    """Run the sweep in FILE; the same command again goes on where it stopped.

    All cases are checked before the first one starts. Results are committed block by block, and
    what is committed is never lost or computed again. Conditions that the results must meet
    (expect: in FILE, see sweep expect --help) are judged at the end.

    Exit codes: 0 all runs are done and all expectations hold, 1 some runs failed or some
    expectations could not be judged, 2 bad input or store, 3 an expectation fails, 130 interrupted.

    \b
    sweep run configs/sweeps/temperature_supply.yaml
    sweep run my_sweep.yaml --workers 8 --store /data/my_sweep.zarr --set numerics.t_end_years=1
    sweep run my_sweep.yaml --extend          # after adding values to an axis, or cases
    sweep run my_sweep.yaml --retry-failed --max-failures 5%
    sweep run my_sweep.yaml --scheduler tcp://127.0.0.1:8786
    sweep run my_sweep.yaml --cluster slurm --dry-run
    """
    from .spec import load_sweep
    from .store.place import Place

    source = source_of(**where)
    sweep = load_sweep(file, overrides)
    again = shlex.join(["sweep", *sys.argv[1:]])
    options = {"extending": extending, "retry_failed": retry_failed, "allowed": allowed}
    _go(sweep, store or Place.of(f"results/{sweep.spec.name}.zarr"), source, again, **options)


@main.command()
@STORE
@worker_options
@RETRY
@ALLOWED
@command
def resume(store: "Place", retry_failed: bool, allowed: "Allowance | None", **where: Any) -> None:
    """Go on with STORE from its own record of the sweep, without the sweep file."""
    from marsdisk.errors import ConfigError

    from .ending import finish
    from .progress import Tally
    from .session import is_complete, sweep_of_store

    source = source_of(**where)
    sweep = sweep_of_store(store)
    again = shlex.join(["sweep", *sys.argv[1:]])
    try:
        _go(sweep, store, source, again, retry_failed=retry_failed, allowed=allowed)
    except ConfigError as error:  # such as a table that is no longer where it was
        if not is_complete(store, retry_failed=retry_failed):
            raise
        problems = printable("; ".join(error.problems))
        click.echo(f"note: nothing is left to be run, which would not go any more: {problems}")
        sys.exit(finish(store, sweep, Tally(0), terminal()))


@main.command()
@FILE
@set_option
@command
def plan(file: Path, overrides: dict[str, Any]) -> None:
    """Say what running FILE would do: cases, blocks, shared arrays, time, bytes. Starts nothing, but measures one run."""
    from .ending import print_plan
    from .plan import make_plan
    from .profiles import usable_cores
    from .spec import load_sweep

    print_plan(make_plan(load_sweep(file, overrides), usable_cores()), terminal())


@main.command()
@STORE
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@command
def status(store: "Place", as_json: bool) -> None:
    """How far STORE has come."""
    import json

    from .heartbeat import RUNNING, driver_line, heartbeat
    from .store import reader

    counts = reader.counts(store)
    beat = heartbeat(store)
    if as_json:
        print_whole(
            json.dumps(
                {
                    **vars(counts),
                    "pending": counts.pending,
                    **({"driver": beat} if beat and counts.is_open else {}),
                }
            )
        )
        return
    click.echo(
        f"{store}: {counts.done} done, {counts.failed} failed, {counts.pending} pending of"
        f" {counts.runs} runs"
    )
    click.echo(f"{counts.blocks_committed} of {counts.blocks} blocks committed")
    if counts.refining:
        click.echo("the refinement is not finished: more rounds follow those runs")
    if beat and counts.is_open:
        click.echo(printable(driver_line(beat)))
    if beat.get("state") == RUNNING:
        click.echo(f"follow it with: sweep watch {store}")
    elif counts.is_open:
        click.echo(f"go on with: sweep resume {store}")


for other in (*CLUSTER, *LOOK, browse, *ASK, expect, checks):
    main.add_command(other)


@main.command()
@STORE
@click.option(
    "--repair",
    is_flag=True,
    help="Remove what nobody reads, and mark blocks whose results cannot be read as pending.",
)
@click.option(
    "--deep",
    is_flag=True,
    help="Read every chunk: finds garbled ones, too. Takes as long as reading the whole store.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@command
def doctor(store: "Place", repair: bool, deep: bool, as_json: bool) -> None:
    """Say what is wrong with STORE and what to do about it; change nothing without --repair.

    Looks for damaged and missing arrays, blocks that are torn, pending, unreadable or lost, files
    that nobody reads, notes of drivers that were killed, another version of the model, and changed
    tables. The sizes of all files are compared with what they must be, and the first bytes of
    compressed ones (in a folder) and the checksums of small ones are looked at: some seconds for a
    million runs.

    --repair never removes a readable result; the same sweep run or sweep resume then computes what
    was lost, to the same bits. Exit codes: 0 nothing wrong, 1 something is to be done, 2 the store
    cannot be read at all.

    \b sweep doctor results/temperature_supply.zarr sweep doctor results/temperature_supply.zarr
    --repair && sweep status results/temperature_supply.zarr sweep doctor s3://BUCKET/my_sweep.zarr
    --deep --json
    """
    import json

    from .doctor import findings_json, findings_table
    from .store import repair as doctors

    diagnosis = (doctors.repair if repair else doctors.examine)(store, deep=deep)
    if as_json:
        print_whole(json.dumps(findings_json(diagnosis, str(store))))
        sys.exit(OK if diagnosis.is_clean else SOME_FAILED)
    if diagnosis.findings:
        terminal().print(findings_table(diagnosis))
    if diagnosis.driver:
        click.echo(
            printable(
                f"{diagnosis.driver} is driving this sweep; what is not committed yet is its work"
            )
        )
    click.echo(f"{store}: {diagnosis.verdict}")
    sys.exit(OK if diagnosis.is_clean else SOME_FAILED)


if __name__ == "__main__":
    main()
