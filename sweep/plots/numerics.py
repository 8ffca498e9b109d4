"""How the numbers came about: what the caches did, and how accurate the checked runs are."""

import numpy as np
import zarr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..accuracy import ERRORS, Accuracy
from ..errors import StoreError
from ..store import layout, reader
from ..views import Columns
from .choice import source
from .page import COLOURS, Page, plain

# where errors of zero, and beyond, are drawn
SMALLEST = 1e-17
LARGEST = 1e3


def cache(group: zarr.Group, page: Page, *, where: str | None = None) -> Figure:
    """Share of lookups that each slot answered, and why values were dropped."""
    runs = Columns(group).where(where)
    runs = runs[reader.column(group, "status")[runs] == layout.DONE]
    if not runs.size:
        raise StoreError("no finished run is left to show")
    slots = reader.column(group, "cache").tolist()
    reasons = reader.column(group, "reason").tolist()
    kinds = {
        name: reader.column(group, f"cache_{name}")[runs].sum(axis=0)
        for name in ("hits", "misses", "rebuilds")
    }
    lookups = sum(kinds.values())
    dropped = reader.column(group, "cache_invalidations")[runs].sum(axis=0)
    figure, axes = page.figure(1, 2, height=0.62, sharey=True)
    left, right = axes[0]
    start = np.zeros(len(slots))
    for (kind, counts), colour, words in zip(
        kinds.items(),
        (COLOURS[0], "0.75", COLOURS[1]),
        ("hit", "slot was empty", "rebuilt"),
        strict=True,
    ):
        share = 100.0 * counts / np.maximum(lookups, 1)
        left.barh(
            slots,
            share,
            left=start,
            color=colour,
            label=f"left: {words} ({int(counts.sum())})",
            gid=f"cache-{kind}",
        )
        start += share
    for y, total in enumerate(lookups.tolist()):
        rate = f"{100.0 * kinds['hits'][y] / total:.1f} % hits of {total}" if total else "not used"
        left.annotate(
            rate,
            (100.0, y),
            textcoords="offset points",
            xytext=(4, 0),
            va="center",
            fontsize="small",
        )
    left.set(xlabel="lookups [%]", xlim=(0, 100), title="lookups")
    left.invert_yaxis()
    start = np.zeros(len(slots))
    for i, reason in enumerate(reasons):
        if dropped[:, i].any():
            right.barh(
                slots,
                dropped[:, i],
                left=start,
                color=COLOURS[i % len(COLOURS)],
                hatch="" if i < len(COLOURS) else "///",
                label=f"{reason} ({int(dropped[:, i].sum())})",
            )
            start += dropped[:, i]
    right.xaxis.get_major_locator().set_params(integer=True)
    right.set(xlabel="rebuilds, by each input that differed", title="why values were dropped")
    if start.any():
        right.legend(fontsize="small", loc="best", handlelength=1.0)
    else:
        right.set(xlim=(0, 1), xticks=[])
        right.text(
            0.5,
            0.5,
            "none was dropped",
            ha="center",
            va="center",
            transform=right.transAxes,
            color="0.4",
        )
    for ax in (left, right):
        ax.tick_params(axis="y", length=0)
    used = int(lookups.sum())
    rate = (
        f"{100.0 * int(kinds['hits'].sum()) / used:.1f} % of {used} lookups were hits"
        if used
        else "the caches were not used"
    )
    page.legend(figure, left.get_legend_handles_labels()[0])
    page.title(figure, f"Caches of {runs.size} finished runs: {rate}", source(group))
    return figure


def convergence(group: zarr.Group, page: Page) -> Figure:
    """Numerical errors of the checked runs, from time steps and from bins, with their limits."""
    found = Accuracy.of(group)
    if found is None:
        raise StoreError(
            "no run of this store was repeated to find its numerical error; give the sweep file"
            " accuracy: {fraction: 0.05} and run it into another store"
        )
    figure, axes = page.figure(1, 2, height=0.72, sharey=True)
    counts = []
    for ax, kind, words in zip(axes[0], ERRORS, ("time steps", "bins"), strict=True):
        for i, quantity in enumerate(found.quantities):
            _draw_errors(ax, found, kind, i, plain(quantity))
        limit = found.limits[kind]
        positions = range(len(found.quantities))
        ax.axhline(limit, color="black", lw=1.0, ls="--")
        ax.annotate(
            f"limit {limit:g}",
            (0.0, limit),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            xytext=(3, 3),
            fontsize="small",
        )
        ax.set(yscale="log", xlim=(-0.6, len(positions) - 0.4), title=f"{kind}: from {words}")
        ax.set_xticks(positions, [*map(plain, found.quantities)], rotation=35.0, ha="right")
        errors = found.errors[kind][found.compared]
        counts.append(f"{kind}: {int((errors > limit).sum())} of {errors.size} beyond {limit:g}")
    axes[0, 0].set_ylabel("relative error")
    checked = found.compared.size + found.lost.size
    all_runs = found.errors["err_time"].shape[0]
    if found.lost.size:
        counts.append(f"{found.lost.size} could not be compared")
    words = "; ".join([f"{checked} of {all_runs} runs checked", *counts])
    page.title(figure, "Numerical error of the checked runs", words, source(group))
    page.legend(
        figure,
        [
            Line2D(
                [], [], marker="o", ms=3, lw=0, color=COLOURS[0], label="a run, within the limit"
            ),
            Line2D(
                [],
                [],
                marker="^",
                ms=5,
                lw=0,
                color=COLOURS[3],
                label="beyond it; the largest is named",
            ),
        ],
    )
    return figure


def _draw_errors(ax: Axes, found: Accuracy, kind: str, i: int, quantity: str) -> None:
    """The errors of one quantity, from the smallest to the largest; infinite ones at the top."""
    errors = found.errors[kind][found.compared, i]
    order = np.argsort(errors, kind="stable")
    errors = np.clip(errors[order], SMALLEST, LARGEST)
    x = i + (np.linspace(-0.38, 0.38, errors.size) if errors.size > 1 else np.zeros(errors.size))
    over = errors > found.limits[kind]
    ax.plot(x[~over], errors[~over], "o", ms=3, color=COLOURS[0], gid=f"{kind}-{quantity}-within")
    ax.plot(x[over], errors[over], "^", ms=5, color=COLOURS[3], gid=f"{kind}-{quantity}-beyond")
    if over.any():
        ax.annotate(
            f"run {found.compared[order[-1]]}",
            (x[-1], errors[-1]),
            textcoords="offset points",
            xytext=(0, 5),
            ha="center",
            fontsize="small",
            color=COLOURS[3],
        )
