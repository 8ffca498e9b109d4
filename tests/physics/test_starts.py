"""Starts of a disk: its sizes, and its mass from an optical depth or as a number."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from marsdisk.common.errors import ConfigError
from marsdisk.config import RunConfig
from marsdisk.physics.constants import M_MARS
from marsdisk.physics.grid import grain_mass
from marsdisk.physics.orbit import annulus_area
from marsdisk.zero_d import run_zero_d

Shipped = Callable[..., RunConfig]
SHORT: dict[str, Any] = {"numerics": {"t_end_orbits": 1e-6}, "optical_depth": {"tau_stop": None}}
RHO = 3270.0


def test_a_mono_start_has_all_its_mass_in_the_bin_of_its_size(shipped: Shipped) -> None:
    result = run_zero_d(
        shipped("melt_simple", {**SHORT, "initial": {"s0_mode": "mono", "s_mono": 0.3}})
    )
    (k,) = np.flatnonzero(result.N[0])
    assert result.s_edges[k] <= 0.3 < result.s_edges[k + 1]
    assert result.N[0, k] * grain_mass(result.s, RHO)[k] == pytest.approx(result.Sigma_0, rel=1e-14)
    assert result.tau_los[0] == pytest.approx(1.0, rel=1e-14)


def test_a_truncated_power_law_has_its_slope_between_its_limits(shipped: Shipped) -> None:
    truncated = {"alpha_solid": 3.2, "s_min_solid": 1e-3, "s_max_solid": 1.0}
    result = run_zero_d(
        shipped(
            "melt_simple",
            {**SHORT, "initial": {"s0_mode": "melt_truncated_powerlaw", "truncated": truncated}},
        )
    )
    inside = (result.s >= 1e-3) & (result.s <= 1.0)
    assert np.array_equal(result.N[0] > 0.0, inside)
    density = result.N[0][inside] / np.diff(result.s_edges)[inside]
    assert np.polyfit(np.log(result.s[inside]), np.log(density), 1)[0] == pytest.approx(
        -3.2, abs=1e-10
    )


@pytest.mark.parametrize("slope", [0.0, 1.0, 2.0, 2.5])
def test_a_given_mass_is_spread_over_the_annulus(shipped: Shipped, slope: float) -> None:
    """Rings that share the mass of a disk have its surface density at their radius."""
    initial = {"s0_mode": "upper", "mass": 3e-9, "slope": slope}
    whole = run_zero_d(
        shipped(
            "melt_simple", {**SHORT, "disk": {"r_in_RM": 1.0, "r_out_RM": 2.0}, "initial": initial}
        )
    )
    r = np.linspace(1.0, 2.0, 20001)
    sigma = whole.Sigma_0 * (r / 1.5) ** -slope
    area = annulus_area(1.0, 2.0) / (np.pi * 3.0)  # m2 in R_M2
    mass = np.trapezoid(2.0 * np.pi * r * sigma, r) * area
    assert mass == pytest.approx(3e-9 * M_MARS, rel=1e-7)


def test_a_ring_of_no_width_spreads_its_mass_over_its_area(shipped: Shipped) -> None:
    result = run_zero_d(
        shipped(
            "melt_simple",
            {
                **SHORT,
                "disk": {"r_in_RM": 2.0, "r_out_RM": 2.0},
                "initial": {"s0_mode": "upper", "mass": 1e-9},
            },
        )
    )
    assert result.Sigma_0 == pytest.approx(1e-9 * M_MARS / annulus_area(2.0, 2.0), rel=1e-14)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"initial": {"s0_mode": "upper", "mass": 1e-9}, "optical_depth": {"tau0_target": 1.0}},
            "both set the surface density",
        ),
        ({"initial": {"s0_mode": "upper", "slope": 1.0}}, "slope spreads initial.mass"),
        ({"initial": {"s0_mode": "upper", "s_mono": 1.0}}, "set s0_mode: mono"),
        ({"initial": {"s0_mode": "mono", "s_mono": 50.0}}, "lies outside the size grid"),
        (
            {
                "initial": {
                    "s0_mode": "melt_truncated_powerlaw",
                    "truncated": {"s_min_solid": 5.0, "s_max_solid": 10.0},
                }
            },
            "no finite, positive mass",
        ),
        (
            {"initial": {"s0_mode": "upper", "mass": 1e-3}, "optical_depth": {"tau_stop": 2.0}},
            "is not above tau = ",
        ),
    ],
)
def test_a_start_that_contradicts_itself_is_refused(
    shipped: Shipped, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        run_zero_d(shipped("melt_simple", {"optical_depth": {}, **changes}))
