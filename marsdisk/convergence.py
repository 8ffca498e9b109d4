"""How exact a run is, by its own account: the same run with tighter steps, and with twice the bins."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cache import RunCache
from .config import RunConfig, build_config, merge
from .config_errors import bound, config_keys
from .errors import ConfigError, SolverError
from .result import RunResult

QUANTITIES = ("M_loss", "t99", "Sigma_final")  # of a result, compared
TIME_LIMIT, BINS_LIMIT = 1e-3, 1e-2  # largest relative differences that pass
TIGHTER = 100.0  # the tolerances are divided by it
MORE_STEPS = 10  # times numerics.max_steps, for the runs compared with: the limit of a run is not meant for them


def relative_difference(value: float, reference: float) -> float:
    """|value - reference| / |reference|: 0 where both are 0, infinite where only the reference is or where one is not finite."""
    if not (math.isfinite(value) and math.isfinite(reference)):
        return math.inf
    if value == reference:
        return 0.0
    return abs(value - reference) / abs(reference) if reference else math.inf


@dataclass(frozen=True, eq=False, kw_only=True)
class Convergence:
    """A run beside the same run with tighter steps and the same run with twice the bins."""

    run: RunResult
    tighter: RunResult  #: with tighter steps
    finer: RunResult  #: with twice the bins
    time_limit: float  #: largest err_time that passes
    bins_limit: float  #: largest err_bins that passes

    @property
    def err_time(self) -> dict[str, float]:
        """Relative difference of each of :data:`QUANTITIES` from the run with tighter steps."""
        return {name: relative_difference(getattr(self.run, name), getattr(self.tighter, name)) for name in QUANTITIES}

    @property
    def err_bins(self) -> dict[str, float]:
        """The same from the run with twice the bins."""
        return {name: relative_difference(getattr(self.run, name), getattr(self.finer, name)) for name in QUANTITIES}

    @property
    def failures(self) -> tuple[str, ...]:
        """A line for each difference beyond its limit."""
        limits = (("err_time", self.err_time, self.time_limit), ("err_bins", self.err_bins, self.bins_limit))
        return tuple(
            f"{name}: {kind} = {error:.3g} is over {limit:g}"
            for kind, errors, limit in limits
            for name, error in errors.items()
            if not error <= limit
        )

    @property
    def passed(self) -> bool:
        """Whether every difference is within its limit."""
        return not self.failures


def comparisons(config: RunConfig) -> tuple[RunConfig, RunConfig]:
    """What a run of ``config`` is compared with: tighter steps, and twice the bins; see :func:`check_run`.

    Raises
    ------
    ConfigError
        Twice the bins are more than a run may have, or the run would never end.
    """
    numerics, bins, most = config.numerics, config.sizes.n_bins, bound(config_keys(RunConfig)["sizes.n_bins"], "le")
    if 2 * bins > most:
        raise ConfigError([f"sizes.n_bins = {bins}: a check needs a run with twice as many, and {most:g} are allowed; give at most {most // 2:g}"])
    more: dict[str, Any]
    steps: dict[str, Any]
    if numerics.scheme == "imex_bdf1":
        more, steps = {}, {"numerics.dt": 0.5 * _outer_step(config)}
    else:
        more = {"numerics.max_steps": MORE_STEPS * numerics.max_steps}
        steps = {
            f"numerics.{name}": max(getattr(numerics, name) / TIGHTER, bound(config_keys(RunConfig)[f"numerics.{name}"], "ge"))
            for name in ("rtol", "atol")
        }
    given = config.model_dump(exclude_unset=True)
    return build_config(merge(given, {**more, **steps})), build_config(merge(given, {**more, "sizes.n_bins": 2 * bins}))


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
                f"numerics.scheme = imex_bdf1: {run.steps} classic steps cover {outer} outer steps of {dt:.3g} s, for collision times bound them and "
                f"not numerics.dt: half of dt would not show their error. Give a dt well below {run.t_end / run.steps:.3g} s, or scheme: rosenbrock"
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
    """Run ``config`` as it is, with tighter steps, and with twice the bins.

    Tighter steps are ``numerics.rtol`` and ``atol`` divided by 100, but never below what a configuration may have (1e-12 and 1e-20): a run
    that is there already is compared with itself. The classic scheme (``imex_bdf1``) has no tolerances; it is of first order, and its
    ``numerics.dt`` is halved: the difference is the error of the run with half the step. The run with twice the bins has the tolerances,
    or the step, of the run itself, and covers the same sizes; its disk starts from another surface density, as ``tau0_target`` fixes the
    optical depth. Both may take ten times ``numerics.max_steps``.

    Parameters
    ----------
    config : what to run
    cache : for all three runs; None uses one of its own
    run : the result of ``config``, where it is known
    time_limit, bins_limit : largest relative differences that pass
    alarm : of :func:`marsdisk.zero_d.run_zero_d`

    Raises
    ------
    ConfigError
        A limit is not positive, or the configuration contradicts itself, has too many bins to double them, or asks for the classic scheme with steps that
        ``numerics.dt`` does not bound.
    SolverError
        One of the runs could not reach its end.

    Examples
    --------
    >>> from marsdisk import load_config
    >>> check_run(load_config("configs/mars_0d_melt.yaml")).passed
    True
    """
    from .zero_d import run_zero_d  # brings Numba, which a store or a sweep file need not wait for

    if not (time_limit > 0.0 and bins_limit > 0.0):
        raise ConfigError([f"the limits of a check must be positive numbers, got {time_limit:g} and {bins_limit:g}"])
    tighter, finer = comparisons(config)
    cache = RunCache() if cache is None else cache
    run = run_zero_d(config, cache=cache, alarm=alarm) if run is None else run
    if config.numerics.scheme == "imex_bdf1":
        _refuse_bound_steps(run)
    others = []
    for what, other in (("tighter steps", tighter), ("twice the bins", finer)):
        try:
            others.append(run_zero_d(other, cache=cache, alarm=alarm))
        except SolverError as error:
            raise SolverError(f"the run with {what}, to compare with: {error}") from error
    return Convergence(run=run, tighter=others[0], finer=others[1], time_limit=time_limit, bins_limit=bins_limit)
