"""Whole runs of the classic scheme: they cover all of their time, or say why they cannot."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from marsdisk.common.errors import ConfigError, SolverError
from marsdisk.config import RunConfig, build_config
from marsdisk.result import StopReason
from marsdisk.zero_d import run_zero_d

Shipped = Callable[..., RunConfig]
COARSE: dict[str, Any] = {
    "sizes": {"s_min": 1e-4, "s_max": 1e-2, "n_bins": 20},
    "initial": {"s0_mode": "upper"},
    "optical_depth.tau_stop": None,
}


def test_it_converges_to_the_default_solver_with_its_step(shipped: Shipped) -> None:
    ends = {"t_end_orbits": 2e-5}
    exact = run_zero_d(
        shipped("melt_simple", {**COARSE, "numerics": {**ends, "rtol": 1e-7, "atol": 1e-13}})
    )
    differences = []
    for dt in (4e-4, 2e-4, 1e-4):
        result = run_zero_d(
            shipped(
                "melt_simple", {**COARSE, "numerics": {**ends, "scheme": "imex_bdf1", "dt": dt}}
            )
        )
        assert result.steps == np.ceil(result.t_end / dt)
        differences.append(np.max(np.abs(result.N[-1] / exact.N[-1] - 1.0)))
    assert differences[0] / differences[1] == pytest.approx(2.0, rel=0.1)
    assert differences[1] / differences[2] == pytest.approx(2.0, rel=0.1)
    assert differences[2] < 0.01


def test_an_outer_step_is_covered_by_as_many_steps_as_collisions_ask_for(shipped: Shipped) -> None:
    result = run_zero_d(
        shipped(
            "melt_simple",
            {**COARSE, "numerics": {"scheme": "imex_bdf1", "t_end_orbits": 1e-4, "dt": 1.0}},
        )
    )
    assert result.t_end == result.t[-1] == pytest.approx(1e-4 * 14500.0, rel=0.1)
    assert result.steps > 5 * np.ceil(result.t_end)
    assert result.stop_reason is StopReason.T_END_ORBITS
    assert result.M_supplied > 0.0


def test_the_optical_depth_stops_it_when_the_default_solver_stops(shipped: Shipped) -> None:
    times = {}
    for scheme in ("rosenbrock", "imex_bdf1"):
        result = run_zero_d(
            shipped(
                "melt_simple",
                {
                    **COARSE,
                    "optical_depth.tau_stop": 1.2,
                    "numerics": {"scheme": scheme, "t_end_orbits": 0.01},
                },
            )
        )
        assert result.stop_reason is StopReason.OPTICAL_DEPTH
        assert result.tau_los[-1] == pytest.approx(1.2, rel=1e-12)
        assert result.tau_max == pytest.approx(1.2, rel=1e-12)
        times[scheme] = result.t_end
    assert times["imex_bdf1"] == pytest.approx(times["rosenbrock"], rel=0.02)


def test_a_step_that_collapses_names_the_bin_its_hit_rate_and_the_cure(shipped: Shipped) -> None:
    config = shipped(
        "melt_simple",
        {"numerics": {"scheme": "imex_bdf1", "t_end_years": 0.01, "max_substeps": 50}},
    )
    with pytest.raises(SolverError) as caught:
        run_zero_d(config)
    text = str(caught.value)
    assert re.search(
        r"50 steps \(numerics\.max_substeps\) cover \S+ s of the outer step of 316 s at t = 0 s",
        text,
    )
    assert re.search(r"a grain of bin 39 \(2\.4\d m\) is hit \d\.\d+e\+\d\d times a second", text)
    assert "Set numerics.scheme: rosenbrock" in text


def test_keys_of_the_other_scheme_are_refused() -> None:
    base = {
        "disk": {"r_in_RM": 1.0, "r_out_RM": 2.0},
        "sizes": {"s_min": 1e-6, "s_max": 1.0},
        "temperature": {"law": "constant", "T0": 2000.0},
    }
    for numerics, word in (
        ({"scheme": "imex_bdf1", "rtol": 1e-4}, "rtol"),
        ({"dt": 1.0}, "dt"),
        ({"max_substeps": 5}, "max_substeps"),
    ):
        with pytest.raises(ConfigError, match=rf"numerics: {word} has no effect with scheme"):
            build_config({**base, "numerics": {"t_end_years": 1.0, **numerics}})
