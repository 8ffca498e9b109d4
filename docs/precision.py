"""Time against error: the integrator, SciPy's stiff solvers, and the classic scheme.

SciPy's solvers integrate the same compiled right-hand side with the exact Jacobian.

``python docs/precision.py`` measures all in one run, prints two tables and draws
docs/precision.png; with ``--write``, as ``make precision`` does, the tables go into docs/model.md.
Some minutes.
"""

import math
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import matplotlib as mpl
import numba
import numpy as np
from make_tables import put_between_markers
from scipy import integrate as scipy_integrate

from marsdisk import zero_d
from marsdisk.cache import RunCache
from marsdisk.classic.imex import StepCollapse, integrate_imex
from marsdisk.classic.scheme import classic_disk
from marsdisk.config import RunConfig, load_config
from marsdisk.physics.constants import YEAR
from marsdisk.physics.grid import Array
from marsdisk.result import RunResult
from marsdisk.run.derived import derive
from marsdisk.run.start import disk_at_start
from marsdisk.solver import sample
from marsdisk.solver.control import Limits
from marsdisk.solver.drivers import (
    BLOWOUT,
    ENTRIES,
    OTHER,
    SUBLIMATION,
    Drivers,
    blowout_state,
    drive,
    piece_of,
    set_blowout_rates,
)
from marsdisk.solver.eights import no_tiles, vector
from marsdisk.solver.events import REACHED_END
from marsdisk.solver.integrate import integrate
from marsdisk.solver.methods import RODAS5P, RosenbrockMethod
from marsdisk.solver.netform import CollisionTerms, jacobian, mass_rate, scratch_for
from marsdisk.solver.trajectory import Trajectory

mpl.use("Agg")
from matplotlib import pyplot as plt

ROOT = Path(__file__).parents[1]
RTOL = 10.0 ** np.arange(-1.0, -10.0, -1.0)
# in units of Sigma_0; every solver is given the best of them at every error
ATOL_OVER_RTOL = (1e-3, 1e-5, 1e-7)
OUTER_STEPS = (30, 300, 3000, 30_000)  # of the classic scheme
CLASSIC_STEPS = 100_000  # at most in a run of the classic scheme, some seconds
TARGETS = (1e-3, 1e-5, 1e-7)
PATIENCE = 0.15  # s spent on the repeats of one point
TOO_SLOW = 1.0  # s; tighter tolerances are not tried then

OURS = "marsdisk"
CLASSIC = "classic scheme"
#: Label: method of solve_ivp, or odeint, which is SciPy's LSODA with its loop over steps compiled.
SCIPY = {
    "odeint (LSODA)": "odeint",
    "solve_ivp LSODA": "LSODA",
    "solve_ivp BDF": "BDF",
    "solve_ivp Radau": "Radau",
}
#: Colours and markers told apart by colour-blind readers.
STYLE = {
    OURS: ("#000000", "o"),
    "odeint (LSODA)": ("#0072b2", "s"),
    "solve_ivp LSODA": ("#56b4e9", "^"),
    "solve_ivp BDF": ("#e69f00", "D"),
    "solve_ivp Radau": ("#d55e00", "v"),
    CLASSIC: ("#cc79a7", "x"),
}

#: Shaped as the baseline, but of grains alike enough in size for the classic step, the smallest of
#: them unbound.
ALIKE: dict[str, Any] = {
    "psd": {"alpha": 3.5, "wavy_strength": 0.2, "floor": "none"},
    "sizes": {"s_min": 1e-6, "s_max": 1e-4, "n_bins": 20},
    "temperature": {"law": "slab", "T0": 4000.0},
    "optical_depth": {"tau0_target": 1e-5},
    "numerics": {"t_end_orbits": 0.5},
}


class Problem(NamedTuple):
    """Arguments of the integrator, except the method."""

    c0: Array
    terms: CollisionTerms
    drivers: Drivers
    limits: Limits


class Point(NamedTuple):
    """Measurement of the integration alone, and with the states at all output times of the run."""

    end: tuple[float, float]  #: s, and the relative error of the case's number at the end
    series: tuple[float, float]  #: s, and the largest error of a series


@dataclass
class Case:
    """A configuration, its reference solution, and what was measured of every solver."""

    title: str
    config: RunConfig
    problem: Problem
    times: Array  #: s, of the run's output
    reference: Array  #: (times, n+1) kg/m2
    number: str  #: whose relative error at the end counts
    points: dict[str, list[Point]] = field(default_factory=dict)
    note: str = ""

    def totals(self, y: Array) -> dict[str, Array]:
        """Return M_loss per area, Sigma and tau_los of states ``y`` (times, n+1)."""
        weight = self.problem.drivers.opacity.per_mass[0]
        return {"M_loss": y[:, -1], "Sigma": y[:, :-1].sum(axis=1), "tau_los": y[:, :-1] @ weight}

    def error_at_end(self, y: Array) -> float:
        """Return the relative error of the case's number at the end."""
        number = self.totals(y)[self.number][-1]
        exact = self.totals(self.reference)[self.number][-1]
        return float(abs(number / exact - 1.0))

    def error_of_series(self, y: Array) -> float:
        """Return the largest error over all times.

        Errors of Sigma and tau_los are relative to themselves, that of M_loss to its end.
        """
        totals = self.totals(y)
        exact = self.totals(self.reference)
        errors = [np.max(np.abs(totals[name] / exact[name] - 1.0)) for name in ("Sigma", "tau_los")]
        if exact["M_loss"][-1] > 0.0:
            errors.append(np.max(np.abs(totals["M_loss"] - exact["M_loss"])) / exact["M_loss"][-1])
        return float(max(errors))


#: Returns the states at some times, or without times that at the end, as (1, n+1).
Solve = Callable[[Array | None], Array]


def problem_of(config: RunConfig) -> tuple[Problem, RunResult]:
    """Return what a run of ``config`` hands to the integrator, and its result."""
    seen: list[Problem] = []

    def watching(
        c0: Array, terms: CollisionTerms, drivers: Drivers, limits: Limits, method: RosenbrockMethod
    ) -> Trajectory:
        seen.append(Problem(c0, terms, drivers, limits))
        return integrate(c0, terms, drivers, limits, method)

    zero_d.ensure_compiled()
    with mock.patch.object(zero_d, "integrate", watching):
        result = zero_d.run_zero_d(config)
    return seen[0], result


def bins_and_loss(y: Array) -> Array:
    """Return mass per bin and mass lost (times, n+1) of states (times, n+4)."""
    ledger = y[:, -ENTRIES:]
    return np.column_stack([y[:, :-ENTRIES], ledger[:, [BLOWOUT, SUBLIMATION, OTHER]].sum(axis=1)])


def ours(problem: Problem, rtol: float, atol: float) -> Solve:
    """Solve with our integrator.

    ``atol`` is in units of the present surface density, not of that at the start, which the other
    solvers use.
    """
    limits = problem.limits._replace(rtol=rtol, atol=atol)
    arguments = (problem.c0, problem.terms, problem.drivers, limits, RODAS5P)

    def solve(times: Array | None) -> Array:
        path = integrate(*arguments)
        if path.outcome != REACHED_END:
            raise ArithmeticError(f"outcome {path.outcome}")
        return bins_and_loss(path.y[-1:] if times is None else sample.states(path, times))

    return solve


def compiled(
    problem: Problem,
) -> tuple[Callable[[float, Array], Array], Callable[[float, Array], Array]]:
    """Compile f(t, y) and df/dy(t, y) of bins and ledger.

    Each is one call; what it needs is compiled in and costs nothing to hand over.
    """
    terms = problem.terms
    drivers = problem.drivers
    n = problem.c0.size
    # the three set-ups are supplied at a constant rate
    supply = drive(drivers, 0.0).supply * drivers.linear.shares

    @numba.njit(error_model="numpy")
    def blowout_rates(t: float) -> Array:
        s_blow = blowout_state(drivers, t)[0]
        S = np.empty(n)
        piece = piece_of(drivers.blowout, s_blow)
        set_blowout_rates(drivers.blowout, piece, s_blow, S)
        return S

    @numba.njit(error_model="numpy")
    def rate(t: float, y: Array) -> Array:
        S = blowout_rates(t)
        out = np.empty(n + 1)
        fullest = 0
        for k in range(n):
            if y[k] > y[fullest]:
                fullest = k
        mass = vector(n)
        mass.flat[:n] = y[:n]
        mass_rate(mass, terms, fullest, scratch_for(n), out[:n])
        lost = 0.0
        for k in range(n):
            out[k] += supply[k] - S[k] * y[k]
            lost += S[k] * y[k]
        out[n] = lost
        return out

    @numba.njit(error_model="numpy")
    def slope(t: float, y: Array) -> Array:
        S = blowout_rates(t)
        J = np.zeros((n + 1, n + 1))
        inner = no_tiles(n)
        mass = vector(n)
        mass.flat[:n] = y[:n]
        jacobian(mass, terms, scratch_for(n), inner)
        for k in range(n):
            for l in range(n):  # noqa: E741 - as in the formula
                J[k, l] = inner[k // 8, l // 8, 8 * (k % 8) + l % 8]
            J[k, k] -= S[k]
            J[n, k] = S[k]
        return J

    return rate, slope


def scipys(
    problem: Problem,
    rate: Callable[..., Array],
    slope: Callable[..., Array],
    method: str,
    rtol: float,
    atol: float,
) -> Solve:
    """Solve with SciPy's ``method`` from start to end in one go, with its own dense output."""
    y0 = np.append(problem.c0, 0.0)
    ends = (0.0, problem.limits.t_end)
    floor = atol * float(problem.c0.sum())

    def solve_ivp(times: Array | None) -> Array:
        solution = scipy_integrate.solve_ivp(
            rate, ends, y0, method=method, jac=slope, rtol=rtol, atol=floor, t_eval=times
        )
        if not solution.success:
            raise ArithmeticError(solution.message)
        return np.asarray(solution.y.T if times is not None else solution.y.T[-1:])

    def odeint(times: Array | None) -> Array:
        states, info = scipy_integrate.odeint(
            rate,
            y0,
            ends if times is None else times,
            Dfun=slope,
            tfirst=True,
            rtol=rtol,
            atol=floor,
            mxstep=1_000_000,
            full_output=True,
        )
        if "successful" not in info["message"]:
            raise ArithmeticError(info["message"])
        return np.asarray(states if times is not None else states[-1:])

    return odeint if method == "odeint" else solve_ivp


def classic(config: RunConfig, problem: Problem, outer_steps: int) -> Solve:
    """Solve with the classic scheme in ``outer_steps`` outer steps.

    Each has as many substeps as collisions ask for, within the bound of :data:`CLASSIC_STEPS`.
    """
    derived = derive(config)
    cache = RunCache()
    disk = classic_disk(config, derived, disk_at_start(config, cache))
    dt = problem.limits.t_end / outer_steps
    max_substeps = max(CLASSIC_STEPS // outer_steps, 2)

    def solve(times: Array | None) -> Array:
        path = integrate_imex(
            problem.c0,
            disk,
            problem.drivers,
            problem.limits,
            dt=dt,
            max_substeps=max_substeps,
            cache=cache,
        )
        return bins_and_loss(path.y[-1:] if times is None else sample.states(path, times))

    return solve


def timed(solve: Solve, times: Array | None) -> tuple[float, Array]:
    """Return the shortest of several repeats [s], and its solution."""
    seconds: list[float] = []
    while len(seconds) < 3 or sum(seconds) < PATIENCE:
        begin = time.perf_counter()
        y = solve(times)
        seconds.append(time.perf_counter() - begin)
        if seconds[-1] > TOO_SLOW:
            break
    return min(seconds), y


def point(case: Case, solve: Solve) -> Point | None:
    """Measure a solver; None where it gives up."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            seconds, y = timed(solve, None)
            seconds_series, series = timed(solve, case.times)
        except StepCollapse:
            raise
        except (ArithmeticError, ValueError, np.linalg.LinAlgError):
            return None
    return Point((seconds, case.error_at_end(y)), (seconds_series, case.error_of_series(series)))


def sampled(case: Case, make: Callable[[float, float], Solve]) -> list[Point]:
    """Measure one solver at all tolerances."""
    points = []
    for ratio in ATOL_OVER_RTOL:
        for rtol in RTOL:
            measured = point(case, make(float(rtol), float(ratio * rtol)))
            if measured is not None:
                points.append(measured)
                if measured.end[0] > TOO_SLOW:
                    break
    return points


def measure(case: Case) -> None:
    """Fill in the points of a case."""
    problem = case.problem
    rate, slope = compiled(problem)
    for function in (rate, slope):
        function(0.0, np.append(problem.c0, 0.0))
    case.points[OURS] = sampled(case, lambda rtol, atol: ours(problem, rtol, atol))
    for name, method in SCIPY.items():
        case.points[name] = sampled(
            case, lambda rtol, atol, method=method: scipys(problem, rate, slope, method, rtol, atol)
        )  # type: ignore[misc]
    case.points[CLASSIC] = []
    for outer_steps in OUTER_STEPS:
        try:
            measured = point(case, classic(case.config, problem, outer_steps))
        except StepCollapse as collapse:
            steps = 10.0 * collapse.hit_rate * problem.limits.t_end
            case.note = (
                f"classic scheme: {steps:.0e} steps,\na grain of {collapse.size:.2g} m is hit"
                f" {collapse.hit_rate:.0e} times a second"
            )
            continue
        if measured is not None:
            case.points[CLASSIC].append(measured)
    if case.points[CLASSIC]:
        case.note = ""


def front(points: list[Point], quantity: str) -> list[tuple[float, float]]:
    """Return (error, seconds) of the points that no point beats in both, largest error first."""
    kept: list[tuple[float, float]] = []
    for seconds, error in sorted(getattr(point, quantity) for point in points):
        if not kept or error < kept[-1][0]:
            kept.append((error, seconds))
    return kept


def seconds_at(points: list[Point], target: float, quantity: str) -> float | None:
    """Return the time to an error, interpolated in log-log; None out of reach.

    Where even the quickest run is more accurate than that, its time.
    """
    line = front(points, quantity)
    if not line or line[-1][0] > target:
        return None
    if line[0][0] <= target:
        return line[0][1]
    log_error = np.log([max(error, 1e-16) for error, _ in line])
    log_seconds = np.log([seconds for _, seconds in line])
    return math.exp(np.interp(-math.log(target), -log_error, log_seconds))


def milliseconds(seconds: float | None) -> str:
    """Format a time in ms."""
    return "-" if seconds is None else f"{1e3 * seconds:.2f}"


def table(cases: list[Case], quantity: str) -> list[str]:
    """Tabulate the time of every solver at the target errors, and SciPy's best over ours."""
    names = [OURS, *SCIPY, CLASSIC]
    lines = [
        (
            f"| set-up | error of | target | {' | '.join(names)} | best of SciPy / ours | best of"
            " solve_ivp / ours |"
        ),
        "|---" * (len(names) + 5) + "|",
    ]
    for case in cases:
        for target in TARGETS:
            times = {name: seconds_at(case.points[name], target, quantity) for name in names}
            ratios = []
            for rivals in (list(SCIPY), [name for name in SCIPY if name.startswith("solve_ivp")]):
                reached = [seconds for name in rivals if (seconds := times[name]) is not None]
                own = times[OURS]
                ratios.append(f"{min(reached) / own:.1f}" if reached and own is not None else "-")
            measured = case.number if quantity == "end" else "series"
            lines.append(
                f"| {case.title} | {measured} | {target:.0e} |"
                f" {' | '.join(map(milliseconds, times.values()))} | **{ratios[0]}** |"
                f" {ratios[1]} |"
            )
    return lines


def draw(cases: list[Case], out: Path) -> None:
    """Draw the time of every solver over its error, a column for each case."""
    figure, axes = plt.subplots(2, len(cases), figsize=(11.5, 7.0), layout="constrained")
    for column, case in enumerate(cases):
        for quantity, axis in zip(("end", "series"), axes[:, column], strict=True):
            for name, (colour, marker) in STYLE.items():
                line = [
                    (error, seconds)
                    for error, seconds in front(case.points[name], quantity)
                    if error > 1e-13
                ]
                if line:
                    error, seconds = zip(*line, strict=True)
                    style: dict[str, Any] = {"lw": 1.2}
                    if name == OURS:
                        style = {"lw": 2.4, "zorder": 3}
                    axis.loglog(
                        error,
                        1e3 * np.array(seconds),
                        marker=marker,
                        ms=5,
                        color=colour,
                        label=name,
                        **style,
                    )
            measured = "the series, at the worst time"
            if quantity == "end":
                measured = f"{case.number} at the end"
            axis.set(xlabel=f"relative error of {measured}", xlim=(1e-1, 1e-13))
            axis.grid(alpha=0.3)
            if case.note:
                axis.set_ylim(top=20.0 * axis.get_ylim()[1])
            axis.text(0.03, 0.97, case.note, transform=axis.transAxes, va="top", fontsize=8)
        axes[0, column].set_title(case.title, fontsize=11)
    axes[0, 0].set_ylabel("integration [ms]")
    axes[1, 0].set_ylabel("with states at 128 times [ms]")
    handles, labels = axes[0, -1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.savefig(out, dpi=75)


def new_case(title: str, config: RunConfig) -> Case:
    """Prepare a case with its reference solution, and compare that with SciPy's Radau.

    The reference is our integrator at far tighter tolerances.
    """
    problem, result = problem_of(config)
    reference = ours(problem, 1e-12, 1e-18)(result.t)
    number = "M_loss" if result.M_loss > 0.0 else "tau_los"
    case = Case(title, config, problem, result.t, reference, number)
    radau = scipys(problem, *compiled(problem), "Radau", 1e-11, 1e-17)(result.t)
    print(
        f"{title}: Radau at 1e-11 differs from the reference by {case.error_at_end(radau):.0e}, in"
        f" the series {case.error_of_series(radau):.0e}",
        flush=True,
    )
    return case


def all_cases() -> list[Case]:
    """Prepare a long smooth run, a run to its stop, and one that the classic scheme can do."""

    def shipped(name: str, overrides: dict[str, Any]) -> RunConfig:
        return load_config(ROOT / "configs" / f"mars_0d_{name}.yaml", overrides)

    tight = {"numerics.rtol": 1e-9, "numerics.atol": 1e-15}
    _, baseline = problem_of(shipped("baseline", tight))
    until_stop = baseline.t_end
    without_stop = {
        "optical_depth.tau_stop": None,
        "numerics": {"t_end_years": until_stop / YEAR},
    }
    return [
        new_case("melt, 2 yr", shipped("melt_simple", {"optical_depth.tau_stop": None})),
        new_case(
            f"baseline to its stop ({1e3 * until_stop:.2f} ms)", shipped("baseline", without_stop)
        ),
        new_case("grains alike, half an orbit", shipped("baseline", ALIKE)),
    ]


if __name__ == "__main__":
    cases = all_cases()
    for case in cases:
        measure(case)
        counts = ", ".join(f"{name} {len(points)}" for name, points in case.points.items())
        print(f"{case.title}: {counts} points. {case.note}", flush=True)
    tables = [*table(cases, "end"), "", *table(cases, "series")]
    print("\n".join(tables))
    draw(cases, Path(__file__).with_name("precision.png"))
    if "--write" in sys.argv:
        put_between_markers("precision", "make precision", tables)
