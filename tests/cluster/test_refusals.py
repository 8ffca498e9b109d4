"""A store is never mixed with another plan or model, and an unwritable location is named."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from small_sweeps import T0_AND_RINGS, command, run_here, sweep_file

from sweep.common.errors import PlanChangedError, StoreError
from sweep.store.driving import driving
from sweep.store.store import Store


def snapshot(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    run_here(sweep_file(folder, axes=T0_AND_RINGS), folder / "s.zarr")
    return folder / "s.zarr"


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        (
            {"axes": {**T0_AND_RINGS, "temperature.T0": [3000.0, 4500.0]}},
            r"sweep file\.axes\.temperature\.T0: the store has .*4000.*, now it is .*4500",
        ),
        (
            {"axes": {**T0_AND_RINGS, "dynamics.e0": [0.1]}},
            r"sweep file\.axes\.dynamics\.e0: the store has nothing, now it is \[0\.1\]",
        ),
        (
            {"set": {"numerics.t_end_years": 0.03}},
            r"sweep file\.set\.numerics\.t_end_years: the store has 0\.02, now it is 0\.03",
        ),
        (
            {"output": {"samples": 9, "snapshots": 2}},
            r"sweep file\.output\.samples: the store has 8, now it is 9",
        ),
        ({"block": 3}, r"sweep file\.block: the store has 2, now it is 3"),
        (
            {"exclude": [{"temperature.T0": 3000.0, "disk.r_in_RM": 1.0}]},
            r"sweep file\.exclude: the store has nothing",
        ),
    ],
)
def test_another_plan_is_refused_with_what_differs_and_nothing_is_changed(
    store: Path, tmp_path: Path, changes: dict[str, Any], difference: str
) -> None:
    before = snapshot(store)
    axes = {"axes": T0_AND_RINGS, **changes}
    with pytest.raises(
        PlanChangedError, match=r"s\.zarr holds another plan; nothing was changed:\n  " + difference
    ) as caught:
        run_here(sweep_file(tmp_path, **axes), store)
    assert str(caught.value).endswith("use another --store")
    assert snapshot(store) == before


def test_an_override_on_the_command_line_is_another_plan(store: Path) -> None:
    done = command(
        "sweep",
        "run",
        store.parent / "small.yaml",
        "--store",
        store,
        "--set",
        "material.rho=3000",
        cwd=store.parent,
    )
    assert done.returncode == 2
    assert "--set.material.rho: the store has nothing, now it is 3000" in done.stderr


def test_an_edited_base_is_another_plan(tmp_path: Path) -> None:
    base = tmp_path / "base.yaml"
    base.write_text(
        "disk: {r_in_RM: 1.0, r_out_RM: 2.0}\nsizes: {s_min: 1e-7, s_max: 3.0}\ntemperature: {law:"
        " slab, T0: 4000.0}\n",
        encoding="utf-8",
    )
    file = sweep_file(
        tmp_path,
        base="base.yaml",
        set={"numerics": {"t_end_years": 0.02}},
        axes={"dynamics.e0": [0.1, 0.5]},
    )
    run_here(file, tmp_path / "s.zarr")
    base.write_text(base.read_text(encoding="utf-8").replace("2.0}", "2.5}"), encoding="utf-8")
    with pytest.raises(
        PlanChangedError, match=r"base\.disk\.r_out_RM: the store has 2\.0, now it is 2\.5"
    ):
        run_here(file, tmp_path / "s.zarr")


@pytest.mark.parametrize(
    "axes", [{"temperature.T0": [4000.0, 3000.0]}, dict(reversed(T0_AND_RINGS.items()))]
)
def test_the_same_runs_in_another_order_are_those_of_the_store(
    store: Path, tmp_path: Path, axes: dict[str, Any]
) -> None:
    before = snapshot(store)
    plan = run_here(
        sweep_file(
            tmp_path, axes={**T0_AND_RINGS, **axes} if len(axes) < len(T0_AND_RINGS) else axes
        ),
        store,
    )
    assert [case.run_id for case in plan.cases] == Store.open(store).column("run_id").tolist()
    assert snapshot(store) == before


def test_a_comment_or_a_cache_scope_is_no_other_plan(store: Path, tmp_path: Path) -> None:
    before = snapshot(store)
    run_here(sweep_file(tmp_path, axes=T0_AND_RINGS, cache={"scope": "run"}), store)
    assert snapshot(store) == before


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("/proc/nowhere/s.zarr", "cannot be written"),
        ("/proc/s.zarr", "no file can be created in /proc; choose another location with --store"),
        ("a_file/s.zarr", "cannot be written"),
        ("a_folder", "not a store of a sweep"),
        ("a_file", "not a store of a sweep"),
    ],
)
def test_a_place_that_cannot_hold_the_store_is_refused_by_name(
    tmp_path: Path, location: str, words: str
) -> None:
    file = sweep_file(tmp_path, axes=T0_AND_RINGS)
    (tmp_path / "a_folder").mkdir()
    (tmp_path / "a_folder" / "notes.txt").write_text("mine", encoding="utf-8")
    (tmp_path / "a_file").write_text("mine", encoding="utf-8")
    before = snapshot(tmp_path)
    done = command("sweep", "run", file, "--store", location, "--workers", 0, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {location}: ")
    assert words in done.stderr
    assert snapshot(tmp_path) == before


def test_a_read_only_folder_is_refused_with_the_option_that_helps(tmp_path: Path) -> None:
    folder = tmp_path / "read_only"
    folder.mkdir(mode=0o500)
    if os.geteuid() == 0:
        os.seteuid(65534)  # root may write anywhere
    try:
        with (
            pytest.raises(
                StoreError,
                match=r"cannot be written: Permission denied; choose another location with --store",
            ),
            driving(folder / "s.zarr"),
        ):
            pass
    finally:
        if os.getuid() == 0:
            os.seteuid(0)


def test_a_store_that_would_not_fit_on_the_disk_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(
        StoreError,
        match=(
            r"may need .* GB and .* GB are free; lower output\.samples or output\.snapshots, or use"
            r" --store"
        ),
    ):
        run_here(sweep_file(tmp_path, axes=T0_AND_RINGS), tmp_path / "s.zarr")
    assert not (tmp_path / "s.zarr").exists()
