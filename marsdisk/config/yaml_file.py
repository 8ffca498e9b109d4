"""Read and write YAML 1.2: 1e-7 is a number, 010 is 10, 1:30 and dates are texts."""

import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import yaml

from ..common.errors import ConfigError
from ..common.text import shown_text, with_line
from ..io.numbers import NUMBER
from ..io.text_file import decode_text, file_bytes
from .yaml_errors import YamlError, missing_blank_advice
from .yaml_reader import NUMBERS_BEGIN, OTHER_BASE, TAG, read_document


def _read_file(path: Path) -> str:
    try:
        return decode_text(file_bytes(path))
    except OSError as error:
        problem = f"cannot be read: {error.strerror}; check the path"
        raise ConfigError([problem], str(path)) from error
    except ValueError as error:
        raise ConfigError([f"cannot be read: {error}"], str(path)) from error


def parse_yaml(text: str, where: str) -> Any:
    """Return the content of a YAML text.

    Parameters
    ----------
    text : str
        One document.
    where : str
        Name of the text in errors.

    Returns
    -------
    dict, list, str, int, float, bool or None

    Raises
    ------
    ConfigError
        The text is not YAML 1.2, or asks for more than mappings, lists, texts and numbers.
    """
    try:
        content, _ = read_document(text)
    except YamlError as error:
        problem = error.with_line(text) if "\n" in text else error.problem
        raise ConfigError([problem], where) from None
    return content


def read_yaml_mapping(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict
        Its sections by their names.

    Raises
    ------
    ConfigError
        The file is missing, unreadable, not YAML 1.2, or holds something other than a mapping.
    """
    text = _read_file(path)
    try:
        content, _ = read_document(text)
    except YamlError as error:
        raise ConfigError([error.with_line(text)], str(path)) from None
    if isinstance(content, dict):
        return content
    names = {type(None): "an empty file", list: "a list", str: "a text"}
    problem = f"must hold sections with keys, not {names.get(type(content), 'a single value')}"
    advice = missing_blank_advice(content)
    if advice:
        problem += f"; {advice}"
    raise ConfigError([with_line(problem, 1, text.split("\n")[0])], str(path))


class _Dumper(yaml.SafeDumper):
    """A dumper that quotes texts that YAML 1.1 or YAML 1.2 would take for another type."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 (PyYAML fixes the signature)
        """Return that every value is written out, wherever it occurs."""
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    """Escape ends of lines of YAML 1.1, which the reader refuses."""
    style = '"' if _ENDS_OF_LINES.search(text) else None
    return dumper.represent_scalar(f"{TAG}str", text, style=style)


_ENDS_OF_LINES = re.compile("[\x85\u2028\u2029]")
_Dumper.add_representer(str, _represent_text)
for _kind, _pattern in (("float", NUMBER.pattern), ("int", OTHER_BASE.pattern)):
    _whole_text = re.compile(f"(?:{_pattern})$")
    _Dumper.add_implicit_resolver(f"{TAG}{_kind}", _whole_text, [*NUMBERS_BEGIN])


def yaml_text(content: Any, **layout: Any) -> str:
    """Return content as YAML that reads back as the same texts and the same bits of numbers.

    Parameters
    ----------
    content : dict, list, str, int, float, bool or None
        Mappings and lists may be nested.
    **layout
        Options of PyYAML, such as its ``width``.

    Returns
    -------
    str
        Its meaning is the same in YAML 1.1 and YAML 1.2.

    Examples
    --------
    >>> print(yaml_text({"rtol": 1e-07, "name": "1e3"}), end="")
    rtol: 1.0e-07
    name: '1e3'
    """
    return str(yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, **layout))


def with_lines(
    error: ConfigError,
    path: str | Path,
    overridden: Collection[str] = (),
    *,
    anywhere: bool = False,
    name: str = "",
) -> ConfigError:
    """Return an error with the line of a file that each of its problems is about.

    Parameters
    ----------
    error : ConfigError
        Each of its problems begins with the key that it is about.
    path : str or Path
        The YAML file.
    overridden : collection of str
        Keys whose values were given elsewhere.
    anywhere : bool
        Whether the keys may stand under others, as those of runs do in a sweep file.
    name : str
        What the file is called, where it is not the one that the error is about.

    Returns
    -------
    ConfigError
        Unchanged if the file can no longer be read.
    """
    try:
        text = _read_file(Path(path))
        _, lines = read_document(text)
    except (ConfigError, YamlError):
        return error
    texts = text.split("\n")
    problems = []
    for problem in error.problems:
        key = _longest_key(problem, lines)
        if not key and anywhere:
            key = _first_key_ending(problem, lines)
        own_key = key if not anywhere else _key_of(problem)
        is_overridden = any(_overlap(own_key, name) for name in overridden)
        if not key or "\n" in problem or is_overridden:
            problems.append(problem)
        else:
            problems.append(with_line(problem, lines[key], texts[lines[key] - 1], name))
    return ConfigError(problems, error.where)


def _first_key_ending(problem: str, keys: Iterable[str]) -> str:
    """Return the first key of a file that ends with the key of a problem; empty for none."""
    own_key = _key_of(problem)
    endings = [key for key in keys if own_key and key.endswith(f".{own_key}")]
    return endings[0] if endings else ""


def _key_of(problem: str) -> str:
    """Return the key that a problem begins with; empty for none."""
    match = re.match(r"[\w.\[\]-]*\w", problem)
    return match[0] if match else ""


def _overlap(key: str, override: str) -> bool:
    """Return whether a key is, contains, or lies within one that was overridden."""
    return f"{key}.".startswith(f"{override}.") or f"{override}.".startswith(f"{key}.")


def _longest_key(problem: str, keys: Iterable[str]) -> str:
    """Return the longest key of a file that a problem begins with; empty for none."""
    longest = ""
    for key in keys:
        name = shown_text(key)
        ends = not re.match(r"[\w-]", problem[len(name) :])
        if len(key) > len(longest) and problem.startswith(name) and ends:
            longest = key
    return longest
