"""Radiation pressure of hot Mars: beta, the exact blow-out size and the blow-out time."""

import functools
import math
from typing import NamedTuple

import numpy as np

from .._jit import inlined_helper, inlined_kernel
from .constants import C_LIGHT, M_MARS, R_MARS, SIGMA_SB, G
from .grid import Array
from .qpr_table import QprTable

CHI_RANGE = (0.5, 2.0)
# d ln Q / d ln s of grains far smaller than the light's wavelength, nearly 1: below it beta no
# longer grows
STEEP = 0.9


class RadiationPressure(NamedTuple):
    """All that s_blow(T_M) depends on, as plain data for compiled code."""

    #: 3 sigma R_M^2 / (2 G M_M c rho) [m K^-4], so that s_blow = strength T^4 <Q_pr>(s_blow, T)
    strength: float
    log_s: Array  #: (sizes,) ln m, increasing
    s: Array  #: (sizes,) m
    T: Array  #: (temperatures,) K, increasing
    Q: Array  #: (temperatures, sizes) <Q_pr>
    Q_max: float  #: largest entry of Q


@functools.lru_cache(maxsize=16)
def radiation_pressure(rho: float, Q_pr: QprTable | float) -> RadiationPressure:
    """Return the radiation pressure on grains.

    Parameters
    ----------
    rho : float
        Density of the grains [kg/m3].
    Q_pr : QprTable or float
        A table of <Q_pr>, or one value for all grains.
    """
    strength = 3.0 * SIGMA_SB * R_MARS**2 / (2.0 * G * M_MARS * C_LIGHT * rho)
    if isinstance(Q_pr, QprTable):
        log_s = np.array(Q_pr.log_s, dtype=np.float64)
        T = np.array(Q_pr.T, dtype=np.float64)
        Q = np.array(Q_pr.Q, dtype=np.float64)
    else:
        log_s = np.log([1e-30, 1e30])
        T = np.array([1.0, 1e6])
        Q = np.full((2, 2), float(Q_pr))
    return RadiationPressure(strength, log_s, np.exp(log_s), T, Q, float(Q.max()))


def beta(s: Array | float, rho: float, T_M: float, Q: Array | float) -> Array | float:
    """Return radiation pressure over gravity (Burns et al. 1979).

    Parameters
    ----------
    s : float or array
        Radius of the grains [m].
    rho : float
        Their density [kg/m3].
    T_M : float
        Temperature of Mars [K].
    Q : float or array
        <Q_pr> of each grain.
    """
    return 3.0 * SIGMA_SB * T_M**4 * R_MARS**2 * Q / (4.0 * G * M_MARS * C_LIGHT * rho * s)


@inlined_helper
def _locate_temperature(
    pressure: RadiationPressure, T: float
) -> tuple[float, int, float, float, bool]:
    """Return what both equations for s need at ``T`` [K].

    Returns
    -------
    K : float
        strength T^4 [m].
    row : int
        Row of the table at or below ``T``.
    width : float
        Temperature from this row to the next [K].
    fraction : float
        Of the width, at which ``T``, clamped to the table, lies.
    outside : bool
        Whether ``T`` was clamped.
    """
    K = pressure.strength * T**4.0
    last_T = pressure.T.size - 1
    T_in = min(max(T, pressure.T[0]), pressure.T[last_T])
    row = min(max(int(np.searchsorted(pressure.T, T_in)) - 1, 0), last_T - 1)
    width = pressure.T[row + 1] - pressure.T[row]
    f = (T_in - pressure.T[row]) / width
    return K, row, width, f, T_in != T


@inlined_kernel
def blowout_size(pressure: RadiationPressure, T: float) -> tuple[float, float, bool]:
    """Return the largest size with beta = 0.5, and its slope.

    Solves s = K <Q_pr>(s, T), K = strength T^4 (Strubbe & Chiang 2006), exactly on <Q_pr> linear in
    ln s and T.

    Parameters
    ----------
    pressure : RadiationPressure
        Radiation pressure on the grains.
    T : float
        Temperature of Mars [K].

    Returns
    -------
    s_blow : float
        The size [m]; 0 if no grain is unbound.
    log_slope : float
        d ln s_blow / d ln T.
    clamped : bool
        Whether a value beyond the range of the table was needed.
    """
    K, row, width, f, outside = _locate_temperature(pressure, T)
    low = pressure.Q[row]
    high = pressure.Q[row + 1]
    n = pressure.log_s.size
    clamped = outside

    Q_up = low[n - 1] + f * (high[n - 1] - low[n - 1])
    x = math.log(K * Q_up)
    i = n - 1
    slope = 0.0
    if x < pressure.log_s[n - 1]:
        # no grain larger than node `top` is unbound
        node = int(np.searchsorted(pressure.s, K * pressure.Q_max, side="right"))
        top = min(max(node, 1), n - 1)
        Q_up = low[top] + f * (high[top] - low[top])
        # from large to small: the first root met is the largest
        for i in range(top - 1, -1, -1):
            x_i = pressure.log_s[i]
            x_up = pressure.log_s[i + 1]
            Q_i = low[i] + f * (high[i] - low[i])
            slope = (Q_up - Q_i) / (x_up - x_i)
            # K Q - s is concave in ln s and negative at x_up: a root lies here if it is positive at
            # x_i or at its summit s = K slope
            has_root = K * Q_i >= pressure.s[i]
            if not has_root and pressure.s[i] < K * slope < pressure.s[i + 1]:
                has_root = Q_i + slope * (math.log(K * slope) - x_i) >= slope
            if has_root:
                x = x_up if slope != 0.0 else math.log(K * Q_i)
                # Newton from the right of a concave function falls onto the root without overshoot
                for _ in range(60):
                    s = math.exp(x)
                    step = (K * (Q_i + slope * (x - x_i)) - s) / (K * slope - s)
                    x -= step
                    if abs(step) <= 1e-15:
                        break
                break
            Q_up = Q_i
        else:
            if slope >= STEEP * Q_up:
                return 0.0, 0.0, clamped
            x = math.log(K * Q_up)
            slope = 0.0
            clamped = True
    else:
        clamped = True
    s_blow = math.exp(x)
    Q = s_blow / K
    # implicit differentiation of ln s = ln K(T) + ln Q(ln s, T)
    dQ_dT = 0.0
    if not outside:
        j = min(i, n - 2)
        g = min(
            max((x - pressure.log_s[j]) / (pressure.log_s[j + 1] - pressure.log_s[j]), 0.0), 1.0
        )
        dQ_dT = ((high[j] - low[j]) * (1.0 - g) + (high[j + 1] - low[j + 1]) * g) / width
    return s_blow, (4.0 + T * dQ_dT / Q) / (1.0 - slope / Q), clamped


@inlined_kernel
def smallest_unbound_size(
    pressure: RadiationPressure, T: float, s_blow: float
) -> tuple[float, float]:
    """Return the lower end of the window of unbound sizes that ends at s_blow, and its slope.

    Light pushes grains much smaller than its wavelength less the smaller they are, until they are
    bound again. Solves the same equation as :func:`blowout_size` for the next smaller size.

    Parameters
    ----------
    pressure : RadiationPressure
        Radiation pressure on the grains.
    T : float
        Temperature of Mars [K].
    s_blow : float
        Blow-out size at that temperature [m].

    Returns
    -------
    s_low : float
        The size [m]; 0 if all grains below s_blow are unbound, as far as the table reaches.
    log_slope : float
        d ln s_low / d ln T.
    """
    if s_blow <= 0.0:
        return 0.0, 0.0
    K, row, width, f, outside = _locate_temperature(pressure, T)
    low = pressure.Q[row]
    high = pressure.Q[row + 1]
    n = pressure.log_s.size
    i = min(int(np.searchsorted(pressure.s, s_blow)) - 1, n - 2)
    while i >= 0 and K * (low[i] + f * (high[i] - low[i])) >= pressure.s[i]:
        i -= 1
    if i < 0:
        return 0.0, 0.0
    Q_i = low[i] + f * (high[i] - low[i])
    Q_up = low[i + 1] + f * (high[i + 1] - low[i + 1])
    slope = (Q_up - Q_i) / (pressure.log_s[i + 1] - pressure.log_s[i])
    x = pressure.log_s[i]
    # Newton from the left of a concave function climbs to the root without overshoot
    for _ in range(60):
        s = math.exp(x)
        rise = K * slope - s
        if rise <= 0.0:
            break
        step = (K * (Q_i + slope * (x - pressure.log_s[i])) - s) / rise
        x -= step
        if abs(step) <= 1e-15:
            break
    x = min(x, math.log(s_blow))
    Q = math.exp(x) / K
    dQ_dT = 0.0
    if not outside:
        g = (x - pressure.log_s[i]) / (pressure.log_s[i + 1] - pressure.log_s[i])
        dQ_dT = ((high[i] - low[i]) * (1.0 - g) + (high[i + 1] - low[i + 1]) * g) / width
    if slope == Q:
        return math.exp(x), 0.0
    return math.exp(x), (4.0 + T * dQ_dT / Q) / (1.0 - slope / Q)


def chi_auto(beta_min: float, Q: float) -> float:
    """Return the blow-out time in units of 1/Omega (an empirical closure of earlier work).

    Parameters
    ----------
    beta_min, Q : float
        beta and <Q_pr> of the smallest grains.
    """
    b = beta_min if math.isfinite(beta_min) and beta_min > 0.0 else 0.5
    q = Q if math.isfinite(Q) and Q > 0.0 else 1.0
    chi = max(0.1, 1.0 / (1.0 + 0.5 * (b / 0.5 - 1.0))) * min(max(q, 0.5), 1.5)
    return min(max(chi, CHI_RANGE[0]), CHI_RANGE[1])


def blowout_time(chi: float, omega: float) -> float:
    """Return t_blow = chi/Omega [s], chi limited to [0.5, 2]."""
    return min(max(chi, CHI_RANGE[0]), CHI_RANGE[1]) / omega
