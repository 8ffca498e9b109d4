"""Size distributions as densities per ln s, for figures and the page."""

import numpy as np
from numpy.typing import NDArray

#: Kinds of densities and how an axis names them.
DENSITY_LABELS = {
    "mass": "mass of grains per ln s [kg m-2]",
    "number": "number of grains per ln s [m-2]",
}
#: Fraction of the largest density below which values are round-off of the integration.
ROUND_OFF_FRACTION = 1e-14


def number_density(N: NDArray[np.float64], s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the number of grains per ln s and area.

    Parameters
    ----------
    N : numpy.ndarray
        Grains in each bin per area [m-2], shape (snapshots, bins).
    s : numpy.ndarray
        Grain radii of the bins [m], equally spaced in ln s, shape (bins,).

    Returns
    -------
    numpy.ndarray
        Density [m-2], shape (snapshots, bins).

    Examples
    --------
    >>> import numpy as np
    >>> number_density(np.array([[2.0, 4.0]]), np.array([1.0, np.e]))
    array([[2., 4.]])
    """
    density: NDArray[np.float64] = N / np.log(s[1] / s[0])
    return density


def grain_mass(s: NDArray[np.float64], rho: float) -> NDArray[np.float64]:
    """Return the masses [kg] of spheres with radii ``s`` [m] and density ``rho`` [kg m-3]."""
    mass: NDArray[np.float64] = 4.0 / 3.0 * np.pi * rho * s**3
    return mass
