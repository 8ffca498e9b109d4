"""Pictures of docs/model.md but for that of ``precision.py``: ``python docs/model_figures.py`` makes them beside it, in half a minute."""

import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "physics"))  # the cascades are those that the tests look at

from test_cascade import BOTTOM, MIDDLE, TOP, cascade  # noqa: E402

from marsdisk.config import load_config  # noqa: E402
from marsdisk.physics.constants import YEAR  # noqa: E402
from marsdisk.result import RunResult  # noqa: E402
from marsdisk.zero_d import run_zero_d  # noqa: E402

mpl.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402

BLACK, BLUE, ORANGE, RED, PINK, SKY = "#000000", "#0072b2", "#e69f00", "#d55e00", "#cc79a7", "#56b4e9"  # told apart by colour-blind readers


def melt(**overrides: Any) -> RunResult:
    """The melt set-up, not stopped by its optical depth; ``__`` stands for the dot of a key."""
    changes = {key.replace("__", "."): value for key, value in overrides.items()}
    return run_zero_d(load_config(ROOT / "configs" / "mars_0d_melt.yaml", {"optical_depth.tau_stop": None, **changes}))


def number(n: int, **changes: Any) -> tuple[Any, Any]:
    """Sizes [m] and dN/ds [1/(m2 m)] of a steady cascade."""
    found = cascade(n, **changes)
    return found.ring.sizes, found.c / found.ring.masses / np.diff(found.ring.edges)


def draw_cascade(out: Path) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.0), layout="constrained")
    for law, q, colour, bounds in (("number", 3.5, BLUE, MIDDLE), ("mass", 5.5, RED, (1e-4, 1e-2))):
        s, dN = number(96, fragment_law=law)
        left.loglog(s, dN, "o", ms=3, color=colour, label=f"fragment_law: {law}")
        at = int(np.argmin(np.abs(s / 1e-3 - 1.0)))
        line = np.array([bounds[0] / 10.0, bounds[1] * 10.0])
        left.loglog(line, dN[at] * (line / s[at]) ** -q, "-", lw=1.0, color=BLACK)
        left.annotate(f"$s^{{-{q}}}$", (line[1], dN[at] * (line[1] / s[at]) ** -q), textcoords="offset points", xytext=(5, 3))
    left.set(xlabel="grain radius s [m]", ylabel="dN/ds [m$^{-3}$]", title="steady cascades, alpha_frag = 3.5")
    left.legend(frameon=False)
    for n, strength, colour, marker in ((48, 1e-2, ORANGE, "s"), (96, 1e-2, BLUE, "o"), (96, 1e-4, PINK, "^")):
        s, dN = number(n, strength=strength)
        relative = dN * s**3.5
        middle = np.exp(np.mean(np.log(relative[(s > MIDDLE[0]) & (s < MIDDLE[1])])))
        right.loglog(s, relative / middle, marker=marker, ms=3, lw=0.8, color=colour, label=f"{n} bins, $Q_D^*/v^2$ = {strength:g}")
    right.axhline(1.0, color=BLACK, lw=1.0)
    right.axvspan(*MIDDLE, color="0.92", zorder=0)
    right.set(
        xlabel="grain radius s [m]", ylabel="dN/ds over s$^{-3.5}$, mean of grey range = 1", title="fragment_law: number", ylim=(0.1, 30), xlim=(BOTTOM, TOP)
    )
    right.legend(frameon=False)
    figure.savefig(out, dpi=90)


def draw_blowout_edge(out: Path) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(10.5, 4.0), layout="constrained", sharey=True)
    linear = {"samples": 2001, "spacing": "linear", "snapshots": 2}
    for axis, n in zip(axes, (40, 160), strict=True):
        for edge, colour, width in (("sharp", RED, 1.2), ("continuous", BLUE, 2.0)):
            result = melt(sizes__n_bins=n, blowout__edge=edge, numerics__rtol=1e-5, numerics__atol=1e-12, output=linear)
            axis.plot(result.t[1:] / YEAR, result.M_out_dot[1:], color=colour, lw=width, label=edge)
        axis.set(xlabel="time [yr]", yscale="log", title=f"{n} bins")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("M_out_dot [M_Mars/s]")
    axes[0].legend(title="blowout.edge", frameon=False)
    figure.savefig(out, dpi=90)


def draw_convergence(out: Path) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.0), layout="constrained")
    tight = {"numerics__rtol": 1e-6, "numerics__atol": 1e-12}
    bins = (10, 14, 20, 28, 40, 56, 80, 113, 160)
    for law, alpha, edge, colour, marker in (
        ("mass", 3.5, "continuous", BLUE, "o"),
        ("mass", 3.5, "sharp", RED, "^"),
        ("number", 3.5, "continuous", ORANGE, "s"),
    ):

        def loss(n: int, law: str = law, alpha: float = alpha, edge: str = edge) -> float:
            return melt(sizes__n_bins=n, collisions__fragment_law=law, collisions__alpha_frag=alpha, blowout__edge=edge, **tight).M_loss

        finest = loss(320)
        errors = [abs(loss(n) / finest - 1.0) for n in bins]
        left.loglog(bins, errors, marker=marker, color=colour, label=f"{law} law, {edge}")
    slope(left, np.array([14.0, 160.0]), -1, 0.3)
    left.set(xlabel="number of bins", ylabel="M_loss: difference from 320 bins, relative")
    left.legend(frameon=False)

    rtols = 10.0 ** np.arange(-1.0, -8.1, -0.5)
    exact = melt(numerics__rtol=1e-11, numerics__atol=1e-17)
    for name, colour, marker in (("M_loss", BLUE, "o"), ("Sigma_final", ORANGE, "s"), ("tau_los", PINK, "^")):
        errors = []
        for rtol in rtols:
            result = melt(numerics__rtol=float(rtol), numerics__atol=float(1e-5 * rtol))
            found, wanted = (float(np.atleast_1d(getattr(r, name))[-1]) for r in (result, exact))
            errors.append(max(abs(found / wanted - 1.0), 1e-16))
        right.loglog(rtols, errors, marker=marker, color=colour, label=f"{name}{' at the end' if name == 'tau_los' else ''}")
    right.loglog(rtols, rtols, color=BLACK, lw=1.0)
    right.annotate("rtol itself", (1e-5, 1e-5), textcoords="offset points", xytext=(-50, 8))
    right.axvline(1e-3, color="0.6", lw=1.0, ls="--")
    right.annotate("default", (1e-3, 1e-14), textcoords="offset points", xytext=(4, 0), color="0.4")
    right.set(xlabel="numerics.rtol (atol = 1e-5 rtol)", ylabel="relative error", xlim=(3e-1, 3e-9))
    right.legend(frameon=False, loc="lower left")
    figure.savefig(out, dpi=90)


def slope(axis: Axes, x: Any, power: int, first: float) -> None:
    """A thin line of a power law for the eye."""
    axis.loglog(x, first * (x / x[0]) ** power, color=BLACK, lw=1.0)
    axis.annotate(f"n$^{{{power}}}$", (x[-1], first * (x[-1] / x[0]) ** power), textcoords="offset points", xytext=(-20, 6))


if __name__ == "__main__":
    here = Path(__file__).parent
    draw_cascade(here / "cascade.png")
    draw_blowout_edge(here / "blowout_edge.png")
    draw_convergence(here / "convergence.png")
