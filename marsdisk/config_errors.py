"""Keys described and validation errors explained in the words of a scientist: which key, which value, what is allowed."""

import difflib
import types
import typing
from typing import Any

import annotated_types
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

Model = type[BaseModel]

#: Last words of keys of earlier programs for this disk that people still type, and what took their place.
RENAMED = {
    "TM_K": "temperature.T0",
    "chi_blow": "blowout.chi",
    "v_rel_mode": "dynamics.v_rel",
    "qpr_table_path": "radiation.Q_pr",
    "coeff_table": "qstar.table",
    "coeff_scale": "qstar.scale",
    "coeff_units": "qstar.units",
    "mu_grav": "qstar.mu",
    "dt_init": "output.samples (numerics.rtol chooses the steps)",
    "safety": "numerics.rtol",
}


def _options(annotation: Any) -> tuple[Any, ...]:
    return typing.get_args(annotation) if typing.get_origin(annotation) in {typing.Union, types.UnionType} else (annotation,)


def _sections(annotation: Any) -> list[Model]:
    """Sections that a key can hold, as itself or as a list."""
    inner = typing.get_args(annotation)[:1] if typing.get_origin(annotation) is tuple else _options(annotation)
    return [option for option in inner if isinstance(option, type) and issubclass(option, BaseModel)]


def config_keys(model: Model, prefix: str = "") -> dict[str, FieldInfo]:
    """Every key by its dotted path, with the field that describes it."""
    keys: dict[str, FieldInfo] = {}
    for name, field in model.model_fields.items():
        sections = _sections(field.annotation)
        for section in sections:
            keys |= {key: inner for key, inner in config_keys(section, f"{prefix}{name}.").items() if key not in keys}
        if not sections or typing.get_origin(field.annotation) is tuple:
            keys[f"{prefix}{name}"] = field
    return keys


def metadata(field: FieldInfo, name: str) -> str:
    """An entry (unit, allowed) of the field's own metadata, or an empty text."""
    return str(field.json_schema_extra.get(name, "")) if isinstance(field.json_schema_extra, dict) else ""


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
    names = {bool: "true or false", int: f"a whole number{interval}{unit}", float: f"a number{interval}{unit}", str: "a text", type(None): "null"}
    words = [
        "one of " + ", ".join(map(str, typing.get_args(option))) if typing.get_origin(option) is typing.Literal else names.get(option, "a section")
        for option in _options(field.annotation)
    ]
    return " or ".join(words)


def _locate(location: tuple[int | str, ...], root: Model) -> tuple[list[str], FieldInfo | None, Model]:
    """Key path without what pydantic adds for unions and lists; its field (None: a section or an unknown key); its section."""
    path: list[str] = []
    field: FieldInfo | None = None
    model, choices = root, [root]
    for part in location:
        if len(choices) > 1:  # the tag of a union of sections
            model = next(c for c in choices if part in typing.get_args(c.model_fields["law"].annotation))
            choices, field = [model], None
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
    every_key = [key for key in config_keys(root) if key != ".".join(path)]  # a key of another law has its own path
    if name in RENAMED:
        return f"; it is now {RENAMED[name]}"
    if len(every_key) < len(config_keys(root)):
        return f" here; this section takes {', '.join(model.model_fields)}"
    near = [key for key in every_key if key.endswith(f".{name}")]
    near = near or [".".join([*path[:-1], key]) for key in difflib.get_close_matches(name, model.model_fields, n=1)]
    near = near or difflib.get_close_matches(".".join(path), every_key, n=1)
    return f"; did you mean {near[0]}?" if near else f"; this section takes {', '.join(model.model_fields)}"


def explain(error: ValidationError, root: Model) -> list[str]:
    """One line for each thing that is wrong, in the order of the configuration."""
    lines: dict[tuple[str, str], str] = {}  # by key and kind of error: a union reports once for each of its members
    for item in error.errors():
        path, field, model = _locate(item["loc"], root)
        key, given, kind = ".".join(path), item["input"], item["type"]
        if kind == "extra_forbidden":
            line = f"{key} = {given!r}: there is no such key{_suggestion(path, model, root)}"
        elif kind == "missing":
            line = f"{key} is missing: " + (
                f"give {allowed(field)} ({field.description})" if field else f"this section takes {', '.join(model.model_fields)}"
            )
        elif kind in {"union_tag_not_found", "union_tag_invalid"}:
            context = item.get("ctx", {})
            tag = f" = {context['tag']!r}: must be" if "tag" in context else " is missing: give"
            tags = [tag for c in _sections(root.model_fields[key].annotation) for tag in typing.get_args(c.model_fields["law"].annotation)]
            line = f"{key}.law{tag} one of {', '.join(tags)}"
        elif field is not None:
            line = f"{key} = {given!r}: must be {allowed(field)}"
        elif kind == "value_error":
            line = f"{key}: {item['msg'].removeprefix('Value error, ')}" if key else item["msg"].removeprefix("Value error, ")
        else:
            line = f"{key} = {given!r}: must be a section with keys"
        lines.setdefault((key, "" if field is not None else line), line)
    return list(lines.values())
