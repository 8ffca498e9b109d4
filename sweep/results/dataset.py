"""A store as an xarray dataset, with grids, sums over disks, and more under ``dataset.sweep``."""

import functools
import numbers
import operator
import warnings
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray
from numpy.typing import NDArray

from marsdisk.common.templates import environment, rendered
from marsdisk.config import RunConfig
from marsdisk.notes import SENTENCES

from ..common.errors import NotesWarning, PartOfDiskWarning, RunChangedWarning, StoreError
from ..common.floats import without_round_off
from ..common.text import listed, text
from ..store import layout
from ..store.bounded_zarr import BoundedStore
from ..store.description import Description
from ..store.location import Location
from ..store.store import Store
from .columns import STATES, adds_up
from .conventions import as_cf, store_unit
from .notes import UNRECORDED, Notes
from .portable import made_portable, recorded_attributes
from .quantity import readable_unit
from .rerun import RecordedRuns
from .selection import rings_in_words

#: Stands for NaN in an index, which cannot hold it, and sorts after all other values.
NULL = np.finfo(np.float64).max
#: What stands in cells without a run, by the kind of the array; numbers with a point are NaN.
EMPTY_CELLS: dict[str, Any] = {"i": 0, "u": 0, "b": False, "O": ""}
MAX_WORDS_SHOWN = 4
MAX_WORD_LENGTH = 40  # characters


def _as_row(run: Any) -> int:
    """Return the number of a run as an int.

    Raises
    ------
    TypeError
        It is no whole number.
    """
    if isinstance(run, bool) or not isinstance(run, numbers.Integral):
        raise TypeError(f"a run is given by its number or its run_id, not by {run!r}")
    return int(run)


@xarray.register_dataset_accessor("sweep")
class SweepAccessor:
    """Methods of a sweep's dataset beyond those of xarray.

    A notebook shows it as a summary of the sweep with units and states.

    Examples
    --------
    >>> ds = sweep.open_store("results/temperature_supply.zarr")
    >>> ds.sweep  # counts, parameters, results with their units
    >>> ds.sweep.grid(["T0", "mu_orbit10pct", "tau0_target", "ring"]).t99
    >>> ds.sweep.disk_total().M_loss  # NaN where a ring has no result
    >>> ds.sweep.failed().error
    >>> ds.sweep.config(17).material.rho
    """

    def __init__(self, dataset: xarray.Dataset) -> None:
        self._dataset = dataset

    @property
    def axes(self) -> list[str]:
        """Axes of the product, in the order of the sweep file."""
        return self._description.axes

    def _cases(self) -> xarray.Dataset:
        """Return the product's cases along ``run``, with their values on the axes.

        A run that several cases share is repeated for each of them.
        """
        dataset = self._dataset
        if layout.CASE_RUN not in dataset:
            return dataset.isel(run=np.flatnonzero(dataset.in_product.values))
        labels = {
            axis: ("run", dataset[layout.CASE_LABEL.format(axis)].values) for axis in self.axes
        }
        along_case = [name for name, array in dataset.variables.items() if "case" in array.dims]
        runs = dataset[layout.CASE_RUN].values
        return dataset.drop_vars(along_case).isel(run=runs).assign_coords(labels)

    def grid(self, axes: Sequence[str] | None = None) -> xarray.Dataset:
        """Spread the runs of the product over axes, each a dimension of its own.

        Cells without a run are NaN, with status 0. Included runs, which need not lie on the axes,
        are left out. The value of an axis is NaN where the configuration has none (``null``).
        Values that an older version has stored with round-off are without it, so that ``sel`` finds
        the number that was typed.

        Parameters
        ----------
        axes : sequence of str, optional
            Names of the axes, or of other coordinates of the runs, or their configuration keys; all
            axes by default.

        Returns
        -------
        xarray.Dataset
            All arrays of the dataset, with these dimensions in place of ``run``.

        Raises
        ------
        ValueError
            An axis is unknown, or several runs share a cell because an axis that differs between
            them is not named.
        """
        dataset = self._cases()
        of_key = {dataset[name].attrs.get("config_key"): str(name) for name in dataset.coords}
        names = [of_key.get(name, name) for name in axes or self.axes]
        if not names or not dataset.sizes["run"]:
            raise ValueError(
                "the sweep has no product of axes, only included runs; use the runs as they are"
            )
        coordinates = [name for name in dataset.coords if dataset[name].dims == ("run",)]
        unknown = [name for name in names if name not in coordinates]
        if unknown:
            raise ValueError(
                f"{', '.join(unknown)} is no coordinate of the runs; there are"
                f" {', '.join(map(str, coordinates))}"
            )
        labels = {name: _labels_of_grid(dataset[name].values) for name in names}
        with_nan = []
        for name, values in labels.items():
            if values.dtype.kind == "f" and np.isnan(values).any():
                labels[name] = np.nan_to_num(values, nan=NULL, posinf=np.inf)
                with_nan.append(name)
        index = pd.MultiIndex.from_arrays(list(labels.values()), names=names)
        if not index.is_unique:
            differing = [
                name
                for name in self.axes
                if name not in names and len(set(dataset[name].values.tolist())) > 1
            ]
            raise ValueError(
                f"several runs share a cell of {', '.join(names)}; add"
                f" {', '.join(differing) or 'another coordinate'} or select runs first"
            )
        along_run = dataset.drop_vars(names).assign_coords(
            xarray.Coordinates.from_pandas_multiindex(index, "run")
        )
        # texts of NumPy's own kind cannot be filled where a cell has no run
        texts = {
            name: array.astype(object)
            for name, array in along_run.variables.items()
            if array.dtype.kind == "T"
        }
        along_run = along_run.assign(texts)
        fills = {
            str(name): EMPTY_CELLS[array.dtype.kind]
            for name, array in along_run.variables.items()
            if array.dtype.kind in EMPTY_CELLS
        }
        options: dict[str, Any] = {"fill_value": fills} if fills else {}
        grid = along_run.unstack("run", **options)
        restored = {
            name: (name, np.where(grid[name] == NULL, np.nan, grid[name])) for name in with_nan
        }
        grid = grid.assign_coords(restored)
        for name in names:
            grid[name].attrs.update(dataset[name].attrs)
        return grid

    def disk_total(
        self, names: Sequence[str] | None = None, *, parts: bool = False
    ) -> xarray.Dataset:
        """Sum over the rings of each disk.

        A sum is NaN where a ring failed, is not done, is no case of the sweep, or is not in this
        dataset. ``notes`` of a disk are those that any of its rings has, and ``t_end_first`` and
        ``t_end_last`` say when its first and its last ring ended.

        Parameters
        ----------
        names : sequence of str, optional
            Quantities that add up: masses, rates and energies; also their series, if all rings of a
            disk have the same times. By default all such quantities with one value per run.
        parts : bool
            Whether to sum over the rings that this dataset has, where these are not all rings of
            the disk. ``long_name`` of each sum then says how many they are.

        Returns
        -------
        xarray.Dataset
            The sums, over all axes but that of the rings.

        Raises
        ------
        ValueError
            The sweep has no rings, or a quantity does not add up over them.

        Warns
        -----
        PartOfDiskWarning
            The dataset lacks rings of its disks, so that all sums are NaN.

        Examples
        --------
        >>> ds.sweep.disk_total().M_loss
        >>> inner = ds.isel(run=ds.ring < 4)
        >>> inner.sweep.disk_total(parts=True).M_loss.long_name
        'mass lost, of 4 of 32 rings'
        """
        ring = self._ring
        if ring is None:
            raise ValueError("the sweep has no rings; its runs are not parts of a disk")
        arrays = self._dataset.data_vars
        additive = [
            name for name in sorted(map(str, arrays)) if adds_up(store_unit(arrays[name].attrs))
        ]
        if names is None:
            names = [name for name in additive if arrays[name].dims == ("run",)]
        chosen = list(names)
        for name in chosen:
            if name not in additive:
                raise ValueError(
                    f"{name} does not add up over rings; there are {', '.join(additive)}"
                )
        needed = [*chosen, "status"]
        has_series = any("sample" in arrays[name].dims for name in chosen)
        if has_series:
            needed.append("t")
        needed += [name for name in (layout.NOTES, "t_end") if name in arrays]
        grid = self._dataset[needed].sweep.grid()
        rings = rings_in_words(grid.sizes[ring], self._description.ring_count)
        is_part = grid.sizes[ring] < self._description.ring_count
        if is_part and not parts:
            warnings.warn(
                f"the dataset has only {rings} of each disk, so whole-disk sums are NaN; parts=True"
                " sums over these rings",
                PartOfDiskWarning,
                stacklevel=2,
            )
        is_done = (grid.status == layout.DONE) & (parts or not is_part)
        total: xarray.Dataset = grid[chosen].where(is_done).sum(ring, skipna=False, keep_attrs=True)
        if is_part and parts:
            for name in chosen:
                meaning = total[name].attrs.get("long_name", name)
                total[name].attrs["long_name"] = f"{meaning}, of {rings}"
        if layout.NOTES in grid:
            total = total.assign({layout.NOTES: self._notes_of_disks(grid, ring)})
        if "t_end" in grid:
            total = total.assign(self._ends_of_rings(grid.t_end.where(is_done), ring))
        if has_series:
            total = total.assign_coords(t=self._shared_times(grid.t.where(is_done), ring))
        return total.assign_attrs(self._dataset.attrs)

    @staticmethod
    def _ends_of_rings(t_end: xarray.DataArray, ring: str) -> dict[str, xarray.DataArray]:
        """Return when the first and the last ring of each disk ended."""
        ends = {}
        for which, end in (("first", t_end.min(ring)), ("last", t_end.max(ring))):
            ends[f"t_end_{which}"] = end.assign_attrs(
                units=t_end.attrs.get("units", "s"), long_name=f"end of the {which} ring to end"
            )
        return ends

    @staticmethod
    def _notes_of_disks(grid: xarray.Dataset, ring: str) -> xarray.DataArray:
        """Return the notes that any ring of a disk has."""
        of_rings = [grid[layout.NOTES].isel({ring: i}, drop=True) for i in range(grid.sizes[ring])]
        notes: xarray.DataArray = functools.reduce(operator.or_, of_rings)
        return notes.assign_attrs(grid[layout.NOTES].attrs)

    @staticmethod
    def _shared_times(t: xarray.DataArray, ring: str) -> xarray.DataArray:
        low = t.min(ring, keep_attrs=True)
        high = t.max(ring, keep_attrs=True)
        if bool((high - low > 1e-9 * high).any()):
            raise ValueError(
                "rings of a disk ended at different times, so that their series have no sum; choose"
                " disks with .sel first"
            )
        return low

    def as_cf(self) -> xarray.Dataset:
        """Return the dataset as the CF conventions ask, for a file that others read.

        Values stay as they are. ``units`` become those of UDUNITS, such as ``6.4171e+23 kg`` for
        ``M_Mars``, and ``store_units`` keeps ours; flags get the type of their array; and labels of
        a dimension that are texts, or numbers with NaN or in no order, are called ``NAME_label``.
        ``sweep export --to netcdf`` writes runs so.

        Returns
        -------
        xarray.Dataset
            The same arrays with these attributes and names.

        Examples
        --------
        >>> ds.sweep.disk_total().sweep.as_cf().to_netcdf("disk.nc")
        """
        return as_cf(self._dataset, self._description)

    def failed(self) -> xarray.Dataset:
        """Return the runs that failed; ``error`` says why, and :meth:`command` repeats one."""
        is_failed = self._dataset.status.values == layout.FAILED
        return self._dataset.isel(run=np.flatnonzero(is_failed))

    def notes(self) -> pd.DataFrame:
        """Return the caveats of the runs of this dataset.

        Returns
        -------
        pandas.DataFrame
            A row for each note that any finished run has, indexed by its name: ``runs``, the number
            of runs that have it, and ``meaning``. The notes of each run are the bits of
            ``dataset.notes``.

        Warns
        -----
        NotesWarning
            The store was written by a version that recorded no notes.

        Examples
        --------
        >>> ds.sweep.notes()
        >>> from marsdisk.notes import Note
        >>> ds.isel(run=(ds.notes & Note.STOPPED_EARLY) == 0)
        """
        notes = self._notes()
        if not notes.are_recorded:
            warnings.warn(UNRECORDED, NotesWarning, stacklevel=2)
        counts = notes.counts
        return pd.DataFrame(
            {"runs": list(counts.values()), "meaning": [SENTENCES[note] for note in counts]},
            index=pd.Index([note.label for note in counts], name="note"),
        )

    def _notes(self) -> Notes:
        def column(name: str) -> NDArray[Any]:
            # a dataset may have one run alone, or runs over several axes
            return np.ravel(self._dataset[name].values)

        return Notes.read(column, are_recorded=layout.NOTES in self._dataset)

    def config(self, run: int | str) -> RunConfig:
        """Return the resolved configuration of a run.

        Parameters
        ----------
        run : int or str
            Its position in this dataset, or its run_id.

        Returns
        -------
        RunConfig
            Its configuration, with all defaults.

        Raises
        ------
        KeyError
            There is no such run.
        """
        return self._recorded.config(self._position(run))

    def command(self, run: int | str) -> str:
        """Return the command that repeats a run, to the same bits.

        Parameters
        ----------
        run : int or str
            Its position in this dataset, or its run_id.

        Returns
        -------
        str
            A line for a shell. It reverts edits of the base configuration since the run.

        Raises
        ------
        KeyError
            There is no such run.
        StoreError
            No command repeats it: its base or a table is gone.

        Warns
        -----
        RunChangedWarning
            A table or the code has changed since the run.

        Examples
        --------
        >>> ds.sweep.command(17)
        'marsdisk run .../mars_0d_melt.yaml --set temperature.T0=4000.0 ...'
        """
        repetition = self._recorded.repetition(self._position(run))
        if not repetition.command:
            raise StoreError(f"run {run}: {repetition.words}")
        if repetition.changes:
            warnings.warn(f"run {run}: {repetition.words}", RunChangedWarning, stacklevel=2)
        return repetition.command

    def _position(self, run: int | str) -> int:
        ids = self._dataset.run_id.values
        if getattr(run, "shape", None) == ():
            run = run.item()  # type: ignore[union-attr] # an element of an array
        if isinstance(run, str):
            positions = np.flatnonzero(ids == run)
            if positions.size:
                return int(positions[0])
        elif 0 <= (row := _as_row(run)) < ids.size:
            return row
        raise KeyError(f"there is no run {run!r}; there are {ids.size}, by number or by run_id")

    @cached_property
    def _recorded(self) -> RecordedRuns:
        return RecordedRuns(
            self._description, lambda name: np.atleast_1d(self._dataset[name].values)
        )

    @cached_property
    def _description(self) -> Description:
        return Description.of(recorded_attributes(self._dataset))

    @property
    def _ring(self) -> str | None:
        return self._description.ring_axis

    def __repr__(self) -> str:
        return "\n".join([self._title, *(f"  {line}" for line in self._counts())])

    def _repr_html_(self) -> str:
        arrays = sorted(map(str, self._dataset.data_vars))
        return rendered(
            environment("sweep.results"),
            "dataset",
            title=self._title,
            counts=list(self._counts()),
            parameters=self._cells(self._parameters()),
            arrays=self._cells(arrays),
        )

    def _cells(self, names: Sequence[str]) -> list[list[str]]:
        """Return the rows of a table of arrays."""
        return [[text(cell) for cell in self._row(name)] for name in names]

    @property
    def _title(self) -> str:
        return (
            f"sweep {self._description.title}: {self._dataset.sizes.get('run', 0)} runs over"
            f" {', '.join(self.axes) or 'no axes'}"
        )

    def _counts(self) -> Iterator[str]:
        """Yield the numbers of runs in each state and with each stop reason, and their notes."""
        status = np.asarray(self._dataset.status.values)
        for name, words in STATES.items():
            values = np.asarray(self._dataset[name].values)
            if name != "status":
                values = values[status == layout.DONE]
            counts = {word: int((values == number).sum()) for number, word in enumerate(words)}
            shown = [f"{count} {word}" for word, count in counts.items() if count]
            yield f"{name}: {', '.join(shown)}"
        yield from (f"note: {line}" for line in self._notes().lines)

    def _parameters(self) -> list[str]:
        """Return the axes in the order of the sweep, then all else that differs between runs."""
        coordinates = self._dataset.coords
        axes = [name for name in self.axes if name in coordinates]
        differing = [
            str(name)
            for name in coordinates
            if "config_key" in coordinates[name].attrs and name not in self.axes
        ]
        return axes + sorted(differing)

    def _row(self, name: str) -> tuple[str, str, str, str, str]:
        array = self._dataset[name]
        unit = store_unit(array.attrs)
        return (
            name,
            "" if unit == "1" else unit,
            ", ".join(map(str, array.dims)),
            self._span(array),
            str(array.attrs.get("long_name", "")),
        )

    def _span(self, array: xarray.DataArray) -> str:
        """Return the range of an array with one value per run, or its values in words.

        Results of runs that are not done do not count. Larger arrays are not read.
        """
        if str(array.name) in STATES:
            return ", ".join(STATES[str(array.name)])
        if array.name == layout.NOTES:
            return ", ".join(note.label for note in self._notes().counts)
        if array.dims != ("run",) or not array.size:
            return ""
        values = array.values
        if array.name not in self._dataset.coords:
            values = values[self._dataset.status.values == layout.DONE]
        if values.dtype.kind not in "fiu":
            return _first_words(values)
        finite = values[np.isfinite(values)]
        if not finite.size:
            return "none"
        least = finite.min()
        greatest = finite.max()
        if least == greatest:
            return f"{least:.6g}"
        unit, size = readable_unit(store_unit(array.attrs), finite)
        years = f" ({greatest / size:.3g} yr)" if unit == "yr" else ""
        return f"{least:.6g} to {greatest:.6g}{years}"


def _labels_of_grid(values: NDArray[Any]) -> NDArray[Any]:
    """Return values of an axis as they were typed."""
    return without_round_off(values) if values.dtype.kind == "f" else values


def _first_words(values: NDArray[Any]) -> str:
    """List the first distinct words, shortened, and say how many more there are."""
    words = list(dict.fromkeys(map(str, values.tolist())))
    shortened = []
    for word in words:
        is_short = len(word) < MAX_WORD_LENGTH
        shortened.append(word if is_short else f"{word[: MAX_WORD_LENGTH - 1]}…")
    return listed(shortened, MAX_WORDS_SHOWN)


def open_store(store: str | Path | Location, chunks: Any = None) -> xarray.Dataset:
    """Open a store as an xarray dataset, whose arrays are read when they are used.

    Its accessor ``.sweep`` is a :class:`sweep.results.dataset.SweepAccessor`.

    Parameters
    ----------
    store : str or Path or Location
        Where the store is.
    chunks : None or dict
        None reads an array whole when it is first used, which is fastest for all but the largest
        stores. ``{}`` makes Dask arrays with one chunk per block, for stores larger than memory.

    Returns
    -------
    xarray.Dataset
        The arrays of the store, with their units.

    Raises
    ------
    StoreError
        As of :func:`sweep.store.store.Store.open`; or a chunk is missing that must exist.

    Examples
    --------
    >>> ds = open_store("results/temperature_supply.zarr")
    >>> ds.sweep.disk_total().M_loss  # M_Mars, of the whole disk over the other axes
    """
    opened = Store.open(store)
    opened.refuse_lost_chunks()
    bounded = BoundedStore(opened.location.zarr_store(), opened.arrays, str(opened.location))
    dataset = xarray.open_zarr(bounded, chunks=chunks, consolidated=False, zarr_format=3)
    return made_portable(dataset)
