"""Codecs, chunks, shards and block sizes on the real arrays of a sweep.

``python -m tests.benchmarks.storage [--write]``

Every layout is written block by block as :func:`sweep.store.writer.write_block` does, all arrays of
a block at once. Times are of the processor, of all threads of the process: files stay in the disk's
cache, so that nothing else is waited for, and other programs do not count. The layouts take turns
in every repeat.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import zarr
import zarr.api.asynchronous
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, Crc32cCodec, GzipCodec, ZstdCodec

from sweep.store import layout
from sweep.store.coroutines import run_coroutine
from sweep.store.store import Store

from .page import PERFORMANCE, publish, table
from .studies import run_study

RUNS = 2048
REPEATS = 3
PACKED = "scalars"

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Layout:
    """Layout on disk of arrays along ``run``."""

    title: str
    #: runs that are written at a time: a chunk, or a shard where ``inner`` is given
    block: int = 256
    inner: int | None = None  #: runs in a chunk of a shard
    codec: Any = BloscCodec(cname="lz4", clevel=5, shuffle="shuffle")
    pack: bool = False  #: all scalars of a type in one array (run, name)


OURS = Layout("**ours**: Blosc lz4-5 shuffle, chunk of a block of 256")


def blosc(name: str, level: int, shuffle: str) -> Layout:
    return Layout(
        f"Blosc {name}-{level} {shuffle}",
        codec=BloscCodec(cname=name, clevel=level, shuffle=shuffle),
    )  # type: ignore[arg-type]


CODECS = (
    OURS,
    Layout("no compression", codec=None),
    blosc("lz4", 1, "shuffle"),
    blosc("lz4", 5, "bitshuffle"),
    blosc("lz4hc", 5, "shuffle"),
    *(blosc("zstd", level, "shuffle") for level in (1, 3, 9)),
    blosc("zstd", 3, "bitshuffle"),
    Layout("zstd-3, no shuffle (Zarr's default is zstd-0)", codec=ZstdCodec(level=3)),
    Layout("gzip-5", codec=GzipCodec(level=5)),
)
LAYOUTS = (
    OURS,
    *(replace(OURS, title=f"chunk of a block of {n}", block=n) for n in (64, 1024)),
    replace(OURS, title="chunk of one run", inner=0),
    *(
        replace(OURS, title=f"shard of a block of {n}, chunks of {inner}", block=n, inner=inner)
        for n, inner in ((256, 16), (256, 64), (1024, 16))
    ),
    replace(OURS, title="block of 256, scalars of a type in one array", pack=True),
)


class Measured(NamedTuple):
    """Figures of one layout; times in s."""

    bytes: int
    files: int
    write: float
    read: float
    one_run: float
    one_scalar: float
    one_series: float


def real_arrays(runs: int) -> Arrays:
    """Run a sweep of the study's kind and read its arrays along ``run``.

    Texts are few bytes and left out.
    """
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "study.zarr"
        run_study(folder, store, runs)
        opened = Store.open(store)
        names = [
            variable.name
            for variable in layout.variables(shared_grid=True)
            if variable.dtype != "str"
        ]
        return {name: opened.rows(name, slice(runs)) for name in names}


def packed(arrays: Arrays) -> Arrays:
    """Put the scalars of each type side by side."""
    together = {name: values for name, values in arrays.items() if values.ndim > 1}
    for kind in {values.dtype for values in arrays.values() if values.ndim == 1}:
        together[f"{PACKED}_{kind}"] = np.stack(
            [values for values in arrays.values() if values.ndim == 1 and values.dtype == kind],
            axis=1,
        )
    return together


def make(store: Path, arrays: Arrays, how: Layout) -> None:
    group = zarr.open_group(store, mode="w", zarr_format=3)
    for name, values in arrays.items():
        inner = values.shape[1:]
        chunk = how.block if how.inner is None else max(how.inner, 1)
        # as the writer: scalars are not worth it
        compressed = [how.codec] if how.codec is not None and values.ndim > 1 else []
        group.create_array(
            name,
            shape=values.shape,
            chunks=(chunk, *inner),
            shards=(how.block, *inner) if how.inner else None,
            dtype=values.dtype,
            fill_value=np.nan if values.dtype.kind == "f" else 0,
            compressors=[*compressed, Crc32cCodec()],
            dimension_names=("run", *(f"of_{name}_{i}" for i in range(len(inner)))),
        )


async def write(store: Path, arrays: Arrays, block: int) -> None:
    opened = await asyncio.gather(
        *(zarr.api.asynchronous.open_array(store=store, path=name, mode="r+") for name in arrays)
    )
    (runs,) = {len(values) for values in arrays.values()}
    for start in range(0, runs, block):
        part = slice(start, start + block)
        await asyncio.gather(
            *(
                array.setitem(part, values[part])
                for array, values in zip(opened, arrays.values(), strict=True)
            )
        )


def processor_seconds(call: Callable[[], object]) -> float:
    begin = time.process_time()
    call()
    return time.process_time() - begin


def measure(arrays: Arrays, how: Layout) -> Measured:
    scalar = "M_loss"
    if how.pack:
        arrays = packed(arrays)
        scalar = f"{PACKED}_float64"
    runs = len(arrays[scalar])
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "s.zarr"
        make(store, arrays, how)
        written = processor_seconds(lambda: run_coroutine(write(store, arrays, how.block)))

        def opened() -> Any:
            return zarr.open_group(store, mode="r", zarr_format=3)

        def everything() -> None:
            group = opened()
            for name, values in arrays.items():
                assert np.array_equal(group[name][:], values, equal_nan=values.dtype.kind == "f")

        def one_run() -> None:
            group = opened()
            for name in arrays:
                group[name][runs // 2]

        files = [path for path in store.rglob("*") if path.is_file() and path.name != "zarr.json"]
        read = [
            processor_seconds(call)
            for call in (
                everything,
                one_run,
                lambda: opened()[scalar][:],
                lambda: opened()["Sigma"][:],
            )
        ]
        return Measured(sum(path.stat().st_size for path in files), len(files), written, *read)


def rows(arrays: Arrays, layouts: Sequence[Layout], repeats: int) -> list[list[str]]:
    runs = len(arrays["M_loss"])
    size = sum(values.nbytes for values in arrays.values())
    tries: list[list[Measured]] = [[] for _ in layouts]
    for repeat in range(repeats):
        for how, measured in zip(layouts, tries, strict=True):
            if repeat == 0 or how.inner != 0:  # a file per run and array takes minutes
                measured.append(measure(arrays, how))
    best = [Measured(*map(min, zip(*measured, strict=True))) for measured in tries]
    return [
        [
            how.title,
            f"{least.bytes / runs:.0f}",
            f"{least.files / runs * 1e6:.0f}",
            f"{size / least.write / 1e6:.0f}",
            f"{least.write / best[0].write:.2f}",
            f"{size / least.read / 1e6:.0f}",
            f"{1e3 * least.one_run:.1f}",
            f"{1e3 * least.one_scalar:.1f}",
            f"{1e3 * least.one_series:.1f}",
        ]
        for how, least in zip(layouts, best, strict=True)
    ]


HEAD = (
    "layout",
    "bytes per run",
    "files per million runs",
    "write [MB/s]",
    "time to write over ours",
    "read [MB/s]",
    "one run, all variables [ms]",
    "one number of all runs [ms]",
    "one series of all runs [ms]",
)


def lines(
    runs: int = RUNS,
    repeats: int = REPEATS,
    codecs: Sequence[Layout] = CODECS,
    layouts: Sequence[Layout] = LAYOUTS,
) -> list[str]:
    arrays = real_arrays(runs)
    size = sum(values.nbytes for values in arrays.values()) / runs
    return [
        (
            f"{runs} runs of the study, {len(arrays)} arrays, {size:.0f} bytes per run before"
            " compression (to which the rates refer)."
        ),
        "",
        *table(HEAD, rows(arrays, codecs, repeats)),
        "",
        *table(HEAD, rows(arrays, layouts, repeats)),
    ]


if __name__ == "__main__":
    publish("storage", PERFORMANCE, lines)
