"""The part of the command ``sweep`` that deals with clusters: where workers come from, and drivers that live elsewhere."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from marsdisk.commands import OK
from marsdisk.errors import ConfigError

if TYPE_CHECKING:
    from .profiles import Scheduler, Source

F = TypeVar("F", bound=Callable[..., Any])

_SCHEDULER = [
    click.option("--scheduler", metavar="ADDRESS", help="A running Dask scheduler, tcp://HOST:PORT or tls://HOST:PORT."),
    *(
        click.option(f"--tls-{part}", type=click.Path(), help=f"{what} (PEM), for tls://.")
        for part, what in (("ca", "Certificate of the authority that both sides trust"), ("cert", "Own certificate"), ("key", "Its private key"))
    ),
]
_WORKERS = [
    click.option("--workers", type=click.IntRange(0, 4096), help="Worker processes; 0 runs in this one. Default: one per core."),
    *_SCHEDULER,
    click.option("--cluster", metavar="PROFILE", help="A file of configs/clusters/, by name, or a path: SLURM, PBS, Kubernetes, local."),
    click.option("--dry-run", is_flag=True, help="With --cluster: print the job script or manifest and start nothing."),
]


def _adding(options: list[Any]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


#: Decorators; a command passes what they add on to :func:`source_of` or :func:`scheduler_of`.
worker_options, scheduler_options = _adding(_WORKERS), _adding(_SCHEDULER)


def scheduler_of(scheduler: str, tls_ca: str | None, tls_cert: str | None, tls_key: str | None) -> "Scheduler":
    """The scheduler that options name."""
    from .profiles import Scheduler, Tls

    files = {"--tls-ca": tls_ca, "--tls-cert": tls_cert, "--tls-key": tls_key}
    missing = [name for name, file in files.items() if file is None]
    if len(missing) == 3:
        return Scheduler(scheduler)
    if missing:
        raise ConfigError([f"{' and '.join(missing)} missing: encryption takes all three of {', '.join(files)}"], "command line")
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
    from .plan import usable_cores
    from .profiles import load_profile

    given = {"--workers": workers, "--scheduler": scheduler, "--cluster": cluster}
    several = [name for name, value in given.items() if value is not None]
    if len(several) > 1:
        raise ConfigError([f"{' and '.join(several)} exclude each other: workers come from one place; keep one"], "command line")
    if dry_run and cluster is None:
        raise ConfigError(["--dry-run prints what --cluster PROFILE would submit; sweep plan FILE says what a sweep would do"], "command line")
    if scheduler is None and (tls_ca or tls_cert or tls_key):
        raise ConfigError(["--tls-ca, --tls-cert and --tls-key belong to --scheduler; a profile has a section tls"], "command line")
    if scheduler is not None:
        return scheduler_of(scheduler, tls_ca, tls_cert, tls_key)
    if cluster is not None:
        profile = load_profile(cluster)
        if dry_run:
            from .jobs import script

            click.echo(script(profile), nl=False)
            raise click.exceptions.Exit(OK)
        return profile
    return usable_cores() if workers is None else workers
