"""A ledger that does not close: which process lost the mass to round-off, and what cures it."""

from collections.abc import Callable

import numpy as np

from ._jit import interpreted
from .config import RunConfig
from .config_sections import Numerics
from .physics.grid import Array
from .physics.sublimation import shrinking_speed_and_slope
from .physics.temperature import temperature_and_slope
from .solver.drivers import Drivers, gates
from .solver.trajectory import Trajectory, imbalance

LEDGER_LIMIT = 1e-10  # of start and supply; a run that loses more than this to round-off is no result
CLOSING_ATOL: float = Numerics.model_fields["atol"].default  #: with which the ledger closes, whatever empties the bins
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
    rates = _linear_rates(drivers, begin, mode)
    rates[COLLISIONS] = interpreted(gates)(drivers, mode)[0] * collision_rate(begin, path.y[step, : path.bins])
    process, rate = max(rates.items(), key=lambda of: of[1])
    often = f"in the step at t = {begin:.6g} s, {process} would empty a bin {rate * (end - begin):.0e} times, which double precision cannot balance"
    return f"{often}; {_cure(config, process, path.ledger_error)}"


def _linear_rates(drivers: Drivers, t: float, mode: int) -> dict[str, float]:
    """Largest rate [1/s] at which each loss empties a bin."""
    T = interpreted(temperature_and_slope)(drivers.temperature, t)[0]
    linear = drivers.linear
    _, _, blowing, subliming = interpreted(gates)(drivers, mode)
    speed = subliming * shrinking_speed_and_slope(drivers.vapour, drivers.heating * T)[0] if drivers.heating else 0.0
    return {
        "blow-out": blowing * drivers.blowout.rate,
        "sublimation": speed * float((linear.evaporated + linear.down).max()),
        "gas drag": float(linear.drag.max()),
    }


def _cure(config: RunConfig, process: str, error: float) -> str:
    if process == COLLISIONS:
        i0 = config.dynamics.i0
        return f"raise dynamics.i0 from {i0:g} to {min(i0 * 10.0 * error / LEDGER_LIMIT, 1.0):.0e}"
    atol = config.numerics.atol
    return f"lower numerics.atol from {atol:g} to {min(0.01 * atol, CLOSING_ATOL):g}"
