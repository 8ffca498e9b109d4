"""Reading a sweep file, so that what is wrong with it and with its cases is said at once."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from marsdisk.common.errors import ConfigError
from marsdisk.config.builtin import located
from marsdisk.config.yaml_file import read_yaml_mapping, with_lines

from ..spec.file import Sweep, load_sweep, sweep_of_sections
from .plan import make_plan

#: The sections that say which cases there are, first those that vary something.
SECTIONS_OF_AXES = ("axes", "zip", "one_at_a_time", "variants", "sample", "design")
SECTIONS_OF_CASES = ("base", "set", *SECTIONS_OF_AXES, "output")


def read_sweep(path: str | Path, command_line: Mapping[str, Any] | None = None) -> Sweep:
    """Read a sweep file and its base; an error also has the problems of cases that can be built.

    Parameters
    ----------
    path : str or Path
        A YAML file, or ``builtin:NAME``.
    command_line : mapping, optional
        Overrides by dotted key, which win over all others.

    Returns
    -------
    Sweep
        Its cases are validated only where the file has problems of its own.

    Raises
    ------
    ConfigError
        With a line for each problem.
    """
    try:
        return load_sweep(path, command_line)
    except ConfigError as error:
        if error.where != str(located(path)):  # the base cannot be read
            raise
        further = list(_further_problems(located(path), command_line, error.problems))
        raise ConfigError([*error.problems, *further], error.where) from error.__cause__


def _further_problems(
    path: Path, command_line: Mapping[str, Any] | None, problems: Sequence[str]
) -> Iterator[str]:
    """Yield the problems of a file that show once what has problems is left out of it."""
    known = list(problems)
    try:
        content = read_yaml_mapping(path)
    except ConfigError:
        return  # which is the problem
    # problems of sections hide those of axes, and these those of cases
    while _has_cases(sections := _without_problems(content, known)):
        try:
            sweep = sweep_of_sections(sections, path.parent, command_line, where=str(path))
            make_plan(replace(sweep, file=str(path)))
        except ConfigError as error:
            is_of_cases = error.where != str(path)
            new = [problem for problem in error.problems if problem not in known]
            known += new
            yield from new if is_of_cases else with_lines(ConfigError(new), path).problems
            if new and not is_of_cases:
                continue
        return


def _has_cases(sections: Mapping[str, Any]) -> bool:
    """Whether sections of a file ask for any case."""
    return any(sections.get(name) for name in SECTIONS_OF_AXES)


def _without_problems(content: Mapping[str, Any], problems: Sequence[str]) -> dict[str, Any]:
    """Return the sections of cases, without the sections, axes, and settings with problems."""
    named = {match[0] for problem in problems if (match := re.match(r"[\w.]+", problem))}
    sections: dict[str, Any] = {"name": "cases"}
    for section in SECTIONS_OF_CASES:
        entries = content.get(section)
        if section in ("axes", "set") and isinstance(entries, Mapping):
            sections[section] = {
                key: value for key, value in entries.items() if f"{section}.{key}" not in named
            }
        elif section in content and not any(_begins(name, section) for name in named):
            sections[section] = entries
    is_whole = all(sections.get(name) == content.get(name) for name in SECTIONS_OF_AXES)
    if is_whole:
        # they name axes
        names = ("include", "exclude")
        sections |= {name: content[name] for name in names if name in content}
    return sections


def _begins(name: str, section: str) -> bool:
    """Whether a dotted name is that of a section, or begins with it."""
    return name.partition(".")[0] == section
