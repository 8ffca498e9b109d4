"""Our store against Icechunk, Zarr in a format of its own with transactions, on the same blocks.

``pip install icechunk``, then ``python -m tests.benchmarks.transactions [--write]``. Arrays, chunks
and codecs are the same; what differs is who makes a block of them appear at once. Ours writes the
commit record last and looks twice whether it still may; Icechunk makes a commit of each block.
"""

import asyncio
import multiprocessing
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import icechunk
import numpy as np
import xarray
import zarr
import zarr.api.asynchronous

from sweep.store.coroutines import run_coroutine
from sweep.store.fence import CommittedAlreadyError, Fence
from sweep.store.folder import Folder
from sweep.store.writer import BlockGuard, _staged, _Staging

from .page import ROOT, publish, table
from .storage import OURS, Arrays, make, real_arrays

STORES = ROOT / "docs" / "stores.md"
RUNS = 2048
BLOCK = 256
REPEATS = 3
RACES = 20
KILLS = 20
RECORD = "status"
UID = "the store of this benchmark"
PLAN = "the plan of this benchmark"


@dataclass(frozen=True)
class DelayedGuard(BlockGuard):
    """Guard of a block that calls a function at the end of a commit."""

    first: Callable[[], None]

    async def refuse_late(self) -> None:
        self.first()
        await super().refuse_late()


class Ours:
    """A folder of Zarr, whose blocks are fenced and committed as the writer does it."""

    title = "ours: plain Zarr"

    def __init__(self, path: Path) -> None:
        self.path = path

    def make(self, arrays: Arrays) -> None:
        make(self.path, arrays, OURS)
        group = zarr.open_group(self.path, mode="r+")
        group.update_attributes({"uid": UID, "plan_digest": PLAN})

    def group(self) -> Any:
        return zarr.open_group(self.path, mode="r", zarr_format=3)

    def write(
        self, arrays: Arrays, rows: slice, before_record: Callable[[], None] = lambda: None
    ) -> None:
        """Write a block; CommittedAlreadyError if another one has."""
        run_coroutine(self._write(arrays, rows, before_record))

    async def _write(self, arrays: Arrays, rows: slice, before_record: Callable[[], None]) -> None:
        location = Folder(str(self.path))
        fence = Fence(UID, PLAN)
        guard = DelayedGuard(location, fence, range(rows.start, rows.stop), 1, False, before_record)
        await BlockGuard.refuse_late(guard)
        names = [*(name for name in arrays if name != RECORD), RECORD]
        store = self.path
        open_array = zarr.api.asynchronous.open_array
        opened = await asyncio.gather(
            *(open_array(store=store, path=name, mode="r+") for name in names)
        )
        staging = _Staging(opened[-1].store_path.store)
        pairs = zip(names, opened, strict=True)
        await asyncio.gather(
            *(_staged(a, staging).setitem(rows, arrays[n][rows]) for n, a in pairs)
        )
        await location.commit(staging.chunks, f"{RECORD}/", guard)


class Icechunk:
    """A repository of Icechunk, a commit for each block."""

    title = f"Icechunk {icechunk.__version__}"

    def __init__(self, path: Path) -> None:
        self.path = path

    def _storage(self) -> Any:
        return icechunk.local_filesystem_storage(str(self.path))

    def make(self, arrays: Arrays) -> None:
        session = icechunk.Repository.create(self._storage()).writable_session("main")
        make(session.store, arrays, OURS)
        session.commit("empty arrays")

    def group(self) -> Any:
        store = icechunk.Repository.open(self._storage()).readonly_session("main").store
        return zarr.open_group(store, mode="r", zarr_format=3)

    def write(
        self, arrays: Arrays, rows: slice, before_record: Callable[[], None] = lambda: None
    ) -> None:
        """Write and commit a block; CommittedAlreadyError if another one has."""
        session = icechunk.Repository.open(self._storage()).writable_session("main")
        run_coroutine(self._write(session.store, arrays, rows))
        before_record()
        try:
            session.commit(
                f"runs {rows.start} to {rows.stop}", rebase_with=icechunk.ConflictDetector()
            )
        except (icechunk.ConflictError, icechunk.RebaseFailedError) as error:
            raise CommittedAlreadyError(str(error)) from error

    async def _write(self, store: Any, arrays: Arrays, rows: slice) -> None:
        opened = await asyncio.gather(
            *(
                zarr.api.asynchronous.open_array(store=store, path=name, mode="r+")
                for name in arrays
            )
        )
        writes = [
            array.setitem(rows, arrays[name][rows])
            for name, array in zip(arrays, opened, strict=True)
        ]
        await asyncio.gather(*writes)


KINDS: tuple[type[Ours] | type[Icechunk], ...] = (Ours, Icechunk)


def blocks(runs: int) -> Iterator[slice]:
    for first in range(0, runs, BLOCK):
        yield slice(first, first + BLOCK)


def write_some(kind: Any, path: Path, arrays: Arrays, mine: Sequence[slice], begin: Any) -> None:
    """Write blocks as soon as all processes are ready, in a process of its own."""
    begin.wait()
    for rows in mine:
        kind(path).write(arrays, rows)


def seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def processes(
    count: int, target: Callable[..., None], arguments: Callable[[int], tuple[Any, ...]]
) -> list[Any]:
    """Run functions in processes that begin together; their exit codes."""
    context = multiprocessing.get_context("spawn")
    begin = context.Barrier(count)
    started = [context.Process(target=target, args=(*arguments(i), begin)) for i in range(count)]
    for process in started:
        process.start()
    for process in started:
        process.join()
    return [process.exitcode for process in started]


@dataclass(frozen=True)
class Size:
    """Contents of a folder on the disk."""

    files: int
    bytes: int

    @classmethod
    def measure(cls, path: Path) -> "Size":
        files = [file for file in path.rglob("*") if file.is_file()]
        return cls(len(files), sum(file.stat().st_size for file in files))


def check_contents(store: Any, arrays: Arrays) -> None:
    group = store.group()
    for name, values in arrays.items():
        assert np.array_equal(group[name][:], values, equal_nan=values.dtype.kind == "f"), name


def lost_blocks(store: Any, arrays: Arrays) -> int:
    """Count the blocks that are reported as committed and are not there."""
    record = store.group()[RECORD][:]
    return sum(
        not np.array_equal(record[rows], arrays[RECORD][rows]) for rows in blocks(len(record))
    )


def write_all(store: Any, arrays: Arrays) -> None:
    for rows in blocks(len(arrays[RECORD])):
        store.write(arrays, rows)


def race(kind: Any, path: Path, arrays: Arrays, sign: float, begin: Any) -> None:
    """Write the first block, with values that name the writer, while another process does so."""
    mine = {
        name: values if name == RECORD else np.full_like(values, sign)
        for name, values in arrays.items()
    }
    try:
        kind(path).write(mine, slice(0, BLOCK), begin.wait)
    except CommittedAlreadyError:
        raise SystemExit(3) from None


def raced(kind: Any, folder: Path, arrays: Arrays) -> str:
    """Let two processes commit one block at the same moment."""
    refused = mixed = lost = unexpected = 0
    for i in range(RACES):
        path = folder / f"race-{i}"
        kind(path).make(arrays)
        codes = processes(
            2, race, lambda process, path=path: (kind, path, arrays, float(process + 1))
        )
        unexpected += len(set(codes) - {0, 3})
        refused += codes.count(3)
        group = kind(path).group()
        writers = {
            float(group[name][0].ravel()[0])
            for name in arrays
            if name != RECORD and arrays[name].dtype.kind == "f"
        }
        mixed += len(writers) > 1
        lost += not np.array_equal(group[RECORD][:BLOCK], arrays[RECORD][:BLOCK])
        shutil.rmtree(path)
    return (
        f"{refused} refused, {mixed} blocks of both, {lost} lost, {unexpected} errors of other"
        " kinds"
    )


def killed_in(kind: Any, path: Path, arrays: Arrays, begin: Any) -> None:
    """Write the second block and die right before it is committed."""
    begin.wait()
    kind(path).write(arrays, slice(BLOCK, 2 * BLOCK), lambda: os.kill(os.getpid(), signal.SIGKILL))


def killed(kind: Any, folder: Path, arrays: Arrays) -> str:
    """Kill a writer again and again, then write the block."""
    path = folder / "killed"
    store = kind(path)
    store.make(arrays)
    store.write(arrays, slice(0, BLOCK))
    before = Size.measure(path)
    seen = 0
    for _ in range(KILLS):
        (code,) = processes(1, killed_in, lambda process: (kind, path, arrays))
        assert code == -signal.SIGKILL
        seen += bool(np.any(store.group()[RECORD][BLOCK : 2 * BLOCK]))
    after = Size.measure(path)
    store.write(arrays, slice(BLOCK, 2 * BLOCK))
    end = Size.measure(path)
    left = end.bytes - (2 * before.bytes)
    shutil.rmtree(path)
    return (
        f"{seen} of {KILLS} seen as committed; {(after.bytes - before.bytes) / 1e6:.1f} MB left,"
        f" {max(left, 0) / 1e6:.1f} MB after the block was written"
    )


def read_plainly(path: Path) -> str:
    """Read with xarray and nothing else."""
    try:
        with xarray.open_zarr(path, consolidated=False, chunks=None) as dataset:
            return f"{len(dataset.data_vars)} arrays"
    except (OSError, ValueError, KeyError) as error:
        return f"no: {type(error).__name__}"


def measure(kind: Any, arrays: Arrays, folder: Path) -> dict[str, str]:
    """Measure one kind of store."""
    size = sum(values.nbytes for values in arrays.values())
    halves = [list(blocks(len(arrays[RECORD])))[half::2] for half in range(2)]
    alone = []
    in_parallel = []
    reading = []
    lost = 0
    for i in range(REPEATS):
        store = kind(folder / f"alone-{i}")
        store.make(arrays)
        alone.append(seconds(lambda store=store: write_all(store, arrays)))
        check_contents(store, arrays)
        reading.append(seconds(lambda store=store: check_contents(store, arrays)))
        path = folder / f"together-{i}"
        kind(path).make(arrays)
        begin = time.perf_counter()
        codes = processes(2, write_some, lambda half, path=path: (kind, path, arrays, halves[half]))
        in_parallel.append(time.perf_counter() - begin)
        assert codes == [0, 0]
        lost += lost_blocks(kind(path), arrays)
    path = folder / "alone-0"
    on_disk = Size.measure(path)
    count = len(arrays[RECORD]) / BLOCK
    return {
        "a block written and committed, one process [ms]": f"{1e3 * min(alone) / count:.0f}",
        "rate, one process [MB/s]": f"{size / min(alone) / 1e6:.0f}",
        "two processes, each its own blocks, with their start [s]": f"{min(in_parallel):.2f}",
        f"of {REPEATS} x {count:.0f} blocks that two processes have committed so, lost": f"{lost}",
        "everything read [ms]": f"{1e3 * min(reading):.0f}",
        "files": f"{on_disk.files}",
        "bytes [MB]": f"{on_disk.bytes / 1e6:.1f}",
        f"two processes commit one block at the same moment, {RACES} times": raced(
            kind, folder, arrays
        ),
        f"a writer killed before its commit, {KILLS} times": killed(kind, folder, arrays),
        "read by xarray without further packages": read_plainly(path),
    }


def lines() -> list[str]:
    arrays = dict(real_arrays(RUNS))
    arrays = {name: values[:RUNS] for name, values in arrays.items()}
    size = sum(values.nbytes for values in arrays.values()) / RUNS
    with tempfile.TemporaryDirectory() as folder:
        columns = [measure(kind, arrays, Path(folder, kind.__name__)) for kind in KINDS]
    rows = []
    for quantity in columns[0]:
        rows.append([quantity, *(column[quantity] for column in columns)])
    words = (
        f"{RUNS} runs of the study in blocks of {BLOCK}, {len(arrays)} arrays, {size:.0f} bytes per"
        " run before compression."
    )
    return [words, "", *table(["", *(kind.title for kind in KINDS)], rows)]


if __name__ == "__main__":
    publish("transactions", STORES, lines)
