"""The estimated errors of a run for people and programs, and what to do about them."""

import math
from collections.abc import Mapping
from typing import Any

from ..accuracy.convergence import (
    COMPARED,
    Convergence,
    bins_for,
    refinement_for,
    relative_difference,
    tolerance_for,
)
from ..accuracy.extrapolation import LEAST_ORDER, MOST_ORDER, ROUND_OFF, GridError
from ..config import RunConfig
from ..config.keys import bound
from ..config.sections import Numerics
from ..physics.constants import YEAR
from ..result import RunResult, StopReason
from .terminal import print_line, print_table


def _step_control(result: RunResult) -> str:
    numerics = result.config.numerics
    if numerics.scheme == "rosenbrock":
        return f"rtol = {numerics.rtol:g}, atol = {numerics.atol:g}"
    return f"dt = {numerics.dt:g} s"


def _time_text(seconds: float) -> str:
    if seconds > 0.01 * YEAR:
        return f"{seconds / YEAR:.6g} yr"
    return f"{seconds:.6g} s"


def _remarks(convergence: Convergence) -> list[str]:
    """Return what readers of the errors need to know about the runs."""
    run = convergence.run
    tighter = convergence.tighter
    finer = convergence.finer
    coarser = convergence.coarser
    bins = [str(result.s.size) for result in (coarser, run, finer) if result is not None]
    grids = f"{', '.join(bins[:-1])} and {bins[-1]} bins"
    sizes = f"{finer.s_edges[0]:.3g} to {finer.s_edges[-1]:.3g} m"
    change = 100.0 * relative_difference(run.Sigma_0, finer.Sigma_0)
    lines = [
        (
            "Error from time steps (err_time): that of the integration, by the same run with"
            f" {_step_control(tighter)}, which took {tighter.steps} steps instead of {run.steps}."
        ),
        (
            "Error from bins (err_bins): that of the size grid, extrapolated from the same run on"
            f" {grids} between the same sizes, {sizes}, with the order that they show. They start"
            f" from different disks: for the same optical depth Sigma_0 differs by {change:.2g} %"
            f" between {bins[-2]} and {bins[-1]} bins."
        ),
    ]
    if "none" in map(order_in_words, convergence.grid_errors.values()):
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
    compared = {"with tighter steps": tighter, "with twice the bins": finer}
    if coarser is not None:
        compared["with half the bins"] = coarser
    reasons = {result.stop_reason for result in (run, *compared.values())}
    if len(reasons) > 1 or run.stop_reason is StopReason.OPTICAL_DEPTH:
        ends = [f"{difference} {_end_of(result)}" for difference, result in compared.items()]
        all_ends = f"{_end_of(run)}, {', '.join(ends)}"
        lines.append(f"Note: the run ended {all_ends}; each is compared at its own end.")
    if not any(result.M_loss for result in (run, *compared.values())):
        lines.append(
            "Note: nothing was lost in any of them, so M_loss and t99 agree at 0, which says"
            " nothing about their error."
        )
    return lines


def _end_of(result: RunResult) -> str:
    return f"at {_time_text(result.t_end)} ({result.stop_reason.label})"


def order_in_words(grid_error: GridError) -> str:
    """Return an order of convergence as tables show it."""
    order = grid_error.order
    if math.isnan(order):
        return "none" if grid_error.error > ROUND_OFF else "-"
    if order <= LEAST_ORDER:
        return f"<= {LEAST_ORDER:g}"
    if order >= MOST_ORDER:
        return f">= {MOST_ORDER:g}"
    return f"{order:.2g}"


def percent(error: float) -> str:
    """Return a relative error in percent, rounded up to two digits."""
    if error <= ROUND_OFF:
        return "round-off"
    return f"{100.0 * rounded_up(error):g} %"


def rounded_up(error: float) -> float:
    """Return a number rounded up to two digits."""
    if error == 0.0 or math.isinf(error):
        return error
    digit = 10.0 ** (math.floor(math.log10(error)) - 1)
    return float(f"{math.ceil(error / digit - 1e-9) * digit:.2g}")


def bins_advice(bins: int | None, quantity: str, accepted: str) -> str:
    """Return what to do about an error from bins.

    Parameters
    ----------
    bins : int or None
        About enough bins; None where a run may not have that many.
    quantity : str
        The quantity that needs the most bins.
    accepted : str
        An option or key that accepts the error; empty where it is infinite.
    """
    advice = "no sizes.n_bins that is allowed would be enough"
    if bins:
        advice = f"raise sizes.n_bins to about {bins} and check again"
    return f"for err_bins: {advice} ({quantity} needs most){_or_accept(accepted)}"


def time_advice(config: RunConfig, error: float, limit: float, accepted: str) -> str:
    """Return what to do about an error from time steps.

    Parameters
    ----------
    config : RunConfig
        The run.
    error : float
        Its largest relative error from time steps.
    limit : float
        Largest relative error that passes.
    accepted : str
        An option or key that accepts the error; empty where it is infinite.
    """
    numerics = config.numerics
    if numerics.scheme == "imex_bdf1":
        advice = "lower numerics.dt"
    elif math.isfinite(error):
        fields = Numerics.model_fields
        rtol = max(tolerance_for(numerics.rtol, error, limit), bound(fields["rtol"], "ge"))
        atol = max(tolerance_for(numerics.atol, error, limit), bound(fields["atol"], "ge"))
        advice = f"lower numerics.rtol and atol to about {rtol:g} and {atol:g} and check again"
    else:
        advice = "lower numerics.rtol and atol"
    return f"for err_time: {advice}{_or_accept(accepted)}"


def _or_accept(accepted: str) -> str:
    return f", or accept the error: {accepted}" if accepted else ""


def print_convergence(convergence: Convergence) -> None:
    """Print the quantities of a run with their errors, what was compared, and what to do."""
    run = convergence.run
    grid_errors = convergence.grid_errors
    limits = f"{convergence.time_limit:g}, {convergence.bins_limit:g}"
    rows = []
    for name, quantity in COMPARED.items():
        err_time = f"{convergence.err_time[name]:.2g}"
        err_bins = f"{grid_errors[name].error:.2g}"
        order = order_in_words(grid_errors[name])
        verdict = "pass" if _is_within_limits(convergence, name) else "FAIL"
        value = f"{quantity.value(run):.7g}"
        rows.append((name, quantity.units, value, err_time, err_bins, order, limits, verdict))
    print_table(
        f"{run.s.size} bins, {_step_control(run)}: {_time_text(run.t_end)} in {run.steps} steps",
        rows,
        "quantity",
        "unit",
        "value",
        "error from time steps",
        "error from bins",
        "order",
        "limits",
        "verdict",
    )
    for line in _remarks(convergence):
        print_line(line)
    if convergence.passed:
        print_line(
            f"passed: every err_time is within {convergence.time_limit:g} and every err_bins within"
            f" {convergence.bins_limit:g}"
        )
        return
    print_line("failed: " + "; ".join(convergence.failures))
    accurate = _accurate_quantities(convergence)
    if accurate:
        print_line(f"  within both limits: {', '.join(accurate)}")
    for line in _advice(convergence):
        print_line(f"  {line}")


def _is_within_limits(convergence: Convergence, name: str) -> bool:
    return (
        convergence.err_time[name] <= convergence.time_limit
        and convergence.err_bins[name] <= convergence.bins_limit
    )


def _accurate_quantities(convergence: Convergence) -> list[str]:
    """Return the quantities within both limits, with the larger of their errors."""
    quantities = []
    for name in COMPARED:
        if _is_within_limits(convergence, name):
            error = max(convergence.err_time[name], convergence.err_bins[name])
            quantities.append(f"{name} to {percent(error)}")
    return quantities


def _advice(convergence: Convergence) -> list[str]:
    """Return what to do about the errors beyond their limits."""
    lines = []
    largest = max(convergence.err_time.values())
    limit = convergence.time_limit
    if not largest <= limit:
        accepted = f"--time-limit {rounded_up(largest):g}" if largest < 1.0 else ""
        lines.append(time_advice(convergence.run.config, largest, limit, accepted))
    limit = convergence.bins_limit
    beyond = {}
    for name, grid_error in convergence.grid_errors.items():
        if not grid_error.error <= limit:
            beyond[name] = grid_error
    if beyond:
        neediest = max(beyond, key=lambda name: refinement_for(*beyond[name], limit))
        largest = max(grid_error.error for grid_error in beyond.values())
        accepted = f"--bins-limit {rounded_up(largest):g}" if largest < 1.0 else ""
        bins = bins_for(convergence.run.s.size, *beyond[neediest], limit)
        lines.append(bins_advice(bins, neediest, accepted))
    return lines


def convergence_record(convergence: Convergence) -> dict[str, Any]:
    """Return the errors and values for JSON, with null for infinite errors and missing orders."""
    return {
        "passed": convergence.passed,
        "failures": list(convergence.failures),
        "time_limit": convergence.time_limit,
        "bins_limit": convergence.bins_limit,
        "err_time": _finite(convergence.err_time),
        "err_bins": _finite(convergence.err_bins),
        "order_bins": _finite(convergence.order_bins),
        "run": _compared_values(convergence.run),
        "tighter_steps": _compared_values(convergence.tighter),
        "twice_the_bins": _compared_values(convergence.finer),
        "half_the_bins": _compared_values(convergence.coarser),
    }


def _finite(numbers: Mapping[str, float]) -> dict[str, float | None]:
    """Return numbers with None in place of those that JSON cannot hold."""
    return {name: number if math.isfinite(number) else None for name, number in numbers.items()}


def _compared_values(result: RunResult | None) -> dict[str, Any] | None:
    if result is None:
        return None
    return {
        **{name: quantity.value(result) for name, quantity in COMPARED.items()},
        "Sigma_0": result.Sigma_0,
        "steps": result.steps,
        "bins": result.s.size,
        "stop_reason": result.stop_reason.label,
    }
