"""The command ``sweep``, with plan, run, resume, status and doctor."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from marsdisk.cli.logs import is_quiet, message
from marsdisk.cli.options import set_option
from marsdisk.cli.program import command, print_whole, program
from marsdisk.common.exit_codes import INTERRUPTED, OK, SOME_FAILED
from marsdisk.common.text import printable
from marsdisk.report.terminal import terminal

from ..common.command import Command
from .browse import browse
from .cluster import CLUSTER, source_of, worker_options
from .expectations import checks, expect
from .options import AS_JSON, FILE, LOCATION, STORE
from .sensitivity import ASK
from .show import LOOK
from .stores import list_command, list_stores
from .sweep_file import SWEEP_FILE

if TYPE_CHECKING:
    from rich.console import Console

    from ..running.progress import Allowance, Tally
    from ..spec.file import Sweep
    from ..store.location import Location
    from ..workers.profiles import Source


@program(
    "Parameter sweeps of the Mars disk. Start with: sweep run builtin:temperature_supply, or write"
    " your own file with: sweep init"
)
def main() -> None:
    """Do nothing before the commands."""


class AllowanceParameter(click.ParamType):  # type: ignore[type-arg]
    """A number of runs, or a percentage."""

    name = "N|P%"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> "Allowance":
        """Return the allowance, or refuse a text that is none."""
        from ..running.progress import Allowance

        try:
            return Allowance(str(value))
        except ValueError:
            self.fail(
                f"{value!r} is neither a number of runs, such as 10, nor a percentage, such as 5%",
                param,
                ctx,
            )


STORE_OPTION = click.option(
    "--store",
    type=LOCATION,
    help=(
        "Store for the results: a folder, or a URL such as s3://BUCKET/NAME.zarr."
        "  [default: results/NAME.zarr]"
    ),
)
RETRY = click.option("--retry-failed", is_flag=True, help="Run failed runs again, too.")
ENDING_AS_JSON = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help=(
        "Print JSON at the end, unless it is interrupted or too many runs fail; progress and"
        " messages go to standard error."
    ),
)
ALLOWED = click.option(
    "--max-failures",
    "allowed",
    type=AllowanceParameter(),
    help="Stop when more runs than this have failed: a number, or a percentage of finished runs.",
)


def _run(
    sweep: "Sweep",
    store: "Location",
    workers: "Source",
    command_line: str,
    *,
    as_json: bool,
    **options: Any,
) -> None:
    """Run a sweep, print how it ends, and exit with its code."""
    from ..browse.dashboard import dashboard_page
    from ..common.errors import Interrupted, TooManyFailures
    from ..report.ending import interrupted, too_many_failed
    from ..running.session import run_sweep

    console = terminal(is_for_messages=as_json, is_quiet=is_quiet())
    try:
        _, tally = run_sweep(
            sweep, store, workers=workers, console=console, dashboard_page=dashboard_page, **options
        )
    except (Interrupted, KeyboardInterrupt):
        interrupted(store, command_line, _console_of_problems(as_json=as_json))
        sys.exit(INTERRUPTED)
    except TooManyFailures as stopped:
        problems = _console_of_problems(as_json=as_json)
        too_many_failed(store, stopped, sweep, command_line, problems)
        sys.exit(SOME_FAILED)
    _end(sweep, store, tally, as_json=as_json)


def _console_of_problems(*, as_json: bool) -> "Console":
    """Return the console for how a sweep ends: with --quiet only problems are shown at all."""
    return terminal(is_for_messages=as_json or is_quiet())


def _finish(sweep: "Sweep", store: "Location", tally: "Tally", *, as_json: bool) -> int:
    """Print how a sweep has ended, with --quiet only if it has not ended well; return the code."""
    from ..report.ending import finish

    console = _console_of_problems(as_json=as_json)
    if not is_quiet():
        return finish(store, sweep, tally, console)
    with console.capture() as captured:
        code = finish(store, sweep, tally, console)
    if code != OK:
        click.echo(captured.get(), err=True, nl=False)
    return code


def _end(sweep: "Sweep", store: "Location", tally: "Tally", *, as_json: bool) -> None:
    """Print how a sweep has ended, and exit with its code."""
    import json

    from ..report.as_json import ending_as_json

    code = _finish(sweep, store, tally, as_json=as_json)
    if as_json:
        print_whole(json.dumps(ending_as_json(store, sweep, tally, code)))
    sys.exit(code)


@main.command()
@FILE
@STORE_OPTION
@worker_options
@click.option(
    "--extend",
    "extending",
    is_flag=True,
    help=(
        "Run only the cases that are new in FILE and add them to the store; existing results are"
        " left untouched."
    ),
)
@RETRY
@ALLOWED
@set_option
@ENDING_AS_JSON
@command
def run(
    file: Path,
    store: "Location | None",
    *,
    extending: bool,
    retry_failed: bool,
    allowed: "Allowance | None",
    overrides: dict[str, Any],
    as_json: bool,
    **where: Any,
) -> None:
    """Run the sweep in FILE; running the same command again resumes it.

    All cases are validated before the first one starts. Results are committed block by block;
    committed results are never lost or computed again. Expectations (expect: in FILE, see sweep
    expect --help) are evaluated at the end.

    Exit codes: 0 all runs are done and all expectations hold, 1 some runs failed or some
    expectations could not be judged, 2 bad input or store, 3 an expectation fails, 130 interrupted.

    \b
    sweep run configs/sweeps/temperature_supply.yaml
    sweep run my_sweep.yaml --workers 8 --store /data/my_sweep.zarr --set numerics.t_end_years=1
    sweep run my_sweep.yaml --extend          # after adding values to an axis, or cases
    sweep run my_sweep.yaml --retry-failed --max-failures 5%
    sweep run my_sweep.yaml --scheduler tcp://127.0.0.1:8786
    sweep run my_sweep.yaml --cluster slurm --dry-run
    """  # noqa: D301 - click wants a backspace before paragraphs whose lines it is to keep
    from ..workers.profiles import make_ready

    source = source_of(**where)
    # what takes time to import comes after that
    make_ready(source)
    from ..planning.read_sweep import read_sweep
    from ..store.locate import default_location

    sweep = read_sweep(file, overrides)
    command_line = str(Command.typed())
    options: dict[str, Any] = {
        "extending": extending,
        "retry_failed": retry_failed,
        "allowed": allowed,
        "as_json": as_json,
    }
    if store is None:
        store = default_location(sweep.spec.name)
    _run(sweep, store, source, command_line, **options)


@main.command()
@STORE
@worker_options
@RETRY
@ALLOWED
@ENDING_AS_JSON
@command
def resume(
    store: "Location",
    *,
    retry_failed: bool,
    allowed: "Allowance | None",
    as_json: bool,
    **where: Any,
) -> None:
    """Resume the sweep in STORE using its own record of it; the sweep file is not needed."""
    from ..workers.profiles import make_ready

    source = source_of(**where)
    # what takes time to import comes after that
    make_ready(source)
    from marsdisk.common.errors import ConfigError

    from ..running.progress import Tally
    from ..running.session import is_complete, sweep_of_store

    sweep = sweep_of_store(store)
    command_line = str(Command.typed())
    options: dict[str, Any] = {"retry_failed": retry_failed, "allowed": allowed, "as_json": as_json}
    try:
        _run(sweep, store, source, command_line, **options)
    except ConfigError as error:  # such as a table that has been moved
        if not is_complete(store, retry_failed=retry_failed):
            raise
        problems = printable("; ".join(error.problems))
        note = f"note: all runs are complete; no further runs would be possible: {problems}"
        message(note, err=as_json)
        _end(sweep, store, Tally(0), as_json=as_json)


@main.command()
@FILE
@STORE_OPTION
@set_option
@AS_JSON
@command
def plan(file: Path, *, store: "Location | None", overrides: dict[str, Any], as_json: bool) -> None:
    """Show what running FILE would do: cases, blocks, time, bytes; only one run is measured.

    If its store exists, it also says how many of these runs the store has, and what sweep run
    --extend would add.

    \b
    sweep plan my_sweep.yaml
    sweep plan my_sweep.yaml --store /data/my_sweep.zarr --json
    """  # noqa: D301 - click wants a backspace before paragraphs whose lines it is to keep
    import json

    from ..planning.plan import make_plan
    from ..planning.read_sweep import read_sweep
    from ..report.preview import Preview, lines_on_store
    from ..running.progress import cases_checked, say
    from ..store.locate import default_location
    from ..workers.profiles import usable_cores

    def remark(line: str) -> None:
        message(line, err=as_json)

    console = terminal()
    sweep = read_sweep(file, overrides)
    drawn_up = make_plan(sweep, usable_cores(), cases_checked(remark, sweep.case_count))
    preview = Preview.of(drawn_up, remark)
    if store is None:
        store = default_location(drawn_up.sweep.spec.name)
    if as_json:
        on_store = list(lines_on_store(drawn_up, store))
        print_whole(json.dumps({**preview.as_json(), "store": on_store}))
        return
    say(console, f"sweep {drawn_up.sweep.spec.name}")
    for line in preview.lines():
        say(console, f"  {line}")
    for line in lines_on_store(drawn_up, store):
        say(console, f"  {line}")


@main.command()
@click.argument("store", type=LOCATION, required=False)
@AS_JSON
@command
def status(store: "Location | None", *, as_json: bool) -> None:
    """Show the progress of the sweep in STORE; without STORE, list the stores in results.

    \b
    sweep status
    sweep status results/temperature_supply.zarr --json
    """  # noqa: D301 - click wants a backspace before paragraphs whose lines it is to keep
    import json

    from ..results.notes import Notes
    from ..running.driver_notes import RUNNING
    from ..running.heartbeat import driver_line, heartbeat
    from ..store.store import Store

    if store is None:
        list_stores(None, as_json=as_json)
        return
    opened = Store.open(store)
    counts = opened.counts()
    notes = Notes.of(opened)
    beat = heartbeat(store)
    if as_json:
        report = {**vars(counts), "pending": counts.pending, "notes": notes.counts_by_label}
        if beat and counts.is_open:
            report["driver"] = beat.model_dump(exclude_unset=True)
        print_whole(json.dumps(report))
        return
    click.echo(
        f"{store}: {counts.done} done, {counts.failed} failed, {counts.pending} pending of"
        f" {counts.runs} runs"
    )
    click.echo(f"{counts.blocks_committed} of {counts.blocks} blocks committed")
    if counts.refining:
        click.echo("the refinement is not finished: more rounds follow those runs")
    for line in notes.lines:
        click.echo(f"note: {line}")
    if beat and counts.is_open:
        click.echo(printable(driver_line(beat)))
    if beat.state == RUNNING:
        message(f"follow it with: {Command.sweep('watch', store)}")
    elif counts.is_open:
        message(f"resume with: {Command.sweep('resume', store)}")


@main.command()
@STORE
@click.option(
    "--repair",
    is_flag=True,
    help="Remove files that are never read, and mark blocks that cannot be read as pending.",
)
@click.option(
    "--deep",
    is_flag=True,
    help="Read every chunk, which also finds garbled ones; as slow as reading the whole store.",
)
@AS_JSON
@command
def doctor(store: "Location", *, repair: bool, deep: bool, as_json: bool) -> None:
    """Diagnose STORE and suggest fixes; change nothing without --repair.

    Finds damaged and missing arrays, blocks that are torn, pending, unreadable or lost, files that
    are never read, notes of drivers that were killed, another version of the model, and changed
    tables. The sizes of all files are compared with their expected ones, and the first bytes of
    compressed files (in a folder) and the checksums of small ones are verified; this takes some
    seconds for a million runs.

    --repair never removes a readable result; sweep run or sweep resume then computes what was
    lost, to the same bits. Exit codes: 0 nothing wrong, 1 action needed, 2 the store cannot be read
    at all.

    \b
    sweep doctor results/temperature_supply.zarr
    sweep doctor results/temperature_supply.zarr --repair
    sweep doctor s3://BUCKET/my_sweep.zarr --deep --json
    """  # noqa: D301 - click wants a backspace before paragraphs whose lines it is to keep
    import json

    from ..report.doctor import findings_json, findings_table
    from ..store import doctor as doctors

    diagnose = doctors.repair if repair else doctors.examine
    diagnosis = diagnose(store, deep=deep)
    if as_json:
        print_whole(json.dumps(findings_json(diagnosis, str(store))))
        sys.exit(OK if diagnosis.is_clean else SOME_FAILED)
    if diagnosis.findings:
        terminal().print(findings_table(diagnosis))
    if diagnosis.driver:
        line = f"{diagnosis.driver} is driving this sweep and will commit the pending blocks"
        click.echo(printable(line))
    click.echo(f"{store}: {diagnosis.verdict}")
    sys.exit(OK if diagnosis.is_clean else SOME_FAILED)


for subcommand in (*SWEEP_FILE, *CLUSTER, list_command, *LOOK, browse, *ASK, expect, checks):
    main.add_command(subcommand)
#: Commands in the order of use; help lists them so.
ORDER = (
    *("init", "reference", "schema", "plan", "run", "status", "watch", "resume"),
    *("submit", "cancel", "list", "show", "browse", "plot", "summary", "sensitivity"),
    *("expect", "checks", "compare", "card", "export", "doctor"),
)
main.commands = dict(sorted(main.commands.items(), key=lambda item: ORDER.index(item[0])))
