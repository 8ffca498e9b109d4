"""The command that judges the user's own checks."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from marsdisk.commands import command, print_whole, terminal

from .cli_options import STORE

if TYPE_CHECKING:
    from .store.place import Place


@click.command()
@STORE
@click.option(
    "--checks",
    "file",
    type=click.Path(path_type=Path),
    help="Take the checks of this sweep file instead of those that STORE was made with.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@command
def checks(store: "Place", file: Path | None, as_json: bool) -> None:
    """Whether the results in STORE, finished or not, meet conditions of yours. (For numerical errors see marsdisk check and check: instead.)

    A sweep file has them under checks:, by name. They may be changed at any time: what a store
    holds does not depend on them.

    \b
    checks:
      closes: {expect: "abs(ledger_error) < 1e-9"}                        # of every run
      blow-out stays: {along: T0, expect: "M_loss >= 1e-14 or not earlier(M_loss >= 1e-14)"}
      scales with area:
        over: ring                                                        # or a list of axes
        expect: "largest(M_loss / r_out_RM**2) <= 2 * smallest(M_loss / r_out_RM**2)"
        where: 'method == "none"'                                         # only these runs

    Expressions are those of sweep show --where. Runs that are equal on all axes but those of over
    or along make a group, of which largest, smallest, sum, mean and median take a number of every
    run; with along, in the order of that axis, earlier(CONDITION) says whether it held for any run
    before, and largest_so_far and smallest_so_far take the run and all before it.

    A group with a failed or pending run, or with one without a value (NaN), is not judged, and
    where nothing is judged nothing passes. Exit codes: 0 all checks hold, 1 none fails but some
    runs or groups could not be judged, 2 bad input or store, 3 a check fails.

    \b
    sweep checks results/map1.zarr
    sweep checks results/map1.zarr --checks my_sweep.yaml --json
    """
    import json

    from marsdisk.errors import ConfigError
    from marsdisk.yamlfile import read_yaml_mapping, with_lines

    from .checks import checks_of
    from .judging import exit_code, judge
    from .notes import Notes
    from .progress import say
    from .rows import Results
    from .store import reader
    from .verdicts import as_json as listed
    from .verdicts import report_checks

    group = reader.open_group(store)
    content = (
        read_yaml_mapping(file)
        if file is not None
        else reader.read_descriptions(store)[0]["sweep"]["content"]
    )
    where = str(file or store)
    try:
        asked = checks_of(content, where)
    except ConfigError as error:
        raise (with_lines(error, file) if file is not None else error) from None
    if not asked:
        raise ConfigError(
            [
                "there are no checks; write some (see sweep checks --help)"
                + ("" if file else ", and give their file with --checks")
            ],
            where,
        )
    if as_json:
        judgements = judge(asked, Results.of(group), where)
        print_whole(
            json.dumps(
                {
                    "store": str(store),
                    "exit_code": exit_code(judgements),
                    "checks": listed(judgements),
                }
            )
        )
        sys.exit(exit_code(judgements))
    console = terminal()
    code = report_checks(group, asked, store, console)
    for line in Notes.of(group).lines:
        say(console, f"note: {line}")
    sys.exit(code)
