"""The command that lists stores."""

import json
from pathlib import Path

import click

from marsdisk.cli.program import command, print_whole
from marsdisk.common.errors import ConfigError
from marsdisk.report.terminal import terminal

from .options import AS_JSON


@click.command("list")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@AS_JSON
@command
def list_command(folder: Path | None, *, as_json: bool) -> None:
    """List the stores in FOLDER (results by default), most recently written first.

    The question is the first sentence of the comment at the top of the sweep file.

    \b
    sweep list
    sweep list /data/sweeps --json
    """  # noqa: D301 - click wants a backspace before paragraphs whose lines it is to keep
    list_stores(folder, as_json=as_json)


def list_stores(folder: Path | None, *, as_json: bool) -> None:
    """Print a table of the stores in a folder, or JSON; None stands for where they are made.

    Raises
    ------
    ConfigError
        It is no folder.
    """
    from ..report.stores import listed_stores, stores_table
    from ..store.locate import RESULTS_FOLDER

    cure = "sweep run makes it" if folder is None else "check the path"
    folder = folder or RESULTS_FOLDER
    if not folder.is_dir():
        problem = "there is no such folder here"
        raise ConfigError([f"{problem}; {cure}"], str(folder))
    stores = list(listed_stores(folder))
    if as_json:
        print_whole(json.dumps([store.as_json() for store in stores]))
    elif stores:
        terminal().print(stores_table(stores))
    else:
        click.echo(f"there are no stores in {folder}; sweep run FILE makes one")
