"""Optional packages, which are imported only by the commands that need them."""

import importlib
from typing import Any

from marsdisk.common.errors import MarsDiskError


class ExtraMissingError(MarsDiskError, ModuleNotFoundError):
    """An optional package is not installed."""


def extra(module: str, name: str, purpose: str) -> Any:
    """Import a module of an optional package.

    Parameters
    ----------
    module : str
        Name of the module.
    name : str
        Name of our extra that installs the package.
    purpose : str
        The feature that needs it, for the message.

    Raises
    ------
    ExtraMissingError
        The package is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ExtraMissingError(
            f"{purpose} needs the package {error.name}, which is not installed: pip install"
            f" 'marsdisk[{name}]'"
        ) from error
