"""The fixed, logarithmic grid of grain sizes."""

import functools
import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def read_only(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """Make an array read-only and return it."""
    array.setflags(write=False)
    return array


def content_version(*arrays: NDArray[np.generic] | float) -> int:
    """Return a 64-bit digest of the float64 bytes.

    Equal for equal content, in any run and on any machine.
    """
    digest = hashlib.blake2b(digest_size=8)
    for array in arrays:
        digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return int.from_bytes(digest.digest(), "big")


@dataclass(frozen=True, eq=False)
class SizeGrid:
    """Bins of grain radius, smallest first. Centres never move."""

    edges: Array  #: (n+1,) m
    sizes: Array  #: (n,) m, geometric mean of the edges
    sizes_version: int
    edges_version: int

    @property
    def widths(self) -> Array:
        """Linear widths of the bins [m], (n,)."""
        return np.diff(self.edges)


@functools.lru_cache(maxsize=16)
def make_grid(s_lo: float, s_hi: float, n_bins: int) -> SizeGrid:
    """Return a grid of ``n_bins`` bins, equally wide in log10 s, between two radii.

    Parameters
    ----------
    s_lo, s_hi : float
        Lowest and highest edge [m].
    n_bins : int
        Number of bins.

    Raises
    ------
    ValueError
        Unless 0 < s_lo < s_hi, both finite.
    """
    if not (0.0 < s_lo < s_hi < math.inf):
        raise ValueError(
            f"sizes must obey 0 < s_lo < s_hi, got s_lo = {s_lo!r} m and s_hi = {s_hi!r} m"
        )
    low = math.log10(s_lo)
    high = math.log10(s_hi)
    edges = 10.0 ** (low + np.arange(n_bins + 1) * (high - low) / n_bins)
    sizes = np.sqrt(edges[:-1] * edges[1:])
    read_only(edges)
    read_only(sizes)
    return SizeGrid(edges, sizes, content_version(sizes), content_version(edges))


def grain_mass(sizes: Array, rho: float) -> Array:
    """Return the mass [kg] of spheres of radius ``sizes`` [m] and density ``rho`` [kg/m3]."""
    return 4.0 / 3.0 * math.pi * rho * sizes**3


def bin_of(edges: Array, sizes: Array | float) -> NDArray[np.int64]:
    """Return the bin of each size [m]: the largest k with edges[k] <= s, clamped to the grid.

    An edge belongs to the bin above it.
    """
    index = np.searchsorted(edges, sizes, side="right") - 1
    return np.clip(index, 0, edges.size - 2).astype(np.int64)
