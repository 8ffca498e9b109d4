"""How accurate a run is, by its own account: with tighter steps, and with other bins."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .cache import RunCache
from .config import RunConfig, build_config, merge
from .config_errors import bound, config_keys
from .errors import ConfigError, SolverError
from .extrapolation import GridError, extrapolated_error
from .result import RunResult

# largest relative errors that pass
TIME_LIMIT = 1e-3
BINS_LIMIT = 1e-2
TIGHTER = 100.0  # the tolerances are divided by it
# times numerics.max_steps, for the runs compared with: the limit of a run is not meant for them
MORE_STEPS = 10
FEWEST_TO_HALVE = 4  # bins: a grid has two at least
ORDER_IF_NONE_SHOWN = 1.0  # of the bins, for the advice how many there should be
SAFETY = 0.2  # of an advised tolerance, since the error follows it only roughly


@dataclass(frozen=True)
class Quantity:
    """A number of a result whose error is estimated."""

    units: str
    long_name: str
    value: Callable[[RunResult], float]


def _of_result(name: str) -> Quantity:
    (field,) = (field for field in dataclasses.fields(RunResult) if field.name == name)

    def value(result: RunResult) -> float:
        return float(getattr(result, name))

    return Quantity(field.metadata["units"], field.metadata["long_name"], value)


COMPARED: Mapping[str, Quantity] = {
    **{name: _of_result(name) for name in ("M_loss", "t99", "Sigma_final", "t_end", "tau_max")},
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
    """|value - reference| / |reference|: 0 where both are 0, infinite where only the reference is or where one is not finite."""
    if not (math.isfinite(value) and math.isfinite(reference)):
        return math.inf
    if value == reference:
        return 0.0
    return abs(value - reference) / abs(reference) if reference else math.inf


@dataclass(frozen=True, eq=False, kw_only=True)
class Convergence:
    """A run beside the same run with tighter steps, with twice the bins, and with half of them."""

    run: RunResult
    tighter: RunResult  #: with tighter steps
    finer: RunResult  #: with twice the bins
    coarser: RunResult | None  #: with half the bins; None where the run has fewer than four
    time_limit: float  #: largest err_time that passes
    bins_limit: float  #: largest err_bins that passes

    @property
    def err_time(self) -> dict[str, float]:
        """Relative error of each of :data:`QUANTITIES` by the steps.

        It is the difference from the run with tighter steps; of the classic scheme, whose error is
        halved with its step, twice that difference.
        """
        times = 2.0 if self.run.config.numerics.scheme == "imex_bdf1" else 1.0
        errors = {}
        for name, quantity in COMPARED.items():
            value = quantity.value(self.run)
            reference = quantity.value(self.tighter)
            errors[name] = times * relative_difference(value, reference)
        return errors

    @property
    def grid_errors(self) -> dict[str, GridError]:
        """Error of each by the bins, with its order.

        See :func:`marsdisk.extrapolation.extrapolated_error`.
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
        """Relative error of each by the bins, as :attr:`grid_errors` has it."""
        return {name: found.error for name, found in self.grid_errors.items()}

    @property
    def order_bins(self) -> dict[str, float]:
        """Order of convergence of each with the bins, from 0.5 to 2; NaN where they show none."""
        return {name: found.order for name, found in self.grid_errors.items()}

    @property
    def solver_time(self) -> float:
        """Seconds that the integrator took for the runs compared with."""
        others = (self.tighter, self.finer, self.coarser)
        return sum(other.solver_time for other in others if other is not None)

    @property
    def failures(self) -> tuple[str, ...]:
        """A line for each error beyond its limit."""
        limits = (
            ("err_time", self.err_time, self.time_limit),
            ("err_bins", self.err_bins, self.bins_limit),
        )
        return tuple(
            f"{name}: {kind} = {error:.3g} is over {limit:g}"
            for kind, errors, limit in limits
            for name, error in errors.items()
            if not error <= limit
        )

    @property
    def passed(self) -> bool:
        """Whether every error is within its limit."""
        return not self.failures


class Comparisons(NamedTuple):
    """What a run is compared with."""

    tighter: RunConfig  #: with tighter steps
    finer: RunConfig  #: with twice the bins
    coarser: RunConfig | None  #: with half the bins; None where the run has fewer than four


def comparisons(config: RunConfig) -> Comparisons:
    """What a run of ``config`` is compared with; see :func:`check_run`.

    Raises
    ------
    ConfigError
        Twice the bins are more than a run may have, or the run would never end.
    """
    numerics = config.numerics
    bins = config.sizes.n_bins
    most = most_bins()
    if 2 * bins > most:
        problem = f"sizes.n_bins = {bins}: a check needs a run with twice as many"
        raise ConfigError([f"{problem}, and {most} are allowed; give at most {most // 2}"])
    more: dict[str, Any]
    steps: dict[str, Any]
    if numerics.scheme == "imex_bdf1":
        more = {}
        steps = {"numerics.dt": 0.5 * _outer_step(config)}
    else:
        more = {"numerics.max_steps": MORE_STEPS * numerics.max_steps}
        steps = {
            f"numerics.{name}": max(
                getattr(numerics, name) / TIGHTER,
                bound(config_keys(RunConfig)[f"numerics.{name}"], "ge"),
            )
            for name in ("rtol", "atol")
        }
    given = config.model_dump(exclude_unset=True)

    def changed(changes: Mapping[str, Any]) -> RunConfig:
        return build_config(merge(given, {**more, **changes}))

    return Comparisons(
        tighter=changed(steps),
        finer=changed({"sizes.n_bins": 2 * bins}),
        coarser=changed({"sizes.n_bins": bins // 2}) if bins >= FEWEST_TO_HALVE else None,
    )


def most_bins() -> int:
    """How many bins a run may have."""
    return int(bound(config_keys(RunConfig)["sizes.n_bins"], "le"))


def refinement_for(error: float, order: float, limit: float) -> float:
    """How many times the bins bring an error by them down to ``limit``; see :func:`bins_for`."""
    power = 1.0 / (ORDER_IF_NONE_SHOWN if math.isnan(order) else order)
    return float((error / limit) ** power)


def bins_for(bins: int, error: float, order: float, limit: float) -> int | None:
    """About how many bins bring an error by the bins down to ``limit``.

    Parameters
    ----------
    bins : int
        That the error was found with.
    error : float
        Relative.
    order : float
        Of convergence; NaN where none is shown, which counts as the first.
    limit : float
        Largest error.

    Returns
    -------
    int or None
        A multiple of 10; None where a run may not have that many.

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
    """About which tolerance brings an error by the steps down to ``limit``, to one digit.

    Examples
    --------
    >>> tolerance_for(1e-3, 2e-3, 1e-3)
    0.0001
    """
    wanted = SAFETY * tolerance * limit / error
    digit = 10.0 ** math.floor(math.log10(wanted) + 1e-9)
    return float(f"{math.floor(wanted / digit + 1e-9) * digit:.0e}")


def _outer_step(config: RunConfig) -> float:
    from .derived import derive
    from .zero_d import outer_step

    return outer_step(config, derive(config))


def _refuse_bound_steps(run: RunResult) -> None:
    """Halving dt halves the classic steps only where it is dt that bounds them."""
    dt = _outer_step(run.config)
    outer = math.ceil(run.t_end / dt * (1.0 - 1e-12))
    if run.steps > outer:
        raise ConfigError(
            [
                f"numerics.scheme = imex_bdf1: {run.steps} classic steps cover {outer} outer steps"
                f" of {dt:.3g} s, for collision times bound them and not numerics.dt: half of dt"
                f" would not show their error. Give a dt well below {run.t_end / run.steps:.3g} s,"
                " or scheme: rosenbrock"
            ]
        )


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
    configuration may have (1e-12 and 1e-20): a run that is there already is compared with itself.
    The classic scheme (``imex_bdf1``) has no tolerances; it is of first order, and its
    ``numerics.dt`` is halved: the error of the run is twice the difference.

    The runs with other bins have the tolerances, or the step, of the run itself, and cover the same
    sizes; their disks start from another surface density, as ``tau0_target`` fixes the optical
    depth. From the three grids the error is extrapolated to infinitely many bins. All may take ten
    times ``numerics.max_steps``.

    Parameters
    ----------
    config : RunConfig
        What to run.
    cache : RunCache, optional
        For all runs; None uses one of its own.
    run : RunResult, optional
        The result of ``config``, where it is known.
    time_limit, bins_limit : float
        Largest relative errors that pass.
    alarm : NDArray, optional
        Of :func:`marsdisk.zero_d.run_zero_d`.

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
    >>> found = check_run(load_config("configs/mars_0d_melt.yaml"))
    >>> found.err_bins["M_loss"] < 0.01
    True
    """
    from .zero_d import run_zero_d  # brings Numba, which a store or a sweep file need not wait for

    if not (time_limit > 0.0 and bins_limit > 0.0):
        raise ConfigError(
            [
                f"the limits of a check must be positive numbers, got {time_limit:g} and"
                f" {bins_limit:g}"
            ]
        )
    wanted = comparisons(config)
    cache = RunCache() if cache is None else cache
    run = run_zero_d(config, cache=cache, alarm=alarm) if run is None else run
    if config.numerics.scheme == "imex_bdf1":
        _refuse_bound_steps(run)

    def compared(what: str, other: RunConfig) -> RunResult:
        try:
            return run_zero_d(other, cache=cache, alarm=alarm)
        except SolverError as error:
            raise SolverError(f"the run with {what}, to compare with: {error}") from error

    return Convergence(
        run=run,
        tighter=compared("tighter steps", wanted.tighter),
        finer=compared("twice the bins", wanted.finer),
        coarser=None if wanted.coarser is None else compared("half the bins", wanted.coarser),
        time_limit=time_limit,
        bins_limit=bins_limit,
    )
