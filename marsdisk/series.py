"""The series of a result: what drives the disk and what acts in it, at the times that are looked at."""

from typing import Any, NamedTuple

import numpy as np

from .config import RunConfig
from .physics.collide import rate_coefficient
from .physics.constants import M_MARS
from .physics.grid import Array
from .physics.sublimation import grain_heating
from .solver.drivers import BLOWOUT, OTHER, SUBLIMATION, SUPPLIED

HELD = 1e-12  #: share of the mass that a bin must hold to count as one with mass
ROWS = (
    *("Sigma", "tau_los", "Phi", "Sigma_tau1", "T_M", "s_blow", "blown", "otherwise"),
    *(
        "kappa",
        "supply_nominal",
        "supply_applied",
        "supply_feedback",
        "ds_dt",
        "t_blow",
        "phase",
        "gates",
    ),
)  #: of :func:`marsdisk.solver.sample.look`


class Moving(NamedTuple):
    """How grains move at the times of the series."""

    e: Array
    v_rel: Array  #: m/s
    H: Array  #: m


def series_of(
    config: RunConfig,
    looked: Array,
    ledger: Array,
    *,
    r: float,
    area: float,
    moving: Moving,
    t_coll: Array,
) -> dict[str, Any]:
    """All series of a result by their names, but the times.

    Parameters
    ----------
    config : RunConfig
        Of the run.
    looked : (16, samples) array
        Of :func:`marsdisk.solver.sample.look`.
    ledger : (samples, 4) array
        Mass lost by each channel and mass supplied until then [kg/m2].
    r, area : float
        Radius [m] and area [m2] of the annulus.
    moving : Moving
        How grains move.
    t_coll : (2, samples) array
        Of :func:`collision_times`.

    Returns
    -------
    dict of str to array
        Each (samples,), in the units that :class:`marsdisk.result.RunResult` gives.
    """
    rows = dict(zip(ROWS, looked, strict=True))
    to_mars = area / M_MARS
    rates = {
        "M_out_dot": rows.pop("blown") * to_mars,
        "M_sink_dot": rows.pop("otherwise") * to_mars,
    }
    lost = ledger[:, BLOWOUT] + ledger[:, SUBLIMATION] + ledger[:, OTHER]
    totals = {
        "M_loss_cum": lost * to_mars,
        "M_loss_blowout_cum": ledger[:, BLOWOUT] * to_mars,
        "M_loss_sublimation_cum": ledger[:, SUBLIMATION] * to_mars,
        "M_loss_other_cum": ledger[:, OTHER] * to_mars,
        "M_supplied_cum": ledger[:, SUPPLIED] * to_mars,
    }
    return {
        **rows,
        **rates,
        **totals,
        "e": moving.e,
        "v_rel": moving.v_rel,
        "T_grain": grain_heating(r, config.sublimation.Q_abs) * rows["T_M"],
        "t_coll_smallest": t_coll[0],
        "t_coll_largest": t_coll[1],
        "phase": rows["phase"].astype(np.uint8),
        "gates": rows["gates"].astype(np.uint8),
    }


def collision_times(N: Array, masses: Array, sizes: Array, moving: Moving, collide: Array) -> Array:
    """Mean time between two collisions of a grain of the smallest and of the largest size that there is.

    Parameters
    ----------
    N : (samples, n) array
        Grains per area [1/m2] in each bin.
    masses, sizes : (n,) arrays
        Of a grain in each bin [kg], [m].
    moving : Moving
        How grains move.
    collide : (samples,) array of bool
        Whether collisions may act.

    Returns
    -------
    (2, samples) array
        In s; NaN where nothing collides. A size is there if its bin holds more than :data:`HELD`
        of the mass.
    """
    held = N * masses > HELD * (N @ masses)[:, None]
    last = sizes.size - 1
    bins = np.array([held.argmax(axis=1), last - held[:, ::-1].argmax(axis=1)])
    areas = np.pi * (sizes[bins][:, :, None] + sizes) ** 2
    gathered = np.sum(areas * N, axis=2)
    per_area = rate_coefficient(np.ones(1), 1.0, 1.0) * moving.v_rel / moving.H
    rates = np.where(collide, gathered * per_area, 0.0)
    times = np.full(rates.shape, np.nan)
    with np.errstate(over="ignore"):  # longer than any number
        np.divide(1.0, rates, out=times, where=rates > 0.0)
    return times
