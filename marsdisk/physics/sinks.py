"""Rates at which single bins are emptied.

Blow-out under the sharp rule, sublimation of whole grains, and gas drag.
"""

import math

import numpy as np

from .grid import Array


def blowout_sink_vector(x: Array, s_blow: float, t_blow: float, *, enabled: bool = True) -> Array:
    """Return S_k [1/s], (n,): 1/t_blow for every bin at or below the blow-out size, else 0.

    A bin is emptied as a whole as soon as its smallest grains are unbound; the solver has a rule
    that is continuous in ``s_blow``.

    Parameters
    ----------
    x : (n,) array
        Lower edges of the bins [m], or their centres where no edges are known.
    s_blow : float
        Blow-out size [m].
    t_blow : float
        Blow-out time [s]; unless it is finite and positive nothing is blown out.
    enabled : bool, optional
        False switches blow-out off.
    """
    if not (enabled and 0.0 < t_blow < math.inf):
        return np.zeros(x.size)
    return np.where(x <= s_blow * (1.0 + 1e-12), 1.0 / t_blow, 0.0)


def sublimation_sink_rates(sizes: Array, ds_dt: float) -> Array:
    """Return S_k = |ds/dt|/s_k [1/s], (n,); 0 unless grains shrink.

    Whole grains are removed, at a third of the mass rate of a shrinking sphere.

    Parameters
    ----------
    sizes : (n,) array
        Radii [m].
    ds_dt : float
        Rate of change of all radii [m/s].
    """
    if not -math.inf < ds_dt < 0.0:
        return np.zeros(sizes.size)
    return np.divide(-ds_dt, sizes, out=np.zeros(sizes.size), where=sizes > 0.0)


def gas_drag_rates(sizes: Array, rho: float, rho_g: float, c_s: float = 500.0) -> Array:
    """Return 1/t_drag = rho_g c_s/(rho s_k) [1/s], (n,), in the Epstein regime.

    A bin is lost in the stopping time of its grains.

    Parameters
    ----------
    sizes : (n,) array
        Radii [m].
    rho, rho_g : float
        Densities of the grains and of the gas [kg/m3].
    c_s : float, optional
        Speed of sound [m/s].
    """
    rates: Array = rho_g * c_s / (rho * sizes)
    return rates
