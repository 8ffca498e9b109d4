"""One step of the integrator: derivatives, factors of its matrix, stages, and dense output."""

import math
from typing import NamedTuple

import numpy as np

from .._jit import borrowing_kernel, inlined_kernel, kernel
from ..physics.grid import Array
from ..physics.opacity import lit_share, set_tau_per_mass, tau_los_per_kelvin
from .control import Limits, error_norm, least_error, remove_negatives
from .drivers import (
    BLOWOUT,
    ENTRIES,
    HELD,
    Drive,
    Drivers,
    LinearTerms,
    add_linear_rates,
    blows_below,
    drive,
    gates,
    set_blowout_rates,
    set_blowout_slopes,
    set_ledger_rates,
)
from .eights import (
    ZERO,
    Vector,
    clear,
    copy,
    eights,
    load,
    load_from,
    no_tiles,
    plus,
    store,
    store_to,
    times,
    vector,
)
from .linear import factorise, substitute
from .methods import RosenbrockMethod
from .netform import (
    CollisionTerms,
    Scratch,
    busiest_bin,
    jacobian,
    mass_rate,
    scratch_for,
    weighted_sum,
)


class Room(NamedTuple):
    """Buffers for a step."""

    J: Array  #: (blocks, blocks, 64) Jacobian of collisions, transposed, in tiles
    M: Array  #: (blocks, blocks, 64) factors of the matrix of the step
    lower: Array  #: (1, blocks, 64)
    pivots: Array  #: (blocks, 8)
    sums: Array  #: (blocks, 8)
    scratch: Scratch
    S: Array  #: (n,) blow-out rates [1/s] at the begin of the step
    S_lit: Array  #: (n,) those in full light at a stage
    S_stage: Array  #: (n,) those in the attenuated light at a stage
    tau_weight: Array  #: (n,) m2/kg, tau_los of a mass per area at the begin of the step
    tau_weight_stage: Array  #: (n,) the same at a stage
    entries: Array  #: (4,)
    blowout_per_tau: Vector  #: (n,) d(blow-out of each bin)/d tau_los [kg/(m2 s)]
    response_to_tau: Vector  #: (n,) response of the bins to it
    response: Vector  #: (n,) response of the bins to the supply
    y: Vector  #: (n + 8,) state at the begin of the step; ledger and ln f begin the last eight
    y_new: Vector  #: (n + 8,)
    f: Vector  #: (n + 8,) dy/dt at the begin of the step
    f_t: Vector  #: (n + 8,) part of its time derivative that is due to the drivers
    spare: Vector  #: (n + 8,)
    weights: Array  #: (stages,)
    U: Array  #: (stages, blocks + 1, 8)
    U_flat: Array  #: (stages, 8 blocks + 8), the same


class Point(NamedTuple):
    """Rates and gates at the begin of a step."""

    blowout_per_tau: float  #: d(blow-out of all bins)/d tau_los [kg/(m2 s)]
    speed: float  #: m/s
    supply: float  #: kg/(m2 s)
    pull: float  #: 1/s, of the feedback on the supply, per optical depth
    busiest: int
    colliding: float
    supplying: float
    blowing: float
    subliming: float
    unbound_below: bool
    clamped: bool


@kernel
def room_for(n: int, stages: int) -> Room:
    """Return buffers for steps of ``n`` bins."""
    response = vector(n)
    size = response.flat.size
    blocks = response.eights.shape[0]
    lower = eights(8 * size).reshape((1, blocks, 64))
    U = eights(stages * (size + 8))
    return Room(
        J=no_tiles(n),
        M=no_tiles(n),
        lower=lower,
        pivots=eights(n),
        sums=eights(n),
        scratch=scratch_for(n),
        S=np.empty(n),
        S_lit=np.empty(n),
        S_stage=np.empty(n),
        tau_weight=np.empty(n),
        tau_weight_stage=np.empty(n),
        entries=np.empty(ENTRIES),
        blowout_per_tau=vector(n),
        response_to_tau=vector(n),
        response=response,
        y=vector(size + 8),
        y_new=vector(size + 8),
        f=vector(size + 8),
        f_t=vector(size + 8),
        spare=vector(size + 8),
        weights=np.empty(stages),
        U=U.reshape((stages, blocks + 1, 8)),
        U_flat=U.reshape((stages, size + 8)),
    )


@inlined_kernel
def _factorise_step(speed: float, terms: LinearTerms, shift: float, room: Room) -> None:
    """Factorise ``shift`` - (J + what :func:`add_linear_rates` adds per mass), column by column."""
    J = room.J
    M = room.M
    S = room.S
    sums = room.sums
    blocks = M.shape[0]
    for j in range(blocks):
        for i in range(blocks):
            for k in range(8):
                for q in range(8):
                    M[j, i, 8 * k + q] = -J[i, j, 8 * q + k]
        for k in range(8):
            sums[j, k] = shift
    for j in range(S.size):
        # the columns of J sum to zero
        sums[j // 8, j % 8] += S[j] + terms.drag[j] + speed * terms.evaporated[j]
    for j in range(blocks):
        for k in range(8):
            M[j, j, 9 * k] += sums[j, k]
    if speed != 0.0:
        sums[0, 0] += speed * terms.down[0]
        M[0, 0, 0] += speed * terms.down[0]
        for j in range(1, S.size):
            M[j // 8, j // 8, 9 * (j % 8)] += speed * terms.down[j]
            M[j // 8, (j - 1) // 8, 8 * (j % 8) + (j - 1) % 8] -= speed * terms.down[j]
    factorise(M, sums, room.lower, room.pivots)


@inlined_kernel
def _set_lit_rates(
    drivers: Drivers, piece: int, driven: Drive, blowing: float, room: Room
) -> float:
    """Set the blow-out rates at a new point in ``room``, and their derivatives.

    Those are with respect to time and tau_los.

    Returns
    -------
    float
        d(blow-out of all bins)/d tau_los [kg/(m2 s)].
    """
    rule = drivers.blowout
    y = room.y.flat
    S = room.S
    slopes = room.S_stage
    per_tau = room.blowout_per_tau.flat
    set_blowout_rates(rule, piece, driven.s_blow, S, driven.s_low)
    if blowing == 0.0:
        S[:] = 0.0
        slopes[:] = 0.0
    else:
        set_blowout_slopes(rule, piece, driven, S, slopes)
    if not rule.attenuated:
        return 0.0
    share, share_slope = lit_share(weighted_sum(y, room.tau_weight))
    fading = share_slope * driven.T_slope * tau_los_per_kelvin(drivers.opacity, driven.T, y)
    total = 0.0
    for k in range(S.size):
        per_tau[k] = share_slope * S[k] * y[k]
        total += per_tau[k]
        slopes[k] = share * slopes[k] + fading * S[k]
        S[k] *= share
    return total


@borrowing_kernel
def take_derivatives(
    terms: CollisionTerms, drivers: Drivers, piece: int, mode: int, t: float, room: Room
) -> Point:
    """Set the rates at a new point and their derivatives, in ``room``.

    Parameters
    ----------
    terms : CollisionTerms
        Collisions in net form.
    drivers : Drivers
        Everything outside the disk.
    piece : int
        Bin in which s_blow lies.
    mode : int
        Mode of the drivers.
    t : float
        Time [s].
    room : Room
        With the state at that time in ``y``.
    """
    n = room.S.size
    feedback = drivers.feedback
    linear = drivers.linear
    rule = drivers.blowout
    S = room.S
    S_slope = room.S_stage
    y = room.y.flat
    f = room.f.flat
    f_t = room.f_t.flat
    ledger = 8 * room.J.shape[0]
    ln_f = ledger + ENTRIES
    driven = drive(drivers, t)
    colliding, supplying, blowing, subliming = gates(drivers, mode)
    speed = subliming * driven.speed
    speed_slope = subliming * driven.speed_slope
    supply = supplying * driven.supply
    supply_slope = supplying * driven.supply_slope
    tau_weight = room.tau_weight
    set_tau_per_mass(drivers.opacity, driven.T, tau_weight)
    set_tau_per_mass(drivers.opacity, driven.T, room.tau_weight_stage)
    pull = 0.0
    if feedback.rate > 0.0:
        factor = math.exp(y[ln_f])
        supply = factor * supply
        supply_slope = factor * supply_slope
        if not mode & HELD:
            pull = feedback.rate / feedback.tau_target
        f[ln_f] = pull * (feedback.tau_target - weighted_sum(y, tau_weight))
        f_t[ln_f] = -pull * driven.T_slope * tau_los_per_kelvin(drivers.opacity, driven.T, y)
    jacobian(room.y, terms, room.scratch, room.J)
    busiest = busiest_bin(y, room.J)
    if colliding == 0.0:
        clear(room.J)
        f[:n] = 0.0
    else:
        mass_rate(room.y, terms, busiest, room.scratch, f)
    per_tau = _set_lit_rates(drivers, piece, driven, blowing, room)
    add_linear_rates(linear, S, speed, 1.0, supply, y, f)
    unbound_below = blows_below(rule, piece, blowing, driven.s_low)
    set_ledger_rates(linear, unbound_below, S, speed, 1.0, supply, y, f[ledger:])
    f_t[:n] = 0.0
    add_linear_rates(linear, S_slope, speed_slope, 0.0, supply_slope, y, f_t)
    set_ledger_rates(
        linear, unbound_below, S_slope, speed_slope, 0.0, supply_slope, y, f_t[ledger:]
    )
    return Point(
        per_tau,
        speed,
        supply,
        pull,
        busiest,
        colliding,
        supplying,
        blowing,
        subliming,
        unbound_below,
        driven.clamped,
    )


@inlined_kernel
def pack(v: Array, n: int, out: Array) -> None:
    """Copy bins, ledger and ln f of ``v`` to ``out``, leaving out the padding."""
    for k in range(n):
        out[k] = v[k]
    for k in range(n, out.size):
        out[k] = v[v.size - 8 + k - n]


@inlined_kernel
def _dim(b: Array, shade: float, room: Room) -> None:
    """Correct a solution ``b`` (at least n) for the change of light it leaves out.

    By the formula of Sherman and Morrison.
    """
    tau = weighted_sum(b, room.tau_weight) / shade
    for k in range(room.tau_weight.size):
        b[k] -= tau * room.response_to_tau.flat[k]


# One kernel on purpose: a call copies all structures that it is given, with all their arrays.
@borrowing_kernel
def make_step(  # noqa: C901, PLR0912, PLR0913 - see above
    terms: CollisionTerms,
    drivers: Drivers,
    method: RosenbrockMethod,
    point: Point,
    piece: int,
    span: tuple[float, float, float],
    limits: Limits,
    room: Room,
    after: Array,
    bend: Array,
) -> tuple[float, int, bool]:
    """Make a step and leave the new state in ``room``.

    Parameters
    ----------
    terms : CollisionTerms
        Collisions in net form.
    drivers : Drivers
        Everything outside the disk.
    method : RosenbrockMethod
        Integration method.
    point : Point
        From :func:`take_derivatives` at the begin of the step.
    piece : int
        Bin in which s_blow lies.
    span : tuple of float
        t, h, and the last time at which the drivers may be evaluated [s].
    limits : Limits
        With the accuracy.
    room : Room
        Buffers, with the state at the begin of the step in ``y``.
    after : (size,) array
        Overwritten by the new state.
    bend : (3, size) array
        Overwritten by the difference of the dense output from a straight line.

    Returns
    -------
    error : float
        In units of what is allowed.
    removed : int
        Number of negative bins that were set to zero, or -1 if they lacked too much.
    clamped : bool
        Whether <Q_pr> was clamped.
    """
    t, h, t_last = span
    tau_weight = room.tau_weight
    later_weight = room.tau_weight_stage
    n = tau_weight.size
    stages = method.alpha.size
    feedback = drivers.feedback
    linear = drivers.linear
    rule = drivers.blowout
    U = room.U
    S = room.S
    S_lit = room.S_lit
    S_stage = room.S_stage
    entries = room.entries
    blocks = room.J.shape[0]
    y = room.y.eights
    y_new = room.y_new.flat
    f = room.f.eights
    f_t = room.f_t.eights
    spare = room.spare.eights
    response = room.response.flat
    ledger = 8 * blocks
    ln_f = 8 * blocks + ENTRIES
    fed_back = feedback.rate > 0.0
    clamped = False
    pivot = 1.0
    shift = 1.0 / (method.gamma * h)
    _factorise_step(point.speed, linear, shift, room)
    shade = 1.0
    if point.blowout_per_tau != 0.0:
        # a correction of rank one: the light that reaches a bin depends on all bins
        copy(room.response_to_tau.eights, room.blowout_per_tau.eights)
        substitute(room.M, room.lower, room.response_to_tau.eights)
        shade += weighted_sum(room.response_to_tau.flat, tau_weight)
        if not shade > 0.0:
            return math.nan, 0, False
    if fed_back:
        # one more row and column, eliminated last
        for k in range(n):
            response[k] = linear.shares[k]
        substitute(room.M, room.lower, room.response.eights)
        if point.blowout_per_tau != 0.0:
            _dim(response, shade, room)
        pivot = shift + point.pull * point.supply * weighted_sum(response, tau_weight)
    speed = point.speed
    supply = point.supply
    for i in range(stages):
        b = room.U_flat[i]
        for k in range(blocks + 1):
            state = load(y, k)
            for j in range(i):
                state = plus(state, times(method.a[i, j], load_from(U, j, k, 0)))
            store(room.y_new.eights, k, 0, state)
        if i == 0:
            copy(U[0], f)
        else:
            if method.alpha[i] != method.alpha[i - 1]:
                driven = drive(drivers, min(t + method.alpha[i] * h, t_last))
                speed = point.subliming * driven.speed
                supply = point.supplying * driven.supply
                clamped = clamped or driven.clamped
                set_blowout_rates(rule, piece, driven.s_blow, S_lit, driven.s_low)
                if drivers.opacity.T.size > 1:
                    set_tau_per_mass(drivers.opacity, driven.T, later_weight)
            share = point.blowing
            if rule.attenuated:
                share *= lit_share(weighted_sum(y_new, later_weight))[0]
            for k in range(n):
                S_stage[k] = share * S_lit[k]
            fed = supply
            # clear the padding, too: a step that overflowed left NaN there
            store_to(U, i, blocks - 1, 0, ZERO)
            store_to(U, i, blocks, 0, ZERO)
            if fed_back:
                fed *= math.exp(y_new[ln_f])
                b[ln_f] = point.pull * (feedback.tau_target - weighted_sum(y_new, later_weight))
            if point.colliding == 0.0:
                b[:n] = 0.0
            else:
                mass_rate(room.y_new, terms, point.busiest, room.scratch, b)
            add_linear_rates(linear, S_stage, speed, 1.0, fed, y_new, b)
            set_ledger_rates(
                linear, point.unbound_below, S_stage, speed, 1.0, fed, y_new, b[ledger:]
            )
        for j in range(i):
            room.weights[j] = method.C[i, j] / h
        for k in range(blocks + 1):
            right = plus(load_from(U, i, k, 0), times(h * method.g[i], load(f_t, k)))
            for j in range(i):
                right = plus(right, times(room.weights[j], load_from(U, j, k, 0)))
            store_to(U, i, k, 0, right)
        substitute(room.M, room.lower, U[i])
        if point.blowout_per_tau != 0.0:
            _dim(b, shade, room)
        supplied = 0.0
        if fed_back:
            b[ln_f] = (b[ln_f] - point.pull * weighted_sum(b, tau_weight)) / pivot
            supplied = point.supply * b[ln_f]
            for k in range(n):
                b[k] += supplied * response[k]
        set_ledger_rates(linear, point.unbound_below, S, point.speed, 1.0, supplied, b, entries)
        if point.blowout_per_tau != 0.0:
            entries[BLOWOUT] += point.blowout_per_tau * weighted_sum(b, tau_weight)
        for k in range(ENTRIES):
            b[ledger + k] = (b[ledger + k] + entries[k]) / shift
    for k in range(blocks + 1):
        state = plus(load(room.y_new.eights, k), load_from(U, stages - 1, k, 0))
        store(room.y_new.eights, k, 0, state)
    least = least_error(room.y.flat, n, limits)
    error = error_norm(room.y.flat, y_new, room.U_flat[stages - 1], ln_f, after.size, least, limits)
    if not error <= 1.0:
        return error, 0, clamped
    removed = remove_negatives(y_new, n, n * least)
    pack(y_new, n, after)
    for i in range(3):
        for k in range(blocks + 1):
            v = times(method.D[i, 0], load_from(U, 0, k, 0))
            for j in range(1, stages):
                v = plus(v, times(method.D[i, j], load_from(U, j, k, 0)))
            store(spare, k, 0, v)
        pack(room.spare.flat, n, bend[i])
    return error, removed, clamped
