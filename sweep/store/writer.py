"""Making a store, and writing one block of runs to it."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import zarr
import zarr.api.asynchronous
from numpy.typing import NDArray
from zarr.abc.store import Store
from zarr.codecs import BloscCodec, Crc32cCodec, ZstdCodec
from zarr.core.array_spec import ArrayConfigLike
from zarr.core.buffer import Buffer
from zarr.storage import StorePath, WrapperStore

from marsdisk.result import RunResult

from ..errors import StoreError
from . import layout
from .coroutines import run_coroutine
from .failures import telling
from .fence import Fence, LateBlockError, refuse_committed
from .place import Place
from .reader import array_of

#: Beside zstd at level 3: 5 % larger, packed 16 times faster, which is a seventh of the time a
#: block takes to write.
_COMPRESSED = BloscCodec(cname="lz4", clevel=5, shuffle="shuffle")
#: Of a coordinate in a chunk, so that a store that grows in small steps keeps few of them.
ROWS_AT_LEAST = 4096
#: A chunk that is all fill value is a file, too, so that what is missing is known to be missing.
EVERY_CHUNK: ArrayConfigLike = {"write_empty_chunks": True}
#: Attribute of an array that an extension has made and not yet filled for the runs that were there
#: before.
UNFILLED = "unfilled"


def _missing(dtype: np.dtype[Any]) -> Any:
    """What stands for a value that was never written: no value that a coordinate has, wherever its type has such a one."""
    if dtype.kind == "f":
        return np.nan
    return np.iinfo(dtype).min if dtype.kind == "i" else None


def _create(
    group: zarr.Group, name: str, data: Any, dims: Sequence[str], attributes: Mapping[str, Any]
) -> None:
    group.create_array(
        name,
        data=data,
        chunks=(max(data.shape[0], ROWS_AT_LEAST if dims == ("run",) else 1),),
        fill_value=_missing(data.dtype),
        config=EVERY_CHUNK,
        compressors=[ZstdCodec(), Crc32cCodec()],
        dimension_names=dims,
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
        chunks=(block_size, *inner),  # one chunk is one block: one writer each
        dtype=np.dtypes.StringDType() if variable.dtype == "str" else variable.dtype,
        fill_value=variable.fill,
        compressors=[_COMPRESSED, Crc32cCodec()] if variable.dims else [Crc32cCodec()],
        dimension_names=("run", *variable.dims),
        attributes=dict(variable.attributes),
        overwrite=True,
    )


def coordinate(values: Sequence[Any]) -> NDArray[Any]:
    """Values of a swept parameter as one array: whole numbers, numbers, or text where the values are of several kinds."""
    kinds = {type(value) for value in values}
    if kinds <= {bool}:
        return np.array(values, dtype=np.bool_)
    if kinds <= {int}:
        return np.array(values, dtype=np.int64)
    if kinds <= {int, float, type(None)}:
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return np.array([str(value) for value in values], dtype=np.dtypes.StringDType())


def create_store(
    place: Place,
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
    """Make an empty store with all its arrays; nothing is committed yet.

    Parameters
    ----------
    sizes : length of each dimension but ``run``
    coordinates : along ``run``, with their attributes
    shared_sizes : (bins,) m, where all runs share the grid
    parts : of :data:`layout.OPTIONAL`, which some runs fill
    cases : of :func:`sweep.store.cases.case_table`; empty where each run is one case
    """
    with (
        telling(place, "the store cannot be made", "choose another place with --store"),
        place.making() as group,
    ):
        for name, (values, attrs) in coordinates.items():
            _create(group, name, values, ("run",), attrs)
        write_cases(group, cases)
        for name, labels in layout.indexes(parts).items():
            _create(group, name, np.array(labels, dtype=np.dtypes.StringDType()), (name,), {})
        if shared_sizes is not None:
            _create(group, "s", shared_sizes, ("bin",), layout.PER_RUN_SIZES.attributes)
        for variable in layout.variables(shared_grid=shared_sizes is not None, parts=parts):
            _create_along_run(group, variable, runs, block_size, sizes)
        group.update_attributes(
            {
                **attributes,
                "schema_version": layout.SCHEMA_VERSION,
                "coordinates": " ".join(coordinates),
            }
        )


def extend_store(
    place: Place,
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
    """Give a store room for ``runs`` rows; the group's attributes, which say that it has it, are written last.

    Parameters
    ----------
    rows_before : rows that the store has, whose chunks of new arrays are filled
    unused : rows that will hold no run
    coordinates : along ``run``, all rows
    others : as of :func:`create_store`
    """
    with ExitStack() as stack:
        stack.enter_context(
            telling(
                place, "the store cannot be extended", "cure that, then run the same command again"
            )
        )
        group = zarr.open_group(place.zarr_store(), mode="r+", zarr_format=3)
        stack.enter_context(zarr.config.set({"array.write_empty_chunks": True}))
        *all_others, record = layout.variables(shared_grid=shared_grid, parts=parts)
        known = {*coordinates, record.name, *(variable.name for variable in all_others)}
        # what an extension with other runs has left that was broken off
        for name, array in list(group.arrays()):
            if array.metadata.dimension_names[0] == "run" and name not in known:  # type: ignore[union-attr, index]
                del group[name]
        for variable in all_others:
            if variable.name in group and not array_of(group, variable.name).attrs.get(UNFILLED):
                _lengthen(group, variable.name, runs)
            else:
                unfilled = {**variable.attributes, UNFILLED: True}
                _create_along_run(
                    group, replace(variable, attributes=unfilled), runs, block_size, sizes
                )
                _fill(group, variable, rows_before)
        for name, (values, attrs) in coordinates.items():
            if name in group:
                _lengthen(group, name, runs)[:] = values  # old runs may have got a place on an axis
            else:
                _create(group, name, values, ("run",), attrs)
        write_cases(group, cases)
        _lengthen(group, record.name, runs)
        mark_unused(place, unused)
        # in one write, which attrs.update is not
        group.update_attributes({**attributes, "coordinates": " ".join(coordinates)})


def _fill(group: zarr.Group, variable: layout.Variable, rows: int) -> None:
    """Write chunks of fill values for the first rows of an array that was just made, and note that this is done."""
    array = array_of(group, variable.name)
    if rows:
        array[:rows] = variable.fill
    array.attrs.put(dict(variable.attributes))


def renew_attributes(place: Place, attributes: Mapping[str, Any]) -> None:
    """Put attributes in the place of those that a store has under the same names."""
    with telling(place, "cannot be written"):
        zarr.open_group(place.zarr_store(), mode="r+", zarr_format=3).update_attributes(
            dict(attributes)
        )


def mark_unused(place: Place, rows: Sequence[int]) -> None:
    """Note in the commit record that rows hold no run, where it is not noted yet."""
    if not rows:
        return
    status = zarr.open_array(
        place.zarr_store(), path=layout.STATUS_VARIABLE.name, mode="r+", zarr_format=3
    )
    for row in rows:
        if status[row] != layout.UNUSED:
            status[row] = layout.UNUSED


def _lengthen(group: zarr.Group, name: str, runs: int) -> zarr.Array[Any]:
    array = array_of(group, name)
    array.resize((runs, *array.shape[1:]))
    return array


def write_cases(
    group: zarr.Group, cases: Mapping[str, tuple[NDArray[Any], Mapping[str, Any]]]
) -> None:
    """Put the table of cases into a store, in place of one that it has."""
    for name, (values, attributes) in cases.items():
        _create(group, name, values, ("case",), attributes)


def write_block(
    store: str,
    rows: Sequence[int],
    results: Sequence[RunResult | None],
    errors: Sequence[str],
    *,
    fence: Fence,
    worker: str,
    attempt: int,
    retry: bool = False,
    checks: Mapping[str, NDArray[np.float64]],
    unused: int = 0,
) -> None:
    """Write one block, or some rows of it, the commit record last; None stands for a failed run. What else the block holds stays as it is.

    Parameters
    ----------
    fence : the store and the plan that the block is for
    retry : whether rows that are committed may be replaced, by a higher attempt
    checks : (runs, quantities) for each array of :data:`layout.CHECKS`; empty where no run of the block is checked
    unused : rows behind a whole block that hold no run

    Raises
    ------
    StoreError
        The disk is full or cannot be written; nothing of the block is committed.
    LateBlockError
        Another store or plan stands there now, or another attempt has committed the block.
    """
    written: dict[str, Any] = {
        **checks,
        "error": list(errors),
        "worker": [worker] * len(results),
        "attempt": [attempt] * len(results),
        "status": [layout.FAILED if result is None else layout.DONE for result in results],
    }
    place = Place.of(store).for_a_block()
    with telling(place, "writing failed", place.cure_of_writing):
        guard = BlockGuard(place, fence, rows, attempt, retry)
        run_coroutine(_write(place, rows, unused, results, written, guard))


def count_committed(store: str, rows: Sequence[int]) -> tuple[int, int]:
    """Count the rows of a block that are done and those that failed, as the store has them."""
    place = Place.of(store).for_a_block()

    async def status_of_rows() -> NDArray[np.uint8]:
        array = await _array(place, layout.STATUS_VARIABLE.name)
        whole = np.asarray(await array.getitem(slice(rows[0], rows[-1] + 1)))
        of_rows: NDArray[np.uint8] = whole[np.array(rows) - rows[0]]
        return of_rows

    with telling(place, "cannot be read"):
        status = run_coroutine(status_of_rows())
    return int((status == layout.DONE).sum()), int((status == layout.FAILED).sum())


# with the description that each was opened with
_opened: dict[tuple[Place, str], tuple[bytes, zarr.AsyncArray[Any]]] = {}


async def _array(place: Place, name: str) -> zarr.AsyncArray[Any]:
    """An array of a store, opened anew only where its description has changed: that takes as long as to write a block of it.

    One opened before a resize would drop what lies past its old end without a word.
    """
    try:
        description = await place.description(name)
        known = _opened.get((place, name))
        if known is None or known[0] != description:
            if len(_opened) > 500:
                _opened.clear()
            array = await zarr.api.asynchronous.open_array(
                store=place.zarr_store(), path=name, mode="r+", zarr_format=3
            )
            known = _opened[place, name] = (description, array)
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{place}/{name} is missing or damaged: the store was changed while workers ran; see"
            f" what can be done: sweep doctor {place}"
        ) from error
    return known[1]


def open_arrays(store: str) -> None:
    """Open all arrays of a store, so that the first block need not."""
    place = Place.of(store).for_a_block()

    async def open_all() -> None:
        await asyncio.gather(*(_array(place, name) for name in place.descriptions() if name))

    run_coroutine(open_all())


async def _has(place: Place, name: str) -> bool:
    try:
        await place.description(name)
    except FileNotFoundError:
        return False
    return True


class _Staging(WrapperStore[Store]):
    """Takes what is written to a store and keeps it; what is read comes from the store."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.chunks: dict[str, bytes] = {}

    async def set(self, key: str, value: Buffer) -> None:
        self.chunks[key] = value.to_bytes()


def _staged(array: zarr.AsyncArray[Any], staging: _Staging) -> zarr.AsyncArray[Any]:
    """Return an array whose chunks are kept instead of written, also those that are all fill value."""
    where = StorePath(staging, array.store_path.path)
    return zarr.AsyncArray(array.metadata, where, EVERY_CHUNK)


@dataclass(frozen=True)
class BlockGuard:
    """Holds a block against what stands in the store."""

    place: Place
    fence: Fence
    rows: Sequence[int]
    attempt: int
    retry: bool

    async def refuse_other_store(self) -> None:
        """Raise if another store, or another plan, stands there now."""
        try:
            description = await self.place.description("")
        except FileNotFoundError as error:
            raise LateBlockError("the store is gone") from error
        self.fence.refuse_other(description)

    async def refuse_late(self) -> None:
        """Raise if the block may not be written."""
        await self.refuse_other_store()
        span = slice(self.rows[0], self.rows[-1] + 1)
        within = np.array(self.rows) - self.rows[0]
        status = np.asarray(await (await _array(self.place, "status")).getitem(span))[within]
        attempts = np.asarray(await (await _array(self.place, "attempt")).getitem(span))[within]
        refuse_committed(status, attempts, self.attempt, retry=self.retry)


async def _write(
    place: Place,
    rows: Sequence[int],
    unused: int,
    results: Sequence[RunResult | None],
    written: Mapping[str, Any],
    guard: BlockGuard,
) -> None:
    """Pack all arrays, then write them with the commit record last, if the block may still be written."""
    await guard.refuse_late()
    staging = _Staging((await _array(place, layout.STATUS_VARIABLE.name)).store_path.store)
    lo = rows[0]
    hi = rows[-1] + 1
    finished = {i: result for i, result in enumerate(results) if result is not None}

    async def write(variable: layout.Variable) -> None:
        array = _staged(await _array(place, variable.name), staging)
        if hi > array.shape[0]:
            raise StoreError(
                f"{place}: {variable.name} has {array.shape[0]} runs, the block ends at {hi}; the"
                " store was changed while workers ran"
            )
        if variable.name in written:
            block = np.array(written[variable.name], dtype=array.dtype)
        else:
            block = np.full((len(rows), *array.shape[1:]), variable.fill, dtype=array.dtype)
            values = [variable.value(result) for result in finished.values()]
            if not variable.dims or {np.shape(value) for value in values} == {block.shape[1:]}:
                block[list(finished)] = values
            else:
                for i, value in zip(finished, values, strict=True):
                    index: tuple[Any, ...] = (i, *map(slice, np.shape(value)))
                    block[index] = value  # a smaller grid leaves its last bins unset
        if unused:
            rest = np.full(
                (unused, *block.shape[1:]),
                layout.UNUSED if variable is record else variable.fill,
                dtype=array.dtype,
            )
            # a whole chunk: what a torn attempt has left of it need not be read
            block = np.concatenate([block, rest])
        if hi - lo > len(rows):
            beside = np.array(await array.getitem(slice(lo, hi)))
            beside[np.array(rows) - lo] = block
            block = beside
        await array.setitem(slice(lo, hi + unused), block)

    shared_grid = (await _array(place, "s")).metadata.dimension_names == ("bin",)
    has = {name: await _has(place, held[0].name) for name, held in layout.OPTIONAL.items()}
    if guard.retry:  # which leaves alone what it does not check again
        has["check"] = bool(written.keys() & {variable.name for variable in layout.CHECKS})
    *all_others, record = layout.variables(
        shared_grid=shared_grid, parts=[name for name, held in has.items() if held]
    )
    await asyncio.gather(*map(write, [*all_others, record]))
    await place.commit(staging.chunks, f"{record.name}/", guard)
