"""Disks that fill up or can no longer be written, and damaged files of a store."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from faults import Fault, committed, doctor_is_clean
from gate import Gate
from small_sweeps import assert_same_bits, command
from waiting import Driver, wait_for, wait_for_end

from sweep.store.store import Store

Start = Callable[..., Driver]

DISK = 64_000_000  # bytes


def mount(*words: object) -> None:
    """Mount, or skip the test where one may not."""
    done = subprocess.run(["mount", *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mount: {done.stderr.strip()}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a small disk."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", folder)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.faults("the disk fills up in the middle")
def test_disk_full(
    small_disk: Path,
    many_file: Path,
    whole: Path,
    start: Start,
    gate: Gate,
    fault: Fault,
) -> None:
    store = small_disk / "s.zarr"
    filler = small_disk / "something_else"
    gate.close_at(5)
    driver = start(many_file, store, 2, inside=gate.settings(store))
    wait_for(lambda: committed(store) >= 5, driver)
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    gate.open()
    out, err, code = wait_for_end(driver)
    fault.ended(out, err, code, expected=2)
    fault.message(err, "No space left on device; free space")
    assert 5 <= Store.open(store).counts().blocks_committed < Store.open(store).counts().blocks
    filler.unlink()
    fault.recovered(many_file, store, whole)


@pytest.mark.faults("the store becomes read-only in the middle")
def test_store_made_read_only(
    tmp_path: Path,
    many_file: Path,
    whole: Path,
    start: Start,
    gate: Gate,
    fault: Fault,
) -> None:
    store = tmp_path / "s.zarr"
    gate.close_at(5)
    driver = start(many_file, store, 2, inside=gate.settings(store))
    wait_for(lambda: committed(store) >= 5, driver)
    if os.geteuid() == 0:  # whom no file's mode keeps from writing
        mount("--bind", "-o", "ro", store, store)
        undo = ["umount", "-l", str(store)]
        reason = "Read-only file system; "
    else:
        subprocess.run(["chmod", "-R", "a-w", str(store)], check=True)
        undo = ["chmod", "-R", "u+w", str(store)]
        reason = "Permission denied; "
    try:
        gate.open()
        out, err, code = wait_for_end(driver)
    finally:
        subprocess.run(undo, check=True)
    fault.ended(out, err, code, expected=2)
    fault.message(err, reason)
    assert 5 <= Store.open(store).counts().blocks_committed < Store.open(store).counts().blocks
    fault.recovered(many_file, store, whole)


@pytest.fixture
def finished(tmp_path: Path, whole: Path) -> Path:
    """Copy a finished store, to be damaged."""
    return Path(shutil.copytree(whole, tmp_path / "s.zarr"))


def cut(store: Path, array: str) -> None:
    """Leave half of the array's second block."""
    folder = store / array / "c"
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    chunks = [path for path in paths if "1" in path.relative_to(folder).parts]
    content = chunks[0].read_bytes()
    chunks[0].write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize("array", ["M_loss", "Sigma", "N", "worker"])
@pytest.mark.faults("a chunk of {array} is cut short before its block is committed")
def test_a_cut_chunk_of_an_uncommitted_block(
    finished: Path,
    many_file: Path,
    whole: Path,
    fault: Fault,
    array: str,
) -> None:
    (finished / "status" / "c" / "1").unlink()
    cut(finished, array)
    fault.recovered(many_file, finished, whole)


@pytest.mark.parametrize("array", ["M_loss", "status"])
@pytest.mark.faults("a chunk of {array} is cut short after its block was committed")
def test_a_cut_chunk_of_a_committed_block(
    finished: Path,
    many_file: Path,
    whole: Path,
    fault: Fault,
    array: str,
) -> None:
    cut(finished, array)
    done = command(
        "sweep", "run", many_file, "--store", finished, "--workers", 0, cwd=finished.parent
    )
    fault.ended(done.stdout, done.stderr, done.returncode, expected=2)
    fault.message(done.stderr, rf"s\.zarr: {array} is damaged")
    diagnosed = command("sweep", "doctor", finished, cwd=finished.parent)
    repaired = command("sweep", "doctor", finished, "--repair", cwd=finished.parent)
    assert diagnosed.returncode == 1
    assert array in diagnosed.stdout
    assert repaired.returncode == 1, "its block is to be computed again"
    fault.recovered(many_file, finished, whole)
    fault.outcome.again = f"after sweep doctor --repair: {fault.outcome.again}"


@pytest.mark.faults("the store was written with a schema that is no longer read")
def test_an_older_schema(finished: Path, many_file: Path, whole: Path, fault: Fault) -> None:
    path = finished / "zarr.json"
    original = path.read_bytes()
    content = json.loads(original)
    content["attributes"]["schema_version"] = 0
    path.write_text(json.dumps(content), encoding="utf-8")
    before = {file: file.read_bytes() for file in finished.rglob("*") if file.is_file()}
    for words in (
        ["run", many_file, "--store", finished],
        ["resume", finished],
        ["status", finished],
        ["show", finished],
    ):
        done = command("sweep", *words, cwd=finished.parent)
        fault.ended(done.stdout, done.stderr, done.returncode, expected=2)
        fault.message(
            done.stderr,
            r"has schema 0, this program reads 1 to 3; read it with the version that wrote it",
        )
    assert before == {file: file.read_bytes() for file in finished.rglob("*") if file.is_file()}
    path.write_bytes(original)
    assert_same_bits(finished, whole)
    fault.outcome.again = f"refused, nothing is changed{doctor_is_clean(finished)}"
