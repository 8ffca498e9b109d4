"""Arguments and options that several commands of ``sweep`` take."""

from pathlib import Path

import click

FILE = click.argument("file", type=click.Path(path_type=Path))
STORE_TYPE = click.Path(path_type=Path)
STORE = click.argument("store", type=STORE_TYPE)
WORKERS = click.option("--workers", type=click.IntRange(0, 4096), help="Worker processes; 0 runs in this one. Default: one per core.")
WHERE = click.option("--where", metavar="CONDITION", help="Only runs for which it holds; see sweep show --help.")
