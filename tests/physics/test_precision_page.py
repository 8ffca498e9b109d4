"""The script behind the page on precision against time solves one of its problems."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from marsdisk.config import load_config

ROOT = Path(__file__).parents[2]


@pytest.mark.thorough
def test_all_solvers_of_the_page_solve_the_problem_of_grains_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    precision = importlib.import_module("precision")
    for name, value in {
        "RTOL": np.array([1e-4, 1e-7]),
        "ATOL_OVER_RTOL": (1e-5,),
        "OUTER_STEPS": (300,),
        "PATIENCE": 0.0,
    }.items():
        monkeypatch.setattr(precision, name, value)
    config = load_config(ROOT / "configs" / "mars_0d_baseline.yaml", precision.ALIKE)
    case = precision.new_case("grains alike", config)
    precision.measure(case)
    for solver in (precision.OURS, *precision.SCIPY):
        errors = [point.series[1] for point in case.points[solver]]
        assert len(errors) == 2, solver
        assert errors[1] < 1e-5, solver
    assert case.points[precision.CLASSIC]
