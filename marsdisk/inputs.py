"""What the masses of a run follow from, as one digest.

Configurations that agree in it have the same masses, sizes, and losses at all times. Only what
nothing follows from may differ: the temperature of grains that do not sublime, and notes on what
was left out.
"""

import dataclasses
import enum
import hashlib
from typing import Any

import numpy as np

from .cache import RunCache
from .config import RunConfig
from .derived import Derived, derive
from .start import disk_at_start, drivers_of, shielding_of
from .zero_d import run_limits


def inputs_digest(config: RunConfig, cache: RunCache | None = None) -> str:
    """32 hex digits of everything that the integrator and the result are made from.

    A key that no chosen law uses changes :meth:`RunConfig.digest` but not this.

    Raises
    ------
    ConfigError
        The configuration cannot be run.

    Examples
    --------
    >>> ring = load_config("configs/mars_0d_melt.yaml")
    >>> inputs_digest(ring) == inputs_digest(load_config("configs/mars_0d_melt.yaml", {"psd.alpha": 3.0}))  # initial.melt_psd is the start
    True
    """
    derived = derive(config)
    disk = disk_at_start(config, RunCache() if cache is None else cache)
    drivers: Any = drivers_of(config, derived, disk)
    if drivers.heating == 0.0:  # nothing sublimes
        drivers = drivers._replace(vapour=None)
    if drivers.blowout.rate == 0.0:
        drivers = drivers._replace(blowout=None)
    if config.supply.mode == "none":
        drivers = drivers._replace(linear=drivers.linear._replace(shares=None))
    given = (
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
    _feed(digest, given)
    return digest.hexdigest()[:32]


def _collisions(config: RunConfig, derived: Derived) -> Any:
    """What collisions depend on, None where there are none; e and v_rel are results, too, where they are damped."""
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
