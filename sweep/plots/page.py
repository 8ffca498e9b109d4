"""Styles, titles, legends, hatches, and labels that all figures share."""

import textwrap
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from ..common.errors import StoreError
from ..common.states import LOOKS, State
from ..common.text import counted
from ..results.quantity import Quantity, remark_on_units
from .colours import CMAP, COLOURS, line_colours, refuse_unknown_map
from .ticks import POINTS_PER_INCH

MAX_LABEL_CHARACTERS = 32
#: Letters of the label of an upright axis beyond which its unit stands on a second line.
MAX_LETTERS_IN_LINE = 24
#: Lines of text for which a panel is high enough, however narrow it is.
MIN_LINES_OF_PANEL = 14.0
#: Width of a letter over the size of its font.
LETTER_WIDTH = 0.56
#: Height of a line over the size of its font.
LINE_HEIGHT = 1.35
_SHARED: dict[str, Any] = {
    "font.family": "sans-serif",
    "axes.titlelocation": "left",
    "axes.formatter.useoffset": False,  # numbers are read with their unit
    "axes.formatter.use_mathtext": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "hatch.linewidth": 0.6,
    "svg.hashsalt": "sweep",
    "pdf.fonttype": 42,  # TrueType, whole letters in the file
}
STYLES: Mapping[str, Mapping[str, Any]] = {
    "screen": {
        **_SHARED,
        "font.size": 10,
        "figure.dpi": 110,
        "savefig.dpi": 110,
        "svg.fonttype": "none",
    },
    "paper": {
        **_SHARED,
        **{
            "font.size": 7.5,
            "axes.titlesize": 8,
            "figure.dpi": 300,
            "savefig.dpi": 300,
            "svg.fonttype": "path",
        },
        **{
            "axes.linewidth": 0.6,
            "lines.linewidth": 1.0,
            "lines.markersize": 3,
            "xtick.major.width": 0.6,
            "ytick.major.width": 0.6,
        },
    },
}
MM_PER_INCH = 25.4
MIN_WIDTH = 30.0  # mm
MAX_WIDTH = 1000.0  # mm
#: Widths of one and of two columns [inch], and height of a panel over its width.
WIDTHS = {"screen": (7.2, 10.0), "paper": (3.46, 7.09)}  # 88 and 180 mm


@dataclass
class Page:
    """A style, what a person has chosen for a figure, and notes on what it chose by itself.

    Attributes
    ----------
    style : {"screen", "paper"}
        Size and fonts.
    notes : list of str
        Receives a line for each choice that was made automatically.
    heading : str or None
        Title in place of its own; None for that, which a figure for a paper has as a note.
    width : float or None
        mm, width of the figure; None for that of its style.
    cmap : str or None
        Matplotlib's name of the colour map; None for :data:`sweep.plots.colours.CMAP`.
    unit : str or None
        Unit of the result that is drawn; None for one that suits its values.

    Raises
    ------
    StoreError
        There is no such style, width, or colour map.
    """

    style: str
    notes: list[str]
    heading: str | None = None
    width: float | None = None
    cmap: str | None = None
    unit: str | None = None

    def __post_init__(self) -> None:
        if self.style not in STYLES:
            raise StoreError(f"there is no style {self.style!r}; there are {', '.join(STYLES)}")
        if self.width is not None and not MIN_WIDTH <= self.width <= MAX_WIDTH:
            raise StoreError(
                f"width = {self.width:g}: a figure is {MIN_WIDTH:g} to {MAX_WIDTH:g} mm wide"
            )
        if self.cmap is not None:
            refuse_unknown_map(self.cmap)

    @property
    def colour_map(self) -> Colormap:
        """The colour map of the figure."""
        return mpl.colormaps[CMAP if self.cmap is None else self.cmap]

    def line_colours(self, count: int) -> list[Any]:
        """Return a colour of the colour map for each of some curves, in order."""
        return line_colours(self.colour_map, count)

    def colours_of_few(self, count: int) -> list[Any]:
        """Return colours that are easy to tell apart, or those of the map that was chosen."""
        if self.cmap is None and count <= len(COLOURS):
            return [*COLOURS[:count]]
        return self.line_colours(count)

    def context(self) -> AbstractContextManager[None]:
        """Return the context in which figures are drawn and written."""
        settings: Any = STYLES[self.style]
        return mpl.rc_context(settings)

    @property
    def font_size(self) -> float:
        """Size of the font [point]."""
        return float(STYLES[self.style]["font.size"])

    def columns(self, most: int, *, letters: float) -> int:
        """Return how many panels, which need room for some letters, fit beside each other."""
        width = WIDTHS[self.style][1]
        if self.width is not None:
            width = self.width / MM_PER_INCH
        panel_width = letters * LETTER_WIDTH * self.font_size / POINTS_PER_INCH
        return max(1, min(most, int(width / panel_width)))

    def figure(
        self,
        rows: int = 1,
        columns: int = 1,
        *,
        height: float = 0.68,
        lines: float = MIN_LINES_OF_PANEL,
        wide: bool = False,
        **subplot_options: Any,
    ) -> tuple[Figure, NDArray[Any]]:
        """Return a figure with a grid of axes; title and legend will make it higher.

        Parameters
        ----------
        rows, columns : int
            Panels below and beside each other.
        height : float
            Height of a panel over its width.
        lines : float
            Lines of text for which a panel is high enough, however narrow it is.
        wide : bool
            Whether a single column is as wide as two.
        **subplot_options : Any
            For :meth:`matplotlib.figure.Figure.subplots`.

        Returns
        -------
        figure : matplotlib.figure.Figure
            The figure.
        axes : numpy.ndarray
            Its axes, shape (rows, columns).
        """
        narrow_width, wide_width = WIDTHS[self.style]
        width = wide_width if wide or columns > 1 else narrow_width
        panel_width = narrow_width if columns == 1 else width / columns
        if self.width is not None:
            chosen_width = self.width / MM_PER_INCH
            panel_width *= chosen_width / width
            width = chosen_width
        line = LINE_HEIGHT * self.font_size / POINTS_PER_INCH
        panel_height = max(height * panel_width, lines * line)
        figure = Figure(figsize=(width, rows * panel_height), layout="constrained")
        axes: NDArray[Any] = figure.subplots(rows, columns, squeeze=False, **subplot_options)
        return figure, axes

    def label(self, quantity: Quantity, *, folds: bool = False) -> str:
        """Return the label of an axis: on paper with the symbol, on a screen with the name.

        One that ``folds`` has its unit on a second line where it is long.
        """
        text = quantity.mathtext if self.style == "paper" else quantity.head
        is_long = len(quantity.head) > MAX_LETTERS_IN_LINE
        return text.replace(" [", "\n[", 1) if folds and is_long else text

    def note_units(self, *quantities: Quantity) -> None:
        """Note which quantities are not shown in the unit of the store."""
        remark = remark_on_units(quantities)
        if remark:
            self.notes.append(remark)

    def title(self, figure: Figure, heading: str, *lines: str) -> None:
        """Write a title that names the quantity, then the fixed parameters and the source.

        A person's own title stands alone. A figure for a paper has none, for it has a caption: the
        title becomes a note.

        Parameters
        ----------
        figure : matplotlib.figure.Figure
            Is made higher by the lines of the title.
        heading : str
            First part of the title.
        *lines : str
            Further parts, empty ones are left out.
        """
        if self.heading is not None:
            heading = self.heading
            lines = ()
        elif self.style == "paper":
            caption = "; ".join(filter(None, [heading, *lines])).replace("\u00a0", " ")
            self.notes.append(f"for the caption: {caption}")
            return
        if not heading:
            return
        size = float(mpl.rcParams["font.size"])
        letters = int(_line_letters(figure))
        details = "; ".join(line for line in lines if line).replace(" = ", "\u00a0=\u00a0")
        text = "\n".join([*textwrap.wrap(heading, letters), *textwrap.wrap(details, letters)])
        figure.suptitle(text.replace("\u00a0", " "), x=0.01, ha="left", fontsize=size)
        _heighten(figure, 1 + text.count("\n"))

    def legend(self, figure: Figure, patches: Sequence[Any]) -> None:
        """Add a legend below the panels, if there is anything to explain."""
        if not patches:
            return
        longest = max(len(patch.get_label()) for patch in patches)
        columns = max(1, min(len(patches), int(_line_letters(figure) / (8 + longest))))
        figure.legend(
            handles=list(patches), loc="outside lower left", ncols=columns, handlelength=2.2
        )
        _heighten(figure, -(-len(patches) // columns))


def _line_letters(figure: Figure) -> float:
    """Return the number of letters that fit beside each other."""
    size = float(mpl.rcParams["font.size"])
    return figure.get_figwidth() * POINTS_PER_INCH / (LETTER_WIDTH * size)


def _heighten(figure: Figure, lines: int) -> None:
    size = float(mpl.rcParams["font.size"])
    figure.set_figheight(figure.get_figheight() + LINE_HEIGHT * lines * size / POINTS_PER_INCH)


def folded(text: str) -> str:
    """Return a label of an axis with its unit on a second line where the label is long."""
    return text.replace(" [", "\n[", 1) if len(text) > MAX_LETTERS_IN_LINE else text


def plain(value: Any) -> str:
    """Return a value as a short label, with nothing in it that matplotlib would interpret."""
    if isinstance(value, float):
        text = f"{value:.6g}"
    else:
        text = "".join(c if c.isprintable() else "?" for c in str(value))
    if len(text) > MAX_LABEL_CHARACTERS:
        text = f"{text[: MAX_LABEL_CHARACTERS - 1]}…"
    return text.replace("$", r"\$")


def hatch(
    axes: Axes,
    state: State,
    corner: tuple[float, float],
    size: tuple[float, float],
    gid: str,
    *,
    colour: str = "0.25",
) -> None:
    """Draw a box that marks a result that is missing, incomplete, or has no colour.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    state : State
        The state that the box stands for.
    corner : (float, float)
        Lower left corner in data coordinates.
    size : (float, float)
        Width and height in data coordinates.
    gid : str
        Name of the box in an SVG file.
    colour : str
        Colour of the hatches.
    """
    axes.add_patch(
        Rectangle(
            corner,
            *size,
            facecolor=LOOKS[state].face or "none",
            edgecolor=colour,
            hatch=LOOKS[state].hatch,
            linewidth=0.0,
            gid=gid,
        )
    )


def hatch_legend(counts: Mapping[State, int], unit: str) -> list[Patch]:
    """Return a legend entry for each state that is marked; ``unit`` is what is counted."""
    return [
        Patch(
            facecolor=LOOKS[state].face or "white",
            edgecolor="0.25",
            hatch=LOOKS[state].hatch,
            label=f"{state.word} ({counted(count, unit)})",
        )
        for state, count in counts.items()
        if count
    ]


def value_ticks(axes: Axes, which: str, values: Sequence[Any], *, most: int = 24) -> None:
    """Label the middle of cells with their values, skipping values where there are many.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        The panel.
    which : {"x", "y"}
        The axis to label.
    values : sequence
        Values of all cells along the axis.
    most : int
        Maximum number of labels; fewer are left where these do not fit, see
        :func:`sweep.plots.settle.settle`.
    """
    step = -(-len(values) // most)
    positions = [i + 0.5 for i in range(0, len(values), step)]
    words = [plain(value) for value in values[::step]]
    if which == "y":
        axes.set_yticks(positions, words)
    else:
        axes.set_xticks(positions, words)
