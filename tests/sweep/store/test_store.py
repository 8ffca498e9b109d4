"""The store: opened by xarray alone, arrays described, failed runs marked, commits respected."""

import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray
import zarr
from small_sweeps import MELT, SCRIPTS, assert_same_bits, environment, run_here, sweep_file

import sweep
from marsdisk.config import load_config
from sweep.common.errors import StoreError
from sweep.planning.create_store import create
from sweep.planning.plan import make_plan
from sweep.results.portable import recorded_attributes
from sweep.running.driver import block_task
from sweep.spec.file import load_sweep
from sweep.store import layout
from sweep.store.store import Store, read_fence
from sweep.workers.block import CacheScopes, run_block

PLAIN_OPEN = """
import sys, warnings
warnings.simplefilter("error")
import xarray
dataset = xarray.open_zarr(sys.argv[1], **eval(sys.argv[2]))
assert not {"sweep", "marsdisk"} & set(sys.modules)
print(dataset.sizes["run"], float(dataset.M_loss.sum()) > 0.0)
"""


def test_xarray_opens_a_store_without_us_and_without_a_warning(finished: Path) -> None:
    words = [sys.executable, "-c", PLAIN_OPEN, str(finished), "{'consolidated': False}"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["6", "True"], "")


# Zarr v3 has no such thing yet
@pytest.mark.filterwarnings("ignore:Failed to open Zarr store with consolidated metadata")
def test_xarray_opens_a_store_with_nothing_but_its_path(finished: Path) -> None:
    assert xarray.open_zarr(finished).sizes["run"] == 6


def test_every_array_has_named_dimensions(finished: Path) -> None:
    arrays = dict(zarr.open_group(finished, mode="r").arrays())
    expected = {("run", *v.dims) for v in layout.variables(shared_grid=False)} | {
        ("bin",),
        ("cache",),
        ("reason",),
    }
    assert {array.metadata.dimension_names for array in arrays.values()} <= expected
    assert {v.name for v in layout.variables(shared_grid=True)} | {
        "s",
        "run_id",
        "block",
        "T0",
        "ring",
    } <= arrays.keys()
    assert {name for array in arrays.values() for name in array.metadata.dimension_names} == {
        "run",
        "sample",
        "snapshot",
        "bin",
        "cache",
        "reason",
    }


def test_every_array_says_what_it_is_and_in_which_unit(finished: Path) -> None:
    arrays = {
        name: array
        for name, array in zarr.open_group(finished, mode="r").arrays()
        if name not in layout.INDEXES
    }
    assert {"M_loss", "N", "T0", "status", "error"} <= arrays.keys()
    assert [name for name, array in arrays.items() if not array.attrs.get("long_name")] == []
    numbers = {name: array.attrs for name, array in arrays.items() if array.dtype.kind != "T"}
    assert [
        name
        for name, attributes in numbers.items()
        if not (attributes.get("units") or attributes.get("flag_meanings"))
    ] == []


def test_a_store_holds_the_speeds_of_runs_whose_orbits_are_damped(
    tmp_path: Path, finished: Path
) -> None:
    """The other runs, whose speed never changes, have NaN."""
    file = sweep_file(
        tmp_path,
        set={"numerics.t_end_orbits": 1e-3},
        axes={"dynamics.damping": [None, {"e_eq": 0.1}]},
        block=2,
    )
    run_here(file, tmp_path / "s.zarr")
    with xarray.open_zarr(tmp_path / "s.zarr", consolidated=False) as dataset:
        damped = ~np.isnan(dataset.e.values).any(axis=1)
        assert damped.tolist().count(True) == 1
        assert np.isnan(dataset.v_rel.values[~damped]).all()
        e = dataset.e.values[damped][0]
        v_rel = dataset.v_rel.values[damped][0]
        assert e[0] == 0.5
        assert e[-1] == pytest.approx(0.1, rel=1e-9)
        assert v_rel / v_rel[0] == pytest.approx(e / e[0], rel=1e-12)
    assert not {"e", "v_rel"} & set(zarr.open_group(finished, mode="r").array_keys())


@pytest.mark.parametrize(
    ("name", "units"),
    [
        ("M_loss", "M_Mars"),
        ("t", "s"),
        ("Sigma", "kg m-2"),
        ("N", "m-2"),
        ("s", "m"),
        ("T0", "K"),
        ("steps", "1"),
    ],
)
def test_units_are_those_of_the_result(finished: Path, name: str, units: str) -> None:
    assert sweep.open_store(finished)[name].attrs["units"] == units


@pytest.mark.parametrize("name", ["status", "stop_reason"])
def test_flags_have_a_meaning_each(finished: Path, name: str) -> None:
    attributes = sweep.open_store(finished)[name].attrs
    assert len(attributes["flag_values"]) == len(attributes["flag_meanings"].split())
    assert attributes["flag_values"][0] == 0


def test_swept_parameters_are_coordinates_with_their_full_key(finished: Path) -> None:
    dataset = sweep.open_store(finished)
    assert {"run_id", "block", "T0", "r_in_RM", "r_out_RM", "ring", "cache", "reason"} <= set(
        dataset.coords
    )
    assert dataset.T0.attrs["config_key"] == "temperature.T0"
    assert sorted(set(dataset.T0.values.tolist())) == [3000.0, 4000.0]
    assert dataset.block.values.tolist() == [0, 0, 1, 1, 2, 2]
    assert len(set(dataset.run_id.values.tolist())) == 6


def test_a_store_says_where_it_comes_from(finished: Path) -> None:
    attributes = recorded_attributes(sweep.open_store(finished))
    provenance = attributes["provenance"]
    assert {
        "model_version",
        "packages",
        "tables",
        "git_commit",
        "git_dirty",
        "python",
        "created",
    } <= provenance.keys()
    assert {"numpy", "numba", "zarr", "dask"} <= provenance["packages"].keys()
    assert len(provenance["tables"]["radiation.Q_pr = forsterite"]) >= 32
    given = json.loads((finished.parent / "small.yaml").read_text(encoding="utf-8"))
    assert attributes["sweep"]["content"] == {**given, "base": attributes["sweep"]["base_path"]}
    base = load_config(
        MELT, {"numerics.t_end_years": 0.02, "output.samples": 8, "output.snapshots": 2}
    ).model_dump(mode="json")
    assert attributes["base_config"] == base, "not the first case, whose T0 is another"
    assert (attributes["axes"], attributes["schema_version"], attributes["Conventions"]) == (
        ["T0", "ring"],
        3,
        "CF-1.11",
    )


def test_a_base_that_only_its_axes_make_whole_is_stored_as_it_is_given(tmp_path: Path) -> None:
    base = tmp_path / "base.yaml"
    base.write_text(
        "sizes: {s_min: 1e-7, s_max: 3.0}\ntemperature: {law: slab, T0: 4000.0}\n", encoding="utf-8"
    )
    file = sweep_file(tmp_path, base="base.yaml", axes={"ring": {"rings": [1.0, 2.0, 2]}})
    create(make_plan(load_sweep(file)), tmp_path / "s.zarr")
    stored = Store.open(tmp_path / "s.zarr").description.base_config
    assert stored == {
        "sizes": {"s_min": 1e-7, "s_max": 3.0},
        "temperature": {"law": "slab", "T0": 4000.0},
        "numerics": {"t_end_years": 0.02},
        "output": {"samples": 8, "snapshots": 2},
    }


def test_the_grid_view_has_a_dimension_for_every_axis(finished: Path) -> None:
    dataset = sweep.open_store(finished)
    grid = dataset.sweep.grid()
    assert dict(grid.M_loss.sizes) == {"T0": 2, "ring": 3}
    assert grid.N.dims == ("snapshot", "bin", "T0", "ring")
    assert grid.N.shape == (2, dataset.sizes["bin"], 2, 3)
    assert grid.status.dtype.kind in "iu"
    xarray.testing.assert_identical(grid, dataset.sweep.grid(["T0", "ring"]))
    for i in range(dataset.sizes["run"]):
        run = dataset.isel(run=i)
        assert float(grid.M_loss.sel(T0=run.T0, ring=run.ring)) == float(run.M_loss)


def test_the_sum_over_rings_is_the_plain_sum_of_their_runs(finished: Path) -> None:
    dataset = sweep.open_store(finished)
    for temperature in (3000.0, 4000.0):
        plain = dataset.M_loss.values[dataset.T0.values == temperature].sum()
        assert float(dataset.sweep.grid().M_loss.sum("ring").sel(T0=temperature)) == pytest.approx(
            plain, rel=1e-14
        )


def test_the_grid_view_refuses_to_put_two_runs_into_a_cell(finished: Path) -> None:
    with pytest.raises(
        ValueError, match=r"several runs share a cell of T0; add ring or select runs first"
    ):
        sweep.open_store(finished).sweep.grid(["T0"])


def test_the_grid_view_names_an_axis_of_words_that_is_missing(tmp_path: Path) -> None:
    run_here(
        sweep_file(
            tmp_path,
            axes={"temperature.T0": [3000.0]},
            variants={"plain": {}, "flat": {"dynamics.e0": 0.1}},
        ),
        tmp_path / "s.zarr",
    )
    dataset = sweep.open_store(tmp_path / "s.zarr")
    assert dict(dataset.sweep.grid().M_loss.sizes) == {"T0": 1, "variant": 2}
    with pytest.raises(ValueError, match=r"several runs share a cell of T0; add variant"):
        dataset.sweep.grid(["T0"])


def test_the_grid_view_names_the_coordinates_there_are(finished: Path) -> None:
    with pytest.raises(ValueError, match=r"tau is no coordinate of the runs; there are .*T0"):
        sweep.open_store(finished).sweep.grid(["T0", "tau"])


def test_included_and_excluded_cases_leave_holes_that_are_not_mistaken_for_runs(
    tmp_path: Path,
) -> None:
    axes = {"temperature.T0": [3000.0, 4000.0], "dynamics.e0": [0.1, 0.5]}
    corner = {"temperature.T0": 3000.0, "dynamics.e0": 0.1}
    run_here(
        sweep_file(
            tmp_path,
            axes=axes,
            exclude=[corner],
            include=[{"temperature.T0": 5000.0, "dynamics.e0": 0.5}],
        ),
        tmp_path / "s.zarr",
    )
    grid = sweep.open_store(tmp_path / "s.zarr").sweep.grid()
    assert dict(grid.M_loss.sizes) == {
        "T0": 2,
        "e0": 2,
    }, "an included run is not on the product's axes"
    assert grid.status.values.tolist() == [[0, 1], [1, 1]]
    assert np.isnan(grid.M_loss.values[0, 0])
    assert np.isfinite(grid.M_loss.values[grid.status.values == 1]).all()


@pytest.mark.parametrize("axes", [{"sizes.n_bins": [20, 30]}, {"sizes.s_min": [1e-7, 1e-6]}])
def test_runs_with_different_size_grids_have_sizes_each(
    tmp_path: Path, axes: dict[str, Any]
) -> None:
    set_ = {"numerics.t_end_years": 0.02, "initial": {"s0_mode": "upper"}}
    run_here(sweep_file(tmp_path, set=set_, axes=axes), tmp_path / "s.zarr")
    dataset = sweep.open_store(tmp_path / "s.zarr")
    assert dataset.s.dims == ("run", "bin")
    (values,) = axes.values()
    bins = [value if isinstance(value, int) else 40 for value in values]
    for i, n in enumerate(bins):
        assert np.isfinite(dataset.s.values[i, :n]).all()
        assert np.isnan(dataset.s.values[i, n:]).all()
        assert np.isfinite(dataset.N.values[i, :, :n]).all()
        assert np.isnan(dataset.N.values[i, :, n:]).all()


def test_a_failed_run_is_nan_with_its_error_beside_finished_neighbours(tmp_path: Path) -> None:
    run_here(
        sweep_file(
            tmp_path,
            variants={"good": {}, "bad": {"numerics.max_steps": 3}, "fine": {"dynamics.e0": 0.4}},
            block=3,
        ),
        tmp_path / "s.zarr",
    )
    dataset = sweep.open_store(tmp_path / "s.zarr")
    (bad,) = np.flatnonzero(dataset.variant.values == "bad")
    assert sorted(dataset.status.values.tolist()) == [1, 1, 2]
    assert dataset.status.values[bad] == layout.FAILED
    assert "SolverError: numerics.max_steps = 3 reached" in str(dataset.error.values[bad])
    assert np.isnan(dataset.M_loss.values[bad])
    assert np.isnan(dataset.N.values[bad]).all()
    assert dataset.stop_reason.values[bad] == 0
    others = np.delete(np.arange(3), bad)
    assert np.isfinite(dataset.M_loss.values[others]).all()
    assert dataset.error.values[others].tolist() == ["", ""]


def test_the_commit_record_is_the_last_array_of_a_block(finished: Path) -> None:
    assert [v.name for v in layout.variables(shared_grid=False)][-1] == "status"
    written = {
        path.relative_to(finished).parts[0]: path.stat().st_ctime_ns
        for path in finished.glob("*/c/0*/**/*")
        if path.is_file()
    }
    written |= {
        path.parts[-3]: path.stat().st_ctime_ns for path in finished.glob("*/c/0") if path.is_file()
    }
    assert {"status", "M_loss", "N", "cache_misses", "worker"} <= written.keys()
    assert written["status"] == max(written.values())


WITH_SMALL_FILES = (
    "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000));"
    " os.execv(sys.argv[1], sys.argv[1:])"
)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_block_whose_writing_fails_stays_pending_and_a_rerun_repairs_it(
    tmp_path: Path, workers: int
) -> None:
    file = sweep_file(
        tmp_path,
        axes={"temperature.T0": [3000.0, 4000.0, 5000.0]},
        output={"samples": 8, "snapshots": 8},
        block=3,
    )
    store = tmp_path / "s.zarr"
    create(make_plan(load_sweep(file)), store)
    words = [
        str(SCRIPTS / "sweep"),
        "run",
        str(file),
        "--store",
        str(store),
        "--workers",
        str(workers),
    ]
    full = subprocess.run(
        [sys.executable, "-c", WITH_SMALL_FILES, *words],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=tmp_path,
    )
    assert full.returncode == 2
    assert (
        f"{store}: writing failed: File too large; free space or repair the disk, then run the same"
        " command again" in full.stderr
    )
    assert "Traceback" not in full.stderr
    assert Store.open(store).counts().pending == 3
    assert not list(store.glob("M_loss/c/*"))  # though it is small enough
    run_here(file, store)
    run_here(file, tmp_path / "undisturbed.zarr")
    assert_same_bits(store, tmp_path / "undisturbed.zarr")


def test_what_is_no_store_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store of a sweep here"):
        sweep.open_store(tmp_path / "nothing.zarr")


@pytest.mark.parametrize("name", ["M_loss", "N", "run_id", "T0", "error"])
@pytest.mark.parametrize("damage", ["missing", "garbled"])
def test_an_array_that_is_missing_or_garbled_is_named_though_all_runs_are_done(
    tmp_path: Path, finished: Path, name: str, damage: str
) -> None:
    store = Path(shutil.copytree(finished, tmp_path / "s.zarr"))
    if damage == "missing":
        shutil.rmtree(store / name)
    else:
        (store / name / "zarr.json").write_text("garbage", encoding="utf-8")
    with pytest.raises(
        StoreError,
        match=rf"s\.zarr: {name} is missing or damaged; see what can be done: sweep doctor ",
    ):
        Store.open(store)


def test_a_garbled_chunk_is_named_with_its_array(tmp_path: Path, finished: Path) -> None:
    store = Path(shutil.copytree(finished, tmp_path / "s.zarr"))
    (store / "T0" / "c" / "0").write_text("garbage", encoding="utf-8")
    with pytest.raises(
        StoreError, match=r"s\.zarr: T0 is damaged: .*; see what can be done: sweep doctor "
    ):
        Store.open(store).column("T0")


@pytest.mark.parametrize("text", ["garbage", "[]", "{}", ""])
def test_a_garbled_store_is_refused_by_name(tmp_path: Path, finished: Path, text: str) -> None:
    store = Path(shutil.copytree(finished, tmp_path / "s.zarr"))
    (store / "zarr.json").write_text(text, encoding="utf-8")
    with pytest.raises(
        StoreError,
        match=(
            r"s\.zarr: is not a store of a sweep, or is damaged.*; nothing was changed; choose"
            r" another --store"
        ),
    ):
        Store.open(store)


def test_a_store_of_another_schema_is_refused(tmp_path: Path) -> None:
    zarr.open_group(tmp_path / "other.zarr", mode="w", attributes={"schema_version": 99})
    with pytest.raises(StoreError, match="has schema 99, this program reads 1"):
        sweep.open_store(tmp_path / "other.zarr")


@pytest.mark.parametrize("damage", [lambda file: file.write_text("{"), lambda file: file.unlink()])
def test_an_array_that_is_damaged_while_workers_run_is_named(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    plan = make_plan(load_sweep(sweep_file(tmp_path, axes={"temperature.T0": [3000.0, 4000.0]})))
    store = tmp_path / "s.zarr"
    create(plan, store)
    damage(store / "Sigma" / "zarr.json")
    with pytest.raises(
        StoreError, match=r"Sigma is missing or damaged: the store was changed while workers ran"
    ):
        run_block(block_task(plan, str(store), plan.blocks[0], read_fence(store)), CacheScopes())
    assert not np.any(zarr.open_array(store / "status", mode="r")[:])


def test_a_run_that_fails_keeps_nothing_of_a_torn_earlier_attempt(tmp_path: Path) -> None:
    changes = {"energy": {"enabled": True}, "numerics.t_end_years": 1e-6}
    plan = make_plan(
        load_sweep(sweep_file(tmp_path, set=changes, axes={"temperature.T0": [3000.0]}))
    )
    store = tmp_path / "s.zarr"
    create(plan, store)
    task = block_task(plan, str(store), plan.blocks[0], read_fence(store))
    run_block(task, CacheScopes())
    assert np.isfinite(zarr.open_array(store / "E_collisions", mode="r")[:]).all()
    (store / "status" / "c" / "0").unlink()
    run_block(dataclasses.replace(task, condemned={0: "killed its worker"}), CacheScopes())
    assert np.isnan(zarr.open_array(store / "E_collisions", mode="r")[:]).all()


def test_files_that_a_killed_process_was_writing_are_removed_when_a_sweep_goes_on(
    tmp_path: Path,
) -> None:
    file = sweep_file(tmp_path, axes={"temperature.T0": [3000.0, 4000.0]}, block=1)
    store = tmp_path / "s.zarr"
    run_here(file, store)
    (store / "status" / "c" / "0").unlink()
    torn = store / "M_loss" / "c" / "0.c57cf4b090e84618909630824dabc2fe.partial"
    torn.write_bytes(b"torn")
    run_here(file, store)
    assert not torn.exists()
    assert Store.open(store).counts().pending == 0
