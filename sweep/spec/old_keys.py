"""Sections of a sweep file that had other names in earlier versions, in files and in stores."""

import re
from collections.abc import Mapping
from typing import Any

from marsdisk.common.errors import ConfigError

from ..store.description import SweepRecord

#: Today's name of each section, by the name that it had.
NEW_NAMES = {"check": "accuracy", "checks": "expect"}


def with_new_names(content: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the content of a sweep file with today's names of its sections.

    Parameters
    ----------
    content : mapping
        The sections of a sweep file, or of a store's record of one.
    where : str
        Name of the file or the store in messages.

    Returns
    -------
    dict
        The same sections in the same order.

    Raises
    ------
    ConfigError
        A section is given by its old name and by its new one.
    """
    problems = [
        f"{old} is the old name of {new}, and both are given; keep {new}"
        for old, new in NEW_NAMES.items()
        if old in content and new in content
    ]
    if problems:
        raise ConfigError(problems, where)
    return {NEW_NAMES.get(name, name): section for name, section in content.items()}


def recorded_content(record: SweepRecord) -> dict[str, Any]:
    """Return the content of the sweep file that a store records, with today's names of sections."""
    return with_new_names(record.content, "the store's record of its sweep file")


def renaming_notes(content: Mapping[str, Any]) -> list[str]:
    """Return a note for each section of a sweep file that is given by its old name."""
    return [
        f"{old}: of the sweep file is now called {new}: and is still read by its old name"
        for old, new in NEW_NAMES.items()
        if old in content
    ]


def with_old_names(error: ConfigError, content: Mapping[str, Any]) -> ConfigError:
    """Return the same problems under the names of sections that the file has."""
    problems = error.problems
    for old, new in NEW_NAMES.items():
        if old in content:
            problems = [re.sub(rf"^{new}\b", old, problem) for problem in problems]
    return ConfigError(problems, error.where)
