"""Compiled kernels on disk: shared, never stale, repaired when damaged, and done without where no folder can be written."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_sweeps import CONFIGS, MELT, T0_AND_RINGS, assert_same_bits, command, environment, run_here, sweep_file

import marsdisk
import sweep
from marsdisk._jit import compiled_folder
from marsdisk.config import load_config
from marsdisk.physics.constants import YEAR
from marsdisk.zero_d import ensure_compiled, run_zero_d
from sweep.store.reader import counts

SHORT = {"numerics.t_end_years": 0.02}


def copy_of_kernels(root: Path) -> Path:
    """A copy of the compiled kernels of this process, in the folder that a process under ``root`` looks into."""
    ensure_compiled()
    return Path(shutil.copytree(compiled_folder(), root / compiled_folder().name))


def one_run(folder: Path, **extra: str) -> Any:
    """M_loss of a run in a process of its own."""
    done = command("marsdisk", "run", MELT, "--set", "numerics.t_end_years=0.02", "--out", "run.npz", cwd=folder, **extra)
    assert (done.returncode, done.stderr) == (0, "")
    with np.load(folder / "run.npz") as arrays:
        return arrays["M_loss"][()]


def test_kernels_of_another_process_are_used_as_they_are(tmp_path: Path) -> None:
    folder = copy_of_kernels(tmp_path / "kernels")
    before = {path.name: path.stat().st_mtime_ns for path in folder.rglob("*.nb?")}
    assert one_run(tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "kernels")) == run_zero_d(load_config(MELT, SHORT)).M_loss
    assert {path.name: path.stat().st_mtime_ns for path in folder.rglob("*.nb?")} == before


def cut(folder: Path, kind: str, length: int) -> None:
    paths = list(folder.rglob(f"*.{kind}"))
    assert paths
    for path in paths:
        path.write_bytes(path.read_bytes()[:length])


@pytest.mark.faults("compiled kernels of a run are cut short")
def test_cut_kernels_of_a_run_are_repaired(tmp_path: Path) -> None:
    folder = copy_of_kernels(tmp_path / "kernels")
    cut(folder, "nbc", 10)
    expected = run_zero_d(load_config(MELT, SHORT)).M_loss
    assert one_run(tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "kernels")) == expected
    assert all(path.stat().st_size > 10 for path in folder.rglob("*.nb?"))
    assert one_run(tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "kernels")) == expected


TINY_KERNEL = """
from marsdisk._jit import call_repairing, kernel

@kernel
def double(x):
    return 2.0 * x

print(call_repairing(lambda: double(21.0)))
"""


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
@pytest.mark.parametrize("length", [0, 10])
def test_any_cut_file_is_written_anew(tmp_path: Path, kind: str, length: int) -> None:
    script = tmp_path / "tiny.py"
    script.write_text(TINY_KERNEL, encoding="utf-8")
    for damage in (False, True):
        if damage:
            cut(tmp_path / "kernels", kind, length)
        words = [sys.executable, str(script)]
        done = subprocess.run(
            words, env=environment(NUMBA_CACHE_DIR=str(tmp_path / "kernels")), capture_output=True, text=True, timeout=300, check=False
        )
        assert (done.stdout, done.stderr) == ("42.0\n", "")
        assert min(path.stat().st_size for path in (tmp_path / "kernels").rglob("*.nb?")) > 10


def test_where_the_folder_of_kernels_cannot_be_written_the_temporary_one_serves(tmp_path: Path) -> None:
    copy_of_kernels(tmp_path / f"marsdisk-{os.getuid()}")
    assert one_run(tmp_path, NUMBA_CACHE_DIR="/proc/nowhere", TMPDIR=str(tmp_path)) == run_zero_d(load_config(MELT, SHORT)).M_loss


@pytest.mark.faults("eight drivers start at once where no kernels are compiled")
def test_eight_drivers_that_start_together_without_kernels_all_succeed(tmp_path: Path, start: Callable[..., Any]) -> None:
    file, stores = sweep_file(tmp_path, axes=T0_AND_RINGS), [tmp_path / f"{i}.zarr" for i in range(8)]
    drivers = [start(file, store, 0, NUMBA_CACHE_DIR=str(tmp_path / "kernels")) for store in stores]
    for driver in drivers:
        out, err = driver.communicate(timeout=590)
        assert (driver.returncode, err) == (0, ""), out
    run_here(file, tmp_path / "warm.zarr")
    for store in stores:
        assert_same_bits(store, tmp_path / "warm.zarr")


@pytest.mark.faults("a constant of the model is edited between two runs")
def test_an_edited_constant_changes_the_results_and_closes_older_stores(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for package in (marsdisk, sweep):
        folder = Path(str(package.__file__)).parent
        shutil.copytree(folder, source / folder.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(CONFIGS, source / "configs")
    extra = {"PYTHONPATH": str(source), "NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    file = sweep_file(tmp_path, axes={"temperature.T0": [3000.0, 4000.0]}, set={"numerics.t_end_years": 2.0})
    words = ["sweep", "run", file, "--workers", 0, "--store"]
    first = command(*words, "first.zarr", cwd=tmp_path, **extra)
    assert (first.returncode, first.stderr) == (0, "")

    constants = source / "marsdisk" / "physics" / "constants.py"
    text = constants.read_text(encoding="utf-8")
    constants.write_text(text.replace("SIGMA_SB = 5.670374419e-8", "SIGMA_SB = 5.0e-8"), encoding="utf-8")
    assert constants.read_text(encoding="utf-8") != text
    second = command(*words, "second.zarr", cwd=tmp_path, **extra)
    assert (second.returncode, second.stderr) == (0, "")
    for name, sigma in (("first", 5.670374419e-8), ("second", 5.0e-8)):
        dataset = sweep.open_store(tmp_path / f"{name}.zarr")
        T0, t_end = dataset.T0.values, 2.0 * YEAR
        slab = (T0**-3.0 + 3.0 * sigma * t_end / (1e5 * 3000.0 * 1000.0)) ** (-1.0 / 3.0)
        np.testing.assert_allclose(dataset.T_M.values[:, -1], slab, rtol=1e-10)
    M_loss = [sweep.open_store(tmp_path / f"{name}.zarr").M_loss.values for name in ("first", "second")]
    assert (M_loss[0] != M_loss[1]).all()

    refused = command(*words, "first.zarr", cwd=tmp_path, **extra)
    assert refused.returncode == 2
    assert "first.zarr holds another plan; nothing was changed:\n  model version: the store has " in refused.stderr
    assert counts(tmp_path / "first.zarr").done == 2
