"""What a store says of itself: the attributes of its group, read and checked once.

A store may come from anybody, and may be damaged or forged.
"""

import json
import re
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from . import layout
from .fence import Fence

MAX_DEPTH = 50  # of lists and mappings within each other
MAX_RUNS = 100_000_000
MAX_EXACT_INTEGER = 2**53
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,199}")

Name = Annotated[str, Field(pattern=rf"^{NAME.pattern}$")]
Coordinate = Annotated[int, Field(ge=0, lt=MAX_EXACT_INTEGER)]


class OtherSchemaError(ValueError):
    """A store is of a schema that this program does not read."""


class _Part(BaseModel):
    """A part of a description. Attributes that other versions or people have added are kept."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow", protected_namespaces=())

    @property
    def recorded(self) -> dict[str, Any]:
        """The part as the store has it, without defaults."""
        return self.model_dump(exclude_unset=True)


class SweepRecord(_Part):
    """The sweep that a store was created for, as :func:`sweep.spec.file.build_sweep` takes it."""

    model_config = ConfigDict(extra="forbid")

    content: dict[str, Any]  #: the sweep file
    base: dict[str, Any]  #: the base configuration
    command_line: dict[str, Any]  #: keys that the command line has set
    base_path: str  #: the base as the sweep file names it
    refined: list[list[Coordinate]] = []  #: points that a refinement has chosen

    @property
    def arguments(self) -> dict[str, Any]:
        """The record as keyword arguments."""
        return self.recorded


class Provenance(_Part):
    """Where results come from; see :func:`sweep.planning.provenance.provenance`."""

    model_version: str
    tables: dict[str, str]  #: digest of each table, by its key and path
    git_commit: str | None = None
    git_dirty: bool | None = None
    python: str = ""
    packages: dict[str, str] = {}  #: version of each
    host: str = ""
    platform: str = ""
    created: str = ""


class Extension(_Part):
    """Runs that were added to a store, and where their results come from."""

    first_row: int
    packages: dict[str, str] | None = None  #: None where they are those of the store


class Design(_Part):
    """The points of a design, and what they were drawn with."""

    points: int
    digest: str
    drawn_with: dict[str, str | None]


class Description(_Part):
    """The attributes of a store.

    Examples
    --------
    >>> description = Store.open("results/temperature_supply.zarr").description
    >>> description.title, description.axes, description.provenance.model_version
    """

    schema_version: int
    sweep: SweepRecord
    plan_digest: str
    block_size: Annotated[int, Field(ge=1, le=MAX_RUNS)]
    rows: Annotated[int, Field(ge=0, le=MAX_RUNS)]
    axes: list[Name]
    coordinates: str  #: names of the arrays that identify the runs, separated by spaces
    provenance: Provenance
    title: str = ""
    uid: str = ""  #: identity of the store; empty in stores of versions that had none
    sweep_file: str = ""
    question: str = ""  #: what the sweep is to answer; empty where its file does not say
    base_config: dict[str, Any] = {}
    extensions: list[Extension] = []
    design: Design | None = None
    refined: bool | None = None  #: whether a refinement is complete; None without one

    @model_validator(mode="after")
    def _refuse_bad_coordinates(self) -> Self:
        if not all(NAME.fullmatch(name) for name in self.coordinate_names):
            raise ValueError("its coordinates have names that no axis can have")
        if not set(self.axes) <= set(self.coordinate_names):
            raise ValueError("its axes are not coordinates of its runs")
        return self

    @property
    def coordinate_names(self) -> list[str]:
        """Names of the arrays that identify the runs."""
        return self.coordinates.split()

    @property
    def fence(self) -> Fence:
        """The fence that blocks of this store are compared with."""
        return Fence(self.uid, self.plan_digest)

    @property
    def ring_axis(self) -> str | None:
        """The axis whose values are the rings of one disk, if there is one."""
        for name in self.axes:
            if "rings" in self._entry(name):
                return name
        return None

    @property
    def ring_count(self) -> int:
        """Number of rings that a disk of the sweep has; 0 without rings."""
        if self.ring_axis is None:
            return 0
        match self._entry(self.ring_axis)["rings"]:
            case [_, _, int(count)]:
                return count
            case _:
                return 0  # the sweep that is recorded cannot be built, which is said where it is

    def _entry(self, axis: str) -> dict[str, Any]:
        """Return what the sweep file says of an axis, where that is a mapping."""
        entries = self.sweep.content.get("axes")
        entry = entries.get(axis) if isinstance(entries, dict) else None
        return entry if isinstance(entry, dict) else {}

    @classmethod
    def read(cls, text: bytes) -> Self:
        """Read the description from the ``zarr.json`` of a store's group.

        Parameters
        ----------
        text : bytes
            Content of the file.

        Returns
        -------
        Description
            The attributes, checked.

        Raises
        ------
        ValueError
            They are not those of a sweep's store; the message says why.
        OtherSchemaError
            They are of a schema that this program does not read.
        """
        content = mapping(text)
        attributes = content.get("attributes")
        kind = (content.get("zarr_format"), content.get("node_type"))
        if kind != (3, "group") or not isinstance(attributes, dict):
            raise ValueError("is not a Zarr group of format 3 with attributes")
        if isinstance(attributes.get("sweep"), str):
            raise ValueError(
                "was saved by xarray and is not a store that sweeps are run into; open it with"
                " xarray.open_zarr, which has .sweep, too"
            )
        deque(texts(attributes), maxlen=0)  # refuses what is nested too deep
        version = attributes.get("schema_version")
        if type(version) is int and version not in layout.READABLE:
            raise OtherSchemaError(
                f"has schema {version}, this program reads {layout.READABLE[0]} to"
                f" {layout.READABLE[-1]}; read it with the version that wrote it"
            )
        return cls.of(attributes)

    @classmethod
    def of(cls, attributes: Mapping[str, Any]) -> Self:
        """Return the description that the attributes of a store are.

        Parameters
        ----------
        attributes : mapping
            Attributes of its group, or of the dataset that it was opened as.

        Returns
        -------
        Description
            The attributes, checked.

        Raises
        ------
        ValueError
            They are not those of a sweep's store; the message says why.
        """
        try:
            return cls.model_validate(dict(attributes))
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            raise ValueError(_explain(problem)) from error


def _explain(problem: Mapping[str, Any]) -> str:
    """Return a problem of a description that pydantic has found, as a sentence."""
    name = ".".join(str(part) for part in problem["loc"])
    if not name:
        return str(problem["ctx"]["error"])
    if problem["type"] == "missing":
        return f"its attribute {name} is missing"
    return f"its attribute {name} is damaged: {problem['msg']}"


def mapping(text: bytes) -> dict[str, Any]:
    """Parse JSON that must be a mapping.

    Raises
    ------
    ValueError
        It is no JSON, or not a mapping, or nested too deep to be parsed.
    """
    try:
        content = json.loads(text)
    except RecursionError as error:
        raise ValueError("is nested too deep") from error
    if not isinstance(content, dict):
        raise ValueError("is not a mapping")
    return content


def texts(value: Any) -> Iterator[str]:
    """Yield every text in nested lists and mappings.

    Raises
    ------
    ValueError
        They are nested deeper than any sweep is.
    """
    waiting = [(value, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise ValueError("is nested too deep")
        if isinstance(node, str):
            yield node
        elif isinstance(node, dict):
            waiting += [(child, depth + 1) for child in node.values()]
        elif isinstance(node, list):
            waiting += [(child, depth + 1) for child in node]
