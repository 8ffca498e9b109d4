"""A stop is a crossing: what has been above its limit falls to it."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from setups import Ring, make_drivers, make_ring

from marsdisk.cli import main
from marsdisk.common.errors import ConfigError
from marsdisk.config import RunConfig
from marsdisk.notes import Note
from marsdisk.physics import temperature
from marsdisk.physics.constants import YEAR
from marsdisk.physics.opacity import geometric_opacity
from marsdisk.physics.phase import SOLID, PhaseLaw
from marsdisk.result import StopReason
from marsdisk.run.derived import derive
from marsdisk.solver.control import Limits
from marsdisk.solver.drivers import ENTRIES, Drivers, blowout_state, piece_of, set_loss_rates
from marsdisk.solver.events import (
    BLOWOUT_BELOW_GRID,
    LOSS_RATE_ABOVE,
    LOSS_RATE_STOP,
    REACHED_END,
    S_BLOW_ABOVE,
    TAU_STOP,
)
from marsdisk.solver.integrate import integrate
from marsdisk.solver.methods import RODAS5P
from marsdisk.solver.sample import states
from marsdisk.solver.trajectory import Trajectory
from marsdisk.zero_d import run_zero_d

Shipped = Callable[..., RunConfig]
CONFIGS = Path(__file__).parents[2] / "configs"
#: What a stop that never acted is noted by.
OF_STOPS = Note.LOSS_RATE_NEVER_ABOVE_STOP | Note.S_BLOW_NEVER_ABOVE_SMIN
T_END = 4e5  # s
ONE_HUMP = temperature.table(np.array([0.0, 1e5, 3e5]), np.array([1500.0, 4000.0, 1500.0]))
TWO_HUMPS = temperature.table(
    np.array([0.0, 5e4, 1e5, 2.5e5, 4e5]),
    np.array([1500.0, 4000.0, 1500.0, 4000.0, 1500.0]),
)
FALLING = temperature.linear(4000.0, depth=1e3)
ON: dict[str, Any] = {"optical_depth.tau_stop": None}


def fed_ring() -> Ring:
    """Little dust, none of it unbound at 1500 K."""
    return make_ring(20, s_lo=3e-7, s_hi=1e-2, sigma=1e-6, collisions=False)


def fed(ring: Ring, law: temperature.TemperatureLaw) -> Drivers:
    """Blow-out of what is supplied to all bins alike."""
    supply = np.full(ring.sizes.size, 1e-9 / ring.sizes.size)
    return make_drivers(ring, law, supply=supply, t_blow=1e3)


def solve(ring: Ring, drivers: Drivers, *, rtol: float = 1e-6, **stops: float) -> Trajectory:
    limits = Limits(
        T_END,
        rtol,
        1e-12,
        100_000,
        stops.pop("tau_stop", math.inf),
        **stops,
    )
    return integrate(ring.c0, ring.terms, drivers, limits, RODAS5P)


def loss_rates(path: Trajectory, drivers: Drivers, times: np.ndarray) -> np.ndarray:
    """Return the mass lost [kg/(m2 s)] at ``times`` [s] of a run of grains that stay solid."""
    S = np.empty(path.bins)
    rates = np.empty(ENTRIES)
    stops = []
    for t, y in zip(times, states(path, times), strict=True):
        T = temperature.temperature_and_slope(drivers.temperature, t)[0]
        piece = piece_of(drivers.blowout, blowout_state(drivers, t)[0])
        set_loss_rates(drivers, piece, SOLID, T, y[: path.bins], S, rates)
        stops.append(rates[:3].sum())
    return np.array(stops)


@pytest.mark.parametrize("rtol", [1e-2, 1e-6])
@pytest.mark.parametrize("share", [0.003, 0.1, 0.5, 0.9])
def test_a_rate_that_rises_first_stops_the_run_where_it_falls(share: float, rtol: float) -> None:
    ring = fed_ring()
    drivers = fed(ring, ONE_HUMP)
    on = solve(ring, drivers, rtol=rtol)
    times = np.linspace(1.0, T_END, 2000)
    rates = loss_rates(on, drivers, times)
    limit = share * rates.max()
    assert rates[0] < limit
    path = solve(ring, drivers, rtol=rtol, loss_rate_stop=limit)
    assert path.outcome == LOSS_RATE_STOP
    assert np.flatnonzero(rates > limit).size > 0
    first_above = times[np.argmax(rates > limit)]
    fall = times[times > first_above][np.argmax(rates[times > first_above] <= limit)]
    assert path.t_final == pytest.approx(fall, abs=2.0 * (times[1] - times[0]))
    last_rates = loss_rates(path, drivers, path.t_final * np.array([1.0 - 1e-9, 1.0]))
    assert last_rates[1] == pytest.approx(limit, rel=1e-6)
    steps = path.t.size - 1
    assert np.array_equal(on.t[:steps], path.t[:steps])
    assert np.array_equal(on.y[:steps], path.y[:steps])


@pytest.mark.parametrize("share", [1.0 + 1e-6, 10.0, 1e6])
def test_a_rate_that_never_is_above_stops_nothing(share: float) -> None:
    ring = fed_ring()
    drivers = fed(ring, ONE_HUMP)
    on = solve(ring, drivers)
    highest = loss_rates(on, drivers, np.sort(np.append(on.t, np.linspace(0.0, T_END, 3000)))).max()
    path = solve(ring, drivers, loss_rate_stop=share * highest)
    assert path.outcome == REACHED_END
    assert not path.above & LOSS_RATE_ABOVE
    assert np.array_equal(path.y, on.y)


def test_a_rate_that_always_is_above_stops_nothing() -> None:
    ring = fed_ring()
    drivers = fed(ring, temperature.constant(3000.0))
    on = solve(ring, drivers)
    lowest = loss_rates(on, drivers, np.linspace(0.0, T_END, 3000)).min()
    path = solve(ring, drivers, loss_rate_stop=0.99 * lowest)
    assert path.outcome == REACHED_END
    assert path.above & LOSS_RATE_ABOVE
    assert np.array_equal(path.y, on.y)


def test_a_rate_that_only_rises_stops_nothing_though_it_begins_below() -> None:
    ring = fed_ring()
    law = temperature.table(np.array([0.0, T_END]), np.array([1500.0, 4000.0]))
    drivers = fed(ring, law)
    path = solve(ring, drivers, loss_rate_stop=1e-12)  # a fiftieth of what one bin is fed
    rates = loss_rates(path, drivers, np.array([1.0, 0.99 * T_END]))
    assert rates[0] < 1e-12 < rates[1]
    assert path.outcome == REACHED_END
    assert path.above & LOSS_RATE_ABOVE


@pytest.mark.parametrize(
    ("not_before", "expected"),
    [(0.0, "first fall"), (1.1e5, "then"), (2.5e5, "second fall"), (3.999e5, "then"), (5e5, "end")],
)
def test_what_falls_too_early_stops_the_run_once_it_may(not_before: float, expected: str) -> None:
    """Mars cools through 2500 K at 80 000 s and, having warmed again, at 340 000 s."""
    ring = fed_ring()
    drivers = fed(ring, TWO_HUMPS)
    limit = blowout_state(fed(ring, temperature.constant(2500.0)), 0.0)[0]
    path = solve(ring, drivers, s_blow_stop=limit, t_stop_after=not_before)
    when = {"first fall": 8e4, "then": not_before, "second fall": 3.4e5, "end": T_END}[expected]
    assert path.t_final == pytest.approx(when, rel=1e-9)
    assert path.outcome == (REACHED_END if expected == "end" else BLOWOUT_BELOW_GRID)


@pytest.mark.parametrize("T", [1600.0, 2000.0, 3000.0, 3999.0])
def test_s_blow_stops_the_run_where_it_falls_not_where_it_is_small(T: float) -> None:
    ring = fed_ring()
    limit = blowout_state(fed(ring, temperature.constant(T)), 0.0)[0]
    path = solve(ring, fed(ring, ONE_HUMP), s_blow_stop=limit)
    assert path.outcome == BLOWOUT_BELOW_GRID
    assert path.t_final == pytest.approx(1e5 + 2e5 * (4000.0 - T) / 2500.0, rel=1e-9)
    never = solve(ring, fed(ring, ONE_HUMP), s_blow_stop=1.01 * limit * (4000.0 / T) ** 4)
    assert never.outcome == REACHED_END
    assert not never.above & S_BLOW_ABOVE


def cooling_through(T_solid: float) -> PhaseLaw:
    return PhaseLaw(1.0, T_solid - 500.0, T_solid + 500.0, tau_ref=1e300)


def test_a_gate_that_shuts_makes_the_rate_fall() -> None:
    """Mars heats up until nothing is solid at 3250 K, 0.55 of the way to 3700 K: 70 000 s."""
    ring = fed_ring()
    gated = fed(ring, ONE_HUMP)._replace(phase=cooling_through(3200.0))
    on = solve(ring, gated)
    shut = on.t[np.argmax(on.mode != SOLID)]
    assert shut == pytest.approx(1e5 * (3250.0 - 1500.0) / 2500.0, rel=1e-6)
    path = solve(ring, gated, loss_rate_stop=1e-13)
    assert path.outcome == LOSS_RATE_STOP
    assert path.t_final == pytest.approx(shut, rel=1e-9)


@pytest.mark.parametrize("factor", [0.5, 1.5])
def test_tau_stops_the_run_when_grains_become_solid_that_are_too_many(factor: float) -> None:
    """What is not solid is not stopped; the condition comes true with the gate."""
    ring = fed_ring()
    tau = float(geometric_opacity(ring.sizes, ring.masses, 1.0).per_mass[0] @ ring.c0)
    drivers = make_drivers(ring, FALLING, t_blow=math.inf)
    path = solve(ring, drivers._replace(phase=cooling_through(3000.0)), tau_stop=factor * tau)
    solid = temperature.first_time_at_or_below(FALLING, 3000.0)
    assert solid is not None
    assert path.outcome == (TAU_STOP if factor < 1.0 else REACHED_END)
    assert path.t_final == pytest.approx(solid if factor < 1.0 else T_END, rel=1e-6)


def test_the_limit_of_the_issue_ends_no_run_that_never_lost_so_much(shipped: Shipped) -> None:
    stop = {"numerics": {"t_end_years": 2.0, "mass_loss_rate_stop_Mmars_s": 1e-14}}
    result = run_zero_d(shipped("melt_simple", {**ON, **stop}))
    on = run_zero_d(shipped("melt_simple", ON))
    assert result.stop_reason is StopReason.T_END_YEARS
    assert result.M_loss == on.M_loss > 1e-9
    assert np.array_equal(result.N, on.N)
    assert result.notes & OF_STOPS == Note.LOSS_RATE_NEVER_ABOVE_STOP
    assert on.notes & OF_STOPS == Note(0)


@pytest.mark.parametrize("limit", [2e-16, 1e-17, 1e-19])
def test_a_run_stops_at_the_rate_it_was_given(shipped: Shipped, limit: float) -> None:
    stop = {"numerics": {"t_end_years": 2.0, "mass_loss_rate_stop_Mmars_s": limit}}
    result = run_zero_d(shipped("melt_simple", {**ON, **stop, "supply": {"mode": "none"}}))
    assert result.stop_reason is StopReason.LOSS_RATE
    assert result.M_out_dot[0] > limit
    assert result.M_out_dot[-1] == pytest.approx(limit, rel=1e-9)
    assert result.notes & OF_STOPS == Note(0)


def test_a_run_in_which_nothing_ever_is_unbound_goes_on_and_says_so() -> None:
    options = {
        "optical_depth.tau_stop": "null",
        "temperature.T0": "2200",
        "numerics.stop_on_blowout_below_smin": "true",
        "numerics.mass_loss_rate_stop_Mmars_s": "1e-14",
    }
    words = [word for key, value in options.items() for word in ("--set", f"{key}={value}")]
    done = CliRunner().invoke(main, ["run", str(CONFIGS / "mars_0d_melt_simple.yaml"), *words])
    assert done.exit_code == 0, done.output
    text = " ".join(done.output.split())
    assert "ended after 2 yr: numerics.t_end_years was reached" in text
    assert "note: s_blow was never above sizes.s_min" in text
    assert "note: the loss rate was never above numerics.mass_loss_rate_stop_Mmars_s" in text


def test_the_classic_scheme_goes_on_where_nothing_ever_is_unbound(shipped: Shipped) -> None:
    never = {"scheme": "imex_bdf1", "t_end_orbits": 1.0, "stop_on_blowout_below_smin": True}
    cold = {"temperature.T0": 2200.0, "collisions.enabled": False}
    config = shipped("melt_simple", {**ON, "numerics": never, **cold})
    assert run_zero_d(config).stop_reason is StopReason.T_END_ORBITS


def test_s_blow_that_falls_to_nothing_stops_the_run(shipped: Shipped) -> None:
    """The window of unbound sizes closes above 0.1 um: s_blow is then 0 at once."""
    stop = {"numerics": {"t_end_years": 0.5, "stop_on_blowout_below_smin": True}}
    cooling = {"temperature": {"law": "slab", "T0": 2500.0, "depth": 1e4}}
    config = shipped("melt_simple", {**ON, **stop, **cooling, "sizes.n_bins": 12})
    result = run_zero_d(config)
    assert result.stop_reason is StopReason.BLOWOUT_BELOW_GRID
    assert np.all(result.s_blow[:-1] > config.sizes.s_min)
    assert result.s_blow[-1] == 0.0


DAMPED: dict[str, Any] = {
    "sizes": {"s_min": 1e-6, "s_max": 1e-3, "n_bins": 16},
    "dynamics": {"e0": 0.5, "i0": 0.05, "damping": {"e_eq": 0.02}},
    "initial": {"s0_mode": "upper"},
    "supply": {"mode": "none"},
    **ON,
}


def test_what_was_above_is_known_in_the_next_stretch(shipped: Shipped) -> None:
    to_end = {"numerics": {"t_end_orbits": 20.0}}
    on = run_zero_d(shipped("melt_simple", {**DAMPED, **to_end}))
    limit = 2.0 * on.M_out_dot[-1]
    assert on.M_out_dot.max() > 2.0 * limit
    stop = {"numerics": {"t_end_orbits": 20.0, "mass_loss_rate_stop_Mmars_s": limit}}
    result = run_zero_d(shipped("melt_simple", {**DAMPED, **stop}))
    assert result.stop_reason is StopReason.LOSS_RATE
    assert result.M_out_dot[-1] == pytest.approx(limit, rel=1e-9)


CLASSIC: dict[str, Any] = {
    "sizes": {"s_min": 1e-6, "s_max": 1e-4, "n_bins": 10},
    "collisions.enabled": False,
    "supply": {"mode": "none"},
    **ON,
}


@pytest.mark.parametrize("scheme", ["rosenbrock", "imex_bdf1"])
@pytest.mark.parametrize(("share", "stops"), [(0.5, True), (2.0, False)])
def test_the_classic_scheme_stops_at_crossings_too(
    shipped: Shipped,
    share: float,
    stops: bool,
    scheme: str,
) -> None:
    numerics: dict[str, Any] = {"scheme": scheme, "t_end_orbits": 3.0}
    on = run_zero_d(shipped("melt_simple", {**CLASSIC, "numerics": numerics}))
    limit = share * on.M_out_dot[0]
    numerics["mass_loss_rate_stop_Mmars_s"] = limit
    result = run_zero_d(shipped("melt_simple", {**CLASSIC, "numerics": numerics}))
    assert result.stop_reason is (StopReason.LOSS_RATE if stops else StopReason.T_END_ORBITS)
    assert result.notes & OF_STOPS == (Note(0) if stops else Note.LOSS_RATE_NEVER_ABOVE_STOP)
    if stops:
        assert result.M_out_dot[-1] == pytest.approx(limit, rel=1e-2)


@pytest.mark.parametrize(
    ("T_stop", "days"),
    [(1500.0, 20.0), (2500.0, 15.0), (3000.0, 12.5), (3499.0, 10.005)],
)
def test_the_temperature_that_ends_a_run_is_fallen_to(
    shipped: Shipped,
    tmp_path: Path,
    T_stop: float,
    days: float,
) -> None:
    """A table that begins below it, heats up to 3500 K by day 10 and cools again."""
    path = tmp_path / "mars.csv"
    path.write_text("time_day,T_K\n0,1500\n10,3500\n20,1500\n", encoding="utf-8")
    table = {"law": "table", "path": str(path), "time_unit": "day"}
    table |= {"time_column": "time_day", "temperature_column": "T_K"}
    ends = {"temperature": table, "numerics": {"t_end_until_temperature_K": T_stop}}
    derived = derive(shipped("melt_simple", {**ON, **ends}))
    assert derived.t_end == pytest.approx(days * 86400.0, rel=1e-12)
    assert derived.end_reason is StopReason.TEMPERATURE
    assert derived.t_end < YEAR
    with pytest.raises(ConfigError, match="not above it, and does not cool to it later"):
        derive(
            shipped(
                "melt_simple", {**ON, **ends, "numerics": {"t_end_until_temperature_K": 3500.0}}
            )
        )
