"""The configuration of one run, and its digest."""

import functools
import hashlib
import json
import typing
from collections.abc import Mapping
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from ..common.errors import ConfigError
from ..common.text import shown
from ..io.efficiency_tables import (
    SHIPPED,
    read_qext_table,
    read_qpr_table,
    shipped_qext_table,
    shipped_qpr_table,
)
from ..io.text_file import file_bytes
from ..physics.qpr_table import QextTable, QprTable
from ..physics.vapour import SETS
from .processes import (
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
from .sections import (
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
        >>> from marsdisk import load_config
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
        digests[SECTIONS.index(section)] = _digest_with_tables(canonical, section_tables)
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


#: Names of all sections, in the order of their digests.
SECTIONS = sorted(RunConfig.model_fields)
_ALL_SECTIONS = itemgetter(*SECTIONS)
_CONTENT_DIGEST = attrgetter("content_digest")


def value_at(config: RunConfig, key: str) -> Any:
    """Return the value of a dotted key, None where the configuration does not have it."""
    value: Any = config
    for word in key.split("."):
        value = value[int(word)] if word.isdigit() else getattr(value, word, None)
    return value
