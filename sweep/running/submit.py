"""Submit a sweep to a cluster: a Dask task starts the driver there and waits until it has ended.

The driver is the process ``sweep resume STORE --scheduler ADDRESS``, like any other driver, and
outlives the worker that started it. If its machine dies, Dask runs the task again on another
worker. A task that was started before hands over to a new one, because Dask counts the deaths of
workers against a task and would give up on it. A task that finds the store locked waits: the lock
alone decides who drives.
"""

import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from distributed import fire_and_forget, get_client, get_worker, secede

from marsdisk.common.exit_codes import BAD_INPUT, CHECK_FAILED, INTERRUPTED, OK, SOME_FAILED

from ..common.errors import ClusterError, StoreError
from ..planning.plan import make_plan
from ..spec.file import Sweep
from ..store.driving import driving
from ..store.driving_right import this_driver
from ..store.failures import storage_errors
from ..store.folder import Folder
from ..store.identity import this_process, unique_mark
from ..store.locate import locate
from ..store.location import Location
from ..store.store import Store
from ..workers.handshake import check_agreement, probing
from ..workers.profiles import Scheduler, Tls, expected_workers
from ..workers.start import connect, naming_loss
from ..workers.watchdog import Limits
from .driver_notes import CANCELLED, STOPPED, Beat, StopRequest, Submission
from .refinement_rounds import may_go_on
from .session import blocks_to_run, prepare_store

STANDBY_SECONDS = 2.0  # between two checks whether the store's driver has ended
MAX_DRIVERS = 5  # under one task, before it gives up
# parts of error messages of drivers that may succeed a moment later
PASSING_ERRORS = ("is driving this sweep", "no scheduler answers at")
MAX_CONNECTIONS = 10  # to the scheduler that a task attempts, half a minute each
MAX_ERROR_BYTES = 2000  # of a driver's error output


@dataclass(frozen=True)
class Request:
    """The request for a driver on the cluster."""

    id: str
    store: str
    tls: Tls | None
    turn: int = 0  #: number of tasks that had this request before

    @property
    def key(self) -> str:
        """Key of the Dask task."""
        return f"sweep-driver-{self.id}-{self.turn}"


def submit(sweep: Sweep, store: str | Location, scheduler: Scheduler) -> str | None:
    """Hand a sweep to a cluster.

    Parameters
    ----------
    sweep : Sweep
        The sweep file, read.
    store : str or Location
        Location of the store, which is created if it does not exist.
    scheduler : Scheduler
        The scheduler of the cluster.

    Returns
    -------
    str or None
        Id of the request; None if everything is committed already.

    Raises
    ------
    ConfigError, StoreError, ClusterError
        As in :func:`sweep.running.session.run_sweep`, before anything is handed over.
    """
    location = locate(store)
    plan = make_plan(sweep, expected_workers(scheduler))
    if not location.is_shared:
        raise StoreError(
            f"{location}: workers cannot see into this process's memory; use a store elsewhere"
        )
    if isinstance(location, Folder):
        # other machines have other working folders
        location = locate(location.path.absolute())
    with driving(location):
        plan = prepare_store(plan, location)
        if not blocks_to_run(plan, Store.open(location)) and not may_go_on(plan, location):
            return None
    limits = Limits.from_config()
    with connect(scheduler, limits.connect) as client, naming_loss(scheduler.address):
        try:
            client.wait_for_workers(1, timeout=limits.no_worker)
        except TimeoutError:
            raise ClusterError(
                f"no worker at {scheduler.address} within {limits.no_worker:.0f} s; start some,"
                " then submit again"
            ) from None
        with probing(str(location)) as probe:
            check_agreement(client, probe)
        request = Request(uuid.uuid4().hex[:12], str(location), scheduler.tls)
        Beat.delete(location)
        submission = Submission(**this_driver(), id=request.id, scheduler=scheduler.address)
        submission.write(location)
        future = client.submit(drive, request, key=request.key, pure=False)
        fire_and_forget(future)
        # an answer means that the task, which was sent before, has arrived
        client.sync(client.scheduler.identity)
    return request.id


def drive(request: Request) -> None:
    """Keep a driver running until the sweep ends; this is the Dask task."""
    # this worker takes blocks, too
    secede()
    location = locate(request.store)
    if not location.note_create(
        f"{Submission.file}-{request.id}-{request.turn}", unique_mark().encode()
    ):
        _hand_over(location, replace(request, turn=request.turn + 1))
        return
    try:
        _stand_by(location, request)
    except storage_errors() as error:
        _record_end(location, f"the store cannot be read any more: {error}")
    for turn in range(request.turn + 1):
        location.note_delete(f"{Submission.file}-{request.id}-{turn}")
    if Submission.read(location).id == request.id:
        Submission.delete(location)


def _hand_over(location: Location, successor: Request) -> None:
    """Submit another task for the sweep, even if the scheduler is not found for a while."""
    for _ in range(MAX_CONNECTIONS):
        try:
            fire_and_forget(get_client().submit(drive, successor, key=successor.key, pure=False))
        except OSError as error:
            problem = str(error)
            time.sleep(STANDBY_SECONDS)
        else:
            return
    _record_end(
        location,
        f"the scheduler cannot be reached from {this_process()['host']}: {problem}; submit again",
    )


def _stand_by(location: Location, request: Request) -> None:
    """Start one driver after the other until the sweep has ended."""
    for _ in range(MAX_DRIVERS):
        while not _is_free(location):
            time.sleep(STANDBY_SECONDS)
        if _has_ended(location, request):
            return
        code, error = _run_driver(request)
        state = Beat.read(location).state
        if code in {OK, SOME_FAILED, CHECK_FAILED}:
            return
        if code == INTERRUPTED and state == CANCELLED:
            return
        if code == BAD_INPUT and not any(passing in error for passing in PASSING_ERRORS):
            if state != STOPPED:
                _record_end(location, error)
            return
        # the driver was killed, or told to end because its machine does
        time.sleep(STANDBY_SECONDS)
    if error:
        problem = f"the last of {MAX_DRIVERS} drivers in a row said: {error}"
    else:
        problem = f"{MAX_DRIVERS} drivers in a row were killed"
    _record_end(location, f"{problem}; look at {this_process()['host']}, then submit again")


def _is_free(location: Location) -> bool:
    try:
        with driving(location):
            return True
    except StoreError:
        return False


def _has_ended(location: Location, request: Request) -> bool:
    """Whether no driver is needed any more; obey a request to cancel."""
    beat = Beat.read(location)
    stop_request = StopRequest.read(location)
    if stop_request.id and stop_request.id in (request.id, beat.id):
        StopRequest.delete(location)
        _record_end(location, "", CANCELLED, INTERRUPTED)
        return True
    counts = Store.open(location).counts()
    return beat.state in (CANCELLED, STOPPED) or not counts.is_open


def _run_driver(request: Request) -> tuple[int, str]:
    """Run a driver to its end; return its exit code and the end of its error output."""
    worker: Any = get_worker()
    command = [
        *(sys.executable, "-m", "sweep", "resume", request.store),
        *("--scheduler", worker.scheduler.address),
        *_certificate_options(worker, request),
    ]
    with tempfile.TemporaryFile() as errors:
        # the command is our own
        driver = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
        code = driver.wait()
        errors.seek(0)
        return code, errors.read()[-MAX_ERROR_BYTES:].decode(errors="replace").strip()


def _certificate_options(worker: Any, request: Request) -> Sequence[str]:
    """Return the options for certificates: the worker's own, or else those of the request.

    The files of the request may be on another machine.
    """
    if not worker.scheduler.address.startswith("tls://"):
        return []
    security = worker.security
    files = [security.tls_ca_file, security.tls_worker_cert, security.tls_worker_key]
    if not all(files) and request.tls is not None:
        files = [request.tls.ca, request.tls.cert, request.tls.key]
    ca, cert, key = map(str, files)
    return ["--tls-ca", ca, "--tls-cert", cert, "--tls-key", key]


def _record_end(
    location: Location, error: str, state: str = STOPPED, code: int = BAD_INPUT
) -> None:
    """Write a last heartbeat that says how the sweep ended."""
    driver = this_driver()
    changes = {
        **driver,
        "at": driver["since"],
        "id": uuid.uuid4().hex,
        "state": state,
        "exit_code": code,
        "error": error,
    }
    with suppress(*storage_errors()):
        last = Beat.read(location).model_dump(exclude_unset=True)
        Beat(**{**last, **changes}).write(location)
