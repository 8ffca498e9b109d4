"""Texts of a figure are turned, folded, or left out until none lies on another.

How much space there is, is known only when the figure has been laid out.
"""

import math
import textwrap
from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator
from matplotlib.transforms import BboxBase

from .ticks import POINTS_PER_INCH

#: Angles [degree] that labels are turned to, the first at which they fit.
ANGLES = (0, 30, 90)
#: Space between labels over their height.
GAP = 0.3
#: Layouts that are tried; turning a label moves the others.
MAX_LAYOUTS = 4


def settle(figure: Figure) -> None:
    """Change labels and titles of a figure so that they keep apart and within their panels.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure, complete but for what is fitted into its final layout.
    """
    for _ in range(MAX_LAYOUTS):
        figure.draw_without_rendering()
        panels = [ax for ax in figure.axes if ax.get_visible()]
        growth = [_settle_panel(figure, ax) for ax in panels]
        changes = [points for points in growth if points is not None]
        if not changes:
            return
        rows = len({round(ax.get_position().y0, 3) for ax in panels})
        height = figure.get_figheight() + rows * max(changes) / POINTS_PER_INCH
        figure.set_figheight(height)


def _settle_panel(figure: Figure, ax: Axes) -> float | None:
    """Change the texts of a panel where they need it.

    Returns
    -------
    float or None
        By how many points they have become higher; None if nothing was changed.
    """
    scale = POINTS_PER_INCH / figure.dpi
    frame = ax.get_window_extent()
    heading = ax.get_title(loc="left")
    titles = [each for each in ax.get_children() if isinstance(each, Text)]
    changes = [
        *(_fold(title, frame.width) for title in titles if title.get_text() == heading),
        _fold_unit(ax.xaxis.label, figure.bbox),
        _fold_unit(ax.yaxis.label, figure.bbox),
        _turn(ax),
        _thin(ax),
    ]
    growth = [pixels * scale for pixels in changes if pixels is not None]
    return sum(growth) if growth else None


def _fold(title: Text, width: float) -> float | None:
    """Fold a title into lines that are no wider than this [pixel]."""
    box = title.get_window_extent()
    words = title.get_text().replace("\n", " ")
    if not words or box.width <= width:
        return None
    longest = max(map(len, title.get_text().split("\n")))
    letters = max(1, int(longest * width / box.width))
    title.set_text("\n".join(textwrap.wrap(words, letters)))
    return max(0.0, float(title.get_window_extent().height - box.height))


def _fold_unit(label: Text, page: BboxBase) -> float | None:
    """Put the unit of the label of an axis on a second line if the label leaves the page."""
    box = label.get_window_extent()
    is_within = box.x0 >= page.x0 and box.x1 <= page.x1 and box.y0 >= page.y0 and box.y1 <= page.y1
    if is_within or " [" not in label.get_text():
        return None
    label.set_text(label.get_text().replace(" [", "\n[", 1))
    if label.get_rotation() != 0.0:
        return 0.0
    return max(0.0, float(label.get_window_extent().height - box.height))


def _fixed_labels(axis: Axis) -> list[Text]:
    """Return the labels of an axis whose places are given, such as those of cells."""
    if not isinstance(axis.get_major_locator(), FixedLocator):
        return []
    labels = [tick.label1 for tick in axis.get_major_ticks()]
    other_side = [tick.label2 for tick in axis.get_major_ticks()]
    if any(label.get_visible() for label in other_side):
        labels = other_side
    return [label for label in labels if label.get_visible() and label.get_text()]


def _turn(ax: Axes) -> float | None:
    """Turn the labels of the horizontal axis until they keep apart, or leave some of them out."""
    axis = ax.xaxis
    labels = _fixed_labels(axis)
    if len(labels) < 2:
        return None
    angle = round(labels[0].get_rotation())
    boxes = [_upright_size(label) for label in labels]
    distances = _distances(ax, axis)
    gap = GAP * max(height for _, height in boxes)
    fitting = ANGLES[-1]
    for candidate in ANGLES:
        if _keep_apart(boxes, distances, candidate, gap):
            fitting = candidate
            break
    height = max(height for _, height in boxes)
    step = math.ceil((height + gap) / min(distances)) if fitting == ANGLES[-1] else 1
    if fitting == angle and step == 1:
        return None
    if step > 1:
        _keep_every(axis, step)
    axis.set_tick_params(which="major", labelrotation=fitting)
    for label in axis.get_ticklabels():
        label.set(
            rotation=fitting,
            ha="right" if fitting else "center",
            va="center" if fitting == ANGLES[-1] else "top",
            rotation_mode="anchor",
        )
    if fitting <= angle:
        return 0.0
    longest = max(width for width, _ in boxes)
    return float((longest - height) * math.sin(math.radians(fitting)))


def _thin(ax: Axes) -> float | None:
    """Leave out labels of the upright axis until they keep apart."""
    axis = ax.yaxis
    labels = _fixed_labels(axis)
    if len(labels) < 2:
        return None
    height = max(_upright_size(label)[1] for label in labels)
    step = math.ceil(height / min(_distances(ax, axis)))
    if step == 1:
        return None
    _keep_every(axis, step)
    return 0.0


def _distances(ax: Axes, axis: Axis) -> list[float]:
    """Return the distances between neighbouring ticks of an axis [pixel]."""
    places = np.array(axis.get_majorticklocs(), dtype=float)
    pixels = ax.transData.transform(np.column_stack([places, places]))
    along_axis = pixels[:, 0 if axis is ax.xaxis else 1]
    return [*np.abs(np.diff(along_axis))]


def _keep_apart(
    boxes: Iterable[tuple[float, float]], distances: list[float], angle: int, gap: float
) -> bool:
    """Return whether neighbouring labels of these sizes keep apart when they are turned."""
    sizes = [*boxes]
    if angle:
        room = min(distances) * math.sin(math.radians(angle))
        return room >= max(height for _, height in sizes)
    for (left, _), (right, _), distance in zip(sizes, sizes[1:], distances, strict=False):
        if 0.5 * (left + right) + gap > distance:
            return False
    return True


def _upright_size(text: Text) -> tuple[float, float]:
    """Return width and height of a text as if it were not turned [pixel]."""
    rotation = text.get_rotation()
    text.set_rotation(0.0)
    box = text.get_window_extent()
    text.set_rotation(rotation)
    return float(box.width), float(box.height)


def _keep_every(axis: Axis, step: int) -> None:
    words = [label.get_text() for label in axis.get_ticklabels()]
    axis.set_ticks([*axis.get_majorticklocs()][::step], labels=words[::step])
