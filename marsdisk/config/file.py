"""Configuration files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..common.errors import ConfigError
from ..io.efficiency_tables import SHIPPED
from ..physics.vapour import SETS
from .build import build_config, merge
from .builtin import located
from .mistaken import refuse_folder, refuse_sweep_file
from .run_config import RunConfig
from .yaml_file import read_yaml_mapping, with_lines

#: Keys whose texts are paths of tables, unless they are names of shipped ones.
TABLE_KEYS = (
    "radiation.Q_pr",
    "optical_depth.Q_ext",
    "temperature.path",
    "supply.table.path",
    "supply.segments.table.path",
    "sublimation.vapour_pressure",
    "shielding.path",
)
#: Names of shipped tables and sets.
NAMED = {*SHIPPED, *SETS}


def _is_path_of_table(key: str) -> bool:
    return any(f".{key}".endswith(f".{table}") for table in TABLE_KEYS)


def tables_resolved(content: Any, folder: Path, key: str = "") -> Any:
    """Return ``content`` with absolute paths of tables, however deep they are nested.

    Parameters
    ----------
    content : dict, list, str, int, float, bool or None
        Of a configuration, or of a sweep file.
    folder : Path
        Start of relative paths.
    key : str
        Dotted key of ``content``.
    """
    if isinstance(content, Mapping):
        resolved = {}
        for name, value in content.items():
            inner_key = key if _is_path_of_table(key) else f"{key}.{name}"
            resolved[name] = tables_resolved(value, folder, inner_key)
        return resolved
    if isinstance(content, list):
        return [tables_resolved(value, folder, key) for value in content]
    if isinstance(content, str) and _is_path_of_table(key) and content not in NAMED:
        return str((folder / content).resolve())
    return content


def read_config(path: str | Path) -> dict[str, Any]:
    """Return the content of a configuration file, with absolute paths of tables."""
    path = located(path)
    refuse_folder(path)
    content = read_yaml_mapping(path)
    refuse_sweep_file(content, path)
    resolved: dict[str, Any] = tables_resolved(content, path.parent)
    return resolved


def load_config(path: str | Path, overrides: Mapping[str, Any] | None = None) -> RunConfig:
    """Return the configuration in a YAML file, with dotted keys overridden.

    Parameters
    ----------
    path : str or Path
        The file, or ``builtin:NAME``; paths of tables in it are relative to its folder.
    overrides : mapping, optional
        Values by dotted keys; paths of tables in it are relative to the working directory.

    Raises
    ------
    ConfigError
        The file cannot be read, or with one line for each problem in it.

    Examples
    --------
    >>> load_config("configs/mars_0d_melt.yaml", {"temperature.T0": 3000}).temperature.T0
    3000.0
    """
    overrides = tables_resolved(overrides or {}, Path())
    try:
        return build_config(merge(read_config(path), overrides), str(path))
    except ConfigError as error:
        raise with_lines(error, located(path), overrides) from error.__cause__
