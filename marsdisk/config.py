"""The configuration of one run, read from a file and checked."""

import hashlib
import json
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from .config_errors import explain
from .config_sections import (
    Blowout,
    Collisions,
    ConstantTemperature,
    Disk,
    Dynamics,
    Initial,
    LinearTemperature,
    Material,
    Numerics,
    OpticalDepth,
    Output,
    Psd,
    QStar,
    Radiation,
    Section,
    Sizes,
    SlabTemperature,
    Sublimation,
    Supply,
    TableTemperature,
)
from .errors import ConfigError
from .physics.qpr_table import SHIPPED, QprTable, read_qpr_table, shipped_qpr_table
from .yamlfile import read_yaml_mapping

TABLE_KEYS = ("radiation.Q_pr", "temperature.path")  # keys whose texts are paths

Temperature = typing.Annotated[
    ConstantTemperature | SlabTemperature | LinearTemperature | TableTemperature,
    Field(discriminator="law", description="cooling of Mars"),
]


class RunConfig(Section):
    """Everything that the result of one run depends on (together with the tables it names and the version of the model)."""

    disk: Disk
    material: Material = Material()
    sizes: Sizes
    initial: Initial = Initial()
    psd: Psd = Psd()
    dynamics: Dynamics = Dynamics()
    qstar: QStar = QStar()
    collisions: Collisions = Collisions()
    optical_depth: OpticalDepth = OpticalDepth()
    temperature: Temperature
    radiation: Radiation = Radiation()
    blowout: Blowout = Blowout()
    supply: Supply = Supply()
    sublimation: Sublimation = Sublimation()
    numerics: Numerics
    output: Output = Output()

    def q_pr(self) -> QprTable | float:
        """<Q_pr> as a number or a table, read if need be."""
        source = self.radiation.Q_pr
        if isinstance(source, float):
            return source
        if source == "forsterite":
            return shipped_qpr_table(source)
        try:
            return read_qpr_table(Path(source))
        except (OSError, ValueError) as error:
            raise ConfigError([f"radiation.Q_pr = {source!r}: {error}; give a number, forsterite, or the path of a table"]) from error

    def table_digests(self) -> dict[str, str]:
        """Digest of the content of each table that the run uses, by configuration key."""
        digests = {}
        q_pr = self.q_pr()
        if isinstance(q_pr, QprTable):
            digests["radiation.Q_pr"] = q_pr.digest
        if isinstance(self.temperature, TableTemperature):
            try:
                digests["temperature.path"] = hashlib.sha256(Path(self.temperature.path).read_bytes()).hexdigest()
            except OSError as error:
                raise ConfigError([f"temperature.path = {self.temperature.path!r}: {error.strerror}; give the path of a CSV file"]) from error
        return digests

    def digest(self) -> str:
        """32 hex digits that name the resolved configuration and the content of its tables, wherever the files lie."""
        content = self.model_dump()
        for key, digest in self.table_digests().items():
            section, name = key.split(".")
            content[section][name] = digest
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def merge(content: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of nested ``content`` with dotted keys replaced; an override with a mapping replaces the whole section."""
    merged = {key: dict(value) if isinstance(value, Mapping) else value for key, value in content.items()}
    for path, value in overrides.items():
        *sections, name = path.split(".")
        place = merged
        for section in sections:
            below = place.get(section)
            place[section] = place = dict(below) if isinstance(below, Mapping) else {}
        place[name] = value
    return merged


def build_config(content: Mapping[str, Any], where: str = "") -> RunConfig:
    """A validated configuration.

    Raises
    ------
    ConfigError
        With one line for every problem: key, value, what is allowed.
    """
    try:
        return RunConfig.model_validate(dict(content))
    except ValidationError as error:
        raise ConfigError(explain(error, RunConfig), where) from error


def tables_resolved(content: Any, folder: Path, key: str = "") -> Any:
    """``content`` with the paths of tables, wherever they are nested under their keys, taken from ``folder`` and made absolute."""
    if isinstance(content, Mapping):
        keys = {name: f"{key}.{name}" if key in {"radiation", "temperature"} else name for name in content}
        return {name: tables_resolved(value, folder, key if key in TABLE_KEYS else keys[name]) for name, value in content.items()}
    if isinstance(content, list):
        return [tables_resolved(value, folder, key) for value in content]
    if isinstance(content, str) and key in TABLE_KEYS and content not in SHIPPED:
        return str((folder / content).resolve())
    return content


def read_config(path: str | Path) -> dict[str, Any]:
    """The content of a configuration file, the paths of its tables made absolute."""
    path = Path(path)
    content: dict[str, Any] = tables_resolved(read_yaml_mapping(path), path.parent)
    return content


def load_config(path: str | Path, overrides: Mapping[str, Any] | None = None) -> RunConfig:
    """The configuration in a YAML file, with dotted keys overridden.

    Examples
    --------
    >>> load_config("configs/mars_0d_melt.yaml", {"temperature.T0": 3000}).temperature.T0
    3000.0
    """
    return build_config(merge(read_config(path), tables_resolved(overrides or {}, Path())), str(path))
