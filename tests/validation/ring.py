"""The ring that collisional cases share, at 1.85 Mars radii and of one temperature."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from marsdisk.config import RunConfig, build_config
from marsdisk.physics import dynamics, orbit
from marsdisk.physics.constants import M_MARS
from marsdisk.physics.grid import Array
from marsdisk.result import RunResult

R_IN = 1.8  # R_M
R_OUT = 1.9  # R_M
RADIUS = orbit.reference_radius(R_IN, R_OUT)
AREA = orbit.annulus_area(R_IN, R_OUT)
PERIOD = orbit.orbital_period(RADIUS)
RHO = 3270.0  # kg/m3
E0 = 0.3
I0 = 0.15
V_REL = dynamics.dispersion_speed(orbit.keplerian_velocity(RADIUS), E0, I0)

#: Grains of 1.06 um and smaller are unbound and leave in 1200 s.
BASE: Mapping[str, Any] = {
    "disk": {"r_in_RM": R_IN, "r_out_RM": R_OUT},
    "material": {"rho": RHO},
    "dynamics": {"e0": E0, "i0": I0},
    "temperature": {"law": "constant", "T0": 2600.0},
    "radiation": {"Q_pr": 1.0},
    "blowout": {"chi": 0.5},
    "supply": {"mode": "none"},
}


def config_with(**sections: Any) -> RunConfig:
    """Return the configuration of the ring, with sections added or replaced."""
    return build_config({**BASE, **sections})


def strength(ratio: float, exponent: float = 0.0, v_rel: float = V_REL) -> dict[str, Any]:
    """Return the section of a Q_D* ~ s^``exponent`` that is ``ratio`` v_rel^2 at 1 cm.

    Its gravity term, which a law must have, is 1e-300.
    """
    row = [v_rel / 1e3, ratio * v_rel**2 * 0.01**-exponent, -exponent, 1e-300, 0.0]
    return {"table": [row], "units": "si"}


def surface_density(mass: float | Array) -> float | Array:
    """Return the kg/m2 of M_Mars in the ring."""
    return mass * M_MARS / AREA


def number_per_size(result: RunResult, snapshot: int = -1) -> Array:
    """Return dN/ds [1/(m2 m)] of each bin."""
    per_size: Array = result.N[snapshot] / np.diff(result.s_edges)
    return per_size


def fitted_slope(x: Array, y: Array, low: float, high: float) -> float:
    """Return d ln y/d ln x, fitted to the points with x between two bounds."""
    inside = (x > low) & (x < high)
    return float(np.polyfit(np.log(x[inside]), np.log(y[inside]), 1)[0])
