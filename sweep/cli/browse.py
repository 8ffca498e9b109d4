"""The command that shows a store, or two, in a browser."""

from typing import TYPE_CHECKING

import click

from marsdisk.cli.logs import message
from marsdisk.cli.options import force_option
from marsdisk.cli.program import command

from .options import LOCATION

if TYPE_CHECKING:
    from ..store.location import Location

#: Stores that the page compares.
MAX_STORES = 2


@click.command()
@click.argument("stores", metavar="STORE [STORE]", nargs=-1, required=True, type=LOCATION)
@click.option(
    "--save",
    type=click.Path(),
    metavar="FILE",
    help="Write the page to this .html file, which needs no server, instead of serving it.",
)
@force_option
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port to listen on.  [default: a free one]",
)
@click.option(
    "--address",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; anyone who can reach it can read the store.",
)
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="Another name by which people reach the page, such as that of a proxy; repeatable.",
)
@click.option("--no-open", is_flag=True, help="Print the URL without opening a browser.")
@command
def browse(
    stores: "tuple[Location, ...]",
    *,
    save: str | None,
    force: bool,
    port: int,
    address: str,
    hosts: tuple[str, ...],
    no_open: bool,
) -> None:
    """Show STORE in a browser, even while its sweep runs.

    The page begins with what changes the result most, a map of it, and curves over time; tables,
    parallel coordinates, size distributions, errors, caches, and provenance are one click away.
    Its address holds the view, so that a link shows it again. With a second STORE, the page
    compares both.

    The page is served until Ctrl-C, only to this machine unless --address says otherwise. It
    changes nothing and loads nothing from elsewhere. For a store on another machine, start it
    there with a port of your choice, and here: ssh -L 5006:localhost:5006 MACHINE. It answers only
    to its own address and to the names given with --host, so that no web site can read it through
    your browser.

    \b
    sweep browse results/temperature_supply.zarr
    sweep browse results/temperature_supply.zarr --port 5006 --no-open
    sweep browse results/before.zarr results/after.zarr
    sweep browse results/temperature_supply.zarr --save study.html
    """  # noqa: D301 # \b tells click to keep the lines
    if len(stores) > MAX_STORES:
        raise click.UsageError(f"{len(stores)} stores are given, and {MAX_STORES} can be compared")
    if save is not None:
        _save(stores, save, force=force)
        return
    from ..browse.server import BrowseServer, open_in_browser

    server = BrowseServer(*stores, address=address, port=port, names=hosts)

    def ready(url: str) -> None:
        if server.listens_widely:
            click.echo(
                f"WARNING: the page listens on {address or 'all addresses'}, beyond this machine; "
                "WHOEVER REACHES IT CAN READ THE STORE (an ssh tunnel to 127.0.0.1 is safer)",
                err=True,
            )
        shown = " and ".join(map(str, stores))
        verb = "is" if len(stores) == 1 else "are"
        click.echo(f"{shown} {verb} shown at {' and '.join(server.urls)}; stop with Ctrl-C")
        if not no_open:
            open_in_browser(url)

    server.run(ready)


def _save(stores: "tuple[Location, ...]", name: str, *, force: bool) -> None:
    """Write the page of a store to a file."""
    from marsdisk.io.out_file import OutFile

    from ..browse.saved import saved
    from ..browse.study import Study

    if len(stores) > 1:
        raise click.UsageError("--save takes one store")
    file = OutFile.from_name(name, ["html"], force=force)
    content, remarks = saved(Study.of(stores[0]).moment)
    with file.messages():
        with file.writing() as target:
            target.write(content.encode())
        for remark in remarks:
            click.echo(f"note: {remark}")
        message(f"written to {file}")
