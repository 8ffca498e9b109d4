"""Commands that help to write a sweep file."""

import json
import re
from pathlib import Path
from typing import Any

import click

from marsdisk.cli.logs import message
from marsdisk.cli.options import assignments, force_option
from marsdisk.cli.program import command, print_whole
from marsdisk.report.terminal import terminal


@click.command()
@click.argument("file", type=click.Path(path_type=Path), default=Path("my_sweep.yaml"))
@click.option(
    "--base",
    metavar="CONFIG",
    help=(
        "Configuration that all cases start from: a path relative to FILE, or builtin:NAME."
        "  [default: builtin:mars_0d_melt]"
    ),
)
@click.option(
    "--axes",
    multiple=True,
    metavar="KEY=POINTS",
    callback=assignments,
    help="Axis of the sweep, as YAML; may be given several times.  [default: three axes]",
)
@force_option
@command
def init(file: Path, base: str | None, axes: dict[str, Any], *, force: bool) -> None:
    """Write a commented sweep file that runs as it is.

    \b
    sweep init
    sweep init my_sweep.yaml --base my_config.yaml
    sweep init my_sweep.yaml --axes 'temperature.T0=[3000, 4000]' \\
        --axes 'ring={rings: [1.0, 2.7, 8]}'
    """  # noqa: D301 # \b tells click to keep the lines
    from marsdisk.config.yaml_file import parse_yaml
    from marsdisk.io.out_file import OutFile

    from ..common.command import Command
    from ..planning.plan import make_plan
    from ..report.sweep_file import DEFAULT_BASE, new_sweep_file
    from ..spec.file import sweep_of_sections

    name = re.sub(r"[^A-Za-z0-9_.-]", "_", file.stem).lstrip("_.-") or "my_sweep"
    out = OutFile.from_name(file, ["yaml"], force=force, option="FILE")
    content = new_sweep_file(name, base or DEFAULT_BASE, axes, file)
    # refuses what would not run
    make_plan(sweep_of_sections(parse_yaml(content, str(file)), file.parent, where=str(file)))
    with out.writing() as stream:
        stream.write(content.encode())
    with out.messages():
        message(f"written to {out}; next: {Command.sweep('plan', file)}")


@click.command("reference")
@click.option("--markdown", is_flag=True, help="Print Markdown.")
@command
def reference_command(*, markdown: bool) -> None:
    """Show all keys of a sweep file, what they take, and what they mean.

    The keys that axes and overrides set are those of a configuration: marsdisk show CONFIG --all.

    \b
    sweep reference
    sweep reference --markdown > sweep_file.md
    """  # noqa: D301 # \b tells click to keep the lines
    from ..report.sweep_file import reference_lines, reference_tables

    if markdown:
        print_whole("\n".join(reference_lines()))
        return
    console = terminal()
    for table in reference_tables():
        console.print(table)
        console.print()


@click.command()
@command
def schema() -> None:
    """Print the JSON Schema of sweep files, so that editors can complete and check them.

    A sweep file names it in its first line; editors with a YAML language server read that.

    \b
    sweep schema > sweep.schema.json
    # yaml-language-server: $schema=sweep.schema.json
    """  # noqa: D301 # \b tells click to keep the lines
    from ..spec.reference import json_schema

    print_whole(json.dumps(json_schema(), indent=1))


SWEEP_FILE = (init, reference_command, schema)
