"""Efficiencies of spheres by Mie theory, and their Planck means.

It needs the optional package miepython: ``pip install 'marsdisk[qpr]'``.
"""

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..physics.grid import Array
from .optical_constants import OpticalConstants, refine

Progress = Callable[[float], None]

C2 = 1.438776877e-2
"""Second radiation constant h c / k_B [m K] (CODATA 2018)."""

X_LIMIT = 1.0e4
"""Size parameter 2 pi s / lambda above which Q_pr = 1 and Q_ext = 2 (a large opaque sphere).

Q_ext of any sphere is within 0.5 % of 2 by then: one half is light that the sphere intercepts, the
other is light diffracted around it, whose direction changes by about 1/x.

Q_pr makes a step where k = 0 in the data. Such a sphere stays transparent at any size, and its Mie
value at x = 1e4 is that of refracting geometric optics, not 1: for forsterite (n = 1.63, k = 0 at
0.2-2.5 um) 0.41, so Q_pr(lambda) jumps by 0.6 there. A higher switch would not shrink the step but
move it: real grains of this size are opaque through flaws and inclusions. The Planck mean spreads
it over about a decade of s (1 mm to 1 cm at 2000 K), far above any blow-out size.
"""


class Efficiencies(NamedTuple):
    """Cross-sections of a sphere over its geometric one, as spectra or as Planck means.

    Parameters
    ----------
    Q_pr : array
        Radiation pressure, Q_ext - g Q_sca.
    Q_ext : array
        Extinction, Q_abs + Q_sca.
    """

    Q_pr: Array
    Q_ext: Array


LARGE = Efficiencies(np.array(1.0), np.array(2.0))
"""Efficiencies of a sphere beyond `X_LIMIT`."""


def planck_weights(wavelength: Array, T: Array) -> Array:
    """Return weights w (nt, nw) with sum 1 over the wavelengths [m]: w @ Q is the mean at T [K].

    Trapezoid rule in wavelength with B_lambda(T); light of other wavelengths does not count.
    """
    y = C2 / (wavelength * np.asarray(T)[:, None])
    # exp(-y) / (1 - exp(-y)) instead of 1 / expm1(y): no overflow in the Wien tail.
    planck = wavelength**-5 * np.exp(-y) / -np.expm1(-y)
    steps = np.diff(wavelength)
    widths = 0.5 * (np.append(steps, 0.0) + np.insert(steps, 0, 0.0))
    weights: Array = planck * widths
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def compute_spectra(constants: OpticalConstants, s: float) -> Efficiencies:
    """Return the efficiencies (nw,) of a sphere (Bohren and Huffman 1983, section 4.5).

    Parameters
    ----------
    constants : OpticalConstants
        Refractive index of the sphere.
    s : float
        Its radius [m].

    Returns
    -------
    Efficiencies
        At each wavelength; those of `LARGE` where the size parameter exceeds `X_LIMIT`.

    Raises
    ------
    ModuleNotFoundError
        If miepython is not installed.

    Examples
    --------
    >>> glass = OpticalConstants("", np.array([1e-6, 2e-6]), np.array([1.5, 1.5]), np.zeros(2))
    >>> compute_spectra(glass, 1.0).Q_ext
    array([2., 2.])
    """
    mie = load_miepython()
    x = 2.0 * np.pi * s / constants.wavelength
    spectra = Efficiencies(*(np.full_like(x, value) for value in LARGE))
    small = x <= X_LIMIT
    if small.any():
        # miepython takes m = n - ik.
        ext, sca, _, g = mie.efficiencies_mx((constants.n - 1j * constants.k)[small], x[small])
        spectra.Q_ext[small] = ext
        spectra.Q_pr[small] = ext - g * sca
    return spectra


def load_miepython() -> Any:
    """Import miepython with its numba kernels, unless the user's environment forbids them.

    They are about 100 times faster. miepython reads MIEPYTHON_USE_JIT once, when it is first
    imported; the variable is restored afterwards.

    Raises
    ------
    ModuleNotFoundError
        If miepython is not installed.
    """
    if "miepython" in sys.modules:
        return sys.modules["miepython"]
    chosen = os.environ.get("MIEPYTHON_USE_JIT")
    os.environ["MIEPYTHON_USE_JIT"] = "1" if chosen is None else chosen
    try:
        return importlib.import_module("miepython")
    except ModuleNotFoundError as error:
        problem = f"Mie theory needs the optional package {error.name}: pip install 'marsdisk[qpr]'"
        raise ModuleNotFoundError(problem, name=error.name) from error
    finally:
        if chosen is None:
            del os.environ["MIEPYTHON_USE_JIT"]


def compute_planck_means(
    constants: Sequence[OpticalConstants],
    s: npt.ArrayLike,
    T: npt.ArrayLike,
    *,
    progress: Progress | None = None,
) -> Efficiencies:
    """Return Planck means (nt, ns) of the Mie efficiencies, averaged over the axes.

    Parameters
    ----------
    constants : sequence of OpticalConstants
        One per optical axis.
    s : (ns,) array_like
        Grain radii [m].
    T : (nt,) array_like
        Temperatures of the light [K].
    progress : callable, optional
        Called with the fraction done, up to 1.

    Returns
    -------
    Efficiencies
        <Q_pr> and <Q_ext>.

    Raises
    ------
    ModuleNotFoundError
        If miepython is not installed.
    ValueError
        If there are no constants, or a size or temperature is not finite and positive.
    """
    sizes = np.atleast_1d(np.asarray(s, np.float64))
    kelvin = np.atleast_1d(np.asarray(T, np.float64))
    if not constants:
        raise ValueError("no optical constants given")
    for values in (sizes, kelvin):
        if not (np.isfinite(values).all() and (values > 0).all()):
            raise ValueError("sizes s [m] and temperatures T [K] must be finite and positive")
    axes = [refine(axis) for axis in constants]
    costs = [_relative_costs(axis, sizes) for axis in axes]
    total = np.sum(costs)
    done = 0.0
    means = Efficiencies(np.zeros((kelvin.size, sizes.size)), np.zeros((kelvin.size, sizes.size)))
    for axis, cost in zip(axes, costs, strict=True):
        weights = planck_weights(axis.wavelength, kelvin)
        for j, size in enumerate(sizes):
            for mean, spectrum in zip(means, compute_spectra(axis, float(size)), strict=True):
                mean[:, j] += weights @ spectrum
            done += cost[j]
            if progress is not None:
                progress(min(1.0, float(done / total)))
    return Efficiencies(*(mean / len(axes) for mean in means))


def _relative_costs(constants: OpticalConstants, sizes: Array) -> Array:
    """Return the number of terms (ns,) of the Mie sums: about x + 20 for a size parameter x."""
    costs = np.ones_like(sizes)
    for j, size in enumerate(sizes):
        x = 2.0 * np.pi * size / constants.wavelength
        costs[j] += np.where(x <= X_LIMIT, x + 20.0, 0.0).sum()
    return costs
