"""Whether client, scheduler and workers are of one mind: the same versions, and the same store, which all of them can write."""

import functools
import hashlib
import json
import os
import platform
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marsdisk import model_version

from .errors import ClusterError, StorageOutageError
from .store.failures import reason, storage_errors
from .store.identity import process_name, recorded_process
from .store.place import Folder, Place

if TYPE_CHECKING:
    from distributed import Client

#: What must agree, in the order it is named. Python only to its minor version: bytecode, not bug
#: fixes.
PACKAGES = ("numpy", "numba", "zarr", "dask", "distributed")
PROBE = "probe"  # note beside the store
ANSWER_SECONDS = 120.0  # for all workers to answer; importing on a slow shared disk takes its time
STORAGE_SECONDS = 90.0  # of these, for the object store to answer a worker
# for it to answer a worker that joins later, which does nothing else meanwhile
JOINING_SECONDS = 5.0


@functools.cache
def _sources() -> str:
    """Digest of our own sources: drivers and workers send each other objects of these classes."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _environment() -> dict[str, str]:
    """Versions of this process that a result or a message between processes depends on."""
    return {
        "marsdisk": model_version(),
        "sweep": _sources(),
        "python": ".".join(platform.python_version_tuple()[:2]),
        **{name: version(name) for name in PACKAGES},
    }


class Probe:
    """What a worker is compared with; sent to each, those that join later too."""

    def __init__(self, store: str) -> None:
        self.store, self.id, self.expected = store, uuid.uuid4().hex, _environment()

    def problem(self, *, answer: bool = False) -> str:
        """What is wrong with the process that this runs in, empty if nothing; with ``answer`` a note is left for the driver to find."""
        different = differences(self.expected, _environment())
        return different or self._storage_problem(answer)

    def _storage_problem(self, answer: bool) -> str:
        place = Place.of(self.store).within(STORAGE_SECONDS if answer else JOINING_SECONDS)
        try:
            if place.note_read(f"{PROBE}-{self.id}") != self.id.encode():
                return f"does not see what the driver wrote beside {place}"
            mine = f"{PROBE}-{self.id}-{process_name()}"
            place.note_write(mine, recorded_process().encode())
            if not answer:
                place.note_delete(mine)
            if isinstance(place, Folder) and not os.access(
                place.path / "status", os.W_OK | os.X_OK
            ):
                return f"may not write into {place}"
        except StorageOutageError as error:
            # a worker that joins meanwhile is fit, and its blocks are tried again
            return str(error.problem) if answer else ""
        except storage_errors() as error:
            return f"cannot write beside {place}: {reason(error)}"
        return ""


def differences(expected: Mapping[str, str], found: Mapping[str, str]) -> str:
    """In words, empty if there are none."""
    return ", ".join(
        f"{name} {found.get(name) or 'missing'} instead of {of}"
        for name, of in expected.items()
        if found.get(name) != of
    )


_CURES = {
    "version": (
        "give all of them the same environment (pip install the same version of marsdisk with the"
        " same constraints.txt) and start them anew"
    ),
    "store": (
        "put the store where all machines see it under the same name and may write it (a shared"
        " disk, or --store s3://...)"
    ),
}


def raise_disagreement(problems: Mapping[str, str]) -> None:
    """Raise ClusterError that names who differs, in what, and the cure; nothing if ``problems`` is empty."""
    if problems:
        kinds = dict.fromkeys(
            "version" if " instead of " in words or " missing" in words else "store"
            for words in problems.values()
        )
        lines = [f"  {who}: {words}" for who, words in problems.items()]
        raise ClusterError(
            "\n".join(
                [
                    "these do not agree with the driver; nothing was started:",
                    *lines,
                    *(_CURES[kind] for kind in kinds),
                ]
            )
        )


@contextmanager
def probing(store: str) -> Iterator[Probe]:
    """A probe whose note stands beside the store until the context ends."""
    probe = Probe(store)
    place = Place.of(store)
    place.note_write(f"{PROBE}-{probe.id}", probe.id.encode())
    try:
        yield probe
    finally:
        with suppress(*storage_errors()):
            place.note_delete(f"{PROBE}-{probe.id}")


def check_agreement(client: "Client", probe: Probe) -> None:
    """Check versions of scheduler and workers, then that each worker and the driver see what the other writes.

    Raises
    ------
    ClusterError
        With a line for everyone that differs.
    """
    hosts = {
        address: f"worker {info['name']} on {_host(address)}"
        for address, info in client.scheduler_info(n_workers=-1)["workers"].items()
    }
    raise_disagreement(_version_problems(client, probe, hosts))
    look = _by_value(probe)
    try:
        answers = client.sync(client._run, look, on_error="return", callback_timeout=ANSWER_SECONDS)
        scheduler = client.run_on_scheduler(_by_value(probe, versions_only=True))
    except TimeoutError:
        raise ClusterError(
            f"not all of {len(hosts)} workers have answered within {ANSWER_SECONDS:.0f} s; stop"
            " those that hang"
        ) from None
    problems = {f"scheduler on {_host(_scheduler(client))}": scheduler} if scheduler else {}
    place = Place.of(probe.store)
    for address, answer in answers.items():
        who = hosts.get(address, f"worker {address}")
        process, problem = (
            answer
            if isinstance(answer, tuple)
            else ("", f"cannot be asked: {type(answer).__name__}: {answer}")
        )
        note = f"{PROBE}-{probe.id}-{process.rpartition(':')[2]}"
        if not problem and place.note_read(note) != process.encode():
            problem = f"writes another {place} than the driver sees"
        place.note_delete(note)
        if problem:
            problems[f"{who} ({process.partition(':')[0]})" if process else who] = problem
    raise_disagreement(problems)


def _scheduler(client: "Client") -> str:
    scheduler: Any = client.scheduler
    return str(scheduler.address)


def _host(address: str) -> str:
    return address.partition("://")[2].rpartition(":")[0]


def _version_problems(client: "Client", probe: Probe, hosts: Mapping[str, str]) -> dict[str, str]:
    """Found without sending any code, which another Python could not even read."""
    found: Any = client.sync(
        client._get_versions, packages=list(PACKAGES), callback_timeout=ANSWER_SECONDS
    )
    everyone = {f"scheduler on {_host(_scheduler(client))}": found["scheduler"]}
    everyone |= {
        hosts.get(address, address): answer for address, answer in found["workers"].items()
    }
    expected = {
        name: of for name, of in probe.expected.items() if name not in {"marsdisk", "sweep"}
    }
    problems = {}
    for who, answer in everyone.items():
        python = ".".join(dict(answer["host"])["python"].split(".")[:2])
        problems[who] = differences(expected, {**answer["packages"], "python": python})
    return {who: words for who, words in problems.items() if words}


def _by_value(probe: Probe, *, versions_only: bool = False) -> Callable[[], Any]:
    """A function that needs none of our modules to be read: where they are missing, it says so."""
    settings = json.dumps({"store": probe.store, "id": probe.id, "expected": probe.expected})

    def look() -> Any:
        import json
        import socket

        given = json.loads(settings)
        try:
            from sweep import agreement
        except ImportError as error:
            problem = f"marsdisk missing ({error})"
            return problem if versions_only else (socket.gethostname(), problem)
        mine = agreement.Probe.__new__(agreement.Probe)
        mine.store, mine.id, mine.expected = given["store"], given["id"], given["expected"]
        if versions_only:
            mine.expected.pop("sweep")  # a scheduler passes our messages on unread
            return agreement.differences(mine.expected, agreement._environment())
        # which older versions do not have
        process = getattr(agreement, "recorded_process", socket.gethostname)
        return process(), mine.problem(answer=True)

    return look
