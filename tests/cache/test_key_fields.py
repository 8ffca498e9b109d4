"""Every input of a cached array is in its key.

A change of any input is noticed, for that reason alone, and gives a cold cache's value.
"""

import dataclasses
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from marsdisk.cache import KEY_FIELDS, REASONS, CacheKind, RunCache
from marsdisk.common.errors import CacheRefusedError
from marsdisk.physics.collisions_smol import (
    _fragment_tensor,
    gain_workspace,
    pair_workspace,
    supply_weights,
)
from marsdisk.physics.fragments import FragmentTensor
from marsdisk.physics.grid import Array, SizeGrid, content_version, grain_mass, make_grid
from marsdisk.physics.qstar import TABLES, QStarLaw
from marsdisk.physics.supply import Injection


@dataclasses.dataclass(frozen=True)
class Inputs:
    """Inputs of all cached arrays of a run."""

    sizes: Array
    edges: Array
    rho: float = 3270.0
    v_rel: float = 1500.0
    alpha_frag: float = 3.5
    law: QStarLaw = QStarLaw()
    mode: str = "powerlaw_bins"
    s_min_eff: float = 1e-6
    s_inj_min: float = 1e-7
    s_inj_max: float = 1e-2
    q: float = 3.5
    initial: tuple[float, ...] = (0.1,) * 10


GRID = make_grid(1e-7, 1.0, 10)
BASE = Inputs(GRID.sizes, GRID.edges)


def change(**changes: Any) -> Callable[[Inputs], Inputs]:
    return lambda inputs: dataclasses.replace(inputs, **changes)


def moved(array: Array) -> Array:
    """Move one element in the middle by a last bit's worth or more."""
    changed = array.copy()
    changed[4] *= 1.0 + 1e-6
    return changed


#: How to change the input behind each reason.
MUTATIONS: dict[str, Callable[[Inputs], Inputs]] = {
    "edges_version": change(edges=moved(GRID.edges)),
    "sizes_version": change(sizes=moved(GRID.sizes)),
    "rho": change(rho=3270.5),
    "v_rel": change(v_rel=1501.0),
    "alpha_frag": change(alpha_frag=3.4),
    "qstar_signature": change(law=QStarLaw().scaled(1.0 + 1e-6)),
    "mode": change(mode="min_bin"),
    "s_min_eff": change(s_min_eff=2e-6),
    "s_inj_min": change(s_inj_min=3e-6),
    "s_inj_max": change(s_inj_max=2e-2),
    "q": change(q=3.0),
    "initial_version": change(initial=(0.2, *(0.8 / 9,) * 9)),
}


def build_all(inputs: Inputs, cache: RunCache) -> dict[str, Any]:
    sizes = inputs.sizes
    edges = inputs.edges
    rho = inputs.rho
    masses = grain_mass(sizes, rho)
    version = content_version(sizes)
    grid = SizeGrid(edges, sizes, version, content_version(edges))
    injection = Injection(
        inputs.mode,
        inputs.s_min_eff,
        inputs.s_inj_min,
        inputs.s_inj_max,
        inputs.q,
        np.array(inputs.initial),
    )
    return {
        "fragment_tensor": _fragment_tensor(
            sizes, masses, edges, inputs.v_rel, rho, inputs.alpha_frag, law=inputs.law, cache=cache
        ),
        "pair_workspace": pair_workspace(sizes, masses, rho, cache=cache, sizes_version=version),
        "gain_workspace": gain_workspace(masses, rho, cache=cache, sizes_version=version),
        "supply_weights": supply_weights(injection, grid, masses, rho, cache=cache),
    }


def arrays(value: Any) -> Iterator[Array]:
    if isinstance(value, FragmentTensor):
        yield from (value.unbound, value.k_lr, value.weights)
    elif isinstance(value, tuple):
        yield from value
    else:
        yield value


def same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    for name in first:
        for a, b in zip(arrays(first[name]), arrays(second[name]), strict=True):
            if not np.array_equal(a, b):
                return False
    return True


def test_every_reason_has_a_mutation() -> None:
    assert set(MUTATIONS) == set(REASONS)


@pytest.mark.parametrize("reason", REASONS)
def test_a_changed_input_is_noticed_by_exactly_the_slots_that_depend_on_it(reason: str) -> None:
    base = dataclasses.replace(BASE, mode="initial_psd") if reason == "initial_version" else BASE
    mutated = MUTATIONS[reason](base)
    cache = RunCache()
    before = build_all(base, cache)
    for _ in range(3):
        assert same(build_all(base, cache), before)
    cache.restart_counts()
    after = build_all(mutated, cache)
    stats = cache.stats()
    for i, kind in enumerate(CacheKind):
        expected = [int(field == reason and field in KEY_FIELDS[kind]) for field in REASONS]
        assert stats.invalidations[i].tolist() == expected, kind
    assert same(after, build_all(mutated, RunCache())), "not what a cold cache gives"
    assert same(after, build_all(mutated, RunCache(enabled=False)))
    assert not same(after, before)
    assert same(build_all(base, cache), before), "nor after changing back"


class Forgetful(RunCache):
    """Cache whose slot ``kind`` has lost ``field`` from its key."""

    def __init__(self, kind: CacheKind, field: str) -> None:
        super().__init__()
        self.kind = kind
        self.field = field

    def lookup(self, kind: str, key: Mapping[str, Hashable], build: Callable[[], Any]) -> Any:
        return super().lookup(kind, {**key, self.field: 0} if kind == self.kind else key, build)


FIELDS = [
    (kind, field)
    for kind in CacheKind
    for field in KEY_FIELDS[kind]
    if (kind, field) != (CacheKind.SUPPLY_WEIGHTS, "rho")
]


@pytest.mark.parametrize(("kind", "field"), FIELDS)
def test_a_key_without_one_of_its_fields_would_be_found_out(kind: CacheKind, field: str) -> None:
    """So the comparison above can fail, but for the density in the supply's shares: it cancels."""
    base = dataclasses.replace(BASE, mode="initial_psd") if field == "initial_version" else BASE
    cache = Forgetful(kind, field)
    build_all(base, cache)
    mutated = MUTATIONS[field](base)
    assert not same(build_all(mutated, cache), build_all(mutated, RunCache()))


@pytest.mark.parametrize(
    "law",
    [
        QStarLaw(TABLES["basalt"]),
        QStarLaw(units="si"),
        QStarLaw(mu=0.4),
        QStarLaw().scaled(1.0 + 1e-12),
    ],
)
def test_any_part_of_the_disruption_law_is_in_its_signature(law: QStarLaw) -> None:
    assert law.signature != QStarLaw().signature
    cache = RunCache()
    build_all(BASE, cache)
    mutated = dataclasses.replace(BASE, law=law)
    assert same(build_all(mutated, cache), build_all(mutated, RunCache()))
    assert cache.stats().invalidations[:, REASONS.index("qstar_signature")].sum() == 2


def test_equal_laws_have_equal_signatures() -> None:
    assert (
        QStarLaw(tuple(tuple(row) for row in TABLES["forsterite"])).signature
        == QStarLaw().signature
    )


def test_a_matrix_of_speeds_is_never_cached() -> None:
    cache = RunCache()
    masses = grain_mass(BASE.sizes, BASE.rho)
    for v in (1000.0, 2000.0):
        matrix = np.full((10, 10), v)
        tensor = _fragment_tensor(
            BASE.sizes, masses, BASE.edges, matrix, BASE.rho, law=BASE.law, cache=cache
        )
        scalar = _fragment_tensor(BASE.sizes, masses, BASE.edges, v, BASE.rho, law=BASE.law)
        assert np.asarray(tensor) == pytest.approx(np.asarray(scalar), rel=1e-14)
    lookups = dict(zip(CacheKind, cache.stats().lookups, strict=True))
    assert (lookups[CacheKind.FRAGMENT_TENSOR], lookups[CacheKind.QSTAR_MATRIX]) == (0, 0)


def test_cached_arrays_of_a_run_are_read_only() -> None:
    for name, value in build_all(BASE, RunCache()).items():
        for array in arrays(value):
            assert not array.flags.writeable, name


def test_weights_that_are_not_finite_are_refused() -> None:
    cache = RunCache()
    with (
        np.errstate(all="ignore"),
        pytest.raises(CacheRefusedError, match="weights_table is not finite"),
    ):
        build_all(dataclasses.replace(BASE, alpha_frag=-400.0), cache)
    assert cache.stats().refused.sum() == 1
    assert same(build_all(BASE, cache), build_all(BASE, RunCache()))
