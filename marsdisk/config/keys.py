"""Keys of a configuration: their fields, and in words what each of them takes."""

import types
import typing
from typing import Any

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

Model = type[BaseModel]


def union_members(annotation: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the only type."""
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        return typing.get_args(annotation)
    return (annotation,)


def inner_sections(annotation: Any) -> list[Model]:
    """Return the sections that a key can hold, by itself or in a list."""
    members = union_members(annotation)
    if typing.get_origin(annotation) is tuple:
        members = typing.get_args(annotation)[:1]
    return [
        member for member in members if isinstance(member, type) and issubclass(member, BaseModel)
    ]


def bound(field: FieldInfo, name: str) -> float:
    """Return the lowest (``ge``) or highest (``le``) value that a key takes."""
    limits = [getattr(limit, name) for limit in field.metadata if hasattr(limit, name)]
    return float(limits[0])


def config_keys(model: Model, prefix: str = "") -> dict[str, FieldInfo]:
    """Return the field of every key, by the dotted path of the key.

    Examples
    --------
    >>> from marsdisk.config.sections import Disk
    >>> list(config_keys(Disk, "disk."))
    ['disk.r_in_RM', 'disk.r_out_RM']
    """
    keys: dict[str, FieldInfo] = {}
    for name, field in model.model_fields.items():
        sections = inner_sections(field.annotation)
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
    for member in union_members(field.annotation):
        if typing.get_origin(member) is typing.Literal:
            words.append("one of " + ", ".join(map(str, typing.get_args(member))))
        else:
            words.append(names.get(member, "a section"))
    return " or ".join(words)
