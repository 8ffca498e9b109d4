"""A configuration or a result for people and files."""

import csv
import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from ._jit import interpreted
from .cache import CacheKind
from .commands import terminal
from .config import RunConfig
from .config_errors import allowed, config_keys, metadata
from .config_sections import START_KEYS, Section
from .derived import derive
from .outfile import OutFile
from .physics.constants import R_MARS, YEAR
from .physics.radiation import blowout_size
from .profiling import FUNCTIONS, StepProfile
from .result import RunResult

RESULT_FORMATS = ("npz", "csv")
SERIES = (
    *(
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
    ),
    *("M_loss_blowout_cum", "M_loss_sublimation_cum", "M_loss_other_cum", "M_supplied_cum"),
    *("T_grain", "kappa", "supply_nominal", "supply_applied", "supply_feedback", "ds_dt"),
    *("t_blow", "t_coll_smallest", "t_coll_largest", "phase", "gates"),
)


def print_table(title: str, rows: Sequence[tuple[str, ...]], *columns: str) -> None:
    """A table with a title above it."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    terminal().print(table)


def _value_of(config: RunConfig, key: str) -> Any:
    value: Any = config
    for word in key.split("."):
        value = getattr(value, word, None)
    return value


def _in_use(config: RunConfig, key: str) -> bool:
    """Whether a key belongs to the laws and parts that this configuration is made of."""
    section = key.split(".")[0]
    name = key.split(".")[-1]
    if section == "temperature":
        return name in type(config.temperature).model_fields
    if section == "initial" and key.split(".")[1] in START_KEYS:
        return config.initial.s0_mode == START_KEYS[key.split(".")[1]]
    if key.count(".") < 2:
        return True
    part = _value_of(config, key.rpartition(".")[0])
    return isinstance(part, Section)  # neither a part that is not given, nor a list


def _shown(value: Any) -> str:
    if value is None or value == ():
        return "-"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def print_config(config: RunConfig, every_key: bool = False) -> None:
    """Keys in use with value, unit and meaning, then what follows from them; or every key there is, and what it takes."""
    keys = config_keys(RunConfig)
    if every_key:
        rows = []
        for key, field in keys.items():
            value = _shown(_value_of(config, key)) if _in_use(config, key) else "(not in use)"
            rows.append((key, value, allowed(field), field.description or ""))
        print_table("every key", rows, "key", "value", "takes", "meaning")
        return
    used = {key: field for key, field in keys.items() if _in_use(config, key)}
    rows = []
    for key, field in used.items():
        value = _shown(_value_of(config, key))
        rows.append((key, value, metadata(field, "unit"), field.description or allowed(field)))
    print_table("configuration", rows, "key", "value", "unit", "meaning")
    print_line(
        f"{len(keys) - len(used)} keys of laws and parts that are not in use are left out; --all"
        " shows them, and what every key takes"
    )
    d = derive(config)
    print_table(
        "what follows from it",
        [
            ("r", f"{d.r / R_MARS:.6g}", "R_M", "radius at which the ring is evaluated"),
            ("T_orb", f"{d.T_orb:.6g}", "s", "orbital period there"),
            ("e", f"{d.e:.6g}", "", "eccentricity used"),
            ("v_rel", f"{d.v_rel:.6g}", "m s-1", "relative speed of grains"),
            ("H", f"{d.H:.6g}", "m", "scale height"),
            (
                "s_blow(0)",
                f"{interpreted(blowout_size)(d.pressure, d.law.T0)[0]:.6g}",
                "m",
                "blow-out size at the start",
            ),
            (
                "t_blow",
                f"{1.0 / d.blowout_rate:.6g}" if d.blowout_rate else "-",
                "s",
                "blow-out time",
            ),
            ("s_lo", f"{d.s_lo:.6g}", "m", "where the size grid begins"),
            (
                "t_end",
                f"{d.t_end / YEAR:.6g}",
                "yr",
                f"end of the run, unless it stops before ({d.end_reason.label})",
            ),
            ("digest", config.digest(), "", "of this configuration and its tables"),
        ],
        "name",
        "value",
        "unit",
        "meaning",
    )


def print_profile(profile: StepProfile, steps: int) -> None:
    """Cumulative times with the cache on and off, their ratios, and what the cache did."""

    def ratio(off: float, on: float) -> str:
        if on > 0.0:
            return f"{off / on:.1f}"
        return "-" if off == 0.0 else "not called"

    rows = [
        (
            name,
            f"{1e3 * profile.cached[name]:.2f}",
            f"{1e3 * profile.uncached[name]:.2f}",
            ratio(profile.uncached[name], profile.cached[name]),
        )
        for name in FUNCTIONS
    ]
    print_table(
        f"{steps} classic steps under cProfile",
        rows,
        "function",
        "cache on [ms]",
        "cache off [ms]",
        "off/on",
    )
    on = profile.step_cached
    off = profile.step_uncached
    terminal().print(
        f"a step without the profiler: {1e6 * on:.1f} us with the cache, {1e6 * off:.1f} us"
        f" without, {off / on:.1f} times",
        highlight=False,
    )
    terminal().print(f"cache: {profile.cache.line()}", highlight=False, markup=False)


def profile_record(profile: StepProfile) -> dict[str, Any]:
    """The profile for programs: cumulative seconds by function, seconds of a step, and the counters of each slot."""
    stats = profile.cache
    counts = {
        name: getattr(stats, name).tolist()
        for name in ("hits", "misses", "rebuilds", "refused", "bytes", "build_time")
    }
    slots = {
        str(kind): {name: values[i] for name, values in counts.items()}
        for i, kind in enumerate(CacheKind)
    }
    steps = {"cached": profile.step_cached, "uncached": profile.step_uncached}
    return {"cached": profile.cached, "uncached": profile.uncached, "step": steps, "cache": slots}


def print_line(text: str) -> None:
    """A line as it is, however wide the terminal is."""
    terminal().print(text, highlight=False, markup=False, soft_wrap=True)


def print_result(result: RunResult) -> None:
    """Totals with units, why the run ended, and how exact it was."""
    rows = []
    for field in dataclasses.fields(result):
        value = getattr(result, field.name)
        if isinstance(value, float):
            rows.append(
                (
                    field.name,
                    f"{value:.6g}",
                    str(field.metadata.get("units", "")),
                    str(field.metadata.get("long_name", "")),
                )
            )
        elif isinstance(value, int) and field.name not in {"stop_reason", "notes"}:
            rows.append((field.name, str(value), "", ""))
    print_table(
        f"ended after {result.t_end / YEAR:.4g} yr: {result.stop_reason.advice}",
        rows,
        "name",
        "value",
        "unit",
        "meaning",
    )
    for sentence in result.notes.sentences:
        print_line(f"note: {sentence}")


def write_result(result: RunResult, out: str | Path | OutFile) -> None:
    """Write everything as ``.npz``, or the series with units in their names as ``.csv``.

    Parameters
    ----------
    result : RunResult
        Of one run.
    out : str or Path or OutFile
        Where to; a file at a path is written over.

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
    names = SERIES if result.config.dynamics.damping is None else (*SERIES, "e", "v_rel")
    units = {field.name: field.metadata.get("units", "1") for field in dataclasses.fields(result)}
    columns = [getattr(result, name).tolist() for name in names]
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow([f"{name} [{units[name]}]" for name in names])
    writer.writerows(zip(*columns, strict=True))
    return table.getvalue()


def _arrays(result: RunResult) -> dict[str, Any]:
    others = {"config", "cache", "stop_reason", "notes"}
    names = [field.name for field in dataclasses.fields(result) if field.name not in others]
    return {
        "config": result.config.model_dump_json(),
        "stop_reason": result.stop_reason.label,
        "notes": int(result.notes),
        **{name: getattr(result, name) for name in names},
    }
