"""When a run has to end, and its tolerances."""

import math

from ..config import RunConfig
from ..physics.constants import M_MARS, YEAR
from ..solver.control import Limits
from .derived import Derived


def run_limits(config: RunConfig, derived: Derived) -> Limits:
    """Return when a run has to end, and its tolerances."""
    numerics = config.numerics
    tau_stop = config.optical_depth.tau_stop
    loss_rate = numerics.mass_loss_rate_stop_Mmars_s
    return Limits(
        derived.t_end,
        numerics.rtol,
        numerics.atol,
        numerics.max_steps,
        math.inf if tau_stop is None else tau_stop,
        config.sizes.s_min if numerics.stop_on_blowout_below_smin else -1.0,
        -1.0 if loss_rate is None else loss_rate * M_MARS / derived.area,
        (numerics.min_duration_years or 0.0) * YEAR,
    )
