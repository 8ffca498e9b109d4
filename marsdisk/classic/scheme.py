"""A run by the classic scheme, from its configuration."""

from ..cache import RunCache
from ..common.errors import SolverError
from ..config import RunConfig
from ..run.derived import Derived
from ..run.start import Start
from ..solver.control import Limits
from ..solver.drivers import Drivers
from ..solver.stretches import Stretch
from .imex import ClassicDisk, StepCollapse, integrate_imex


def classic_disk(config: RunConfig, derived: Derived, disk: Start) -> ClassicDisk:
    """Return the disk as the classic scheme sees it.

    Parameters
    ----------
    config : RunConfig
        The run.
    derived : Derived
        Its scalars.
    disk : Start
        The disk at t = 0.
    """
    rho = config.material.rho
    speed = derived.v_rel if config.collisions.enabled else 0.0
    return ClassicDisk(
        disk.grid,
        disk.masses,
        rho,
        derived.H,
        speed,
        derived.alpha_mass,
        config.qstar.law(),
        disk.injection,
    )


def outer_step(config: RunConfig, derived: Derived) -> float:
    """Return the outer step [s] of the classic scheme."""
    return config.numerics.dt or derived.t_end / 1000.0


def integrate_classic(
    config: RunConfig,
    derived: Derived,
    disk: Start,
    drivers: Drivers,
    limits: Limits,
    cache: RunCache,
) -> list[Stretch]:
    """Integrate a run by the classic scheme.

    The scheme cannot keep to :data:`marsdisk.run.ledger.LEDGER_LIMIT`; it reports the error of its
    ledger instead.

    Parameters
    ----------
    config : RunConfig
        The run.
    derived : Derived
        Its scalars.
    disk : Start
        The disk at t = 0.
    drivers : Drivers
        What acts on it.
    limits : Limits
        When the run has to end.
    cache : RunCache
        Holds the arrays of collisions.

    Returns
    -------
    list of Stretch
        The run, in one stretch.

    Raises
    ------
    SolverError
        The substeps of an outer step do not cover it, or a step overflows.
    """
    dt = outer_step(config, derived)
    max_substeps = config.numerics.max_substeps
    try:
        classic = classic_disk(config, derived, disk)
        path = integrate_imex(
            disk.sigma_0 * disk.shares,
            classic,
            drivers,
            limits,
            dt=dt,
            max_substeps=max_substeps,
            cache=cache,
        )
        return [Stretch(path, derived.motion)]
    except StepCollapse as collapse:
        raise SolverError(
            f"numerics.scheme = imex_bdf1: {max_substeps} steps (numerics.max_substeps) cover"
            f" {collapse.covered:.3g} s of the outer step of {dt:.3g} s at t = {collapse.t:.6g} s."
            " The classic step is bound to a tenth of the shortest gross collision time, and a"
            f" grain of bin {collapse.bin} ({collapse.size:.3g} m) is hit {collapse.hit_rate:.3g}"
            " times a second. Set numerics.scheme: rosenbrock, which is bound to net rates only;"
            " or raise sizes.s_min, lower optical_depth.tau0_target or raise max_substeps"
        ) from collapse
    except ArithmeticError as error:
        raise SolverError(
            f"numerics.scheme = imex_bdf1: {error}; shorten numerics.dt = {dt:.3g} s, or set"
            " numerics.scheme: rosenbrock"
        ) from error
