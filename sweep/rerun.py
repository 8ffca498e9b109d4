"""One run of a store again: its configuration, and the command that repeats it."""

import itertools
import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from marsdisk import model_version
from marsdisk.commands import override_text, parse_override
from marsdisk.config import RunConfig, Variations, load_config, merge, read_config
from marsdisk.errors import ConfigError

from .axes import Axis, Overrides, short_names
from .errors import StoreError
from .plan import name_of_run, value_at
from .spec import Sweep, recorded_sweep, with_points
from .store import reader
from .store.recorded_tables import change_of_table
from .store.schema import MAX_RUNS
from .store.writer import coordinate

#: Packages whose version may change the last digits of a result.
PACKAGES_OF_BITS = ("numpy", "numba", "llvmlite")
#: of a name without a letter that begins a run_id, as no run has such a number
DIGITS_OF_ID = len(str(MAX_RUNS))


@dataclass(frozen=True)
class Repetition:
    """The command that repeats a run, or what has changed since it was computed."""

    command: str  #: that runs (or checks) it alone; empty where none can
    changes: tuple[str, ...] = ()  #: why its numbers may be others; empty where it repeats the run
    set_back: str = ""  #: what of an edited base the command sets back

    @property
    def words(self) -> str:
        """What a person should know of the command; empty where there is nothing to know."""
        if not self.changes:
            return self.set_back
        effect = "this may not repeat the run bit for bit"
        if not self.command:
            effect = "no command repeats it"
        return " ".join(f"{effect}: {'; '.join(self.changes)}".split())


@dataclass(frozen=True)
class Origin:
    """What a run was computed from, by the record of its store."""

    run_id: str
    config: RunConfig
    model_version: str
    tables: Mapping[str, str]  #: digest of each table, by its key and path
    packages: Mapping[str, str]  #: version of each

    def matches(self, config: RunConfig) -> bool:
        """Whether it was computed from this configuration, and from tables of this content."""
        return name_of_run(config.digest(), self.model_version) == self.run_id

    def changed_tables(self) -> Iterator[str]:
        """Yield a line for each table of the run that is no longer what it was."""
        for name, digest in self.tables.items():
            key, _, path = name.partition(" = ")
            if str(value_at(self.config, key)) != path:  # of another run
                continue
            change = change_of_table(name, digest)
            if change:
                yield f"the table {name}: {change}"

    def changed_code(self) -> Iterator[str]:
        """Yield a line for the model, and for each package, that is another one here."""
        if self.model_version != model_version():
            yield f"the model was {self.model_version} and is {model_version()} here"
        for name in PACKAGES_OF_BITS:
            then = self.packages.get(name, version(name))
            if then != version(name):
                yield f"{name} was {then} and is {version(name)} here"


def repetition(
    sweep: Sweep,
    overrides: Mapping[str, Any],
    origin: Origin,
    verb: str = "run",
) -> Repetition:
    """Return the command that runs a case of a sweep alone, after a look at all that it depends on.

    A base that was edited is no obstacle: the command sets back what differs in it.

    Parameters
    ----------
    sweep : Sweep
        That the case belongs to.
    overrides : mapping
        What the case sets.
    origin : Origin
        What its run was computed from.
    verb : str
        Of ``marsdisk``: run or check.

    Returns
    -------
    Repetition
        Its command was read as ``marsdisk`` would read it, and compared with the run's name.
    """
    base = sweep.base_file
    settings = _settings(sweep, overrides)
    code = tuple(origin.changed_code())
    if not base:
        return _without_base(_command(verb, sweep.given["base_path"], settings), sweep, origin)
    try:
        edited = _edited_sections(sweep)
    except ConfigError as error:
        gone = f"the base {base} cannot be read any more ({'; '.join(error.problems)})"
        return Repetition("", (gone, *origin.changed_tables(), *code))
    repeated = _compared_with_run(_command(verb, base, settings), origin)
    if edited and repeated.changes:
        sections = ", ".join(edited)
        line = _command(verb, base, _restoring_settings(sweep, settings, edited))
        note = f"the base {base} was edited since; {sections} is set back to what it was"
        repeated = replace(_compared_with_run(line, origin), set_back=note)
    return replace(repeated, changes=(*repeated.changes, *code))


def _without_base(line: str, sweep: Sweep, origin: Origin) -> Repetition:
    """Return a command whose base is known as seen from the sweep file, and not found from here."""
    problem = f"the base {sweep.given['base_path']} is not found from here"
    folder = "give this in the folder of the sweep file"
    cure = f"{folder}, with a copy of the base there if it lay elsewhere"
    changes = (f"{problem}; {cure}", *origin.changed_tables(), *origin.changed_code())
    return Repetition(line, changes)


def _compared_with_run(line: str, origin: Origin) -> Repetition:
    """Return a command with what stands against its being that of the run."""
    try:
        if origin.matches(_config_of_command(line)):
            return Repetition(line)
    except ConfigError as error:
        return Repetition("", tuple(origin.changed_tables()) or tuple(error.problems))
    return Repetition(line, tuple(origin.changed_tables()) or ("its configuration is another",))


def _settings(sweep: Sweep, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a case sets beyond the base, in the order in which it is to be set."""
    output = {f"output.{key}": value for key, value in sweep.spec.output.items()}
    settings: dict[str, Any] = {}
    for part in (sweep.spec.set, output, sweep.given["command_line"], overrides):
        for key, value in part.items():
            settings.pop(key, None)  # what is set again is set last
            settings[key] = value
    return settings


def _edited_sections(sweep: Sweep) -> list[str]:
    """Return the sections of the base that differ from the sweep's record of it.

    Raises
    ------
    ConfigError
        The base cannot be read.
    """
    present = json.loads(json.dumps(read_config(sweep.base_file), default=str))
    recorded = json.loads(json.dumps(sweep.given["base"], default=str))
    names = dict.fromkeys([*recorded, *present])
    return [name for name in names if recorded.get(name) != present.get(name)]


def _restoring_settings(
    sweep: Sweep,
    settings: Mapping[str, Any],
    edited: list[str],
) -> dict[str, Any]:
    """Return settings that bring an edited base to the configuration of the case."""
    recorded = merge(sweep.given["base"], settings)
    restored = {section: recorded.get(section, {}) for section in edited}
    kept = {key: value for key, value in settings.items() if key.partition(".")[0] not in edited}
    return {**restored, **kept}


def _command(verb: str, base: str, settings: Mapping[str, Any]) -> str:
    words = ["marsdisk", verb, base]
    for key, value in settings.items():
        words += ["--set", override_text(key, value)]
    return shlex.join(words)


def _config_of_command(line: str) -> RunConfig:
    """Read the configuration that a command line stands for, as the command does.

    Raises
    ------
    ConfigError
        There is none.
    """
    _, _, base, *words = shlex.split(line)
    return load_config(base, dict(map(parse_override, words[1::2])))


class RecordedRuns:
    """The runs of a store as its own record of the sweep gives them.

    They are found by their coordinates: no case is validated but those asked for.

    Parameters
    ----------
    attributes : mapping
        Of the store.
    column : callable
        Returns a coordinate along ``run`` by its name.
    sweep : Sweep, optional
        The same sweep read from files; those that the record names may have been moved.

    Examples
    --------
    >>> group = reader.open_group("results/temperature_supply.zarr")
    >>> RecordedRuns.of(group).command(17)
    'marsdisk run ../mars_0d_melt.yaml --set numerics.t_end_until_temperature_K=2000.0 ...'
    """

    def __init__(
        self,
        attributes: Mapping[str, Any],
        column: Callable[[str], NDArray[Any]],
        sweep: Sweep | None = None,
    ) -> None:
        self._attributes = attributes
        self._column = column
        self._sweep = sweep

    @classmethod
    def of(cls, group: zarr.Group, sweep: Sweep | None = None) -> "RecordedRuns":
        """Return the runs of an open store; with ``sweep``, by the files that it was read from."""
        return cls(group.attrs, lambda name: reader.column(group, name), sweep)

    @cached_property
    def sweep(self) -> Sweep:
        """The sweep that the store was made for."""
        given: Mapping[str, Any] = self._attributes["sweep"]
        if self._sweep is None:
            return recorded_sweep(self._attributes, "the store's record of its sweep")
        points = given.get("refined", [])
        if points == self._sweep.given.get("refined", []):
            return self._sweep
        return with_points(self._sweep, points)

    def overrides(self, run: int) -> Overrides:
        """Return what the case of a run sets, besides what holds for all cases."""
        return self._case(run)[0]

    def config(self, run: int) -> RunConfig:
        """Return the resolved configuration of a run."""
        return self._case(run)[1]

    def command(self, run: int, verb: str = "run") -> str:
        """Return the command that runs a run of the store alone.

        Parameters
        ----------
        run : int
            Its number.
        verb : str
            Of ``marsdisk``: run or check.

        Raises
        ------
        StoreError
            There is none any more.
        """
        found = self.repetition(run, verb)
        if not found.command:
            raise StoreError(f"run {run}: {found.words}")
        return found.command

    def repetition(self, run: int, verb: str = "run") -> Repetition:
        """Return how a run of the store is repeated; see :func:`repetition`."""
        overrides, config = self._case(run)
        record = self._attributes["provenance"]
        packages = self._provenance_of(run).get("packages")
        origin = Origin(
            str(self._columns["run_id"][run]),
            config,
            record["model_version"],
            record["tables"],
            packages if isinstance(packages, dict) else {},
        )
        return repetition(self.sweep, overrides, origin, verb)

    def _provenance_of(self, run: int) -> Mapping[str, Any]:
        """Return where a run's part of the store was made: the first part, or an extension."""
        made: Mapping[str, Any] = self._attributes["provenance"]
        extensions = self._attributes.get("extensions", [])
        if not extensions:
            return made
        first = int(self._column("block")[run]) * int(self._attributes["block_size"])
        for extension in extensions:
            if extension["first_row"] <= first and "packages" in extension:
                made = extension
        return made

    def _case(self, run: int) -> tuple[Overrides, RunConfig]:
        stored = {name: column[run : run + 1].tolist()[0] for name, column in self._columns.items()}
        for overrides in self._candidates(stored):
            config = self._variations.config(overrides)
            values = ((value_at(config, key), stored[name]) for key, name in self._names.items())
            if all(itertools.starmap(_is_stored, values)):
                return dict(overrides), config
        problem = f"run {run} is no case of the sweep that the store records"
        raise StoreError(f"{problem}; the store was changed, or made by another version")

    def _candidates(self, stored: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
        """Return overrides of the cases that a run may be, by what the store holds of it."""
        if not stored["in_product"]:
            return self.sweep.spec.include
        axes = [axis for axis in self.sweep.axes if self._stores_labels(axis)]
        labels = {axis.name: stored[self._names.get(axis.name, axis.name)] for axis in axes}
        return self.sweep.cases_at(labels)

    def _stores_labels(self, axis: Axis) -> bool:
        """Whether what is stored for an axis are its labels themselves.

        It may also be their texts, or what a variant has put over them.
        """
        kinds = {type(label) for label in axis.labels}
        others = [other for other in self.sweep.axes if other is not axis]
        is_alone = not any({*axis.keys} & {*other.keys} for other in others)
        return is_alone and (kinds <= {str} or kinds <= {int, float} or kinds <= {bool})

    @cached_property
    def _variations(self) -> Variations:
        return Variations(self.sweep.base)

    @cached_property
    def _names(self) -> dict[str, str]:
        return short_names(self.sweep.swept_keys())

    @cached_property
    def _columns(self) -> dict[str, NDArray[Any]]:
        names = ["run_id", "in_product", *self._names.values()]
        names += [self._names.get(axis.name, axis.name) for axis in self.sweep.axes]
        return {name: self._column(name) for name in dict.fromkeys(names)}


def _is_stored(value: Any, stored: Any) -> bool:
    if isinstance(stored, str):
        return stored == str(value)
    return bool(coordinate([value]).tolist()[0] == stored or (value is None and stored != stored))


def find_run(group: zarr.Group, name: str) -> int:
    """Return the run that a name stands for.

    Parameters
    ----------
    group : zarr.Group
        Of the store.
    name : str
        The number of a run, its run_id, or the beginning of that; fewer than
        :data:`DIGITS_OF_ID` digits alone are a number.

    Returns
    -------
    int
        Its number.

    Raises
    ------
    StoreError
        There is none, or several.
    """
    is_number = name.isascii() and name.isdecimal() and len(name) < DIGITS_OF_ID
    attributes: Mapping[str, Any] = group.attrs
    is_row = is_number and int(name) < attributes["rows"]
    if is_row and reader.part(group, "run_id", int(name)):  # empty in rows that hold no run
        return int(name)
    ids = reader.column(group, "run_id")
    begins_id = bool(name) and not is_number
    found = np.flatnonzero(np.strings.startswith(ids, name)) if begins_id else np.arange(0)
    if found.size == 1:
        return int(found[0])
    if found.size:
        some = ", ".join(str(ids[run]) for run in found[:3])
        problem = f"{found.size} runs have a run_id that begins with {name!r} ({some}, ...)"
        raise StoreError(f"{problem}; give more of it")
    problem = f"there is no run {name!r}, neither by number nor by the beginning of its run_id"
    cure = f"give a number from 0 to {ids.size - 1}, or see: sweep show STORE --columns run_id"
    raise StoreError(f"{problem}; {cure}")
