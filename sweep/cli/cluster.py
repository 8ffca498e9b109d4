"""Commands and options for clusters: where workers come from, and drivers on a cluster."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from marsdisk.cli.logs import message
from marsdisk.cli.options import set_option
from marsdisk.cli.program import command, print_whole
from marsdisk.common.errors import ConfigError
from marsdisk.common.exit_codes import OK
from marsdisk.report.terminal import terminal

from ..common.command import Command
from ..workers import MAX_LOCAL_WORKERS
from .options import FILE, LOCATION, STORE

if TYPE_CHECKING:
    from ..store.location import Location
    from ..workers.profiles import Scheduler, Source

F = TypeVar("F", bound=Callable[..., Any])

_SCHEDULER = [
    click.option(
        "--scheduler",
        metavar="ADDRESS",
        help="A running Dask scheduler, tcp://HOST:PORT or tls://HOST:PORT.",
    ),
    click.option(
        "--tls-ca",
        type=click.Path(),
        help="CA certificate that both sides trust (PEM), for tls://.",
    ),
    click.option(
        "--tls-cert", type=click.Path(), help="Certificate of this machine (PEM), for tls://."
    ),
    click.option(
        "--tls-key", type=click.Path(), help="Private key of that certificate (PEM), for tls://."
    ),
]
_WORKERS = [
    click.option(
        "--workers",
        type=click.IntRange(0, MAX_LOCAL_WORKERS),
        help="Worker processes; 0 runs everything in this process.  [default: one per core]",
    ),
    *_SCHEDULER,
    click.option(
        "--cluster",
        metavar="PROFILE",
        help="Name of a file in configs/clusters/, or a path: SLURM, PBS, Kubernetes, local.",
    ),
    click.option(
        "--dry-run",
        is_flag=True,
        help="With --cluster: print the job script or manifest and start nothing.",
    ),
]


def _add_options(options: list[Any]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


#: Decorators; a command passes the options they add to :func:`source_of` or :func:`scheduler_of`.
worker_options = _add_options(_WORKERS)
scheduler_options = _add_options(_SCHEDULER)


def scheduler_of(
    scheduler: str, tls_ca: str | None, tls_cert: str | None, tls_key: str | None
) -> "Scheduler":
    """Return the scheduler that the options name.

    Parameters
    ----------
    scheduler : str
        Its address.
    tls_ca, tls_cert, tls_key : str or None
        Paths of the certificates; all or none.

    Raises
    ------
    ConfigError
        Some of the certificates are missing.
    """
    from ..workers.profiles import Scheduler, Tls

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
    *,
    workers: int | None,
    scheduler: str | None,
    tls_ca: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    cluster: str | None,
    dry_run: bool,
) -> "Source":
    """Return where workers come from, or with ``dry_run`` print what would be submitted and exit.

    Parameters
    ----------
    workers : int or None
        Number of local processes; 0 for this process.
    scheduler : str or None
        Address of a running scheduler.
    tls_ca, tls_cert, tls_key : str or None
        Paths of the certificates for it; all or none.
    cluster : str or None
        Name or path of a profile.
    dry_run : bool
        Whether to print what the profile would submit and exit.

    Raises
    ------
    ConfigError
        The options contradict each other.
    """
    from ..workers.profiles import load_profile, usable_cores

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
                "--dry-run prints what --cluster PROFILE would submit; sweep plan FILE shows what"
                " a sweep would do"
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
            from ..workers.jobs import script

            print_whole(script(profile).removesuffix("\n"))
            raise click.exceptions.Exit(OK)
        return profile
    return usable_cores() if workers is None else workers


@click.command()
@FILE
@click.option(
    "--store",
    type=LOCATION,
    help=(
        "Where results go: a folder that all machines see, or a URL.  [default: results/NAME.zarr]"
    ),
)
@scheduler_options
@set_option
@command
def submit(
    file: Path,
    store: "Location | None",
    overrides: dict[str, Any],
    scheduler: str | None,
    **tls: Any,
) -> None:
    """Hand the sweep in FILE to a cluster; you may switch this machine off afterwards.

    All cases are validated here, and workers are compared with this machine, before the sweep is
    handed over. A driver that dies with its machine is replaced by one that resumes the sweep.

    \b
    sweep submit my_sweep.yaml --scheduler tcp://head:8786 --store /shared/my_sweep.zarr
    sweep watch /shared/my_sweep.zarr
    """  # noqa: D301 # \b tells click to keep the lines
    from ..planning.read_sweep import read_sweep
    from ..running.submit import submit as hand_over
    from ..store.locate import default_location

    if scheduler is None:
        cure = "the driver must run on a cluster that outlives this command"
        raise ConfigError([f"--scheduler ADDRESS is missing: {cure}"], "command line")
    target = scheduler_of(scheduler, **tls)
    sweep = read_sweep(file, overrides)
    location = store or default_location(sweep.spec.name)
    request_id = hand_over(sweep, location, target)
    if request_id is None:
        message(f"{location}: everything is committed already; nothing was submitted")
        return
    click.echo(
        f"submitted {sweep.spec.name}, id {request_id}, to {target.address}; this machine is no"
        " longer needed"
    )
    commands = [str(Command.sweep(verb, location)) for verb in ("watch", "status", "cancel")]
    message(f"next: {', '.join(commands)}")


@click.command()
@STORE
@click.option(
    "--patience",
    type=click.FloatRange(1.0),
    default=120.0,
    show_default=True,
    help="Give up after this many seconds without a heartbeat from the driver.",
)
@command
def watch(store: "Location", patience: float) -> None:
    """Follow the sweep in STORE from anywhere, and end with its exit code.

    Reads only the store and the driver's heartbeat next to it. Ctrl-C stops watching, not the
    sweep.

    \b
    sweep watch /shared/my_sweep.zarr
    """  # noqa: D301 # \b tells click to keep the lines
    from ..report.follow import follow

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
def cancel(store: "Location", patience: float) -> None:
    """Ask the driver of STORE, wherever it runs, to stop; committed results are kept.

    It stops as with Ctrl-C, and sweep resume or submit resumes the sweep.
    """
    from ..report.follow import cancel as stop_driver

    sys.exit(stop_driver(store, patience, terminal()))


CLUSTER = (submit, watch, cancel)
