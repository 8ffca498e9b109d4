"""Validation errors in the words of a scientist: which key, which value, what is allowed."""

import difflib
import re
import types
import typing
from typing import Any, NamedTuple

import annotated_types
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from .physics.textfile import number_advice, shown, shown_text
from .yaml_errors import missing_blank_advice

Model = type[BaseModel]

#: Last words of keys of earlier programs for this disk, which people still type, and the keys that
#: replace them.
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
    "allow_liquid_hkl": "sublimation.of_liquid",
    "orbit_fraction_at_mu1": "supply.f_orb",
    "mu_reference_tau": "supply.tau_ref",
    **dict.fromkeys(
        ("enable_e_damping", "t_damp_orbits"),
        "dynamics.damping: {epsilon, e_eq}, whose time follows from collisions",
    ),
    "target_tau": "supply.feedback.tau_target",
    "response_time_years": "supply.feedback.t_response_years",
}
#: Keys of those programs that have no counterpart here, and why.
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


def _types(annotation: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the only type."""
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        return typing.get_args(annotation)
    return (annotation,)


def _sections(annotation: Any) -> list[Model]:
    """Return the sections that a key can hold, by itself or in a list."""
    members = _types(annotation)
    if typing.get_origin(annotation) is tuple:
        members = typing.get_args(annotation)[:1]
    return [
        member for member in members if isinstance(member, type) and issubclass(member, BaseModel)
    ]


def _laws(sections: list[Model]) -> dict[str, Model]:
    """Return the sections of a union by the values of their key ``law``."""
    laws = {}
    for section in sections:
        for law in typing.get_args(section.model_fields["law"].annotation):
            laws[law] = section
    return laws


def bound(field: FieldInfo, name: str) -> float:
    """Return the lowest (``ge``) or highest (``le``) value that a key takes."""
    limits = [getattr(limit, name) for limit in field.metadata if hasattr(limit, name)]
    return float(limits[0])


def config_keys(model: Model, prefix: str = "") -> dict[str, FieldInfo]:
    """Return the field of every key, by the dotted path of the key.

    Examples
    --------
    >>> from marsdisk.config_sections import Disk
    >>> list(config_keys(Disk, "disk."))
    ['disk.r_in_RM', 'disk.r_out_RM']
    """
    keys: dict[str, FieldInfo] = {}
    for name, field in model.model_fields.items():
        sections = _sections(field.annotation)
        for section in sections:
            for key, inner_field in config_keys(section, f"{prefix}{name}.").items():
                keys.setdefault(key, inner_field)
        if not sections or typing.get_origin(field.annotation) is tuple:
            keys[f"{prefix}{name}"] = field
    return keys


def metadata(field: FieldInfo, name: str) -> str:
    """Return an entry (unit, allowed) of a field's own metadata, or an empty text."""
    if isinstance(field.json_schema_extra, dict):
        return str(field.json_schema_extra.get(name, ""))
    return ""


def _interval(field: FieldInfo) -> str:
    """Return the interval of a number in words, such as `` in [0, 1)``; empty without bounds."""
    low = ""
    high = ""
    for limit in field.metadata:
        if isinstance(limit, annotated_types.Gt):
            low = f"({limit.gt:g}"
        elif isinstance(limit, annotated_types.Ge):
            low = f"[{limit.ge:g}"
        elif isinstance(limit, annotated_types.Lt):
            high = f"{limit.lt:g})"
        elif isinstance(limit, annotated_types.Le):
            high = f"{limit.le:g}]"
    if not low and not high:
        return ""
    return f" in {low or '(-inf'}, {high or 'inf)'}"


def allowed(field: FieldInfo) -> str:
    """Return in words what a key takes."""
    if metadata(field, "allowed"):
        return metadata(field, "allowed")
    interval = _interval(field)
    unit = f" {metadata(field, 'unit')}" if metadata(field, "unit") else ""
    names = {
        bool: "true or false",
        int: f"a whole number{interval}{unit}",
        float: f"a number{interval}{unit}",
        str: "a text",
        type(None): "null",
    }
    words = []
    for member in _types(field.annotation):
        if typing.get_origin(member) is typing.Literal:
            words.append("one of " + ", ".join(map(str, typing.get_args(member))))
        else:
            words.append(names.get(member, "a section"))
    return " or ".join(words)


class _Location(NamedTuple):
    """The key of a configuration that an error is about."""

    path: list[str]  #: of keys, without what pydantic adds for unions and lists
    field: FieldInfo | None  #: None for a section or an unknown key
    section: Model


def _locate(location: tuple[int | str, ...], root: Model) -> _Location:
    """Find the key that an error of pydantic is about."""
    path: list[str] = []
    field: FieldInfo | None = None
    model = root
    choices = [root]
    for part in location:
        if len(choices) > 1:
            # The part is the tag of a union of sections.
            model = _laws(choices)[str(part)]
            choices = [model]
            field = None
        elif not choices:
            # The other parts lie inside a value.
            break
        elif isinstance(part, int):
            # The part is an index in a list of sections.
            path[-1] += f"[{part}]"
        elif part in model.model_fields:
            path.append(str(part))
            field = model.model_fields[str(part)]
            choices = _sections(field.annotation)
            if choices:
                model = choices[0]
        else:
            return _Location([*path, str(part)], None, model)
    return _Location(path, None if choices else field, model)


def _suggestion(path: list[str], model: Model, root: Model) -> str:
    name = path[-1]
    key = ".".join(path)
    all_keys = config_keys(root)
    keys_of_section = f"this section takes {', '.join(model.model_fields)}"
    if name in RENAMED:
        return f"; it is now {RENAMED[name]}"
    if name in LEFT_OUT:
        return f"; it was left out: {LEFT_OUT[name]}"
    if key in all_keys:
        # It is a key of another law.
        return f" here; {keys_of_section}"
    candidates = [candidate for candidate in all_keys if candidate.endswith(f".{name}")]
    if not candidates:
        similar_names = difflib.get_close_matches(name, model.model_fields, n=1)
        candidates = [".".join([*path[:-1], similar]) for similar in similar_names]
    if not candidates:
        candidates = difflib.get_close_matches(key, all_keys, n=1)
    if candidates:
        return f"; did you mean {candidates[0]}?"
    return f"; {keys_of_section}"


def _advice(value: Any, field: FieldInfo) -> str:
    """Return what to write instead of a value, if it can be told; else an empty text."""
    types_of_key = _types(field.annotation)
    advice = ""
    if isinstance(value, str) and (float in types_of_key or int in types_of_key):
        advice = number_advice(value)
    elif str in types_of_key and isinstance(value, bool | int | float):
        patterns = [limit.pattern for limit in field.metadata if getattr(limit, "pattern", None)]
        if not patterns or re.search(patterns[0], str(value)):
            advice = "put the text in quotes, for without them it is no text"
    return f"; {advice}" if advice else ""


def explain(error: ValidationError, root: Model) -> list[str]:
    """Return one line for each thing that is wrong, in the order of the configuration."""
    # A union reports an error for each of its members: one line for a key and kind of error is
    # enough.
    lines: dict[tuple[str, str], str] = {}
    for details in error.errors():
        location = _locate(details["loc"], root)
        key = shown_text(".".join(location.path))
        line = _explain_one(details, key, location, root)
        lines.setdefault((key, "" if location.field is not None else line), line)
    return list(lines.values())


def _explain_one(details: ErrorDetails, key: str, location: _Location, root: Model) -> str:
    path, field, section = location
    value = details["input"]
    kind = details["type"]
    if kind == "extra_forbidden":
        return f"{key} = {shown(value)}: there is no such key{_suggestion(path, section, root)}"
    if kind == "missing":
        if field is None:
            return f"{key} is missing: this section takes {', '.join(section.model_fields)}"
        return f"{key} is missing: give {allowed(field)} ({field.description})"
    if kind in {"union_tag_not_found", "union_tag_invalid"}:
        laws = ", ".join(_laws(_sections(root.model_fields[key].annotation)))
        context = details.get("ctx", {})
        if "tag" in context:
            return f"{key}.law = {shown(context['tag'])}: must be one of {laws}"
        return f"{key}.law is missing: give one of {laws}"
    if field is not None:
        return f"{key} = {shown(value)}: must be {allowed(field)}{_advice(value, field)}"
    if kind == "value_error":
        message = details["msg"].removeprefix("Value error, ")
        return f"{key}: {message}" if key else message
    advice = missing_blank_advice(value)
    line = f"{key} = {shown(value)}: must be a section with keys"
    return f"{line}; {advice}" if advice else line
