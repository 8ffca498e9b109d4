"""The time during which what the dust is holds processes back, as the classic scheme counts it."""

from collections.abc import Callable
from typing import Any

import pytest

from marsdisk.config import RunConfig
from marsdisk.zero_d import run_zero_d

CLASSIC: dict[str, Any] = {
    "sizes": {"s_min": 1e-4, "s_max": 1e-2, "n_bins": 10},
    "initial": {"s0_mode": "upper"},
    "numerics": {"scheme": "imex_bdf1", "t_end_orbits": 2e-5, "dt": 1e-3},
}
HOT: dict[str, Any] = {"enabled": True, "q_abs": 1.0, "T_condense": 1000.0, "T_vaporize": 1001.0}
COLD: dict[str, Any] = {"enabled": True, "q_abs": 1.0, "T_condense": 9000.0, "T_vaporize": 9001.0}


@pytest.mark.parametrize(("phase", "share"), [(HOT, 1.0), (COLD, 0.0), (None, 0.0)])
def test_the_classic_scheme_counts_the_time_in_which_grains_are_not_solid(
    shipped: Callable[..., RunConfig],
    phase: dict[str, Any] | None,
    share: float,
) -> None:
    changes = CLASSIC if phase is None else {**CLASSIC, "phase": phase}
    result = run_zero_d(shipped("melt_simple", changes))
    assert result.gated_time == pytest.approx(share * result.t_end, rel=1e-12)
