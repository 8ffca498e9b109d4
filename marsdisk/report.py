"""Tables of a configuration, a profile or a result on the terminal and in files."""

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


def print_table(title: str, rows: Sequence[tuple[str, ...]], *columns: str) -> None:
    """Print a table with a title above it."""
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


def _is_in_use(config: RunConfig, key: str) -> bool:
    """Return whether a key belongs to the laws and parts of a configuration."""
    section, *parts = key.split(".")
    if section == "temperature":
        return parts[-1] in type(config.temperature).model_fields
    if section == "initial" and parts[0] in START_KEYS:
        return config.initial.s0_mode == START_KEYS[parts[0]]
    if len(parts) < 2:
        return True
    # The parent is None where the part is not given, and a tuple where it is a list of sections.
    parent = _value_of(config, key.rpartition(".")[0])
    return isinstance(parent, Section)


def _value_text(value: Any) -> str:
    if value is None or value == ():
        return "-"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def print_config(config: RunConfig, *, every_key: bool = False) -> None:
    """Print the keys in use and the quantities derived from them, or every key.

    Parameters
    ----------
    config : RunConfig
        The configuration.
    every_key : bool
        Whether to print all keys, also of laws that are not in use, with the values they take.
    """
    if every_key:
        _print_all_keys(config)
    else:
        _print_keys_in_use(config)
        _print_derived(config)


def _print_all_keys(config: RunConfig) -> None:
    rows = []
    for key, field in config_keys(RunConfig).items():
        value = "(not in use)"
        if _is_in_use(config, key):
            value = _value_text(_value_of(config, key))
        rows.append((key, value, allowed(field), field.description or ""))
    print_table("every key", rows, "key", "value", "takes", "meaning")


def _print_keys_in_use(config: RunConfig) -> None:
    keys = config_keys(RunConfig)
    rows = []
    for key, field in keys.items():
        if _is_in_use(config, key):
            value = _value_text(_value_of(config, key))
            rows.append((key, value, metadata(field, "unit"), field.description or allowed(field)))
    print_table("configuration", rows, "key", "value", "unit", "meaning")
    print_line(
        f"{len(keys) - len(rows)} keys of laws and parts that are not in use are left out; --all"
        " shows them, and what every key takes"
    )


def _print_derived(config: RunConfig) -> None:
    d = derive(config)
    s_blow = interpreted(blowout_size)(d.pressure, d.law.T0)[0]
    t_blow = f"{1.0 / d.blowout_rate:.6g}" if d.blowout_rate else "-"
    end = f"end of the run, unless it stops before ({d.end_reason.label})"
    print_table(
        "derived quantities",
        [
            ("r", f"{d.r / R_MARS:.6g}", "R_M", "radius at which the ring is evaluated"),
            ("T_orb", f"{d.T_orb:.6g}", "s", "orbital period there"),
            ("e", f"{d.e:.6g}", "", "eccentricity used"),
            ("v_rel", f"{d.v_rel:.6g}", "m s-1", "relative speed of grains"),
            ("H", f"{d.H:.6g}", "m", "scale height"),
            ("s_blow(0)", f"{s_blow:.6g}", "m", "blow-out size at the start"),
            ("t_blow", t_blow, "s", "blow-out time"),
            ("s_lo", f"{d.s_lo:.6g}", "m", "where the size grid begins"),
            ("t_end", f"{d.t_end / YEAR:.6g}", "yr", end),
            ("digest", config.digest(), "", "of this configuration and its tables"),
        ],
        "name",
        "value",
        "unit",
        "meaning",
    )


def print_profile(profile: StepProfile, steps: int) -> None:
    """Print times with the cache on and off, their ratios, and the counters of the cache."""
    rows = []
    for name in FUNCTIONS:
        on = profile.cached[name]
        off = profile.uncached[name]
        if on > 0.0:
            ratio = f"{off / on:.1f}"
        elif off > 0.0:
            ratio = "not called"
        else:
            ratio = "-"
        rows.append((name, f"{1e3 * on:.2f}", f"{1e3 * off:.2f}", ratio))
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
    """Return a profile for JSON: seconds by function and of a step, and counters by slot."""
    slots = {}
    for i, kind in enumerate(CacheKind):
        counters = {}
        for name in ("hits", "misses", "rebuilds", "refused", "bytes", "build_time"):
            counters[name] = getattr(profile.cache, name)[i].item()
        slots[str(kind)] = counters
    steps = {"cached": profile.step_cached, "uncached": profile.step_uncached}
    return {"cached": profile.cached, "uncached": profile.uncached, "step": steps, "cache": slots}


def print_line(text: str) -> None:
    """Print a line without breaking it, however narrow the terminal is."""
    terminal().print(text, highlight=False, markup=False, soft_wrap=True)


def print_result(result: RunResult) -> None:
    """Print totals with units, why the run ended, and the caveats of the result."""
    rows = []
    for field in dataclasses.fields(result):
        value = getattr(result, field.name)
        if isinstance(value, float):
            unit = str(field.metadata.get("units", ""))
            meaning = str(field.metadata.get("long_name", ""))
            rows.append((field.name, f"{value:.6g}", unit, meaning))
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
