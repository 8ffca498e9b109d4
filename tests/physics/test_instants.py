"""Kinks, gates, stops and the end of a run that are one instant, or nearly: each is passed once."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from setups import SCALE_HEIGHT, Ring, make_drivers, make_ring

from marsdisk.physics import temperature
from marsdisk.physics.dynamics import Motion
from marsdisk.physics.grid import Array
from marsdisk.physics.phase import PhaseLaw
from marsdisk.physics.supply import SupplySegment, supply_kinks, supply_law
from marsdisk.solver.control import Limits
from marsdisk.solver.drivers import SUPPLIED, Drivers, blowout_state
from marsdisk.solver.events import BLOWOUT_BELOW_GRID, REACHED_END
from marsdisk.solver.instants import RESOLUTION, RESOLUTION_IN_STEP, end_of_step, is_here, margin
from marsdisk.solver.integrate import integrate
from marsdisk.solver.methods import RODAS5P
from marsdisk.solver.sample import hit_rate
from marsdisk.solver.stretches import Damping, integrate_stretches
from marsdisk.solver.trajectory import Trajectory

MIDDLE = 1e5  # s, around which everything happens
COOLING = temperature.linear(4000.0, depth=1e3)
RATE = 1e-12  # kg/(m2 s)
MOST_STEPS = 300
CLOSE = st.floats(-12.0, -2.0).map(lambda exponent: 10.0**exponent)
AWAY = st.one_of(st.just(0.0), CLOSE, CLOSE.map(lambda share: -share), st.just(2.0**-52))
INSTANTS = ("edge", "gate", "liquid", "kink", "jump", "back", "dry", "floor", "stop")


def temperature_at(t: float) -> float:
    return COOLING.T0 - COOLING.rate * t


def ring_with_edge_at(t: float) -> Ring:
    """Make a ring without collisions, of which s_blow passes an edge at ``t`` [s]."""
    ring = make_ring(8, collisions=False)
    s_blow = blowout_state(make_drivers(ring, COOLING), t)[0]
    ratio = ring.edges[1] / ring.edges[0]
    s_lo = s_blow / ratio**3
    return make_ring(8, s_lo=s_lo, s_hi=s_lo * ratio**8, collisions=False)


def gated(T_solid: float, T_liquid: float) -> PhaseLaw:
    """Return the law of grains as hot as Mars, solid below and liquid above two temperatures [K].

    The ramp between them is no narrower than the law lets it be.
    """
    width = max((T_liquid - T_solid) / 0.45, 1.0)
    T_condense = T_solid - 0.5 * width
    return PhaseLaw(1.0, T_condense, T_condense + width, tau_ref=1e300)


def motion_at(q: float) -> Motion:
    return Motion(0.1, 50.0 * (1.0 + q), SCALE_HEIGHT)


def solve(ring: Ring, drivers: Drivers, t_end: float, **stops: float) -> Trajectory:
    limits = Limits(
        t_end,
        1e-3,
        1e-8,
        MOST_STEPS,
        math.inf,
        **stops,
    )
    return integrate(ring.c0, ring.terms, drivers, limits, RODAS5P)


def supplied_by(path: Trajectory) -> float:
    return float(path.y[-1, path.bins + SUPPLIED])


@pytest.mark.parametrize("share", [1e-3, 9.9e-4, 1e-4, 1e-5, 1.1e-6, 1e-6, 1e-9, 1e-12, 1e-15])
def test_a_gate_that_opens_shortly_before_the_end_is_landed_on_once(share: float) -> None:
    """Within the last thousandth the step was stretched to the end 100 000 times."""
    opens = MIDDLE * (1.0 - share)
    ring = make_ring(8, collisions=False)
    drivers = make_drivers(ring, COOLING, supply=np.full(8, RATE / 8.0))
    T_solid = temperature_at(opens)
    path = solve(ring, drivers._replace(phase=gated(T_solid, T_solid + 400.0)), MIDDLE)
    assert path.outcome == REACHED_END
    assert path.rejected < 10
    assert path.gated_time == pytest.approx(opens, rel=2.0 * RESOLUTION_IN_STEP)
    assert supplied_by(path) == pytest.approx(RATE * (MIDDLE - opens), abs=2e-6 * RATE * MIDDLE)


@pytest.mark.parametrize("nodes", [1, 2, 3, 50])
@pytest.mark.parametrize("to_end", [0, 1, 5])
def test_kinks_that_differ_in_their_last_bits_are_one(nodes: int, to_end: int) -> None:
    """A step from the one to the other would be shorter than time is resolved to."""
    times = [MIDDLE]
    for _ in range(nodes - 1):
        times.append(math.nextafter(times[-1], math.inf))
    t_end = times[-1] + to_end * math.ulp(MIDDLE)
    law = supply_law([SupplySegment(times=(0.0, *times), rates=(RATE, *[2.0 * RATE] * nodes))])
    ring = make_ring(8, collisions=False)
    drivers = make_drivers(ring, COOLING)._replace(supply=law, kinks=np.array(supply_kinks(law)))
    path = solve(ring, drivers, t_end)
    assert path.outcome == REACHED_END
    assert path.t_final == t_end
    assert np.all(np.diff(path.t) > 0.0)
    assert supplied_by(path) == pytest.approx(1.5 * RATE * MIDDLE, rel=1e-9)


@given(st.fixed_dictionaries(dict.fromkeys(INSTANTS, AWAY)), st.one_of(AWAY, st.just(0.5)))
def test_whatever_coincides_is_passed_in_a_few_steps(away: dict[str, float], left: float) -> None:
    """Edges, gates, jumps, a dry reservoir and stops, from one bit to a hundredth of each other."""
    instants = {name: MIDDLE * (1.0 + share) for name, share in away.items()}
    t_end = MIDDLE * (1.0 + left)
    ring = ring_with_edge_at(instants["edge"])
    jumps = sorted({instants["jump"], instants["back"]})
    rates = [RATE, 3.0 * RATE, 2.0 * RATE]
    spans = itertools.pairwise([0.0, *jumps, math.inf])
    segments = [SupplySegment(*span, A) for span, A in zip(spans, rates, strict=False)]
    law = supply_law(segments)
    any_phase = make_drivers(ring, COOLING)._replace(
        supply=law,
        kinks=np.array(supply_kinks(law)),
        kink_temperatures=np.array(
            [temperature_at(instants["kink"]), temperature_at(instants["floor"])]
        ),
        reservoir=RATE * instants["dry"],
    )
    s_stop = blowout_state(any_phase, instants["stop"])[0]
    T_solid = temperature_at(max(instants["gate"], instants["liquid"]))
    T_liquid = temperature_at(min(instants["gate"], instants["liquid"])) + 1e-9
    for drivers in (any_phase, any_phase._replace(phase=gated(T_solid, T_liquid))):
        for stops in ({}, {"s_blow_stop": s_stop}):
            path = solve(ring, drivers, t_end, **stops)
            check_passed(path, instants, t_end, stops)


def check_passed(
    path: Trajectory,
    instants: dict[str, float],
    t_end: float,
    stops: dict[str, float],
) -> None:
    summary = f"{path.accepted} steps, {path.rejected} rejected, until {path.t_final!r}"
    ends = {REACHED_END: t_end, BLOWOUT_BELOW_GRID: instants["stop"]}
    assert path.outcome in ends, summary
    assert path.t_final == pytest.approx(ends[path.outcome], rel=1e-9)
    if stops and instants["stop"] < t_end * (1.0 - 1e-9):
        assert path.outcome == BLOWOUT_BELOW_GRID, summary
    assert path.accepted + path.rejected < MOST_STEPS
    assert np.all(np.diff(path.t) > 0.0)
    assert path.ledger_error <= 1e-13
    assert supplied_by(path) <= RATE * instants["dry"] * (1.0 + 1e-6) + 3.0 * RATE * 1e-5 * MIDDLE


@given(st.floats(0.0, 1e9), st.floats(0.0, 1.0).map(lambda x: 10.0 ** (-16.0 * x)))
def test_an_instant_is_here_or_can_be_stepped_to(t: float, share: float) -> None:
    """Nothing lies between: what is not here is farther than the margin, and than round-off."""
    h = max(share * t, 1e-300)
    close = margin(t, h)
    assert close >= RESOLUTION
    for x in (1.01 * close, 0.5, 1.0 - 1.01 * close):
        if not close < x < 1.0 - close:
            continue
        assert not is_here(t, t + x * h)
        assert end_of_step(t, x * h, t + h, True) < t + h
        assert end_of_step(t, x * h, t + h, True) - t > 1e-15 * t
    assert end_of_step(t, h, t + h, False) == end_of_step(t, h, t + h, True) == t + h


@pytest.mark.parametrize("share", [1e-2, 9e-4, 1e-5])
def test_collisions_that_set_in_shortly_before_the_end_are_stretched_to_once(share: float) -> None:
    """Damping makes the time until then a stretch of its own; it was made to the end for ever."""
    opens = MIDDLE * (1.0 - share)
    T_liquid = temperature_at(opens)
    ring = make_ring(6, s_lo=1e-5, s_hi=1e-3, v_rel=100.0)
    drivers = make_drivers(ring, COOLING, t_blow=math.inf)
    drivers = drivers._replace(phase=gated(T_liquid - 100.0, T_liquid))
    limits = Limits(MIDDLE, 1e-3, 1e-8, 2000, math.inf)
    calls = 0

    def solve_stretch(motion: Motion, y: Array, limits: Limits, *begin: Any) -> Trajectory:
        nonlocal calls
        calls += 1
        assert calls < 300, "stretches are made again and again"
        t, mode, above = begin
        arguments = y, ring.terms, drivers, limits, RODAS5P
        return integrate(*arguments, t=t, mode=mode, above=above)

    area = math.pi * np.add.outer(ring.sizes, ring.sizes) ** 2
    still = Damping(1.0, area, ring.masses, motion_at)
    strength = 3.0 / (hit_rate(ring.c0, still.hits(motion_at(1.0))) * share * MIDDLE)
    damping = still._replace(strength=strength)
    stretches = integrate_stretches(ring.c0, damping, limits, solve_stretch, tolerance=1e-2)
    assert stretches[-1].path.outcome == REACHED_END
    begins = [stretch.path.t[0] for stretch in stretches]
    assert min(abs(begin - opens) for begin in begins) <= 1e-6 * opens
    assert begins[-1] > opens
