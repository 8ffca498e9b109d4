"""Figures of docs/validation.md, of the same bytes whenever they are made of the same numbers."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .case import Panel

#: Told apart by colour-blind readers.
COLOURS = ("#0072b2", "#d55e00", "#cc79a7", "#009e73", "#e69f00", "#56b4e9")
MARKERS = ("o", "^", "s", "D", "v", "P")
MAX_MARKERS = 40
STYLE = {
    "svg.hashsalt": "validation",
    "svg.fonttype": "none",
    "font.size": 9.0,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
}


def draw_panel(axes: Axes, panel: Panel) -> None:
    """Draw what runs give as points, and what is expected as black lines."""
    ours = 0
    for curve in panel.curves:
        label = curve.label or None
        if curve.kind == "expected":
            axes.plot(curve.x, curve.y, "-", color="black", lw=0.9, zorder=3, label=label)
            continue
        every = -(-len(curve.x) // MAX_MARKERS)
        axes.plot(
            curve.x[::every],
            curve.y[::every],
            MARKERS[ours % len(MARKERS)],
            color=COLOURS[ours % len(COLOURS)],
            ms=3.0,
            label=label,
        )
        ours += 1
    axes.set(xscale=panel.xscale, yscale=panel.yscale)
    axes.set(xlabel=panel.xlabel, ylabel=panel.ylabel)
    if panel.shaded is not None:
        axes.axvspan(*panel.shaded, color="0.92", zorder=0)
    axes.legend()


def draw(panels: tuple[Panel, ...], path: Path) -> None:
    """Write a figure as SVG, without a date.

    Parameters
    ----------
    panels : tuple of Panel
        Side by side.
    path : Path
        File; one that is there is written over.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.6 * len(panels), 3.2), layout="constrained")
        plots = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, panel in zip(plots, panels, strict=True):
            draw_panel(axes, panel)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
