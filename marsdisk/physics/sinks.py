"""Rates at which single bins are emptied: blow-out under the sharp rule, sublimation of whole grains, gas drag."""

import math

import numpy as np

from .grid import Array


def blowout_sink_vector(x: Array, s_blow: float, t_blow: float, *, enabled: bool = True) -> Array:
    """S_k [1/s], shape (n,): 1/t_blow for every bin whose ``x`` is at or below the blow-out size, 0 for the others.

    A bin is emptied as a whole as soon as its smallest grains are unbound; the solver has a rule
    that is continuous in ``s_blow``.

    Parameters
    ----------
    x : (n,) m, lower edges of the bins, or their centres where no edges are known
    s_blow : m
    t_blow : s; without a finite, positive time nothing is blown out
    """
    acts = enabled and 0.0 < t_blow < math.inf
    return np.where(x <= s_blow * (1.0 + 1e-12), 1.0 / t_blow, 0.0) if acts else np.zeros(x.size)


def sublimation_sink_rates(sizes: Array, ds_dt: float) -> Array:
    """S_k = |ds/dt|/s_k [1/s], shape (n,), of grains of radius ``sizes`` [m] that shrink at ``ds_dt`` [m/s]; 0 unless they shrink.

    Whole grains are removed, at a third of the mass rate of a shrinking sphere.
    """
    if not -math.inf < ds_dt < 0.0:
        return np.zeros(sizes.size)
    return np.divide(-ds_dt, sizes, out=np.zeros(sizes.size), where=sizes > 0.0)


def gas_drag_rates(sizes: Array, rho: float, rho_g: float, c_s: float = 500.0) -> Array:
    """1/t_drag = rho_g c_s/(rho s_k) [1/s], shape (n,): a bin is lost in the stopping time of its grains (Epstein regime).

    Parameters
    ----------
    sizes : (n,) m
    rho, rho_g : kg/m3, of the grains and of the gas
    c_s : m/s, speed of sound
    """
    rates: Array = rho_g * c_s / (rho * sizes)
    return rates
