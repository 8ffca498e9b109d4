"""The cache itself: hits, misses, rebuilds with reasons, refusals, and what it never hands out."""

import copy
import pickle
import threading
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import pytest

from marsdisk.cache import KEY_FIELDS, REASONS, CacheKind, CacheStats, RunCache
from marsdisk.common.errors import CacheError, CacheRefusedError

KINDS = list(CacheKind)


def key_of(kind: CacheKind, **changes: Hashable) -> dict[str, Hashable]:
    return {**dict.fromkeys(KEY_FIELDS[kind], 1), **changes}


def reasons(stats: CacheStats, kind: CacheKind) -> dict[str, int]:
    row = stats.invalidations[KINDS.index(kind)]
    return {reason: int(count) for reason, count in zip(REASONS, row, strict=True) if count}


def test_there_are_six_slots_and_every_key_field_is_a_reason() -> None:
    assert len(KINDS) == len(KEY_FIELDS) == 6
    assert set(REASONS) == {field for fields in KEY_FIELDS.values() for field in fields}
    assert len(set(REASONS)) == len(REASONS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_key_is_built_once(kind: CacheKind) -> None:
    cache = RunCache()
    built = []

    def build() -> np.ndarray:
        built.append(1)
        return np.arange(3.0)

    first = cache.lookup(kind, key_of(kind), build)
    assert all(cache.lookup(kind, key_of(kind), build) is first for _ in range(4))
    stats = cache.stats()
    i = KINDS.index(kind)
    assert len(built) == 1
    assert (stats.hits[i], stats.misses[i], stats.rebuilds[i], stats.lookups[i]) == (4, 1, 0, 5)
    assert stats.lookups.sum() == 5
    assert stats.bytes[i] == 24
    assert stats.hit_rate == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("kind", "field"), [(kind, field) for kind in KINDS for field in KEY_FIELDS[kind]]
)
def test_any_other_key_field_drops_the_value_and_is_the_one_reason(
    kind: CacheKind, field: str
) -> None:
    cache = RunCache()
    cache.lookup(kind, key_of(kind), lambda: np.zeros(2))
    assert cache.lookup(kind, key_of(kind, **{field: 2}), lambda: np.ones(2)).tolist() == [1.0, 1.0]
    assert cache.lookup(kind, key_of(kind), lambda: np.full(2, 7.0)).tolist() == [
        7.0,
        7.0,
    ], "only one value is held"
    assert reasons(cache.stats(), kind) == {field: 2}
    assert cache.stats().invalidations.sum() == 2
    assert cache.stats().rebuilds.sum() == 2


@pytest.mark.parametrize("kind", KINDS)
def test_each_field_that_differs_is_counted(kind: CacheKind) -> None:
    cache = RunCache()
    cache.lookup(kind, key_of(kind), lambda: np.zeros(2))
    cache.lookup(kind, dict.fromkeys(KEY_FIELDS[kind], 2), lambda: np.zeros(2))
    assert reasons(cache.stats(), kind) == dict.fromkeys(KEY_FIELDS[kind], 1)
    assert cache.stats().rebuilds.sum() == 1


def test_every_lookup_is_a_hit_a_miss_or_a_rebuild() -> None:
    draw = np.random.default_rng(3)
    cache = RunCache()
    lookups = np.zeros(6, int)
    for _ in range(500):
        i = int(draw.integers(6))
        key = {field: int(draw.integers(2)) for field in KEY_FIELDS[KINDS[i]]}
        value = cache.lookup(KINDS[i], key, lambda key=key: np.array(list(key.values()), float))
        assert value.tolist() == list(key.values())
        lookups[i] += 1
    stats = cache.stats()
    assert np.array_equal(stats.hits + stats.misses + stats.rebuilds, lookups)
    assert np.array_equal(stats.lookups, lookups)
    assert np.all(stats.misses == 1)
    assert np.all(stats.invalidations.sum(axis=1) >= stats.rebuilds)


def test_a_disabled_cache_builds_every_time() -> None:
    cache = RunCache(enabled=False)
    built = []
    for _ in range(3):
        cache.lookup(
            "gain_workspace",
            key_of(CacheKind.GAIN_WORKSPACE),
            lambda: (built.append(1), np.zeros(2))[1],
        )
    stats = cache.stats()
    assert len(built) == 3
    assert (stats.hits.sum(), stats.misses.sum(), stats.rebuilds.sum(), stats.bytes.sum()) == (
        0,
        3,
        0,
        0,
    )


@pytest.mark.parametrize("enabled", [True, False])
def test_what_is_handed_out_is_read_only(enabled: bool) -> None:
    cache = RunCache(enabled=enabled)
    value = cache.lookup(
        "pair_workspace", key_of(CacheKind.PAIR_WORKSPACE), lambda: (np.zeros(2), np.ones(3))
    )
    for array in value:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 5.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused_and_not_stored(bad: float) -> None:
    cache = RunCache()
    kind = CacheKind.QSTAR_MATRIX
    for _ in range(2):
        with pytest.raises(CacheRefusedError, match=r"qstar_matrix is not finite for .*'rho': 1"):
            cache.lookup(kind, key_of(kind), lambda: np.array([1.0, bad]))
    stats = cache.stats()
    assert stats.refused.sum() == stats.refused[KINDS.index(kind)] == 2
    assert stats.misses.sum() == 2
    assert stats.bytes.sum() == 0
    assert cache.lookup(kind, key_of(kind), lambda: np.zeros(1)).tolist() == [0.0]


@pytest.mark.parametrize("enabled", [True, False])
def test_a_build_that_fails_leaves_the_slot_empty(enabled: bool) -> None:
    cache = RunCache(enabled=enabled)
    kind = CacheKind.GAIN_WORKSPACE
    cache.lookup(kind, key_of(kind), lambda: np.zeros(1))
    with pytest.raises(ZeroDivisionError):
        cache.lookup(kind, key_of(kind, rho=2), lambda: 1 / 0)
    assert cache.stats().bytes.sum() == 0
    assert cache.lookup(kind, key_of(kind, rho=2), lambda: np.ones(1)).tolist() == [1.0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("filled", [True, False])
def test_a_key_with_other_fields_is_refused(kind: CacheKind, filled: bool) -> None:
    cache = RunCache()
    if filled:
        cache.lookup(kind, key_of(kind), lambda: np.zeros(1))
    short = dict(list(key_of(kind).items())[1:])
    for key in (short, key_of(kind, more=1), {}):
        with pytest.raises(CacheError, match=f"slot {kind} has the key fields"):
            cache.lookup(kind, key, lambda: np.zeros(1))


def test_an_unknown_slot_is_refused() -> None:
    with pytest.raises(ValueError, match="psd_table"):
        RunCache().lookup("psd_table", {}, lambda: np.zeros(1))


def test_another_thread_is_refused() -> None:
    cache = RunCache()
    caught = []
    calls: list[Callable[[], Any]] = [
        lambda: cache.lookup(
            "pair_workspace", key_of(CacheKind.PAIR_WORKSPACE), lambda: np.zeros(1)
        ),
        cache.clear,
        cache.restart_counts,
    ]

    def use() -> None:
        for call in calls:
            try:
                call()
            except CacheError as error:
                caught.append(str(error))

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert len(caught) == len(calls)
    assert all("belongs to the thread that made it" in text for text in caught)


@pytest.mark.parametrize("do", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_cache_is_neither_pickled_nor_copied(do: Callable[[RunCache], Any]) -> None:
    with pytest.raises(CacheError, match="cannot be pickled or copied"):
        do(RunCache())


def test_clearing_empties_the_slots_and_restarting_zeroes_the_counts() -> None:
    cache = RunCache()
    kind = CacheKind.WEIGHTS_TABLE
    cache.lookup(kind, key_of(kind), lambda: np.zeros(1))
    cache.restart_counts()
    cache.lookup(kind, key_of(kind), lambda: np.ones(1))
    assert (cache.stats().hits.sum(), cache.stats().misses.sum()) == (1, 0)
    cache.clear()
    assert cache.lookup(kind, key_of(kind), lambda: np.ones(1)).tolist() == [1.0]
    assert (
        cache.stats().hits.sum(),
        cache.stats().misses.sum(),
        cache.stats().invalidations.sum(),
    ) == (1, 1, 0)


def test_statistics_are_a_copy_and_read_as_one_line() -> None:
    cache = RunCache()
    kind = CacheKind.WEIGHTS_TABLE
    cache.lookup(kind, key_of(kind), lambda: np.zeros(1))
    before = cache.stats()
    cache.lookup(kind, key_of(kind, alpha_frag=2), lambda: np.zeros(1))
    assert before.rebuilds.sum() == 0
    line = cache.stats().line()
    assert "\n" not in line
    assert "weights_table 0/2 (alpha_frag 1)" in line
    assert np.isnan(CacheStats.zero().hit_rate)
