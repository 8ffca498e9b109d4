"""A configuration or a result for people and files."""

import csv
import dataclasses
import io
import math
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
from .convergence import COMPARED, Convergence, bins_for, relative_difference, tolerance_for
from .derived import derive
from .extrapolation import LEAST_ORDER, MOST_ORDER, ROUND_OFF, GridError
from .outfile import OutFile
from .physics.constants import R_MARS, YEAR
from .physics.radiation import blowout_size
from .profiling import FUNCTIONS, StepProfile
from .result import RunResult, StopReason

RESULT_FORMATS = ("npz", "csv")
SERIES = (
    *("t", "Sigma", "tau_los", "Phi", "Sigma_tau1", "T_M", "s_blow", "M_out_dot", "M_sink_dot", "M_loss_cum"),
    *("M_loss_blowout_cum", "M_loss_sublimation_cum", "M_loss_other_cum", "M_supplied_cum"),
    *("T_grain", "kappa", "supply_nominal", "supply_applied", "supply_feedback", "ds_dt"),
    *("t_blow", "t_coll_smallest", "t_coll_largest", "phase", "gates"),
)


def _table(title: str, rows: Sequence[tuple[str, ...]], *columns: str) -> None:
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
    section, name = key.split(".")[0], key.split(".")[-1]
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
        _table("every key", rows, "key", "value", "takes", "meaning")
        return
    used = {key: field for key, field in keys.items() if _in_use(config, key)}
    rows = []
    for key, field in used.items():
        value = _shown(_value_of(config, key))
        rows.append((key, value, metadata(field, "unit"), field.description or allowed(field)))
    _table("configuration", rows, "key", "value", "unit", "meaning")
    _say(f"{len(keys) - len(used)} keys of laws and parts that are not in use are left out; --all shows them, and what every key takes")
    d = derive(config)
    _table(
        "what follows from it",
        [
            ("r", f"{d.r / R_MARS:.6g}", "R_M", "radius at which the ring is evaluated"),
            ("T_orb", f"{d.T_orb:.6g}", "s", "orbital period there"),
            ("e", f"{d.e:.6g}", "", "eccentricity used"),
            ("v_rel", f"{d.v_rel:.6g}", "m s-1", "relative speed of grains"),
            ("H", f"{d.H:.6g}", "m", "scale height"),
            ("s_blow(0)", f"{interpreted(blowout_size)(d.pressure, d.law.T0)[0]:.6g}", "m", "blow-out size at the start"),
            ("t_blow", f"{1.0 / d.blowout_rate:.6g}" if d.blowout_rate else "-", "s", "blow-out time"),
            ("s_lo", f"{d.s_lo:.6g}", "m", "where the size grid begins"),
            ("t_end", f"{d.t_end / YEAR:.6g}", "yr", f"end of the run, unless it stops before ({d.end_reason.label})"),
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
        (name, f"{1e3 * profile.cached[name]:.2f}", f"{1e3 * profile.uncached[name]:.2f}", ratio(profile.uncached[name], profile.cached[name]))
        for name in FUNCTIONS
    ]
    _table(f"{steps} classic steps under cProfile", rows, "function", "cache on [ms]", "cache off [ms]", "off/on")
    on, off = profile.step_cached, profile.step_uncached
    terminal().print(
        f"a step without the profiler: {1e6 * on:.1f} us with the cache, {1e6 * off:.1f} us without, {off / on:.1f} times", highlight=False
    )
    terminal().print(f"cache: {profile.cache.line()}", highlight=False, markup=False)


def profile_record(profile: StepProfile) -> dict[str, Any]:
    """The profile for programs: cumulative seconds by function, seconds of a step, and the counters of each slot."""
    stats = profile.cache
    counts = {name: getattr(stats, name).tolist() for name in ("hits", "misses", "rebuilds", "refused", "bytes", "build_time")}
    slots = {str(kind): {name: values[i] for name, values in counts.items()} for i, kind in enumerate(CacheKind)}
    steps = {"cached": profile.step_cached, "uncached": profile.step_uncached}
    return {"cached": profile.cached, "uncached": profile.uncached, "step": steps, "cache": slots}


def _say(text: str) -> None:
    terminal().print(text, highlight=False, markup=False, soft_wrap=True)


def _steps_of(result: RunResult) -> str:
    numerics = result.config.numerics
    return f"rtol = {numerics.rtol:g}, atol = {numerics.atol:g}" if numerics.scheme == "rosenbrock" else f"dt = {numerics.dt:g} s"


def _time(seconds: float) -> str:
    return f"{seconds / YEAR:.6g} yr" if seconds > 0.01 * YEAR else f"{seconds:.6g} s"


def _remarks(found: Convergence) -> list[str]:
    """What a reader of the errors should know about these runs."""
    run, tighter, finer, coarser = found.run, found.tighter, found.finer, found.coarser
    bins = [str(result.s.size) for result in (coarser, run, finer) if result is not None]
    lines = [
        f"Error from time steps (err_time): that of the integration, by the same run with {_steps_of(tighter)}, which took {tighter.steps} steps "
        f"instead of {run.steps}.",
        f"Error from bins (err_bins): that of the size grid, extrapolated from the same run on {', '.join(bins[:-1])} and {bins[-1]} bins between the "
        f"same sizes, {finer.s_edges[0]:.3g} to {finer.s_edges[-1]:.3g} m, with the order that they show. They start from different disks: for "
        f"the same optical depth Sigma_0 differs by {100.0 * relative_difference(run.Sigma_0, finer.Sigma_0):.2g} % between "
        f"{run.s.size} and {finer.s.size} bins.",
    ]
    if "none" in map(order_in_words, found.grid_errors.values()):
        lines.append(
            "Where the order is none, values go up and down from grid to grid or agree too well to show one; the error is then the larger "
            "step between them."
        )
    if run.steps == tighter.steps:
        lines.append("Note: the tighter run took as many steps, so it was not the tolerances that set them; err_time says little.")
    others = {"with tighter steps": tighter, "with twice the bins": finer, "with half the bins": coarser}
    compared = {words: result for words, result in others.items() if result is not None}
    reasons = {result.stop_reason for result in (run, *compared.values())}
    if len(reasons) > 1 or run.stop_reason is StopReason.OPTICAL_DEPTH:
        ends = [f"{words} {_end_of(result)}" for words, result in compared.items()]
        lines.append(f"Note: the run ended {_end_of(run)}, {', '.join(ends)}; each is compared at its own end.")
    if not any(result.M_loss for result in (run, *compared.values())):
        lines.append("Note: nothing was lost in any of them, so M_loss and t99 agree at 0, which says nothing about their error.")
    return lines


def _end_of(result: RunResult) -> str:
    return f"at {_time(result.t_end)} ({result.stop_reason.label})"


def order_in_words(found: GridError) -> str:
    """An order of convergence for a table."""
    if math.isnan(found.order):
        return "none" if found.error > ROUND_OFF else "-"
    if found.order <= LEAST_ORDER:
        return f"<= {LEAST_ORDER:g}"
    return f"{found.order:.2g}" if found.order < MOST_ORDER else f">= {MOST_ORDER:g}"


def percent(error: float) -> str:
    """A relative error, rounded up to two digits."""
    if error <= ROUND_OFF:
        return "round-off"
    return f"{100.0 * rounded_up(error):g} %"


def rounded_up(error: float) -> float:
    """The next number of two digits that is not smaller."""
    if error == 0.0 or math.isinf(error):
        return error
    digit = 10.0 ** (math.floor(math.log10(error)) - 1)
    return float(f"{math.ceil(error / digit - 1e-9) * digit:.2g}")


def bins_advice(bins: int | None, quantity: str, accepted: str) -> str:
    """What to do about an error from bins.

    Parameters
    ----------
    bins : int or None
        That are about enough; None where a run may not have as many.
    quantity : str
        That needs them.
    accepted : str
        How to write that the error is accepted; empty where it is infinite.
    """
    enough = f"raise sizes.n_bins to about {bins}" if bins else "no sizes.n_bins that is allowed would be enough"
    return f"for err_bins: {enough} ({quantity} needs most)" + (f", or accept the error: {accepted}" if accepted else "")


def time_advice(config: RunConfig, error: float, limit: float, accepted: str) -> str:
    """What to do about an error from time steps; ``accepted`` as for :func:`bins_advice`."""
    numerics = config.numerics
    if numerics.scheme == "imex_bdf1":
        advice = "lower numerics.dt"
    elif math.isfinite(error):
        rtol, atol = (tolerance_for(tolerance, error, limit) for tolerance in (numerics.rtol, numerics.atol))
        advice = f"lower numerics.rtol and atol, to about {rtol:g} and {atol:g}"
    else:
        advice = "lower numerics.rtol and atol"
    return f"for err_time: {advice}" + (f", or accept the error: {accepted}" if accepted else "")


def print_convergence(found: Convergence) -> None:
    """The quantities of the run with their errors, what was compared, and what to do about limits that are exceeded."""
    run, grids = found.run, found.grid_errors
    rows = []
    for name, quantity in COMPARED.items():
        err_time, err_bins = found.err_time[name], grids[name].error
        within = err_time <= found.time_limit and err_bins <= found.bins_limit
        errors = (f"{err_time:.2g}", f"{err_bins:.2g}", order_in_words(grids[name]))
        limits = f"{found.time_limit:g}, {found.bins_limit:g}"
        rows.append((name, quantity.units, f"{quantity.value(run):.7g}", *errors, limits, "pass" if within else "FAIL"))
    columns = ("quantity", "unit", "value", "error from time steps", "error from bins", "order", "limits", "verdict")
    _table(f"{run.s.size} bins, {_steps_of(run)}: {_time(run.t_end)} in {run.steps} steps", rows, *columns)
    for line in _remarks(found):
        _say(line)
    if found.passed:
        _say(f"passed: every err_time is within {found.time_limit:g} and every err_bins within {found.bins_limit:g}")
        return
    _say("failed: " + "; ".join(found.failures))
    good = _good(found)
    if good:
        _say(f"  within both limits: {', '.join(good)}")
    for line in _advice(found):
        _say(f"  {line}")


def _good(found: Convergence) -> list[str]:
    """The quantities within both limits, with the larger of their errors."""
    err_time, err_bins = found.err_time, found.err_bins
    return [
        f"{name} to {percent(max(err_time[name], err_bins[name]))}"
        for name in COMPARED
        if err_time[name] <= found.time_limit and err_bins[name] <= found.bins_limit
    ]


def _advice(found: Convergence) -> list[str]:
    """What to do about the errors beyond their limits."""
    lines = []
    largest = max(found.err_time.values())
    if not largest <= found.time_limit:
        accepted = f"--time-limit {rounded_up(largest):g}" if largest < 1.0 else ""
        lines.append(time_advice(found.run.config, largest, found.time_limit, accepted))
    beyond = {name: grid for name, grid in found.grid_errors.items() if not grid.error <= found.bins_limit}
    if beyond:
        needed = {name: bins_for(found.run.s.size, *grid, found.bins_limit) for name, grid in beyond.items()}
        most = max(needed, key=lambda name: needed[name] or math.inf)
        largest = max(grid.error for grid in beyond.values())
        accepted = f"--bins-limit {rounded_up(largest):g}" if largest < 1.0 else ""
        lines.append(bins_advice(needed[most], most, accepted))
    return lines


def convergence_record(found: Convergence) -> dict[str, Any]:
    """The same for programs; an infinite error is null, and so is an order that is not shown."""
    runs = {"run": found.run, "tighter_steps": found.tighter, "twice_the_bins": found.finer, "half_the_bins": found.coarser}
    errors = {"err_time": found.err_time, "err_bins": found.err_bins, "order_bins": found.order_bins}
    return {
        "passed": found.passed,
        "failures": list(found.failures),
        "time_limit": found.time_limit,
        "bins_limit": found.bins_limit,
        **{kind: {name: number if math.isfinite(number) else None for name, number in by_name.items()} for kind, by_name in errors.items()},
        **{what: None if result is None else _compared_values(result) for what, result in runs.items()},
    }


def _compared_values(result: RunResult) -> dict[str, Any]:
    values = {name: quantity.value(result) for name, quantity in COMPARED.items()}
    others = {"Sigma_0": result.Sigma_0, "steps": result.steps, "bins": result.s.size}
    return {**values, **others, "stop_reason": result.stop_reason.label}


def print_result(result: RunResult) -> None:
    """Totals with units, why the run ended, and how exact it was."""
    rows = []
    for field in dataclasses.fields(result):
        value = getattr(result, field.name)
        if isinstance(value, float):
            rows.append((field.name, f"{value:.6g}", str(field.metadata.get("units", "")), str(field.metadata.get("long_name", ""))))
        elif isinstance(value, int) and field.name not in {"stop_reason", "notes"}:
            rows.append((field.name, str(value), "", ""))
    _table(f"ended after {result.t_end / YEAR:.4g} yr: {result.stop_reason.advice}", rows, "name", "value", "unit", "meaning")
    for sentence in result.notes.sentences:
        _say(f"note: {sentence}")


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
