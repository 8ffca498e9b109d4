"""A result as a notebook shows it: its totals, its caveats, and three small figures."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from .common.templates import environment, rendered
from .physics.grid import Array

PANEL_WIDTH = 3.2  # inches
FIGURE_HEIGHT = 2.4  # inches


@dataclass(frozen=True)
class Curve:
    """A small figure: one quantity over another, with logarithmic axes."""

    x_label: str  #: with the unit
    x: Array
    y_label: str  #: with the unit
    y: Array


def result_page(
    heading: str,
    totals: Sequence[Sequence[str]],
    notes: Sequence[str],
    curves: Sequence[Curve],
) -> str:
    """Return a result as HTML; without figures where matplotlib is not installed.

    Parameters
    ----------
    heading : str
        When and why the run ended.
    totals : sequence of rows
        Name, value, unit, and meaning of each number.
    notes : sequence of str
        The caveats of the result.
    curves : sequence of Curve
        What is drawn, side by side.
    """
    figure = _figure(curves) if find_spec("matplotlib") else ""
    templates = environment("marsdisk")
    return rendered(templates, "result", heading=heading, totals=totals, notes=notes, figure=figure)


def _figure(curves: Sequence[Curve]) -> str:
    """Return curves side by side, as SVG in base 64."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(PANEL_WIDTH * len(curves), FIGURE_HEIGHT), layout="constrained")
    for axes, curve in zip(figure.subplots(1, len(curves)), curves, strict=True):
        # what is zero has no logarithm
        is_shown = (curve.x > 0.0) & (curve.y > 0.0)
        axes.loglog(curve.x[is_shown], curve.y[is_shown])
        axes.set(xlabel=curve.x_label, ylabel=curve.y_label)
    with io.BytesIO() as picture:
        figure.savefig(picture, format="svg")
        return base64.b64encode(picture.getvalue()).decode()
