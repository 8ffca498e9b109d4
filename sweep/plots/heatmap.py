"""A scalar over two parameters, one cell for each run or disk, never interpolated."""

from typing import Any

import matplotlib as mpl
import numpy as np
import zarr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from ..errors import StoreError
from ..store import layout
from ..views import Cells, cells, label, ring_axis
from .choice import Choice, quantity, source, unit_of, with_unit
from .page import (
    CMAP,
    Page,
    colour_scale,
    folded,
    hatch,
    hatch_legend,
    is_bright,
    plain,
    value_ticks,
)
from .points import are_numbers, draw_points, point_legend

MOST_PANELS = 24
SPARSE = 4  # cells for each run, beyond which runs are drawn as the points that they are
WRITTEN = 42  # cells of a figure into which their values are written


def heatmap(
    group: zarr.Group,
    page: Page,
    *,
    name: str = "M_loss",
    x: str | None = None,
    y: str | None = None,
    over: str | None = None,
    where: str | None = None,
    ring: int | None = None,
) -> Figure:
    """``name`` over ``x`` and ``y``, a panel for each value of ``over``; failed, missing and early-stopped cells are hatched.

    Runs that lie on no grid, such as samples, are points.
    """
    choice = Choice.of(group, page, where, ring=ring)
    unit = unit_of(group, name)
    rings = ring_axis(group)
    summed = choice.over_rings(unit, (x, y, over))
    free = [axis for axis in choice.varying() if axis not in {x, y, over, summed}]
    if rings in free and rings != free[0]:  # of a quantity that does not add up: rings first
        free.remove(rings)
        free.insert(0, str(rings))
    x = x or (free.pop(0) if free else None)
    if y is None and not free and summed:  # a disk has no second axis but its rings
        y = summed
        summed = None
    y = (
        y
        or (free.pop(0) if free else None)
        or next((axis for axis in choice.dimensions if axis not in {x, over, summed}), None)
    )
    if x is None or y is None:
        raise StoreError(
            f"a heat map needs two parameters that differ, and {x or 'none'} does; see: sweep plot"
            " STORE series"
        )
    if x == y:
        raise StoreError(f"a heat map needs two parameters, and x and y are both {x}")
    if (
        over is None
        and free
        and not choice.tells_apart(x, y, summed)
        and len(choice.values(free[-1])) <= MOST_PANELS
    ):
        over = free.pop(0)
    choice = choice if choice.tells_apart(x, y, over, summed) else choice.middle(free)
    panels = choice.values(over) if over else [None]
    if len(panels) > MOST_PANELS:
        raise StoreError(
            f"{over} has {len(panels)} values, a panel for each is too many; choose at most"
            f" {MOST_PANELS} with --where"
        )
    what = quantity(group, name, summed)
    found = [
        cells(group, name, x, y, {over: value} if over else {}, among=choice.runs, over=summed)
        for value in panels
    ]
    found = [_on_grid(part, choice.values(x), choice.values(y)) for part in found]
    scattered = (
        sum(part.value.size for part in found) > SPARSE * choice.runs.size
        and are_numbers(found[0].x)
        and are_numbers(found[0].y)
    )
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    figure, axes = page.figure(
        rows, columns, height=0.68 if columns == 1 else 0.82, sharex=True, sharey=True
    )
    norm = colour_scale(np.concatenate([part.value.ravel() for part in found]))
    counts = {"failed": 0, "pending": 0, "early": 0}
    write = sum(part.value.size for part in found) <= WRITTEN and page.style == "screen"
    for i, (ax, value, part) in enumerate(zip(axes.flat, panels, found, strict=False)):
        drawn = (
            draw_points(ax, part, norm) if scattered else _draw(ax, part, norm, f"{i}", write=write)
        )
        for kind, count in drawn.items():
            counts[kind] += count
        if not scattered:
            value_ticks(ax, "x", part.x, most=12 // columns + 2, letters=60 // columns)
            value_ticks(ax, "y", part.y)
        if over:
            ax.set_title(f"{plain(over)} = {with_unit(group, over, value)}".replace("\u00a0", " "))
    for ax in axes.flat[len(panels) :]:
        ax.set_visible(False)
    for i in range(columns):
        lowest = axes.flat[: len(panels)][i::columns][-1]
        lowest.tick_params(axis="x", labelbottom=True)
        lowest.set_xlabel(label(group, x))
    for ax in axes[:, 0]:
        ax.set_ylabel(label(group, y))
    bar = figure.colorbar(ScalarMappable(norm, CMAP), ax=axes, label=folded(what), pad=0.02)
    bar.ax.minorticks_off()
    page.title(
        figure,
        f"{what} over {plain(x)} and {plain(y)}",
        choice.fixed(x, y, over, summed=summed),
        source(group),
        choice.doubts(),
    )
    zeros = (
        sum(int((part.value == 0.0).sum()) for part in found) if isinstance(norm, LogNorm) else 0
    )
    patches = point_legend(counts) if scattered else hatch_legend(counts, "cell")
    if zeros:
        patches.append(Patch(facecolor="0.8", label=f"zero ({zeros} cell{'s' * (zeros > 1)})"))
    page.legend(figure, patches)
    return figure


def _on_grid(part: Cells, x: list[Any], y: list[Any]) -> Cells:
    """The same cells among those of all panels, which share their axes."""
    at = np.ix_([y.index(value) for value in part.y], [x.index(value) for value in part.x])

    def spread(values: NDArray[Any], fill: Any) -> NDArray[Any]:
        whole = np.full((len(y), len(x)), fill, dtype=values.dtype)
        whole[at] = values
        return whole

    return Cells(
        x,
        y,
        spread(part.run, -1),
        spread(part.value, np.nan),
        spread(part.status, layout.PENDING),
        spread(part.early, False),
    )


def _draw(ax: Axes, part: Cells, norm: Normalize, panel: str, *, write: bool) -> dict[str, int]:
    """Fill one panel; the number of cells with each kind of hatch."""
    value = np.ma.masked_invalid(part.value)
    if isinstance(norm, LogNorm):
        value = np.ma.masked_less_equal(value, 0.0)
        for j, i in np.argwhere(part.value == 0.0):
            ax.add_patch(Rectangle((i, j), 1, 1, facecolor="0.8", linewidth=0.0))
    ax.pcolormesh(
        np.arange(len(part.x) + 1),
        np.arange(len(part.y) + 1),
        value,
        norm=norm,
        cmap=CMAP,
        rasterized=value.size > 400,
    )
    kinds = {
        "failed": part.status == layout.FAILED,
        "pending": part.status == layout.PENDING,
        "early": part.early,
    }
    bright = np.ma.getmaskarray(value) | np.vectorize(is_bright, otypes=[bool])(
        norm(value).filled(1.0)
    )
    for kind, here in kinds.items():
        for j, i in np.argwhere(here):
            hatch(
                ax,
                kind,
                i,
                j,
                1,
                1,
                f"{kind}-{panel}-{j}-{i}",
                colour="0.25" if bright[j, i] else "0.85",
            )
    if write:
        for (j, i), number in np.ndenumerate(part.value):
            if np.isfinite(number):
                box = (
                    {"facecolor": mpl.colormaps[CMAP](norm(number)), "lw": 0, "pad": 1}
                    if part.early[j, i] and number > 0.0
                    else None
                )
                ink = "black" if bright[j, i] else "white"
                ax.text(
                    i + 0.5,
                    j + 0.5,
                    f"{number:.3g}",
                    ha="center",
                    va="center",
                    color=ink,
                    fontsize="small",
                    bbox=box,
                )
    ax.set(xlim=(0, len(part.x)), ylim=(0, len(part.y)))
    ax.tick_params(length=0)
    return {kind: int(here.sum()) for kind, here in kinds.items()}
