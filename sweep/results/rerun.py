"""Repetition of one run of a store: its configuration, and the command for it."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marsdisk import model_version
from marsdisk.cli.options import override_text, parse_override
from marsdisk.common.errors import ConfigError
from marsdisk.config import RunConfig, Variations, load_config, merge, read_config, value_at

from ..common.command import Command
from ..common.errors import StoreError
from ..common.floats import same
from ..spec.axes import Axis, Overrides, short_names
from ..spec.file import Sweep, recorded_sweep, with_points
from ..spec.run_names import name_of_run
from ..spec.stored_numbers import with_stored_numbers
from ..store.description import MAX_RUNS, Description
from ..store.recorded_tables import change_of_table
from ..store.store import Store
from ..store.writer import coordinate

#: Packages whose version may change the last digits of a result.
PACKAGES_OF_BITS = ("numpy", "numba", "llvmlite")
#: A name of this many digits or more begins a run_id, because no run has such a number.
MIN_DIGITS_OF_ID = len(str(MAX_RUNS))


@dataclass(frozen=True)
class Repetition:
    """The command that repeats a run, or what has changed since it was computed."""

    command: str  #: that runs (or checks) it alone; empty if there is none
    changes: tuple[str, ...] = ()  #: why its numbers may differ; empty if it repeats the run
    set_back: str = ""  #: what the command sets back in a base that was edited

    @property
    def words(self) -> str:
        """A note for people on what the command does or cannot do; empty if there is none."""
        if not self.changes:
            return self.set_back
        effect = "this may not repeat the run bit for bit"
        if not self.command:
            effect = "no command repeats it"
        return " ".join(f"{effect}: {'; '.join(self.changes)}".split())


@dataclass(frozen=True)
class Origin:
    """What a run was computed from, according to its store."""

    run_id: str
    config: RunConfig
    model_version: str
    tables: Mapping[str, str]  #: digest of each table, by its key and path
    packages: Mapping[str, str]  #: version of each

    def matches(self, config: RunConfig) -> bool:
        """Return whether the run has this configuration, and its tables their present content."""
        return name_of_run(config.digest(), self.model_version) == self.run_id

    def changed_tables(self) -> Iterator[str]:
        """Yield a line for each table of the run whose content has changed."""
        for name, digest in self.tables.items():
            key, _, path = name.partition(" = ")
            if str(value_at(self.config, key)) != path:  # the table is of another run
                continue
            change = change_of_table(name, digest)
            if change:
                yield f"the table {name}: {change}"

    def changed_code(self) -> Iterator[str]:
        """Yield a line for the model and each package whose version has changed."""
        if self.model_version != model_version():
            yield f"the model was {self.model_version} and is {model_version()} here"
        for name in PACKAGES_OF_BITS:
            recorded = self.packages.get(name, version(name))
            if recorded != version(name):
                yield f"{name} was {recorded} and is {version(name)} here"


def repetition(
    sweep: Sweep,
    overrides: Mapping[str, Any],
    origin: Origin,
    verb: str = "run",
) -> Repetition:
    """Return the command that runs one case of a sweep alone, and what has changed since.

    The command is read as ``marsdisk`` would read it and its configuration compared with that of
    the run. If the base was edited, the command sets back what differs in it.

    Parameters
    ----------
    sweep : Sweep
        Sweep that the case belongs to.
    overrides : mapping of str to value
        Keys that the case sets.
    origin : Origin
        What the run of the case was computed from.
    verb : {"run", "check"}
        Subcommand of ``marsdisk``.

    Returns
    -------
    Repetition
        Its command is empty if the base or the configuration is no longer valid.
    """
    base = sweep.base_file
    settings = _settings(sweep, overrides)
    changed_code = tuple(origin.changed_code())
    if not base:
        return _without_base(_command(verb, sweep.given["base_path"], settings), sweep, origin)
    try:
        edited = _edited_sections(sweep)
    except ConfigError as error:
        problem = f"the base {base} can no longer be read ({'; '.join(error.problems)})"
        return Repetition("", (problem, *origin.changed_tables(), *changed_code))
    repeated = _compared_with_run(_command(verb, base, settings), origin)
    if edited and repeated.changes:
        sections = ", ".join(edited)
        line = _command(verb, base, _restoring_settings(sweep, settings, edited))
        note = f"the base {base} was edited since; {sections} is set back to what it was"
        repeated = replace(_compared_with_run(line, origin), set_back=note)
    return replace(repeated, changes=(*repeated.changes, *changed_code))


def _without_base(line: str, sweep: Sweep, origin: Origin) -> Repetition:
    """Return a command for the folder of the sweep file, as the base is not found from here."""
    problem = f"the base {sweep.given['base_path']} is not found from here"
    folder = "run this in the folder of the sweep file"
    cure = f"{folder}, with a copy of the base there if it was elsewhere"
    changes = (f"{problem}; {cure}", *origin.changed_tables(), *origin.changed_code())
    return Repetition(line, changes)


def _compared_with_run(line: str, origin: Origin) -> Repetition:
    """Return a command, with the changes if its configuration is not that of the run."""
    try:
        if origin.matches(_config_of_command(line)):
            return Repetition(line)
    except ConfigError as error:
        return Repetition("", tuple(origin.changed_tables()) or tuple(error.problems))
    return Repetition(line, tuple(origin.changed_tables()) or ("its configuration has changed",))


def _settings(sweep: Sweep, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys that a case sets in the base, in the order in which to set them."""
    output = {f"output.{key}": value for key, value in sweep.spec.output.items()}
    settings: dict[str, Any] = {}
    for part in (sweep.spec.set, output, sweep.given["command_line"], overrides):
        for key, value in part.items():
            settings.pop(key, None)  # a key that is set again takes its later position
            settings[key] = value
    return settings


def _edited_sections(sweep: Sweep) -> list[str]:
    """Return the sections of the base that differ from the record of the sweep.

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
    return str(Command(tuple(words)))


def _config_of_command(line: str) -> RunConfig:
    """Read the configuration of a command line as the command does.

    Raises
    ------
    ConfigError
        It is not valid, or its base cannot be read.
    """
    _, _, base, *words = Command.parsed(line).words
    return load_config(base, dict(map(parse_override, words[1::2])))


class RecordedRuns:
    """The runs of a store, built from the sweep that it records.

    A run is identified by its coordinates, so that only the cases asked for are validated.

    Parameters
    ----------
    description : Description
        What the store says of itself.
    column : callable
        Returns a coordinate along ``run`` by its name.
    sweep : Sweep, optional
        The same sweep read from its file, where the files named in the store may have moved.

    Examples
    --------
    >>> store = Store.open("results/temperature_supply.zarr")
    >>> RecordedRuns.of(store).command(17)
    'marsdisk run ../mars_0d_melt.yaml --set numerics.t_end_until_temperature_K=2000.0 ...'
    """

    def __init__(
        self,
        description: Description,
        column: Callable[[str], NDArray[Any]],
        sweep: Sweep | None = None,
    ) -> None:
        self._description = description
        self._column = column
        self._sweep = sweep

    @classmethod
    def of(cls, store: Store, sweep: Sweep | None = None) -> "RecordedRuns":
        """Return the runs of an open store; ``sweep`` is as for the class."""
        return cls(store.description, store.column, sweep)

    @cached_property
    def sweep(self) -> Sweep:
        """The sweep that the store was made for."""
        keys = short_names(self._sweep_as_given.swept_keys())
        stored = {key: self._column(name) for key, name in keys.items()}
        base = self._description.base_config
        return with_stored_numbers(self._sweep_as_given, stored, base)

    @cached_property
    def _sweep_as_given(self) -> Sweep:
        """The sweep of the file or of the record, whose numbers may have other bits."""
        if self._sweep is None:
            return recorded_sweep(self._description, "the store's record of its sweep")
        points = self._description.sweep.refined
        if points == self._sweep.given.get("refined", []):
            return self._sweep
        return with_points(self._sweep, points)

    def overrides(self, run: int) -> Overrides:
        """Return the keys that the case of a run sets, without those that all cases set."""
        return self._case(run)[0]

    def config(self, run: int) -> RunConfig:
        """Return the resolved configuration of a run."""
        return self._case(run)[1]

    def command(self, run: int, verb: str = "run") -> str:
        """Return the command that repeats one run of the store.

        Parameters
        ----------
        run : int
            Row of the run.
        verb : {"run", "check"}
            Subcommand of ``marsdisk``.

        Raises
        ------
        StoreError
            No command repeats it: its base or its configuration is no longer valid.
        """
        repeated = self.repetition(run, verb)
        if not repeated.command:
            raise StoreError(f"run {run}: {repeated.words}")
        return repeated.command

    def repetition(self, run: int, verb: str = "run") -> Repetition:
        """Return how a run of the store is repeated; see :func:`repetition`."""
        overrides, config = self._case(run)
        record = self._description.provenance
        origin = Origin(
            run_id=str(self._columns["run_id"][run]),
            config=config,
            model_version=record.model_version,
            tables=record.tables,
            packages=self._packages_of(run),
        )
        return repetition(self.sweep, overrides, origin, verb)

    def _packages_of(self, run: int) -> Mapping[str, str]:
        """Return the versions that computed the part of the store, or its extension, with a run."""
        packages = self._description.provenance.packages
        extensions = self._description.extensions
        if not extensions:
            return packages
        first_row = int(self._column("block")[run]) * self._description.block_size
        for extension in extensions:
            if extension.first_row <= first_row and extension.packages is not None:
                packages = extension.packages
        return packages

    def _case(self, run: int) -> tuple[Overrides, RunConfig]:
        """Return the overrides and the configuration of the case with a run's coordinates."""
        stored = {name: column[run : run + 1].tolist()[0] for name, column in self._columns.items()}
        for overrides in self._candidates(stored):
            config = self._variations.config(overrides)
            if all(
                _is_stored(value_at(config, key), stored[name]) for key, name in self._names.items()
            ):
                return dict(overrides), config
        problem = f"run {run} is no case of the sweep that the store records"
        raise StoreError(f"{problem}; the store was changed, or made by another version")

    def _candidates(self, stored: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
        """Return the overrides of the cases that match the labels stored for a run."""
        if not stored["in_product"]:
            return self.sweep.spec.include
        axes = [axis for axis in self.sweep.axes if self._stores_labels(axis)]
        labels = {axis.name: stored[self._names.get(axis.name, axis.name)] for axis in axes}
        return self.sweep.cases_at(labels)

    def _stores_labels(self, axis: Axis) -> bool:
        """Return whether the store holds the labels of an axis themselves.

        It may also hold texts for them, or values that another axis has put in their place.
        """
        types = {type(label) for label in axis.labels}
        keys_of_other_axes = set[str]()
        for other_axis in self.sweep.axes:
            if other_axis is not axis:
                keys_of_other_axes.update(other_axis.keys)
        if keys_of_other_axes & {*axis.keys}:
            return False
        return types <= {str} or types <= {int, float} or types <= {bool}

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
    is_null = value is None and stored != stored
    return is_null or same(coordinate([value]).tolist()[0], stored)


def find_run(store: Store, name: str) -> int:
    """Return the row of the run that a name stands for.

    Parameters
    ----------
    store : Store
        The store.
    name : str
        The row of a run, its run_id, or the beginning of that. A name of fewer than
        :data:`MIN_DIGITS_OF_ID` digits alone is a row.

    Raises
    ------
    StoreError
        No run has this name, or several have.
    """
    is_number = name.isascii() and name.isdecimal() and len(name) < MIN_DIGITS_OF_ID
    is_row = is_number and int(name) < store.description.rows
    # the run_id of an unused row is empty
    if is_row and store.rows("run_id", int(name)):
        return int(name)
    ids = store.column("run_id")
    runs = np.arange(0)
    if name and not is_number:
        runs = np.flatnonzero(np.strings.startswith(ids, name))
    if runs.size == 1:
        return int(runs[0])
    if runs.size:
        examples = ", ".join(str(ids[run]) for run in runs[:3])
        problem = f"{runs.size} runs have a run_id that begins with {name!r} ({examples}, ...)"
        raise StoreError(f"{problem}; give more of it")
    problem = f"there is no run {name!r}, neither by number nor by the beginning of its run_id"
    cure = f"give a number from 0 to {ids.size - 1}, or see: sweep show STORE --columns run_id"
    raise StoreError(f"{problem}; {cure}")
