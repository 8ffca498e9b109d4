"""One step of the integrator by itself."""

import math

import numpy as np
from setups import make_drivers, make_ring

from marsdisk.physics import temperature
from marsdisk.physics.phase import SOLID
from marsdisk.solver.control import Limits
from marsdisk.solver.drivers import ENTRIES, blowout_state, piece_of
from marsdisk.solver.methods import RODAS5P
from marsdisk.solver.step import make_step, room_for, take_derivatives


def test_a_step_writes_nothing_behind_what_bends_its_dense_output() -> None:
    """Compiled code looks at no bounds."""
    n = 5
    h = 1.0
    ring = make_ring(n)
    drivers = make_drivers(ring, temperature.constant(2000.0), t_blow=6e3)
    piece = piece_of(drivers.blowout, blowout_state(drivers, 0.0)[0])
    room = room_for(n, RODAS5P.alpha.size)
    room.y.flat[:n] = ring.c0
    limits = Limits(h, 1e-3, 1e-12, 10, math.inf)
    after = np.empty(n + ENTRIES)
    bends = np.full((4, n + ENTRIES), -7.0)

    point = take_derivatives(ring.terms, drivers, piece, SOLID, 0.0, room)
    error, _, _ = make_step(
        ring.terms, drivers, RODAS5P, point, piece, (0.0, h, h), limits, room, after, bends[:3]
    )

    assert error <= 1.0
    assert not np.any(bends[:3] == -7.0)
    assert np.all(bends[3] == -7.0)
