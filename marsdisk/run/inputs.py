"""One digest of everything that the masses of a run depend on.

Configurations of equal digests have the same masses, sizes, and losses at all times. They may
differ in the temperature of grains that do not sublimate, and in notes.
"""

import dataclasses
import enum
import hashlib
from typing import Any

import numpy as np

from ..cache import RunCache
from ..config import RunConfig
from .derived import Derived, derive
from .limits import run_limits
from .start import disk_at_start, drivers_of, shielding_of


def inputs_digest(config: RunConfig, cache: RunCache | None = None) -> str:
    """Return 32 hex digits for everything that the integrator and the result depend on.

    A key that no chosen law uses changes :meth:`RunConfig.digest` but not this.

    Raises
    ------
    ConfigError
        The configuration cannot be run.

    Examples
    --------
    >>> ring = load_config("configs/mars_0d_melt.yaml")
    >>> steeper = load_config("configs/mars_0d_melt.yaml", {"psd.alpha": 3.0})
    >>> inputs_digest(steeper) == inputs_digest(ring)  # the start is initial.melt_psd
    True
    """
    derived = derive(config)
    disk = disk_at_start(config, RunCache() if cache is None else cache)
    drivers: Any = drivers_of(config, derived, disk)
    nothing_sublimates = drivers.heating == 0.0
    if nothing_sublimates:
        drivers = drivers._replace(vapour=None)
    if drivers.blowout.rate == 0.0:
        drivers = drivers._replace(blowout=None)
    if config.supply.mode == "none":
        drivers = drivers._replace(linear=drivers.linear._replace(shares=None))
    inputs = (
        (disk.sigma_0, disk.shares, disk.masses, disk.grid.edges, disk.f_los),
        (
            drivers,
            run_limits(config, derived),
            shielding_of(config),
            derived.area,
            derived.end_reason,
        ),
        _collisions(config, derived),
        (
            config.numerics.scheme,
            config.numerics.dt,
            config.numerics.max_substeps,
            config.output.model_dump_json(),
        ),
    )
    digest = hashlib.sha256()
    _feed(digest, inputs)
    return digest.hexdigest()[:32]


def _collisions(config: RunConfig, derived: Derived) -> Any:
    """Return what collisions depend on; None where there are none.

    Damped e and v_rel are results, so damping counts even without collisions.
    """
    dynamics = config.dynamics
    energy = config.energy
    if not config.collisions.enabled and dynamics.damping is None:
        return None
    damping = None if dynamics.damping is None else dynamics.model_dump_json()
    law = config.qstar.law().signature
    return (
        derived.motion[1:],
        derived.alpha_mass,
        config.material.rho,
        law,
        damping,
        energy.model_dump_json() if energy.enabled else None,
    )


def _feed(digest: Any, value: Any) -> None:
    """Add a nested value, each part with its type and length, so that no two values look alike."""
    if isinstance(value, np.ndarray):
        digest.update(
            f"{value.dtype.str}{value.shape}".encode() + np.ascontiguousarray(value).tobytes()
        )
    elif dataclasses.is_dataclass(value):
        _feed(digest, tuple(getattr(value, field.name) for field in dataclasses.fields(value)))
    elif isinstance(value, tuple | list):
        digest.update(f"({len(value)}".encode())
        for part in value:
            _feed(digest, part)
    elif value is None or isinstance(value, bool | int | float | str | np.generic | enum.Enum):
        digest.update(f"{type(value).__name__}:{value!r};".encode())
    else:
        raise TypeError(f"{type(value).__name__} has no digest")
