"""The part of the command ``sweep`` that deals with clusters: where workers come from, and drivers that live elsewhere."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from marsdisk.commands import OK, command, print_whole, set_option, terminal
from marsdisk.errors import ConfigError

from .cli_options import FILE, PLACE, STORE

if TYPE_CHECKING:
    from .profiles import Scheduler, Source
    from .store.place import Place

F = TypeVar("F", bound=Callable[..., Any])

_SCHEDULER = [
    click.option(
        "--scheduler",
        metavar="ADDRESS",
        help="A running Dask scheduler, tcp://HOST:PORT or tls://HOST:PORT.",
    ),
    *(
        click.option(f"--tls-{part}", type=click.Path(), help=f"{what} (PEM), for tls://.")
        for part, what in (
            ("ca", "Certificate of the authority that both sides trust"),
            ("cert", "Own certificate"),
            ("key", "Its private key"),
        )
    ),
]
_WORKERS = [
    click.option(
        "--workers",
        type=click.IntRange(0, 4096),
        help="Worker processes; 0 runs in this one. Default: one per core.",
    ),
    *_SCHEDULER,
    click.option(
        "--cluster",
        metavar="PROFILE",
        help="A file of configs/clusters/, by name, or a path: SLURM, PBS, Kubernetes, local.",
    ),
    click.option(
        "--dry-run",
        is_flag=True,
        help="With --cluster: print the job script or manifest and start nothing.",
    ),
]


def _adding(options: list[Any]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


#: Decorators; a command passes what they add on to :func:`source_of` or :func:`scheduler_of`.
worker_options = _adding(_WORKERS)
scheduler_options = _adding(_SCHEDULER)


def scheduler_of(
    scheduler: str, tls_ca: str | None, tls_cert: str | None, tls_key: str | None
) -> "Scheduler":
    """The scheduler that options name."""
    from .profiles import Scheduler, Tls

    files = {"--tls-ca": tls_ca, "--tls-cert": tls_cert, "--tls-key": tls_key}
    missing = [name for name, file in files.items() if file is None]
    if len(missing) == 3:
        return Scheduler(scheduler)
    if missing:
        raise ConfigError(
            [f"{' and '.join(missing)} missing: encryption takes all three of {', '.join(files)}"],
            "command line",
        )
    return Scheduler(scheduler, Tls(ca=str(tls_ca), cert=str(tls_cert), key=str(tls_key)))


def source_of(
    workers: int | None,
    scheduler: str | None,
    tls_ca: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    cluster: str | None,
    dry_run: bool,
) -> "Source":
    """Where workers come from, as options say; prints what --cluster would submit and exits if it is only asked for that.

    Raises
    ------
    ConfigError
        The options contradict each other.
    """
    from .profiles import load_profile, usable_cores

    given = {"--workers": workers, "--scheduler": scheduler, "--cluster": cluster}
    several = [name for name, value in given.items() if value is not None]
    if len(several) > 1:
        raise ConfigError(
            [f"{' and '.join(several)} exclude each other: workers come from one place; keep one"],
            "command line",
        )
    if dry_run and cluster is None:
        raise ConfigError(
            [
                "--dry-run prints what --cluster PROFILE would submit; sweep plan FILE says what a"
                " sweep would do"
            ],
            "command line",
        )
    if scheduler is None and (tls_ca or tls_cert or tls_key):
        raise ConfigError(
            [
                "--tls-ca, --tls-cert and --tls-key belong to --scheduler; a profile has a"
                " section tls"
            ],
            "command line",
        )
    if scheduler is not None:
        return scheduler_of(scheduler, tls_ca, tls_cert, tls_key)
    if cluster is not None:
        profile = load_profile(cluster)
        if dry_run:
            from .jobs import script

            print_whole(script(profile).removesuffix("\n"))
            raise click.exceptions.Exit(OK)
        return profile
    return usable_cores() if workers is None else workers


@click.command()
@FILE
@click.option(
    "--store",
    type=PLACE,
    help=(
        "Where results go: a folder that all machines see, or a URL.  [default: results/NAME.zarr]"
    ),
)
@scheduler_options
@set_option
@command
def submit(
    file: Path, store: "Place | None", overrides: dict[str, Any], scheduler: str | None, **tls: Any
) -> None:
    """Hand the sweep in FILE to a cluster, which drives it to its end; this machine may then be switched off.

    All cases are checked here, and workers are compared with this machine, before anything is
    handed over. A driver that dies with its machine is replaced by another one that goes on.

    \b
    sweep submit my_sweep.yaml --scheduler tcp://head:8786 --store /shared/my_sweep.zarr
    sweep watch /shared/my_sweep.zarr
    """
    from .spec import load_sweep
    from .store.place import Place
    from .submit import submit as hand_over

    if scheduler is None:
        raise ConfigError(
            ["--scheduler ADDRESS is missing: a driver needs a cluster that outlives this command"],
            "command line",
        )
    to = scheduler_of(scheduler, **tls)
    sweep = load_sweep(file, overrides)
    place = store or Place.of(f"results/{sweep.spec.name}.zarr")
    id = hand_over(sweep, place, to)
    if id is None:
        click.echo(f"{place}: everything is committed already; nothing was submitted")
        return
    click.echo(
        f"submitted {sweep.spec.name}, id {id}, to {to.address}; this machine is not needed any"
        " more"
    )
    click.echo(f"next: sweep watch {place}, sweep status {place}, sweep cancel {place}")


@click.command()
@STORE
@click.option(
    "--patience",
    type=click.FloatRange(1.0),
    default=120.0,
    show_default=True,
    help="Seconds without any sign of a driver, then give up.",
)
@command
def watch(store: "Place", patience: float) -> None:
    """Follow the driver of STORE, from anywhere that sees the store, and end with the exit code that the sweep ends with.

    Reads only the store and the driver's note beside it. Ctrl-C ends the watching, not the sweep.

    \b
    sweep watch /shared/my_sweep.zarr
    """
    from .follow import follow

    sys.exit(follow(store, patience, terminal()))


@click.command()
@STORE
@click.option(
    "--patience",
    type=click.FloatRange(1.0),
    default=60.0,
    show_default=True,
    help="Seconds to wait for the driver to end.",
)
@command
def cancel(store: "Place", patience: float) -> None:
    """Ask the driver of STORE, wherever it runs, to stop; what is committed stays.

    It ends like a sweep that Ctrl-C stops, and sweep resume or submit goes on.
    """
    from .follow import cancel as stop

    sys.exit(stop(store, patience, terminal()))


CLUSTER = (submit, watch, cancel)
