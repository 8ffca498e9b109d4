"""The configuration of one run, read from a file and checked."""

import functools
import hashlib
import json
import typing
from collections.abc import Mapping
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any, cast

from pydantic import Field, ValidationError, model_validator

from .config_errors import explain
from .config_processes import (
    Blowout,
    ConstantTemperature,
    Drag,
    Energy,
    LinearTemperature,
    Phase,
    Radiation,
    Shielding,
    SlabTemperature,
    Sublimation,
    Supply,
    TableTemperature,
)
from .config_sections import (
    Collisions,
    Disk,
    Dynamics,
    Initial,
    Material,
    Numerics,
    OpticalDepth,
    Output,
    Psd,
    QStar,
    Section,
    Sizes,
    canonical_json,
    digest_of,
)
from .errors import ConfigError
from .physics.qpr_table import (
    SHIPPED,
    QextTable,
    QprTable,
    read_qext_table,
    read_qpr_table,
    shipped_qext_table,
    shipped_qpr_table,
)
from .physics.textfile import file_bytes, shown
from .physics.vapour import SETS
from .yamlfile import read_yaml_mapping, with_lines

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

Temperature = typing.Annotated[
    ConstantTemperature | SlabTemperature | LinearTemperature | TableTemperature,
    Field(discriminator="law", description="cooling of Mars"),
]


class RunConfig(Section):
    """The configuration of one run.

    Together with the tables it names and the version of the model, it fixes the result.
    """

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
    drag: Drag = Drag()
    phase: Phase = Phase()
    shielding: Shielding = Shielding()
    energy: Energy = Energy()
    numerics: Numerics
    output: Output = Output()

    @model_validator(mode="after")
    def _covered(self) -> "RunConfig":
        return self.fitting()

    def fitting(self) -> "RunConfig":
        """Return itself, if its sections fit together.

        Raises
        ------
        ValueError
            Two sections contradict each other.
        """
        if self.numerics.scheme == "imex_bdf1" and self.sublimation.method == "advection":
            raise ValueError(
                "numerics.scheme imex_bdf1 knows sublimation.method none and sink; change one of"
                " them"
            )
        if self.numerics.scheme == "imex_bdf1" and self.supply.feedback is not None:
            raise ValueError(
                "numerics.scheme imex_bdf1 has no supply.feedback; set scheme: rosenbrock or"
                " feedback: null"
            )
        if self.dynamics.damping is not None and self.numerics.scheme == "imex_bdf1":
            raise ValueError(
                "numerics.scheme imex_bdf1 has no dynamics.damping; set scheme: rosenbrock or"
                " damping: null"
            )
        if self.dynamics.damping is not None and not self.collisions.enabled:
            raise ValueError(
                "dynamics.damping is by collisions, and collisions.enabled is false; drop damping"
                " or set enabled: true"
            )
        if self.initial.mass is not None and "tau0_target" in self.optical_depth.model_fields_set:
            raise ValueError(
                "initial.mass and optical_depth.tau0_target both set the surface density at the"
                " start; give one"
            )
        stop = self.optical_depth.tau_stop
        tau0 = self.optical_depth.tau0_target
        if stop is not None and self.initial.mass is None and stop <= tau0:
            raise ValueError(
                f"optical_depth: tau_stop = {stop:g} is not above tau0_target = {tau0:g}: the run"
                " would stop at once; raise it or set null"
            )
        return self

    def q_pr(self) -> QprTable | float:
        """Return <Q_pr> as a number or a table, which is read from its file.

        Raises
        ------
        ConfigError
            The table cannot be read.
        """
        source = self.radiation.Q_pr
        if isinstance(source, float):
            return source
        if source in SHIPPED:
            return shipped_qpr_table(source)
        try:
            return read_qpr_table(Path(source))
        except (OSError, ValueError) as error:
            cure = "give a number, forsterite, or the path of a table"
            problem = f"radiation.Q_pr = {shown(source)}: {error}; {cure}"
            raise ConfigError([problem]) from error

    def q_ext(self) -> QextTable | None:
        """Return the table of <Q_ext>; None where the opacity is geometric.

        Raises
        ------
        ConfigError
            The table cannot be read, or is one of <Q_pr>.

        Examples
        --------
        >>> ring = load_config("configs/mars_0d_melt.yaml", {"optical_depth.opacity": "planck"})
        >>> ring.q_ext().name
        'forsterite'
        """
        if self.optical_depth.opacity == "geometric":
            return None
        source = self.optical_depth.Q_ext
        if source in SHIPPED:
            return shipped_qext_table(source)
        try:
            return read_qext_table(Path(source))
        except (OSError, ValueError) as error:
            cure = "give forsterite, or the path of a table of <Q_ext>"
            problem = f"optical_depth.Q_ext = {shown(source)}: {error}; {cure}"
            raise ConfigError([problem]) from error

    def _files(self) -> dict[str, str]:
        """Return the path of each table whose file has its digest, by configuration key."""
        files = {}
        if isinstance(self.temperature, TableTemperature):
            files["temperature.path"] = self.temperature.path
        if self.supply.table is not None:
            files["supply.table.path"] = self.supply.table.path
        for i, segment in enumerate(self.supply.segments):
            if segment.table is not None:
                files[f"supply.segments.{i}.table.path"] = segment.table.path
        if self.sublimation.method != "none" and self.sublimation.vapour_pressure not in SETS:
            files["sublimation.vapour_pressure"] = self.sublimation.vapour_pressure
        if self.shielding.path is not None:
            files["shielding.path"] = self.shielding.path
        return files

    def table_digests(self) -> dict[str, str]:
        """Return the digest of the content of each table in use, by configuration key.

        Raises
        ------
        ConfigError
            A table cannot be read.
        """
        digests = {}
        q_pr = self.q_pr()
        if isinstance(q_pr, QprTable):
            digests["radiation.Q_pr"] = q_pr.digest
        q_ext = self.q_ext()
        if q_ext is not None:
            digests["optical_depth.Q_ext"] = q_ext.digest
        for key, path in self._files().items():
            try:
                digests[key] = hashlib.sha256(file_bytes(path)).hexdigest()
            except OSError as error:
                problem = f"{key} = {shown(path)}: {error.strerror}; give the path of a table"
                raise ConfigError([problem]) from error
        return digests

    def digest(self) -> str:
        """Return 32 hex digits for the configuration and its tables, wherever their files lie."""
        return digest_of_sections(self.__dict__, self.table_digests())


def digest_of_sections(sections: Mapping[str, Section], table_digests: Mapping[str, str]) -> str:
    """Return :meth:`RunConfig.digest` of a configuration from its parts.

    Parameters
    ----------
    sections : mapping of str to Section
        All sections, by their names.
    table_digests : mapping of str to str
        As :meth:`RunConfig.table_digests` returns them.
    """
    digests = list(map(_CONTENT_DIGEST, _ALL_SECTIONS(sections)))
    tables: dict[str, tuple[tuple[str, str], ...]] = {}
    for key, digest in table_digests.items():
        section = key.partition(".")[0]
        tables[section] = (*tables.get(section, ()), (key, digest))
    for section, section_tables in tables.items():
        canonical = sections[section].canonical
        digests[_SECTIONS.index(section)] = _digest_with_tables(canonical, section_tables)
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:32]


@functools.lru_cache(maxsize=10_000)
def _digest_with_tables(canonical: str, tables: tuple[tuple[str, str], ...]) -> str:
    """Return the digest of a section in which the digest of each table replaces its path."""
    content = json.loads(canonical)
    for key, digest in tables:
        _, *parents, name = key.split(".")
        node = content
        for parent in parents:
            node = node[int(parent)] if isinstance(node, list) else node[parent]
        node[name] = digest
    return digest_of(canonical_json(content))


_SECTIONS = sorted(RunConfig.model_fields)
_ALL_SECTIONS = itemgetter(*_SECTIONS)
_CONTENT_DIGEST = attrgetter("content_digest")


def merge(content: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of nested ``content`` with dotted keys replaced.

    Parameters
    ----------
    content : mapping
        Sections by their names.
    overrides : mapping
        Values by dotted keys. A value that is a mapping replaces the whole section.

    Examples
    --------
    >>> merge({"disk": {"r_in_RM": 2.0}}, {"disk.r_out_RM": 2.5})
    {'disk': {'r_in_RM': 2.0, 'r_out_RM': 2.5}}
    """
    merged: dict[str, Any] = {}
    for key, value in content.items():
        merged[key] = dict(value) if isinstance(value, Mapping) else value
    for path, value in overrides.items():
        *parents, name = path.split(".")
        section = merged
        for parent in parents:
            child = section.get(parent)
            section[parent] = dict(child) if isinstance(child, Mapping) else {}
            section = section[parent]
        section[name] = value
    return merged


def build_config(content: Mapping[str, Any], where: str = "") -> RunConfig:
    """Return a validated configuration.

    Parameters
    ----------
    content : mapping
        Sections by their names.
    where : str
        What errors call it, such as the path of its file.

    Raises
    ------
    ConfigError
        With one line for each problem: key, value, what is allowed.
    """
    try:
        return RunConfig.model_validate(dict(content))
    except ValidationError as error:
        raise ConfigError(explain(error, RunConfig), where) from error


class Variations:
    """Configurations that override keys of one base.

    A section is validated once for all configurations that share its content.
    """

    # Sections to remember: enough for the axes of a sweep, and a bound for its samples.
    MANY = 10_000

    def __init__(self, base: Mapping[str, Any]) -> None:
        self._base = base
        self._first: RunConfig | None = None
        self._sections: dict[str, dict[tuple[str, ...], Section]] = {}

    def config(self, overrides: Mapping[str, Any]) -> RunConfig:
        """Return the base with dotted keys overridden.

        Raises
        ------
        ConfigError
            As by :func:`build_config`.
        """
        sections = self.sections(overrides)
        try:
            return cast(RunConfig, self._first).model_copy(update=sections).fitting()
        except ValueError:
            # Building it anew lists every problem.
            return self._build(overrides, self._changes_by_section(overrides))

    def sections(self, overrides: Mapping[str, Any]) -> dict[str, Section]:
        """Return all sections of the base with dotted keys overridden.

        Where all of them were met before, they may not fit together.

        Raises
        ------
        ConfigError
            As by :func:`build_config`.
        """
        changes = self._changes_by_section(overrides)
        if self._first is None:
            return self._build(overrides, changes).__dict__
        try:
            changed = {name: self._sections[name][words] for name, words in changes.items()}
        except KeyError:
            return self._build(overrides, changes).__dict__
        return {**self._first.__dict__, **changed}

    def _changes_by_section(self, overrides: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        """Return the overrides of each section that this or an earlier configuration overrides."""
        changes: dict[str, tuple[str, ...]] = dict.fromkeys(self._sections, ())
        for key, value in overrides.items():
            section = key.partition(".")[0]
            changes[section] = (*changes.get(section, ()), f"{key}={value!r}")
        return changes

    def _build(
        self, overrides: Mapping[str, Any], changes: Mapping[str, tuple[str, ...]]
    ) -> RunConfig:
        first = self._first
        content = dict(self._base)
        if first is not None:
            for name in _SECTIONS:
                if name not in changes:
                    content[name] = getattr(first, name)
        base = {name: self._base[name] for name in changes if name in self._base}
        content |= merge(base, overrides)
        for name, words in changes.items():
            section = self._sections.get(name, {}).get(words)
            if section is not None:
                content[name] = section
        config = build_config(content)
        for name, words in changes.items():
            if name not in self._sections:
                self._sections[name] = {}
                if first is not None:
                    self._sections[name][()] = getattr(first, name)
            sections = self._sections[name]
            if len(sections) > self.MANY:
                sections.clear()
            sections[words] = getattr(config, name)
        self._first = first or config
        return config


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
    path = Path(path)
    content: dict[str, Any] = tables_resolved(read_yaml_mapping(path), path.parent)
    return content


def load_config(path: str | Path, overrides: Mapping[str, Any] | None = None) -> RunConfig:
    """Return the configuration in a YAML file, with dotted keys overridden.

    Parameters
    ----------
    path : str or Path
        The file; paths of tables in it are relative to its folder.
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
        raise with_lines(error, path, overrides) from error.__cause__


def value_at(config: RunConfig, key: str) -> Any:
    """Return the value of a dotted key, None where the configuration does not have it."""
    value: Any = config
    for word in key.split("."):
        value = value[int(word)] if word.isdigit() else getattr(value, word, None)
    return value
