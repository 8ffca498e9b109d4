"""Tables of a configuration on the terminal."""

from typing import Any

from .._jit import interpreted
from ..config import RunConfig
from ..config.keys import allowed, config_keys, metadata
from ..config.sections import START_KEYS, Section
from ..physics.constants import R_MARS, YEAR
from ..physics.radiation import blowout_size
from ..run.derived import derive
from .terminal import print_line, print_table


def _value_of(config: RunConfig, key: str) -> Any:
    value: Any = config
    for word in key.split("."):
        value = getattr(value, word, None)
    return value


def _is_in_use(config: RunConfig, key: str) -> bool:
    """Return whether a key belongs to the laws and parts of a configuration."""
    section, *parts = key.split(".")
    if section == "temperature":
        return parts[-1] in type(config.temperature).model_fields
    if section == "initial" and parts[0] in START_KEYS:
        return config.initial.s0_mode == START_KEYS[parts[0]]
    if len(parts) < 2:
        return True
    # The parent is None where the part is not given, and a tuple where it is a list of sections.
    parent = _value_of(config, key.rpartition(".")[0])
    return isinstance(parent, Section)


def _value_text(value: Any) -> str:
    if value is None or value == ():
        return "-"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def print_config(config: RunConfig, *, every_key: bool = False) -> None:
    """Print the keys in use and the quantities derived from them, or every key.

    Parameters
    ----------
    config : RunConfig
        The configuration.
    every_key : bool
        Whether to print all keys, also of laws that are not in use, with the values they take.
    """
    if every_key:
        _print_all_keys(config)
    else:
        _print_keys_in_use(config)
        _print_derived(config)


def _print_all_keys(config: RunConfig) -> None:
    rows = []
    for key, field in config_keys(RunConfig).items():
        value = "(not in use)"
        if _is_in_use(config, key):
            value = _value_text(_value_of(config, key))
        rows.append((key, value, allowed(field), field.description or ""))
    print_table("every key", rows, "key", "value", "takes", "meaning")


def _print_keys_in_use(config: RunConfig) -> None:
    keys = config_keys(RunConfig)
    rows = []
    for key, field in keys.items():
        if _is_in_use(config, key):
            value = _value_text(_value_of(config, key))
            rows.append((key, value, metadata(field, "unit"), field.description or allowed(field)))
    print_table("configuration", rows, "key", "value", "unit", "meaning")
    print_line(
        f"{len(keys) - len(rows)} keys of laws and parts that are not in use are left out; --all"
        " shows them, and what every key takes"
    )


def _print_derived(config: RunConfig) -> None:
    d = derive(config)
    s_blow = interpreted(blowout_size)(d.pressure, d.law.T0)[0]
    t_blow = f"{1.0 / d.blowout_rate:.6g}" if d.blowout_rate else "-"
    end = f"end of the run, unless it stops before ({d.end_reason.label})"
    print_table(
        "derived quantities",
        [
            ("r", f"{d.r / R_MARS:.6g}", "R_M", "radius at which the ring is evaluated"),
            ("T_orb", f"{d.T_orb:.6g}", "s", "orbital period there"),
            ("e", f"{d.e:.6g}", "", "eccentricity used"),
            ("v_rel", f"{d.v_rel:.6g}", "m s-1", "relative speed of grains"),
            ("H", f"{d.H:.6g}", "m", "scale height"),
            ("s_blow(0)", f"{s_blow:.6g}", "m", "blow-out size at the start"),
            ("t_blow", t_blow, "s", "blow-out time"),
            ("s_lo", f"{d.s_lo:.6g}", "m", "where the size grid begins"),
            ("t_end", f"{d.t_end / YEAR:.6g}", "yr", end),
            ("digest", config.digest(), "", "of this configuration and its tables"),
        ],
        "name",
        "value",
        "unit",
        "meaning",
    )
