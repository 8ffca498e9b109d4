"""A ledger that does not close: which process lost the mass to round-off, and what cures it."""

from collections.abc import Callable

import numpy as np

from ._jit import interpreted
from .config import RunConfig
from .config_errors import bound
from .config_sections import Numerics
from .physics.grid import Array
from .physics.radiation import blowout_size
from .physics.sublimation import shrinking_speed_and_slope
from .physics.temperature import temperature_and_slope
from .solver.drivers import Drivers, gates, set_blowout_rates
from .solver.trajectory import Trajectory, imbalance

LEDGER_LIMIT = 1e-10  # of start and supply; a run that loses more than this to round-off is no result
_ATOL = Numerics.model_fields["atol"]
CLOSING_ATOL: float = _ATOL.default  #: with which the ledger closes, whatever empties the bins
LEAST_ATOL = bound(_ATOL, "ge")
COLLISIONS = "collisions"


def explain_imbalance(config: RunConfig, path: Trajectory, drivers: Drivers, collision_rate: Callable[[float, Array], float]) -> str:
    """Say where a ledger that does not close was broken, and what to do.

    Parameters
    ----------
    config : RunConfig
        Of the run.
    path : Trajectory
        All of it.
    drivers : Drivers
        What acted besides collisions.
    collision_rate : callable
        Given a time [s] and the mass per bin then, (n,) kg/m2, the largest rate [1/s] at which
        collisions empty a bin.

    Returns
    -------
    str
        The process that empties bins most often within the step that lost most, and a cure.
    """
    step = int(np.argmax(np.abs(np.diff(imbalance(path)))))
    begin, end = path.t[step], path.t[step + 1]
    mode = int(path.mode[step])
    colliding, _, _, _ = interpreted(gates)(drivers, mode)
    rates = _linear_rates(drivers, begin, int(path.piece[step]), mode)
    rates[COLLISIONS] = colliding * collision_rate(begin, path.y[step, : path.bins])
    process = max(rates, key=rates.__getitem__)
    times = rates[process] * (end - begin)
    problem = f"in the step at t = {begin:.6g} s, {process} would empty a bin {times:.0e} times"
    return f"{problem}, which double precision cannot balance; {_cure(config, process, path.ledger_error)}"


def _linear_rates(drivers: Drivers, t: float, piece: int, mode: int) -> dict[str, float]:
    """Largest rate [1/s] at which each loss empties a bin."""
    linear, rule = drivers.linear, drivers.blowout
    T = interpreted(temperature_and_slope)(drivers.temperature, t)[0]
    _, _, blowing, subliming = interpreted(gates)(drivers, mode)
    S = np.zeros(linear.drag.size)
    interpreted(set_blowout_rates)(rule, piece, interpreted(blowout_size)(drivers.pressure, T)[0], S)
    speed = 0.0
    if drivers.heating != 0.0:
        speed = subliming * shrinking_speed_and_slope(drivers.vapour, drivers.heating * T)[0]
    return {
        "blow-out": blowing * float(S.max()),
        "sublimation": speed * float((linear.evaporated + linear.down).max()),
        "gas drag": float(linear.drag.max()),
    }


def _cure(config: RunConfig, process: str, error: float) -> str:
    """What to change in the configuration, within what its keys take."""
    if process != COLLISIONS:
        atol = config.numerics.atol
        tighter = max(min(0.01 * atol, CLOSING_ATOL), LEAST_ATOL)
        if tighter < atol:
            return f"lower numerics.atol from {atol:g} to {tighter:g}"
        return f"numerics.atol = {atol:g} is as low as it can be; end the run earlier or change what acts in it"
    fixed = config.dynamics.H_fixed_over_a
    key, value = ("i0", config.dynamics.i0) if fixed is None else ("H_fixed_over_a", fixed)
    higher = min(value * 10.0 * error / LEDGER_LIMIT, 1.0)
    if float(f"{higher:.0e}") > value:
        return f"raise dynamics.{key} from {value:g} to {higher:.0e}"
    return f"dynamics.{key} = {value:g} is as high as it can be; end the run earlier or take a thinner disk"
