"""Validation errors in the words of a scientist: which key, which value, what is allowed."""

import difflib
import re
import typing
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from ..common.text import shown, shown_text
from ..io.numbers import number_advice
from .keys import Model, allowed, config_keys, inner_sections, union_members
from .legacy_keys import LEFT_OUT, RENAMED
from .yaml_errors import missing_blank_advice


def _laws(sections: list[Model]) -> dict[str, Model]:
    """Return the sections of a union by the values of their key ``law``."""
    laws = {}
    for section in sections:
        for law in typing.get_args(section.model_fields["law"].annotation):
            laws[law] = section
    return laws


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
            choices = inner_sections(field.annotation)
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
    types_of_key = union_members(field.annotation)
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
        suggestion = _suggestion(path, section, root)
        if isinstance(value, dict):
            return f"{key}: there is no such section{suggestion}"
        return f"{key} = {shown(value)}: there is no such key{suggestion}"
    if kind == "missing":
        if field is None:
            return f"{key} is missing: this section takes {', '.join(section.model_fields)}"
        return f"{key} is missing: give {allowed(field)} ({field.description})"
    if kind in {"union_tag_not_found", "union_tag_invalid"}:
        laws = ", ".join(_laws(inner_sections(root.model_fields[key].annotation)))
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
