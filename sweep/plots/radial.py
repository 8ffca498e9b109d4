"""A series of every ring of one disk over time."""

from collections import Counter

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from ..common.errors import StoreError
from ..common.states import LOOKS, State
from ..common.text import counted
from ..results.columns import adds_up, stopped_early
from ..results.quantity import RING_RADIUS, Quantity, is_logarithmic_time
from ..store import layout
from ..store.store import Store
from .choice import Choice, source
from .colours import ColourScale
from .page import Page, hatch, hatch_legend


def radial(
    store: Store, page: Page, *, name: str = "M_out_dot", where: str | None = None
) -> Figure:
    """Draw a series of every ring of one disk over time and radius.

    Zero is grey, and failed and missing rings are hatched.

    Parameters
    ----------
    store : Store
        The store.
    page : Page
        Style of the figure; it receives notes on what was chosen automatically.
    name : str
        The series.
    where : str or None
        Condition on the runs.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    StoreError
        The sweep has no rings, no ring has a result, or the series is unknown.
    """
    axis = store.ring_axis
    if axis is None:
        raise StoreError(
            "the sweep has no rings; give it an axis such as ring: {rings: [1.0, 2.7, 32]}, or see:"
            " sweep plot STORE series"
        )
    choice = Choice.of(store, page, where)
    choice.refuse_no_number(name, ("sample",))
    choice = choice.middle([varying for varying in choice.varying() if varying != axis])
    figure, axes = page.figure(height=0.6)
    colours, patches, quantity = draw_rings(axes[0, 0], choice, name)
    figure.colorbar(colours, ax=axes[0, 0], label=page.label(quantity, folds=True))
    page.title(
        figure,
        f"{name} of {choice.runs.size} rings over time",
        choice.fixed(axis),
        source(store),
        choice.doubts(),
    )
    page.legend(figure, patches)
    return figure


def draw_rings(ax: Axes, choice: Choice, name: str) -> tuple[ScalarMappable, list[Patch], Quantity]:
    """Draw the rings of one disk over time.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    choice : Choice
        The rings.
    name : str
        The series.

    Returns
    -------
    colours : matplotlib.cm.ScalarMappable
        For a colour bar.
    patches : list of matplotlib.patches.Patch
        Entries of a legend.
    quantity : Quantity
        What the colours show, such as ``M_out_dot per ring``.

    Raises
    ------
    StoreError
        No ring has a result.
    """
    store = choice.store
    status = store.column("status")
    stop = store.column("stop_reason")
    bounds = np.column_stack([store.column("r_in_RM"), store.column("r_out_RM")])
    done = [run for run in choice.runs.tolist() if status[run] == layout.DONE]
    if not done:
        raise StoreError(
            f"no ring can be drawn: {choice.lacking()}; choose another disk with --where"
        )
    stored = {run: store.rows(name, run) for run in done}
    words = f"{name} per ring" if adds_up(store.unit(name)) else name
    quantity = choice.quantity(name, np.concatenate([stored[run] for run in done]), words)
    values = {run: quantity.convert(stored[run]) for run in done}
    stored_times = {run: store.rows("t", run) for run in done}
    time = Quantity.of(store, "t", np.concatenate([*stored_times.values()]), "time")
    times = {run: time.convert(t) for run, t in stored_times.items()}
    first = min(t[t > 0.0][0] for t in times.values())
    last = max(t[-1] for t in times.values())
    log_t = is_logarithmic_time(times.values())
    start = first if log_t else 0.0
    if log_t:
        for run in done:
            positive = times[run] > 0.0
            times[run] = times[run][positive]
            values[run] = values[run][positive]
    drawn_values = np.concatenate([values[run] for run in done])
    colours = ColourScale.of(drawn_values, choice.page.colour_map)
    counts = Counter[State]()
    has_zeros = False
    early = 0
    for run in choice.runs.tolist():
        low, high = bounds[run]
        if run not in values:
            state = State(int(status[run]))
            gid = f"{state.name.lower()}-{run}"
            hatch(ax, state, (start, low), (last, high - low), gid)
            counts[state] += 1
            continue
        value = values[run]
        if colours.is_log and (value <= 0.0).any():
            value = np.where(value > 0.0, value, np.nan)
            has_zeros = True
        _draw_ring(ax, times[run], value, low, high, colours, log_t=log_t)
        early += bool(stopped_early(stop[run]))
    drawn = bounds[choice.runs]
    ax.set(
        xscale="log" if log_t else "linear",
        xlabel=time.head,
        ylabel=choice.page.label(RING_RADIUS),
    )
    ax.set(xlim=(start, last), ylim=(drawn[:, 0].min(), drawn[:, 1].max()))
    patches = hatch_legend(counts, "ring")
    if has_zeros:
        patches.append(Patch(facecolor=LOOKS[State.ZERO].face, label="grey: zero"))
    if early:
        patches.append(
            Patch(
                facecolor="white",
                edgecolor="0.6",
                label=f"white: after the end ({counted(early, 'ring')} {State.EARLY.word})",
            )
        )
    return colours.bar, patches, quantity


def _draw_ring(
    ax: Axes,
    t: NDArray[np.float64],
    value: NDArray[np.float64],
    low: float,
    high: float,
    colours: ColourScale,
    *,
    log_t: bool,
) -> None:
    """Draw the values of one ring between the radii ``low`` and ``high`` [R_M]."""
    middle = np.sqrt(t[1:] * t[:-1]) if log_t else 0.5 * (t[1:] + t[:-1])
    ax.fill_between([t[0], t[-1]], low, high, color=LOOKS[State.ZERO].face, lw=0)
    ax.pcolormesh(
        [t[0], *middle, t[-1]],
        [low, high],
        np.ma.masked_invalid(value[None, :]),
        norm=colours.norm,
        cmap=colours.colour_map,
        rasterized=True,
    )
