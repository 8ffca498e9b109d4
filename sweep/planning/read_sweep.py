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

#: The sections that vary something, and all that say which cases there are.
SECTIONS_OF_AXES = ("axes", "zip", "one_at_a_time", "variants", "sample", "design", "refine")
SECTIONS_OF_CASES = ("base", "set", *SECTIONS_OF_AXES, "include", "exclude", "output")
#: Cases that are validated although the file has problems: more would keep its author waiting.
MAX_CASES_VALIDATED = 20_000
#: A problem of one key alone, which nothing that is left out of a file can have caused.
_OF_ONE_KEY = re.compile(r"[\w.]+ = .*?: (must be|there is no such key)", re.DOTALL)


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
        file = located(path)
        if error.where != str(file):  # the base cannot be read
            raise
        further = list(_further_problems(file, command_line, error.problems))
        raise ConfigError([*error.problems, *further], error.where) from error.__cause__


def _further_problems(
    path: Path, command_line: Mapping[str, Any] | None, problems: Sequence[str]
) -> Iterator[str]:
    """Yield the problems of a file that show once what has problems is left out of it."""
    try:
        content = read_yaml_mapping(path)
    except ConfigError:
        return  # which is the problem
    known = [_without_line(problem) for problem in problems]
    # problems of sections hide those of axes, and these those of cases
    while True:
        sections = _without_problems(content, known)
        if not any(sections.get(name) for name in (*SECTIONS_OF_AXES, "include")):
            return
        try:
            sweep = sweep_of_sections(sections, path.parent, command_line, where=str(path))
        except ConfigError as error:
            new = [problem for problem in error.problems if _without_line(problem) not in known]
            if not new or error.where != str(path):
                return
            known += map(_without_line, new)
            yield from with_lines(ConfigError(new), path).problems
            continue
        is_whole = all(sections.get(name) == content.get(name) for name in SECTIONS_OF_CASES)
        for problem in _problems_of_cases(replace(sweep, file=str(path))):
            if is_whole or _OF_ONE_KEY.match(problem):
                yield problem
        return


def _problems_of_cases(sweep: Sweep) -> Sequence[str]:
    """Return the problems of the cases of a sweep, if these are not too many."""
    if sweep.case_count > MAX_CASES_VALIDATED:
        return []
    try:
        make_plan(sweep)
    except ConfigError as error:
        return error.problems
    return []


def _without_line(problem: str) -> str:
    """Return a problem without the line of the file that it quotes."""
    return problem.partition("\n")[0]


def _without_problems(content: Mapping[str, Any], problems: Sequence[str]) -> dict[str, Any]:
    """Return the sections of cases, without the sections, axes, and settings with problems."""
    named = {match[0] for problem in problems if (match := re.match(r"[\w.]+", problem))}
    sections: dict[str, Any] = {"name": "cases"}
    if "base" in named:
        return sections
    for section in SECTIONS_OF_CASES:
        entries = content.get(section)
        if section in ("axes", "set") and isinstance(entries, Mapping) and section not in named:
            sections[section] = {
                key: value for key, value in entries.items() if f"{section}.{key}" not in named
            }
        elif section in content and not any(_begins(name, section) for name in named):
            sections[section] = entries
    if any(sections.get(name) != content.get(name) for name in SECTIONS_OF_AXES):
        sections.pop("exclude", None)  # which may name axes that are left out
    return sections


def _begins(name: str, section: str) -> bool:
    """Whether a dotted name is that of a section, or begins with it."""
    return name.partition(".")[0] == section
