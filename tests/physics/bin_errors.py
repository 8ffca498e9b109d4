"""Set-ups whose error by the bins is known from a run on many more of them."""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

from marsdisk.accuracy.convergence import (
    COMPARED,
    QUANTITIES,
    Convergence,
    check_run,
    relative_difference,
)
from marsdisk.config import RunConfig, build_config, merge
from marsdisk.zero_d import run_zero_d

#: The melt set-up as it was when the errors were measured, whatever becomes of the shipped one.
BASE: Mapping[str, Any] = {
    "disk": {"r_in_RM": 1.0, "r_out_RM": 2.7},
    "material": {"rho": 3270.0},
    "sizes": {"s_min": 1e-7, "s_max": 3.0, "n_bins": 40},
    "initial": {
        "s0_mode": "melt_lognormal_mixture",
        "melt_psd": {
            "f_fine": 0.03,
            "s_fine": 1e-7,
            "s_meter": 1.5,
            "width_dex": 0.3,
            "s_cut": 1e-7,
        },
    },
    "dynamics": {"e0": 0.5, "i0": 0.05},
    "qstar": {"table": "forsterite"},
    "optical_depth": {"tau0_target": 1.0, "tau_stop": 2.302585092994046},
    "temperature": {"law": "slab", "T0": 4000.0},
    "radiation": {"Q_pr": "forsterite"},
    "blowout": {"chi": "auto"},
    "supply": {"mode": "const", "mu_orbit10pct": 1.0, "injection": "initial_psd"},
    "numerics": {"t_end_years": 2.0},
}
COOLS = {"optical_depth.tau_stop": None, "numerics": {"t_end_until_temperature_K": 2000.0}}
UNFED = {"supply": {"mode": "none"}}
THREE_SLOPES = {"initial": {"s0_mode": "upper"}}
GATES = {
    "disk": {"r_in_RM": 1.05313, "r_out_RM": 1.10625},
    "temperature.T0": 4500.0,
    "phase": {"enabled": True, "T_condense": 2162.0, "T_vaporize": 2163.0, "q_abs": 0.4},
    "sublimation": {"method": "advection"},
}
EARLIER_BASELINE = {
    "disk": {"r_in_RM": 2.2, "r_out_RM": 2.7},
    "psd": {"alpha": 1.83, "wavy_strength": 0.2, "floor": "blowout"},
    "dynamics": {"i0": 0.05, "e_profile": "mars_pericenter", "v_rel": "pericenter"},
    "temperature.T0": 2500.0,
    "blowout": {"edge": "sharp", "chi": 1.0},
    "supply.injection": "min_bin",
}
#: What is changed in each.
SETUPS: Mapping[str, Mapping[str, Any]] = {
    "melt": {},
    "melt, cools to 2000 K": COOLS,
    "melt, no supply": UNFED,
    "melt, no supply, cools": {**UNFED, **COOLS},
    "melt, a reservoir": {"supply.reservoir": 5e-10, **COOLS},
    "melt, thin": {"optical_depth.tau0_target": 0.01, **COOLS},
    "melt, slow collisions": {"dynamics.e0": 0.05},
    "melt, hot, inner ring": {
        "disk.r_out_RM": 1.05,
        "temperature.T0": 5000.0,
        "supply.mu_orbit10pct": 0.3,
    },
    "melt, ends by its loss rate": {
        "supply.mu_orbit10pct": 3.0,
        "numerics.mass_loss_rate_stop_Mmars_s": 1e-16,
        "optical_depth.tau_stop": None,
    },
    "three slopes": {**THREE_SLOPES, "optical_depth.tau_stop": None},
    "three slopes, no supply": {**THREE_SLOPES, **UNFED, **COOLS},
    "three slopes, ends by its depth": {**THREE_SLOPES, **EARLIER_BASELINE},
    "grains of 1 mm, no supply": {"initial": {"s0_mode": "mono", "s_mono": 1e-3}, **UNFED, **COOLS},
    "sublimation as a sink": {"sublimation": {"method": "sink"}, **COOLS},
    "sublimation by advection, no supply": {
        "sublimation": {"method": "advection"},
        **UNFED,
        **COOLS,
    },
    "gates, sublimation by advection": {**GATES, **COOLS},
}
LAWS = ("mass", "number")
#: Errors below it are those of the time steps.
ABOVE_TIME_STEPS = 1e-3


class BinError(NamedTuple):
    """Estimated and true errors of a quantity."""

    estimate: float
    order: float
    truth: float  #: of the run
    truth_finer: float  #: of the run with twice the bins

    @property
    def scale(self) -> float:
        """Larger of the true errors: one may vanish by accident, where the error changes sign."""
        return max(self.truth, self.truth_finer)


def config_of(name: str, law: str, bins: int) -> RunConfig:
    changes = {
        "collisions.fragment_law": law,
        "sizes.n_bins": bins,
        "numerics.max_steps": 1_000_000,
    }
    return build_config(merge(merge(dict(BASE), dict(SETUPS[name])), changes))


@functools.cache
def checked(name: str, law: str) -> Convergence:
    return check_run(config_of(name, law, 40))


@functools.cache
def bin_errors(name: str, law: str, bins: int) -> dict[str, BinError]:
    """Return the errors of each quantity that exceed those of time steps.

    ``bins`` are taken to be infinitely many.
    """
    convergence = checked(name, law)
    exact = run_zero_d(config_of(name, law, bins))
    errors = {}
    for quantity in QUANTITIES:
        value = COMPARED[quantity].value
        truth, truth_finer = (
            relative_difference(value(run), value(exact))
            for run in (convergence.run, convergence.finer)
        )
        if max(truth, truth_finer) > ABOVE_TIME_STEPS:
            errors[quantity] = BinError(*convergence.grid_errors[quantity], truth, truth_finer)
    return errors
