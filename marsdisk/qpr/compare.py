"""Compare two tables of one efficiency: ``python -m marsdisk.qpr.compare TABLE OTHER``."""

import argparse
import itertools
import sys
from collections.abc import Sequence

import numpy as np

from ..io.efficiency_tables import (
    SHIPPED,
    read_qext_table,
    read_qpr_table,
    shipped_qext_table,
    shipped_qpr_table,
)
from ..physics.qpr_table import EfficiencyTable, look_up

TEMPERATURE_BANDS = (0.0, 1000.0, 2000.0, 3000.0, 4500.0, np.inf)
SIZE_BANDS = (0.0, 1e-6, 3e-6, 1e-5, 1e-4, 1e-3, 1e-2, np.inf)


def compare_tables(table: EfficiencyTable, reference: EfficiencyTable) -> str:
    """Return minimum, median and maximum of table / reference by bands of temperature and size.

    They are those at the nodes of `reference`. A node belongs to the band whose lower edge it
    reaches. Nodes outside `table` are left out.
    """
    log_s = reference.log_s
    s = np.exp(log_s)
    kelvin = reference.T
    inside_s = (log_s >= table.log_s[0] - 1e-9) & (log_s <= table.log_s[-1] + 1e-9)
    inside_T = (kelvin >= table.T[0]) & (kelvin <= table.T[-1])
    ratio = look_up(table, s, kelvin[:, None]) / reference.Q
    lines = [
        f"ratio {table.name} / {reference.name}",
        f"{'T [K]':>11} {'s [m]':>14} {'nodes':>6}   min  median    max",
    ]
    for T_low, T_high in itertools.pairwise(TEMPERATURE_BANDS):
        rows = inside_T & (kelvin >= T_low) & (kelvin < T_high)
        for s_low, s_high in itertools.pairwise(SIZE_BANDS):
            # exp(log s) may fall short of a band's edge by a rounding error.
            columns = inside_s & (s >= s_low * (1 - 1e-9)) & (s < s_high * (1 - 1e-9))
            cells = ratio[np.ix_(rows, columns)]
            if cells.size:
                low = cells.min()
                mid = np.median(cells)
                high = cells.max()
                band = f"{_band(T_low, T_high):>11} {_band(s_low, s_high):>14} {cells.size:6d}"
                lines.append(f"{band} {low:6.3f} {mid:6.3f} {high:6.3f}")
    return "\n".join(lines)


def _band(low: float, high: float) -> str:
    if low == 0:
        return f"< {high:g}"
    if np.isinf(high):
        return f">= {low:g}"
    return f"{low:g}-{high:g}"


def _read(source: str, *, extinction: bool) -> EfficiencyTable:
    if extinction:
        return shipped_qext_table(source) if source in SHIPPED else read_qext_table(source)
    return shipped_qpr_table(source) if source in SHIPPED else read_qpr_table(source)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit code."""
    program = "python -m marsdisk.qpr.compare"
    parser = argparse.ArgumentParser(prog=program, description="Compare two tables of <Q_pr>.")
    parser.add_argument(
        "tables",
        nargs=2,
        metavar=("TABLE", "OTHER"),
        help=f"files, or names of shipped tables ({', '.join(SHIPPED)})",
    )
    parser.add_argument("--ext", action="store_true", help="compare two tables of <Q_ext>")
    arguments = parser.parse_args(argv)
    try:
        table, reference = [_read(source, extinction=arguments.ext) for source in arguments.tables]
    except (OSError, ValueError) as error:
        parser.exit(2, f"{error}\n")
    print(compare_tables(table, reference))
    return 0


if __name__ == "__main__":
    sys.exit(main())
