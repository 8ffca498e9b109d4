"""Files that are given where another kind of file is asked for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..common.errors import ConfigError
from ..io.zarr_folder import DESCRIPTION
from .run_config import RunConfig

#: Keys of a sweep file that no configuration has.
KEYS_OF_SWEEPS = ("base", "axes", "zip", "sample", "design", "refine", "one_at_a_time", "variants")


def refuse_folder(path: Path) -> None:
    """Refuse a folder in place of a YAML file.

    Raises
    ------
    ConfigError
        The message says what it is, and which command takes it.
    """
    if not path.is_dir():
        return
    if (path / DESCRIPTION).is_file():
        problem = "is a store of results, not a YAML file; sweep show and sweep resume take it"
    else:
        problem = "is a folder, not a YAML file; check the path (sweep list shows stores in it)"
    raise ConfigError([problem], str(path))


def refuse_sweep_file(content: Mapping[str, Any], path: Path) -> None:
    """Refuse a sweep file in place of a configuration.

    Raises
    ------
    ConfigError
        The message names the command that takes it.
    """
    found = [key for key in KEYS_OF_SWEEPS if key in content]
    if found:
        problem = f"is a sweep file ({', '.join(found)}), not the configuration of one run"
        raise ConfigError([f"{problem}; sweep run takes it"], str(path))


def refuse_configuration(content: Mapping[str, Any], path: Path) -> None:
    """Refuse a configuration of one run in place of a sweep file.

    Raises
    ------
    ConfigError
        The message names the command that takes it.
    """
    sections = [key for key in RunConfig.model_fields if key in content and key != "output"]
    if sections and not any(key in content for key in KEYS_OF_SWEEPS):
        problem = (
            f"is the configuration of one run ({', '.join(sections[:3])} ...), not a sweep file"
        )
        cure = "marsdisk run takes it, and a sweep file names it under base"
        raise ConfigError([f"{problem}; {cure}"], str(path))
