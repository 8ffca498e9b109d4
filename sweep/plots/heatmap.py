"""A scalar over two parameters, one cell for each run or disk, never interpolated."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from ..common.errors import StoreError
from ..common.states import State
from ..common.text import counted
from ..results.cells import Cells, cells
from ..results.quantity import Quantity
from ..store.store import Store
from .choice import Choice, source, with_unit
from .page import (
    CMAP,
    Page,
    colour_scale,
    hatch,
    hatch_legend,
    is_bright,
    plain,
    value_ticks,
)
from .points import are_numbers, draw_points, point_legend

MAX_PANELS = 24
MAX_COLUMNS = 3
#: Cells per run; runs that make a sparser grid are drawn as points.
MAX_CELLS_PER_RUN = 4
#: Cells of a figure into which their values are written.
MAX_CELLS_WRITTEN = 42


@dataclass(frozen=True)
class _HeatmapAxes:
    """The parameters that a heat map is drawn over, and the runs that it shows."""

    choice: Choice
    x: str
    y: str
    over: str | None  #: a panel for each of its values
    summed: str | None  #: the ring axis where rings are summed

    @property
    def along_x(self) -> Quantity:
        """How the horizontal axis is shown."""
        return Quantity.of_axis(self.choice.store, self.x)

    @property
    def along_y(self) -> Quantity:
        """How the vertical axis is shown."""
        return Quantity.of_axis(self.choice.store, self.y)

    @property
    def panels(self) -> list[Any]:
        """Values of ``over``, or None for the only panel."""
        if self.over is None:
            return [None]
        return self.choice.values(self.over)


def heatmap(  # noqa: PLR0913 - options, by name
    store: Store,
    page: Page,
    *,
    name: str = "M_loss",
    x: str | None = None,
    y: str | None = None,
    over: str | None = None,
    where: str | None = None,
    ring: int | None = None,
    vmin: float | None = None,
    vmax: float | None = None,
) -> Figure:
    """Draw a scalar over two parameters.

    Cells without a value, and those of runs that were stopped early, are hatched. Runs that lie on
    no grid, such as samples, are drawn as points.

    Parameters
    ----------
    store : Store
        The store.
    page : Page
        Style of the figure; it receives notes on what was chosen automatically.
    name : str
        The scalar.
    x, y : str or None
        Parameters across and upwards; by default the first two in which the runs differ.
    over : str or None
        Parameter with a panel for each of its values.
    where : str or None
        Condition on the runs.
    ring : int or None
        The only ring to show.
    vmin, vmax : float or None
        Ends of the colours, in the unit of the figure; None for those of the values.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    StoreError
        The runs differ in fewer than two parameters, there are too many panels, or a name is
        unknown.
    """
    choice = Choice.of(store, page, where, ring=ring)
    axes = _choose_axes(choice, name, x=x, y=y, over=over)
    if axes.summed:
        choice.note_added_rings(name)
    axes.choice.refuse_no_number(name)
    panels = axes.panels
    if len(panels) > MAX_PANELS:
        raise StoreError(
            f"{axes.over} has {len(panels)} values, a panel for each is too many; choose at most"
            f" {MAX_PANELS} with --where"
        )
    stored = _read_panels(axes, name)
    values = np.concatenate([panel.value.ravel() for panel in stored])
    quantity = axes.choice.quantity(name, values, axes.summed)
    page.note_units(axes.along_x, axes.along_y)
    shown = [
        replace(
            panel,
            x=[axes.along_x.label_of(value) for value in panel.x],
            y=[axes.along_y.label_of(value) for value in panel.y],
            value=quantity.convert(panel.value),
        )
        for panel in stored
    ]
    norm = colour_scale(np.concatenate([panel.value.ravel() for panel in shown]), vmin, vmax)
    return _draw_figure(page, axes, shown, quantity, norm)


def _choose_axes(
    choice: Choice, name: str, *, x: str | None, y: str | None, over: str | None
) -> _HeatmapAxes:
    """Choose the axes that were not asked for, and the middle of those that are left over."""
    rings = choice.store.ring_axis
    runs = choice
    choice, summed = choice.summed_over_rings(name, (x, y, over))
    free = [axis for axis in choice.varying() if axis not in {x, y, over, summed}]
    if rings in free and rings != free[0]:
        # A quantity that does not add up is shown over the rings first.
        free.remove(rings)
        free.insert(0, str(rings))
    if not x:
        x = free.pop(0) if free else None
    if y is None and not free and summed:
        # A single disk has no second axis but its rings.
        y = summed
        summed = None
        choice = runs
    if not y and free:
        y = free.pop(0)
    if not y:
        unused = [axis for axis in choice.dimensions if axis not in {x, over, summed}]
        y = unused[0] if unused else None
    if x is None or y is None:
        raise StoreError(
            f"a heat map needs two parameters that differ, and {x or 'none'} does; see: sweep plot"
            " STORE series"
        )
    for axis in (x, y):
        choice.refuse_no_parameter(axis)
    if x == y:
        raise StoreError(f"a heat map needs two parameters, and x and y are both {x}")
    if over is None and not choice.tells_apart(x, y, summed):
        fitting = [axis for axis in free if len(choice.values(axis)) <= MAX_PANELS]
        if fitting:
            over = fitting[0]
            free.remove(over)
    if not choice.tells_apart(x, y, over, summed):
        choice = choice.middle(free)
    return _HeatmapAxes(choice, x, y, over or None, summed)


def _read_panels(axes: _HeatmapAxes, name: str) -> list[Cells]:
    """Read the cells of each panel; all panels have the same grid."""
    choice = axes.choice
    columns = choice.selection.columns
    panels = []
    for value in axes.panels:
        fixed = {axes.over: value} if axes.over else {}
        panel = cells(
            columns, name, axes.x, axes.y, fixed, among=choice.runs, over=axes.summed, one_grid=True
        )
        panels.append(panel)
    return panels


def _are_scattered(panels: Sequence[Cells], runs: int) -> bool:
    """Whether runs are better drawn as points: most cells are empty, and both axes are numbers."""
    count = sum(panel.value.size for panel in panels)
    sparse = count > MAX_CELLS_PER_RUN * runs
    return sparse and are_numbers(panels[0].x) and are_numbers(panels[0].y)


def _draw_figure(
    page: Page,
    axes: _HeatmapAxes,
    panels: list[Cells],
    quantity: Quantity,
    norm: Normalize,
) -> Figure:
    choice = axes.choice
    store = choice.store
    scattered = _are_scattered(panels, choice.runs.size)
    columns = min(len(panels), MAX_COLUMNS)
    figure, grid = page.figure(
        -(-len(panels) // columns),
        columns,
        height=0.68 if columns == 1 else 0.82,
        sharex=True,
        sharey=True,
    )
    counts = Counter[State]()
    cell_count = sum(panel.value.size for panel in panels)
    write = cell_count <= MAX_CELLS_WRITTEN and page.style == "screen"
    for i, (ax, value, panel) in enumerate(zip(grid.flat, axes.panels, panels, strict=False)):
        if scattered:
            counts.update(draw_points(ax, panel, norm))
        else:
            counts.update(_draw_cells(ax, panel, norm, f"{i}", write=write))
            value_ticks(ax, "x", panel.x, most=12 // columns + 2, letters=60 // columns)
            value_ticks(ax, "y", panel.y)
        if axes.over:
            heading = f"{plain(axes.over)} = {with_unit(store, axes.over, value)}"
            ax.set_title(heading.replace("\u00a0", " "))
    _label_outer_axes(grid, len(panels), page.label(axes.along_x), page.label(axes.along_y))
    bar = figure.colorbar(
        ScalarMappable(norm, CMAP), ax=grid, label=page.label(quantity, folds=True), pad=0.02
    )
    bar.ax.minorticks_off()
    page.title(
        figure,
        f"{quantity.head} over {plain(axes.along_x.words)} and {plain(axes.along_y.words)}",
        choice.fixed(axes.x, axes.y, axes.over, summed=axes.summed),
        source(store),
        choice.doubts(),
    )
    entries = point_legend(counts) if scattered else hatch_legend(counts, "cell")
    infinite = sum(int(np.isinf(panel.value).sum()) for panel in panels)
    if infinite:
        words = f"white: infinite ({counted(infinite, 'cell')})"
        entries.append(Patch(facecolor="white", edgecolor="0.6", label=words))
    page.legend(figure, entries)
    return figure


def _label_outer_axes(grid: NDArray[Any], panels: int, x_label: str, y_label: str) -> None:
    """Label the lowest panel of each column and the first of each row, and hide empty panels."""
    for ax in grid.flat[panels:]:
        ax.set_visible(False)
    columns = grid.shape[1]
    for i in range(columns):
        lowest = grid.flat[:panels][i::columns][-1]
        lowest.tick_params(axis="x", labelbottom=True)
        lowest.set_xlabel(x_label)
    for ax in grid[:, 0]:
        ax.set_ylabel(y_label)


def _draw_cells(
    ax: Axes, panel: Cells, norm: Normalize, panel_id: str, *, write: bool
) -> dict[State, int]:
    """Fill one panel and return the number of cells in each state that is marked."""
    value = np.ma.masked_invalid(panel.value)
    if isinstance(norm, LogNorm):
        value = np.ma.masked_less_equal(value, 0.0)
    ax.pcolormesh(
        np.arange(len(panel.x) + 1),
        np.arange(len(panel.y) + 1),
        value,
        norm=norm,
        cmap=CMAP,
        rasterized=value.size > 400,
    )
    states = panel.marked(log=isinstance(norm, LogNorm))
    bright = np.ma.getmaskarray(value) | np.vectorize(is_bright, otypes=[bool])(
        norm(value).filled(1.0)
    )
    for state, marked in states.items():
        for j, i in np.argwhere(marked):
            colour = "0.25" if bright[j, i] else "0.85"
            gid = f"{state.name.lower()}-{panel_id}-{j}-{i}"
            hatch(ax, state, (i, j), (1, 1), gid, colour=colour)
    if write:
        _write_values(ax, panel, norm, bright)
    ax.set(xlim=(0, len(panel.x)), ylim=(0, len(panel.y)))
    ax.tick_params(length=0)
    return {state: int(marked.sum()) for state, marked in states.items()}


def _write_values(ax: Axes, panel: Cells, norm: Normalize, bright: NDArray[np.bool_]) -> None:
    for (j, i), number in np.ndenumerate(panel.value):
        if not np.isfinite(number):
            continue
        box = None
        if panel.state[j, i] == State.EARLY and number > 0.0:
            # Hatching behind the digits would make them unreadable.
            box = {"facecolor": mpl.colormaps[CMAP](norm(number)), "lw": 0, "pad": 1}
        ax.text(
            i + 0.5,
            j + 0.5,
            f"{number:.3g}",
            ha="center",
            va="center",
            color="black" if bright[j, i] else "white",
            fontsize="small",
            bbox=box,
        )
