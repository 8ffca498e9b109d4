"""Pictures of the README, from the finished sweep: ``python docs/figures.py results/temperature_supply.zarr``."""

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.ticker import NullFormatter

import sweep

mpl.use("Agg")
from matplotlib import pyplot as plt

YEAR = 31557600.0  # s
COLOURS = ("#0072b2", "#e69f00", "#d55e00")  # told apart by colour-blind readers


def temperature_supply(store: str, out: Path) -> None:
    """Mass loss of the disk over supply, and where and when it happens in one case."""
    grid = sweep.open_store(store).sweep.grid()
    left, right = (figure := plt.figure(figsize=(10, 3.8), layout="constrained")).subplots(1, 2)
    total = grid.M_loss.sum("ring", skipna=False).sel(tau0_target=1.0)
    for T0, colour in zip(total.T0.values, COLOURS, strict=True):
        left.loglog(total.mu_orbit10pct, total.sel(T0=T0), "o-", color=colour, label=f"{T0:.0f} K")
    left.set(xlabel="supply mu_orbit10pct", ylabel="M_loss of the whole disk [M_Mars]", title="until Mars has cooled to 2000 K, tau0 = 1")
    left.set_xticks(total.mu_orbit10pct.values, [f"{mu:g}" for mu in total.mu_orbit10pct.values], minor=False)
    left.xaxis.set_minor_formatter(NullFormatter())
    left.legend(title="T0")

    case = grid.sel(T0=4000.0, tau0_target=1.0, mu_orbit10pct=1.0)
    years = case.t.isel(ring=0).values[1:] / YEAR
    middle = 0.5 * (case.r_in_RM + case.r_out_RM).values
    rate = case.M_out_dot.transpose("ring", "sample").values[:, 1:]
    mesh = right.pcolormesh(years, middle, np.where(rate > 0.0, rate, np.nan), norm=LogNorm(), cmap="viridis", rasterized=True)
    right.set(xscale="log", xlabel="time [yr]", ylabel="ring radius [R_M]", title="T0 = 4000 K, tau0 = 1, mu = 1 (grey: no grain is unbound)")
    right.set_facecolor("0.8")
    figure.colorbar(mesh, ax=right, label="M_out_dot per ring [M_Mars/s]")
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    temperature_supply(sys.argv[1], Path(__file__).with_name("temperature_supply.png"))
