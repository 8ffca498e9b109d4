"""A ledger that does not close: which process loses mass to round-off, and how to cure it."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from .._jit import interpreted
from ..config import RunConfig, build_config, merge
from ..config.keys import bound
from ..config.sections import Numerics
from ..physics.grid import Array
from ..physics.radiation import blowout_size
from ..physics.sublimation import shrinking_speed_and_slope
from ..physics.temperature import temperature_and_slope
from ..solver.drivers import Drivers, gates, set_blowout_rates
from ..solver.trajectory import Trajectory, imbalance

#: Largest imbalance of a result, over start and supply.
LEDGER_LIMIT = 1e-10
#: Absolute tolerance with which a ledger closes, however fast a bin is emptied.
CLOSING_ATOL: float = Numerics.model_fields["atol"].default
COLLISIONS = "collisions"


def explain_imbalance(
    config: RunConfig,
    path: Trajectory,
    drivers: Drivers,
    collision_rate: Callable[[float, Array], float],
    closes: Callable[[RunConfig], bool],
) -> str:
    """Say where a ledger that does not close was broken, and what to do.

    Parameters
    ----------
    config : RunConfig
        The run.
    path : Trajectory
        Its solution, from start to end.
    drivers : Drivers
        What acted on the disk apart from collisions.
    collision_rate : callable
        Given a time [s] and the mass per bin then, (n,) kg/m2, the largest rate [1/s] at which
        collisions empty a bin.
    closes : callable
        Whether the ledger of a changed configuration closes; every cure is tried by it.

    Returns
    -------
    str
        The process that empties bins fastest in the step that lost most, and a cure.
    """
    step = int(np.argmax(np.abs(np.diff(imbalance(path)))))
    begin = path.t[step]
    end = path.t[step + 1]
    mode = int(path.mode[step])
    colliding, _, _, _ = interpreted(gates)(drivers, mode)
    rates = _linear_rates(drivers, begin, int(path.piece[step]), mode)
    rates[COLLISIONS] = colliding * collision_rate(begin, path.y[step, : path.bins])
    process = max(rates, key=rates.__getitem__)
    times = rates[process] * (end - begin)
    problem = f"in the step at t = {begin:.6g} s, {process} would empty a bin {times:.0e} times"
    advice = (
        "neither lower tolerances nor a thicker disk were found to cure it; end the run earlier, or"
        " change what acts in it"
    )
    for cure in cures(config, process, path.ledger_error):
        if closes(cure.config):
            advice = cure.words
            break
    return f"{problem}, which double precision cannot balance; {advice}"


def _linear_rates(drivers: Drivers, t: float, piece: int, mode: int) -> dict[str, float]:
    """Return the largest rate [1/s] at which each loss empties a bin."""
    linear = drivers.linear
    rule = drivers.blowout
    T = interpreted(temperature_and_slope)(drivers.temperature, t)[0]
    _, _, blowing, subliming = interpreted(gates)(drivers, mode)
    S = np.zeros(linear.drag.size)
    s_blow = interpreted(blowout_size)(drivers.pressure, T)[0]
    # These are the rates in full light, the largest ones.
    interpreted(set_blowout_rates)(rule, piece, s_blow, S)
    speed = 0.0
    if drivers.heating != 0.0:
        speed = subliming * shrinking_speed_and_slope(drivers.vapour, drivers.heating * T)[0]
    return {
        "blow-out": blowing * float(S.max()),
        "sublimation": speed * float((linear.evaporated + linear.down).max()),
        "gas drag": float(linear.drag.max()),
    }


class Cure(NamedTuple):
    """A change of one key that may close a ledger."""

    words: str
    config: RunConfig


def cures(config: RunConfig, process: str, error: float) -> Iterator[Cure]:
    """Yield changes within the bounds of their keys, the most promising first.

    Parameters
    ----------
    config : RunConfig
        The run.
    process : str
        The process that empties bins too fast.
    error : float
        Imbalance of the ledger, over start and supply.
    """
    numerics = config.numerics
    dynamics = config.dynamics
    if process != COLLISIONS:
        yield from _lower(config, "atol", min(0.01 * numerics.atol, CLOSING_ATOL))
    yield from _lower(config, "rtol", 1e-5 * numerics.rtol)
    key = "i0" if dynamics.H_fixed_over_a is None else "H_fixed_over_a"
    value: float = getattr(dynamics, key)
    higher = float(f"{min(value * 10.0 * error / LEDGER_LIMIT, 1.0):.0e}")
    if process == COLLISIONS and higher > value:
        yield Cure(
            f"raise dynamics.{key} from {value:g} to {higher:g}",
            _changed(config, f"dynamics.{key}", higher),
        )


def _lower(config: RunConfig, key: str, value: float) -> Iterator[Cure]:
    """Yield a lower tolerance, unless it is as low as it can be."""
    current: float = getattr(config.numerics, key)
    lower = max(value, bound(Numerics.model_fields[key], "ge"))
    if lower < current:
        yield Cure(
            f"lower numerics.{key} from {current:g} to {lower:g}",
            _changed(config, f"numerics.{key}", lower),
        )


def _changed(config: RunConfig, key: str, value: float) -> RunConfig:
    return build_config(merge(config.model_dump(exclude_unset=True), {key: value}))
