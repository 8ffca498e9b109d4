"""Configurations built from nested mappings and overrides of keys."""

from collections.abc import Mapping
from typing import Any, cast

from pydantic import ValidationError

from ..common.errors import ConfigError
from .explain import explain
from .run_config import SECTIONS, RunConfig
from .sections import Section


def merge(content: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of nested ``content`` with dotted keys replaced.

    Parameters
    ----------
    content : mapping
        Sections by their names.
    overrides : mapping
        Values by dotted keys. A value that is a mapping replaces the whole section.

    Examples
    --------
    >>> merge({"disk": {"r_in_RM": 2.0}}, {"disk.r_out_RM": 2.5})
    {'disk': {'r_in_RM': 2.0, 'r_out_RM': 2.5}}
    """
    merged: dict[str, Any] = {}
    for key, value in content.items():
        merged[key] = dict(value) if isinstance(value, Mapping) else value
    for path, value in overrides.items():
        *parents, name = path.split(".")
        section = merged
        for parent in parents:
            child = section.get(parent)
            section[parent] = dict(child) if isinstance(child, Mapping) else {}
            section = section[parent]
        section[name] = value
    return merged


def build_config(content: Mapping[str, Any], where: str = "") -> RunConfig:
    """Return a validated configuration.

    Parameters
    ----------
    content : mapping
        Sections by their names.
    where : str
        What errors call it, such as the path of its file.

    Raises
    ------
    ConfigError
        With one line for each problem: key, value, what is allowed.
    """
    try:
        return RunConfig.model_validate(dict(content))
    except ValidationError as error:
        raise ConfigError(explain(error, RunConfig), where) from error


class Variations:
    """Configurations that override keys of one base.

    A section is validated once for all configurations that share its content.
    """

    # Sections to remember: enough for the axes of a sweep, and a bound for its samples.
    MANY = 10_000

    def __init__(self, base: Mapping[str, Any]) -> None:
        self._base = base
        self._first: RunConfig | None = None
        self._sections: dict[str, dict[tuple[str, ...], Section]] = {}

    def config(self, overrides: Mapping[str, Any]) -> RunConfig:
        """Return the base with dotted keys overridden.

        Raises
        ------
        ConfigError
            As by :func:`build_config`.
        """
        sections = self.sections(overrides)
        try:
            return cast(RunConfig, self._first).model_copy(update=sections).fitting()
        except ValueError:
            # Building it anew lists every problem.
            return self._build(overrides, self._changes_by_section(overrides))

    def sections(self, overrides: Mapping[str, Any]) -> dict[str, Section]:
        """Return all sections of the base with dotted keys overridden.

        Where all of them were met before, they may not fit together.

        Raises
        ------
        ConfigError
            As by :func:`build_config`.
        """
        changes = self._changes_by_section(overrides)
        if self._first is None:
            return self._build(overrides, changes).__dict__
        try:
            changed = {name: self._sections[name][words] for name, words in changes.items()}
        except KeyError:
            return self._build(overrides, changes).__dict__
        return {**self._first.__dict__, **changed}

    def _changes_by_section(self, overrides: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        """Return the overrides of each section that this or an earlier configuration overrides."""
        changes: dict[str, tuple[str, ...]] = dict.fromkeys(self._sections, ())
        for key, value in overrides.items():
            section = key.partition(".")[0]
            changes[section] = (*changes.get(section, ()), f"{key}={value!r}")
        return changes

    def _build(
        self, overrides: Mapping[str, Any], changes: Mapping[str, tuple[str, ...]]
    ) -> RunConfig:
        first = self._first
        content = dict(self._base)
        if first is not None:
            for name in SECTIONS:
                if name not in changes:
                    content[name] = getattr(first, name)
        base = {name: self._base[name] for name in changes if name in self._base}
        content |= merge(base, overrides)
        for name, words in changes.items():
            section = self._sections.get(name, {}).get(words)
            if section is not None:
                content[name] = section
        config = build_config(content)
        for name, words in changes.items():
            if name not in self._sections:
                self._sections[name] = {}
                if first is not None:
                    self._sections[name][()] = getattr(first, name)
            sections = self._sections[name]
            if len(sections) > self.MANY:
                sections.clear()
            sections[words] = getattr(config, name)
        self._first = first or config
        return config
