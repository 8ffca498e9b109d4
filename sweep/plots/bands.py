"""Bands between quantiles of many curves, of runs that are a sample of distributions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from ..common.errors import StoreError
from ..common.text import counted
from ..results.columns import labels
from ..results.curves import Curve, quantiles_of_curves
from ..results.quantiles import drawn_independently
from ..results.quantity import is_logarithmic, is_logarithmic_time
from ..spec.designs import POINT, given_design
from .choice import Choice

OUTER_WORDS = "5 to 95 %"
INNER_WORDS = "25 to 75 %"
#: Curves that a band needs: with fewer, not one of them is expected beyond its 5 %.
MIN_CURVES_OF_BAND = 20
#: Groups that have both bands; more have the inner one only, or they would hide each other.
MAX_GROUPS_WITH_BOTH = 3
OUTER_OPACITY = 0.15
INNER_OPACITY = 0.3


@dataclass(frozen=True)
class Sample:
    """Runs that are a sample of the distributions in the sweep file."""

    choice: Choice
    method: str  #: how they were drawn
    drawn: tuple[str, ...]  #: the parameters that were

    @classmethod
    def of(cls, choice: Choice) -> "Sample | None":
        """Return the sample among runs; None if there is none, or one too small for bands."""
        store = choice.store
        design = given_design(store.description.sweep.content)
        if design is None or POINT not in store.axes:
            return None
        points = store.column(POINT)[choice.runs]
        try:
            is_drawn = drawn_independently(store, points)
        except StoreError:
            return None
        if np.unique(points[is_drawn]).size < MIN_CURVES_OF_BAND:
            return None
        runs = Choice(choice.selection.only(choice.runs[is_drawn]), choice.page)
        return cls(runs, design.method, tuple(map(store.name_of, design.axes)))


@dataclass(frozen=True)
class Band:
    """Quantiles over a group of curves."""

    value: Any  #: of the parameter by which curves are grouped
    count: int  #: of curves
    t: NDArray[np.float64]
    quantiles: NDArray[np.float64]  #: (probabilities, times)
    last_end: float  #: when the last of the curves ends

    @classmethod
    def of(cls, value: Any, curves: Sequence[Curve]) -> "Band":
        """Return the quantiles of curves, up to the time when the first of them ends."""
        t, quantiles = quantiles_of_curves(curves)
        last_end = max(float(curve.t[-1]) for curve in curves)
        return cls(value, len(curves), t, quantiles, last_end)

    @property
    def is_cut(self) -> bool:
        """Whether some curves go on where the bands end."""
        return not np.isclose(self.last_end, self.t[-1], rtol=1e-6, atol=0.0)


def group_curves(choice: Choice, curves: Sequence[Curve], over: str | None) -> list[Band]:
    """Return the bands of the curves with each value of a parameter.

    Parameters
    ----------
    choice : Choice
        The runs; its page receives notes on what is not shown.
    curves : sequence of Curve
        Their curves.
    over : str or None
        The parameter; None for all curves together.

    Returns
    -------
    list of Band
        In the order of the values.

    Raises
    ------
    StoreError
        No value has curves enough.
    """
    column = labels(choice.store, over) if over else []
    values = choice.values(over) if over else [None]
    bands = []
    for value in values:
        group = [curve for curve in curves if not over or column[curve.runs[0]] == value]
        if len(group) >= MIN_CURVES_OF_BAND:
            bands.append(Band.of(value, group))
        else:
            choice.page.notes.append(
                f"no bands of {over or 'the runs'}{f' = {value}' if over else ''}:"
                f" {counted(len(group), 'curve')}, and quantiles need {MIN_CURVES_OF_BAND}"
            )
    if not bands:
        raise StoreError(
            f"{counted(len(curves), 'curve')} can be drawn, and bands need {MIN_CURVES_OF_BAND} for"
            " each value; choose runs with --run"
        )
    if any(np.isnan(band.quantiles).any() for band in bands):
        choice.page.notes.append(
            "bands have gaps at times when the series has no value in some of their runs"
        )
    if any(band.is_cut for band in bands):
        choice.page.notes.append(
            "bands end where the first of their runs ends, for later quantiles would be of fewer"
            " runs; --where chooses runs that last longer"
        )
    return bands


def count_in_words(bands: Sequence[Band], noun: str) -> str:
    """Return over how many runs or disks the quantiles are, such as ``60 to 64 runs``."""
    counts = sorted({band.count for band in bands})
    most = counted(counts[-1], noun)
    return most if len(counts) == 1 else f"{counts[0]} to {most}"


def draw_bands(
    ax: Axes, bands: Sequence[Band], colours: Sequence[Any], dashes: Sequence[Any]
) -> bool:
    """Draw the bands and the median of each group.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    bands : sequence of Band
        The groups.
    colours, dashes : sequence
        Colour and line style of each group.

    Returns
    -------
    bool
        Whether a band goes down to zero, which has no place on a logarithmic axis.
    """
    log_t = is_logarithmic_time([band.t for band in bands])
    shown = [band.t > 0.0 if log_t else np.ones(band.t.size, bool) for band in bands]
    drawn = [band.quantiles[:, times] for band, times in zip(bands, shown, strict=True)]
    with_outer = has_both(bands)
    if not with_outer:
        drawn = [np.concatenate([each[1:2], each[1:4], each[3:4]]) for each in drawn]
    together = np.concatenate([each.ravel() for each in drawn])
    log_y = is_logarithmic(together)
    floor = float(together[together > 0.0].min()) if log_y else -np.inf
    for i, (band, times, quantiles) in enumerate(zip(bands, shown, drawn, strict=True)):
        t = band.t[times]
        has_height = quantiles > 0.0 if log_y else np.isfinite(quantiles)
        clipped = np.maximum(quantiles, floor)
        pairs = ((0, 4, OUTER_OPACITY), (1, 3, INNER_OPACITY))
        for low, high, opacity in pairs if with_outer else pairs[1:]:
            ax.fill_between(
                t,
                clipped[low],
                clipped[high],
                where=has_height[high],
                color=colours[i],
                alpha=opacity,
                lw=0.0,
                gid=f"band-{i}-{low}",
            )
        median = np.where(has_height[2], quantiles[2], np.nan)
        ax.plot(t, median, color=colours[i], ls=dashes[i], gid=f"median-{i}")
    ax.set(xscale="log" if log_t else "linear", yscale="log" if log_y else "linear")
    return log_y and bool((together == 0.0).any())


def has_both(bands: Sequence[Band]) -> bool:
    """Return whether groups are few enough to have the outer bands, too."""
    return len(bands) <= MAX_GROUPS_WITH_BOTH


def band_legend(bands: Sequence[Band], words: Sequence[str]) -> list[Any]:
    """Return legend entries for the median and the bands; ``words`` say what they are over."""
    entries: list[Any] = [Line2D([], [], color="0.3", label=f"median of {words[0]}")]
    if len(words) > 1:
        entries = [Line2D([], [], color="0.3", label="line: median")]
    entries.append(Patch(facecolor="0.3", alpha=INNER_OPACITY + OUTER_OPACITY, label=INNER_WORDS))
    if has_both(bands):
        entries.append(Patch(facecolor="0.3", alpha=OUTER_OPACITY, label=OUTER_WORDS))
    return entries
