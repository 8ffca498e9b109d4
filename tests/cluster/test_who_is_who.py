"""Processes of one host name and one number, as in containers, are told apart by unique names."""

import json
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock
import pytest
from dask_processes import DaskProcesses
from drivers import BLOCKS
from gate import Gate
from small_sweeps import SCRIPTS, assert_same_bits, environment
from waiting import Driver, wait_for, wait_for_blocks

import sweep
from sweep.store import identity, lease
from sweep.store.folder import Folder
from sweep.store.lease import _lives, _machine

#: Before anything of ours is imported: this process is number 7 on a host named node, as another
#: one is.
SEVENTH = """
import os, socket, sys
os.getpid = lambda: 7
socket.gethostname = lambda: "node"
from pathlib import Path
from sweep.store import identity
from sweep.store.folder import Folder
store = Folder(sys.argv[1])
def tell(words):
    print(words, flush=True)
    sys.stdin.readline()
"""
IN_NAMESPACES = (
    "unshare",
    "--fork",
    "--pid",
    "--mount-proc",
    "--uts",
    "sh",
    "-c",
    'hostname node && exec "$@"',
    "sh",
)


def _namespaces_work() -> bool:
    if shutil.which("unshare") is None:
        return False
    return (
        subprocess.run([*IN_NAMESPACES, "true"], capture_output=True, check=False).returncode == 0
    )


Seventh = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def seventh(tmp_path: Path) -> Iterator[Seventh]:
    """Return a function that starts a process, number 7 on the host node, to run a script.

    The script follows :data:`SEVENTH`.
    """
    started: list[subprocess.Popen[str]] = []

    def start(script: str) -> "subprocess.Popen[str]":
        words = [sys.executable, "-c", SEVENTH + script, str(tmp_path / "s.zarr")]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(words, text=True, **pipes))  # type: ignore[call-overload]
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def line_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    assert line, process.communicate()
    return line


@pytest.mark.skipif(not _namespaces_work(), reason="needs rights to make namespaces (unshare)")
@pytest.mark.faults("two workers have one host name and one process number, as containers do")
def test_workers_of_one_host_name_and_one_number_are_two(
    tmp_path: Path, long_file: Path, undisturbed: Path
) -> None:
    store = tmp_path / "s.zarr"
    file = tmp_path / "named.yaml"
    content = json.loads(long_file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**content, "provenance": {"host": True}}), encoding="utf-8")
    with DaskProcesses(tmp_path) as dask:
        for name in ("one", "other"):
            dask.add_worker(name, before=IN_NAMESPACES, inside={"sleep": 0.3})
        dask.wait_for_workers(2)
        words = [
            str(SCRIPTS / "sweep"),
            "run",
            str(file),
            "--store",
            str(store),
            "--scheduler",
            dask.address,
        ]
        done = subprocess.run(
            words,
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert f"{BLOCKS} of {BLOCKS} runs done, 0 failed" in done.stdout
    assert_same_bits(store, undisturbed)
    workers = set(sweep.open_store(store).worker.values.tolist())
    assert len(workers) == 2
    assert {worker.rpartition(":")[0] for worker in workers} == {"node:1"}


def test_what_two_drivers_of_one_number_make_does_not_meet(
    seventh: Seventh, tmp_path: Path
) -> None:
    make = (
        "def files():\n"
        "    tell(' '.join(sorted(path.name for path in store.path.parent.iterdir())))\n"
        "    {}yield 'zarr.json', b'{{}}'\n"
        "store.create(files())"
    )
    first = seventh(make.format("raise SystemExit(3)\n    "))
    alone = line_of(first)
    second = seventh(make.format(""))
    names = [alone, *(name for name in line_of(second).split() if name != alone)]
    assert len(set(names)) == 2
    assert all(re.fullmatch(r"\.s\.zarr\.making-[0-9a-f]{12}-\d+", name) for name in names)
    first.communicate("\n")
    assert first.returncode == 3
    assert not (tmp_path / names[0]).exists()
    assert (tmp_path / names[1]).is_dir()
    _, complaints = second.communicate("\n")
    assert (second.returncode, complaints) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["s.zarr"]


def test_notes_that_two_drivers_of_one_number_write_at_once_are_whole(
    seventh: Seventh, tmp_path: Path
) -> None:
    write = (
        "tell('ready')\nfor number in range(400):\n    store.note_write('heartbeat',"
        " identity.process_name().encode() * 5000)\n"
    )
    writers = [seventh(write), seventh(write)]
    for writer in writers:
        line_of(writer)
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    location = Folder(str(tmp_path / "s.zarr"))
    while any(writer.poll() is None for writer in writers):
        note = location.note_read("heartbeat") or b""
        assert note == note[:12] * (len(note) // 12)
        assert len(note) in {0, 12 * 5000}
    assert [(writer.returncode, writer.communicate()[1]) for writer in writers] == [
        (0, ""),
        (0, ""),
    ]
    assert [path.name for path in tmp_path.iterdir()] == [".s.zarr.heartbeat"]


def test_processes_of_one_number_have_names_of_their_own_forked_ones_too(seventh: Seventh) -> None:
    tell = "tell(identity.recorded_process())"
    names = [line_of(seventh(tell)), line_of(seventh(tell)), identity.recorded_process()]
    if "fork" in multiprocessing.get_all_start_methods():
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writer, identity.recorded_process().encode())
            os._exit(0)
        os.waitpid(child, 0)
        names.append(os.read(reader, 1000).decode())
        os.close(reader)
        os.close(writer)
    assert [name.rpartition(":")[0] for name in names[:2]] == ["node:7", "node:7"]
    assert len({name.rpartition(":")[2] for name in names}) == len(names)


def test_marks_are_never_used_twice() -> None:
    marks = [identity.unique_mark() for _ in range(1000)]
    assert len(set(marks)) == len(marks)
    assert {mark.partition("-")[0] for mark in marks} == {identity.process_name()}


def holder(**changes: object) -> dict[str, object]:
    return {
        "pid": os.getpid(),
        "host": "node",
        "machine": _machine(),
        "id": "0" * 32,
        **changes,
    }


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace the machine's folder for temporary files."""
    monkeypatch.setattr(lease.tempfile, "gettempdir", lambda: str(tmp_path))
    return tmp_path


@pytest.mark.skipif(_machine() is None, reason="this system does not name its start")
def test_the_number_of_a_process_that_lives_is_no_sign_of_the_holder_of_a_lease(
    temporary: Path,
) -> None:
    assert _lives(holder()) is None
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(_machine() is None, reason="this system does not name its start")
@pytest.mark.parametrize(
    "changes",
    [
        {"machine": "another"},
        {"machine": None},
        {"id": "../../etc/passwd"},
        {"id": 7},
        {"id": None},
    ],
)
def test_of_a_holder_elsewhere_or_made_up_nothing_is_known(
    temporary: Path, changes: dict[str, object]
) -> None:
    (temporary / f"sweep-lease-{'0' * 32}.lock").touch()
    assert _lives(holder(**changes)) is None


@pytest.mark.skipif(_machine() is None, reason="this system does not name its start")
def test_the_lock_of_the_holder_of_a_lease_tells_whether_it_lives(temporary: Path) -> None:
    file = temporary / f"sweep-lease-{'0' * 32}.lock"
    with filelock.FileLock(file):
        assert _lives(holder(pid=1)) is True
    file.touch()
    for _ in range(2):  # to look changes nothing
        assert _lives(holder()) is False


def test_notes_of_drivers_name_their_process(
    tmp_path: Path,
    long_file: Path,
    start: Callable[..., Driver],
    gate: Gate,
) -> None:
    store = tmp_path / "s.zarr"
    gate.close_at(1)
    driver = start(long_file, store, 0, inside=gate.settings(store))
    wait_for_blocks(store, 1, driver)
    paths = [tmp_path / f".s.zarr.{note}" for note in ("driver", "heartbeat")]
    wait_for(lambda: all(path.exists() for path in paths), driver)
    notes = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    assert {note["pid"] for note in notes} == {driver.pid}
    names = {note["process"] for note in notes}
    assert len(names) == 1
    assert re.fullmatch("[0-9a-f]{12}", names.pop())
