"""Compiled kernels, which are code, are read from no folder that somebody else may have filled."""

import logging
import os
import pickle
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from marsdisk import _jit
from marsdisk.common.private_folders import describe_intruders

VICTIM = 65534
STRANGER = 1234
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
as_root = pytest.mark.skipif(not IS_ROOT, reason="only root can give a folder to another user")

USERS_ROOT = "NUMBA_CACHE_DIR"
DEFAULT_ROOT = "XDG_CACHE_HOME"
TEMPORARY_ROOT = "TMPDIR"


def root_of(kind: str, place: Path) -> Path:
    """Return the parent of ``compiled_folder`` for each of the variables that set it."""
    names = {
        USERS_ROOT: "given",
        DEFAULT_ROOT: "cache/marsdisk",
        TEMPORARY_ROOT: f"temporary/marsdisk-{os.getuid()}",
    }
    return place / names[kind]


@pytest.fixture(params=[USERS_ROOT, DEFAULT_ROOT, TEMPORARY_ROOT])
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return one of the roots of compiled kernels, set up as the first that can be used."""
    (tmp_path / "temporary").mkdir(mode=0o700)
    monkeypatch.setattr(_jit.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    monkeypatch.setattr(_jit.tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv(_jit.HANDED_DOWN, "")  # and gone afterwards, whatever a test sets
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    if request.param != TEMPORARY_ROOT:
        first = root_of(request.param, tmp_path)
        monkeypatch.setenv(
            request.param, str(first if request.param == USERS_ROOT else first.parent)
        )
    return root_of(request.param, tmp_path)


def folder_now() -> Path:
    return Path(_jit.compiled_folder.__wrapped__())


def is_private(folder: Path) -> bool:
    status = folder.lstat()
    return (
        stat.S_ISDIR(status.st_mode)
        and status.st_uid == os.geteuid()
        and not status.st_mode & 0o022
    )


def give_away(folder: Path) -> None:
    os.chown(folder, STRANGER, STRANGER)


def let_group_write(folder: Path) -> None:
    folder.chmod(0o770)


def let_all_write(folder: Path) -> None:
    folder.chmod(0o777)


def let_all_write_but_not_remove(folder: Path) -> None:
    folder.chmod(0o1777)


def replace_by_link(folder: Path) -> None:
    target = folder.with_name("elsewhere")
    folder.rename(target)
    give_away(target)
    folder.symlink_to(target)


INTRUSIONS = [
    pytest.param(give_away, marks=as_root),
    let_group_write,
    let_all_write,
    let_all_write_but_not_remove,
    pytest.param(replace_by_link, marks=as_root),
]


def name_of(intrude: Any) -> str:
    return str(getattr(intrude, "__name__", ""))


def test_a_folder_of_ones_own_is_used_and_nobody_else_can_look_into_it(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = folder_now()
    assert folder.parent == root
    assert {stat.S_IMODE(path.stat().st_mode) for path in (root, folder)} == {0o700}
    assert folder_now() == folder
    assert not caplog.records


@pytest.mark.parametrize("intrude", INTRUSIONS, ids=name_of)
def test_kernels_are_not_read_from_a_folder_that_others_may_have_filled(
    root: Path, intrude: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    shared = folder_now()
    (shared / "planted").touch()
    intrude(shared)
    with caplog.at_level(logging.WARNING):
        folder_used = folder_now()
    assert folder_used != shared
    assert is_private(folder_used)
    assert not (folder_used / "planted").exists()
    assert any(str(shared) in record.getMessage() for record in caplog.records)
    assert str(folder_used.parent) in caplog.text


@pytest.mark.parametrize("intrude", INTRUSIONS, ids=name_of)
def test_kernels_are_not_read_below_a_root_that_others_may_have_filled(
    root: Path, intrude: Callable[[Path], None]
) -> None:
    shared = folder_now()
    intrude(root)
    folder_used = folder_now()
    is_closed_again = is_private(root) and describe_intruders(root) == "" and folder_used == shared
    assert is_closed_again or not folder_used.is_relative_to(root.resolve())
    assert is_private(folder_used)
    assert is_private(folder_used.parent)


@pytest.mark.parametrize("root", [TEMPORARY_ROOT], indirect=True)
def test_a_fresh_folder_is_that_of_the_processes_started_from_here_too(root: Path) -> None:
    let_all_write(folder_now())
    fresh = folder_now()
    assert fresh.parent != root
    words = [sys.executable, "-c", "from marsdisk import _jit; print(_jit.compiled_folder())"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(fresh)
    assert done.stderr == ""  # the warning was given once
    assert fresh.exists()


@pytest.mark.parametrize("root", [USERS_ROOT], indirect=True)
def test_a_folder_that_the_user_names_keeps_its_mode(root: Path) -> None:
    root.mkdir(mode=0o770)
    root.chmod(0o770)
    assert folder_now().parent != root
    assert stat.S_IMODE(root.stat().st_mode) == 0o770


@pytest.mark.parametrize("root", [DEFAULT_ROOT, TEMPORARY_ROOT], indirect=True)
def test_a_folder_of_this_program_that_an_open_umask_has_made_is_closed(root: Path) -> None:
    root.mkdir(parents=True)
    root.chmod(0o775)
    assert folder_now().parent == root
    assert stat.S_IMODE(root.stat().st_mode) == 0o755


@pytest.mark.parametrize("root", [USERS_ROOT], indirect=True)
def test_a_link_of_the_users_own_to_a_larger_disk_is_followed(root: Path, tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir(mode=0o700)
    root.symlink_to(tmp_path / "scratch")
    assert folder_now().parent == tmp_path / "scratch"


SCRIPT = """
from marsdisk import _jit

@_jit.kernel
def double(x):
    return 2.0 * x

print(_jit.call_repairing(lambda: double(21.0)))
print(_jit.compiled_folder())
"""


class Payload:
    """Code that runs when it is unpickled, and leaves a file as a trace."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


@dataclass(frozen=True)
class Victim:
    """A user without a home, who runs a kernel."""

    place: Path
    python: str
    path: str

    def run(self, temporary: Path) -> "subprocess.CompletedProcess[str]":
        environment = {"HOME": "/nonexistent", "TMPDIR": str(temporary), "PYTHONPATH": self.path}
        return subprocess.run(
            [self.python, str(self.place / "script.py")],
            env=environment,
            user=VICTIM,
            group=VICTIM,
            extra_groups=[],
            cwd=self.place,
            capture_output=True,
            text=True,
            timeout=300.0,
            check=False,
        )

    def make_temporary(self, name: str) -> Path:
        """Make a folder like /tmp: everybody may write into it, and remove their own files."""
        folder = self.place / name
        folder.mkdir()
        folder.chmod(0o1777)
        return folder


def can_import(python: str, path: str) -> bool:
    words = [python, "-c", "import marsdisk._jit"]
    environment = {"PYTHONPATH": path}
    try:
        subprocess.run(words, env=environment, user=VICTIM, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


@pytest.fixture
def victim() -> Iterator[Victim]:
    """Return another user, with an interpreter that this user may run."""
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    path = os.pathsep.join([str(Path(_jit.__file__).parents[1]), packages])
    name = f"python3.{sys.version_info.minor}"
    candidates = [sys.executable, f"/usr/bin/{name}", f"/usr/local/bin/{name}"]
    python = next((python for python in candidates if can_import(python, path)), None)
    if python is None:
        pytest.skip("no Python that a user without rights may run")
    place = Path(tempfile.mkdtemp(prefix="marsdisk-victim-"))  # pytest's own is for its user only
    place.chmod(0o755)
    (place / "script.py").write_text(SCRIPT, encoding="utf-8")
    yield Victim(place, python, path)
    shutil.rmtree(place)


def plant_payloads(temporary: Path, ready: Path, marker: Path, owner: int) -> None:
    """Create the victim's folder of kernels, with payloads as indexes, as an attacker can."""
    folder = temporary / f"marsdisk-{VICTIM}"
    shutil.copytree(ready / f"marsdisk-{VICTIM}", folder)
    indexes = list(folder.rglob("*.nbi"))
    assert indexes
    for index in indexes:
        index.write_bytes(pickle.dumps(Payload(marker)))
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, owner, owner)


@as_root
@pytest.mark.parametrize("owner", [VICTIM, STRANGER], ids=["of one's own", "of a stranger"])
def test_code_that_another_user_has_planted_is_not_run(victim: Victim, owner: int) -> None:
    ready = victim.make_temporary("ready")
    attacked = victim.make_temporary("attacked")
    first = victim.run(ready)
    assert (first.returncode, first.stderr) == (0, "")
    marker = victim.make_temporary("marks") / "was here"
    plant_payloads(attacked, ready, marker, owner)
    done = victim.run(attacked)
    assert done.returncode == 0, done.stderr
    number, folder = done.stdout.split()
    assert number == "42.0"
    is_from_stranger = owner == STRANGER
    assert marker.exists() != is_from_stranger  # one's own is trusted: the payload is a real one
    assert Path(folder).is_relative_to(attacked / f"marsdisk-{VICTIM}") != is_from_stranger
    assert ("belongs to another user" in done.stderr) == is_from_stranger
    assert not (is_from_stranger and Path(folder).exists())  # a fresh one is gone with its process
