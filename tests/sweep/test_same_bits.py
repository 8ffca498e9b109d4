"""No way of running a sweep changes a bit of its results; its caches are counted exactly."""

import itertools
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client, LocalCluster
from small_sweeps import T0_AND_RINGS, assert_same_bits, results, run_here, sweep_file

import sweep
from marsdisk.cache import KEY_FIELDS
from marsdisk.config import build_config, merge
from marsdisk.zero_d import run_zero_d
from sweep.planning.create_store import create
from sweep.planning.plan import make_plan
from sweep.running.driver import Window, Work, block_task
from sweep.spec.file import load_sweep
from sweep.store import layout
from sweep.store.store import Store, read_fence
from sweep.workers.base import Cluster
from sweep.workers.block import Receipt, SweepPlugin
from sweep.workers.watchdog import Limits, Watchdog


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.thorough), 2])
def test_any_number_of_workers_gives_the_same_bits(
    finished: Path, tmp_path: Path, workers: int
) -> None:
    run_here(sweep_file(tmp_path, axes=T0_AND_RINGS), tmp_path / "s.zarr", workers=workers)
    assert_same_bits(finished, tmp_path / "s.zarr")


@pytest.mark.parametrize(
    "changes",
    [{"cache": {"scope": scope}} for scope in ("run", "task", "worker")]
    + [{"cache": {"enabled": False}}],
)
def test_any_cache_scope_and_no_cache_give_the_same_bits(
    finished: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    run_here(sweep_file(tmp_path, axes=T0_AND_RINGS, **changes), tmp_path / "s.zarr")
    assert_same_bits(finished, tmp_path / "s.zarr")


CLASSIC: dict[str, Any] = {
    "set": {
        "numerics": {"scheme": "imex_bdf1", "t_end_orbits": 3e-5, "dt": 0.01},  # some 80 steps
        "sizes": {"s_min": 1e-4, "s_max": 1e-2, "n_bins": 20},
        "initial": {"s0_mode": "upper"},
        "optical_depth.tau_stop": None,
    },
    "axes": {
        "material.rho": [3000.0, 3270.0],
        "dynamics.e0": [0.3, 0.5],
        "qstar.table": ["basalt", "forsterite"],
    },
    "block": 3,
}


@pytest.fixture(scope="module")
def classic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the store of CLASSIC, run in this process; read only."""
    folder = tmp_path_factory.mktemp("classic")
    run_here(sweep_file(folder, **CLASSIC), folder / "s.zarr")
    return folder / "s.zarr"


@pytest.mark.parametrize(
    ("workers", "changes"),
    [
        pytest.param(2, {}, marks=pytest.mark.thorough),
        (0, {"cache": {"scope": "run"}}),
        (0, {"cache": {"scope": "worker"}}),
        (0, {"cache": {"enabled": False}}),
    ],
)
def test_the_classic_scheme_too_gives_the_same_bits_however_it_is_run(
    tmp_path: Path, classic: Path, workers: int, changes: dict[str, Any]
) -> None:
    turned = {key: values[::-1] for key, values in reversed(CLASSIC["axes"].items())}
    run_here(
        sweep_file(tmp_path, **{**CLASSIC, "axes": turned, **changes}),
        tmp_path / "other.zarr",
        workers=workers,
    )
    assert_same_bits(classic, tmp_path / "other.zarr")


DENSITIES: dict[str, Any] = {**T0_AND_RINGS, "material.rho": [3000.0, 3270.0]}


@pytest.fixture(scope="module")
def densities(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the store of a sweep over DENSITIES, run by one thread of this process; read only."""
    folder = tmp_path_factory.mktemp("densities")
    run_here(sweep_file(folder, axes=DENSITIES, block=12), folder / "s.zarr")
    return folder / "s.zarr"


@pytest.mark.parametrize("scope", ["run", "task", "worker"])
def test_two_threads_of_a_worker_give_the_same_bits_and_the_cache_reaches_the_dashboard(
    tmp_path: Path, densities: Path, scope: str
) -> None:
    file = sweep_file(tmp_path, axes=DENSITIES, block=1, cache={"scope": scope})
    plan = make_plan(load_sweep(file))
    create(plan, tmp_path / "other.zarr")
    work = Work(
        lambda block: block_task(
            plan, str(tmp_path / "other.zarr"), block, read_fence(tmp_path / "other.zarr")
        ),
        plan.blocks,
    )
    receipts: list[Receipt] = []
    local = LocalCluster(
        n_workers=1,
        threads_per_worker=2,
        processes=False,
        protocol="tcp://",
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
    )
    with local, Client(local, set_as_default=False) as client:
        client.register_plugin(SweepPlugin(work.first()))
        Window(
            Cluster(client, "here"),
            work,
            receipts.append,
            threading.Event(),
            Watchdog(Limits(), print),
        ).run()
        (metrics,) = (worker.digests_total for worker in local.workers.values())
    assert_same_bits(densities, tmp_path / "other.zarr")
    for name, expected in (
        ("hits", sum(r.hits for r in receipts)),
        ("lookups", sum(r.lookups for r in receipts)),
    ):
        measured = sum(
            value
            for key, value in metrics.items()
            if isinstance(key, tuple) and f"sweep-cache-{name}" in key
        )
        assert measured == expected
    assert sum(r.lookups for r in receipts) > 0


@pytest.mark.parametrize("block", [1, 3, 6, 100])
def test_any_block_size_gives_the_same_bits(finished: Path, tmp_path: Path, block: int) -> None:
    run_here(sweep_file(tmp_path, axes=T0_AND_RINGS, block=block), tmp_path / "s.zarr")
    assert_same_bits(finished, tmp_path / "s.zarr")


@pytest.mark.parametrize("scope", ["task", "worker"])
def test_any_order_of_axes_and_values_gives_the_same_bits(tmp_path: Path, scope: str) -> None:
    axes = {
        "temperature.T0": [3000.0, 4000.0],
        "material.rho": [3000.0, 3270.0],
        "collisions.alpha_frag": [3.0, 3.5],
    }
    turned = {key: values[::-1] for key, values in reversed(axes.items())}
    for name, given in (("one", axes), ("other", turned)):
        run_here(
            sweep_file(tmp_path, axes=given, cache={"scope": scope}, block=8),
            tmp_path / f"{name}.zarr",
        )
    assert_same_bits(tmp_path / "one.zarr", tmp_path / "other.zarr")


def test_a_run_in_a_sweep_is_the_run_alone(finished: Path, tmp_path: Path) -> None:
    plan = run_here(sweep_file(tmp_path, axes=T0_AND_RINGS), tmp_path / "s.zarr")
    group = Store.open(tmp_path / "s.zarr")
    for i, case in enumerate(plan.cases):
        alone = run_zero_d(build_config(merge(plan.sweep.base, case.overrides)))
        for variable in layout.VARIABLES:
            if (
                variable.is_in(layout.SCHEMA_VERSION)
                and variable.name not in {"wall_time", "solver_time"}
                and not variable.name.startswith("cache_")
            ):
                stored = group.column(variable.name)[i]
                assert (
                    np.asarray(variable.value(alone)).astype(stored.dtype).tobytes()
                    == stored.tobytes()
                ), variable.name


def test_the_comparison_of_bits_sees_a_difference(finished: Path, tmp_path: Path) -> None:
    run_here(
        sweep_file(
            tmp_path, axes=T0_AND_RINGS, set={"numerics.t_end_years": 0.02, "numerics.rtol": 9e-4}
        ),
        tmp_path / "s.zarr",
    )
    of_finished = results(finished)
    of_changed = results(tmp_path / "s.zarr")
    assert of_finished["Sigma"].tobytes() != of_changed["Sigma"].tobytes()
    assert {
        "M_loss",
        "N",
        "t",
        "Sigma",
        "status",
        "stop_reason",
        "t99",
        "notes",
        "T0",
        "error",
    } <= of_finished.keys()


RHO_SLOTS = [slot for slot, fields in KEY_FIELDS.items() if "rho" in fields]
V_REL_SLOTS = [slot for slot, fields in KEY_FIELDS.items() if "v_rel" in fields]
RING_EDGES = ("r_in_RM", "r_out_RM")


def _invalidations(folder: Path, axes: dict[str, Any], scope: str) -> tuple[Any, Any]:
    """Return the dataset of a sweep in one block, and its invalidations (run, cache, reason)."""
    run_here(
        sweep_file(
            folder,
            axes={"temperature.T0": [3000.0, 4000.0], **axes},
            cache={"scope": scope},
            block=100,
        ),
        folder / "s.zarr",
    )
    dataset = sweep.open_store(folder / "s.zarr")
    return dataset, dataset.cache_invalidations


def _changes(values: list[Any]) -> list[int]:
    return [0, *(int(a != b) for a, b in itertools.pairwise(values))]


@pytest.mark.parametrize(
    ("axes", "coordinate", "reason", "slots"),
    [
        (
            {"collisions.alpha_frag": [3.0, 3.5, 4.0]},
            "alpha_frag",
            "alpha_frag",
            ["weights_table", "fragment_tensor"],
        ),
        ({"material.rho": [3000.0, 3270.0, 3300.0]}, "rho", "rho", RHO_SLOTS),
        ({"ring": {"rings": [1.0, 2.7, 3]}}, "ring", "v_rel", V_REL_SLOTS),
        (
            {"sizes.n_bins": [20, 30]},
            "n_bins",
            "sizes_version",
            [slot for slot, fields in KEY_FIELDS.items() if "sizes_version" in fields],
        ),
    ],
)
def test_a_value_is_dropped_exactly_where_its_key_changes(
    tmp_path: Path, axes: dict[str, Any], coordinate: str, reason: str, slots: list[str]
) -> None:
    dataset, invalidations = _invalidations(tmp_path, axes, "task")
    expected = _changes(dataset[coordinate].values.tolist())
    assert sum(expected) == dataset.M_loss.size // 2 - 1  # each value stands together
    for slot in slots:
        assert invalidations.sel(cache=slot, reason=reason).values.tolist() == expected, slot
    dropped = invalidations.sum("run")
    assert {str(name) for name in dropped.reason.values[dropped.values.any(axis=0)]} <= {
        reason,
        "edges_version",
        "initial_version",
    }
    assert {
        str(name) for name in dropped.cache.values[dropped.sel(reason=reason).values > 0]
    } == set(slots)


def test_a_task_builds_each_value_it_needs_exactly_once(tmp_path: Path) -> None:
    axes = {
        "temperature.T0": [3000.0, 4000.0, 5000.0],
        "optical_depth.tau0_target": [0.5, 1.0],
        "ring": {"rings": [1.0, 2.7, 5]},
    }
    plan = run_here(sweep_file(tmp_path, axes=axes, block=12), tmp_path / "s.zarr")
    dataset = sweep.open_store(tmp_path / "s.zarr")
    built = dataset.cache_misses + dataset.cache_rebuilds
    for block in plan.blocks:
        # rings differ in v_rel alone
        speeds = len({case.identity for case in map(plan.case, block.rows)})
        assert speeds == (2 if block.index < 2 else 1)
        values_built = built[list(block.rows)].sum("run")
        for slot in dataset.cache.values:
            assert int(values_built.sel(cache=slot)) == (
                speeds if slot in {"fragment_tensor", "qstar_matrix"} else 1
            ), slot


def test_what_no_cached_array_depends_on_drops_nothing(tmp_path: Path) -> None:
    dataset, invalidations = _invalidations(
        tmp_path, {"optical_depth.tau0_target": [0.5, 1.0]}, "task"
    )
    assert int(invalidations.sum()) == 0
    assert int(dataset.cache_misses[0].sum()) == int((dataset.cache_bytes[0] > 0).sum())
    assert int(dataset.cache_misses[1:].sum()) == 0
    assert int(dataset.cache_hits[1:].sum()) > 0


@pytest.mark.parametrize(
    "axes",
    [
        {"collisions.alpha_frag": [3.0, 3.5]},
        {"material.rho": [3000.0, 3270.0]},
        {"ring": {"rings": [1.0, 2.7, 3]}},
    ],
)
def test_under_scope_run_nothing_is_ever_dropped_nor_shared(
    tmp_path: Path, axes: dict[str, Any]
) -> None:
    dataset, invalidations = _invalidations(tmp_path, axes, "run")
    assert int(invalidations.sum()) == 0
    assert (dataset.cache_misses.values == dataset.cache_misses.values[0]).all()
    assert (dataset.cache_hits.values == dataset.cache_hits.values[0]).all()


@pytest.mark.parametrize(("scope", "blocks_that_build"), [("task", 4), ("worker", 1)])
def test_the_scope_says_how_far_values_are_shared(
    tmp_path: Path, scope: str, blocks_that_build: int
) -> None:
    run_here(
        sweep_file(
            tmp_path, axes={"temperature.T0": {"linspace": [3000, 4000, 8]}}, cache={"scope": scope}
        ),
        tmp_path / "s.zarr",
    )
    dataset = sweep.open_store(tmp_path / "s.zarr")
    misses = dataset.cache_misses.sum("cache").values
    assert (misses > 0).sum() == blocks_that_build
    assert misses[0] > 0


def test_a_disabled_cache_has_no_hits_and_holds_nothing(tmp_path: Path) -> None:
    run_here(
        sweep_file(tmp_path, axes={"temperature.T0": [3000.0, 4000.0]}, cache={"enabled": False}),
        tmp_path / "s.zarr",
    )
    dataset = sweep.open_store(tmp_path / "s.zarr")
    assert (
        int(dataset.cache_hits.sum())
        == int(dataset.cache_bytes.sum())
        == int(dataset.cache_invalidations.sum())
        == 0
    )
    assert (dataset.cache_misses.sum("cache").values > 0).all()
