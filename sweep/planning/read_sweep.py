"""Reading a sweep file, so that what is wrong with it and with its cases is said at once."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
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
        with suppress(ConfigError):  # of a file that is no YAML, which is the problem
            content = read_yaml_mapping(file)
            further = _further_problems(content, file.parent, command_line, error, str(file))
            error = ConfigError([*error.problems, *further], error.where)
        raise error from error.__cause__


def sweep_of(
    content: Mapping[str, Any],
    folder: Path,
    command_line: Mapping[str, Any] | None = None,
    *,
    where: str,
) -> Sweep:
    """Build a sweep; an error also has the problems of cases that can be built.

    Parameters and errors are those of :func:`sweep.spec.file.sweep_of_sections`.
    """
    try:
        return sweep_of_sections(content, folder, command_line, where=where)
    except ConfigError as error:
        if error.where != where:
            raise
        further = _further_problems(content, folder, command_line, error)
        raise ConfigError([*error.problems, *further], where) from error.__cause__


def _further_problems(
    content: Mapping[str, Any],
    folder: Path,
    command_line: Mapping[str, Any] | None,
    error: ConfigError,
    file: str = "",
) -> Iterator[str]:
    """Yield the problems of a sweep that show once what has problems is left out of it.

    Parameters
    ----------
    content : mapping
        Sections of the sweep.
    folder : Path
        Folder that its paths are relative to.
    command_line : mapping or None
        Overrides by dotted key.
    error : ConfigError
        The problems that are known.
    file : str
        The sweep file, whose lines problems quote; empty where there is none.
    """
    known = [_without_line(problem) for problem in error.problems]
    # problems of sections hide those of axes, and these those of cases
    while True:
        sections = _without_problems(content, known)
        if not any(sections.get(name) for name in (*SECTIONS_OF_AXES, "include")):
            return
        try:
            sweep = sweep_of_sections(sections, folder, command_line, where=error.where)
        except ConfigError as next_error:
            new = [each for each in next_error.problems if _without_line(each) not in known]
            if not new or next_error.where != error.where:
                return
            known += map(_without_line, new)
            yield from with_lines(ConfigError(new), file).problems if file else new
            continue
        is_whole = all(sections.get(name) == content.get(name) for name in SECTIONS_OF_CASES)
        for problem in _problems_of_cases(replace(sweep, file=file)):
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
