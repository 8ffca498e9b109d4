"""The classic time step of the size distribution (IMEX-BDF1): gain explicit, loss implicit.

dN_k/dt = G_k - L_k N_k + F_k - S_k N_k with gain G, loss L, supply F and sinks S (Krivov et al.
2006; Birnstiel et al. 2011). Gain takes the numbers at the start of a step and loss those at its
end, so that a step of length dt creates dt sum_k m_k L_k (N_k - N'_k) of mass: the mass error,
which is checked here and which the net form of the solver does not have.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._jit import kernel
from .collide import KernelWorkspace
from .fragments import FragmentTensor
from .grid import Array, read_only

MAX_HALVINGS = 64  # leaves 5e-20 of a step; then its length is not the problem
MIN_LOSS_RATE = 1e-30  # 1/s, so that a disk without collisions has a collision time

_DONE, _NEGATIVE_START, _NOT_FINITE, _TOO_MANY_HALVINGS = range(4)


class GainWorkspace(NamedTuple):
    """Masses that turn event rates into number rates."""

    m_sum: Array  #: (n, n) m_i + m_j [kg]
    denom: Array  #: (n,) m_k [kg]


class StepRates(NamedTuple):
    """Rates of mass during one step, in kg/(m2 s) except for the last."""

    gain: float  #: sum m G
    loss: float  #: sum m L N', with the numbers after the step
    sink: float  #: sum m S N, all sinks
    source: float  #: sum m F
    blowout: float  #: part of ``sink`` taken by S
    external: float  #: part of ``sink`` taken by S_external_k
    sublimation: float  #: part of ``sink`` taken by S_sublimation_k
    fastest_loss: float  #: 1/s, largest gross loss rate of any bin


class ImexWorkspace(NamedTuple):
    """Buffers for a step of n bins, which then allocates only the numbers it returns.

    Made by :meth:`for_bins`.
    """

    kernel: KernelWorkspace
    sinks: Array  #: (3, n) S, S_external_k and S_sublimation_k [1/s]
    source: Array  #: (n,) F_k [1/(m2 s)]
    scratch: Array  #: (5, n)
    rates: Array  #: the last step's :class:`StepRates`

    @classmethod
    def for_bins(cls, n: int) -> "ImexWorkspace":
        """Return buffers for ``n`` bins."""
        return cls(
            KernelWorkspace.for_bins(n),
            np.zeros((3, n)),
            np.zeros(n),
            np.zeros((5, n)),
            np.zeros(len(StepRates._fields)),
        )

    def step_rates(self) -> StepRates:
        """Return the mass rates of the last step made in this workspace."""
        return StepRates(*self.rates.tolist())


def gain_workspace_of(masses: Array) -> GainWorkspace:
    """Return the gain workspace of grains of ``masses`` (n,) [kg]."""
    m_sum = np.add.outer(masses, masses)
    denom = np.array(masses, dtype=np.float64)
    read_only(m_sum)
    read_only(denom)
    return GainWorkspace(m_sum, denom)


def _require_shape(name: str, array: NDArray[np.generic], shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ValueError(f"{name} must have the shape {shape}, got {array.shape}")


@kernel
def _factored_gain(
    C: Array,
    m_sum: Array,
    masses: Array,
    unbound: Array,
    k_lr: NDArray[np.int64],
    share: Array,
    into_fragments: Array,
    gain: Array,
) -> None:
    n = masses.size
    for k in range(n):
        into_fragments[k] = 0.0
        gain[k] = 0.0
    for i in range(n):
        for j in range(i, n):
            mass = C[i, j] * m_sum[i, j]
            K = k_lr[i, j]
            into_fragments[K] += unbound[i, j] * mass
            gain[K] += (1.0 - unbound[i, j]) * mass
    total = 0.0
    for k in range(n):
        total += share[k]
        # the weights of row K are share_k over the sum of shares up to K
        into_fragments[k] /= total
    above = 0.0
    for k in range(n - 1, -1, -1):  # bin k gets its share from every K >= k
        above += into_fragments[k]
        gain[k] = (gain[k] + share[k] * above) / masses[k]


@kernel
def _dense_gain(C: Array, m_sum: Array, masses: Array, Y: Array, gain: Array) -> None:
    n = masses.size
    for k in range(n):
        total = 0.0
        for i in range(n):
            for j in range(i, n):
                total += Y[k, i, j] * (C[i, j] * m_sum[i, j])
        gain[k] = total / masses[k]


@kernel
def _advance(  # noqa: PLR0913 - a structure of these arrays would cost more to pass
    C: Array,
    masses: Array,
    gain: Array,
    sinks: Array,
    source: Array,
    N: Array,
    scratch: Array,
    rates: Array,
    limits: tuple[float, float, float],
    budget: tuple[float, float, bool, bool],
) -> tuple[int, float, float, int]:
    """Replace ``N`` by the numbers after the step.

    Parameters
    ----------
    limits : tuple
        dt, safety and mass_tol.
    budget : tuple
        Mass supplied and lost [kg/(m2 s)], and whether to take each from source and sinks instead.

    Returns
    -------
    outcome : int
        One of the constants above.
    step : float
        Length of the step [s].
    error : float
        Its mass error.
    bin : int
        Bin that is to blame, or -1.
    """
    n = masses.size
    dt, safety, mass_tol = limits
    supplied, lost, supplied_by_source, lost_by_sinks = budget
    start = scratch[0]
    loss = scratch[1]
    sink = scratch[2]
    mass = 0.0
    fastest = 0.0
    for row in range(rates.size):
        rates[row] = 0.0
    for k in range(n):
        if N[k] < 0.0:
            return _NEGATIVE_START, dt, 0.0, k
        start[k] = N[k]
        # an event of two grains of the same bin removes both
        events = C[k, k]
        for j in range(n):
            events += C[k, j]
        loss[k] = events / N[k] if N[k] > 0.0 else 0.0
        fastest = max(fastest, loss[k])
        sink[k] = sinks[0, k] + sinks[1, k] + sinks[2, k]
        m = masses[k] * N[k]
        mass += m
        rates[0] += masses[k] * gain[k]
        rates[2] += sink[k] * m
        rates[3] += masses[k] * source[k]
        rates[4] += sinks[0, k] * m
        rates[5] += sinks[1, k] * m
        rates[6] += sinks[2, k] * m
    rates[7] = fastest
    supplied = rates[3] if supplied_by_source else supplied
    lost = rates[2] if lost_by_sinks else lost

    step = min(dt, safety * (1.0 / max(fastest, MIN_LOSS_RATE)))
    error = 0.0
    negative = -1
    for _ in range(MAX_HALVINGS + 1):
        after = 0.0
        returned = 0.0
        negative = -1
        for k in range(n):
            explicit = start[k] + step * (gain[k] + source[k] - sink[k] * start[k])
            N[k] = explicit / (1.0 + step * loss[k])
            if N[k] < 0.0:
                negative = k
            after += masses[k] * N[k]
            returned += masses[k] * loss[k] * N[k]
        if negative < 0:
            difference = abs(after + step * lost - (mass + step * supplied))
            scale = mass if mass > 0.0 else max(step * supplied, 1e-30)
            error = difference / scale
            if not math.isfinite(error):
                return _NOT_FINITE, step, error, -1
            if error <= mass_tol:
                rates[1] = returned
                return _DONE, step, error, -1
        step *= 0.5
    return _TOO_MANY_HALVINGS, step, error, negative


def _gain_tensor(
    C: Array, Y: FragmentTensor | Array, m: Array, *, workspace: GainWorkspace | None = None
) -> Array:
    """Return the gain of every bin [1/(m2 s)], (n,).

    G_k = (1/m_k) sum_{i<=j} C_ij Y_kij (m_i + m_j).

    Parameters
    ----------
    C : (n, n) array
        Events between bins [1/(m2 s)], the diagonal with its factor 1/2.
    Y : FragmentTensor or (n, n, n) array
        Outcome of every pair: factored, in O(n^2), or dense [k, i, j], in O(n^3).
    m : (n,) array
        Masses of one grain [kg].
    workspace : GainWorkspace, optional
        That of these masses, made here if not given.

    Raises
    ------
    ValueError
        Wrong shapes.
    """
    n = m.size
    masses = workspace
    if masses is None:
        masses = gain_workspace_of(m)
    _require_shape("m", m, (n,))
    _require_shape("C", C, (n, n))
    _require_shape("workspace.m_sum", masses.m_sum, (n, n))
    _require_shape("workspace.denom", masses.denom, (n,))
    gain = np.empty(n)
    if isinstance(Y, FragmentTensor):
        _require_shape("Y.unbound", Y.unbound, (n, n))
        into_fragments = np.empty(n)
        _factored_gain(
            C,
            masses.m_sum,
            masses.denom,
            Y.unbound,
            Y.k_lr,
            Y.weights[-1],
            into_fragments,
            gain,
        )
    else:
        _require_shape("Y", Y, (n, n, n))
        _dense_gain(C, masses.m_sum, masses.denom, Y, gain)
    return gain


def step_imex_bdf1_C3(  # noqa: N802, PLR0913 - name and arguments fixed by design
    N: Array,
    C: Array,
    Y: FragmentTensor | Array,
    S: Array | None,
    m: Array,
    prod_subblow_mass_rate: float | None,
    dt: float,
    *,
    source_k: Array | None = None,
    S_external_k: Array | None = None,
    S_sublimation_k: Array | None = None,
    extra_mass_loss_rate: float | None = 0.0,
    mass_tol: float = 5e-3,
    safety: float = 0.1,
    workspace: ImexWorkspace | None = None,
    gain_workspace: GainWorkspace | None = None,
) -> tuple[Array, float, float]:
    """Make one step N' = [N + dt (G + F - S N)] / (1 + dt L) of at most ``dt``.

    The step is at most ``safety`` times the shortest collision time, and is halved until no number
    is negative and the mass error |sum m N' + dt X - (sum m N + dt P)| / sum m N is at most
    ``mass_tol``. Here P and X are the supply and loss that the caller states: they enter only this
    check, as F and S enter only the step.

    Parameters
    ----------
    N : (n,) array
        Grains per area [1/m2], not modified.
    C : (n, n) array
        Events between bins [1/(m2 s)], symmetric, the diagonal with its factor 1/2.
    Y : FragmentTensor or (n, n, n) array
        Outcome of every pair, factored or dense.
    S : (n,) array or None
        Sinks by blow-out [1/s].
    m : (n,) array
        Masses of one grain [kg].
    prod_subblow_mass_rate : float or None
        P [kg/(m2 s)]; None stands for sum m F.
    dt : float
        Longest step [s].
    source_k : (n,) array, optional
        F [1/(m2 s)].
    S_external_k, S_sublimation_k : (n,) array, optional
        Sinks by anything else, and by sublimation [1/s].
    extra_mass_loss_rate : float or None, optional
        X [kg/(m2 s)]; None stands for sum m S N of all sinks.
    mass_tol : float, optional
        Largest mass error.
    safety : float, optional
        Longest step in units of the shortest collision time.
    workspace : ImexWorkspace, optional
        Buffers to use; its :meth:`~ImexWorkspace.step_rates` are then those of this step.
    gain_workspace : GainWorkspace, optional
        That of these masses, made here if not given.

    Returns
    -------
    N_new : (n,) array
        Numbers after the step [1/m2].
    dt_eff : float
        Length of the step [s].
    mass_error : float
        Its relative mass error.

    Raises
    ------
    ValueError
        Wrong shapes, dt or safety not positive, mass_tol or a number in N negative.
    ArithmeticError
        The mass error is not finite, or no step however short keeps numbers positive and the error
        in bounds.
    """
    n = m.size
    if not (dt > 0.0 and safety > 0.0 and mass_tol >= 0.0):
        values = f"{dt!r} s, {safety!r} and {mass_tol!r}"
        raise ValueError(f"dt and safety must be positive and mass_tol not negative, got {values}")
    _require_shape("m", m, (n,))
    _require_shape("N", N, (n,))
    work = workspace
    if work is None:
        work = ImexWorkspace.for_bins(n)
    masses = gain_workspace
    if masses is None:
        masses = gain_workspace_of(m)
    _require_shape("workspace.source", work.source, (n,))
    for name, rates, buffer in (
        ("S", S, work.sinks[0]),
        ("S_external_k", S_external_k, work.sinks[1]),
        ("S_sublimation_k", S_sublimation_k, work.sinks[2]),
        ("source_k", source_k, work.source),
    ):
        if rates is None:
            buffer.fill(0.0)
        else:
            _require_shape(name, rates, (n,))
            buffer[:] = rates
    N_new = np.array(N, dtype=np.float64)
    supplied_by_source = prod_subblow_mass_rate is None
    supplied = math.nan if prod_subblow_mass_rate is None else float(prod_subblow_mass_rate)
    lost_by_sinks = extra_mass_loss_rate is None
    lost = math.nan if extra_mass_loss_rate is None else float(extra_mass_loss_rate)
    limits = (float(dt), float(safety), float(mass_tol))
    budget = (supplied, lost, supplied_by_source, lost_by_sinks)
    gain = _gain_tensor(C, Y, m, workspace=masses)
    outcome, dt_eff, mass_error, bad_bin = _advance(
        C,
        masses.denom,
        gain,
        work.sinks,
        work.source,
        N_new,
        work.scratch,
        work.rates,
        limits,
        budget,
    )
    if outcome != _DONE:
        _fail(outcome, dt_eff, mass_error, mass_tol, bad_bin)
    return N_new, dt_eff, mass_error


def _fail(outcome: int, dt_eff: float, mass_error: float, mass_tol: float, bad_bin: int) -> None:
    if outcome == _NEGATIVE_START:
        raise ValueError(f"N must not be negative, it is in bin {bad_bin}")
    if outcome == _NOT_FINITE:
        raise ArithmeticError(
            f"the mass error of a step of {dt_eff:.3g} s is not finite: numbers, kernel, tensor,"
            " masses or rates hold NaN or infinity"
        )
    if bad_bin >= 0:
        raise ArithmeticError(
            f"N stays negative in bin {bad_bin} down to a step of {dt_eff:.3g} s; check its source"
            " and sinks"
        )
    raise ArithmeticError(
        f"the mass error stays at {mass_error:.3g}, above mass_tol = {mass_tol:g}, down to a step"
        f" of {dt_eff:.3g} s; prod_subblow_mass_rate must equal what source_k adds, and"
        " extra_mass_loss_rate what the sinks take"
    )
