"""Sweeps that run in seconds, the commands as processes, and stores compared bit for bit."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from sweep.plan import Plan
from sweep.session import run_sweep
from sweep.spec import load_sweep
from sweep.store import reader
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


def run_here(file: Path, store: Path | str | Place, workers: int = 0) -> Plan:
    """Run a sweep file from this process."""
    plan, _ = run_sweep(load_sweep(file), store, workers=workers, console=Console(file=io.StringIO()))
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


def counts(store: Path | str | Place) -> reader.Counts:
    return reader.counts(reader.open_group(store))


def results(store: Path | str | Place) -> dict[str, Any]:
    """Every array along ``run`` sorted by run_id, but for those that tell of the day: who ran it, how fast, from which cache."""
    group = reader.open_group(store)
    order = np.argsort(reader.column(group, "run_id").tolist())
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
