"""Reading a store: what is committed, tables of scalars, and the xarray dataset."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marsdisk.zarr_folder import DESCRIPTION

from ..errors import StoreError
from . import chunks, layout, schema
from .failures import reason, storage_errors, telling
from .fence import Fence
from .place import Place, place_of

if TYPE_CHECKING:
    import xarray
    import zarr

MAX_COLUMN_BYTES = 4 * 2**30


def read_descriptions(place: Place) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Read the attributes of a store, and the raw description of each of its arrays.

    Parameters
    ----------
    place : Place
        Of the store.

    Returns
    -------
    attributes : dict
        Of its group, of a schema that this program reads.
    described : dict of str to bytes
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
                    f"{place}: there is no store of a sweep here; check the path (sweep run makes"
                    " one)"
                )
            described = place.descriptions()
            attributes = schema.read_attributes(described.get("", b""))
    except ValueError as error:
        what = "" if isinstance(error, json.JSONDecodeError) else f" ({error})"
        raise StoreError(
            f"{place}: is no store of a sweep, or a damaged one{what}; nothing was changed; choose"
            " another --store"
        ) from error
    if attributes["schema_version"] not in layout.READABLE:
        raise StoreError(
            f"{place}: has schema {attributes['schema_version']}, this program reads"
            f" {layout.READABLE[0]} to {layout.READABLE[-1]}; read it with the version that"
            " wrote it"
        )
    return attributes, described


def read_fence(store: str | Path | Place) -> Fence:
    """Read what blocks of a store are compared with before they are written.

    Parameters
    ----------
    store : str or Path or Place
        Where it is.

    Returns
    -------
    Fence
        Of the store as it stands there now.

    Raises
    ------
    StoreError
        There is no store, or it cannot be read.
    """
    attributes, _ = read_descriptions(Place.of(store))
    return Fence.from_attributes(attributes)


def open_group(store: str | Path | Place, *, same_length: bool = True) -> "zarr.Group":
    """The group of a store, after a look at all that it declares.

    Parameters
    ----------
    same_length : refuse a store in which a resize was broken off, so that its arrays differ in length

    Raises
    ------
    StoreError
        There is none, or of another schema, or one that is damaged or made up.
    """
    place = Place.of(store)
    _declared(place, same_length=same_length)
    return place.group()


def _declared(
    place: Place, *, same_length: bool = True
) -> tuple[dict[str, Any], dict[str, schema.ArraySpec]]:
    """Attributes and arrays of a store that is what it must be."""
    attributes, described = read_descriptions(place)
    arrays, wrong = schema.read_arrays(described, attributes)
    wrong = wrong or (schema.lengths(arrays, attributes["rows"]) if same_length else {})
    if wrong:
        lines = "; ".join(f"{name} {what}" for name, what in list(wrong.items())[:10])
        raise StoreError(f"{place}: {lines}; see what can be done: sweep doctor {place}")
    return attributes, arrays


def array_of(group: "zarr.Group", name: str) -> "zarr.Array[Any]":
    """Return an array of an opened store.

    Parameters
    ----------
    group : zarr.Group
        Of the store.
    name : str
        Of the array.

    Raises
    ------
    StoreError
        What has the name is none.
    """
    import zarr

    found = group[name]
    if not isinstance(found, zarr.Array):
        raise StoreError(
            f"{place_of(group)}: {name} is no array; see what can be done: sweep doctor"
            f" {place_of(group)}"
        )
    return found


def is_between_lengths(place: Place) -> bool:
    """Whether a change of the length of the store at ``place`` was broken off."""
    attributes, described = read_descriptions(place)
    arrays, wrong = schema.read_arrays(described, attributes)
    return not wrong and bool(schema.lengths(arrays, attributes["rows"]))


def scalar_names(group: "zarr.Group") -> list[str]:
    """Arrays with one value per run."""
    return _scalar_names(place_of(group))


def _scalar_names(place: Place) -> list[str]:
    found = []
    # Zarr's own listing warns of foreign files, by their names as they are
    for name, text in sorted(place.descriptions().items()):
        with suppress(ValueError):
            found += [name] * (schema.read_array(name, text).dims == ("run",))
    return found


def _damage(place: Place, what: str, error: Exception) -> StoreError:
    if isinstance(error, StoreError):
        return error
    how = "cannot be read" if isinstance(error, storage_errors()) else "is damaged"
    return StoreError(
        f"{place}: {what} {how}: {reason(error) or type(error).__name__}; see what can be done:"
        f" sweep doctor {place}"
    )


def column(group: "zarr.Group", name: str) -> NDArray[Any]:
    """One array, whole."""
    place = place_of(group)
    return _whole(place, _spec(place, name))


def part(group: "zarr.Group", name: str, runs: slice | int | NDArray[np.int64]) -> NDArray[Any]:
    """Some runs of an array, or one; nothing else is kept of what is read."""
    place = place_of(group)
    spec = _spec(place, name)
    try:
        rows = np.arange(spec.shape[0])[runs]
        found = chunks.read_rows(
            place, spec, np.atleast_1d(rows), lambda absent: _refuse_lost(place, spec, absent)
        )
    except Exception as error:  # whatever the file of somebody else brings about
        raise _damage(place, name, error) from error
    return found if np.ndim(rows) else found.reshape(found.shape[1:])


def _spec(place: Place, name: str) -> schema.ArraySpec:
    try:
        if schema.NAME.fullmatch(name):
            with suppress(FileNotFoundError):
                return schema.read_array(name, place.read(f"{name}/{DESCRIPTION}"))
    except Exception as error:
        raise _damage(place, name, error) from error
    raise StoreError(f"there is no {name!r} in the store; it has {', '.join(_scalar_names(place))}")


def _whole(place: Place, spec: schema.ArraySpec) -> NDArray[Any]:
    try:
        if spec.bytes > MAX_COLUMN_BYTES:
            raise ValueError(f"{spec.bytes / 1e9:.1f} GB are more than this program reads at once")
        return chunks.read_array(place, spec, lambda absent: _refuse_lost(place, spec, absent))
    except Exception as error:
        raise _damage(place, spec.name, error) from error


def _refuse_lost(place: Place, spec: schema.ArraySpec, absent: Sequence[int]) -> None:
    """Raise where chunks do not exist that must.

    Raises
    ------
    ValueError
        The first of them.
    """
    if spec.name == layout.STATUS_VARIABLE.name:  # without it, a block is not committed
        return
    attributes, arrays = _declared(place, same_length=False)
    status = _whole(place, arrays["status"])
    lost = lost_chunks(attributes, arrays, spec, absent, status)
    if lost:  # unless they came with their block since they were looked for
        files = chunks.files_of(place, {spec.name: spec}, f"{spec.name}/")
        still = set(chunks.absent(spec, files.chunks[spec.name])).intersection(absent)
        lost = lost_chunks(attributes, arrays, spec, sorted(still), status)
    if lost:
        raise ValueError(f"{lost[0]} is missing{' and others' * (len(lost) > 1)}")


def lost_chunks(
    attributes: Mapping[str, Any],
    arrays: Mapping[str, schema.ArraySpec],
    spec: schema.ArraySpec,
    absent: Sequence[int],
    status: NDArray[Any],
) -> list[str]:
    """Return the keys of those absent chunks of an array that must exist.

    Every chunk of an array that workers write exists once its block is committed, and every chunk
    of all other arrays from the beginning. Stores of schema 1 leave out what is all fill value.

    Parameters
    ----------
    attributes : mapping
        Of the store.
    arrays : mapping of str to ArraySpec
        All arrays of the store.
    spec : ArraySpec
        The array.
    absent : sequence of int
        Indices along the first dimension of its chunks of which (a part) does not exist.
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
        first = index * spec.chunks[0] // size
        last = min((index + 1) * spec.chunks[0], spec.shape[0]) - 1
        return bool(committed[first : last // size + 1].any())

    return [
        f"{spec.name}/c/{index}" for index in absent if not spec.is_by_block or must_exist(index)
    ]


@dataclass(frozen=True)
class Counts:
    """How far a sweep has come."""

    runs: int
    done: int
    failed: int
    blocks: int
    blocks_committed: int
    refining: bool = False  #: whether rounds of a refinement are to come that are not counted yet

    @property
    def pending(self) -> int:
        return self.runs - self.done - self.failed

    @property
    def is_open(self) -> bool:
        """Whether anything is left to be run."""
        return self.pending > 0 or self.refining


def committed_blocks(group: "zarr.Group") -> NDArray[np.bool_]:
    """For each block whether it is committed."""
    return committed_of(column(group, "status"), block_size(group))


def committed_of(status: NDArray[Any], size: int) -> NDArray[np.bool_]:
    """The same from the commit records and the length of a block."""
    starts = np.arange(0, status.size, size)
    return (
        np.logical_and.reduceat(status != layout.PENDING, starts)
        if status.size
        else np.zeros(0, dtype=np.bool_)
    )


def block_size(group: "zarr.Group") -> int:
    return int(group.attrs["block_size"])  # type: ignore[arg-type]


def counts(store: str | Path | Place) -> Counts:
    """Runs by state, from the commit records alone; Zarr is not needed for it, which takes longer to import than they to read.

    Raises
    ------
    StoreError
        As of :func:`open_group`.
    """
    place = Place.of(store)
    attributes, arrays = _declared(place)
    status = _whole(place, arrays["status"])
    committed = committed_of(status, attributes["block_size"])
    done, failed, unused = (
        int((status == state).sum()) for state in (layout.DONE, layout.FAILED, layout.UNUSED)
    )
    return Counts(
        status.size - unused,
        done,
        failed,
        committed.size,
        int(committed.sum()),
        attributes.get("refined") is False,
    )


def open_store(store: str | Path | Place, chunks: Any = None) -> "xarray.Dataset":
    """The store as an xarray dataset, arrays read when used; see :class:`sweep.store.accessor.SweepAccessor` for ``.sweep``.

    Parameters
    ----------
    chunks : None reads an array whole when it is first used, which is fastest for all but the largest stores; {} makes Dask arrays, a
        chunk for each block, for what does not fit into memory

    Examples
    --------
    >>> ds = open_store("results/temperature_supply.zarr")
    >>> ds.sweep.disk_total().M_loss  # M_Mars, of the whole disk over the other axes
    """
    import xarray

    from . import accessor  # noqa: F401 - registers .sweep

    place = Place.of(store)
    open_group(place)
    refuse_lost_chunks(place)
    dataset: xarray.Dataset = xarray.open_zarr(
        place.zarr_store(), chunks=chunks, consolidated=False, zarr_format=3
    )
    return dataset


def refuse_lost_chunks(place: Place) -> None:
    """Refuse a store without a chunk that xarray would read as if it were full of fill values.

    It would also follow a link, and wait forever for a pipe.

    Parameters
    ----------
    place : Place
        Of the store.

    Raises
    ------
    StoreError
        It names the first ones.
    """
    attributes, arrays = _declared(place)
    status = _whole(place, arrays["status"])
    with telling(place, "cannot be read"):
        files = chunks.files_of(place, arrays)
    lost: list[str] = []
    for name, spec in arrays.items():
        absent = chunks.absent(spec, files.chunks[name])
        lost += lost_chunks(attributes, arrays, spec, absent, status)
    not_plain = [chunk.key for found in files.chunks.values() for chunk in found if chunk.size < 0]
    for names, problem in ((not_plain, "no plain file"), (lost, "missing")):
        if names:
            shown = ", ".join(names[:5]) + " and others" * (len(names) > 5)
            verb = "is" if len(names) == 1 else "are"
            raise StoreError(
                f"{place}: {shown} {verb} {problem}; see what can be done: sweep doctor {place}"
            )


def axis_names(group: "zarr.Group") -> Sequence[str]:
    """Names of the product's axes, each a coordinate along ``run``."""
    return [str(axis) for axis in group.attrs["axes"]]  # type: ignore[union-attr]
