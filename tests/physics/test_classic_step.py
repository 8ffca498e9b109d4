"""The classic step: what it does to mass, when it halves itself, and what it refuses.

No workspace or cache changes a bit of it.
"""

import math
from typing import Any

import numpy as np
import pytest

from marsdisk.cache import CacheKind, RunCache
from marsdisk.physics import psd
from marsdisk.physics.collide import KernelWorkspace, compute_collision_kernel_C1, pair_areas
from marsdisk.physics.collisions_smol import (
    CollisionStep,
    _fragment_tensor,
    step_collisions,
    supply_mass_rate_to_number_source,
)
from marsdisk.physics.fragments import FragmentTensor
from marsdisk.physics.grid import Array, grain_mass, make_grid
from marsdisk.physics.qstar import TABLES, QStarLaw
from marsdisk.physics.sinks import blowout_sink_vector, sublimation_sink_rates
from marsdisk.physics.smol import (
    GainWorkspace,
    ImexWorkspace,
    _gain_tensor,
    gain_workspace_of,
    step_imex_bdf1_C3,
)
from marsdisk.physics.supply import Injection

# kg/m3, m, m/s
RHO = 3270.0
H = 4e5
SPEED = 1500.0
LAW = QStarLaw()
GRID = make_grid(1e-4, 1.0, 16)
MASSES = grain_mass(GRID.sizes, RHO)
SHARES = psd.three_slope(GRID, 3.5)
NUMBERS = 3.0 * SHARES / MASSES  # 3 kg/m2
KERNEL = compute_collision_kernel_C1(NUMBERS, GRID.sizes, H, SPEED)
TENSOR = _fragment_tensor(GRID.sizes, MASSES, GRID.edges, SPEED, RHO, law=LAW)
NONE = np.zeros(16)
STEP = (NUMBERS, KERNEL, TENSOR, NONE, MASSES, 0.0, 1e9)
SINK = np.full(16, 1e-3)  # 1/s
FACTORED_AND_DENSE = [TENSOR, np.asarray(TENSOR)]
of_both_forms = pytest.mark.parametrize("Y", FACTORED_AND_DENSE, ids=["factored", "dense"])


def whole(**changes: Any) -> dict[str, Any]:
    """Return the arguments of a step of the whole disk with every process on."""
    base = {
        "masses": MASSES,
        "edges": GRID.edges,
        "rho": RHO,
        "H": H,
        "v_rel": SPEED,
        "dt": 1e9,
        "law": LAW,
        "S": blowout_sink_vector(GRID.edges[:-1], 3e-4, 3600.0),
        "S_external_k": np.full(16, 1e-6),
        "S_sublimation_k": sublimation_sink_rates(GRID.sizes, -1e-9),
        "supply_rate": 1e-4,
        "injection": Injection("powerlaw_bins", s_min_eff=1e-4, s_inj_max=0.1),
    }
    return {**base, **changes}


def same_bits(first: CollisionStep, second: CollisionStep) -> bool:
    return np.array_equal(first.N_new, second.N_new) and first[1:] == second[1:]


def mass(N: Array) -> float:
    return float(np.sum(MASSES * N))


# --- what a step does to mass ---


@of_both_forms
def test_a_step_is_the_formula(Y: FragmentTensor | Array) -> None:
    source = np.linspace(1.0, 2.0, 16)
    sinks = np.linspace(1e-5, 1e-3, 16)
    N_new, dt_eff, _ = step_imex_bdf1_C3(
        NUMBERS, KERNEL, Y, sinks, MASSES, None, 1e9, source_k=source, extra_mass_loss_rate=None
    )
    loss = (KERNEL.sum(axis=1) + np.diagonal(KERNEL)) / NUMBERS
    assert dt_eff == pytest.approx(0.1 / loss.max(), rel=1e-14)
    gain = _gain_tensor(KERNEL, Y, MASSES)
    assert N_new == pytest.approx(
        (NUMBERS + dt_eff * (gain + source - sinks * NUMBERS)) / (1.0 + dt_eff * loss), rel=1e-13
    )


@of_both_forms
def test_mass_changes_by_supply_and_sinks_and_by_what_loss_at_the_end_leaves_over(
    Y: FragmentTensor | Array,
) -> None:
    source = np.linspace(1.0, 2.0, 16)
    work = ImexWorkspace.for_bins(16)
    of_step = {
        "source_k": source,
        "S_external_k": 2.0 * SINK,
        "extra_mass_loss_rate": None,
        "workspace": work,
    }
    N_new, dt_eff, mass_error = step_imex_bdf1_C3(
        NUMBERS, KERNEL, Y, SINK, MASSES, None, 1e9, **of_step
    )
    rates = work.step_rates()
    assert rates.source == pytest.approx(mass(source), rel=1e-14)
    assert (rates.blowout, rates.external, rates.sublimation) == pytest.approx(
        (1e-3 * mass(NUMBERS), 2e-3 * mass(NUMBERS), 0.0), rel=1e-13
    )
    assert rates.sink == pytest.approx(rates.blowout + rates.external, rel=1e-14)
    assert rates.gain == pytest.approx(
        float(np.sum(np.triu(KERNEL) * np.add.outer(MASSES, MASSES))), rel=1e-12
    )
    loss = (KERNEL.sum(axis=1) + np.diagonal(KERNEL)) / NUMBERS
    assert rates.loss == pytest.approx(mass(loss * N_new), rel=1e-13)
    assert rates.fastest_loss == pytest.approx(loss.max(), rel=1e-14)
    created = dt_eff * mass(loss * (NUMBERS - N_new))
    assert mass(N_new) - mass(NUMBERS) == pytest.approx(
        dt_eff * (rates.source - rates.sink) + created, rel=1e-9
    )
    assert mass_error == pytest.approx(abs(created) / mass(NUMBERS), rel=1e-9)


def test_a_long_step_is_cut_to_a_share_of_the_collision_time_and_a_short_one_is_not() -> None:
    shortest = step_collisions(NUMBERS, GRID.sizes, **whole()).t_coll
    for safety in (0.1, 0.02):
        assert step_imex_bdf1_C3(*STEP, safety=safety)[1] == pytest.approx(
            safety * shortest, rel=1e-14
        )
    assert step_imex_bdf1_C3(*STEP[:-1], 1e-3 * shortest)[1] == 1e-3 * shortest


def test_a_disk_without_collisions_or_grains_takes_the_whole_step() -> None:
    for N, v_rel in ((NUMBERS, 0.0), (NONE, SPEED)):
        step = step_collisions(N, GRID.sizes, **whole(v_rel=v_rel, dt=10.0))
        assert step.dt_eff == 10.0
        assert step.t_coll == math.inf
        assert step.mass_error < 1e-14
    assert mass(step.N_new) == pytest.approx(10.0 * 1e-4, rel=1e-12)


def test_what_the_caller_says_was_supplied_and_lost_enters_the_mass_error_alone() -> None:
    declared = step_imex_bdf1_C3(
        NUMBERS, KERNEL, TENSOR, SINK, MASSES, 0.0, 1e9, extra_mass_loss_rate=None
    )
    untold = step_imex_bdf1_C3(NUMBERS, KERNEL, TENSOR, SINK, MASSES, 0.0, 1e9)
    assert np.array_equal(declared[0], untold[0])
    assert declared[1] == untold[1]
    assert untold[2] == pytest.approx(declared[1] * 1e-3, rel=1e-3)
    assert declared[2] < 1e-3 * untold[2]
    assert np.array_equal(
        step_imex_bdf1_C3(*STEP[:5], 1e-3, 1e9)[0], step_imex_bdf1_C3(*STEP)[0]
    ), "a supply without a source adds nothing"


# --- halving ---


def test_a_step_is_halved_until_no_number_is_negative() -> None:
    sinks = np.full(16, 1.0)
    N_new, dt_eff, mass_error = step_imex_bdf1_C3(
        NUMBERS, np.zeros((16, 16)), TENSOR, sinks, MASSES, 0.0, 6.0, extra_mass_loss_rate=None
    )
    assert dt_eff == 0.75
    assert N_new == pytest.approx(0.25 * NUMBERS, rel=1e-14)
    assert mass_error < 1e-15


def test_a_step_is_halved_until_the_mass_error_is_met() -> None:
    # few, large bodies: most of the mass moves within a collision time
    grid = make_grid(0.05, 3.0, 12)
    m = grain_mass(grid.sizes, RHO)
    N = np.geomspace(3.0, 1e-3, 12)
    C = compute_collision_kernel_C1(N, grid.sizes, H, SPEED)
    Y = _fragment_tensor(grid.sizes, m, grid.edges, SPEED, RHO, law=LAW)
    free = step_imex_bdf1_C3(N, C, Y, None, m, 0.0, 1e9, safety=50.0, mass_tol=1e9)
    assert free[2] > 5e-3
    step = step_imex_bdf1_C3(N, C, Y, None, m, 0.0, 1e9, safety=50.0)
    halvings = math.log2(free[1] / step[1])
    assert halvings == round(halvings) >= 1
    assert step[2] <= 5e-3
    assert (
        step_imex_bdf1_C3(N, C, Y, None, m, 0.0, 1e9, safety=50.0, mass_tol=0.999 * step[2])[1]
        < step[1]
    )


def test_a_mass_error_that_cannot_be_met_is_an_error() -> None:
    with pytest.raises(
        ArithmeticError,
        match=(
            r"stays at 1, above mass_tol = 0\.005, .*"
            r"prod_subblow_mass_rate must equal what source_k adds"
        ),
    ):
        step_imex_bdf1_C3(NONE, np.zeros((16, 16)), TENSOR, NONE, MASSES, 1e-3, 1e9)


def test_a_bin_that_stays_negative_is_named() -> None:
    source = np.zeros(16)
    source[5] = -1.0
    empty = NUMBERS.copy()
    empty[5] = 0.0
    with pytest.raises(ArithmeticError, match="N stays negative in bin 5"):
        step_imex_bdf1_C3(
            empty, np.zeros((16, 16)), TENSOR, NONE, MASSES, None, 1.0, source_k=source
        )


@of_both_forms
@pytest.mark.parametrize("where", ["N", "C", "S", "source_k", "P", "X"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_mass_error_that_is_not_finite_is_an_error(
    bad: float, where: str, Y: FragmentTensor | Array
) -> None:
    values = {"N": NUMBERS.copy(), "C": KERNEL.copy(), "S": NONE.copy(), "source_k": NONE.copy()}
    if where in values:
        values[where].flat[3] = bad
    P, X = (bad if where == name else 0.0 for name in ("P", "X"))
    with pytest.raises(ArithmeticError, match=r"not finite|stays negative in bin 3"):
        step_imex_bdf1_C3(
            values["N"],
            values["C"],
            Y,
            values["S"],
            MASSES,
            P,
            1.0,
            source_k=values["source_k"],
            extra_mass_loss_rate=X,
        )


# --- what is refused, and what is left alone ---


@pytest.mark.parametrize("dt", [0.0, -1.0, math.nan])
def test_a_step_must_be_positive(dt: float) -> None:
    with pytest.raises(ValueError, match="dt and safety must be positive"):
        step_imex_bdf1_C3(*STEP[:-1], dt)


@pytest.mark.parametrize(
    "values", [{"safety": 0.0}, {"safety": -1.0}, {"mass_tol": -1e-3}, {"mass_tol": math.nan}]
)
def test_limits_must_make_sense(values: dict[str, float]) -> None:
    with pytest.raises(
        ValueError, match="dt and safety must be positive and mass_tol not negative"
    ):
        step_imex_bdf1_C3(*STEP, **values)


def test_numbers_must_not_be_negative() -> None:
    bad = NUMBERS.copy()
    bad[7] = -1e-30
    with pytest.raises(ValueError, match="N must not be negative, it is in bin 7"):
        step_imex_bdf1_C3(bad, *STEP[1:])


POSITIONS = {"N": 0, "C": 1, "Y": 2, "S": 3, "m": 4}


@pytest.mark.parametrize("name", POSITIONS)
def test_a_wrong_shape_is_named(name: str) -> None:
    wrong = {"C": np.zeros((16, 15)), "Y": np.zeros((16, 16, 15)), "m": np.ones((16, 1))}.get(
        name, np.ones(15)
    )
    arguments = [wrong if POSITIONS[name] == i else value for i, value in enumerate(STEP)]
    with pytest.raises(ValueError, match=rf"^{name} must have the shape \(16"):
        step_imex_bdf1_C3(*arguments)


@pytest.mark.parametrize("name", ["source_k", "S_external_k", "S_sublimation_k"])
@pytest.mark.parametrize("wrong", [np.ones(15), np.ones(1), np.ones((16, 16))], ids=str)
def test_a_wrong_shape_of_an_option_is_named(name: str, wrong: Array) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must have the shape \(16,\)"):
        step_imex_bdf1_C3(*STEP, **{name: wrong})


def test_workspaces_of_other_grids_are_refused() -> None:
    with pytest.raises(ValueError, match="workspace"):
        step_imex_bdf1_C3(*STEP, workspace=ImexWorkspace.for_bins(15))
    with pytest.raises(ValueError, match=r"workspace\.m_sum"):
        step_imex_bdf1_C3(*STEP, gain_workspace=gain_workspace_of(MASSES[1:]))
    with pytest.raises(ValueError, match="workspace"):
        _gain_tensor(KERNEL, TENSOR, MASSES, workspace=gain_workspace_of(MASSES[1:]))
    with pytest.raises(ValueError, match="workspace"):
        step_collisions(NUMBERS, GRID.sizes, **whole(workspace=ImexWorkspace.for_bins(17)))


@pytest.mark.parametrize(
    ("name", "C", "Y"),
    [
        ("C", KERNEL[1:], TENSOR),
        ("Y", KERNEL, np.zeros((16, 16))),
        ("Y.unbound", KERNEL[1:, 1:], TENSOR),
    ],
)
def test_a_gain_of_wrong_shapes_is_refused(name: str, C: Array, Y: FragmentTensor | Array) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must have the shape"):
        _gain_tensor(C, Y, MASSES[-C.shape[1] :])


@pytest.mark.parametrize(
    "changes",
    [
        {"k_lr": TENSOR.k_lr + 1},
        {"k_lr": TENSOR.k_lr - 1},
        {"unbound": TENSOR.unbound[1:]},
        {"weights": TENSOR.weights[1:]},
    ],
)
def test_a_tensor_that_points_outside_the_grid_cannot_be_made(changes: dict[str, Array]) -> None:
    with pytest.raises(ValueError, match="fragment tensor"):
        FragmentTensor(
            **{"unbound": TENSOR.unbound, "k_lr": TENSOR.k_lr, "weights": TENSOR.weights, **changes}
        )


@pytest.mark.parametrize(
    ("name", "N", "s", "height", "v_rel"),
    [
        ("N", -NUMBERS, GRID.sizes, H, SPEED),
        ("N", np.full(16, math.nan), GRID.sizes, H, SPEED),
        ("v_rel", NUMBERS, GRID.sizes, H, -1.0),
        ("v_rel", NUMBERS, GRID.sizes, H, np.full((16, 16), math.inf)),
        ("s", NUMBERS, 0.0 * GRID.sizes, H, SPEED),
        ("H", NUMBERS, GRID.sizes, 0.0, SPEED),
        ("H", NUMBERS, GRID.sizes, np.full(16, -1.0), SPEED),
    ],
)
def test_a_kernel_of_impossible_grains_is_refused(
    name: str, N: Array, s: Array, height: Array | float, v_rel: Array | float
) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be finite and"):
        compute_collision_kernel_C1(N, s, height, v_rel)


@pytest.mark.parametrize(
    ("N", "height", "v_rel"),
    [
        (NUMBERS[1:], H, SPEED),
        (NUMBERS, np.ones(15), SPEED),
        (NUMBERS, H, np.ones(16)),
        (NUMBERS, H, np.ones((16, 1))),
    ],
)
def test_a_kernel_of_wrong_shapes_is_refused(
    N: Array, height: Array | float, v_rel: Array | float
) -> None:
    with pytest.raises(ValueError, match="shapes must be"):
        compute_collision_kernel_C1(N, GRID.sizes, height, v_rel)


def test_a_kernel_made_of_ready_areas_in_a_workspace_is_the_same() -> None:
    work = KernelWorkspace.for_bins(16)
    v_rel = np.random.default_rng(1).uniform(1e3, 2e3, (16, 16))
    heights = np.linspace(1e5, 2e5, 16)
    for height in (H, heights):
        plain = compute_collision_kernel_C1(NUMBERS, GRID.sizes, height, v_rel)
        kernel = compute_collision_kernel_C1(
            NUMBERS, GRID.sizes, height, v_rel, area=pair_areas(GRID.sizes), workspace=work
        )
        assert kernel is work.events
        assert np.array_equal(kernel, plain)


@pytest.mark.parametrize("Y", FACTORED_AND_DENSE, ids=["factored", "dense"])
def test_a_step_changes_nothing_that_it_is_given(Y: FragmentTensor | Array) -> None:
    inputs = [NUMBERS.copy(), KERNEL.copy(), SINK.copy(), MASSES.copy(), np.ones(16)]
    before = [array.copy() for array in inputs]
    for array in inputs:
        array.setflags(write=False)
    N, C, S, m, source = inputs
    N_new, *_ = step_imex_bdf1_C3(
        N,
        C,
        Y,
        S,
        m,
        None,
        1e9,
        source_k=source,
        S_external_k=S,
        S_sublimation_k=S,
        extra_mass_loss_rate=None,
    )
    assert all(np.array_equal(array, copy) for array, copy in zip(inputs, before, strict=True))
    assert not np.shares_memory(N_new, N)


def test_numbers_of_an_earlier_step_are_not_written_over() -> None:
    work = ImexWorkspace.for_bins(16)
    first = step_collisions(NUMBERS, GRID.sizes, **whole(workspace=work))
    kept = first.N_new.copy()
    step_collisions(first.N_new, GRID.sizes, **whole(workspace=work))
    assert np.array_equal(first.N_new, kept)


# --- no workspace, no cache changes a bit ---


def disks() -> list[tuple[Array, dict[str, Any]]]:
    """List steps that differ in everything that a workspace or a cache could keep by mistake."""
    thin = whole(
        S=None,
        S_external_k=None,
        S_sublimation_k=None,
        supply_rate=0.0,
        H=np.linspace(1e5, 2e5, 16),
    )
    return [
        (NUMBERS, whole()),
        (0.1 * NUMBERS, thin),
        (NUMBERS, whole(dt=1e-6, v_rel=np.full((16, 16), 800.0))),
        (NUMBERS, whole(v_rel=900.0)),
    ]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 0, 1, 3)])
def test_a_used_workspace_gives_the_same_bits_as_a_new_one(order: tuple[int, ...]) -> None:
    work = ImexWorkspace.for_bins(16)
    for i in order:
        N, arguments = disks()[i]
        assert same_bits(
            step_collisions(N, GRID.sizes, **arguments, workspace=work),
            step_collisions(N, GRID.sizes, **arguments),
        )


def test_ready_made_masses_give_the_same_bits() -> None:
    plain = step_imex_bdf1_C3(*STEP)
    ready = step_imex_bdf1_C3(*STEP, gain_workspace=gain_workspace_of(MASSES))
    assert np.array_equal(plain[0], ready[0])
    assert plain[1:] == ready[1:]
    writable = GainWorkspace(np.add.outer(MASSES, MASSES), MASSES.copy())
    assert np.array_equal(step_imex_bdf1_C3(*STEP, gain_workspace=writable)[0], plain[0])


def evolve(
    steps: int, cache: RunCache | None, *, versions: bool, injection: str = "powerlaw_bins"
) -> CollisionStep:
    arguments = whole(
        cache=cache,
        workspace=ImexWorkspace.for_bins(16),
        injection=Injection(injection, 1e-4, s_inj_max=0.1, initial_shares=SHARES),
    )
    if versions:
        arguments |= {"sizes_version": GRID.sizes_version, "edges_version": GRID.edges_version}
    N = NUMBERS
    for _ in range(steps):
        step = step_collisions(N, GRID.sizes, **arguments)
        N = step.N_new
    return step


@pytest.mark.parametrize("injection", ["min_bin", "powerlaw_bins", "initial_psd"])
def test_a_hundred_steps_with_or_without_a_cache_give_the_same_bits(injection: str) -> None:
    cache = RunCache()
    cached = evolve(101, cache, versions=True, injection=injection)
    for no_cache in (RunCache(enabled=False), None):
        assert same_bits(cached, evolve(101, no_cache, versions=True, injection=injection))
    assert same_bits(cached, evolve(101, RunCache(), versions=False, injection=injection))
    hits = dict(zip(CacheKind, cache.stats().hits.tolist(), strict=True))
    for kind in (CacheKind.FRAGMENT_TENSOR, CacheKind.GAIN_WORKSPACE, CacheKind.SUPPLY_WEIGHTS):
        assert hits[kind] == 100, kind
    assert hits[CacheKind.PAIR_WORKSPACE] == 101, "the tensor's first build asks too"
    assert cache.stats().rebuilds.sum() == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"v_rel": 1600.0}, "v_rel"),
        ({"alpha_frag": 3.0}, "alpha_frag"),
        ({"law": QStarLaw(TABLES["basalt"])}, "qstar_signature"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_change_after_many_hits_is_noticed(changes: dict[str, Any], reason: str) -> None:
    cache = RunCache()
    for _ in range(10):
        before = step_collisions(NUMBERS, GRID.sizes, **whole(cache=cache))
    after = step_collisions(NUMBERS, GRID.sizes, **whole(cache=cache, **changes))
    assert same_bits(after, step_collisions(NUMBERS, GRID.sizes, **whole(**changes)))
    assert not np.array_equal(after.N_new, before.N_new)
    assert f"({reason} 1)" in cache.stats().line()


def test_another_density_or_grid_after_many_hits_is_noticed() -> None:
    cache = RunCache()
    coarse = make_grid(2e-4, 1.0, 16)
    for grid, rho in ((GRID, RHO), (GRID, 2500.0), (coarse, 2500.0), (GRID, RHO)):
        arguments = whole(
            masses=grain_mass(grid.sizes, rho),
            edges=grid.edges,
            rho=rho,
            injection=Injection(s_min_eff=3e-4),
        )
        for _ in range(3):
            step = step_collisions(NUMBERS, grid.sizes, **arguments, cache=cache)
        assert same_bits(step, step_collisions(NUMBERS, grid.sizes, **arguments))


def test_a_step_caches_no_matrix_of_speeds() -> None:
    cache = RunCache()
    for v in (1000.0, 2000.0):
        matrix = np.full((16, 16), v)
        step = step_collisions(NUMBERS, GRID.sizes, **whole(v_rel=matrix, cache=cache))
        assert same_bits(step, step_collisions(NUMBERS, GRID.sizes, **whole(v_rel=matrix)))
        assert step.N_new == pytest.approx(
            step_collisions(NUMBERS, GRID.sizes, **whole(v_rel=v)).N_new, rel=1e-13
        )
    lookups = dict(zip(CacheKind, cache.stats().lookups.tolist(), strict=True))
    assert lookups[CacheKind.FRAGMENT_TENSOR] == lookups[CacheKind.QSTAR_MATRIX] == 0


def test_only_the_rate_scales_the_cached_shares_of_the_supply() -> None:
    cache = RunCache()
    injection = Injection("initial_psd", initial_shares=SHARES)
    for rate in (1e-4, 2e-4, 0.0, 3e-4):
        source = supply_mass_rate_to_number_source(
            rate, GRID, masses=MASSES, rho=RHO, injection=injection, cache=cache
        )
        assert mass(source) == pytest.approx(rate, rel=1e-13)
    stats = cache.stats()
    assert (stats.hits.sum(), stats.misses.sum(), stats.rebuilds.sum()) == (2, 1, 0)
    with pytest.raises(ValueError, match="initial_psd needs initial_shares"):
        supply_mass_rate_to_number_source(
            1e-4, GRID, masses=MASSES, rho=RHO, injection=Injection("initial_psd")
        )


def test_a_supply_that_is_no_number_is_an_error() -> None:
    with pytest.raises(ArithmeticError, match="not finite"):
        step_collisions(NUMBERS, GRID.sizes, **whole(supply_rate=math.nan))
