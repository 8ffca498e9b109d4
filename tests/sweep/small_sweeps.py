"""Sweeps that run in seconds, the commands as processes, and stores compared bit for bit."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from rich.console import Console

from sweep.plan import Plan
from sweep.session import run_sweep
from sweep.spec import load_sweep
from sweep.store import layout, reader
from sweep.store.place import Place

CONFIGS = Path(__file__).parents[2] / "configs"
MELT = CONFIGS / "mars_0d_melt.yaml"
SCRIPTS = Path(sys.executable).parent
SMALL: dict[str, Any] = {
    "name": "small",
    "base": str(MELT),
    "set": {"numerics.t_end_years": 0.02},
    "output": {"samples": 8, "snapshots": 2},
    "block": 2,
}
T0_AND_RINGS: dict[str, Any] = {"temperature.T0": [3000.0, 4000.0], "ring": {"rings": [1.0, 2.7, 3]}}


def sweep_file(folder: Path, file_name: str = "small.yaml", **changes: Any) -> Path:
    """A sweep file over the melt base; a section of ``changes`` replaces ours, None drops it."""
    content = {key: value for key, value in {**SMALL, **changes}.items() if value is not None}
    path = folder / file_name
    path.write_text(json.dumps(content), encoding="utf-8")  # JSON is YAML
    return path


def run_here(file: Path, store: Path | str | Place, workers: int = 0, **options: Any) -> Plan:
    """Run a sweep file from this process."""
    plan, _ = run_sweep(load_sweep(file), store, workers=workers, console=Console(file=io.StringIO()), **options)
    return plan


def environment(**extra: str) -> dict[str, str]:
    return {**os.environ, **extra}


def command(*words: object, cwd: Path, timeout: float = 300.0, **extra: str) -> "subprocess.CompletedProcess[str]":
    """Run ``sweep ...`` or ``marsdisk ...`` as installed; ``extra`` goes into its environment."""
    program, *arguments = map(str, words)
    return subprocess.run(
        [str(SCRIPTS / program), *arguments], cwd=cwd, env=environment(**extra), capture_output=True, text=True, timeout=timeout, check=False
    )


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def results(store: Path | str | Place) -> dict[str, Any]:
    """Every array along ``run`` sorted by run_id, but for those that tell of the day: who ran it, how fast, from which cache."""
    group = reader.open_group(store)
    used = np.flatnonzero(reader.column(group, "status") != layout.UNUSED)
    order = used[np.argsort(reader.column(group, "run_id")[used].tolist())]
    of_the_day = {"wall_time", "solver_time", "worker", "attempt", "block"}
    found = {name: reader.column(group, name) for name, array in group.arrays() if array.metadata.dimension_names[0] == "run"}
    return {name: values[order] for name, values in found.items() if name not in of_the_day and not name.startswith("cache_")}


def assert_same_bits(one: Path | str | Place, other: Path | str | Place) -> None:
    """Both stores hold the same runs with the same bits."""
    left, right = results(one), results(other)
    assert left.keys() == right.keys()
    different = [name for name in left if left[name].shape != right[name].shape or _bits(left[name]) != _bits(right[name])]
    assert not different


def _bits(values: np.ndarray[Any, Any]) -> Any:
    return values.tolist() if values.dtype.kind == "T" else (values.dtype, values.tobytes())


#: What somebody might name a variant: HTML, mathematics, a formula of a spreadsheet, a text that runs right to left, something too long.
HOSTILE = '=1+1 <script>alert("x")</script> & $x_{^ \u202e\u05d0\u05d1,\n' + "long " * 30
#: Runs that fail, that stop early and that are finished, of disks of two rings; half of them checked.
MIXED: dict[str, Any] = {
    "axes": {"temperature.T0": [3000.0, 4000.0, 5000.0], "ring": {"rings": [1.0, 2.7, 2]}},
    "variants": {"as is": {}, HOSTILE: {"numerics.max_steps": 3}, "early": {"numerics.mass_loss_rate_stop_Mmars_s": 1e-18}},
    "check": {"fraction": 0.5},
}


def forget_block(store: Path, block: int) -> None:
    """Take back a block's commit record, as if the driver had been killed before it was written."""
    status = zarr.open_group(store, mode="r+")["status"]
    assert isinstance(status, zarr.Array)
    size = status.chunks[0]
    status[block * size : (block + 1) * size] = 0
