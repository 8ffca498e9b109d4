"""The accuracy of a run, estimated from runs with tighter steps and with other bins."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..cache import RunCache
from ..common.errors import ConfigError, SolverError
from ..config import RunConfig, build_config, merge
from ..config.keys import bound, config_keys
from ..result import RunResult
from .extrapolation import GridError, extrapolated_error

#: Largest relative errors that pass.
TIME_LIMIT = 1e-3
BINS_LIMIT = 1e-2
#: Factor by which the run with tighter steps divides the tolerances.
TOLERANCE_DIVISOR = 100.0
#: Factor on numerics.max_steps of the runs compared with, for which that limit is not meant.
MORE_STEPS = 10
#: A grid has at least two bins, so a grid with fewer than four cannot be halved.
FEWEST_BINS_TO_HALVE = 4
#: Order of convergence with the bins assumed for advice where the grids show none.
ORDER_IF_NONE_SHOWN = 1.0
#: Factor on an advised tolerance, as the error follows the tolerance only roughly.
TOLERANCE_SAFETY = 0.2


@dataclass(frozen=True)
class Quantity:
    """A number of a result whose error is estimated."""

    units: str
    long_name: str
    value: Callable[[RunResult], float]


def _field_of_result(name: str) -> Quantity:
    fields = {field.name: field for field in dataclasses.fields(RunResult)}

    def value(result: RunResult) -> float:
        return float(getattr(result, name))

    metadata = fields[name].metadata
    return Quantity(metadata["units"], metadata["long_name"], value)


COMPARED: Mapping[str, Quantity] = {
    "M_loss": _field_of_result("M_loss"),
    "t99": _field_of_result("t99"),
    "Sigma_final": _field_of_result("Sigma_final"),
    "t_end": _field_of_result("t_end"),
    "tau_max": _field_of_result("tau_max"),
    "tau_final": Quantity(
        "1",
        "line-of-sight optical depth at the end",
        lambda result: float(result.tau_los[-1]),
    ),
    "M_out_dot_max": Quantity(
        "M_Mars s-1",
        "largest mass blown out per time at any sample after the start",
        # At the start, it is that of the smallest grains of a size distribution that collisions
        # have not shaped yet: the width of a bin decides, and a blow-out time later it is over.
        lambda result: float(np.max(result.M_out_dot[1:])),
    ),
}
QUANTITIES = tuple(COMPARED)


def relative_difference(value: float, reference: float) -> float:
    """Return |value - reference| / |reference|.

    It is 0 where both are 0, and infinite where only the reference is 0 or one is not finite.
    """
    if not (math.isfinite(value) and math.isfinite(reference)):
        return math.inf
    if value == reference:
        return 0.0
    if reference == 0.0:
        return math.inf
    return abs(value - reference) / abs(reference)


@dataclass(frozen=True, eq=False, kw_only=True)
class Convergence:
    """A run, and the same run with tighter steps, with twice the bins, and with half of them."""

    run: RunResult
    tighter: RunResult  #: with tighter steps
    finer: RunResult  #: with twice the bins
    coarser: RunResult | None  #: with half the bins; None where the run has fewer than four
    time_limit: float  #: largest err_time that passes
    bins_limit: float  #: largest err_bins that passes

    @property
    def err_time(self) -> dict[str, float]:
        """Relative error from time steps of each of :data:`QUANTITIES`.

        It is the difference from the run with tighter steps. The classic scheme halves its error
        with its step, so that its error is twice that difference.
        """
        factor = 2.0 if self.run.config.numerics.scheme == "imex_bdf1" else 1.0
        errors = {}
        for name, quantity in COMPARED.items():
            value = quantity.value(self.run)
            reference = quantity.value(self.tighter)
            errors[name] = factor * relative_difference(value, reference)
        return errors

    @property
    def grid_errors(self) -> dict[str, GridError]:
        """Relative error from the bins of each, with its order of convergence.

        See :func:`marsdisk.accuracy.extrapolation.extrapolated_error`.
        """
        coarsening = 2.0 if self.coarser is None else self.run.s.size / self.coarser.s.size
        errors = {}
        for name, quantity in COMPARED.items():
            coarser = None if self.coarser is None else quantity.value(self.coarser)
            value = quantity.value(self.run)
            finer = quantity.value(self.finer)
            errors[name] = extrapolated_error(coarser, value, finer, coarsening)
        return errors

    @property
    def err_bins(self) -> dict[str, float]:
        """Relative error from the bins of each, as in :attr:`grid_errors`."""
        return {name: grid_error.error for name, grid_error in self.grid_errors.items()}

    @property
    def order_bins(self) -> dict[str, float]:
        """Order of convergence of each with the bins, from 0.5 to 2; NaN where they show none."""
        return {name: grid_error.order for name, grid_error in self.grid_errors.items()}

    @property
    def solver_time(self) -> float:
        """Seconds that the integrator took for the runs compared with."""
        results = (self.tighter, self.finer, self.coarser)
        return sum(result.solver_time for result in results if result is not None)

    @property
    def failures(self) -> tuple[str, ...]:
        """A line for each error beyond its limit."""
        return (
            *_failures("err_time", self.err_time, self.time_limit),
            *_failures("err_bins", self.err_bins, self.bins_limit),
        )

    @property
    def passed(self) -> bool:
        """Whether every error is within its limit."""
        return not self.failures


def _failures(kind: str, errors: Mapping[str, float], limit: float) -> Iterator[str]:
    for name, error in errors.items():
        if not error <= limit:
            yield f"{name}: {kind} = {error:.3g} is over {limit:g}"


class Comparisons(NamedTuple):
    """Configurations of the runs that a run is compared with."""

    tighter: RunConfig  #: with tighter steps
    finer: RunConfig  #: with twice the bins
    coarser: RunConfig | None  #: with half the bins; None where the run has fewer than four


def comparisons(config: RunConfig) -> Comparisons:
    """Return the configurations that a run of ``config`` is compared with.

    :func:`check_run` says which.

    Raises
    ------
    ConfigError
        Twice the bins are more than a run may have, or the run would never end.
    """
    numerics = config.numerics
    bins = config.sizes.n_bins
    max_bins = most_bins()
    if 2 * bins > max_bins:
        problem = f"sizes.n_bins = {bins}: a check needs a run with twice as many"
        raise ConfigError([f"{problem}, and {max_bins} are allowed; give at most {max_bins // 2}"])
    in_every_run: dict[str, Any] = {}
    tighter_steps: dict[str, Any] = {}
    if numerics.scheme == "imex_bdf1":
        tighter_steps["numerics.dt"] = 0.5 * _outer_step(config)
    else:
        in_every_run["numerics.max_steps"] = MORE_STEPS * numerics.max_steps
        for key in ("numerics.rtol", "numerics.atol"):
            tolerance = getattr(numerics, key.removeprefix("numerics."))
            least = bound(config_keys(RunConfig)[key], "ge")
            tighter_steps[key] = max(tolerance / TOLERANCE_DIVISOR, least)
    content = config.model_dump(exclude_unset=True)

    def changed(overrides: Mapping[str, Any]) -> RunConfig:
        return build_config(merge(content, {**in_every_run, **overrides}))

    coarser = None
    if bins >= FEWEST_BINS_TO_HALVE:
        coarser = changed({"sizes.n_bins": bins // 2})
    return Comparisons(
        tighter=changed(tighter_steps),
        finer=changed({"sizes.n_bins": 2 * bins}),
        coarser=coarser,
    )


def most_bins() -> int:
    """Return the largest number of bins that a run may have."""
    return int(bound(config_keys(RunConfig)["sizes.n_bins"], "le"))


def refinement_for(error: float, order: float, limit: float) -> float:
    """Return the factor on the bins that brings their error down to ``limit``.

    Parameters
    ----------
    error, order, limit : float
        As for :func:`bins_for`.
    """
    if math.isnan(order):
        order = ORDER_IF_NONE_SHOWN
    return float((error / limit) ** (1.0 / order))


def bins_for(bins: int, error: float, order: float, limit: float) -> int | None:
    """Return about how many bins bring their error down to ``limit``.

    Parameters
    ----------
    bins : int
        Number of bins of the run.
    error : float
        Its relative error from the bins.
    order : float
        Order of convergence; NaN where the grids show none, which is taken for first order.
    limit : float
        Largest relative error that passes.

    Returns
    -------
    int or None
        A multiple of 10; None where a run may not have that many bins.

    Examples
    --------
    >>> bins_for(40, 0.04, 2.0, 0.01)
    80
    """
    needed = bins * refinement_for(error, order, limit)
    if needed > most_bins():
        return None
    return 10 * math.ceil(round(0.1 * needed, 6))


def tolerance_for(tolerance: float, error: float, limit: float) -> float:
    """Return, to one digit, about which tolerance brings an error from steps down to ``limit``.

    Parameters
    ----------
    tolerance : float
        That of the run.
    error : float
        Its relative error from time steps.
    limit : float
        Largest relative error that passes.

    Examples
    --------
    >>> tolerance_for(1e-3, 2e-3, 1e-3)
    0.0001
    """
    advised = TOLERANCE_SAFETY * tolerance * limit / error
    digit = 10.0 ** math.floor(math.log10(advised) + 1e-9)
    return float(f"{math.floor(advised / digit + 1e-9) * digit:.0e}")


def _outer_step(config: RunConfig) -> float:
    from ..classic.scheme import outer_step
    from ..run.derived import derive

    return outer_step(config, derive(config))


def _refuse_steps_not_bound_by_dt(run: RunResult) -> None:
    """Refuse classic steps that numerics.dt does not bound, as half of it would not halve them."""
    dt = _outer_step(run.config)
    outer_steps = math.ceil(run.t_end / dt * (1.0 - 1e-12))
    if run.steps > outer_steps:
        problem = (
            f"numerics.scheme = imex_bdf1: {run.steps} classic steps cover {outer_steps} outer"
            f" steps of {dt:.3g} s, for collision times bound them and not numerics.dt: half of dt"
            f" would not show their error. Give a dt well below {run.t_end / run.steps:.3g} s, or"
            " scheme: rosenbrock"
        )
        raise ConfigError([problem])


def check_run(
    config: RunConfig,
    *,
    cache: RunCache | None = None,
    run: RunResult | None = None,
    time_limit: float = TIME_LIMIT,
    bins_limit: float = BINS_LIMIT,
    alarm: NDArray[np.int64] | None = None,
) -> Convergence:
    """Run ``config`` as it is, with tighter steps, with twice the bins, and with half of them.

    Tighter steps are ``numerics.rtol`` and ``atol`` divided by 100, but never below what a
    configuration may have (1e-12 and 1e-20): a run that already has these is compared with itself.
    The classic scheme (``imex_bdf1``) has no tolerances. It is of first order, and its
    ``numerics.dt`` is halved, so the error of the run is twice the difference.

    The runs with other bins have the tolerances, or the step, of the run itself, and cover the same
    sizes. Their disks start from other surface densities, because ``tau0_target`` fixes the optical
    depth. From the three grids, the error is extrapolated to infinitely many bins. Each run may
    take ten times ``numerics.max_steps``.

    Parameters
    ----------
    config : RunConfig
        What to run.
    cache : RunCache, optional
        Used by all runs; by default a new one.
    run : RunResult, optional
        The result of ``config``, if it has been computed before.
    time_limit, bins_limit : float
        Largest relative errors that pass.
    alarm : (1,) array of int64, optional
        Another thread may set it to 1 to end the runs as failed.

    Returns
    -------
    Convergence
        The runs, and the errors that follow from them.

    Raises
    ------
    ConfigError
        A limit is not positive, or the configuration contradicts itself, has too many bins to
        double them, or asks for the classic scheme with steps that ``numerics.dt`` does not bound.
    SolverError
        One of the runs could not reach its end.

    Examples
    --------
    >>> from marsdisk import load_config
    >>> convergence = check_run(load_config("configs/mars_0d_melt.yaml"))
    >>> convergence.err_bins["M_loss"] < 0.01
    True
    """
    # The import brings Numba, which a store or a sweep file need not wait for.
    from ..zero_d import run_zero_d

    if not (time_limit > 0.0 and bins_limit > 0.0):
        problem = "the limits of a check must be positive numbers"
        raise ConfigError([f"{problem}, got {time_limit:g} and {bins_limit:g}"])
    configs = comparisons(config)
    if cache is None:
        cache = RunCache()
    if run is None:
        run = run_zero_d(config, cache=cache, alarm=alarm)
    if config.numerics.scheme == "imex_bdf1":
        _refuse_steps_not_bound_by_dt(run)

    def result_of(config: RunConfig, difference: str) -> RunResult:
        try:
            return run_zero_d(config, cache=cache, alarm=alarm)
        except SolverError as error:
            problem = f"the run with {difference}, to compare with: {error}"
            raise SolverError(problem) from error

    tighter = result_of(configs.tighter, "tighter steps")
    finer = result_of(configs.finer, "twice the bins")
    coarser = None
    if configs.coarser is not None:
        coarser = result_of(configs.coarser, "half the bins")
    return Convergence(
        run=run,
        tighter=tighter,
        finer=finer,
        coarser=coarser,
        time_limit=time_limit,
        bins_limit=bins_limit,
    )
