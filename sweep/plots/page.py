"""What all figures share: sizes, fonts and colours of a style, titles, hatches, labels."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from ..errors import StoreError

#: Told apart by colour-blind readers (Okabe & Ito 2008).
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#000000")
CMAP = "viridis"
LONGEST = 32  # characters of a value in a label
_SHARED: dict[str, Any] = {
    "font.family": "sans-serif",
    "axes.titlelocation": "left",
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
#: Widths of one and of two columns [inch], and height of a panel over its width.
WIDTHS = {"screen": (7.2, 10.0), "paper": (3.46, 7.09)}  # 88 and 180 mm
HATCHES = {"failed": "////", "pending": "....", "early": "\\\\\\\\"}
MEANING = {"failed": "failed", "pending": "not done, or no run", "early": "stopped early"}


@dataclass
class Page:
    """A style, and what is to be said about choices that a figure made by itself."""

    style: str
    notes: list[str]

    def __post_init__(self) -> None:
        if self.style not in STYLES:
            raise StoreError(f"there is no style {self.style!r}; there are {', '.join(STYLES)}")

    def context(self) -> AbstractContextManager[None]:
        """In which figures are drawn and written."""
        settings: Any = STYLES[self.style]
        return mpl.rc_context(settings)

    def figure(
        self,
        rows: int = 1,
        columns: int = 1,
        *,
        height: float = 0.68,
        wide: bool = False,
        **of_axes: Any,
    ) -> tuple[Figure, NDArray[Any]]:
        """A figure with rows x columns of axes; ``height`` is that of a panel over its width. Title and legend make the figure higher."""
        one, two = WIDTHS[self.style]
        width = two if wide or columns > 1 else one
        figure = Figure(
            figsize=(width, rows * height * (one if columns == 1 else width / columns)),
            layout="constrained",
        )
        axes: NDArray[Any] = figure.subplots(rows, columns, squeeze=False, **of_axes)
        return figure, axes

    def title(self, figure: Figure, what: str, *lines: str) -> None:
        """What is shown, and below it what is fixed and where it is from."""
        size = float(mpl.rcParams["font.size"])
        letters = int(figure.get_figwidth() * 72.0 / (0.56 * size))
        below = "; ".join(line for line in lines if line).replace(" = ", "\u00a0=\u00a0")
        text = "\n".join([*textwrap.wrap(what, letters), *textwrap.wrap(below, letters)])
        figure.suptitle(text.replace("\u00a0", " "), x=0.01, ha="left", fontsize=size)
        _heighten(figure, 1 + text.count("\n"))

    def legend(self, figure: Figure, patches: Sequence[Any]) -> None:
        """A legend below everything, if there is anything to explain."""
        if patches:
            letters = figure.get_figwidth() * 72.0 / (0.56 * float(mpl.rcParams["font.size"]))
            columns = max(
                1,
                min(
                    len(patches),
                    int(letters / (8 + max(len(patch.get_label()) for patch in patches))),
                ),
            )
            figure.legend(
                handles=list(patches), loc="outside lower left", ncols=columns, handlelength=2.2
            )
            _heighten(figure, -(-len(patches) // columns))


def _heighten(figure: Figure, lines: int) -> None:
    figure.set_figheight(
        figure.get_figheight() + 1.35 * lines * float(mpl.rcParams["font.size"]) / 72.0
    )


def folded(text: str) -> str:
    """A label of an axis, its unit on a line of its own where it is long."""
    return text.replace(" [", "\n[", 1) if len(text) > 24 else text


def plain(value: Any) -> str:
    """A value as a label: short, and drawn as the letters it has."""
    text = (
        f"{value:.6g}"
        if isinstance(value, float)
        else "".join(c if c.isprintable() else "?" for c in str(value))
    )
    return (text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…").replace("$", r"\$")


def decades(values: NDArray[Any]) -> float:
    """Powers of ten that the positive of ``values`` span; 0 where one is negative."""
    finite = values[np.isfinite(values)]
    positive = finite[finite > 0.0]
    return (
        math.log10(positive.max() / positive.min())
        if positive.size and not (finite < 0.0).any()
        else 0.0
    )


def colour_scale(values: NDArray[Any]) -> Normalize:
    """Logarithmic where the values span more than a decade."""
    finite = values[np.isfinite(values)]
    if decades(values) > 1.0:
        positive = finite[finite > 0.0]
        return LogNorm(positive.min(), positive.max())
    return Normalize(finite.min(), finite.max()) if finite.size else Normalize(0.0, 1.0)


def is_bright(share: float) -> bool:
    """Whether black is read better than white on the colour at ``share`` (0 to 1) of the colour map."""
    red, green, blue, _ = mpl.colormaps[CMAP](share)
    return bool(0.3 * red + 0.6 * green + 0.1 * blue > 0.5)


def hatch(
    axes: Axes,
    kind: str,
    x: float,
    y: float,
    width: float,
    height: float,
    gid: str,
    *,
    colour: str = "0.25",
) -> None:
    """A hatched box, which says why there is no number or why it is not the whole story."""
    face = "none" if kind == "early" else "0.92" if kind == "failed" else "white"
    axes.add_patch(
        Rectangle(
            (x, y),
            width,
            height,
            facecolor=face,
            edgecolor=colour,
            hatch=HATCHES[kind],
            linewidth=0.0,
            gid=gid,
        )
    )


def hatch_legend(counts: Mapping[str, int], unit: str) -> list[Patch]:
    """Entries for the kinds of hatches that there are."""
    return [
        Patch(
            facecolor="0.92" if kind == "failed" else "white",
            edgecolor="0.25",
            hatch=HATCHES[kind],
            label=f"{MEANING[kind]} ({count} {unit}{'s' * (count > 1)})",
        )
        for kind, count in counts.items()
        if count
    ]


def value_ticks(
    axes: Axes, which: str, values: Sequence[Any], *, most: int = 12, letters: int = 45
) -> None:
    """Ticks in the middle of cells, labelled with their values, as many as can be read; turned where they have more than ``letters``."""
    every = -(-len(values) // most)
    places = [i + 0.5 for i in range(0, len(values), every)]
    words = [plain(value) for value in values[::every]]
    if which == "x":
        crowded = sum(len(word) + 1 for word in words) > letters
        axes.set_xticks(
            places,
            words,
            rotation=30 if crowded else 0,
            ha="right" if crowded else "center",
            rotation_mode="anchor",
        )
    else:
        axes.set_yticks(places, words)
