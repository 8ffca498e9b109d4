"""Results on the terminal and in files."""

import csv
import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np

from ..io.out_file import OutFile
from ..result import RunResult
from .terminal import print_line, print_table

RESULT_FORMATS = ("npz", "csv")
#: Series in a ``.csv`` file, in this order.
SERIES = (
    "t",
    "Sigma",
    "tau_los",
    "Phi",
    "Sigma_tau1",
    "T_M",
    "s_blow",
    "M_out_dot",
    "M_sink_dot",
    "M_loss_cum",
    "M_loss_blowout_cum",
    "M_loss_sublimation_cum",
    "M_loss_other_cum",
    "M_supplied_cum",
    "T_grain",
    "kappa",
    "supply_nominal",
    "supply_applied",
    "supply_feedback",
    "ds_dt",
    "t_blow",
    "t_coll_smallest",
    "t_coll_largest",
    "phase",
    "gates",
)


def print_result(result: RunResult) -> None:
    """Print totals with units, why the run ended, and the caveats of the result."""
    print_table(result.heading, list(result.totals()), "name", "value", "unit", "meaning")
    for sentence in result.notes.sentences:
        print_line(f"note: {sentence}")


def write_result(result: RunResult, out: str | Path | OutFile) -> None:
    """Write everything as ``.npz``, or the series with units in their names as ``.csv``.

    Parameters
    ----------
    result : RunResult
        The result.
    out : str or Path or OutFile
        The file; one at a path is overwritten.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    out = OutFile.from_name(out, RESULT_FORMATS, unnamed="csv", force=True)
    with out.writing() as file:
        if out.format == "csv":
            file.write(_series_table(result).encode())
        else:
            np.savez_compressed(file, **_arrays(result))


def _series_table(result: RunResult) -> str:
    names = [*SERIES]
    if result.config.dynamics.damping is not None:
        names += ["e", "v_rel"]
    units = {field.name: field.metadata.get("units", "1") for field in dataclasses.fields(result)}
    columns = [getattr(result, name).tolist() for name in names]
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow([f"{name} [{units[name]}]" for name in names])
    writer.writerows(zip(*columns, strict=True))
    return table.getvalue()


def _arrays(result: RunResult) -> dict[str, Any]:
    arrays: dict[str, Any] = {
        "config": result.config.model_dump_json(),
        "stop_reason": result.stop_reason.label,
        "notes": int(result.notes),
    }
    for field in dataclasses.fields(result):
        if field.name not in {"config", "cache", "stop_reason", "notes"}:
            arrays[field.name] = getattr(result, field.name)
    return arrays
