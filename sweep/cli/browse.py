"""The command that shows a store in a browser."""

from typing import TYPE_CHECKING

import click

from marsdisk.cli.program import command

from .options import STORE

if TYPE_CHECKING:
    from ..store.location import Location


@click.command()
@STORE
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
    store: "Location", *, port: int, address: str, hosts: tuple[str, ...], no_open: bool
) -> None:
    """Show STORE in a browser, even while its sweep runs.

    There are views of maps, tables, series, size distributions, caches, and provenance. The page
    is served until Ctrl-C, only to this machine unless --address says otherwise. It changes
    nothing and loads nothing from elsewhere. For a store on another machine, start it there with a
    port of your choice, and here: ssh -L 5006:localhost:5006 MACHINE.

    The page answers only to its own address and to the names given with --host, so that no web
    site can read it through your browser.

    \b
    sweep browse results/temperature_supply.zarr
    sweep browse results/temperature_supply.zarr --port 5006 --no-open
    """  # noqa: D301 # \b tells click to keep the lines
    from ..browse.server import BrowseServer, open_in_browser

    server = BrowseServer(store, address=address, port=port, names=hosts)

    def ready(url: str) -> None:
        if server.listens_widely:
            click.echo(
                f"WARNING: the page listens on {address or 'all addresses'}, beyond this machine; "
                "WHOEVER REACHES IT CAN READ THE STORE (an ssh tunnel to 127.0.0.1 is safer)",
                err=True,
            )
        click.echo(f"{store} is shown at {' and '.join(server.urls)}; stop with Ctrl-C")
        if not no_open:
            open_in_browser(url)

    server.run(ready)
