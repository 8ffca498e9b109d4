"""How often two bins collide (Krivov et al. 2006): grains on Gaussian vertical profiles, no gravitational focusing."""

import math

import numpy as np

from .grid import Array


def rate_coefficient(area: Array, H: Array | float, v_rel: Array | float) -> Array:
    """K [m2/s] in the event rate K N_i N_j / (1 + delta_ij) per m2 of disk.

    Parameters
    ----------
    area : (n, n) m2, pi (s_i + s_j)^2
    H : scalar or (n,) m, scale height per bin
    v_rel : scalar or (n, n) m/s
    """
    H = np.asarray(H, dtype=np.float64)
    spread = np.hypot(H[:, None], H[None, :]) if H.ndim else math.sqrt(2.0) * H
    coefficient: Array = area * v_rel / (math.sqrt(2.0 * math.pi) * spread)
    return coefficient


def compute_collision_kernel_C1(N: Array, s: Array, H: Array | float, v_rel: Array | float) -> Array:
    """Collision events C_ij [1/(m2 s)] between bins i and j; the diagonal carries the factor 1/2.

    Parameters
    ----------
    N : (n,) 1/m2
    s : (n,) m
    H : scalar or (n,) m
    v_rel : scalar or (n, n) m/s

    Raises
    ------
    ValueError
        Wrong shapes, negative N or v_rel, s or H not positive, anything not finite.
    """
    n = s.size
    if N.shape != (n,) or np.shape(H) not in {(), (n,)} or np.shape(v_rel) not in {(), (n, n)}:
        raise ValueError(f"shapes must be N ({n},), H () or ({n},), v_rel () or ({n}, {n}); got {N.shape}, {np.shape(H)}, {np.shape(v_rel)}")
    for name, values, bound in (("N", N, 0.0), ("v_rel", v_rel, 0.0), ("s", s, None), ("H", H, None)):
        array = np.asarray(values)
        if not np.all(np.isfinite(array)) or np.any(array < 0.0 if bound == 0.0 else array <= 0.0):
            raise ValueError(f"{name} must be finite and {'not negative' if bound == 0.0 else 'positive'}")
    events = rate_coefficient(math.pi * np.add.outer(s, s) ** 2, H, v_rel) * np.outer(N, N)
    np.fill_diagonal(events, 0.5 * np.diagonal(events))
    return events
