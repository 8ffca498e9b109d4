"""Check that client, scheduler and workers have the same versions, and can write the same store."""

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

from ..common.errors import ClusterError, StorageOutageError
from ..store.failures import reason, storage_errors
from ..store.folder import Folder
from ..store.identity import process_name, recorded_process
from ..store.locate import locate

if TYPE_CHECKING:
    from distributed import Client

#: Packages whose versions must agree, in the order of messages. Of Python, only the minor version
#: matters (its bytecode).
PACKAGES = ("numpy", "numba", "zarr", "dask", "distributed")
PROBE = "probe"  # name of a note that is kept next to the store
ANSWER_SECONDS = 120.0  # for all workers to answer; they may import from a slow shared disk
STORAGE_SECONDS = 90.0  # of these, for the object store to answer a worker
JOINING_SECONDS = 5.0  # likewise, if a worker joins later: it does nothing else meanwhile


@functools.cache
def _sources() -> str:
    """Return the digest of our sources; drivers and workers exchange objects of these classes."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _environment() -> dict[str, str]:
    """Return the versions that results, and messages between processes, depend on."""
    return {
        "marsdisk": model_version(),
        "sweep": _sources(),
        "python": ".".join(platform.python_version_tuple()[:2]),
        **{name: version(name) for name in PACKAGES},
    }


class Probe:
    """The versions and the store that a worker is compared with; it is sent to each worker."""

    def __init__(self, store: str) -> None:
        self.store = store
        self.id = uuid.uuid4().hex
        self.expected = _environment()

    def problem(self, *, answer: bool = False) -> str:
        """Return what is wrong with the process that this runs in; empty if it agrees.

        Parameters
        ----------
        answer : bool
            Whether to leave a note for the driver next to the store.
        """
        different = differences(self.expected, _environment())
        return different or self._storage_problem(answer=answer)

    def _storage_problem(self, *, answer: bool) -> str:
        location = locate(self.store).within(STORAGE_SECONDS if answer else JOINING_SECONDS)
        try:
            if location.note_read(f"{PROBE}-{self.id}") != self.id.encode():
                return f"does not see what the driver wrote next to {location}"
            note = f"{PROBE}-{self.id}-{process_name()}"
            location.note_write(note, recorded_process().encode())
            if not answer:
                location.note_delete(note)
            if isinstance(location, Folder) and not os.access(
                location.path / "status", os.W_OK | os.X_OK
            ):
                return f"may not write into {location}"
        except StorageOutageError as error:
            # a worker that joins during an outage is fit; its blocks are tried again
            return str(error.problem) if answer else ""
        except storage_errors() as error:
            return f"cannot write next to {location}: {reason(error)}"
        return ""


def differences(expected: Mapping[str, str], versions: Mapping[str, str]) -> str:
    """Return a text about all versions that are not the expected ones; empty if all agree."""
    return ", ".join(
        f"{name} {versions.get(name) or 'missing'} instead of {version_of_driver}"
        for name, version_of_driver in expected.items()
        if versions.get(name) != version_of_driver
    )


_CURES = {
    "version": (
        "give all of them the same environment (pip install the same version of marsdisk with the"
        " same constraints.txt) and restart them"
    ),
    "store": (
        "put the store where all machines see it under the same name and may write it (a shared"
        " disk, or --store s3://...)"
    ),
}


def raise_disagreement(problems: Mapping[str, str]) -> None:
    """Raise an error that names who differs, in what, and the cure; return if nobody differs.

    Parameters
    ----------
    problems : mapping of str to str
        By the name of the process.

    Raises
    ------
    ClusterError
        There are problems.
    """
    if not problems:
        return
    lines = ["these do not agree with the driver; nothing was started:"]
    cures = []
    for process, problem in problems.items():
        lines.append(f"  {process}: {problem}")
        is_version = " instead of " in problem or " missing" in problem
        cures.append(_CURES["version" if is_version else "store"])
    raise ClusterError("\n".join([*lines, *dict.fromkeys(cures)]))


@contextmanager
def probing(store: str) -> Iterator[Probe]:
    """Provide a probe whose note is kept next to the store until the context ends."""
    probe = Probe(store)
    location = locate(store)
    note = f"{PROBE}-{probe.id}"
    location.note_write(note, probe.id.encode())
    try:
        yield probe
    finally:
        with suppress(*storage_errors()):
            location.note_delete(note)


def check_agreement(client: "Client", probe: Probe) -> None:
    """Compare the versions of all processes, and check that workers and driver see one store.

    Parameters
    ----------
    client : Client
        Of the cluster.
    probe : Probe
        The versions and the store of the driver.

    Raises
    ------
    ClusterError
        Somebody differs; one line for each.
    """
    names = {
        address: f"worker {info['name']} on {_host(address)}"
        for address, info in client.scheduler_info(n_workers=-1)["workers"].items()
    }
    raise_disagreement(_version_problems(client, probe, names))
    run_on_workers = client._run  # noqa: SLF001 # no public counterpart with a time limit
    try:
        answers = client.sync(
            run_on_workers, _by_value(probe), on_error="return", callback_timeout=ANSWER_SECONDS
        )
        scheduler_problem = client.run_on_scheduler(_by_value(probe, versions_only=True))
    except TimeoutError:
        raise ClusterError(
            f"not all of {len(names)} workers have answered within {ANSWER_SECONDS:.0f} s; stop"
            " those that hang"
        ) from None
    problems = {}
    if scheduler_problem:
        problems[_scheduler_name(client)] = scheduler_problem
    location = locate(probe.store)
    for address, answer in answers.items():
        name = names.get(address, f"worker {address}")
        if isinstance(answer, tuple):
            process, problem = answer
        else:
            process = ""
            problem = f"cannot be asked: {type(answer).__name__}: {answer}"
        note = f"{PROBE}-{probe.id}-{process.rpartition(':')[2]}"
        if not problem and location.note_read(note) != process.encode():
            problem = f"writes another {location} than the driver sees"
        location.note_delete(note)
        if problem:
            host = process.partition(":")[0]
            problems[f"{name} ({host})" if process else name] = problem
    raise_disagreement(problems)


def _scheduler_name(client: "Client") -> str:
    scheduler: Any = client.scheduler
    return f"scheduler on {_host(str(scheduler.address))}"


def _host(address: str) -> str:
    return address.partition("://")[2].rpartition(":")[0]


def _version_problems(client: "Client", probe: Probe, names: Mapping[str, str]) -> dict[str, str]:
    """Compare versions without sending any code, which another Python could not even read."""
    get_versions = client._get_versions  # noqa: SLF001 # no public counterpart with a time limit
    answers: Any = client.sync(
        get_versions, packages=list(PACKAGES), callback_timeout=ANSWER_SECONDS
    )
    processes = {_scheduler_name(client): answers["scheduler"]}
    for address, answer in answers["workers"].items():
        processes[names.get(address, address)] = answer
    ours = {"marsdisk", "sweep"}
    expected = {
        name: version_of_driver
        for name, version_of_driver in probe.expected.items()
        if name not in ours
    }
    problems = {}
    for name, answer in processes.items():
        python = ".".join(dict(answer["host"])["python"].split(".")[:2])
        problem = differences(expected, {**answer["packages"], "python": python})
        if problem:
            problems[name] = problem
    return problems


def _by_value(probe: Probe, *, versions_only: bool = False) -> Callable[[], Any]:
    """Return a function that runs, and reports the problem, even where our modules are missing."""
    settings = json.dumps({"store": probe.store, "id": probe.id, "expected": probe.expected})

    def find_problem() -> Any:
        import importlib
        import json
        import socket

        fields = json.loads(settings)
        try:
            try:
                from sweep.workers import handshake
            except ImportError:
                # where older versions have it
                handshake = importlib.import_module("sweep.agreement")
        except ImportError as error:
            problem = f"marsdisk missing ({error})"
            return problem if versions_only else (socket.gethostname(), problem)
        probe = handshake.Probe.__new__(handshake.Probe)
        probe.store = fields["store"]
        probe.id = fields["id"]
        probe.expected = fields["expected"]
        if versions_only:
            # a scheduler passes our messages on unread
            probe.expected.pop("sweep")
            versions = handshake._environment()  # noqa: SLF001 # our own module, imported here
            return handshake.differences(probe.expected, versions)
        # older versions do not have it
        process = getattr(handshake, "recorded_process", socket.gethostname)
        return process(), probe.problem(answer=True)

    return find_problem
