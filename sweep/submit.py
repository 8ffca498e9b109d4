"""A sweep whose driver lives on the cluster: a Dask task starts it as a process of its own and stands by until it has ended.

The driver is ``sweep resume STORE --scheduler ADDRESS``, so that it is all that any driver is, and
outlives the worker process that started it. Where its machine dies with it, Dask runs the task
again on another worker. A task that finds it has been begun before hands over to a new one, because
Dask counts the deaths of workers against a task and would give it up; and whoever finds the store
locked waits. The store's lock alone decides who drives.
"""

import json
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

from marsdisk.commands import BAD_INPUT, CHECK_FAILED, INTERRUPTED, OK, SOME_FAILED

from .agreement import check_agreement, probing
from .cluster import connect, naming_loss
from .errors import ClusterError, StoreError
from .heartbeat import CANCEL, CANCELLED, HEARTBEAT, STOPPED, SUBMISSION, read_note
from .plan import make_plan
from .profiles import Scheduler, Tls, expected_workers
from .rounds import may_go_on
from .session import blocks_to_run, prepare_store
from .spec import Sweep
from .store import reader
from .store.failures import storage_errors
from .store.identity import this_process, unique_mark
from .store.lock import driving, this_driver
from .store.place import Folder, Place
from .watchdog import Limits

STANDBY_SECONDS = 2.0  # between two looks whether the store's driver has ended
DEATHS = 5  # of drivers under one task, before it is given up
# what may be otherwise a moment later
PASSING = ("is driving this sweep", "no scheduler answers at")
CONNECTIONS = 10  # to the scheduler that a task tries, half a minute each


@dataclass(frozen=True)
class Request:
    """What a driver on the cluster is asked for."""

    id: str
    store: str
    tls: Tls | None
    turn: int = 0

    @property
    def key(self) -> str:
        return f"sweep-driver-{self.id}-{self.turn}"


def submit(sweep: Sweep, store: str | Place, scheduler: Scheduler) -> str | None:
    """Hand ``sweep`` to the cluster of ``scheduler``; its id, or None where everything is committed already.

    Raises
    ------
    ConfigError, StoreError, ClusterError
        As :func:`sweep.session.run_sweep`, before anything is handed over.
    """
    given = Place.of(store)
    plan = make_plan(sweep, expected_workers(scheduler))
    if not given.is_shared:
        raise StoreError(
            f"{given}: workers cannot see into this process's memory; use a store elsewhere"
        )
    place = Place.of(given.path.absolute()) if isinstance(given, Folder) else given
    with driving(place):
        plan = prepare_store(plan, place)
        if not blocks_to_run(plan, reader.open_group(place)) and not may_go_on(plan, place):
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
        with probing(str(place)) as probe:
            check_agreement(client, probe)
        request = Request(uuid.uuid4().hex[:12], str(place), scheduler.tls)
        place.note_delete(HEARTBEAT)
        place.note_write(
            SUBMISSION,
            json.dumps(
                {**this_driver(), "id": request.id, "scheduler": scheduler.address}
            ).encode(),
        )
        future = client.submit(drive, request, key=request.key, pure=False)
        fire_and_forget(future)
        client.sync(client.scheduler.identity)  # what was sent before it has arrived
    return request.id


def drive(request: Request) -> None:
    """The task: take care that the sweep has a driver until it ends."""
    secede()  # this worker takes blocks, too
    place = Place.of(request.store)
    if not place.note_create(f"{SUBMISSION}-{request.id}-{request.turn}", unique_mark().encode()):
        _hand_over(place, replace(request, turn=request.turn + 1))
        return
    try:
        _stand_by(place, request)
    except storage_errors() as error:
        _record(place, f"the store cannot be read any more: {error}")
    for turn in range(request.turn + 1):
        place.note_delete(f"{SUBMISSION}-{request.id}-{turn}")
    if read_note(place, SUBMISSION).get("id") == request.id:
        place.note_delete(SUBMISSION)


def _hand_over(place: Place, successor: Request) -> None:
    """Let another task take care of the sweep, also where the scheduler is not found for a while."""
    for _ in range(CONNECTIONS):
        try:
            fire_and_forget(get_client().submit(drive, successor, key=successor.key, pure=False))
        except OSError as error:
            problem = str(error)
            time.sleep(STANDBY_SECONDS)
        else:
            return
    _record(
        place,
        f"the scheduler cannot be reached from {this_process()['host']}: {problem}; submit again",
    )


def _stand_by(place: Place, request: Request) -> None:
    for _ in range(DEATHS):
        while not _is_free(place):
            time.sleep(STANDBY_SECONDS)
        if _has_ended(place, request):
            return
        code, words = _driven(request)
        beat = read_note(place, HEARTBEAT)
        if code in {OK, SOME_FAILED, CHECK_FAILED} or (
            code == INTERRUPTED and beat.get("state") == CANCELLED
        ):
            return
        if code == BAD_INPUT and not any(passing in words for passing in PASSING):
            if beat.get("state") != STOPPED:
                _record(place, words)
            return
        time.sleep(STANDBY_SECONDS)  # it was killed, or told to end because its machine does
    what = (
        f"the last of {DEATHS} drivers in a row said: {words}"
        if words
        else f"{DEATHS} drivers in a row were killed"
    )
    _record(place, f"{what}; look at {this_process()['host']}, then submit again")


def _is_free(place: Place) -> bool:
    try:
        with driving(place):
            return True
    except StoreError:
        return False


def _has_ended(place: Place, request: Request) -> bool:
    beat = read_note(place, HEARTBEAT)
    cancel = read_note(place, CANCEL)
    if cancel.get("id") in (request.id, beat.get("id", request.id)):
        place.note_delete(CANCEL)
        _record(place, "", CANCELLED, INTERRUPTED)
        return True
    counts = reader.counts(place)
    return beat.get("state") in (CANCELLED, STOPPED) or not counts.is_open


def _driven(request: Request) -> tuple[int, str]:
    """Exit code of a driver, and the end of what it complained of."""
    worker: Any = get_worker()
    words = [
        sys.executable,
        "-m",
        "sweep.cli",
        "resume",
        request.store,
        "--scheduler",
        worker.scheduler.address,
        *_certificates(worker, request),
    ]
    with tempfile.TemporaryFile() as complaints:
        driver = subprocess.Popen(  # noqa: S603
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            start_new_session=True,
        )
        code = driver.wait()
        complaints.seek(0)
        return code, complaints.read()[-2000:].decode(errors="replace").strip()


def _certificates(worker: Any, request: Request) -> Sequence[str]:
    """The worker's own ones: the files of whoever submitted may be on another machine."""
    security = worker.security
    files = [security.tls_ca_file, security.tls_worker_cert, security.tls_worker_key]
    if not worker.scheduler.address.startswith("tls://"):
        return []
    if not all(files) and request.tls is not None:
        files = [request.tls.ca, request.tls.cert, request.tls.key]
    return [
        word
        for name, file in zip(("--tls-ca", "--tls-cert", "--tls-key"), files, strict=True)
        for word in (name, str(file))
    ]


def _record(place: Place, error: str, state: str = STOPPED, code: int = BAD_INPUT) -> None:
    """Say in the heartbeat's place how it ended."""
    content = {
        **read_note(place, HEARTBEAT),
        **this_driver(),
        "id": uuid.uuid4().hex,
        "state": state,
        "exit_code": code,
        "error": error,
    }
    with suppress(*storage_errors()):
        place.note_write(HEARTBEAT, json.dumps({**content, "at": content["since"]}).encode())
