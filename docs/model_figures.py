"""Draw the figures of docs/model.md except ``precision.png``: ``python docs/model_figures.py``.

The figures are written to docs/, in half a minute.
"""

import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

ROOT = Path(__file__).parents[1]
# the cascades and edges are those of the tests
sys.path[:0] = [str(ROOT / "tests" / "physics"), str(ROOT / "tests")]

from test_blowout_edge import END, SETTLED, crossings, outflow, run  # noqa: E402
from test_cascade import BOTTOM, MIDDLE, TOP, cascade  # noqa: E402

from marsdisk.config import RunConfig, load_config  # noqa: E402
from marsdisk.physics.constants import DAY, YEAR  # noqa: E402
from marsdisk.result import RunResult  # noqa: E402
from marsdisk.zero_d import run_zero_d  # noqa: E402

mpl.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.ticker import NullFormatter  # noqa: E402

TIGHT: dict[str, Any] = {"numerics__rtol": 1e-6, "numerics__atol": 1e-12}
# told apart by colour-blind readers
BLACK = "#000000"
BLUE = "#0072b2"
ORANGE = "#e69f00"
RED = "#d55e00"
PINK = "#cc79a7"
SKY = "#56b4e9"


def melt(**overrides: Any) -> RunResult:
    """Run the melt set-up without its stop on optical depth; ``__`` stands for the dot of a key."""
    changes = {key.replace("__", "."): value for key, value in overrides.items()}
    return run_zero_d(
        load_config(
            ROOT / "configs" / "mars_0d_melt_simple.yaml",
            {"optical_depth.tau_stop": None, **changes},
        )
    )


def number(n: int, **changes: Any) -> tuple[Any, Any]:
    """Return sizes [m] and dN/ds [1/(m2 m)] of a steady cascade."""
    steady = cascade(n, **changes)
    return steady.ring.sizes, steady.c / steady.ring.masses / np.diff(steady.ring.edges)


def draw_cascade(out: Path) -> None:
    """Draw steady cascades of both fragment laws, and of several strengths."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.0), layout="constrained")
    for law, q, colour, bounds in (("number", 3.5, BLUE, MIDDLE), ("mass", 5.5, RED, (1e-4, 1e-2))):
        s, dN = number(96, fragment_law=law)
        left.loglog(s, dN, "o", ms=3, color=colour, label=f"fragment_law: {law}")
        millimetre = int(np.argmin(np.abs(s / 1e-3 - 1.0)))
        line = np.array([bounds[0] / 10.0, bounds[1] * 10.0])
        left.loglog(line, dN[millimetre] * (line / s[millimetre]) ** -q, "-", lw=1.0, color=BLACK)
        left.annotate(
            f"$s^{{-{q}}}$",
            (line[1], dN[millimetre] * (line[1] / s[millimetre]) ** -q),
            textcoords="offset points",
            xytext=(5, 3),
        )
    left.set(
        xlabel="grain radius s [m]",
        ylabel="dN/ds [m$^{-3}$]",
        title="steady cascades, alpha_frag = 3.5",
    )
    left.legend(frameon=False)
    for n, strength, colour, marker in (
        (48, 1e-2, ORANGE, "s"),
        (96, 1e-2, BLUE, "o"),
        (96, 1e-4, PINK, "^"),
    ):
        s, dN = number(n, strength=strength)
        relative = dN * s**3.5
        middle = np.exp(np.mean(np.log(relative[(s > MIDDLE[0]) & (s < MIDDLE[1])])))
        right.loglog(
            s,
            relative / middle,
            marker=marker,
            ms=3,
            lw=0.8,
            color=colour,
            label=f"{n} bins, $Q_D^*/v^2$ = {strength:g}",
        )
    right.axhline(1.0, color=BLACK, lw=1.0)
    right.axvspan(*MIDDLE, color="0.92", zorder=0)
    right.set(
        xlabel="grain radius s [m]",
        ylabel="dN/ds over s$^{-3.5}$, mean of grey range = 1",
        title="fragment_law: number",
        ylim=(0.1, 30),
        xlim=(BOTTOM, TOP),
    )
    right.legend(frameon=False)
    figure.savefig(out, dpi=90)


def draw_blowout_edge(out: Path) -> None:
    """Draw the outflow while s_blow passes edges of the grid, under both rules."""

    def shipped(name: str, overrides: dict[str, Any]) -> RunConfig:
        return load_config(ROOT / "configs" / f"mars_0d_{name}.yaml", overrides)

    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.0), layout="constrained")
    styles = (
        ("sharp", 40, RED, "-", 1.2),
        ("sharp", 160, ORANGE, "-", 1.2),
        ("continuous", 40, BLUE, "-", 2.0),
        ("continuous", 160, BLACK, "--", 1.0),
    )
    for edge, n, colour, line, width in styles:
        seen = run(shipped, edge, n)
        to_mars = seen.result.M_out_dot[-1] / outflow(seen, seen.result.t[-1:])[0]
        edges = crossings(seen).times
        after = np.concatenate([[-1.0, 1.0], np.geomspace(60.0, 2.0 * DAY, 40)])
        near = np.concatenate([time + after for time in edges])
        times = np.unique(
            np.concatenate([np.linspace(SETTLED, END, 400), near[(near > SETTLED) & (near < END)]])
        )
        left.plot(
            times / YEAR,
            1e17 * to_mars * outflow(seen, times),
            color=colour,
            ls=line,
            lw=width,
            label=f"{edge}, {n} bins",
        )
        crossed = edges[int(np.argmin(np.abs(edges - 0.892 * YEAR)))]
        hours = np.concatenate([np.linspace(-6.0, -1e-3, 50), np.linspace(1e-3, 36.0, 500)])
        right.plot(
            hours,
            1e17 * to_mars * outflow(seen, crossed + 3600.0 * hours),
            color=colour,
            ls=line,
            lw=width,
        )
        years = crossed / YEAR
    left.set(xlabel="time [yr]", ylabel="M_out_dot [1e-17 M_Mars/s]", title="2 yr of cooling")
    right.set(xlabel=f"hours from {years:.3f} yr", title="one of the edges")
    left.legend(title="blowout.edge", frameon=False, loc="lower right", fontsize=9)
    for axis in (left, right):
        axis.grid(alpha=0.3)
    figure.savefig(out, dpi=90)


def ended(name: str, result: RunResult) -> float:
    """Return a total, or the last value of a series."""
    return float(np.atleast_1d(getattr(result, name))[-1])


def draw_convergence(out: Path) -> None:
    """Draw errors over the number of bins, and over the tolerance."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.4), layout="constrained")
    bins = (14, 20, 28, 40, 56, 80, 113, 160)
    for law, filled in (("number", True), ("mass", False)):
        exact = melt(sizes__n_bins=320, collisions__fragment_law=law, **TIGHT)
        edges = {"continuous": "o"}
        if filled:
            edges["sharp"] = "^"
        for edge, marker in edges.items():
            results = [
                melt(sizes__n_bins=n, collisions__fragment_law=law, blowout__edge=edge, **TIGHT)
                for n in bins
            ]
            for name, colour in (("M_loss", BLUE), ("tau_los", PINK)):
                errors = [abs(ended(name, result) / ended(name, exact) - 1.0) for result in results]
                face = colour if filled else "white"
                left.loglog(
                    bins,
                    errors,
                    marker=marker,
                    ls="-" if filled else ":",
                    color=colour,
                    mfc=face,
                    label=f"{name}, {law}, {edge}",
                )
    slope(left, np.array([40.0, 160.0]), -1, 0.5)
    slope(left, np.array([40.0, 160.0]), -2, 0.0015)
    left.set(
        xlabel="number of bins",
        ylabel="difference from 320 bins, continuous, relative",
        ylim=(1e-5, 3e1),
    )
    left.set_xticks([20, 40, 80, 160], ["20", "40", "80", "160"])
    left.xaxis.set_minor_formatter(NullFormatter())
    left.legend(
        frameon=False,
        fontsize=8,
        ncols=2,
        loc="upper right",
        title="quantity, fragment_law, blowout.edge",
        title_fontsize=8,
    )

    rtols = 10.0 ** np.arange(-1.0, -8.1, -0.5)
    exact = melt(numerics__rtol=1e-11, numerics__atol=1e-19)
    results = [
        melt(numerics__rtol=float(rtol), numerics__atol=float(1e-7 * rtol)) for rtol in rtols
    ]
    for name, colour, marker in (
        ("M_loss", BLUE, "o"),
        ("Sigma_final", ORANGE, "s"),
        ("tau_los", PINK, "^"),
    ):
        errors = [
            max(abs(ended(name, result) / ended(name, exact) - 1.0), 1e-16) for result in results
        ]
        right.loglog(
            rtols,
            errors,
            marker=marker,
            color=colour,
            label="tau_los at the end" if name == "tau_los" else name,
        )
    worst = [max(np.max(np.abs(result.tau_los / exact.tau_los - 1.0)), 1e-16) for result in results]
    right.loglog(
        rtols,
        worst,
        marker="v",
        ls="--",
        mfc="white",
        color=PINK,
        label="tau_los at the worst time",
    )
    right.loglog(rtols, rtols, color=BLACK, lw=1.0, label="rtol itself")
    right.axvline(1e-3, color="0.6", lw=1.0, ls="--")
    right.annotate("default", (1e-3, 1e-1), textcoords="offset points", xytext=(4, 0), color="0.4")
    right.set(
        xlabel="numerics.rtol (atol = 1e-7 rtol)",
        ylabel="relative error",
        xlim=(3e-1, 3e-9),
        ylim=(1e-15, 1.0),
    )
    right.legend(frameon=False, loc="lower left", fontsize=9)
    figure.savefig(out, dpi=90)


def slope(axis: Axes, x: Any, power: int, first: float) -> None:
    """Draw a thin line with the slope of a power law."""
    axis.loglog(x, first * (x / x[0]) ** power, color=BLACK, lw=1.0)
    axis.annotate(
        f"n$^{{{power}}}$",
        (x[-1], first * (x[-1] / x[0]) ** power),
        textcoords="offset points",
        xytext=(4, -3),
    )


if __name__ == "__main__":
    folder = Path(__file__).parent
    draw_cascade(folder / "cascade.png")
    draw_blowout_edge(folder / "blowout_edge.png")
    draw_convergence(folder / "convergence.png")
