"""Colour maps of figures: the scale of values, colours of curves, and bars that explain them."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Colormap, ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from ..common import palette
from ..common.errors import StoreError
from ..results.quantity import is_logarithmic
from . import ticks

COLOURS = palette.FIGURE_COLOURS
#: The colour map of figures unless another is chosen; its lightness grows from end to end.
CMAP = "viridis"
#: Curves or values that a legend lists; more have a colour bar.
MAX_LEGEND_ENTRIES = 7
#: Height of the labels of a colour bar of steps, with the space between them, over that of a font.
LABEL_HEIGHT = 1.8
#: Luminance, 0 (black) to 1 (white), above which black text has more contrast than white text,
#: as the Web Content Accessibility Guidelines measure it. Either has 4.5 or more.
MIDDLE_LUMINANCE = 0.179
#: Luminance above which a thin line is hard to see on white.
MAX_LUMINANCE_OF_LINES = 0.62
#: Names that are suggested in place of a wrong one.
MAX_SUGGESTIONS = 3


def refuse_unknown_map(name: str) -> None:
    """Raise a StoreError unless Matplotlib has a colour map of this name."""
    if name in mpl.colormaps:
        return
    names = {known.lower(): known for known in mpl.colormaps}
    similar = difflib.get_close_matches(name.lower(), names, n=MAX_SUGGESTIONS)
    hint = "take one of Matplotlib's, such as viridis, cividis or magma"
    if similar:
        hint = f"did you mean {' or '.join(names[each] for each in similar)}?"
    raise StoreError(f"there is no colour map {name!r}; {hint}")


def luminance(colour: Any) -> float:
    """Return the luminance of a colour, from 0 for black to 1 for white."""
    encoded = np.array(mpl.colors.to_rgb(colour))
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def is_bright(colour: Any) -> bool:
    """Return whether black text is easier to read than white on a colour."""
    return luminance(colour) > MIDDLE_LUMINANCE


def line_colours(colour_map: Colormap, count: int) -> list[Any]:
    """Return colours for curves in order, from one end of a colour map to the other.

    The ends of the map are left out where a line would be too bright to be seen.

    Parameters
    ----------
    colour_map : matplotlib.colors.Colormap
        The map.
    count : int
        Number of curves.
    """
    shares = np.linspace(0.0, 1.0, 101)
    is_visible = [luminance(colour) <= MAX_LUMINANCE_OF_LINES for colour in colour_map(shares)]
    visible = shares[is_visible] if any(is_visible) else shares
    return [*colour_map(np.linspace(visible[0], visible[-1], count))]


@dataclass(frozen=True)
class ColourScale:
    """The colours of values."""

    norm: Normalize
    colour_map: Colormap

    @classmethod
    def of(
        cls,
        values: NDArray[Any],
        colour_map: Colormap,
        least: float | None = None,
        greatest: float | None = None,
    ) -> "ColourScale":
        """Return a scale that suits the values.

        Parameters
        ----------
        values : array
            What is to be shown.
        colour_map : matplotlib.colors.Colormap
            The colours, from the lower to the upper end.
        least, greatest : float or None
            Ends of the scale; None for those of the values.

        Returns
        -------
        ColourScale
            Logarithmic where the values are.

        Raises
        ------
        StoreError
            The ends are not in order, or a logarithmic scale would begin at zero or below.
        """
        finite = values[np.isfinite(values)]
        is_log = is_logarithmic(values)
        if is_log:
            finite = finite[finite > 0.0]
        low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
        low = low if least is None else least
        high = high if greatest is None else greatest
        has_limits = least is not None or greatest is not None
        if has_limits and not low < high:
            raise StoreError(f"the colours would go from {low:g} to {high:g}; give vmin below vmax")
        if is_log and low <= 0.0:
            raise StoreError(f"vmin = {low:g}: the colours are logarithmic and begin above zero")
        return cls(LogNorm(low, high) if is_log else Normalize(low, high), colour_map)

    @property
    def is_log(self) -> bool:
        """Whether a zero has no colour."""
        return isinstance(self.norm, LogNorm)

    @property
    def bar(self) -> ScalarMappable:
        """The scale as Matplotlib draws a colour bar of it."""
        return ScalarMappable(self.norm, self.colour_map)

    def colours_of(self, values: ArrayLike) -> NDArray[Any]:
        """Return the colour of each value, along a last dimension of red, green, blue, opacity."""
        return np.asarray(self.colour_map(self.norm(np.asarray(values))))


def bar_of_steps(
    figure: Figure,
    axes: NDArray[Any] | Axes,
    colours: Sequence[Any],
    words: Sequence[str],
    label: str,
) -> Colorbar:
    """Add a colour bar with a step for each colour, of which some have their words.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    axes : matplotlib.axes.Axes or array of them
        The panels that the bar belongs to.
    colours : sequence of colours
        From the lower to the upper end.
    words : sequence of str
        What each colour stands for.
    label : str
        What they all are, such as ``T0 [K]``.

    Returns
    -------
    matplotlib.colorbar.Colorbar
        The bar.
    """
    count = len(colours)
    # edges of the steps lie half-way between whole numbers
    steps = ScalarMappable(Normalize(-0.5, count - 0.5), ListedColormap([*colours]))
    bar = figure.colorbar(steps, ax=axes, label=label, pad=0.02)
    height = figure.get_figheight() * ticks.POINTS_PER_INCH
    most = max(2, int(height / (LABEL_HEIGHT * float(mpl.rcParams["font.size"]))))
    labelled = range(0, count, -(-count // most))
    bar.set_ticks([*map(float, labelled)], labels=[words[i] for i in labelled])
    bar.ax.minorticks_off()
    bar.ax.tick_params(length=0)
    return bar


def label_decades(bar: Colorbar, colours: ColourScale) -> None:
    """Label a logarithmic bar so that two numbers on it can be read, however short it is."""
    low, high = float(colours.norm.vmin or 1.0), float(colours.norm.vmax or 1.0)
    if colours.is_log and ticks.spans_few_decades(low, high):
        bar.locator = ticks.within_decades()
        bar.formatter = ticks.numbers_of_one_digit()
        bar.update_ticks()
    bar.ax.minorticks_off()
