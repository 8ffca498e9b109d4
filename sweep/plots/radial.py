"""A series of every ring of one disk over time."""

import numpy as np
import zarr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from marsdisk.physics.constants import YEAR

from ..errors import StoreError
from ..store import layout, reader
from ..views import adds_up, ring_axis, stopped_early
from .choice import Choice, quantity, source, unit_of
from .page import CMAP, Page, colour_scale, folded, hatch, hatch_legend


def radial(
    group: zarr.Group, page: Page, *, name: str = "M_out_dot", where: str | None = None
) -> Figure:
    """``name`` over time and radius, as long as each ring ran; grey is zero, failed and missing rings are hatched."""
    axis = ring_axis(group)
    if axis is None:
        raise StoreError(
            "the sweep has no rings; give it an axis such as ring: {rings: [1.0, 2.7, 32]}, or see:"
            " sweep plot STORE series"
        )
    what = quantity(group, name, None, ("sample",))
    choice = Choice.of(group, page, where)
    choice = choice.middle([one for one in choice.varying() if one != axis])
    figure, axes = page.figure(height=0.6)
    colours, patches = draw_rings(axes[0, 0], choice, name)
    figure.colorbar(colours, ax=axes[0, 0], label=folded(per_ring(group, name)))
    page.title(
        figure,
        f"{what} of {choice.runs.size} rings over time",
        choice.fixed(axis),
        source(group),
        choice.doubts(),
    )
    page.legend(figure, patches)
    return figure


def per_ring(group: zarr.Group, name: str) -> str:
    """What the colours are: ``M_out_dot per ring [M_Mars s-1]``."""
    what = quantity(group, name, None, ("sample",))
    return what.replace(name, f"{name} per ring", 1) if adds_up(unit_of(group, name)) else what


def draw_rings(ax: Axes, choice: Choice, name: str) -> tuple[ScalarMappable, list[Patch]]:
    """Fill ``ax`` with one disk; its colours and what else is to be explained."""
    group = choice.group
    status = reader.column(group, "status")
    stop = reader.column(group, "stop_reason")
    bounds = np.column_stack([reader.column(group, "r_in_RM"), reader.column(group, "r_out_RM")])
    done = [run for run in choice.runs.tolist() if status[run] == layout.DONE]
    if not done:
        raise StoreError(
            f"no ring can be drawn: {choice.lacking()}; choose another disk with --where"
        )
    values = {run: reader.part(group, name, run) for run in done}
    times = {run: reader.part(group, "t", run) / YEAR for run in done}
    first = min(t[t > 0.0][0] for t in times.values())
    last = max(t[-1] for t in times.values())
    log_t = first / last < 0.02
    norm = colour_scale(
        np.concatenate([values[run][times[run] > 0.0] if log_t else values[run] for run in done])
    )
    counts = {"failed": 0, "pending": 0}
    zero = False
    early = 0
    for run in choice.runs.tolist():
        low, high = bounds[run]
        if run not in values:
            kind = "failed" if status[run] == layout.FAILED else "pending"
            hatch(ax, kind, first if log_t else 0.0, low, last, high - low, f"{kind}-{run}")
            counts[kind] += 1
            continue
        some = times[run] > 0.0 if log_t else np.ones(times[run].size, bool)
        t = times[run][some]
        shown = values[run][some]
        middle = np.sqrt(t[1:] * t[:-1]) if log_t else 0.5 * (t[1:] + t[:-1])
        if isinstance(norm, LogNorm) and (shown <= 0.0).any():
            shown = np.where(shown > 0.0, shown, np.nan)
            zero = True
        ax.fill_between([t[0], t[-1]], low, high, color="0.8", lw=0)
        ax.pcolormesh(
            [t[0], *middle, t[-1]],
            [low, high],
            np.ma.masked_invalid(shown[None, :]),
            norm=norm,
            cmap=CMAP,
            rasterized=True,
        )
        early += bool(stopped_early(stop[run]))
    chosen = bounds[choice.runs]
    ax.set(xscale="log" if log_t else "linear", xlabel="time [yr]", ylabel="ring radius [R_M]")
    ax.set(xlim=(first if log_t else 0.0, last), ylim=(chosen[:, 0].min(), chosen[:, 1].max()))
    patches = hatch_legend(counts, "ring")
    if zero:
        patches.append(Patch(facecolor="0.8", label="grey: zero"))
    if early:
        patches.append(
            Patch(
                facecolor="white",
                edgecolor="0.6",
                label=f"white: after the end ({early} rings stopped early)",
            )
        )
    return ScalarMappable(norm, CMAP), patches
