"""Reading a store: descriptions, commit records, and single arrays."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marsdisk.io.zarr_folder import DESCRIPTION

from ..common.errors import StoreError
from . import chunks, layout, schema
from .failures import reason, storage_errors, telling
from .fence import Fence
from .locate import locate, location_of_group
from .location import Place

if TYPE_CHECKING:
    import zarr

MAX_COLUMN_BYTES = 4 * 2**30
MAX_PROBLEMS_SHOWN = 10
MAX_NAMES_SHOWN = 5


def read_descriptions(place: Place) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Read the attributes of a store, and the raw description of each of its arrays.

    Parameters
    ----------
    place : Place
        Where the store is.

    Returns
    -------
    attributes : dict
        Attributes of its group, of a schema that this program reads.
    descriptions : dict of str to bytes
        Content of each ``zarr.json`` by the name of its array, that of the group by ``""``.

    Raises
    ------
    StoreError
        There is no store, or it is of another schema.
    """
    try:
        with telling(place, "cannot be read"):
            if not place.exists():
                raise StoreError(
                    f"{place}: there is no store of a sweep here; check the path (sweep run creates"
                    " stores)"
                )
            descriptions = place.descriptions()
            attributes = schema.read_attributes(descriptions.get("", b""))
    except ValueError as error:
        problem = "" if isinstance(error, json.JSONDecodeError) else f" ({error})"
        raise StoreError(
            f"{place}: is not a store of a sweep, or is damaged{problem}; nothing was changed;"
            " choose another --store"
        ) from error
    if attributes["schema_version"] not in layout.READABLE:
        raise StoreError(
            f"{place}: has schema {attributes['schema_version']}, this program reads"
            f" {layout.READABLE[0]} to {layout.READABLE[-1]}; read it with the version that"
            " wrote it"
        )
    return attributes, descriptions


def read_fence(store: str | Path | Place) -> Fence:
    """Read the fence of a store, which its blocks are compared with before they are written.

    Parameters
    ----------
    store : str or Path or Place
        Where the store is.

    Returns
    -------
    Fence
        Fence of the store that is there now.

    Raises
    ------
    StoreError
        There is no store, or it cannot be read.
    """
    attributes, _ = read_descriptions(locate(store))
    return Fence.from_attributes(attributes)


def open_group(store: str | Path | Place, *, same_length: bool = True) -> "zarr.Group":
    """Return the Zarr group of a store after checking everything that it declares.

    Parameters
    ----------
    store : str or Path or Place
        Where the store is.
    same_length : bool
        Whether to refuse a store whose arrays differ in length because a resize was interrupted.

    Returns
    -------
    zarr.Group
        The group, opened for reading.

    Raises
    ------
    StoreError
        There is no store, or it has another schema, or it is damaged or forged.
    """
    place = locate(store)
    _read_valid(place, same_length=same_length)
    return place.group()


def _read_valid(
    place: Place, *, same_length: bool = True
) -> tuple[dict[str, Any], dict[str, schema.ArraySpec]]:
    """Return attributes and arrays of a store; refuse one that is not valid."""
    attributes, descriptions = read_descriptions(place)
    arrays, problems = schema.read_arrays(descriptions, attributes)
    if same_length and not problems:
        problems = schema.lengths(arrays, attributes["rows"])
    if problems:
        lines = [f"{name} {problem}" for name, problem in problems.items()]
        shown = "; ".join(lines[:MAX_PROBLEMS_SHOWN])
        raise StoreError(f"{place}: {shown}; see what can be done: sweep doctor {place}")
    return attributes, arrays


def array_of(group: "zarr.Group", name: str) -> "zarr.Array[Any]":
    """Return an array of an opened store.

    Parameters
    ----------
    group : zarr.Group
        Group of the store.
    name : str
        Name of the array.

    Returns
    -------
    zarr.Array
        The array; its values are not read yet.

    Raises
    ------
    StoreError
        The name is that of something else.
    """
    import zarr

    array = group[name]
    if not isinstance(array, zarr.Array):
        place = location_of_group(group)
        raise StoreError(
            f"{place}: {name} is not an array; see what can be done: sweep doctor {place}"
        )
    return array


def is_between_lengths(place: Place) -> bool:
    """Return whether a resize of the store was interrupted."""
    attributes, descriptions = read_descriptions(place)
    arrays, problems = schema.read_arrays(descriptions, attributes)
    return not problems and bool(schema.lengths(arrays, attributes["rows"]))


def scalar_names(group: "zarr.Group") -> list[str]:
    """Return the names of the arrays with one value per run, sorted."""
    return _scalar_names(location_of_group(group))


def _scalar_names(place: Place) -> list[str]:
    names = []
    # Zarr's own listing warns of foreign files and prints their names unescaped
    for name, description in sorted(place.descriptions().items()):
        with suppress(ValueError):
            if schema.read_array(name, description).dims == ("run",):
                names.append(name)
    return names


def _as_store_error(place: Place, name: str, error: Exception) -> StoreError:
    """Return what reading an array has raised as a StoreError that names the array."""
    if isinstance(error, StoreError):
        return error
    problem = "cannot be read" if isinstance(error, storage_errors()) else "is damaged"
    return StoreError(
        f"{place}: {name} {problem}: {reason(error) or type(error).__name__}; see what can be done:"
        f" sweep doctor {place}"
    )


def column(group: "zarr.Group", name: str) -> NDArray[Any]:
    """Read a whole array.

    Parameters
    ----------
    group : zarr.Group
        Group of the store.
    name : str
        Name of the array.

    Returns
    -------
    (runs, ...) array
        Its values.

    Raises
    ------
    StoreError
        The store has no such array, or it cannot be read.
    """
    place = location_of_group(group)
    return _read_whole(place, _read_spec(place, name))


def part(group: "zarr.Group", name: str, runs: slice | int | NDArray[np.int64]) -> NDArray[Any]:
    """Read some rows of an array, without keeping the rest of their chunks in memory.

    Parameters
    ----------
    group : zarr.Group
        Group of the store.
    name : str
        Name of the array.
    runs : slice, int or array of int
        The rows; for an int the result has no dimension ``run``.

    Returns
    -------
    array
        Values of these rows.

    Raises
    ------
    StoreError
        The store has no such array, or it cannot be read.
    """
    place = location_of_group(group)
    spec = _read_spec(place, name)
    try:
        rows = np.arange(spec.shape[0])[runs]
        values = chunks.read_rows(
            place, spec, np.atleast_1d(rows), lambda absent: _refuse_lost(place, spec, absent)
        )
    except Exception as error:  # a forged or damaged file may raise anything
        raise _as_store_error(place, name, error) from error
    return values if np.ndim(rows) else values.reshape(values.shape[1:])


def _read_spec(place: Place, name: str) -> schema.ArraySpec:
    try:
        if schema.NAME.fullmatch(name):
            with suppress(FileNotFoundError):
                return schema.read_array(name, place.read(f"{name}/{DESCRIPTION}"))
    except Exception as error:
        raise _as_store_error(place, name, error) from error
    raise StoreError(f"there is no {name!r} in the store; it has {', '.join(_scalar_names(place))}")


def _read_whole(place: Place, spec: schema.ArraySpec) -> NDArray[Any]:
    try:
        if spec.array_bytes > MAX_COLUMN_BYTES:
            size = f"{spec.array_bytes / 1e9:.1f} GB"
            raise ValueError(f"{size} are more than this program reads at once")
        return chunks.read_array(place, spec, lambda absent: _refuse_lost(place, spec, absent))
    except Exception as error:
        raise _as_store_error(place, spec.name, error) from error


def _refuse_lost(place: Place, spec: schema.ArraySpec, absent: Sequence[int]) -> None:
    """Raise a ValueError if one of the absent chunks must exist."""
    if spec.name == layout.STATUS_VARIABLE.name:  # without it, a block is not committed
        return
    attributes, arrays = _read_valid(place, same_length=False)
    status = _read_whole(place, arrays["status"])
    lost = lost_chunks(attributes, spec, absent, status)
    if lost:
        # their block may have been committed since the files were listed
        files = chunks.files_of(place, {spec.name: spec}, f"{spec.name}/")
        still_absent = set(chunks.absent(spec, files.chunks[spec.name])).intersection(absent)
        lost = lost_chunks(attributes, spec, sorted(still_absent), status)
    if lost:
        raise ValueError(f"{lost[0]} is missing{' and others' * (len(lost) > 1)}")


def lost_chunks(
    attributes: Mapping[str, Any],
    spec: schema.ArraySpec,
    absent: Sequence[int],
    status: NDArray[Any],
) -> list[str]:
    """Return the keys of those absent chunks of an array that must exist.

    Every chunk of an array that workers write exists once its block is committed, and every chunk
    of all other arrays from the beginning. Stores of schema 1 omit chunks that are all fill value.

    Parameters
    ----------
    attributes : mapping
        Attributes of the store.
    spec : ArraySpec
        The array.
    absent : sequence of int
        Indices along the first dimension at which a chunk of the array does not exist.
    status : (runs,) array
        The commit records.

    Returns
    -------
    list of str
        Empty where nothing is lost.
    """
    if attributes["schema_version"] < layout.FIRST_WITH_EVERY_CHUNK:
        return []
    size = int(attributes["block_size"])
    committed = committed_of(status, size)

    def must_exist(index: int) -> bool:
        first_row = index * spec.chunks[0]
        last_row = min((index + 1) * spec.chunks[0], spec.shape[0]) - 1
        return bool(committed[first_row // size : last_row // size + 1].any())

    return [
        f"{spec.name}/c/{index}" for index in absent if not spec.is_by_block or must_exist(index)
    ]


@dataclass(frozen=True)
class Counts:
    """Progress of a sweep: runs and blocks by state."""

    runs: int
    done: int
    failed: int
    blocks: int
    blocks_committed: int
    refining: bool = False  #: whether a refinement will add more runs

    @property
    def pending(self) -> int:
        """Runs without a result."""
        return self.runs - self.done - self.failed

    @property
    def is_open(self) -> bool:
        """Whether anything is left to be run."""
        return self.pending > 0 or self.refining


def committed_blocks(group: "zarr.Group") -> NDArray[np.bool_]:
    """Return for each block whether it is committed."""
    return committed_of(column(group, "status"), block_size(group))


def committed_of(status: NDArray[Any], size: int) -> NDArray[np.bool_]:
    """Return for each block of ``size`` rows whether all its commit records are written."""
    if not status.size:
        return np.zeros(0, dtype=np.bool_)
    starts = np.arange(0, status.size, size)
    return np.logical_and.reduceat(status != layout.PENDING, starts)


def block_size(group: "zarr.Group") -> int:
    """Return the number of rows in a block of a store."""
    return int(group.attrs["block_size"])  # type: ignore[arg-type]


def counts(store: str | Path | Place) -> Counts:
    """Count the runs of a store by state.

    This reads the commit records alone and does not import Zarr, which would take longer than
    reading them.

    Parameters
    ----------
    store : str or Path or Place
        Where the store is.

    Returns
    -------
    Counts
        Runs and blocks by state.

    Raises
    ------
    StoreError
        As of :func:`open_group`.
    """
    place = locate(store)
    attributes, arrays = _read_valid(place)
    status = _read_whole(place, arrays["status"])
    committed = committed_of(status, attributes["block_size"])
    unused = int((status == layout.UNUSED).sum())
    return Counts(
        runs=status.size - unused,
        done=int((status == layout.DONE).sum()),
        failed=int((status == layout.FAILED).sum()),
        blocks=committed.size,
        blocks_committed=int(committed.sum()),
        refining=attributes.get("refined") is False,
    )


def refuse_lost_chunks(place: Place) -> None:
    """Refuse a store with chunks that are missing or not plain files.

    xarray would read a missing chunk as fill values, follow a link, and wait forever for a pipe.

    Parameters
    ----------
    place : Place
        Where the store is.

    Raises
    ------
    StoreError
        The message names the first of these chunks.
    """
    attributes, arrays = _read_valid(place)
    status = _read_whole(place, arrays["status"])
    with telling(place, "cannot be read"):
        files = chunks.files_of(place, arrays)
    lost: list[str] = []
    not_plain: list[str] = []
    for name, spec in arrays.items():
        absent = chunks.absent(spec, files.chunks[name])
        lost += lost_chunks(attributes, spec, absent, status)
        not_plain += [chunk.key for chunk in files.chunks[name] if chunk.size < 0]
    for keys, problem in ((not_plain, "no plain file"), (lost, "missing")):
        if keys:
            shown = ", ".join(keys[:MAX_NAMES_SHOWN])
            others = " and others" * (len(keys) > MAX_NAMES_SHOWN)
            verb = "is" if len(keys) == 1 else "are"
            raise StoreError(
                f"{place}: {shown}{others} {verb} {problem}; see what can be done: sweep doctor"
                f" {place}"
            )


def axis_names(group: "zarr.Group") -> Sequence[str]:
    """Return the names of the product's axes, each a coordinate along ``run``."""
    return [str(axis) for axis in group.attrs["axes"]]  # type: ignore[union-attr]
