"""Forsterite where it absorbs next to nothing, for tests of tables of efficiencies."""

import numpy as np

from marsdisk.qpr.optical_constants import OpticalConstants

#: At 295 K, mean of the three axes, where k = 0 or very small: wavelength [um], n (from the shipped
#: tables' source). Longer waves pass the grain (n = 1).
_ROWS = np.transpose(
    [
        [0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0, 2.5, 4.0, 4.001, 100.0],
        [1.8672, 1.7096, 1.6737, 1.6607, 1.6501, 1.6450, 1.6404, 1.6350, 1.6280, 1.5950, 1.0, 1.0],
    ]
)
TRANSPARENT_FORSTERITE = OpticalConstants(
    "mean", _ROWS[:, 0] * 1e-6, _ROWS[:, 1], np.zeros(len(_ROWS))
)
