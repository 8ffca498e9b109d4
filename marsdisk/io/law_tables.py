"""Tables of laws that users write: shielding, supply, and vapour pressure."""

from pathlib import Path

import numpy as np

from ..physics.grid import Array
from ..physics.shielding import ShieldingLaw, tabulated
from .csv_table import read_csv_table


def read_phi_table(path: str | Path) -> ShieldingLaw:
    """Read Phi from a CSV file with columns ``tau``, increasing, and ``phi``.

    Raises
    ------
    ValueError
        A column is missing, or a number is not finite or out of order; the message names the line.
    OSError
        The file cannot be read.
    """
    table = read_csv_table(path)
    return tabulated(table.increasing("tau"), table.column("phi"))


def read_vapour_table(path: str | Path) -> tuple[Array, Array]:
    """Read T [K] and P_sat [Pa] from a CSV file with the columns ``T`` and ``P_sat``.

    Raises
    ------
    ValueError
        Columns are missing, or a cell is no number; the message names the line.
    OSError
        The file cannot be read.
    """
    table = read_csv_table(path)
    return table.column("T"), table.column("P_sat")


def read_supply_table(path: str | Path, r: float) -> tuple[Array, Array]:
    """Read times, in the file's unit, and rates [kg/(m2 s)] at ``r`` [m] from a CSV file.

    It has the columns ``t`` and ``rate``, and its rows are in any order. With a column ``r`` [m] as
    well there is a rate for each time and radius, interpolated linearly at ``r`` and constant
    beyond the radii of the file: an extrapolated rate could turn negative.

    Raises
    ------
    ValueError
        Other columns, negative rates, radii not above 0, fewer than two times, or not one rate for
        each time (and radius).
    OSError
        The file cannot be read.
    """
    table = read_csv_table(path)
    if set(table.header) not in ({"t", "rate"}, {"t", "r", "rate"}):
        columns = ", ".join(table.header)
        raise ValueError(
            f"{path}: the columns are {columns}; name them t and rate, or t, r and rate"
        )
    rates = table.not_below("rate", 0.0)
    by_radius = "r" in table.header
    row_radii = np.full_like(rates, r)
    if by_radius:
        row_radii = table.not_below("r", 0.0, exclusive=True)
    times, time_index = np.unique(table.column("t"), return_inverse=True)
    radii, radius_index = np.unique(row_radii, return_inverse=True)
    cell = time_index * radii.size + radius_index
    counts = np.bincount(cell, minlength=times.size * radii.size)
    if times.size < 2:
        raise ValueError(
            f"{path}: has rates at one time only; give at least two different times, or"
            " supply.const_rate"
        )
    if np.any(counts != 1):
        bad = int(np.argmax(counts != 1))
        where = f"t = {times[bad // radii.size]:g}"
        advice = "give one"
        if by_radius:
            where = f"{where}, r = {radii[bad % radii.size]:g} m"
            advice = "give one for each time and radius"
        amount = f"{counts[bad]} rates" if counts[bad] else "no rate"
        raise ValueError(f"{path}: {where} has {amount}; {advice}")
    by_time = rates[np.argsort(cell)].reshape(times.size, radii.size)
    return times, np.array([np.interp(r, radii, row) for row in by_time])
