"""Runs that lie on no grid as points over two parameters."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ..common.states import LOOKS, State
from ..common.text import counted
from ..results.cells import Cells
from ..results.quantity import is_logarithmic
from .colours import ColourScale
from .ticks import label_few_decades


def are_numbers(values: Sequence[Any]) -> bool:
    """Whether an axis can be drawn to scale."""
    return all(isinstance(value, int | float) for value in values)


def draw_points(ax: Axes, cells: Cells, colours: ColourScale) -> dict[State, int]:
    """Draw a point for each run, coloured by its value.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    cells : Cells
        The runs, as cells of a sparse grid.
    colours : ColourScale
        Colours of the values.

    Returns
    -------
    dict of State to int
        Number of runs in each state that has a marker of its own.
    """
    j, i = np.nonzero(cells.run >= 0)
    x = np.array(cells.x, dtype=float)[i]
    y = np.array(cells.y, dtype=float)[j]
    value = cells.value[j, i]
    state = cells.state[j, i]
    if colours.is_log:
        state = np.where(value == 0.0, State.ZERO, state)
    for coloured in (State.DONE, State.EARLY):
        selected = state == coloured
        ax.scatter(
            x[selected],
            y[selected],
            c=value[selected],
            norm=colours.norm,
            cmap=colours.colour_map,
            marker=LOOKS[coloured].marker,
            s=26,
            edgecolors="0.3",
            linewidths=0.4,
            gid=f"points-{coloured.name.lower()}",
        )
    zero = state == State.ZERO
    ax.scatter(
        x[zero],
        y[zero],
        facecolors=LOOKS[State.ZERO].face,
        s=26,
        edgecolors="0.3",
        linewidths=0.4,
        gid="points-zero",
    )
    for absent in (State.FAILED, State.PENDING, State.FILTERED):
        selected = state == absent
        ax.scatter(
            x[selected],
            y[selected],
            marker=LOOKS[absent].marker,
            c="0.3",
            s=20,
            linewidths=0.8,
            gid=f"points-{absent.name.lower()}",
        )
    ax.set(
        xscale="log" if is_logarithmic(x) else "linear",
        yscale="log" if is_logarithmic(y) else "linear",
    )
    label_few_decades(ax)
    marked = (State.FAILED, State.PENDING, State.EARLY, State.ZERO, State.FILTERED)
    return {each: int((state == each).sum()) for each in marked}


def point_legend(counts: Mapping[State, int]) -> list[Any]:
    """Return a legend entry for each kind of marker that occurs."""
    return [
        Line2D(
            [],
            [],
            ls="",
            marker=LOOKS[state].marker,
            color="0.3",
            mfc=LOOKS[state].face or "none",
            label=f"{state.word} ({counted(count, 'run')})",
        )
        for state, count in counts.items()
        if count
    ]
