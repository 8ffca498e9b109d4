"""The series of a result: what drives the disk and what acts in it, at the sampled times."""

from typing import Any, NamedTuple

import numpy as np

from ..config import RunConfig
from ..physics.collide import rate_coefficient
from ..physics.constants import M_MARS
from ..physics.grid import Array
from ..physics.sublimation import grain_heating
from ..solver.drivers import BLOWOUT, OTHER, SUBLIMATION, SUPPLIED

#: Share of the mass that a bin holds at least to count as one with mass.
MIN_SHARE = 1e-12
#: Rows of :func:`marsdisk.solver.sample.look`.
ROWS = (
    "Sigma",
    "tau_los",
    "Phi",
    "Sigma_tau1",
    "T_M",
    "s_blow",
    "blown",
    "otherwise",
    "kappa",
    "supply_nominal",
    "supply_applied",
    "supply_feedback",
    "ds_dt",
    "t_blow",
    "phase",
    "gates",
)


class MotionSeries(NamedTuple):
    """Motion of the grains at the times of the series."""

    e: Array  #: (samples,)
    v_rel: Array  #: (samples,) m/s
    H: Array  #: (samples,) m


def series_of(
    config: RunConfig,
    samples: Array,
    ledger: Array,
    *,
    r: float,
    area: float,
    motion: MotionSeries,
    t_coll: Array,
) -> dict[str, Any]:
    """Return all series of a result but the times, by their names.

    Parameters
    ----------
    config : RunConfig
        The run.
    samples : (16, samples) array
        By :func:`marsdisk.solver.sample.look`.
    ledger : (samples, 4) array
        Mass lost by each channel and mass supplied until then [kg/m2].
    r, area : float
        Radius [m] and area [m2] of the annulus.
    motion : MotionSeries
        How grains move.
    t_coll : (2, samples) array
        By :func:`collision_times` [s].

    Returns
    -------
    dict of str to array
        Each (samples,), in the units that :class:`marsdisk.result.RunResult` gives.
    """
    rows = dict(zip(ROWS, samples, strict=True))
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
        "e": motion.e,
        "v_rel": motion.v_rel,
        "T_grain": grain_heating(r, config.sublimation.Q_abs) * rows["T_M"],
        "t_coll_smallest": t_coll[0],
        "t_coll_largest": t_coll[1],
        "phase": rows["phase"].astype(np.uint8),
        "gates": rows["gates"].astype(np.uint8),
    }


def collision_times(
    N: Array, masses: Array, sizes: Array, motion: MotionSeries, collide: Array
) -> Array:
    """Return the mean times between two collisions of a smallest and of a largest grain.

    Parameters
    ----------
    N : (samples, n) array
        Grains per area [1/m2] in each bin.
    masses, sizes : (n,) arrays
        Mass [kg] and radius [m] of a grain of each bin.
    motion : MotionSeries
        How grains move.
    collide : (samples,) array of bool
        Whether collisions may act.

    Returns
    -------
    (2, samples) array
        In s; NaN where nothing collides. The smallest and the largest size are those of the bins
        that hold more than :data:`MIN_SHARE` of the mass.
    """
    has_mass = N * masses > MIN_SHARE * (N @ masses)[:, None]
    smallest = has_mass.argmax(axis=1)
    largest = sizes.size - 1 - has_mass[:, ::-1].argmax(axis=1)
    bins = np.array([smallest, largest])
    areas = np.pi * (sizes[bins][:, :, None] + sizes) ** 2
    area_of_others = np.sum(areas * N, axis=2)
    rate_per_area = rate_coefficient(np.ones(1), 1.0, 1.0) * motion.v_rel / motion.H
    rates = np.where(collide, area_of_others * rate_per_area, 0.0)
    times = np.full(rates.shape, np.nan)
    # a time may be longer than the largest number
    with np.errstate(over="ignore"):
        np.divide(1.0, rates, out=times, where=rates > 0.0)
    return times
