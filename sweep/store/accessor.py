"""``dataset.sweep``: the view of a product sweep with one dimension per axis."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray

from . import layout


@xarray.register_dataset_accessor("sweep")
class SweepAccessor:
    """What a sweep's dataset can do beyond xarray."""

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
        labels = {axis: ("run", self._dataset[layout.CASE_LABEL.format(axis)].values) for axis in self.axes}
        along_case = [name for name, array in self._dataset.variables.items() if "case" in array.dims]
        return self._dataset.drop_vars(along_case).isel(run=self._dataset[layout.CASE_RUN].values).assign_coords(labels)

    def grid(self, axes: Sequence[str] | None = None) -> xarray.Dataset:
        """Runs of the product spread over ``axes`` (default: all of them); cells without a run are NaN, with status 0.

        Included runs, which need not lie on the axes, are left out.

        Raises
        ------
        ValueError
            Unknown axes, or several runs in one cell because an axis that differs is not named.
        """
        dataset, names = self._cases(), list(axes or self.axes)
        if not names or not dataset.sizes["run"]:
            raise ValueError("the sweep has no product of axes, only included runs; use the runs as they are")
        unknown = [name for name in names if name not in dataset.coords or dataset[name].dims != ("run",)]
        if unknown:
            raise ValueError(
                f"{', '.join(unknown)} is no coordinate of the runs; there are {', '.join(str(n) for n in dataset.coords if dataset[n].dims == ('run',))}"
            )
        index = pd.MultiIndex.from_arrays([dataset[name].values for name in names], names=names)
        if not index.is_unique:
            others = [name for name in self.axes if name not in names and len(set(dataset[name].values.tolist())) > 1]
            raise ValueError(f"several runs share a cell of {', '.join(names)}; add {', '.join(others) or 'another coordinate'} or select runs first")
        along_run = dataset.drop_vars([name for name in names if name in dataset.coords]).assign_coords(
            xarray.Coordinates.from_pandas_multiindex(index, "run")
        )
        fill = {str(name): 0 for name, array in along_run.variables.items() if array.dtype.kind in "iu"}
        return along_run.unstack("run", fill_value={**fill}) if fill else along_run.unstack("run")
