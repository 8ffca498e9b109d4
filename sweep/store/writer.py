"""Creating and extending a store, and writing blocks of runs to it."""

import asyncio
import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.abc.store import Store
from zarr.codecs import BloscCodec, Crc32cCodec, ZstdCodec
from zarr.core.array_spec import ArrayConfigLike
from zarr.core.buffer import Buffer
from zarr.storage import MemoryStore, StorePath, WrapperStore

from marsdisk.result import RunResult

from ..common.command import Command
from ..common.errors import StoreError
from . import layout
from .coroutines import run_coroutine
from .failures import telling
from .fence import Fence, LateBlockError, refuse_committed
from .locate import locate
from .location import Location

#: Chunks are 5 % larger than by zstd at level 3, and packed 16 times faster: with zstd, packing
#: would take a seventh of the time to write a block.
_COMPRESSOR = BloscCodec(cname="lz4", clevel=5, shuffle="shuffle")
#: Rows in a chunk of a coordinate, so that a store that grows in small steps has few chunks.
MIN_CHUNK_ROWS = 4096
MAX_OPEN_ARRAYS = 500
#: A chunk that is all fill value is a file, too, so that a missing file is a lost chunk.
EVERY_CHUNK: ArrayConfigLike = {"write_empty_chunks": True}
#: Attribute of an array that an extension has created and not yet filled for the earlier runs.
UNFILLED = "unfilled"


def _array_of(group: zarr.Group, name: str) -> zarr.Array[Any]:
    """Return an array of a group; StoreError where the name is that of something else."""
    array = group[name]
    if not isinstance(array, zarr.Array):
        raise StoreError(f"{name} is not an array")
    return array


def _fill_value(dtype: np.dtype[Any]) -> Any:
    """Return a fill value for a coordinate, one that no coordinate has if its type allows."""
    if dtype.kind == "f":
        return np.nan
    return np.iinfo(dtype).min if dtype.kind == "i" else None


def _create(
    group: zarr.Group, name: str, data: Any, dim: str, attributes: Mapping[str, Any]
) -> None:
    min_rows = MIN_CHUNK_ROWS if dim == "run" else 1
    group.create_array(
        name,
        data=data,
        chunks=(max(data.shape[0], min_rows),),
        fill_value=_fill_value(data.dtype),
        config=EVERY_CHUNK,
        compressors=[ZstdCodec(), Crc32cCodec()],
        dimension_names=(dim,),
        attributes=dict(attributes),
        overwrite=True,
    )


def _create_along_run(
    group: zarr.Group,
    variable: layout.Variable,
    runs: int,
    block_size: int,
    sizes: Mapping[str, int],
) -> None:
    inner = tuple(sizes[dim] for dim in variable.dims)
    group.create_array(
        variable.name,
        shape=(runs, *inner),
        # a chunk is a block, so that no two writers share a chunk
        chunks=(block_size, *inner),
        dtype=np.dtypes.StringDType() if variable.dtype == "str" else variable.dtype,
        fill_value=variable.fill,
        compressors=[_COMPRESSOR, Crc32cCodec()] if variable.dims else [Crc32cCodec()],
        dimension_names=("run", *variable.dims),
        attributes=dict(variable.attributes),
        overwrite=True,
    )


def coordinate(values: Sequence[Any]) -> NDArray[Any]:
    """Return the values of a swept parameter as an array: of text where they differ in type.

    Parameters
    ----------
    values : sequence
        Values of the parameter; None, for null, is NaN among numbers.

    Returns
    -------
    (len(values),) array
        Of bool, int64, float64 or StringDType.
    """
    kinds = {type(value) for value in values}
    if kinds <= {bool}:
        return np.array(values, dtype=np.bool_)
    if kinds <= {int}:
        return np.array(values, dtype=np.int64)
    if kinds <= {int, float, type(None)}:
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return np.array([str(value) for value in values], dtype=np.dtypes.StringDType())


def create_store(  # noqa: PLR0913 - keyword-only, and each describes another part of the store
    location: Location,
    *,
    runs: int,
    block_size: int,
    sizes: Mapping[str, int],
    coordinates: Mapping[str, tuple[NDArray[Any], Mapping[str, Any]]],
    shared_sizes: NDArray[np.float64] | None,
    parts: Collection[str],
    attributes: Mapping[str, Any],
    cases: Mapping[str, tuple[NDArray[Any], Mapping[str, Any]]],
) -> None:
    """Create a store with all its arrays, without results.

    Parameters
    ----------
    location : Location
        Where the store is to be.
    runs : int
        Number of rows.
    block_size : int
        Rows in a block.
    sizes : mapping of str to int
        Length of each dimension but ``run``.
    coordinates : mapping of str to (array, mapping)
        Arrays along ``run`` that identify the runs, with their attributes.
    shared_sizes : (bins,) array or None
        m, sizes of the grains where all runs share the grid.
    parts : collection of str
        Keys of :data:`layout.OPTIONAL` whose arrays some runs fill.
    attributes : mapping
        Attributes of the group.
    cases : mapping of str to (array, mapping)
        As of :func:`sweep.store.cases.case_table`; empty where each run is one case.

    Raises
    ------
    StoreError
        The location cannot be written.
    """
    # in memory first: an array that is created in a folder takes Zarr three times as long
    files: dict[str, Buffer] = {}
    group = zarr.open_group(MemoryStore(files), mode="w", zarr_format=3)
    for name, (values, attrs) in coordinates.items():
        _create(group, name, values, "run", attrs)
    write_cases(group, cases)
    for name, labels in layout.indexes(parts).items():
        _create(group, name, np.array(labels, dtype=np.dtypes.StringDType()), name, {})
    if shared_sizes is not None:
        _create(group, "s", shared_sizes, "bin", layout.PER_RUN_SIZES.attributes)
    for variable in layout.variables(shared_grid=shared_sizes is not None, parts=parts):
        _create_along_run(group, variable, runs, block_size, sizes)
    group.update_attributes(
        {
            **attributes,
            "schema_version": layout.SCHEMA_VERSION,
            "coordinates": " ".join(coordinates),
        }
    )
    with telling(location, "the store cannot be created", "choose another location with --store"):
        location.create((key, content.to_bytes()) for key, content in files.items())


def extend_store(  # noqa: PLR0913 - keyword-only, and each describes another part of the store
    location: Location,
    *,
    rows_before: int,
    runs: int,
    unused: Sequence[int],
    block_size: int,
    sizes: Mapping[str, int],
    coordinates: Mapping[str, tuple[NDArray[Any], Mapping[str, Any]]],
    shared_grid: bool,
    parts: Collection[str],
    attributes: Mapping[str, Any],
    cases: Mapping[str, tuple[NDArray[Any], Mapping[str, Any]]],
) -> None:
    """Lengthen a store to ``runs`` rows.

    The group's attributes, which declare the new length, are written last: an extension that was
    interrupted is completed by the same call.

    Parameters
    ----------
    location : Location
        Where the store is.
    rows_before : int
        Rows that the store has; new arrays are filled for them.
    runs : int
        Rows that it is to have.
    unused : sequence of int
        Rows that will hold no run.
    block_size : int
        Rows in a block.
    sizes : mapping of str to int
        Length of each dimension but ``run``.
    coordinates : mapping of str to (array, mapping)
        Arrays along ``run`` for all rows, with their attributes.
    shared_grid : bool
        Whether all runs share the grid of sizes.
    parts, attributes, cases
        As of :func:`create_store`.

    Raises
    ------
    StoreError
        The location cannot be written, or an array is damaged.
    """
    with ExitStack() as stack:
        stack.enter_context(
            telling(
                location,
                "the store cannot be extended",
                "resolve that, then run the same command again",
            )
        )
        group = zarr.open_group(location.zarr_store(), mode="r+", zarr_format=3)
        stack.enter_context(zarr.config.set({"array.write_empty_chunks": True}))
        *results, record = layout.variables(shared_grid=shared_grid, parts=parts)
        names = {*coordinates, record.name, *(variable.name for variable in results)}
        _delete_other_arrays(group, names)
        for variable in results:
            if variable.name in group and not _array_of(group, variable.name).attrs.get(UNFILLED):
                _lengthen(group, variable.name, runs)
            else:
                unfilled = replace(variable, attributes={**variable.attributes, UNFILLED: True})
                _create_along_run(group, unfilled, runs, block_size, sizes)
                _fill(group, variable, rows_before)
        for name, (values, attrs) in coordinates.items():
            if name in group:
                # earlier runs, too: they may be on an axis now
                _lengthen(group, name, runs)[:] = values
            else:
                _create(group, name, values, "run", attrs)
        write_cases(group, cases)
        _lengthen(group, record.name, runs)
        mark_unused(location, unused)
        # in one write, unlike attrs.update
        group.update_attributes({**attributes, "coordinates": " ".join(coordinates)})


def _delete_other_arrays(group: zarr.Group, names: Collection[str]) -> None:
    """Delete arrays along ``run`` that an interrupted extension by other runs has left."""
    for name, array in list(group.arrays()):
        if name not in names and array.metadata.dimension_names[0] == "run":  # type: ignore[union-attr, index]
            del group[name]


def _fill(group: zarr.Group, variable: layout.Variable, rows: int) -> None:
    """Write fill values to the first rows of a new array, then remove its mark as unfilled."""
    array = _array_of(group, variable.name)
    if rows:
        array[:rows] = variable.fill
    array.attrs.put(dict(variable.attributes))


def renew_attributes(location: Location, attributes: Mapping[str, Any]) -> None:
    """Replace the attributes of these names in a store."""
    with telling(location, "cannot be written"):
        group = zarr.open_group(location.zarr_store(), mode="r+", zarr_format=3)
        group.update_attributes(dict(attributes))


def mark_unused(location: Location, rows: Sequence[int]) -> None:
    """Record in the commit record that rows hold no run, where that is not recorded yet."""
    if not rows:
        return
    status = zarr.open_array(
        location.zarr_store(), path=layout.STATUS_VARIABLE.name, mode="r+", zarr_format=3
    )
    for row in rows:
        if status[row] != layout.UNUSED:
            status[row] = layout.UNUSED


def _lengthen(group: zarr.Group, name: str, runs: int) -> zarr.Array[Any]:
    array = _array_of(group, name)
    array.resize((runs, *array.shape[1:]))
    return array


def write_cases(
    group: zarr.Group, cases: Mapping[str, tuple[NDArray[Any], Mapping[str, Any]]]
) -> None:
    """Write the table of cases to a store, replacing an earlier one."""
    for name, (values, attributes) in cases.items():
        _create(group, name, values, "case", attributes)


def write_block(  # noqa: PLR0913 - all but the block itself is keyword-only
    store: str,
    rows: Sequence[int],
    results: Sequence[RunResult | None],
    errors: Sequence[str],
    *,
    fence: Fence,
    worker: str,
    attempt: int,
    retry: bool = False,
    accuracy: Mapping[str, NDArray[np.float64]],
    unused: int = 0,
) -> None:
    """Write a block, or some rows of it, the commit record last.

    Other rows of the block stay as they are.

    Parameters
    ----------
    store : str
        Path or URL of the store.
    rows : sequence of int
        Rows of the runs, in ascending order.
    results : sequence of RunResult or None
        Result of each run; None for a failed run.
    errors : sequence of str
        Error of each run; empty where it succeeded.
    fence : Fence
        The store and the plan that the block is for.
    worker : str
        Name of the worker, as runs record it.
    attempt : int
        Number of times the block had been started.
    retry : bool
        Whether committed failures may be replaced, by a higher attempt.
    accuracy : mapping of str to (runs, quantities) array
        Each array of :data:`layout.ACCURACY`; empty where the block has no accuracy estimates.
    unused : int
        Number of rows after those of the block that hold no run.

    Raises
    ------
    StoreError
        The disk is full or cannot be written; nothing of the block is committed.
    LateBlockError
        Another store or plan is there now, or another attempt has committed the block.
    """
    columns: dict[str, Any] = {
        **accuracy,
        "error": list(errors),
        "worker": [worker] * len(results),
        "attempt": [attempt] * len(results),
        "status": [layout.FAILED if result is None else layout.DONE for result in results],
    }
    location = locate(store).for_a_block()
    with telling(location, "writing failed", location.cure_of_writing):
        guard = BlockGuard(location, fence, rows, attempt, retry)
        run_coroutine(_write(location, rows, unused, results, columns, guard))


def count_committed(store: str, rows: Sequence[int]) -> tuple[int, int]:
    """Count the rows that the store records as done, and as failed.

    Parameters
    ----------
    store : str
        Path or URL of the store.
    rows : sequence of int
        Rows of a block, in ascending order.

    Returns
    -------
    done, failed : int
        Numbers of rows.

    Raises
    ------
    StoreError
        The store cannot be read.
    """
    location = locate(store).for_a_block()
    with telling(location, "cannot be read"):
        status = run_coroutine(_read_rows(location, layout.STATUS_VARIABLE.name, rows))
    return int((status == layout.DONE).sum()), int((status == layout.FAILED).sum())


async def _read_rows(location: Location, name: str, rows: Sequence[int]) -> NDArray[Any]:
    array = await _array(location, name)
    span = np.asarray(await array.getitem(slice(rows[0], rows[-1] + 1)))
    values: NDArray[Any] = span[np.array(rows) - rows[0]]
    return values


# each with the description that it was opened with
_open_arrays: dict[tuple[Location, str], tuple[bytes, zarr.AsyncArray[Any]]] = {}


async def _array(location: Location, name: str) -> zarr.AsyncArray[Any]:
    """Return an array of a store, opened again only where its description has changed.

    Opening takes as long as writing a block; but an array opened before a resize would silently
    drop what is written beyond its old end.
    """
    try:
        description = await location.description(name)
        opened_with, array = _open_arrays.get((location, name), (None, None))
        if array is None or opened_with != description:
            if len(_open_arrays) > MAX_OPEN_ARRAYS:
                _open_arrays.clear()
            path = StorePath(location.zarr_store(), name)
            array = zarr.AsyncArray.from_dict(path, json.loads(description))
            _open_arrays[location, name] = (description, array)
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            f"{location}/{name} is missing or damaged: the store was changed while workers ran; see"
            f" what can be done: {Command.sweep('doctor', location)}"
        ) from error
    return array


def open_arrays(store: str) -> None:
    """Open all arrays of a store in advance, so that the first block is not slower than others."""
    location = locate(store).for_a_block()

    async def open_all() -> None:
        await asyncio.gather(*(_array(location, name) for name in location.descriptions() if name))

    run_coroutine(open_all())


async def _has(location: Location, name: str) -> bool:
    try:
        await location.description(name)
    except FileNotFoundError:
        return False
    return True


class _Staging(WrapperStore[Store]):
    """A store that keeps in memory what is written to it, and reads from the store behind it."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.chunks: dict[str, bytes] = {}

    async def set(self, key: str, value: Buffer) -> None:
        """Keep a chunk."""
        self.chunks[key] = value.to_bytes()


def _staged(array: zarr.AsyncArray[Any], staging: _Staging) -> zarr.AsyncArray[Any]:
    """Return an array that writes every chunk, also those that are all fill value, to staging."""
    path = StorePath(staging, array.store_path.path)
    return zarr.AsyncArray(array.metadata, path, EVERY_CHUNK)


@dataclass(frozen=True)
class BlockGuard:
    """The check of a block against the store before it is committed; see :mod:`sweep.store.fence`.

    Parameters
    ----------
    location : Location
        Where the store is.
    fence : Fence
        The store and the plan that the block is for.
    rows : sequence of int
        Rows of the block, in ascending order.
    attempt : int
        Number of times the block had been started.
    retry : bool
        Whether committed failures may be replaced, by a higher attempt.
    """

    location: Location
    fence: Fence
    rows: Sequence[int]
    attempt: int
    retry: bool

    async def refuse_other_store(self) -> None:
        """Refuse to write if another store, or another plan, is there now.

        Raises
        ------
        LateBlockError
            It is, or there is no store.
        """
        try:
            description = await self.location.description("")
        except FileNotFoundError as error:
            raise LateBlockError("the store is gone") from error
        self.fence.refuse_other(description)

    async def refuse_late(self) -> None:
        """Refuse to write a block that is committed or belongs to another store or plan.

        Raises
        ------
        LateBlockError
            It does; a CommittedAlreadyError where another attempt has committed it.
        """
        await self.refuse_other_store()
        status = await _read_rows(self.location, "status", self.rows)
        attempts = await _read_rows(self.location, "attempt", self.rows)
        refuse_committed(status, attempts, self.attempt, retry=self.retry)


async def _write(
    location: Location,
    rows: Sequence[int],
    unused: int,
    results: Sequence[RunResult | None],
    columns: Mapping[str, Any],
    guard: BlockGuard,
) -> None:
    """Pack all arrays, then write them, the commit record last, unless the guard refuses.

    Parameters
    ----------
    location, rows, unused, results
        As of :func:`write_block`.
    columns : mapping of str to sequence
        Values of the arrays that the worker fills, for each row.
    guard : BlockGuard
        Of the block.
    """
    await guard.refuse_late()
    record = layout.STATUS_VARIABLE
    staging = _Staging((await _array(location, record.name)).store_path.store)
    begin = rows[0]
    end = rows[-1] + 1

    async def stage(variable: layout.Variable) -> None:
        array = _staged(await _array(location, variable.name), staging)
        if end > array.shape[0]:
            raise StoreError(
                f"{location}: {variable.name} has {array.shape[0]} runs, the block ends at {end};"
                " the store was changed while workers ran"
            )
        if variable.name in columns:
            block = np.array(columns[variable.name], dtype=array.dtype)
        else:
            block = _values(variable, results, array)
        if unused:
            fill = layout.UNUSED if variable is record else variable.fill
            rest = np.full((unused, *block.shape[1:]), fill, dtype=array.dtype)
            # with them it is a whole chunk: the rest of a torn attempt need not be read
            block = np.concatenate([block, rest])
        if end - begin > len(rows):
            span = np.array(await array.getitem(slice(begin, end)))
            span[np.array(rows) - begin] = block
            block = span
        await array.setitem(slice(begin, end + unused), block)

    shared_grid = (await _array(location, "s")).metadata.dimension_names == ("bin",)
    parts = {
        part for part, arrays in layout.OPTIONAL.items() if await _has(location, arrays[0].name)
    }
    if guard.retry and columns.keys().isdisjoint(variable.name for variable in layout.ACCURACY):
        # a retry without new estimates of the accuracy keeps those that there are
        parts.discard("check")
    await asyncio.gather(*map(stage, layout.variables(shared_grid=shared_grid, parts=parts)))
    await location.commit(staging.chunks, f"{record.name}/", guard)


def _values(
    variable: layout.Variable, results: Sequence[RunResult | None], array: zarr.AsyncArray[Any]
) -> NDArray[Any]:
    """Return what results fill of an array; failed runs have its fill value."""
    rows = [row for row, result in enumerate(results) if result is not None]
    values = [variable.value(result) for result in results if result is not None]
    block = np.full((len(results), *array.shape[1:]), variable.fill, dtype=array.dtype)
    if not variable.dims or {np.shape(value) for value in values} == {block.shape[1:]}:
        block[rows] = values
        return block
    for row, value in zip(rows, values, strict=True):
        index: tuple[Any, ...] = (row, *map(slice, np.shape(value)))
        # a smaller grid leaves its last bins unset
        block[index] = value
    return block
