"""The noun of this package: one store, what it says of itself, and its arrays."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from marsdisk.io.zarr_folder import DESCRIPTION

from ..common.command import Command
from ..common.errors import StoreError
from ..common.text import listed
from . import chunks, layout, schema
from .description import NAME, Description, OtherSchemaError
from .failures import reason, storage_errors, telling
from .fence import Fence
from .folder import Folder
from .locate import locate
from .location import Location
from .mistaken import what_it_is

MAX_COLUMN_BYTES = 4 * 2**30
MAX_PROBLEMS_SHOWN = 10
#: Coordinates of the runs that are no parameters.
BOOKKEEPING = ("run_id", "block", "in_product", layout.ROUND)


def read_descriptions(location: Location) -> tuple[Description, dict[str, bytes]]:
    """Read what a store says of itself, and the raw description of each of its arrays.

    Parameters
    ----------
    location : Location
        Where the store is.

    Returns
    -------
    description : Description
        The attributes of its group.
    descriptions : dict of str to bytes
        Content of each ``zarr.json`` by the name of its array, that of the group by ``""``.

    Raises
    ------
    StoreError
        There is no store, or it is of another schema, or damaged.
    """
    try:
        with telling(location, "cannot be read"):
            if not location.exists():
                raise StoreError(
                    f"{location}: there is no store of a sweep here; check the path (sweep run"
                    " creates stores, and sweep list shows them)"
                )
            mistaken = what_it_is(location.path) if isinstance(location, Folder) else ""
            if mistaken:
                raise StoreError(f"{location}: {mistaken}")
            descriptions = location.descriptions()
            return Description.read(descriptions.get("", b"")), descriptions
    except OtherSchemaError as error:
        raise StoreError(f"{location}: {error}") from None
    except ValueError as error:
        problem = "" if isinstance(error, json.JSONDecodeError) else f" ({error})"
        raise StoreError(
            f"{location}: is not a store of a sweep, or is damaged{problem}; nothing was changed;"
            " choose another --store"
        ) from error


def read_fence(store: str | Path | Location) -> Fence:
    """Read the fence of a store, which its blocks are compared with before they are written.

    Parameters
    ----------
    store : str or Path or Location
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
    return read_descriptions(locate(store))[0].fence


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


class Store:
    """One store, opened for reading.

    What it declares is read and checked once, when it is opened; values are read on demand, from
    the store as it is then. It imports Zarr nowhere: that would take longer than to read the commit
    records of a million runs.

    Attributes
    ----------
    location : Location
        Where the store is.
    description : Description
        What it says of itself.
    arrays : mapping of str to ArraySpec
        Its arrays by name.

    Examples
    --------
    >>> store = Store.open("results/temperature_supply.zarr")
    >>> store.column("M_loss"), store.unit("M_loss"), store.parameters
    """

    def __init__(
        self, location: Location, description: Description, arrays: Mapping[str, schema.ArraySpec]
    ) -> None:
        self.location = location
        self.description = description
        self.arrays = arrays

    @classmethod
    def open(cls, store: str | Path | Location, *, same_length: bool = True) -> Self:
        """Open a store after checking everything that it declares.

        Parameters
        ----------
        store : str or Path or Location
            Where the store is.
        same_length : bool
            Whether to refuse a store whose arrays differ in length because a resize was
            interrupted.

        Returns
        -------
        Store
            The store; no values are read yet.

        Raises
        ------
        StoreError
            There is no store, or it has another schema, or it is damaged or forged.
        """
        location = locate(store)
        description, descriptions = read_descriptions(location)
        arrays, problems = schema.read_arrays(descriptions, description)
        if same_length and not problems:
            problems = schema.lengths(arrays, description.rows)
        if problems:
            lines = [f"{name} {problem}" for name, problem in problems.items()]
            shown = "; ".join(lines[:MAX_PROBLEMS_SHOWN])
            raise StoreError(f"{location}: {shown}; see what can be done: {_doctor(location)}")
        return cls(location, description, arrays)

    def __str__(self) -> str:
        return str(self.location)

    def __contains__(self, name: object) -> bool:
        return name in self.arrays

    @property
    def axes(self) -> Sequence[str]:
        """Names of the product's axes, each a coordinate along ``run``."""
        return self.description.axes

    @property
    def parameters(self) -> list[str]:
        """Names of the parameters that the sweep varies, in the order of its file."""
        names = self.description.coordinate_names
        return [name for name in names if name not in BOOKKEEPING]

    @cached_property
    def keys(self) -> dict[str, str]:
        """Name of the coordinate of each swept configuration key."""
        return {
            str(self.attributes(name)["config_key"]): name
            for name in self.parameters
            if self.is_key(name)
        }

    def name_of(self, name: str) -> str:
        """Return the name of an array that is given by it, or by its configuration key."""
        return self.keys.get(name, name)

    @property
    def ring_axis(self) -> str | None:
        """The axis whose values are the rings of one disk, if there is one."""
        return self.description.ring_axis

    @property
    def block_size(self) -> int:
        """Rows in a block."""
        return self.description.block_size

    def names_over(self, *dims: str) -> list[str]:
        """Return the names of the arrays with these dimensions, sorted."""
        return sorted(name for name, spec in self.arrays.items() if spec.dims == dims)

    @property
    def scalar_names(self) -> list[str]:
        """Names of the arrays with one value per run, sorted."""
        return self.names_over("run")

    @property
    def is_between_lengths(self) -> bool:
        """Whether a resize of the store was interrupted."""
        return bool(schema.lengths(self.arrays, self.description.rows))

    @property
    def has_shared_sizes(self) -> bool:
        """Whether all runs have the same grid of sizes."""
        return self.arrays["s"].dims == ("bin",)

    def spec(self, name: str) -> schema.ArraySpec:
        """Return how an array is declared: shape, dimensions, type, attributes.

        Raises
        ------
        StoreError
            The store has no such array.
        """
        if name not in self.arrays:
            names = ", ".join(self.scalar_names)
            raise StoreError(f"there is no {name!r} in the store; it has {names}")
        return self.arrays[name]

    def attributes(self, name: str) -> Mapping[str, Any]:
        """Return the attributes of an array."""
        return self.spec(name).attributes

    def unit(self, name: str) -> str:
        """Return the unit of an array; 1 where it has none, or the store has no such array."""
        return self.arrays[name].units if name in self.arrays else "1"

    def is_key(self, name: str) -> bool:
        """Return whether an array holds the values of a configuration key."""
        return "config_key" in self.attributes(name)

    def column(self, name: str) -> NDArray[Any]:
        """Read a whole array.

        Parameters
        ----------
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
        return self._read_whole(self._present_spec(name))

    def rows(self, name: str, rows: slice | int | NDArray[np.int64]) -> NDArray[Any]:
        """Read some rows of an array, without keeping the rest of their chunks in memory.

        Parameters
        ----------
        name : str
            Name of the array.
        rows : slice, int or array of int
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
        spec = self._present_spec(name)
        try:
            numbers = np.arange(spec.shape[0])[rows]
            values = chunks.read_rows(
                self.location,
                spec,
                np.atleast_1d(numbers),
                lambda absent: self._refuse_lost(spec, absent),
            )
        except Exception as error:  # a forged or damaged file may raise anything
            raise self._as_store_error(name, error) from error
        return values if np.ndim(numbers) else values.reshape(values.shape[1:])

    def sizes(self, run: int) -> NDArray[np.float64]:
        """Return the grain radii of a run, (bins,) in m."""
        return self.column("s") if self.has_shared_sizes else self.rows("s", run)

    def committed_blocks(self) -> NDArray[np.bool_]:
        """Return for each block whether it is committed."""
        return committed_of(self.column("status"), self.block_size)

    def counts(self) -> Counts:
        """Count the runs by state, from the commit records alone."""
        status = self._read_whole(self.arrays["status"])
        committed = committed_of(status, self.block_size)
        unused = int((status == layout.UNUSED).sum())
        return Counts(
            runs=status.size - unused,
            done=int((status == layout.DONE).sum()),
            failed=int((status == layout.FAILED).sum()),
            blocks=committed.size,
            blocks_committed=int(committed.sum()),
            refining=self.description.refined is False,
        )

    def refuse_lost_chunks(self) -> None:
        """Refuse a store with chunks that are missing or not regular files.

        xarray would read a missing chunk as fill values, follow a link, and wait forever for a
        pipe.

        Raises
        ------
        StoreError
            The message names the first of these chunks.
        """
        status = self._read_whole(self.arrays["status"])
        with telling(self.location, "cannot be read"):
            files = chunks.files_of(self.location, self.arrays)
        lost: list[str] = []
        not_regular: list[str] = []
        for name, spec in self.arrays.items():
            absent = chunks.absent(spec, files.chunks[name])
            lost += lost_chunks(self.description, spec, absent, status)
            not_regular += [chunk.key for chunk in files.chunks[name] if chunk.size < 0]
        for keys, problem in ((not_regular, "not a regular file"), (lost, "missing")):
            if keys:
                verb = "is" if len(keys) == 1 else "are"
                raise StoreError(
                    f"{self}: {listed(keys)} {verb} {problem}; see what can be done:"
                    f" {_doctor(self)}"
                )

    def _present_spec(self, name: str) -> schema.ArraySpec:
        """Return how an array is declared now: a running sweep may have lengthened it."""
        try:
            if NAME.fullmatch(name):
                with suppress(FileNotFoundError):
                    return schema.read_array(name, self.location.read(f"{name}/{DESCRIPTION}"))
        except Exception as error:
            raise self._as_store_error(name, error) from error
        return self.spec(name)

    def _read_whole(self, spec: schema.ArraySpec) -> NDArray[Any]:
        try:
            if spec.array_bytes > MAX_COLUMN_BYTES:
                size = f"{spec.array_bytes / 1e9:.1f} GB"
                raise ValueError(f"{size} are more than this program reads at once")
            return chunks.read_array(
                self.location, spec, lambda absent: self._refuse_lost(spec, absent)
            )
        except Exception as error:
            raise self._as_store_error(spec.name, error) from error

    def _as_store_error(self, name: str, error: Exception) -> StoreError:
        """Return what reading an array has raised as a StoreError that names the array."""
        if isinstance(error, StoreError):
            return error
        problem = "cannot be read" if isinstance(error, storage_errors()) else "is damaged"
        return StoreError(
            f"{self}: {name} {problem}: {reason(error) or type(error).__name__}; see what can be"
            f" done: {_doctor(self)}"
        )

    def _refuse_lost(self, spec: schema.ArraySpec, absent: Sequence[int]) -> None:
        """Raise a ValueError if one of the absent chunks must exist."""
        if spec.name == layout.STATUS_VARIABLE.name:  # without it, a block is not committed
            return
        present = Store.open(self.location, same_length=False)
        status = present.column("status")
        lost = lost_chunks(present.description, spec, absent, status)
        if lost:
            # their block may have been committed since the files were listed
            files = chunks.files_of(self.location, {spec.name: spec}, f"{spec.name}/")
            still_absent = set(chunks.absent(spec, files.chunks[spec.name])).intersection(absent)
            lost = lost_chunks(present.description, spec, sorted(still_absent), status)
        if lost:
            verb = "is" if len(lost) == 1 else "are"
            raise ValueError(f"{listed(lost, 1)} {verb} missing")


def _doctor(store: object) -> Command:
    return Command.sweep("doctor", store)


def lost_chunks(
    description: Description,
    spec: schema.ArraySpec,
    absent: Sequence[int],
    status: NDArray[Any],
) -> list[str]:
    """Return the keys of those absent chunks of an array that must exist.

    Every chunk of an array that workers write exists once its block is committed, and every chunk
    of all other arrays from the beginning. Stores of schema 1 omit chunks that are all fill value.

    Parameters
    ----------
    description : Description
        What the store says of itself.
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
    if description.schema_version < layout.FIRST_WITH_EVERY_CHUNK:
        return []
    size = description.block_size
    committed = committed_of(status, size)

    def must_exist(index: int) -> bool:
        first_row = index * spec.chunks[0]
        last_row = min((index + 1) * spec.chunks[0], spec.shape[0]) - 1
        return bool(committed[first_row // size : last_row // size + 1].any())

    return [
        f"{spec.name}/c/{index}" for index in absent if not spec.is_by_block or must_exist(index)
    ]


def committed_of(status: NDArray[Any], size: int) -> NDArray[np.bool_]:
    """Return for each block of ``size`` rows whether all its commit records are written."""
    if not status.size:
        return np.zeros(0, dtype=np.bool_)
    starts = np.arange(0, status.size, size)
    return np.logical_and.reduceat(status != layout.PENDING, starts)
