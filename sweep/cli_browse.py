"""The command that shows a store in a browser."""

from typing import TYPE_CHECKING

import click

from marsdisk.commands import command

from .cli_options import STORE

if TYPE_CHECKING:
    from .store.place import Place


@click.command()
@STORE
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port to listen on.  [default: one that is free]",
)
@click.option(
    "--address",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; anybody who reaches it can look at the store.",
)
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help=(
        "Further name to answer to, by which people reach the page, as through a proxy; repeatable."
    ),
)
@click.option("--no-open", is_flag=True, help="Only say where the page is.")
@command
def browse(store: "Place", port: int, address: str, hosts: tuple[str, ...], no_open: bool) -> None:
    """Look at STORE in a browser, also while its sweep runs: map, table, series, size distributions, caches, provenance.

    The page is served by this command until Ctrl-C, to this machine only unless --address says
    otherwise, and changes nothing. Nothing is loaded from elsewhere. For a store on another
    machine: start it there with a port of your choice, and here: ssh -L 5006:localhost:5006
    MACHINE.

    It answers only to the names that it was started for, its own address and those of --host, so
    that no web site can read it through your browser.

    \b
    sweep browse results/temperature_supply.zarr
    sweep browse results/temperature_supply.zarr --port 5006 --no-open
    """
    from .browse.server import BrowseServer, open_in_browser

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
