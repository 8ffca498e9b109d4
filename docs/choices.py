"""Tabulate what each choice does to the mass loss in docs/model.md: ``docs/choices.py STORE``.

STORE is the result of ``sweep run configs/sweeps/choices.yaml``.
"""

import json
import sys

import xarray
from make_tables import put_between_markers

import sweep

NAME = "choices"
COMMAND = "sweep run configs/sweeps/choices.yaml && python docs/choices.py results/choices.zarr"
BEFORE = "as it was"


def lines_of(totals: xarray.Dataset, choices: list[str]) -> list[str]:
    """Compare the mass loss of the disk by choice and temperature with the original set-up.

    Parameters
    ----------
    totals : xarray.Dataset
        Sums over rings, over the axes T0 and variant.
    choices : list of str
        The variants in the order of the table.

    Returns
    -------
    list of str
        Lines of a Markdown table.
    """
    temperatures = totals.T0.values.tolist()
    heads = [f"T0 = {T0:.0f} K" for T0 in temperatures]
    columns = " | ".join(f"M_loss [M_Mars], {head}" for head in heads)
    lines = [
        f"| choice | {columns} | by sublimation | while tau_los > 1 |",
        f"|---|{'---|' * (len(heads) + 2)}",
    ]
    for choice in choices:
        row = totals.sel(variant=choice)
        before = totals.M_loss.sel(variant=BEFORE)
        changes = (row.M_loss / before - 1.0).values
        cells = [
            f"{loss:.3e} ({_percent(change)})"
            for loss, change in zip(row.M_loss.values, changes, strict=True)
        ]
        shares = [_span(row.M_loss_sublimation / row.M_loss), _span(row.M_loss_thick / row.M_loss)]
        lines.append(f"| {choice} | {' | '.join([*cells, *shares])} |")
    return lines


def _percent(change: float) -> str:
    """Format a change with its sign, unless it is too small to show."""
    rounded = round(100.0 * change, 1)
    return f"{rounded:+.1f} %" if rounded else "0 %"


def _span(share: xarray.DataArray) -> str:
    """Format the least and the largest share, in per cent."""
    least = 100.0 * float(share.min())
    largest = 100.0 * float(share.max())
    if largest < 0.05:
        return "0"
    return f"{least:.1f} to {largest:.1f} %"


if __name__ == "__main__":
    store = sweep.open_store(sys.argv[1])
    variants = list(json.loads(store.attrs["sweep"])["content"]["variants"])
    put_between_markers(NAME, COMMAND, lines_of(store.sweep.disk_total(), variants))
