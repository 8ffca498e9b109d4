"""Size distributions of one run at its snapshots."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ..common.errors import StoreError
from ..results.densities import DENSITY_LABELS, ROUND_OFF_FRACTION, grain_mass, number_density
from ..results.quantity import Quantity
from ..results.rerun import RecordedRuns, find_run
from ..store import layout
from ..store.store import Store
from .choice import Choice, source
from .colours import MAX_LEGEND_ENTRIES, bar_of_steps
from .page import Page, folded, plain


def psd(
    store: Store,
    page: Page,
    *,
    run: str | None = None,
    per: str = "mass",
    where: str | None = None,
) -> Figure:
    """Draw the size distribution of a run, a curve for each snapshot.

    Dotted lines are the blow-out size at each snapshot.

    Parameters
    ----------
    store : Store
        The store.
    page : Page
        Style of the figure; it receives notes on what was chosen automatically.
    run : str or None
        Number or identifier of the run; by default a finished run in the middle of the sweep.
    per : {"mass", "number"}
        Whether the mass or the number of grains is drawn.
    where : str or None
        Condition on the runs to choose from.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    StoreError
        There is no such distribution or run, or the run has no result.
    """
    if per not in DENSITY_LABELS:
        raise StoreError(f"there is no distribution of {per!r}; there are mass and number")
    choice = _choose_run(store, page, run, where)
    (number,) = choice.runs.tolist()
    if store.column("status")[number] != layout.DONE:
        raise StoreError(
            f"run {number} has no result ({choice.lacking()}); choose another with --run, see:"
            " sweep show STORE --where 'status == \"done\"'"
        )
    stored_s, density = _read_distribution(store, number, per)
    sizes = Quantity.of(store, "s", stored_s, "grain radius s")
    s = sizes.convert(stored_s)
    stored_t = store.rows("t_snapshot", number)
    time = Quantity.of(store, "t", stored_t, "time")
    t = time.convert(stored_t)
    page.note_units(sizes)
    figure, axes = page.figure(height=0.62)
    ax = axes[0, 0]
    colours = page.line_colours(t.size)
    times = time.convert(store.rows("t", number))
    s_blow = sizes.convert(store.rows("s_blow", number))
    for i, colour in enumerate(colours):
        positive = np.where(density[i] > 0.0, density[i], np.nan)
        ax.loglog(s, positive, color=colour, gid=f"snapshot-{i}")
        s_blow_then = s_blow[int(np.argmin(np.abs(times - t[i])))]
        if s[0] < s_blow_then < s[-1]:
            ax.axvline(s_blow_then, color=colour, ls=":", lw=0.8)
    lowest = max(density[density > 0.0].min(), density.max() * ROUND_OFF_FRACTION)
    ax.set_ylim(lowest * 0.5, density.max() * 2.0)
    ax.set(xlabel=page.label(sizes), ylabel=folded(DENSITY_LABELS[per]))
    _explain_colours(figure, ax, colours, time, t)
    run_id = str(store.rows("run_id", number))
    page.title(
        figure,
        f"Size distribution of run {number} ({plain(run_id)}); dotted: blow-out size",
        choice.fixed(),
        source(store),
        choice.doubts(),
    )
    return figure


def _choose_run(store: Store, page: Page, run: str | None, where: str | None) -> Choice:
    """Return the run that was asked for, or else one in the middle of the finished runs."""
    choice = Choice.of(store, page, where)
    if run is not None:
        return Choice.of_runs(store, page, [find_run(store, run)])
    done = choice.runs[store.column("status")[choice.runs] == layout.DONE]
    if done.size:
        choice = Choice(choice.selection.only(done), page)
    middle = choice.middle(choice.varying())
    return Choice(middle.selection.only(middle.runs[:1]), page)


def _read_distribution(
    store: Store, run: int, per: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return grain radii [m] and, for each snapshot, the density at them."""
    s = store.sizes(run)
    used = np.isfinite(s)
    s = s[used]
    density = number_density(store.rows("N", run)[:, used], s)
    if per == "mass":
        rho = RecordedRuns.of(store).config(run).material.rho
        density = density * grain_mass(s, rho)
    return s, density


def _explain_colours(
    figure: Figure, ax: Axes, colours: list[Any], time: Quantity, t: NDArray[np.float64]
) -> None:
    """Add a legend of few snapshots at the times ``t``, or a colour bar of many."""
    if t.size <= MAX_LEGEND_ENTRIES:
        entries = [
            Line2D([], [], color=colour, label=f"{moment:.3g} {time.unit}")
            for colour, moment in zip(colours, t, strict=True)
        ]
        ax.legend(handles=entries, fontsize="small")
        return
    bar_of_steps(figure, ax, colours, [f"{moment:.3g}" for moment in t], time.head)
