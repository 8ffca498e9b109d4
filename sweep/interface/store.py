"""A store, and what people do with it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import xarray

from marsdisk.config import RunConfig

from ..plots import draw
from ..report.expectations import as_json
from ..results.columns import Columns
from ..results.dataset import open_store
from ..results.judge import judge
from ..results.judged_columns import Results
from ..spec.file import recorded_sweep
from ..store.store import Store as StoredSweep
from .notebook import is_notebook, show_figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Store(StoredSweep):
    """The store of a sweep: its runs, grids, sums over disks, caveats, and figures.

    :func:`sweep.run` returns one, and ``sweep.Store.open(path)`` opens one. Its datasets are read
    when they are used, from the store as it is at that time.

    Examples
    --------
    >>> store = sweep.Store.open("results/temperature_supply.zarr")
    >>> store.runs.M_loss  # of each run
    >>> store.disk_total().M_loss.sel(T0=4000)  # of whole disks, along the other axes
    >>> store.where("T0 > 3500 and status == 'done'").t99
    >>> store.plot.heatmap(x="mu_orbit10pct", y="T0")
    """

    @property
    def runs(self) -> xarray.Dataset:
        """All arrays along ``run``; see :func:`sweep.open_store`."""
        return open_store(self.location)

    def grid(self, axes: Sequence[str] | None = None) -> xarray.Dataset:
        """Spread the runs over axes; see ``runs.sweep.grid``."""
        grid: xarray.Dataset = self.runs.sweep.grid(axes)
        return grid

    def disk_total(
        self, names: Sequence[str] | None = None, *, parts: bool = False
    ) -> xarray.Dataset:
        """Sum over the rings of each disk; see ``runs.sweep.disk_total``."""
        total: xarray.Dataset = self.runs.sweep.disk_total(names, parts=parts)
        return total

    def where(self, condition: str) -> xarray.Dataset:
        """Return the runs that meet a condition.

        Parameters
        ----------
        condition : str
            As in ``sweep show --where``, in the units of the store.

        Returns
        -------
        xarray.Dataset
            The runs; there may be none.

        Raises
        ------
        ExpressionError
            The condition cannot be understood.

        Examples
        --------
        >>> store.where("T0 > 3500 and status == 'done'")
        """
        return self.runs.isel(run=Columns(self).where(condition))

    def failed(self) -> xarray.Dataset:
        """Return the runs that failed; ``error`` says why, and :meth:`command` repeats one."""
        failed: xarray.Dataset = self.runs.sweep.failed()
        return failed

    def notes(self) -> pd.DataFrame:
        """Count the caveats of the runs; see ``runs.sweep.notes``."""
        notes: pd.DataFrame = self.runs.sweep.notes()
        return notes

    def expectations(self) -> list[dict[str, Any]]:
        """Evaluate the expectations of the sweep, as ``sweep expect --json`` prints them.

        Returns
        -------
        list of dict
            For each, its ``name``, ``verdict``, numbers of runs or groups, and worst offender.
        """
        expectations = recorded_sweep(self.description, str(self)).expectations
        return as_json(judge(expectations, Results.of(self), f"{self}: expect"))

    def config(self, run: int | str) -> RunConfig:
        """Return the resolved configuration of a run, by its number or its run_id."""
        config: RunConfig = self.runs.sweep.config(run)
        return config

    def command(self, run: int | str) -> str:
        """Return the command that repeats a run to the same bits; see ``runs.sweep.command``."""
        command: str = self.runs.sweep.command(run)
        return command

    @property
    def plot(self) -> "Figures":
        """The figures of ``sweep plot``."""
        return Figures(self)

    def __repr__(self) -> str:
        return f"{self.location}\n{self.runs.sweep!r}"

    def _repr_html_(self) -> str:
        html: str = self.runs.sweep._repr_html_()
        return html


class Figures:
    """Figures of a store, as ``sweep plot`` draws them; ``style="paper"`` suits a paper.

    Examples
    --------
    >>> figure = store.plot.heatmap(x="mu_orbit10pct", y="T0", style="paper")
    >>> figure.savefig("loss.pdf")
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def heatmap(self, **options: Any) -> "Figure":
        """Draw a scalar over two parameters; see :func:`sweep.plots.heatmap.heatmap`."""
        return self._draw("heatmap", options)

    def series(self, **options: Any) -> "Figure":
        """Draw series of runs over time; see :func:`sweep.plots.series.series`."""
        return self._draw("series", options)

    def psd(self, **options: Any) -> "Figure":
        """Draw size distributions of a run; see :func:`sweep.plots.psd.psd`."""
        return self._draw("psd", options)

    def radial(self, **options: Any) -> "Figure":
        """Draw a series of all rings of a disk; see :func:`sweep.plots.radial.radial`."""
        return self._draw("radial", options)

    def sensitivity(self, **options: Any) -> "Figure":
        """Draw the effect of each axis alone; see :func:`sweep.plots.tornado.sensitivity`."""
        return self._draw("sensitivity", options)

    def cache(self, **options: Any) -> "Figure":
        """Draw lookups of each cache slot; see :func:`sweep.plots.numerics.cache`."""
        return self._draw("cache", options)

    def convergence(self, **options: Any) -> "Figure":
        """Draw numerical errors; see :func:`sweep.plots.numerics.convergence`."""
        return self._draw("convergence", options)

    def _draw(self, kind: str, options: dict[str, Any]) -> "Figure":
        if is_notebook():
            show_figures()
        return draw(self._store, kind, **options)
