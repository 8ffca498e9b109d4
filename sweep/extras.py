"""Packages that only some commands need, imported when they do."""

import importlib
from typing import Any

from marsdisk.errors import MarsDiskError


class ExtraMissingError(MarsDiskError, ModuleNotFoundError):
    """An optional package is not installed."""


def extra(module: str, name: str, purpose: str) -> Any:
    """``module``, which the extra ``name`` brings.

    Raises
    ------
    ExtraMissingError
        It is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ExtraMissingError(
            f"{purpose} needs the package {error.name}, which is not installed: pip install"
            f" 'marsdisk[{name}]'"
        ) from error
