"""The command that compares the results in a store with expectations."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from marsdisk.cli.logs import message, output_options
from marsdisk.cli.program import command, print_whole
from marsdisk.report.terminal import terminal

from .options import AS_JSON, STORE

if TYPE_CHECKING:
    from ..store.location import Location


@click.command()
@STORE
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    help="Take the expectations of this sweep file instead of those that STORE records.",
)
@AS_JSON
@command
def expect(store: "Location", *, file: Path | None, as_json: bool) -> None:
    """Test the results in STORE, finished or not, against conditions that you define.

    They stand under expect: in the sweep file, each with a name. You may change them at any time,
    because the results in a store do not depend on them. (For numerical errors see marsdisk check,
    and accuracy: in a sweep file.)

    \b
    expect:
      closes: {expect: "abs(ledger_error) < 1e-9"}                        # of every run
      blow-out stays: {along: T0, expect: "M_loss >= 1e-14 or not earlier(M_loss >= 1e-14)"}
      scales with area:
        over: ring                                                        # or a list of axes
        expect: "largest(M_loss / r_out_RM**2) <= 2 * smallest(M_loss / r_out_RM**2)"
        where: 'method == "none"'                                         # only these runs

    Expressions are those of sweep show --where. Runs that are equal on all axes except those named
    by over or along form a group. largest, smallest, sum, mean and median take one number from
    every run of the group. With along, runs are in the order of that axis: earlier(CONDITION) says
    whether the condition held for any run before, and largest_so_far and smallest_so_far include
    the run and all before it.

    A group with a failed or pending run, or with one without a value (NaN), is not judged, and an
    expectation for which nothing could be judged has not passed. Exit codes: 0 all expectations
    hold, 1 none fails but some runs or groups could not be judged, 2 bad input or store, 3 an
    expectation fails.

    \b
    sweep expect results/map1.zarr
    sweep expect results/map1.zarr --file my_sweep.yaml --json
    """  # noqa: D301 - click wants a backspace before paragraphs whose lines it is to keep
    import json

    from marsdisk.common.errors import ConfigError
    from marsdisk.config.yaml_file import read_yaml_mapping, with_lines

    from ..report.expectations import as_json as judgements_json
    from ..report.expectations import report_expectations
    from ..results.judge import exit_code, judge
    from ..results.judged_columns import Results
    from ..results.notes import Notes
    from ..running.progress import say
    from ..spec.expectations import expectations_of
    from ..spec.old_keys import renaming_notes
    from ..store.store import Store

    opened = Store.open(store)
    where = str(file or store)
    if file is None:
        content = opened.description.sweep.content
        advice = "; write some (see sweep expect --help) and give their file with --file"
        expectations = expectations_of(content, where)
    else:
        content = read_yaml_mapping(file)
        advice = "; write some (see sweep expect --help)"
        for note in renaming_notes(content):
            click.echo(f"note: {note}", err=True)
        try:
            expectations = expectations_of(content, where)
        except ConfigError as error:
            raise with_lines(error, file) from None
    if not expectations:
        raise ConfigError([f"there are no expectations{advice}"], where)
    if as_json:
        judgements = judge(expectations, Results.of(opened), where)
        code = exit_code(judgements)
        report = {"store": str(store), "exit_code": code, "checks": judgements_json(judgements)}
        print_whole(json.dumps(report))
        sys.exit(code)
    console = terminal()
    code = report_expectations(opened, expectations, console)
    for line in Notes.of(opened).lines:
        say(console, f"note: {line}")
    sys.exit(code)


@click.command(hidden=True)
@STORE
@click.option("--checks", "file", type=click.Path(path_type=Path))
@AS_JSON
@output_options
def checks(**options: Any) -> None:
    """Do what sweep expect does: it is its old name."""
    message("note: sweep checks is now sweep expect, and its --checks is --file", err=True)
    click.get_current_context().invoke(expect, **options)
