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

#: Keys whose texts are paths of tables, unless they are names of what is shipped.
TABLE_KEYS = (
    "radiation.Q_pr",
    "optical_depth.Q_ext",
    "temperature.path",
    "supply.table.path",
    "supply.segments.table.path",
    "sublimation.vapour_pressure",
    "shielding.path",
)
NAMED = {*SHIPPED, *SETS}

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
        """Itself, if its sections fit together; ValueError if not."""
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
        """<Q_pr> as a number or a table, read if need be."""
        source = self.radiation.Q_pr
        if isinstance(source, float):
            return source
        if source in SHIPPED:
            return shipped_qpr_table(source)
        try:
            return read_qpr_table(Path(source))
        except (OSError, ValueError) as error:
            raise ConfigError(
                [
                    f"radiation.Q_pr = {shown(source)}: {error}; give a number, forsterite, or the"
                    " path of a table"
                ]
            ) from error

    def q_ext(self) -> QextTable | None:
        """<Q_ext> as a table, read if need be; None where the opacity is geometric.

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
        """Path of each table that is read as it is, by configuration key."""
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
        """Digest of the content of each table that the run uses, by configuration key."""
        q_pr = self.q_pr()
        digests = {"radiation.Q_pr": q_pr.digest} if isinstance(q_pr, QprTable) else {}
        q_ext = self.q_ext()
        if q_ext is not None:
            digests["optical_depth.Q_ext"] = q_ext.digest
        for key, path in self._files().items():
            try:
                digests[key] = hashlib.sha256(file_bytes(path)).hexdigest()
            except OSError as error:
                raise ConfigError(
                    [f"{key} = {shown(path)}: {error.strerror}; give the path of a table"]
                ) from error
        return digests

    def digest(self) -> str:
        """32 hex digits that name the resolved configuration and the content of its tables, wherever the files lie."""
        return digest_of_sections(self.__dict__, self.table_digests())


def digest_of_sections(sections: Mapping[str, Section], table_digests: Mapping[str, str]) -> str:
    """What :meth:`RunConfig.digest` is made of."""
    digests = list(map(_CONTENT_DIGEST, _EVERY_SECTION(sections)))
    tables: dict[str, tuple[tuple[str, str], ...]] = {}
    for key, digest in table_digests.items():
        section = key.partition(".")[0]
        tables[section] = (*tables.get(section, ()), (key, digest))
    for section, within in tables.items():
        digests[_SECTIONS.index(section)] = _digest_with_tables(sections[section].canonical, within)
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:32]


@functools.lru_cache(maxsize=10_000)
def _digest_with_tables(canonical: str, tables: tuple[tuple[str, str], ...]) -> str:
    """Digest of a section in which the digest of each table stands for its path."""
    content = json.loads(canonical)
    for key, digest in tables:
        place, (_, *between, name) = content, key.split(".")
        for part in between:
            place = place[int(part)] if isinstance(place, list) else place[part]
        place[name] = digest
    return digest_of(canonical_json(content))


_SECTIONS = sorted(RunConfig.model_fields)
_EVERY_SECTION = itemgetter(*_SECTIONS)
_CONTENT_DIGEST = attrgetter("content_digest")


def merge(content: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of nested ``content`` with dotted keys replaced; an override with a mapping replaces the whole section."""
    merged = {
        key: dict(value) if isinstance(value, Mapping) else value for key, value in content.items()
    }
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


class Variations:
    """Configurations that override keys of one base; a section is validated once for all of them that share its content."""

    # sections to remember: enough for the axes of a sweep, and not growing with its samples
    MANY = 10_000

    def __init__(self, base: Mapping[str, Any]) -> None:
        self._base = base
        self._first: RunConfig | None = None
        self._known: dict[str, dict[tuple[str, ...], Section]] = {}

    def config(self, overrides: Mapping[str, Any]) -> RunConfig:
        """The base with dotted keys overridden, as :func:`build_config` gives it."""
        sections = self.sections(overrides)
        try:
            return cast(RunConfig, self._first).model_copy(update=sections).fitting()
        except ValueError:
            # which tells in full what does not fit
            return self._built(overrides, self._touched(overrides))

    def sections(self, overrides: Mapping[str, Any]) -> dict[str, Section]:
        """All sections of such a configuration; whether they fit together is not looked at where none of them is new."""
        touched = self._touched(overrides)
        if self._first is None:
            return self._built(overrides, touched).__dict__
        try:
            return {
                **self._first.__dict__,
                **{name: self._known[name][words] for name, words in touched.items()},
            }
        except KeyError:
            return self._built(overrides, touched).__dict__

    def _touched(self, overrides: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        """What is overridden in each section, also in those that an earlier configuration has overridden."""
        touched: dict[str, tuple[str, ...]] = dict.fromkeys(self._known, ())
        for key, value in overrides.items():
            section = key.partition(".")[0]
            touched[section] = (*touched.get(section, ()), f"{key}={value!r}")
        return touched

    def _built(
        self, overrides: Mapping[str, Any], touched: Mapping[str, tuple[str, ...]]
    ) -> RunConfig:
        first = self._first
        changed = merge(
            {name: self._base[name] for name in touched if name in self._base}, overrides
        )
        known = {name: self._known.get(name, {}).get(words) for name, words in touched.items()}
        others = (
            {}
            if first is None
            else {name: getattr(first, name) for name in _SECTIONS if name not in touched}
        )
        config = build_config(
            {
                **self._base,
                **others,
                **changed,
                **{name: section for name, section in known.items() if section is not None},
            }
        )
        for name, words in touched.items():
            kept = self._known.setdefault(name, {} if first is None else {(): getattr(first, name)})
            if len(kept) > self.MANY:
                kept.clear()
            kept[words] = getattr(config, name)
        self._first = first or config
        return config


def _names_a_table(key: str) -> bool:
    return any(f".{key}".endswith(f".{table}") for table in TABLE_KEYS)


def tables_resolved(content: Any, folder: Path, key: str = "") -> Any:
    """``content`` with the paths of tables, wherever they are nested under their keys, taken from ``folder`` and made absolute."""
    if isinstance(content, Mapping):
        return {
            name: tables_resolved(value, folder, key if _names_a_table(key) else f"{key}.{name}")
            for name, value in content.items()
        }
    if isinstance(content, list):
        return [tables_resolved(value, folder, key) for value in content]
    if isinstance(content, str) and _names_a_table(key) and content not in NAMED:
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
    overrides = tables_resolved(overrides or {}, Path())
    try:
        return build_config(merge(read_config(path), overrides), str(path))
    except ConfigError as error:
        raise with_lines(error, path, overrides) from error.__cause__
