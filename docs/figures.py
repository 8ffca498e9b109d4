"""Draw the figure of the README: ``python docs/figures.py STORE [OUT.png]``.

STORE is the finished sweep configs/sweeps/temperature_supply.yaml.
"""

import sys
from pathlib import Path

from matplotlib.ticker import NullFormatter

import sweep
from sweep import plots
from sweep.plots.choice import Choice
from sweep.plots.colours import COLOURS
from sweep.plots.page import Page
from sweep.plots.radial import draw_rings
from sweep.results.quantity import Quantity
from sweep.store.store import Store


def temperature_supply(store: str, out: Path) -> None:
    """Draw the mass loss of the disk over supply, and where and when it happens in one case."""
    page = Page("screen", [])
    group = Store.open(store)
    total = sweep.open_store(store).sweep.disk_total().M_loss.sel(tau0_target=1.0)
    loss = Quantity.of(group, "M_loss", total, "M_loss of the whole disk")
    with page.context():
        figure, axes = page.figure(1, 2, height=0.76)
        left, right = axes[0]
        for T0, colour in zip(total.T0.values, COLOURS, strict=False):
            left.loglog(
                total.mu_orbit10pct,
                loss.convert(total.sel(T0=T0)),
                "o-",
                color=colour,
                label=f"{T0:.0f} K",
            )
        left.set(
            xlabel="supply mu_orbit10pct",
            ylabel=loss.head,
            title="until no grain is unbound any more, tau0 = 1",
        )
        left.set_xticks(
            total.mu_orbit10pct.values,
            [f"{mu:g}" for mu in total.mu_orbit10pct.values],
            minor=False,
        )
        left.xaxis.set_minor_formatter(NullFormatter())
        left.legend(title="T0")
        case = Choice.of(group, page, "T0 == 4000 and tau0_target == 1 and mu_orbit10pct == 1")
        colours, _, quantity = draw_rings(right, case, "M_out_dot")
        right.set_title("T0 = 4000 K, tau0 = 1, mu = 1")
        figure.colorbar(colours, ax=right, label=quantity.head)
    plots.save(figure, out)


if __name__ == "__main__":
    out = Path(__file__).with_name("temperature_supply.png")
    if len(sys.argv) > 2:
        out = Path(sys.argv[2])
    temperature_supply(sys.argv[1], out)
