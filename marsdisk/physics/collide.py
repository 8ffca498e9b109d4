"""How often two bins collide (Krivov et al. 2006).

Grains have Gaussian vertical profiles; gravitational focusing is neglected.
"""

import math
from typing import NamedTuple

import numpy as np

from .._jit import kernel
from .grid import Array, read_only

# Input and requirement for each error code of _fill_events; 0 is no error.
_REQUIREMENTS = (
    ("", ""),
    ("N", "not negative"),
    ("v_rel", "not negative"),
    ("s", "positive"),
    ("H", "positive"),
)


class KernelWorkspace(NamedTuple):
    """Buffers for the collision kernel of n bins. Made by :meth:`for_bins`."""

    grains: Array  #: (3, n) N [1/m2], s [m] and H [m]
    events: Array  #: (n, n) C_ij of the last call [1/(m2 s)]

    @classmethod
    def for_bins(cls, n: int) -> "KernelWorkspace":
        """Return buffers for ``n`` bins."""
        return cls(np.zeros((3, n)), np.zeros((n, n)))


def pair_areas(sizes: Array) -> Array:
    """Return cross-sections pi (s_i + s_j)^2 [m2] of all pairs, (n, n), read-only."""
    area: Array = math.pi * np.add.outer(sizes, sizes) ** 2
    read_only(area)
    return area


def rate_coefficient(area: Array, H: Array | float, v_rel: Array | float) -> Array:
    """Return K [m2/s] in the event rate K N_i N_j / (1 + delta_ij) per m2 of disk.

    Parameters
    ----------
    area : (n, n) array
        pi (s_i + s_j)^2 [m2].
    H : float or (n,) array
        Scale height, of each bin or common to all [m].
    v_rel : float or (n, n) array
        Relative speed [m/s].

    Returns
    -------
    (n, n) array
    """
    H = np.asarray(H, dtype=np.float64)
    spread = np.hypot(H[:, None], H[None, :]) if H.ndim else math.sqrt(2.0) * H
    coefficient: Array = area * v_rel / (math.sqrt(2.0 * math.pi) * spread)
    return coefficient


@kernel
def _fill_events(grains: Array, area: Array, events: Array) -> int:
    """Replace the speeds in ``events`` by C_ij; return 0, or the index of a wrong input."""
    N = grains[0]
    s = grains[1]
    H = grains[2]
    n = N.size
    flat = True
    for k in range(n):
        if not 0.0 <= N[k] < math.inf:
            return 1
    for k in range(n):
        if not 0.0 < s[k] < math.inf:
            return 3
        if not 0.0 < H[k] < math.inf:
            return 4
        flat = flat and H[k] == H[0]
    spread = math.sqrt(2.0) * H[0] if n > 0 else 0.0
    good = True
    for i in range(n):
        for j in range(n):
            good = good and 0.0 <= events[i, j] < math.inf
        if flat:
            for j in range(n):
                events[i, j] = (
                    area[i, j] * events[i, j] / (math.sqrt(2.0 * math.pi) * spread) * (N[i] * N[j])
                )
        else:
            for j in range(n):
                events[i, j] = (
                    area[i, j]
                    * events[i, j]
                    / (math.sqrt(2.0 * math.pi) * math.hypot(H[i], H[j]))
                    * (N[i] * N[j])
                )
        events[i, i] *= 0.5
    return 0 if good else 2


def compute_collision_kernel_C1(  # noqa: N802 - a name fixed by design
    N: Array,
    s: Array,
    H: Array | float,
    v_rel: Array | float,
    *,
    area: Array | None = None,
    workspace: KernelWorkspace | None = None,
) -> Array:
    """Return collision events C_ij [1/(m2 s)] between bins; the diagonal carries the factor 1/2.

    Parameters
    ----------
    N : (n,) array
        Grains per area [1/m2].
    s : (n,) array
        Radii [m].
    H : float or (n,) array
        Scale height [m].
    v_rel : float or (n, n) array
        Relative speed [m/s].
    area : (n, n) array, optional
        :func:`pair_areas` of ``s`` [m2], computed here if not given.
    workspace : KernelWorkspace, optional
        Buffers to use: the result is then their array, valid until the next call.

    Returns
    -------
    (n, n) array

    Raises
    ------
    ValueError
        Wrong shapes, negative N or v_rel, s or H not positive, anything not finite.
    """
    n = s.size
    H_shape = getattr(H, "shape", ())
    v_shape = getattr(v_rel, "shape", ())
    if (
        N.shape != (n,)
        or s.shape != (n,)
        or H_shape not in {(), (n,)}
        or v_shape not in {(), (n, n)}
    ):
        shapes = f"got {N.shape}, {s.shape}, {H_shape}, {v_shape}"
        raise ValueError(
            f"shapes must be N ({n},), s ({n},), H () or ({n},), v_rel () or ({n}, {n}); {shapes}"
        )
    if area is None:
        area = pair_areas(s)
    if workspace is None:
        workspace = KernelWorkspace.for_bins(n)
    grains, events = workspace
    if area.shape != (n, n) or events.shape != (n, n):
        raise ValueError(
            f"area and workspace must be of {n} bins, got {area.shape} and {events.shape}"
        )
    grains[0] = N
    grains[1] = s
    grains[2] = H
    events[:] = v_rel
    error = _fill_events(grains, area, events)
    if error:
        raise ValueError("{} must be finite and {}".format(*_REQUIREMENTS[error]))
    return events
