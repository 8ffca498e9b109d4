"""Run a sweep from a script or a notebook."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from marsdisk.common.errors import ConfigError
from marsdisk.common.text import shown
from marsdisk.report.terminal import terminal

from ..browse.dashboard import dashboard_page
from ..common.errors import Interrupted, TooManyFailures
from ..report.ending import finish, interrupted, too_many_failed
from ..running.progress import Allowance, Tally
from ..running.session import run_sweep
from ..store.locate import default_location, locate
from ..workers.profiles import OpenClient, Source
from .definition import Sweep, read
from .notebook import is_notebook, progress_bar
from .store import Store
from .workers import number_of_workers

if TYPE_CHECKING:
    from distributed import Client


def run(  # noqa: PLR0913 - the options, by name
    sweep: Sweep | str | Path,
    store: str | Path | None = None,
    *,
    workers: int | None = None,
    client: "Client | None" = None,
    extend: bool = False,
    retry_failed: bool = False,
    max_failures: int | str | None = None,
    on_progress: Callable[[Tally], None] | None = None,
    quiet: bool = False,
) -> Store:
    """Compute the runs of a sweep that its store does not have yet; call it again to resume.

    It works in a notebook, in a script without ``if __name__ == "__main__":``, and inside a running
    event loop. Ctrl-C, or "interrupt" in a notebook, stops it after the runs that are being
    computed; committed results stay.

    Parameters
    ----------
    sweep : Sweep or str or Path
        The sweep, or its file.
    store : str or Path, optional
        Folder or URL of the store; by default ``results/NAME.zarr``.
    workers : int, optional
        Worker processes on this machine; by default one per core. 0 runs everything in this
        process.
    client : distributed.Client, optional
        Use the workers of this client instead. It stays open.
    extend : bool
        Whether to add new runs of the sweep to a store that exists.
    retry_failed : bool
        Whether to run failed runs again.
    max_failures : int or str, optional
        Stop when more runs than this have failed: a number, or a share of the finished runs, such
        as ``"5%"``.
    on_progress : callable, optional
        Called before the first block and after each block, instead of showing progress. Its
        argument is always the same :class:`sweep.running.progress.Tally`, whose ``runs``, ``done``,
        ``failed``, and ``seconds`` grow.
    quiet : bool
        Whether to print nothing.

    Returns
    -------
    Store
        The store. Some of its runs may have failed (``store.failed()``), and expectations of the
        sweep may not hold (``store.expectations()``).

    Raises
    ------
    ConfigError
        A case cannot run; the message has a line for each problem.
    StoreError
        The store belongs to another plan, is in use by another driver, or cannot be written.
    ClusterError
        There are no workers.
    TooManyFailures
        More runs failed than ``max_failures`` allows.
    KeyboardInterrupt
        The sweep was interrupted.

    Examples
    --------
    >>> store = sweep.run("configs/sweeps/temperature_supply.yaml", workers=4)
    >>> store.disk_total().M_loss
    """
    definition = read(sweep).definition
    location = default_location(definition.spec.name) if store is None else locate(store)
    console = Console(quiet=True) if quiet else terminal()
    again = "the same call"
    if on_progress is None and is_notebook() and not quiet:
        on_progress = progress_bar()
    try:
        _, tally = run_sweep(
            definition,
            location,
            workers=_source(workers, client),
            console=console,
            extending=extend,
            retry_failed=retry_failed,
            allowed=_allowance(max_failures),
            dashboard_page=dashboard_page,
            on_progress=on_progress,
        )
    except (Interrupted, KeyboardInterrupt):
        interrupted(location, again, console)
        raise KeyboardInterrupt from None
    except TooManyFailures as stopped:
        options = {"retry": "with retry_failed=True", "allow": "max_failures"}
        too_many_failed(location, stopped, definition, again, console, **options)
        raise
    finish(location, definition, tally, console)
    return Store.open(location)


def _source(workers: int | None, client: "Client | None") -> Source:
    """Return where workers come from."""
    if client is None:
        return number_of_workers(workers)
    if workers is not None:
        problem = "workers and client exclude each other: workers come from one place; keep one"
        raise ConfigError([problem], "sweep.run")
    return OpenClient(client)


def _allowance(max_failures: int | str | None) -> Allowance | None:
    """Return how many runs may fail."""
    if max_failures is None:
        return None
    try:
        return Allowance(str(max_failures))
    except ValueError:
        problem = f"max_failures = {shown(max_failures)}: must be a number of runs, such as 10,"
        raise ConfigError([f"{problem} or a percentage, such as '5%'"], "sweep.run") from None
