"""Mass is kept and no bin is negative, over configurations drawn from all that a run allows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from marsdisk.common.errors import ConfigError, SolverError
from marsdisk.config import RunConfig
from marsdisk.physics.constants import M_MARS
from marsdisk.physics.grid import grain_mass
from marsdisk.physics.orbit import annulus_area
from marsdisk.zero_d import run_zero_d


def drawn(seed: int) -> dict[str, Any]:
    """Draw overrides of the melt configuration."""
    draw = np.random.default_rng(seed)

    def either(*choices: Any) -> Any:
        return choices[int(draw.integers(len(choices)))]

    def log(low: float, high: float) -> float:
        return float(10.0 ** draw.uniform(np.log10(low), np.log10(high)))

    r_in = float(draw.uniform(1.0, 2.6))
    supply: dict[str, Any] = {
        "mode": "const",
        "mu_orbit10pct": log(0.01, 10.0),
        "injection": either("min_bin", "powerlaw_bins", "initial_psd"),
    }
    start = either(
        {
            "initial": {"s0_mode": "upper"},
            "psd.alpha": float(draw.uniform(1.5, 4.0)),
            "psd.wavy_strength": either(0.0, 0.3),
        },
        {},
    )
    return {
        **start,
        "disk": {"r_in_RM": r_in, "r_out_RM": r_in + float(draw.uniform(0.0, 0.3))},
        "material.rho": float(draw.uniform(1000.0, 5000.0)),
        "sizes": {
            "s_min": log(1e-8, 1e-6),
            "s_max": log(0.1, 100.0),
            "n_bins": int(draw.integers(12, 61)),
        },
        "temperature": {
            "law": either("slab", "linear", "constant"),
            "T0": float(draw.uniform(2500.0, 6000.0)),
        },
        "optical_depth": {"tau0_target": log(0.01, 3.0), "tau_stop": either(None, 100.0)},
        "supply": either(supply, {"mode": "none"}),
        "collisions": {
            "enabled": either(True, True, False),
            "fragment_law": either("mass", "number"),
            "alpha_frag": float(draw.uniform(1.0, 4.5)),
        },
        "psd.floor": either("none", "blowout"),
        "blowout": {"edge": either("continuous", "sharp"), "chi": either(1.0, 0.5, "auto")},
        "dynamics": {
            "e0": float(draw.uniform(0.0, 0.9)),
            "i0": either(1e-6, log(1e-3, 0.3)),
            "v_rel": either("dispersion", "pericenter"),
        },
        "numerics": {
            "t_end_years": log(1e-3, 3.0),
            "t_end_until_temperature_K": either(1500.0, 2000.0),
        },
    }


@pytest.mark.parametrize("seed", range(40))
def test_mass_is_kept_and_nothing_is_negative(shipped: Callable[..., RunConfig], seed: int) -> None:
    config = shipped("melt_simple", drawn(seed))
    result = run_zero_d(config)
    assert result.ledger_error <= 1e-10
    for name in ("Sigma", "tau_los", "s_blow", "M_out_dot", "M_loss_cum", "N"):
        values = getattr(result, name)
        assert np.all(np.isfinite(values)), name
        assert np.all(values >= 0.0), name
    assert np.all(np.diff(result.t) > 0.0)
    mass = annulus_area(config.disk.r_in_RM, config.disk.r_out_RM) / M_MARS
    assert np.all(np.diff(result.M_loss_cum) >= -config.numerics.atol * result.Sigma_0 * mass), (
        "mass came back by more than the tolerance"
    )
    # the same balance from what the result says, at the end and at every sample
    started = result.Sigma_0 * mass
    supplied = result.M_supplied * result.t / result.t_end
    balance = result.Sigma * mass + result.M_loss_cum - started - supplied
    assert np.all(np.abs(balance) <= 1e-10 * (started + supplied))
    assert result.M_loss == result.M_loss_blowout + result.M_loss_sublimation + result.M_loss_other
    assert result.M_loss_cum[-1] == pytest.approx(result.M_loss, rel=1e-12)
    assert result.N @ grain_mass(result.s, config.material.rho) == pytest.approx(
        np.interp(result.t_snapshot, result.t, result.Sigma), rel=1e-12
    )


FLAT = {"psd.floor": "blowout", "optical_depth": {}}


@pytest.mark.parametrize("i0", [1e-8, 1e-6])
def test_a_flat_disk_keeps_its_mass(shipped: Callable[..., RunConfig], i0: float) -> None:
    assert run_zero_d(shipped("melt_simple", {**FLAT, "dynamics.i0": i0})).ledger_error <= 1e-10


def test_collisions_too_fast_for_double_precision_fail_instead_of_losing_mass(
    shipped: Callable[..., RunConfig],
) -> None:
    with pytest.raises(SolverError, match=r"mass is not conserved.*raise dynamics\.i0"):
        run_zero_d(shipped("melt_simple", {**FLAT, "dynamics.i0": 1e-15}))


def test_a_disk_without_height_is_refused(shipped: Callable[..., RunConfig]) -> None:
    with pytest.raises(ConfigError, match="kernel_H_mode"):
        shipped("melt_simple", {"dynamics.i0": 0.0})
