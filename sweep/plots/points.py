"""Runs that lie on no grid as points over two parameters."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.lines import Line2D

from ..results.columns import Cells
from ..store import layout
from .page import CMAP, MEANING, decades

#: Decades of values from which an axis is logarithmic.
LOG_AXIS_DECADES = 1.2
MARKERS = {"failed": "x", "pending": "+", "early": "s"}


def are_numbers(values: Sequence[Any]) -> bool:
    """Whether an axis can be drawn to scale."""
    return all(isinstance(value, int | float) for value in values)


def draw_points(ax: Axes, cells: Cells, norm: Normalize) -> dict[str, int]:
    """Draw a point for each run, coloured by its value.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    cells : Cells
        The runs, as cells of a sparse grid.
    norm : matplotlib.colors.Normalize
        Colour scale of the values.

    Returns
    -------
    dict of str to int
        Number of failed, pending, and early-stopped runs, which have markers of their own.
    """
    j, i = np.nonzero(cells.run >= 0)
    x = np.array(cells.x, dtype=float)[i]
    y = np.array(cells.y, dtype=float)[j]
    value = cells.value[j, i]
    status = cells.status[j, i]
    early = cells.early[j, i]
    done = status == layout.DONE
    zero = (value == 0.0) & isinstance(norm, LogNorm)
    for selected, marker, gid in (
        (~early & ~zero & done, "o", "done"),
        (early & ~zero & done, MARKERS["early"], "early"),
    ):
        ax.scatter(
            x[selected],
            y[selected],
            c=value[selected],
            norm=norm,
            cmap=CMAP,
            marker=marker,
            s=26,
            edgecolors="0.3",
            linewidths=0.4,
            gid=f"points-{gid}",
        )
    ax.scatter(x[zero], y[zero], facecolors="0.8", s=26, edgecolors="0.3", linewidths=0.4)
    kinds = {"failed": status == layout.FAILED, "pending": status == layout.PENDING}
    for kind, selected in kinds.items():
        ax.scatter(
            x[selected],
            y[selected],
            marker=MARKERS[kind],
            c="0.3",
            s=20,
            linewidths=0.8,
            gid=f"points-{kind}",
        )
    ax.set(
        xscale="log" if decades(x) > LOG_AXIS_DECADES else "linear",
        yscale="log" if decades(y) > LOG_AXIS_DECADES else "linear",
    )
    counts = {kind: int(selected.sum()) for kind, selected in kinds.items()}
    counts["early"] = int(early.sum())
    return counts


def point_legend(counts: Mapping[str, int]) -> list[Any]:
    """Return a legend entry for each kind of marker that occurs."""
    return [
        Line2D(
            [],
            [],
            ls="",
            marker=MARKERS[kind],
            color="0.3",
            mfc="none",
            label=f"{MEANING[kind].partition(',')[0]} ({count} run{'s' * (count > 1)})",
        )
        for kind, count in counts.items()
        if count
    ]
