"""Keys described and validation errors explained in the words of a scientist: which key, which value, what is allowed."""

import difflib
import re
import types
import typing
from typing import Any

import annotated_types
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from .physics.textfile import number_advice, shown, shown_text
from .yaml_errors import missing_blank_advice

Model = type[BaseModel]

#: Last words of keys of earlier programs for this disk that people still type, and what took their
#: place.
RENAMED = {
    "TM_K": "temperature.T0",
    "mars_temperature_driver": "temperature.law, with its own keys",
    "chi_blow": "blowout.chi",
    "v_rel_mode": "dynamics.v_rel",
    "qpr_table_path": "radiation.Q_pr",
    "coeff_table": "qstar.table",
    "coeff_scale": "qstar.scale",
    "coeff_units": "qstar.units",
    "mu_grav": "qstar.mu",
    **dict.fromkeys(
        ("override_coeffs", "Qs", "a_s", "B", "b_g", "v_ref_kms"),
        "qstar.table: rows [v_ref, Q_s, a, B, b]",
    ),
    "dt_init": "output.samples (numerics.rtol chooses the steps)",
    **dict.fromkeys(("safety", "eval_per_step"), "numerics.rtol"),
    "collision_solver": "numerics.scheme",
    **dict.fromkeys(
        ("mass_total", "M_in_ratio", "inner_disk_mass", "init_tau1", "sigma_surf_init_override"),
        "optical_depth.tau0_target",
    ),
    "los_geometry": "optical_depth.path_multiplier and h_over_r",
    **dict.fromkeys(
        ("enable_sublimation", "sublimation_location", "mass_conserving"),
        "sublimation.method: none, sink or advection",
    ),
    "sub_params": "sublimation.*",
    "enable_gas_drag": "drag.rho_g, 0 for none",
    "sinks": "sublimation.* and drag.*",
    "physics_mode": "collisions.enabled, blowout.enabled and sublimation.method",
    "prod_area_rate_kg_m2_s": "supply.const_rate",
    "mixing": "supply.epsilon_mix",
    **dict.fromkeys(("allow_liquid_hkl",), "sublimation.of_liquid"),
    **dict.fromkeys(("orbit_fraction_at_mu1",), "supply.f_orb"),
    "mu_reference_tau": "supply.tau_ref",
    **dict.fromkeys(
        ("enable_e_damping", "t_damp_orbits"),
        "dynamics.damping: {epsilon, e_eq}, whose time follows from collisions",
    ),
    "target_tau": "supply.feedback.tau_target",
    "response_time_years": "supply.feedback.t_response_years",
}
#: Keys that were left out, and why.
LEFT_OUT = {
    "kernel_ei_mode": (
        "e and i are dynamics.e0 (or e_profile) and i0; its balance had no collision rate in it"
    ),
    "f_wake": "it belonged to kernel_ei_mode",
    "gate_mode": "it scaled only what was reported, not the disk",
    "layer": "it had no effect",
    "tau_stop_tol": "the stop is located exactly",
    **dict.fromkeys(
        ("correct_fast_blowout", "substep_fast_blowout"), "every second of a run is integrated"
    ),
    **dict.fromkeys(("headroom_policy", "headroom_gate"), "they had no effect"),
    **dict.fromkeys(("freeze_kappa", "freeze_sigma"), "they stopped the disk from evolving"),
    **dict.fromkeys(
        ("evolve_min_size", "apply_evolved_min_size", "evolve_smin"),
        "the size grid does not move; see psd.floor",
    ),
    "auto_from_tau1_tfill_years": "give supply.mu_orbit10pct or const_rate",
    "alpha_mode": "psd.alpha is the slope of dN/ds",
    "hydro_escape": "escape of vapour is not modelled",
}


def _options(annotation: Any) -> tuple[Any, ...]:
    return (
        typing.get_args(annotation)
        if typing.get_origin(annotation) in {typing.Union, types.UnionType}
        else (annotation,)
    )


def _sections(annotation: Any) -> list[Model]:
    """Sections that a key can hold, as itself or as a list."""
    inner = (
        typing.get_args(annotation)[:1]
        if typing.get_origin(annotation) is tuple
        else _options(annotation)
    )
    return [
        option for option in inner if isinstance(option, type) and issubclass(option, BaseModel)
    ]


def bound(field: FieldInfo, name: str) -> float:
    """Lowest (``ge``) or highest (``le``) value that a key takes."""
    return next(float(getattr(limit, name)) for limit in field.metadata if hasattr(limit, name))


def config_keys(model: Model, prefix: str = "") -> dict[str, FieldInfo]:
    """Every key by its dotted path, with the field that describes it."""
    keys: dict[str, FieldInfo] = {}
    for name, field in model.model_fields.items():
        sections = _sections(field.annotation)
        for section in sections:
            keys |= {
                key: inner
                for key, inner in config_keys(section, f"{prefix}{name}.").items()
                if key not in keys
            }
        if not sections or typing.get_origin(field.annotation) is tuple:
            keys[f"{prefix}{name}"] = field
    return keys


def metadata(field: FieldInfo, name: str) -> str:
    """An entry (unit, allowed) of the field's own metadata, or an empty text."""
    return (
        str(field.json_schema_extra.get(name, ""))
        if isinstance(field.json_schema_extra, dict)
        else ""
    )


def allowed(field: FieldInfo) -> str:
    """What a key takes, in words."""
    if metadata(field, "allowed"):
        return metadata(field, "allowed")
    bounds = {type(bound): bound for bound in field.metadata}
    low = f"({bounds[annotated_types.Gt].gt:g}" if annotated_types.Gt in bounds else None
    low = f"[{bounds[annotated_types.Ge].ge:g}" if annotated_types.Ge in bounds else low
    high = f"{bounds[annotated_types.Lt].lt:g})" if annotated_types.Lt in bounds else None
    high = f"{bounds[annotated_types.Le].le:g}]" if annotated_types.Le in bounds else high
    interval = f" in {low or '(-inf'}, {high or 'inf)'}" if low or high else ""
    unit = f" {metadata(field, 'unit')}" if metadata(field, "unit") else ""
    names = {
        bool: "true or false",
        int: f"a whole number{interval}{unit}",
        float: f"a number{interval}{unit}",
        str: "a text",
        type(None): "null",
    }
    words = [
        (
            "one of " + ", ".join(map(str, typing.get_args(option)))
            if typing.get_origin(option) is typing.Literal
            else names.get(option, "a section")
        )
        for option in _options(field.annotation)
    ]
    return " or ".join(words)


def _locate(
    location: tuple[int | str, ...], root: Model
) -> tuple[list[str], FieldInfo | None, Model]:
    """Key path without what pydantic adds for unions and lists; its field (None: a section or an unknown key); its section."""
    path: list[str] = []
    field: FieldInfo | None = None
    model = root
    choices = [root]
    for part in location:
        if len(choices) > 1:  # the tag of a union of sections
            model = next(
                c for c in choices if part in typing.get_args(c.model_fields["law"].annotation)
            )
            choices = [model]
            field = None
        elif not choices:  # inside a value
            break
        elif isinstance(part, int):  # inside a list of sections
            path[-1] += f"[{part}]"
        elif part in model.model_fields:
            path.append(str(part))
            field = model.model_fields[str(part)]
            choices = _sections(field.annotation)
            model = choices[0] if choices else model
        else:
            return [*path, str(part)], None, model
    return path, None if choices else field, model


def _suggestion(path: list[str], model: Model, root: Model) -> str:
    name = path[-1]
    # a key of another law has its own path
    every_key = [key for key in config_keys(root) if key != ".".join(path)]
    if name in RENAMED:
        return f"; it is now {RENAMED[name]}"
    if name in LEFT_OUT:
        return f"; it was left out: {LEFT_OUT[name]}"
    if len(every_key) < len(config_keys(root)):
        return f" here; this section takes {', '.join(model.model_fields)}"
    near = [key for key in every_key if key.endswith(f".{name}")]
    near = near or [
        ".".join([*path[:-1], key])
        for key in difflib.get_close_matches(name, model.model_fields, n=1)
    ]
    near = near or difflib.get_close_matches(".".join(path), every_key, n=1)
    return (
        f"; did you mean {near[0]}?"
        if near
        else f"; this section takes {', '.join(model.model_fields)}"
    )


def _advice(given: Any, field: FieldInfo) -> str:
    """What to write instead, where it can be told from what is given."""
    options = _options(field.annotation)
    advice = ""
    if isinstance(given, str) and (float in options or int in options):
        advice = number_advice(given)
    elif str in options and isinstance(given, bool | int | float):
        pattern = next(
            (bound.pattern for bound in field.metadata if getattr(bound, "pattern", None)), ""
        )
        if re.search(pattern, str(given)):
            advice = "put the text in quotes, for without them it is no text"
    return f"; {advice}" if advice else ""


def explain(error: ValidationError, root: Model) -> list[str]:
    """One line for each thing that is wrong, in the order of the configuration."""
    # by key and kind of error: a union reports once for each of its members
    lines: dict[tuple[str, str], str] = {}
    for item in error.errors():
        path, field, model = _locate(item["loc"], root)
        key = shown_text(".".join(path))
        given = item["input"]
        kind = item["type"]
        if kind == "extra_forbidden":
            line = f"{key} = {shown(given)}: there is no such key{_suggestion(path, model, root)}"
        elif kind == "missing":
            line = f"{key} is missing: " + (
                f"give {allowed(field)} ({field.description})"
                if field
                else f"this section takes {', '.join(model.model_fields)}"
            )
        elif kind in {"union_tag_not_found", "union_tag_invalid"}:
            context = item.get("ctx", {})
            tag = (
                f" = {shown(context['tag'])}: must be" if "tag" in context else " is missing: give"
            )
            tags = [
                tag
                for c in _sections(root.model_fields[key].annotation)
                for tag in typing.get_args(c.model_fields["law"].annotation)
            ]
            line = f"{key}.law{tag} one of {', '.join(tags)}"
        elif field is not None:
            line = f"{key} = {shown(given)}: must be {allowed(field)}{_advice(given, field)}"
        elif kind == "value_error":
            line = (
                f"{key}: {item['msg'].removeprefix('Value error, ')}"
                if key
                else item["msg"].removeprefix("Value error, ")
            )
        else:
            advice = missing_blank_advice(given)
            line = f"{key} = {shown(given)}: must be a section with keys"
            line += f"; {advice}" if advice else ""
        lines.setdefault((key, "" if field is not None else line), line)
    return list(lines.values())
