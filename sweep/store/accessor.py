"""``dataset.sweep``: a product sweep with one dimension per axis, whole disks, what failed, and how each run was set up."""

import functools
import html
import operator
import warnings
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray
from numpy.typing import NDArray

from marsdisk.config import RunConfig
from marsdisk.notes import SENTENCES
from marsdisk.physics.constants import YEAR

from ..errors import NotesWarning, RunChangedWarning, StoreError
from ..notes import UNRECORDED, Notes
from ..rerun import RecordedRuns
from ..tables import text
from ..views import STATES, adds_up, ring_axis_of
from . import layout

# in the place of NaN in an index, which has no place for it; behind all other values
NULL = np.finfo(np.float64).max


@xarray.register_dataset_accessor("sweep")
class SweepAccessor:
    """What a sweep's dataset can do beyond xarray; shown in a notebook, it sums up the sweep with units and states.

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
        return [str(name) for name in self._dataset.attrs["axes"]]

    def _cases(self) -> xarray.Dataset:
        """The product's cases along ``run``: a run that several cases share stands there once for each, with its place on the axes."""
        if layout.CASE_RUN not in self._dataset:
            return self._dataset.isel(run=np.flatnonzero(self._dataset.in_product.values))
        labels = {
            axis: ("run", self._dataset[layout.CASE_LABEL.format(axis)].values)
            for axis in self.axes
        }
        along_case = [
            name for name, array in self._dataset.variables.items() if "case" in array.dims
        ]
        return (
            self._dataset.drop_vars(along_case)
            .isel(run=self._dataset[layout.CASE_RUN].values)
            .assign_coords(labels)
        )

    def grid(self, axes: Sequence[str] | None = None) -> xarray.Dataset:
        """Runs of the product spread over ``axes`` (default: all of them); cells without a run are NaN, with status 0.

        Included runs, which need not lie on the axes, are left out. The value of an axis is NaN
        where the configuration has none (``null``).

        Raises
        ------
        ValueError
            Unknown axes, or several runs in one cell because an axis that differs is not named.
        """
        dataset = self._cases()
        names = list(axes or self.axes)
        if not names or not dataset.sizes["run"]:
            raise ValueError(
                "the sweep has no product of axes, only included runs; use the runs as they are"
            )
        unknown = [
            name for name in names if name not in dataset.coords or dataset[name].dims != ("run",)
        ]
        if unknown:
            raise ValueError(
                f"{', '.join(unknown)} is no coordinate of the runs; there are"
                f" {', '.join(str(n) for n in dataset.coords if dataset[n].dims == ('run',))}"
            )
        labels = {name: dataset[name].values for name in names}
        without = [
            name
            for name, values in labels.items()
            if values.dtype.kind == "f" and np.isnan(values).any()
        ]
        index = pd.MultiIndex.from_arrays(
            [
                np.nan_to_num(v, nan=NULL, posinf=np.inf) if n in without else v
                for n, v in labels.items()
            ],
            names=names,
        )
        if not index.is_unique:
            others = [
                name
                for name in self.axes
                if name not in names and len(set(dataset[name].values.tolist())) > 1
            ]
            raise ValueError(
                f"several runs share a cell of {', '.join(names)}; add"
                f" {', '.join(others) or 'another coordinate'} or select runs first"
            )
        along_run = dataset.drop_vars(
            [name for name in names if name in dataset.coords]
        ).assign_coords(xarray.Coordinates.from_pandas_multiindex(index, "run"))
        fill = {
            str(name): 0 for name, array in along_run.variables.items() if array.dtype.kind in "iu"
        }
        grid = along_run.unstack("run", fill_value={**fill}) if fill else along_run.unstack("run")
        back = {
            name: (name, np.where(grid[name] == NULL, np.nan, grid[name]), grid[name].attrs)
            for name in without
        }
        return grid.assign_coords(back)

    def disk_total(self, names: Sequence[str] | None = None) -> xarray.Dataset:
        """Sums over the rings of each disk, NaN where a ring failed, is not done or is no case of the sweep.

        ``notes`` are those that any of its rings has.

        Parameters
        ----------
        names : quantities that add up: masses, rates and energies, also series, if all rings of a disk have the same times; None for
            all totals per run

        Raises
        ------
        ValueError
            The sweep has no rings, or a quantity does not add up over them.
        """
        ring = self._ring
        if ring is None:
            raise ValueError("the sweep has no rings; its runs are not parts of a disk")
        held = self._dataset.data_vars
        additive = [
            name
            for name in sorted(map(str, held))
            if adds_up(str(held[name].attrs.get("units", "")))
        ]
        chosen = (
            list(names)
            if names is not None
            else [name for name in additive if held[name].dims == ("run",)]
        )
        for name in chosen:
            if name not in additive:
                raise ValueError(
                    f"{name} does not add up over rings; there are {', '.join(additive)}"
                )
        series = any("sample" in held[name].dims for name in chosen)
        more = [*(["t"] if series else []), *([layout.NOTES] if layout.NOTES in held else [])]
        grid = self._dataset[[*chosen, "status", *more]].sweep.grid()
        done = grid.status == layout.DONE
        found = grid[chosen].where(done).sum(ring, skipna=False, keep_attrs=True)
        if layout.NOTES in grid:
            found = found.assign({layout.NOTES: self._notes_of_disks(grid, ring)})
        if series:
            found = found.assign_coords(t=self._shared_times(grid.t.where(done), ring))
        total: xarray.Dataset = found.assign_attrs(self._dataset.attrs)
        return total

    @staticmethod
    def _notes_of_disks(grid: xarray.Dataset, ring: str) -> xarray.DataArray:
        """The notes that any ring of a disk has."""
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

    def failed(self) -> xarray.Dataset:
        """The runs that failed; ``error`` says why, and :meth:`command` repeats one."""
        return self._dataset.isel(run=np.flatnonzero(self._dataset.status.values == layout.FAILED))

    def notes(self) -> pd.DataFrame:
        """Return what makes the runs of this dataset doubtful.

        Returns
        -------
        pandas.DataFrame
            A row for each note that some finished run has, under its name: ``runs``, how many have
            it, and ``meaning``, what it says. Each run's own are the bits of ``dataset.notes``.

        Warns
        -----
        NotesWarning
            The store is of a version that kept none.

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
            return np.ravel(self._dataset[name].values)  # of one run, or of runs over several axes

        return Notes.read(column, are_recorded=layout.NOTES in self._dataset)

    def config(self, run: int | str) -> RunConfig:
        """The resolved configuration of a run, by its place in this dataset or by its run_id.

        Raises
        ------
        KeyError
            There is no such run.
        """
        return self._recorded.config(self._place(run))

    def command(self, run: int | str) -> str:
        """Return the command that repeats a run, to the same bits.

        Parameters
        ----------
        run : int or str
            Its place in this dataset, or its run_id.

        Returns
        -------
        str
            For a shell. A base that was edited since is set back in it; where a table or the code
            has changed, a RunChangedWarning says so.

        Raises
        ------
        KeyError
            There is no such run.
        StoreError
            No command repeats it: its base or a table is gone.

        Examples
        --------
        >>> ds.sweep.command(17)
        'marsdisk run .../mars_0d_melt.yaml --set temperature.T0=4000.0 ...'
        """
        repetition = self._recorded.repetition(self._place(run))
        if not repetition.command:
            raise StoreError(f"run {run}: {repetition.words}")
        if repetition.changes:
            warnings.warn(f"run {run}: {repetition.words}", RunChangedWarning, stacklevel=2)
        return repetition.command

    def _place(self, run: int | str) -> int:
        ids = self._dataset.run_id.values
        found = (
            np.flatnonzero(ids == run)
            if isinstance(run, str)
            else np.arange(ids.size)[run : run + 1]
            if run >= 0
            else np.arange(0)
        )
        if not found.size:
            raise KeyError(f"there is no run {run!r}; there are {ids.size}, by number or by run_id")
        return int(found[0])

    @cached_property
    def _recorded(self) -> RecordedRuns:
        return RecordedRuns(
            self._dataset.attrs, lambda name: np.atleast_1d(self._dataset[name].values)
        )

    @property
    def _ring(self) -> str | None:
        return ring_axis_of(self._dataset.attrs)

    def __repr__(self) -> str:
        return "\n".join([self._title, *(f"  {line}" for line in self._counts())])

    def _repr_html_(self) -> str:
        parts = [
            f"<h4>{html.escape(self._title)}</h4>",
            *(f"<div>{html.escape(line)}</div>" for line in self._counts()),
        ]
        for title, names in (
            ("Parameters", self._parameters()),
            ("Arrays", sorted(map(str, self._dataset.data_vars))),
        ):
            rows = "".join(
                f"<tr>{''.join(f'<td>{html.escape(text(cell))}</td>' for cell in self._row(name))}</tr>"
                for name in names
            )
            heads = "".join(
                f"<th>{head}</th>"
                for head in (
                    "name",
                    "unit",
                    "dimensions",
                    "values" if title == "Parameters" else "range",
                    "meaning",
                )
            )
            parts.append(
                f"<details{' open' * (title == 'Parameters')}><summary>{title}</summary><table"
                f" style='text-align:left'><tr>{heads}</tr>{rows}</table></details>"
            )
        return f"<div>{''.join(parts)}</div>"

    @property
    def _title(self) -> str:
        return (
            f"sweep {self._dataset.attrs['title']}: {self._dataset.sizes.get('run', 0)} runs over"
            f" {', '.join(self.axes) or 'no axes'}"
        )

    def _counts(self) -> Iterator[str]:
        """How many runs are in which state, and how they ended."""
        status = np.asarray(self._dataset.status.values)
        for name, words in STATES.items():
            values = np.asarray(self._dataset[name].values)[
                slice(None) if name == "status" else status == layout.DONE
            ]
            counts = {word: int((values == number).sum()) for number, word in enumerate(words)}
            yield f"{name}: " + ", ".join(
                f"{count} {word}" for word, count in counts.items() if count
            )

        yield from (f"note: {line}" for line in self._notes().lines)

    def _parameters(self) -> list[str]:
        """Axes in the order of the sweep, then whatever else differs between runs."""
        others = sorted(
            str(name)
            for name in self._dataset.coords
            if "config_key" in self._dataset[name].attrs and str(name) not in self.axes
        )
        return [*(name for name in self.axes if name in self._dataset.coords), *others]

    def _row(self, name: str) -> tuple[str, str, str, str, str]:
        array = self._dataset[name]
        unit = str(array.attrs.get("units", "1"))
        return (
            name,
            "" if unit == "1" else unit,
            ", ".join(map(str, array.dims)),
            self._span(array),
            str(array.attrs.get("long_name", "")),
        )

    def _span(self, array: xarray.DataArray) -> str:
        """Values of a parameter; from least to greatest of the results; flags in words. Larger arrays are not read for it."""
        if str(array.name) in STATES:
            return ", ".join(STATES[str(array.name)])
        if array.name == layout.NOTES:
            return ", ".join(note.label for note in self._notes().counts)
        if array.dims != ("run",) or not array.size:
            return ""
        values = (
            array.values
            if array.name in self._dataset.coords
            else array.values[self._dataset.status.values == layout.DONE]
        )
        if values.dtype.kind not in "fiu":
            once = [
                word if len(word) < 40 else f"{word[:39]}…"
                for word in dict.fromkeys(map(str, values.tolist()))
            ]
            return ", ".join(once[:4]) + (f" and {len(once) - 4} more" if len(once) > 4 else "")
        finite = values[np.isfinite(values)]
        if not finite.size:
            return "none"
        years = (
            f" ({finite.max() / YEAR:.3g} yr)"
            if array.attrs.get("units") == "s" and finite.max() > 0.01 * YEAR
            else ""
        )
        return (
            f"{finite.min():.6g} to {finite.max():.6g}{years}"
            if finite.min() < finite.max()
            else f"{finite.min():.6g}"
        )
