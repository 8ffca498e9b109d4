"""Compiled kernels on disk: shared, never stale, repaired when damaged.

Where no folder can be written, a process does without them.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drivers import SWEEP_WITH_ONE_KERNEL
from small_sweeps import (
    CONFIGS,
    MELT,
    T0_AND_RINGS,
    assert_same_bits,
    command,
    environment,
    run_here,
    sweep_file,
)
from waiting import PATIENCE, Driver, wait_for, wait_for_end

import marsdisk
import sweep
from marsdisk._jit import compiled_folder
from marsdisk.config import load_config
from marsdisk.physics.constants import SIGMA_SB, YEAR
from marsdisk.zero_d import ensure_compiled, run_zero_d
from sweep.store.store import Store

Start = Callable[..., Driver]

SHORT = {"numerics.t_end_years": 0.02}


def copy_of_kernels(root: Path) -> Path:
    """Copy the compiled kernels of this process to where a process under ``root`` expects them."""
    ensure_compiled()
    return Path(shutil.copytree(compiled_folder(), root / compiled_folder().name))


def run_alone(file: Path, folder: Path, *words: str, **extra: str) -> dict[str, Any]:
    """Return the results of a run in a process of its own."""
    line = ["marsdisk", "run", file, *words, "--out", "run.npz"]
    done = command(*line, cwd=folder, timeout=PATIENCE, **extra)
    assert (done.returncode, done.stderr) == (0, "")
    with np.load(folder / "run.npz") as arrays:
        return dict(arrays)


def one_run(folder: Path, **extra: str) -> Any:
    """Return M_loss of a run in a process of its own."""
    return run_alone(MELT, folder, "--set", "numerics.t_end_years=0.02", **extra)["M_loss"][()]


def test_kernels_of_another_process_are_used_as_they_are(tmp_path: Path) -> None:
    folder = copy_of_kernels(tmp_path / "kernels")
    before = times(folder)
    assert (
        one_run(tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "kernels"))
        == run_zero_d(load_config(MELT, SHORT)).M_loss
    )
    assert times(folder) == before


def times(folder: Path) -> dict[str, int]:
    """Return the time at which each file of compiled code was written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("*.nb?")}


def cut(folder: Path, files: str, length: int) -> None:
    paths = list(folder.rglob(files))
    assert paths
    for path in paths:
        path.write_bytes(path.read_bytes()[:length])


def lengths(folder: Path) -> list[int]:
    return [path.stat().st_size for path in folder.rglob("*.nb?")]


#: Grains alike enough for the classic step.
CLASSIC = """
disk: {r_in_RM: 2.0, r_out_RM: 2.1}
sizes: {s_min: 1e-4, s_max: 1e-2, n_bins: 20}
initial: {s0_mode: upper}
temperature: {law: constant, T0: 4000.0}
radiation: {Q_pr: 1.0}
numerics: {scheme: imex_bdf1, t_end_orbits: 1e-4}
"""


@pytest.mark.faults("compiled kernels of a run are cut short")
def test_a_cut_kernel_of_a_run_is_repaired(tmp_path: Path) -> None:
    folder = copy_of_kernels(tmp_path / "kernels")
    cut(folder, "smol._advance-*.nbc", 10)  # the classic step, which is loaded last of all
    file = tmp_path / "classic.yaml"
    file.write_text(CLASSIC, encoding="utf-8")
    results = run_alone(file, tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "kernels"))
    expected = run_zero_d(load_config(file))
    assert results["N"].tobytes() == expected.N.tobytes()
    assert results["steps"] == expected.steps > 100
    assert list(folder.rglob("smol._advance-*.nbc"))
    assert min(lengths(folder)) > 10


@pytest.mark.thorough
def test_cut_kernels_of_a_run_are_repaired(tmp_path: Path) -> None:
    folder = copy_of_kernels(tmp_path / "kernels")
    cut(folder, "*.nbc", 10)
    expected = run_zero_d(load_config(MELT, SHORT)).M_loss
    assert one_run(tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "kernels")) == expected
    repaired = times(folder)
    assert any(path.stat().st_size > 10 for path in folder.rglob("*.nbc"))  # others' stay cut
    (tmp_path / "again").mkdir()
    assert one_run(tmp_path / "again", NUMBA_CACHE_DIR=str(tmp_path / "kernels")) == expected
    assert times(folder) == repaired  # nothing was left to be compiled


TINY_KERNEL = """
from marsdisk._jit import call_repairing, kernel

@kernel
def double(x):
    return 2.0 * x

print(call_repairing(lambda: double(21.0)))
"""


def run_tiny(script: Path, kernels: Path) -> None:
    """Run the tiny kernel in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(script)],
        env=environment(NUMBA_CACHE_DIR=str(kernels)),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("42.0\n", "")
    assert min(lengths(kernels)) > 10


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a script with a tiny kernel, compiled into the folder ``kernels``. Only to be read."""
    folder = tmp_path_factory.mktemp("tiny")
    script = folder / "tiny.py"
    script.write_text(TINY_KERNEL, encoding="utf-8")
    run_tiny(script, folder / "kernels")
    return script


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
@pytest.mark.parametrize("length", [0, 10])
def test_any_cut_file_is_written_anew(tmp_path: Path, tiny: Path, kind: str, length: int) -> None:
    kernels = Path(shutil.copytree(tiny.parent / "kernels", tmp_path / "kernels"))
    cut(kernels, f"*.{kind}", length)
    run_tiny(tiny, kernels)


def test_where_the_folder_of_kernels_cannot_be_written_the_temporary_one_serves(
    tmp_path: Path,
) -> None:
    copy_of_kernels(tmp_path / f"marsdisk-{os.getuid()}")
    assert (
        one_run(tmp_path, NUMBA_CACHE_DIR="/proc/nowhere", TMPDIR=str(tmp_path))
        == run_zero_d(load_config(MELT, SHORT)).M_loss
    )


@pytest.mark.faults("eight drivers start at once where no kernels are compiled")
def test_of_eight_drivers_that_start_together_without_kernels_one_compiles(
    tmp_path: Path,
    start: Start,
) -> None:
    folder = copy_of_kernels(tmp_path / "kernels")
    (folder / "complete").unlink()  # without this file they believe that nothing is compiled
    notes = tmp_path / "notes"
    notes.mkdir()
    file = sweep_file(tmp_path, axes=T0_AND_RINGS)
    stores = [tmp_path / f"{i}.zarr" for i in range(8)]
    extra = {"NUMBA_CACHE_DIR": str(tmp_path / "kernels"), "ONE_KERNEL": str(notes)}
    drivers = [start(file, store, 0, through=SWEEP_WITH_ONE_KERNEL, **extra) for store in stores]
    wait_for(lambda: len(list(notes.glob("arrived-*"))) == 8)
    (notes / "go_on").touch()
    assert_all_succeed(drivers, file, stores)
    compiled, loaded = (list(notes.glob(f"{word}-*")) for word in ("compiled", "loaded"))
    assert (len(compiled), len(loaded)) == (1, 7)


@pytest.mark.thorough
def test_eight_drivers_that_start_together_without_kernels_all_succeed(
    tmp_path: Path,
    start: Start,
) -> None:
    file = sweep_file(tmp_path, axes=T0_AND_RINGS)
    stores = [tmp_path / f"{i}.zarr" for i in range(8)]
    extra = {"NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    assert_all_succeed([start(file, store, 0, **extra) for store in stores], file, stores)


def assert_all_succeed(drivers: list[Driver], file: Path, stores: list[Path]) -> None:
    """Assert that all end well, with the bits of a sweep with ready kernels."""
    for driver in drivers:
        out, err, code = wait_for_end(driver)
        assert (code, err) == (0, ""), out
    warm = file.parent / "warm.zarr"
    run_here(file, warm)
    for store in stores:
        assert_same_bits(store, warm)


def copy_of_sources(folder: Path) -> Path:
    """Copy the program; a process that has the copy on its path uses it."""
    source = folder / "source"
    ignored = shutil.ignore_patterns("__pycache__")
    for package in (marsdisk, sweep):
        original = Path(str(package.__file__)).parent
        shutil.copytree(original, source / original.name, ignore=ignored)
    shutil.copytree(CONFIGS, source / "configs")
    return source


EDITED_SIGMA_SB = 5.0e-8


def edit_constant(source: Path) -> None:
    """Give the Stefan-Boltzmann constant another value."""
    constants = source / "marsdisk" / "physics" / "constants.py"
    text = constants.read_text(encoding="utf-8")
    edited = re.sub(r"SIGMA_SB = [\d.e-]+", f"SIGMA_SB = {EDITED_SIGMA_SB}", text)
    assert edited != text
    constants.write_text(edited, encoding="utf-8")


CALLEE = """
from .._jit import kernel
from .constants import SIGMA_SB

@kernel
def flux(T):
    return SIGMA_SB * T**4.0
"""
CALLER = """
from .._jit import kernel
from ..physics.callee import flux

@kernel
def flux_of_both_sides(T):
    return 2.0 * flux(T)
"""
CALL = "from marsdisk.solver.caller import flux_of_both_sides; print(flux_of_both_sides(1000.0))"


@pytest.mark.faults("a constant of the model is edited between two runs")
def test_an_edited_constant_reaches_a_kernel_through_its_callee(tmp_path: Path) -> None:
    source = copy_of_sources(tmp_path)
    for file, text in (("physics/callee.py", CALLEE), ("solver/caller.py", CALLER)):
        (source / "marsdisk" / file).write_text(text, encoding="utf-8")
    env = environment(PYTHONPATH=str(source), NUMBA_CACHE_DIR=str(tmp_path / "kernels"))

    def flux() -> float:
        options = {"cwd": tmp_path, "env": env, "capture_output": True, "check": True}
        return float(subprocess.run([sys.executable, "-c", CALL], **options).stdout)

    assert flux() == pytest.approx(2.0 * SIGMA_SB * 1000.0**4, rel=1e-14)
    edit_constant(source)
    assert flux() == pytest.approx(2.0 * EDITED_SIGMA_SB * 1000.0**4, rel=1e-14)


@pytest.mark.faults("a constant of the model is edited between two runs")
def test_an_edited_constant_closes_older_stores(tmp_path: Path) -> None:
    source = copy_of_sources(tmp_path)
    file = sweep_file(tmp_path, axes={"temperature.T0": [3000.0, 4000.0]})
    run_here(file, tmp_path / "first.zarr")
    words = ["sweep", "run", file, "--workers", 0, "--store", "first.zarr"]
    same = command(*words, cwd=tmp_path, PYTHONPATH=str(source))
    assert (same.returncode, same.stderr) == (0, "")
    edit_constant(source)
    assert_refused(command(*words, cwd=tmp_path, PYTHONPATH=str(source)), tmp_path / "first.zarr")


def assert_refused(done: "subprocess.CompletedProcess[str]", store: Path) -> None:
    """Assert that the model's version is named as the difference, and the store is unchanged."""
    assert done.returncode == 2
    words = "holds another plan; nothing was changed:\n  model version: the store has "
    assert f"{store.name} {words}" in done.stderr
    assert Store.open(store).counts().done == 2


@pytest.mark.thorough
def test_an_edited_constant_changes_the_results_and_closes_older_stores(tmp_path: Path) -> None:
    source = copy_of_sources(tmp_path)
    extra = {"PYTHONPATH": str(source), "NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    file = sweep_file(
        tmp_path, axes={"temperature.T0": [3000.0, 4000.0]}, set={"numerics.t_end_years": 2.0}
    )
    words = ["sweep", "run", file, "--workers", 0, "--store"]
    first = command(*words, "first.zarr", cwd=tmp_path, timeout=PATIENCE, **extra)
    assert (first.returncode, first.stderr) == (0, "")

    edit_constant(source)
    second = command(*words, "second.zarr", cwd=tmp_path, timeout=PATIENCE, **extra)
    assert (second.returncode, second.stderr) == (0, "")
    for name, sigma in (("first", SIGMA_SB), ("second", EDITED_SIGMA_SB)):
        dataset = sweep.open_store(tmp_path / f"{name}.zarr")
        T0 = dataset.T0.values
        t_end = 2.0 * YEAR
        slab = (T0**-3.0 + 3.0 * sigma * t_end / (1e5 * 3000.0 * 1000.0)) ** (-1.0 / 3.0)
        np.testing.assert_allclose(dataset.T_M.values[:, -1], slab, rtol=1e-10)
    M_loss = [
        sweep.open_store(tmp_path / f"{name}.zarr").M_loss.values for name in ("first", "second")
    ]
    assert (M_loss[0] != M_loss[1]).all()

    assert_refused(command(*words, "first.zarr", cwd=tmp_path, **extra), tmp_path / "first.zarr")
