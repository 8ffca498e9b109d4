"""Runs that lie on no grid as points over two parameters."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.lines import Line2D

from ..store import layout
from ..views import Cells
from .page import CMAP, MEANING, decades

MARKERS = {"failed": "x", "pending": "+", "early": "s"}


def are_numbers(values: Sequence[Any]) -> bool:
    """Whether an axis can be drawn to scale."""
    return all(isinstance(value, int | float) for value in values)


def draw_points(ax: Axes, part: Cells, norm: Normalize) -> dict[str, int]:
    """A point for each run, coloured by its value; the number of runs of each kind that is marked otherwise."""
    j, i = np.nonzero(part.run >= 0)
    x = np.array(part.x, dtype=float)[i]
    y = np.array(part.y, dtype=float)[j]
    value = part.value[j, i]
    status = part.status[j, i]
    early = part.early[j, i]
    zero = value == 0.0 if isinstance(norm, LogNorm) else np.zeros(value.size, bool)
    for some, marker, gid in (
        (~early & ~zero, "o", "done"),
        (early & ~zero, MARKERS["early"], "early"),
    ):
        some &= status == layout.DONE
        ax.scatter(
            x[some],
            y[some],
            c=value[some],
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
    for kind, some in kinds.items():
        ax.scatter(
            x[some],
            y[some],
            marker=MARKERS[kind],
            c="0.3",
            s=20,
            linewidths=0.8,
            gid=f"points-{kind}",
        )
    ax.set(
        xscale="log" if decades(x) > 1.2 else "linear",
        yscale="log" if decades(y) > 1.2 else "linear",
    )
    return {**{kind: int(some.sum()) for kind, some in kinds.items()}, "early": int(early.sum())}


def point_legend(counts: Mapping[str, int]) -> list[Any]:
    """What the marks mean."""
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
