"""A scalar over two parameters, one cell for each run or disk, never interpolated."""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.text import Text
from numpy.typing import NDArray

from ..common.errors import StoreError
from ..common.states import State
from ..common.text import counted
from ..results.cells import Cells, cells
from ..results.effects import strongest_first
from ..results.quantity import Quantity
from ..store.store import Store
from .choice import Choice, source, with_unit
from .colours import ColourScale, is_bright, label_decades
from .page import Page, hatch, hatch_legend, plain, value_ticks
from .points import are_numbers, draw_points, point_legend
from .settle import settle

MAX_PANELS = 24
MAX_COLUMNS = 3
#: Letters of text that a panel beside others has room for.
LETTERS_OF_PANEL = 25.0
#: Cells per run; runs that make a sparser grid are drawn as points.
MAX_CELLS_PER_RUN = 4
#: Cells of a figure into which their values are written.
MAX_CELLS_WRITTEN = 59
#: Digits of the values in cells, the most that fit.
DIGITS_IN_CELLS = (3, 2)
#: Sizes of these digits over that of the figure's font, the largest that fits.
SIZES_IN_CELLS = (0.83, 0.67)
#: Share of a cell that its digits may fill.
MAX_SHARE_OF_CELL = 0.9
#: Powers of ten between which numbers in cells are written out.
PLAIN_EXPONENTS = range(-3, 5)
#: Cells of a panel beyond which they are pixels in a file of shapes.
MAX_CELLS_AS_SHAPES = 400


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
        Parameters across and upwards; by default the two that change the scalar most.
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
    quantity = axes.choice.quantity(name, values, summed=axes.summed)
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
    shown_values = np.concatenate([panel.value.ravel() for panel in shown])
    colours = ColourScale.of(shown_values, page.colour_map, vmin, vmax)
    return _draw_figure(axes, shown, quantity, colours)


def _choose_axes(
    choice: Choice, name: str, *, x: str | None, y: str | None, over: str | None
) -> _HeatmapAxes:
    """Choose the axes that were not asked for, and the middle of those that are left over."""
    rings = choice.store.ring_axis
    runs = choice
    choice, summed = choice.summed_over_rings(name, (x, y, over))
    strongest = strongest_first(choice.store, name)
    free = [axis for axis in choice.varying() if axis not in {x, y, over, summed}]
    free.sort(key=lambda axis: strongest.index(axis) if axis in strongest else len(strongest))
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
    axes: _HeatmapAxes, panels: list[Cells], quantity: Quantity, colours: ColourScale
) -> Figure:
    choice = axes.choice
    page = choice.page
    store = choice.store
    scattered = _are_scattered(panels, choice.runs.size)
    columns = page.columns(min(len(panels), MAX_COLUMNS), letters=LETTERS_OF_PANEL)
    figure, grid = page.figure(
        -(-len(panels) // columns),
        columns,
        height=0.68 if columns == 1 else 0.82,
        sharex=True,
        sharey=True,
    )
    counts = Counter[State]()
    cell_count = sum(panel.value.size for panel in panels)
    has_numbers = cell_count <= MAX_CELLS_WRITTEN and not scattered
    numbers = list[_Number]()
    for i, (ax, value, panel) in enumerate(zip(grid.flat, axes.panels, panels, strict=False)):
        if scattered:
            counts.update(draw_points(ax, panel, colours))
        else:
            counts.update(_draw_cells(ax, panel, colours, f"{i}"))
            if has_numbers:
                numbers += _write_values(ax, panel, colours, f"{i}")
            value_ticks(ax, "x", panel.x)
            value_ticks(ax, "y", panel.y)
        if axes.over:
            heading = f"{plain(axes.over)} = {with_unit(store, axes.over, value)}"
            ax.set_title(heading.replace("\u00a0", " "))
    _label_outer_axes(grid, len(panels), page.label(axes.along_x), page.label(axes.along_y))
    bar = figure.colorbar(colours.bar, ax=grid, label=page.label(quantity, folds=True), pad=0.02)
    label_decades(bar, colours)
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
    if numbers:
        settle(figure)
    if numbers and not _fit_into_cells(figure, numbers):
        page.notes.append(
            "the values are not written into the cells, which are too small; see --width"
        )
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


def _draw_cells(ax: Axes, panel: Cells, colours: ColourScale, panel_id: str) -> dict[State, int]:
    """Fill one panel and return the number of cells in each state that is marked."""
    ax.pcolormesh(
        np.arange(len(panel.x) + 1),
        np.arange(len(panel.y) + 1),
        _with_colour(panel, colours),
        norm=colours.norm,
        cmap=colours.colour_map,
        rasterized=panel.value.size > MAX_CELLS_AS_SHAPES,
    )
    states = panel.marked(log=colours.is_log)
    bright = _are_bright(panel, colours)
    for state, marked in states.items():
        for j, i in np.argwhere(marked):
            colour = "0.25" if bright[j, i] else "0.85"
            gid = f"{state.name.lower()}-{panel_id}-{j}-{i}"
            hatch(ax, state, (i, j), (1, 1), gid, colour=colour)
    ax.set(xlim=(0, len(panel.x)), ylim=(0, len(panel.y)))
    ax.tick_params(length=0)
    return {state: int(marked.sum()) for state, marked in states.items()}


def _with_colour(panel: Cells, colours: ColourScale) -> np.ma.MaskedArray[Any, Any]:
    """Return the values of cells, without those that have no colour."""
    value = np.ma.masked_invalid(panel.value)
    if colours.is_log:
        value = np.ma.masked_less_equal(value, 0.0)
    return value


def _are_bright(panel: Cells, colours: ColourScale) -> NDArray[np.bool_]:
    """Return where black text is easier to read than white; cells without a colour are bright."""
    value = _with_colour(panel, colours)
    bright = np.ma.getmaskarray(value).copy()
    faces = colours.colours_of(value.filled(np.nan))
    for j, i in np.argwhere(~bright):
        bright[j, i] = is_bright(faces[j, i])
    return bright


@dataclass(frozen=True)
class _Number:
    """A value that is written into its cell."""

    value: float
    text: Text
    panel: Axes

    def shorten(self, digits: int) -> None:
        """Write it with at most this many significant digits."""
        mantissa, power = f"{self.value:.{digits - 1}e}".split("e")
        exponent = int(power)
        words = f"{mantissa}e{exponent}"
        if float(mantissa) == 0.0 or exponent in PLAIN_EXPONENTS:
            decimals = 0 if self.value.is_integer() else max(0, digits - 1 - exponent)
            words = f"{float(words):.{decimals}f}"
        self.text.set_text(words)

    @property
    def fits(self) -> bool:
        """Whether it is smaller than its cell, as the figure is laid out."""
        corners = self.panel.transData.transform([(0.0, 0.0), (1.0, 1.0)])
        width, height = np.abs(corners[1] - corners[0]) * MAX_SHARE_OF_CELL
        box = self.text.get_window_extent()
        return bool(box.width <= width and box.height <= height)


def _write_values(ax: Axes, panel: Cells, colours: ColourScale, panel_id: str) -> list[_Number]:
    """Write the value of each cell into it."""
    bright = _are_bright(panel, colours)
    numbers = []
    for (j, i), value in np.ndenumerate(panel.value):
        if not np.isfinite(value):
            continue
        box = None
        if panel.state[j, i] == State.EARLY and value > 0.0:
            # Hatching behind the digits would make them unreadable.
            box = {"facecolor": colours.colours_of(np.float64(value)), "lw": 0, "pad": 1}
        text = ax.text(
            i + 0.5,
            j + 0.5,
            "",
            ha="center",
            va="center",
            color="black" if bright[j, i] else "white",
            bbox=box,
            gid=f"value-{panel_id}-{j}-{i}",
        )
        # The layout keeps no space for what stays within its cell.
        text.set_in_layout(False)
        numbers.append(_Number(float(value), text, ax))
    return numbers


def _fit_into_cells(figure: Figure, numbers: list[_Number]) -> bool:
    """Write all numbers with as many and as large digits as fit, or remove them.

    Returns
    -------
    bool
        Whether they fit.
    """
    figure.draw_without_rendering()
    for digits, size in itertools.product(DIGITS_IN_CELLS, SIZES_IN_CELLS):
        for number in numbers:
            number.shorten(digits)
            number.text.set_fontsize(size * float(mpl.rcParams["font.size"]))
        if all(number.fits for number in numbers):
            return True
    for number in numbers:
        number.text.remove()
    return False
