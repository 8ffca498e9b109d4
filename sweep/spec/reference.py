"""The keys of a sweep file, from its models: tables for people, JSON Schema for editors."""

import json
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from marsdisk.config import RunConfig
from marsdisk.config.keys import (
    Model,
    allowed,
    config_keys,
    inner_sections,
    metadata,
    union_members,
)

from .axes import KINDS_OF_AXES
from .distributions import KINDS_OF_DISTRIBUTIONS
from .expectations import Expectation
from .old_keys import NEW_NAMES
from .sections import SweepSpec

DIALECT = "https://json-schema.org/draft/2020-12/schema"
#: Types of JSON by those of Python.
JSON_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
#: Sections that have the points of axes by the key of a configuration.
SECTIONS_OF_AXES = ("axes", "one_at_a_time")


@dataclass(frozen=True)
class ReferenceRow:
    """A key of a sweep file, or a kind of value."""

    name: str
    takes: str
    default: str  #: as YAML; empty where there is none
    meaning: str


@dataclass(frozen=True)
class ReferenceTable:
    """Keys that belong together."""

    title: str
    rows: tuple[ReferenceRow, ...]


def reference() -> Iterator[ReferenceTable]:
    """Yield the keys of a sweep file, and the kinds of axes and distributions.

    Examples
    --------
    >>> [table.title for table in reference()][:3]
    ['sweep file', 'sample', 'design']
    """
    yield ReferenceTable("sweep file", tuple(_rows(SweepSpec)))
    for name, field in SweepSpec.model_fields.items():
        for section in inner_sections(field.annotation):
            yield ReferenceTable(name, tuple(_rows(section)))
    yield ReferenceTable("a condition of expect", tuple(_rows(Expectation)))
    yield _kinds("points of an axis", KINDS_OF_AXES)
    yield _kinds("distributions of a key in sample and design", KINDS_OF_DISTRIBUTIONS)


def _rows(section: Model) -> Iterator[ReferenceRow]:
    for name, field in section.model_fields.items():
        takes = "see below" if inner_sections(field.annotation) else allowed(field)
        yield ReferenceRow(name, takes, _default(field), field.description or "")


def _kinds(title: str, kinds: dict[str, str]) -> ReferenceTable:
    return ReferenceTable(
        title, tuple(ReferenceRow(form, "", "", meaning) for form, meaning in kinds.items())
    )


def _default(field: FieldInfo) -> str:
    """Return a default as YAML; empty where there is none, or where it is an empty section."""
    if field.is_required() or field.default is PydanticUndefined:
        return ""
    return "" if field.default in ({}, []) else json.dumps(field.default)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a sweep file, by which editors complete and check it.

    It says which keys there are, what they mean, and of which type they are. What depends on
    several of them is checked by ``sweep plan``.
    """
    schema: dict[str, Any] = {
        "$schema": DIALECT,
        "title": "Sweep file of marsdisk",
        "type": "object",
        "additionalProperties": False,
        "required": [name for name, field in SweepSpec.model_fields.items() if field.is_required()],
        "properties": {},
        "$defs": {"keys": _schema_of_keys("value")},
    }
    for name, field in SweepSpec.model_fields.items():
        schema["properties"][name] = _schema_of(name, field)
    for old, new in NEW_NAMES.items():
        schema["properties"][old] = {**schema["properties"][new], "deprecated": True}
    return schema


def _schema_of(name: str, field: FieldInfo) -> dict[str, Any]:
    described = {"description": f"{field.description} ({allowed(field)})"}
    sections = inner_sections(field.annotation)
    if name == "set":
        return {**described, "$ref": "#/$defs/keys"}
    if name in SECTIONS_OF_AXES:
        return {**described, **_schema_of_keys("points")}
    if name in {"zip", "include"}:
        kind = "list" if name == "zip" else "value"
        items = {"$ref": "#/$defs/keys"} if kind == "value" else _schema_of_keys(kind)
        return {**described, "type": "array", "items": items}
    if name == "variants":
        return {
            **described,
            "type": "object",
            "additionalProperties": {"$ref": "#/$defs/keys"},
        }
    if name == "expect":
        return {**described, "type": "object", "additionalProperties": _object_of(Expectation)}
    if sections:
        options = [_object_of(section) for section in sections]
        if type(None) in union_members(field.annotation):
            options.append({"type": "null"})
        return {**described, "anyOf": options} if len(options) > 1 else {**described, **options[0]}
    return {**described, **_type_of(field)}


def _object_of(section: Model) -> dict[str, Any]:
    """Return the schema of a section with its own keys."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [name for name, field in section.model_fields.items() if field.is_required()],
        "properties": {
            name: {"description": field.description or "", **_type_of(field)}
            for name, field in section.model_fields.items()
        },
    }


def _schema_of_keys(kind: str) -> dict[str, Any]:
    """Return the schema of overrides, or of axes, by key of the configuration."""
    properties: dict[str, dict[str, Any]] = {}
    for key, field in config_keys(RunConfig).items():
        unit = metadata(field, "unit")
        words = f"{field.description or key}{f' [{unit}]' if unit else ''}: {allowed(field)}"
        properties[key] = {"description": words}
        if kind == "list":
            properties[key]["type"] = "array"
        elif kind == "points":
            properties[key]["type"] = ["array", "object"]
    # the sections of these keys may be given whole, and axes of rings have a name of their own
    return {"type": "object", "properties": properties}


def _type_of(field: FieldInfo) -> dict[str, Any]:
    """Return the type of a key; nothing where its models say more than JSON Schema can."""
    types: list[str] = []
    choices: list[Any] = []
    for member in union_members(field.annotation):
        origin = typing.get_origin(member)
        if origin is typing.Literal:
            choices += typing.get_args(member)
        elif origin in {list, tuple}:
            types.append("array")
        elif origin is dict:
            types.append("object")
        elif member in JSON_TYPES:
            types.append(JSON_TYPES[member])
        else:
            return {}
    if choices:
        return {"enum": choices + ([None] if "null" in types else [])}
    return {"type": types[0] if len(types) == 1 else types}
