"""Integration methods as data: a tableau and an order each."""

from typing import NamedTuple

import numpy as np

from ..physics.grid import Array


class RosenbrockMethod(NamedTuple):
    """A linearly implicit (Rosenbrock) method in the form that needs no product with the Jacobian.

    Stage i solves (1/(gamma h) - J) U_i = f(t + alpha_i h, y + sum_j a_ij U_j) + sum_j C_ij U_j / h + h g_i df/dt. The last
    stage is the error estimate, and the new state is the argument of the last stage plus U_last. Dense output at t + x h:
    (1-x) y + x (y_new + (1-x) (p + x q)) with p = sum_j D_0j U_j and q = sum_j D_1j U_j.
    """

    order: int
    gamma: float
    alpha: Array  #: (stages,)
    g: Array  #: (stages,)
    a: Array  #: (stages, stages)
    C: Array  #: (stages, stages)
    D: Array  #: (2, stages)


def _lower(rows: list[list[float]]) -> Array:
    matrix = np.zeros((len(rows), len(rows)))
    for i, row in enumerate(rows):
        matrix[i, : len(row)] = row
    return matrix


_STAGE_5 = [1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950]

#: RODAS: order 4 with an embedded 3, six stages, L-stable, stiffly accurate, dense output of order 3 (Hairer & Wanner 1996, IV.7).
RODAS4 = RosenbrockMethod(
    order=4,
    gamma=0.25,
    alpha=np.array([0.0, 0.386, 0.21, 0.63, 1.0, 1.0]),
    g=np.array([0.25, -0.1043, 0.1035, -0.0362, 0.0, 0.0]),
    a=_lower(
        [
            [],
            [1.544],
            [0.9466785280815826, 0.2557011698983284],
            [3.314825187068521, 2.896124015972201, 0.9986419139977817],
            _STAGE_5,
            [*_STAGE_5, 1.0],
        ]
    ),
    C=_lower(
        [
            [],
            [-5.6688],
            [-2.430093356833875, -0.2063599157091915],
            [-0.1073529058151375, -9.594562251023355, -20.47028614809616],
            [7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160],
            [8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136, -6.058818238834054],
        ]
    ),
    D=np.array(
        [
            [10.12623508344586, -7.487995877610167, -34.80091861555747, -7.992771707568823, 1.025137723295662, 0.0],
            [-0.6762803392801253, 6.087714651680015, 16.43084320892478, 24.76722511418386, -6.594389125716872, 0.0],
        ]
    ),
)
