"""Figures of the solver: use of the caches, and numerical errors."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ..common.errors import StoreError
from ..results.accuracy import ERRORS, Accuracy
from ..results.columns import Columns
from ..store import layout
from ..store.store import Store
from .choice import source
from .colours import COLOURS
from .page import MIN_LINES_OF_PANEL, Page, plain

#: Limits between which relative errors are drawn.
MIN_ERROR_DRAWN = 1e-17
MAX_ERROR_DRAWN = 1e3
#: Letters of text that a panel beside the other has room for.
LETTERS_OF_CACHE = 44.0
LETTERS_OF_CONVERGENCE = 36.0


def cache(store: Store, page: Page, *, where: str | None = None) -> Figure:
    """Draw the share of lookups that each slot answered, and why values were dropped.

    Parameters
    ----------
    store : Store
        The store.
    page : Page
        Style of the figure.
    where : str or None
        Condition on the runs.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    StoreError
        No finished run is left.
    """
    runs = Columns(store).where(where)
    runs = runs[store.column("status")[runs] == layout.DONE]
    if not runs.size:
        raise StoreError("no finished run is left to show")
    slots = store.column("cache").tolist()
    kinds = {
        name: store.column(f"cache_{name}")[runs].sum(axis=0)
        for name in ("hits", "misses", "rebuilds")
    }
    lookups = sum(kinds.values())
    dropped = store.column("cache_invalidations")[runs].sum(axis=0)
    columns = page.columns(2, letters=LETTERS_OF_CACHE)
    lines = MIN_LINES_OF_PANEL + len(slots)
    figure, axes = page.figure(2 // columns, columns, height=0.62, lines=lines, sharey=True)
    left, right = axes.flat
    _draw_lookups(left, slots, kinds, lookups, "left" if columns == 2 else "top")
    _draw_dropped(right, slots, store.column("reason").tolist(), dropped)
    for ax in (left, right):
        ax.tick_params(axis="y", length=0)
    total = int(lookups.sum())
    if total:
        rate = f"{100.0 * int(kinds['hits'].sum()) / total:.1f} % of {total} lookups were hits"
    else:
        rate = "the caches were not used"
    page.legend(figure, left.get_legend_handles_labels()[0])
    page.title(figure, f"Caches of {runs.size} finished runs: {rate}", source(store))
    return figure


def _draw_lookups(
    ax: Axes,
    slots: list[str],
    kinds: dict[str, NDArray[Any]],
    lookups: NDArray[Any],
    place: str,
) -> None:
    """Draw the share of hits, misses, and rebuilds in the lookups of each slot.

    The legend says in which ``place`` of the figure they are.
    """
    colours = (COLOURS[0], "0.75", COLOURS[1])
    meanings = ("hit", "slot was empty", "rebuilt")
    start = np.zeros(len(slots))
    for (kind, counts), colour, meaning in zip(kinds.items(), colours, meanings, strict=True):
        share = 100.0 * counts / np.maximum(lookups, 1)
        ax.barh(
            slots,
            share,
            left=start,
            color=colour,
            label=f"{place}: {meaning} ({int(counts.sum())})",
            gid=f"cache-{kind}",
        )
        start += share
    for y, total in enumerate(lookups.tolist()):
        rate = f"{100.0 * kinds['hits'][y] / total:.1f} % hits of {total}" if total else "not used"
        ax.annotate(
            rate,
            (100.0, y),
            textcoords="offset points",
            xytext=(4, 0),
            va="center",
            fontsize="small",
        )
    ax.set(xlabel="lookups [%]", xlim=(0, 100), title="lookups")
    ax.invert_yaxis()


def _draw_dropped(ax: Any, slots: list[str], reasons: list[str], dropped: NDArray[Any]) -> None:
    """Draw how many values of each slot were dropped (slots, reasons), and why."""
    start = np.zeros(len(slots))
    for i, reason in enumerate(reasons):
        if dropped[:, i].any():
            ax.barh(
                slots,
                dropped[:, i],
                left=start,
                color=COLOURS[i % len(COLOURS)],
                hatch="" if i < len(COLOURS) else "///",
                label=f"{reason} ({int(dropped[:, i].sum())})",
            )
            start += dropped[:, i]
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set(xlabel="rebuilds, by each input that differed", title="why values were dropped")
    if start.any():
        ax.legend(fontsize="small", loc="best", handlelength=1.0)
        return
    ax.set(xlim=(0, 1), xticks=[])
    ax.text(
        0.5,
        0.5,
        "none was dropped",
        ha="center",
        va="center",
        transform=ax.transAxes,
        color="0.4",
    )


def convergence(store: Store, page: Page) -> Figure:
    """Draw the numerical errors of the runs with an estimate, from time steps and from bins.

    Parameters
    ----------
    store : Store
        The store.
    page : Page
        Style of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    StoreError
        No run has an estimate.
    """
    accuracy = Accuracy.of(store)
    if accuracy is None:
        raise StoreError(
            "no run of this store was repeated to find its numerical error; give the sweep file"
            " accuracy: {fraction: 0.05} and run it into another store"
        )
    columns = page.columns(2, letters=LETTERS_OF_CONVERGENCE)
    figure, axes = page.figure(2 // columns, columns, height=0.72, sharey=True)
    counts = []
    for ax, kind, cause in zip(axes.flat, ERRORS, ("time steps", "bins"), strict=True):
        for i, quantity in enumerate(accuracy.quantities):
            _draw_errors(ax, accuracy, kind, i, plain(quantity))
        limit = accuracy.limits[kind]
        positions = range(len(accuracy.quantities))
        ax.axhline(limit, color="black", lw=1.0, ls="--")
        ax.annotate(
            f"limit {limit:g}",
            (0.0, limit),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            xytext=(3, 3),
            fontsize="small",
        )
        ax.set(yscale="log", xlim=(-0.6, len(positions) - 0.4), title=f"{kind}: from {cause}")
        ax.set_xticks(positions, [*map(plain, accuracy.quantities)])
        errors = accuracy.errors[kind][accuracy.compared]
        counts.append(f"{kind}: {int((errors > limit).sum())} of {errors.size} beyond {limit:g}")
    for ax in axes[:, 0]:
        ax.set_ylabel("relative error")
    estimated = accuracy.compared.size + accuracy.lost.size
    all_runs = accuracy.errors["err_time"].shape[0]
    if accuracy.lost.size:
        counts.append(f"{accuracy.lost.size} could not be compared")
    words = "; ".join([f"estimated for {estimated} of {all_runs} runs", *counts])
    page.title(figure, "Numerical error", words, source(store))
    within: dict[str, Any] = {
        "marker": "o",
        "ms": 3,
        "color": COLOURS[0],
        "label": "a run, within the limit",
    }
    beyond: dict[str, Any] = {
        "marker": "^",
        "ms": 5,
        "color": COLOURS[3],
        "label": "beyond it; the largest is named",
    }
    page.legend(figure, [Line2D([], [], lw=0, **style) for style in (within, beyond)])
    return figure


def _draw_errors(ax: Axes, accuracy: Accuracy, kind: str, i: int, quantity: str) -> None:
    """Draw the errors of one quantity in ascending order, infinite ones at the top."""
    errors = accuracy.errors[kind][accuracy.compared, i]
    order = np.argsort(errors, kind="stable")
    errors = np.clip(errors[order], MIN_ERROR_DRAWN, MAX_ERROR_DRAWN)
    x = np.full(errors.size, float(i))
    if errors.size > 1:
        x = i + np.linspace(-0.38, 0.38, errors.size)
    over = errors > accuracy.limits[kind]
    ax.plot(x[~over], errors[~over], "o", ms=3, color=COLOURS[0], gid=f"{kind}-{quantity}-within")
    ax.plot(x[over], errors[over], "^", ms=5, color=COLOURS[3], gid=f"{kind}-{quantity}-beyond")
    if over.any():
        ax.annotate(
            f"run {accuracy.compared[order[-1]]}",
            (x[-1], errors[-1]),
            textcoords="offset points",
            xytext=(0, 5),
            ha="center",
            fontsize="small",
            color=COLOURS[3],
        )
