"""Sweeps of the kind of the temperature-supply study, of any number of runs."""

import io
from pathlib import Path

import yaml
from rich.console import Console

from sweep.running.progress import Tally
from sweep.running.session import run_sweep
from sweep.spec.file import load_sweep

from .page import ROOT

BASE = ROOT / "configs" / "mars_0d_melt_simple.yaml"
CASES_PER_RING = 18


def study_file(folder: str | Path, rings: int, **changes: object) -> Path:
    """Write the study with ``rings`` rings, :data:`CASES_PER_RING` runs each."""
    content = yaml.safe_load(
        (ROOT / "configs" / "sweeps" / "temperature_supply.yaml").read_text(encoding="utf-8")
    )
    content |= {"base": str(BASE), **changes}
    content["axes"]["ring"]["rings"][2] = rings
    file = Path(folder) / f"study_{rings}.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file


def run_study(folder: str | Path, store: Path, runs: int, workers: int = 2) -> Tally:
    """Run at least ``runs`` runs of the study into ``store``."""
    file = study_file(folder, -(-runs // CASES_PER_RING))
    return run_sweep(load_sweep(file), store, workers=workers, console=Console(file=io.StringIO()))[
        1
    ]
