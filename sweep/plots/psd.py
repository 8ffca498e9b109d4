"""Size distributions of one run at its snapshots."""

import matplotlib as mpl
import numpy as np
import zarr
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from marsdisk.physics.constants import YEAR

from ..errors import StoreError
from ..rerun import RecordedRuns, find_run
from ..store import layout, reader
from .choice import Choice, source
from .page import CMAP, Page, folded, plain

DEEPEST = 1e-14  # of the largest value: what is below is no more than round-off of the integration


def psd(
    group: zarr.Group,
    page: Page,
    *,
    run: str | None = None,
    per: str = "mass",
    where: str | None = None,
) -> Figure:
    """Mass or number of grains per unit of ln s and area, a curve for each snapshot; dotted lines are the blow-out size then."""
    if per not in {"mass", "number"}:
        raise StoreError(f"there is no distribution of {per!r}; there are mass and number")
    chosen = Choice.of(group, page, where)
    if run is None:
        done = chosen.runs[reader.column(group, "status")[chosen.runs] == layout.DONE]
        chosen = Choice(group, page, done if done.size else chosen.runs)
    one = find_run(group, run) if run is not None else int(chosen.middle(chosen.varying()).runs[0])
    choice = Choice(group, page, np.array([one]))
    if reader.column(group, "status")[one] != layout.DONE:
        raise StoreError(
            f"run {one} has no result ({choice.lacking()}); choose another with --run, see: sweep"
            " show STORE --where 'status == \"done\"'"
        )
    s = (
        reader.column(group, "s")
        if group["s"].metadata.dimension_names == ("bin",)  # type: ignore[union-attr]
        else reader.part(group, "s", one)
    )
    used = np.isfinite(s)
    N = reader.part(group, "N", one)[:, used] / np.log(s[1] / s[0])
    t = reader.part(group, "t_snapshot", one) / YEAR
    s = s[used]
    if per == "mass":
        N = N * (4.0 / 3.0 * np.pi * RecordedRuns.of(group).config(one).material.rho * s**3)
    figure, axes = page.figure(height=0.62)
    ax = axes[0, 0]
    colours = [mpl.colormaps[CMAP](i / max(t.size - 1, 1) * 0.92) for i in range(t.size)]
    times = reader.part(group, "t", one) / YEAR
    s_blow = reader.part(group, "s_blow", one)
    for i, colour in enumerate(colours):
        ax.loglog(s, np.where(N[i] > 0.0, N[i], np.nan), color=colour, gid=f"snapshot-{i}")
        then = s_blow[int(np.argmin(np.abs(times - t[i])))]
        if s[0] < then < s[-1]:
            ax.axvline(then, color=colour, ls=":", lw=0.8)
    ax.set_ylim(max(N[N > 0.0].min(), N.max() * DEEPEST) * 0.5, N.max() * 2.0)
    what = (
        "mass of grains per ln s [kg m-2]" if per == "mass" else "number of grains per ln s [m-2]"
    )
    ax.set(xlabel="grain radius s [m]", ylabel=folded(what))
    if t.size <= 8:
        ax.legend(
            handles=[
                Line2D([], [], color=c, label=f"{x:.3g} yr")
                for c, x in zip(colours, t, strict=True)
            ],
            fontsize="small",
        )
    else:
        bar = figure.colorbar(
            ScalarMappable(Normalize(0, t.size - 1), mpl.colors.ListedColormap(colours)),
            ax=ax,
            label="time [yr]",
        )
        places = sorted({round(i) for i in np.linspace(0, t.size - 1, 6)})
        bar.set_ticks(
            [i * (t.size - 1) / t.size + 0.5 * (t.size - 1) / t.size for i in places],
            labels=[f"{t[i]:.3g}" for i in places],
        )
    run_id = str(reader.part(group, "run_id", one))
    page.title(
        figure,
        f"Size distribution of run {one} ({plain(run_id)}); dotted: blow-out size",
        choice.fixed(),
        source(group),
        choice.doubts(),
    )
    return figure
