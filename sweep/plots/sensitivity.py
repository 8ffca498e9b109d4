"""What each axis alone does to a scalar (tornado chart)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import zarr
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ..errors import StoreError
from ..store import layout, reader
from ..views import cells, labels
from .choice import Choice, quantity, source, unit_of, with_unit
from .page import COLOURS, Page, decades, plain


@dataclass(frozen=True)
class _Bar:
    axis: str
    points: list[Any]
    values: Any  #: (points,), NaN where there is no result
    failed: int
    missing: int

    @property
    def low(self) -> int:
        return int(np.nanargmin(self.values))

    @property
    def high(self) -> int:
        return int(np.nanargmax(self.values))

    @property
    def span(self) -> float:
        return (
            float(self.values[self.high] - self.values[self.low])
            if np.isfinite(self.values).any()
            else 0.0
        )


def sensitivity(
    group: zarr.Group,
    page: Page,
    *,
    name: str = "M_loss",
    where: str | None = None,
    ring: int | None = None,
) -> Figure:
    """The range of ``name`` as each axis runs through its values, with all others at their middle values."""
    choice = Choice.of(group, page, where, ring=ring)
    summed = choice.over_rings(unit_of(group, name), ())
    what = quantity(group, name, summed)
    axes = [axis for axis in choice.varying() if axis != summed]
    if not axes:
        raise StoreError("no axis has more than one value; there is nothing to compare")
    bars = []
    centre_values = _centre(choice, axes)
    for axis in axes:
        part = choice
        for other, value in centre_values.items():
            part = part if other == axis else part.at(other, value)
        if not part.runs.size:
            continue
        found = (
            cells(
                group,
                name,
                axis,
                axes[0] if axes[0] != axis else axes[-1],
                {},
                among=part.runs,
                over=summed,
            )
            if len(axes) > 1
            else None
        )
        found = found or cells(group, name, axis, axis, {}, among=part.runs, over=summed)
        flat = _along(found.value), _along(found.status), _along(found.run)
        bars.append(
            _Bar(
                axis,
                found.x,
                flat[0],
                int((flat[1] == layout.FAILED).sum()),
                int((flat[1] == layout.PENDING).sum()),
            )
        )
    bars.sort(key=lambda bar: bar.span)
    reference = next(
        (
            float(bar.values[bar.points.index(centre_values[bar.axis])])
            for bar in bars
            if centre_values[bar.axis] in bar.points
        ),
        np.nan,
    )
    figure, grid = page.figure(height=0.16 + 0.08 * len(bars))
    ax = grid[0, 0]
    every = np.concatenate([bar.values for bar in bars]) if bars else np.empty(0)
    if (
        all(np.isfinite(bar.values).sum() < 2 for bar in bars)
        and choice.runs.size > 1
        and not choice.lacking()
    ):
        raise StoreError(
            "no two runs differ in one parameter alone around the middle; this figure is for grids"
            " and one-at-a-time sweeps, not for samples"
        )
    if not np.isfinite(every).any():
        raise StoreError(
            "no run on the axes through the middle has a result"
            f" ({choice.lacking() or 'there is none'})"
        )
    log = decades(every) > 1.0
    for y, bar in enumerate(bars):
        _draw(ax, group, y, bar, reference)
    if np.isfinite(reference):
        ax.axvline(reference, color="0.3", lw=0.8)
    low = np.nanmin(every)
    high = np.nanmax(every)
    margin = (high / low) ** 0.22 if log else 0.22 * (high - low or abs(high) or 1.0)
    ax.set(
        xscale="log" if log else "linear",
        xlabel=what,
        yticks=range(len(bars)),
        yticklabels=[plain(bar.axis) for bar in bars],
    )
    ax.set(
        xlim=(low / margin, high * margin) if log else (low - margin, high + margin),
        ylim=(-0.6, len(bars) - 0.4),
    )
    middle = ", ".join(
        f"{axis} = {with_unit(group, axis, value)}" for axis, value in centre_values.items()
    )
    absent = "" if np.isfinite(reference) else ", which has no result"
    page.title(
        figure,
        f"Effect of each axis alone on {what}",
        f"middle (line): {middle}{absent}",
        choice.fixed(*axes, summed=summed),
        source(group),
        choice.doubts(),
    )
    page.legend(
        figure,
        (
            []
            if absent
            else [
                Patch(color=COLOURS[0], label="below the middle"),
                Patch(color=COLOURS[1], label="above the middle"),
            ]
        ),
    )
    return figure


def _centre(choice: Choice, axes: list[str]) -> dict[str, Any]:
    """What the axes are compared at: the base of a one-at-a-time sweep, or the middle of a grid."""
    if "one_at_a_time" in reader.axis_names(choice.group):
        base = [
            run
            for run in choice.runs.tolist()
            if reader.column(choice.group, "one_at_a_time")[run] == "base"
        ]
        if base:
            return {axis: labels(choice.group, axis)[base[0]] for axis in axes}
    return choice.middles(axes)


def _along(values: Any) -> Any:
    """Of cells over one axis and another that has one value, or over one axis twice: those that can have a run."""
    return values[0] if values.shape[0] == 1 else np.diagonal(values)


def _draw(ax: Any, group: zarr.Group, y: int, bar: _Bar, reference: float) -> None:
    lacking = ", ".join(
        f"{n} {word}" for n, word in ((bar.failed, "failed"), (bar.missing, "missing")) if n
    )
    if not np.isfinite(bar.values).any():
        ax.annotate(
            f"  {lacking} of {len(bar.points)}",
            (0.0, y),
            xycoords=("axes fraction", "data"),
            va="center",
            color="0.3",
            fontsize="small",
        )
        return
    low = float(bar.values[bar.low])
    high = float(bar.values[bar.high])
    middle = min(max(reference, low), high) if np.isfinite(reference) else low
    known = np.isfinite(reference)
    ax.barh(y, middle - low, left=low, height=0.6, color=COLOURS[0])
    ax.barh(y, high - middle, left=middle, height=0.6, color=COLOURS[1] if known else "0.6")
    same = low == high
    ends = ((low, bar.low, "right", -4),) if not same else ()
    for x, point, side, shift in (*ends, (high, bar.high, "left", 4)):
        words = with_unit(group, bar.axis, bar.points[point])
        if same:
            words = "no effect" if np.isfinite(bar.values).sum() > 1 else f"only {words}"
        if side == "left" and lacking:
            words += f"  ({lacking} of {len(bar.points)})"
        ax.annotate(
            words,
            (x, y),
            textcoords="offset points",
            xytext=(shift, 0),
            ha=side,
            va="center",
            fontsize="small",
        )
