"""Drivers of a disk that knows only T_M(t), blow-out and a constant supply."""

import numpy as np

from marsdisk.physics.grid import Array, grain_mass
from marsdisk.physics.opacity import geometric_opacity
from marsdisk.physics.phase import never_gated
from marsdisk.physics.radiation import RadiationPressure
from marsdisk.physics.supply import SupplySegment, no_feedback, supply_law
from marsdisk.physics.temperature import TABLE, TemperatureLaw
from marsdisk.physics.vapour import SETS, vapour_of
from marsdisk.solver.drivers import ENTRIES, SUPPLIED, BlowoutRule, Drivers, LinearTerms

RHO = 3270.0  # kg/m3


def plain_drivers(
    law: TemperatureLaw,
    pressure: RadiationPressure,
    edges: Array,
    blowout_rate: float,
    sharp: bool,
    supply: Array,
) -> Drivers:
    """Make drivers without sublimation and drag.

    ``supply`` (n,) in kg/(m2 s), ``blowout_rate`` in 1/s.
    """
    sizes = np.sqrt(edges[1:] * edges[:-1])
    n = edges.size - 1
    rate = float(supply.sum())
    shares = supply / rate if rate > 0.0 else np.full(n, 1.0 / n)
    kinks = law.times[law.times > 0.0] if law.kind == TABLE else np.zeros(0)
    none = np.zeros(n)
    supplied = supply_law([SupplySegment(A=rate)])
    return Drivers(
        law,
        pressure,
        BlowoutRule(edges, blowout_rate, sharp),
        LinearTerms(none, none, none, shares),
        vapour_of(SETS["forsterite"], RHO),
        0.0,
        supplied,
        np.inf,
        kinks,
        never_gated(),
        np.zeros(0),
        no_feedback(),
        geometric_opacity(sizes, grain_mass(sizes, RHO), 1.0),
    )


def dust(y: Array) -> Array:
    """Return the mass per bin [kg/m2] of states (..., n+4)."""
    return y[..., :-ENTRIES]


def lost(y: Array) -> Array:
    """Return the mass lost [kg/m2] of states (..., n+4): the ledger without the supply."""
    total: Array = y[..., -ENTRIES : -ENTRIES + SUPPLIED].sum(axis=-1)
    return total
