"""Accuracy of the default tolerances where the disk decays: the largest error of each series.

``python -m tests.physics.error_control`` prints a table of them; with ``--write``, as
``make precision`` does, it goes into docs/model.md. A minute.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from marsdisk.common.errors import SolverError
from marsdisk.config import RunConfig, build_config, merge, read_config
from marsdisk.result import RunResult
from marsdisk.zero_d import run_zero_d

ROOT = Path(__file__).parents[2]
SERIES = ("tau_los", "M_out_dot", "Sigma", "M_loss_cum")
OUTPUT = {"output": {"samples": 600, "spacing": "log", "decades": 8.0, "snapshots": 2}}
TIGHT = {"numerics.rtol": 1e-9, "numerics.atol": 1e-17, "numerics.max_steps": 1_000_000}

COOL = {"optical_depth": {"tau_stop": None}, "numerics": {"t_end_until_temperature_K": 2000.0}}
UNFED = {"supply": {"mode": "none"}}
BY_NUMBER = {"collisions.fragment_law": "number"}
#: The set-up of each, and what is changed in it. All decay, but for the first.
SETUPS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "melt": ("melt_simple", {}),
    "melt, cools to 2000 K": ("melt_simple", COOL),
    "melt, no supply": ("melt_simple", {**UNFED, **COOL}),
    "melt, no supply, number law": ("melt_simple", {**UNFED, **BY_NUMBER, **COOL}),
    "melt, a reservoir of 5e-10 M_Mars": ("melt_simple", {"supply.reservoir": 5e-10, **COOL}),
    "melt, a reservoir, number law": (
        "melt_simple",
        {"supply.reservoir": 5e-10, **BY_NUMBER, **COOL},
    ),
    "three slopes, no supply": ("melt_simple", {"initial": {"s0_mode": "upper"}, **UNFED, **COOL}),
    "three slopes, no supply, number law": (
        "melt_simple",
        {"initial": {"s0_mode": "upper"}, **UNFED, **BY_NUMBER, **COOL},
    ),
    "grains of 1 mm, no supply, 20 bins": (
        "melt_simple",
        {"initial": {"s0_mode": "mono", "s_mono": 1e-3}, "sizes.n_bins": 20, **UNFED, **COOL},
    ),
    "sublimation by advection, no supply": (
        "melt_simple",
        {"sublimation": {"method": "advection"}, **UNFED, **COOL},
    ),
    "sublimation as a sink": ("melt_simple", {"sublimation": {"method": "sink"}, **COOL}),
    "gates, sublimation by advection": (
        "melt_simple",
        {
            "disk": {"r_in_RM": 1.05313, "r_out_RM": 1.10625},
            "temperature.T0": 4500.0,
            "phase": {"enabled": True, "T_condense": 2162.0, "T_vaporize": 2163.0, "q_abs": 0.4},
            "sublimation": {"method": "advection"},
            **COOL,
        },
    ),
    "collisions alone": ("collisions_only", {}),
    "sublimation alone": ("sublimation_only", {}),
}
#: rtol and atol of the columns of the table.
TOLERANCES = ((1e-3, 1e-6), (1e-3, 1e-8), (1e-3, 1e-10), (1e-3, 1e-12), (1e-4, 1e-10))


class Errors(NamedTuple):
    """Errors of a run against a tight one."""

    largest: dict[str, float]  #: by series, over what it has at most within a factor of e in time
    run: RunResult


def config_of(name: str, changes: Mapping[str, Any]) -> RunConfig:
    base, its_changes = SETUPS[name]
    return build_config(
        merge(
            read_config(ROOT / "configs" / f"mars_0d_{base}.yaml"),
            {**OUTPUT, **its_changes, **changes},
        )
    )


def tight_run(name: str) -> RunResult:
    return run_zero_d(config_of(name, TIGHT))


def errors(name: str, tight: RunResult, **tolerances: float) -> Errors:
    """Return the errors of a set-up with these tolerances, or with a configuration's defaults."""
    run = run_zero_d(
        config_of(name, {f"numerics.{key}": value for key, value in tolerances.items()})
    )
    assert run.stop_reason is tight.stop_reason
    errors = {}
    for series in SERIES:
        exact = getattr(tight, series)
        difference = np.abs(np.interp(tight.t, run.t, getattr(run, series)) - exact)
        near = (
            np.abs(
                np.log(np.maximum(tight.t, 1e-300))[:, None] - np.log(np.maximum(tight.t, 1e-300))
            )
            <= 1.0
        )
        largest = np.where(near, np.abs(exact), 0.0).max(axis=1)
        errors[series] = float(
            (difference[largest > 0.0] / largest[largest > 0.0]).max(initial=0.0)
        )
    return Errors(errors, run)


def table() -> list[str]:
    """Tabulate the largest error of any series, and the steps, by set-up and tolerances.

    Steps are given as accepted and rejected.
    """
    heads = [f"rtol {rtol:g}, atol {atol:g}" for rtol, atol in TOLERANCES]
    lines = [f"| set-up | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
    for name in SETUPS:
        tight = tight_run(name)
        cells = [_cell(name, tight, rtol, atol) for rtol, atol in TOLERANCES]
        lines.append(f"| {name} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    return lines


def _cell(name: str, tight: RunResult, rtol: float, atol: float) -> str:
    try:
        errors_there = errors(name, tight, rtol=rtol, atol=atol)
    except SolverError:
        return "ledger open"
    run = errors_there.run
    return f"{max(errors_there.largest.values()):.1e}, {run.steps + run.steps_rejected}"


def main() -> None:
    lines = table()
    if "--write" in sys.argv:
        sys.path.insert(0, str(ROOT / "docs"))
        from make_tables import put_between_markers

        put_between_markers("error control", "make precision", lines)


if __name__ == "__main__":
    main()
