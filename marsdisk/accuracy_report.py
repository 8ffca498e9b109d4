"""The estimated errors of a run for people and programs, and what to do about them."""

import math
from collections.abc import Mapping
from typing import Any

from .config import RunConfig
from .config_errors import bound
from .config_sections import Numerics
from .convergence import (
    COMPARED,
    Convergence,
    bins_for,
    refinement_for,
    relative_difference,
    tolerance_for,
)
from .extrapolation import LEAST_ORDER, MOST_ORDER, ROUND_OFF, GridError
from .physics.constants import YEAR
from .report import print_line, print_table
from .result import RunResult, StopReason


def _steps_of(result: RunResult) -> str:
    numerics = result.config.numerics
    return (
        f"rtol = {numerics.rtol:g}, atol = {numerics.atol:g}"
        if numerics.scheme == "rosenbrock"
        else f"dt = {numerics.dt:g} s"
    )


def _time(seconds: float) -> str:
    return f"{seconds / YEAR:.6g} yr" if seconds > 0.01 * YEAR else f"{seconds:.6g} s"


def _remarks(found: Convergence) -> list[str]:
    """What a reader of the errors should know about these runs."""
    run = found.run
    tighter = found.tighter
    finer = found.finer
    coarser = found.coarser
    bins = [str(result.s.size) for result in (coarser, run, finer) if result is not None]
    grids = f"{', '.join(bins[:-1])} and {bins[-1]} bins"
    sizes = f"{finer.s_edges[0]:.3g} to {finer.s_edges[-1]:.3g} m"
    change = 100.0 * relative_difference(run.Sigma_0, finer.Sigma_0)
    lines = [
        (
            "Error from time steps (err_time): that of the integration, by the same run with "
            f"{_steps_of(tighter)}, which took {tighter.steps} steps instead of {run.steps}."
        ),
        (
            "Error from bins (err_bins): that of the size grid, extrapolated from the same run on"
            f" {grids} between the same sizes, {sizes}, with the order that they show. They start"
            f" from different disks: for the same optical depth Sigma_0 differs by {change:.2g} %"
            f" between {bins[-2]} and {bins[-1]} bins."
        ),
    ]
    if "none" in map(order_in_words, found.grid_errors.values()):
        lines.append(
            "Where the order is none, the three values show none, as they go up and down from grid"
            " to grid, agree too well, or are too few; the error is then taken from the steps"
            " between them (docs/model.md says how)."
        )
    if run.steps == tighter.steps:
        lines.append(
            "Note: the tighter run took as many steps, so it was not the tolerances that set them;"
            " err_time says little."
        )
    others = {
        "with tighter steps": tighter,
        "with twice the bins": finer,
        "with half the bins": coarser,
    }
    compared = {words: result for words, result in others.items() if result is not None}
    reasons = {result.stop_reason for result in (run, *compared.values())}
    if len(reasons) > 1 or run.stop_reason is StopReason.OPTICAL_DEPTH:
        ends = [f"{words} {_end_of(result)}" for words, result in compared.items()]
        where = f"{_end_of(run)}, {', '.join(ends)}"
        lines.append(f"Note: the run ended {where}; each is compared at its own end.")
    if not any(result.M_loss for result in (run, *compared.values())):
        lines.append(
            "Note: nothing was lost in any of them, so M_loss and t99 agree at 0, which says"
            " nothing about their error."
        )
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
    advice = "no sizes.n_bins that is allowed would be enough"
    if bins:
        advice = f"raise sizes.n_bins to about {bins} and check again"
    return f"for err_bins: {advice} ({quantity} needs most){_or_accept(accepted)}"


def time_advice(config: RunConfig, error: float, limit: float, accepted: str) -> str:
    """What to do about an error from time steps; ``accepted`` as for :func:`bins_advice`."""
    numerics = config.numerics
    if numerics.scheme == "imex_bdf1":
        advice = "lower numerics.dt"
    elif math.isfinite(error):
        wanted = {
            key: tolerance_for(getattr(numerics, key), error, limit) for key in ("rtol", "atol")
        }
        rtol, atol = (
            max(value, bound(Numerics.model_fields[key], "ge")) for key, value in wanted.items()
        )
        advice = f"lower numerics.rtol and atol to about {rtol:g} and {atol:g} and check again"
    else:
        advice = "lower numerics.rtol and atol"
    return f"for err_time: {advice}{_or_accept(accepted)}"


def _or_accept(accepted: str) -> str:
    return f", or accept the error: {accepted}" if accepted else ""


def print_convergence(found: Convergence) -> None:
    """The quantities of the run with their errors, what was compared, and what to do."""
    run = found.run
    grids = found.grid_errors
    rows = []
    for name, quantity in COMPARED.items():
        err_time = found.err_time[name]
        err_bins = grids[name].error
        within = err_time <= found.time_limit and err_bins <= found.bins_limit
        errors = (f"{err_time:.2g}", f"{err_bins:.2g}", order_in_words(grids[name]))
        limits = f"{found.time_limit:g}, {found.bins_limit:g}"
        verdict = "pass" if within else "FAIL"
        value = f"{quantity.value(run):.7g}"
        rows.append((name, quantity.units, value, *errors, limits, verdict))
    errors_from = ("error from time steps", "error from bins", "order")
    columns = ("quantity", "unit", "value", *errors_from, "limits", "verdict")
    print_table(
        f"{run.s.size} bins, {_steps_of(run)}: {_time(run.t_end)} in {run.steps} steps",
        rows,
        *columns,
    )
    for line in _remarks(found):
        print_line(line)
    if found.passed:
        print_line(
            f"passed: every err_time is within {found.time_limit:g} and every err_bins within"
            f" {found.bins_limit:g}"
        )
        return
    print_line("failed: " + "; ".join(found.failures))
    good = _good(found)
    if good:
        print_line(f"  within both limits: {', '.join(good)}")
    for line in _advice(found):
        print_line(f"  {line}")


def _good(found: Convergence) -> list[str]:
    """The quantities within both limits, with the larger of their errors."""
    err_time = found.err_time
    err_bins = found.err_bins
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
    limit = found.bins_limit
    bins = found.run.s.size
    beyond = {name: grid for name, grid in found.grid_errors.items() if not grid.error <= limit}
    if beyond:
        most = max(beyond, key=lambda name: refinement_for(*beyond[name], limit))
        largest = max(grid.error for grid in beyond.values())
        accepted = f"--bins-limit {rounded_up(largest):g}" if largest < 1.0 else ""
        lines.append(bins_advice(bins_for(bins, *beyond[most], limit), most, accepted))
    return lines


def convergence_record(found: Convergence) -> dict[str, Any]:
    """The same for programs; an infinite error is null, and so is an order that is not shown."""
    runs = {
        "run": found.run,
        "tighter_steps": found.tighter,
        "twice_the_bins": found.finer,
        "half_the_bins": found.coarser,
    }
    return {
        "passed": found.passed,
        "failures": list(found.failures),
        "time_limit": found.time_limit,
        "bins_limit": found.bins_limit,
        "err_time": _finite(found.err_time),
        "err_bins": _finite(found.err_bins),
        "order_bins": _finite(found.order_bins),
        **{what: _compared_values(result) for what, result in runs.items()},
    }


def _finite(numbers: Mapping[str, float]) -> dict[str, float | None]:
    """As JSON can say them."""
    return {name: number if math.isfinite(number) else None for name, number in numbers.items()}


def _compared_values(result: RunResult | None) -> dict[str, Any] | None:
    if result is None:
        return None
    values = {name: quantity.value(result) for name, quantity in COMPARED.items()}
    others = {"Sigma_0": result.Sigma_0, "steps": result.steps, "bins": result.s.size}
    return {**values, **others, "stop_reason": result.stop_reason.label}
