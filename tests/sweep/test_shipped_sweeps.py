"""The sweeps of configs/sweeps/: each can be planned, has its file's name, and as many runs as its comment says."""

import re
from pathlib import Path

import pytest
from small_sweeps import CONFIGS, run_here

from sweep.judging import judge
from sweep.plan import make_plan
from sweep.rows import Results
from sweep.spec import load_sweep
from sweep.store import reader

FILES = sorted((CONFIGS / "sweeps").glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_shipped_sweep_is_what_its_comment_says(file: Path) -> None:
    sweep = load_sweep(file)
    assert sweep.spec.name == file.stem
    comment = " ".join(line.removeprefix("# ") for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("# "))
    sizes = {int(number.replace(",", "")) for number in re.findall(r"([\d,]+) runs", comment)}
    assert len(make_plan(sweep).cases) in sizes


@pytest.mark.parametrize("name", ["map2", "shielding_temperature", "temperature_supply_36"])  # the short ones
def test_the_checks_of_a_shipped_sweep_hold(name: str, tmp_path: Path) -> None:
    run_here(file := CONFIGS / "sweeps" / f"{name}.yaml", tmp_path / "s.zarr")
    judgements = judge(load_sweep(file).checks, Results.of(reader.open_group(tmp_path / "s.zarr")), name)
    assert judgements
    assert [of.name for of in judgements if not of.passed] == []
