"""The sweep file."""

import functools
import itertools
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from marsdisk.common.errors import ConfigError
from marsdisk.common.text import shown, shown_text
from marsdisk.config import merge, read_config, tables_resolved
from marsdisk.config.builtin import is_builtin, located
from marsdisk.config.explain import explain
from marsdisk.config.mistaken import refuse_configuration, refuse_folder
from marsdisk.config.yaml_file import read_yaml_mapping, with_lines

from ..common.floats import same
from ..store import layout
from ..store.description import Description
from .axes import (
    Axis,
    Overrides,
    merged,
    one_at_a_time_axis,
    parse_axis,
    variant_axis,
    with_equal_numbers_joined,
    zip_axis,
)
from .designs import POINT, design_axis
from .expectations import Expectation, parse_expectations
from .old_keys import renaming_notes, with_new_names, with_old_names
from .refinement import refine_axis
from .sections import SweepSpec

#: In a comment that editors read.
FOR_EDITORS = "yaml-language-server"
#: Cases of a product. Validating more takes longer than anybody waits.
MAX_CASES = 10_000_000


@dataclass(frozen=True)
class Sweep:
    """A sweep file that was read: its axes, and its base with the overrides of all cases."""

    spec: SweepSpec
    base: dict[str, Any]
    axes: tuple[Axis, ...]
    given: dict[str, Any]  #: arguments of :func:`build_sweep` by name
    file: str = ""  #: path of the sweep file; empty where it was not read from one
    #: path of the base; empty where it is known from the record of a store only
    base_file: str = ""
    old_names: tuple[str, ...] = ()  #: a note for each section that the file gives by its old name
    question: str = ""  #: that the comment begins with which the file begins with; may be empty

    @functools.cached_property
    def product_size(self) -> int:
        """Number of cases of the product of axes, including those to exclude."""
        if not self.axes:
            return 0
        return math.prod(len(axis.points) for axis in self.axes)

    @property
    def case_count(self) -> int:
        """Number of cases, including those to exclude."""
        return self.product_size + len(self.spec.include)

    def overrides(self, number: int) -> Overrides:
        """Return the overrides of a case by its number.

        In the product the last axis varies fastest; included cases follow behind it.
        """
        return self.overrides_of(np.array([number]))[0]

    def overrides_of(self, numbers: NDArray[np.int64]) -> list[Overrides]:
        """Return the overrides of several cases by their numbers."""
        in_product = numbers[numbers < self.product_size]
        positions = dict(zip(in_product.tolist(), self._positions(in_product), strict=True))
        overrides = []
        for number in numbers.tolist():
            if number in positions:
                pairs = zip(self.axes, positions[number], strict=True)
                overrides.append(merged([axis.points[i] for axis, i in pairs]))
            else:
                overrides.append(dict(self.spec.include[number - self.product_size]))
        return overrides

    def labels(self, number: int) -> dict[str, Any]:
        """Return the label of a case on each axis; an included case has none."""
        if number >= self.product_size:
            return {}
        return {axis.name: axis.labels[i] for axis, i in self._position(number)}

    def _position(self, number: int) -> list[tuple[Axis, int]]:
        """Return each axis with the index on it of a case of the product."""
        (indices,) = self._positions(np.array([number]))
        return list(zip(self.axes, indices, strict=True))

    def _positions(self, numbers: NDArray[np.int64]) -> list[list[int]]:
        """Return the index on each axis of cases of the product: (cases, axes)."""
        if not self.axes:
            return []
        lengths = [len(axis.points) for axis in self.axes]
        positions: list[list[int]] = np.stack(np.unravel_index(numbers, lengths), axis=1).tolist()
        return positions

    def numbered(self) -> Iterator[tuple[int, Overrides]]:
        """Yield number and overrides of each case that is not excluded."""
        if self.axes:
            product = itertools.product(*(axis.points for axis in self.axes))
            for number, points in enumerate(product):
                if not (self.spec.exclude and self._is_excluded(number)):
                    yield number, merged(points)
        for i, entry in enumerate(self.spec.include):
            yield self.product_size + i, dict(entry)

    @functools.cached_property
    def expectations(self) -> Mapping[str, Expectation]:
        """Conditions that the results must meet, by name."""
        return parse_expectations(self.spec.expect)[0]

    def cases_at(self, labels: Mapping[str, Any]) -> Iterator[Overrides]:
        """Yield the overrides of all cases of the product that have some labels.

        Parameters
        ----------
        labels : mapping
            By name of axis. A case may have any label on axes that are not named.

        Yields
        ------
        dict
            Values by configuration key.
        """
        if not self.axes:
            return
        choices = []
        for axis in self.axes:
            indices = range(len(axis.points))
            if axis.name in labels:
                choices.append([i for i in indices if same(axis.labels[i], labels[axis.name])])
            else:
                choices.append([*indices])
        lengths = [len(axis.points) for axis in self.axes]
        for position in itertools.product(*choices):
            number = int(np.ravel_multi_index(position, lengths))
            if not (self.spec.exclude and self._is_excluded(number)):
                yield self.overrides(number)

    def _is_excluded(self, number: int) -> bool:
        values = self._excludable(number)
        return any(_matches(values, entry) for entry in self.spec.exclude)

    def _excludable(self, number: int) -> dict[str, Any]:
        """Return all that an exclusion may name of a case: labels by axis, values by key."""
        position = self._position(number)
        values: dict[str, Any] = {axis.name: axis.labels[i] for axis, i in position}
        for axis, i in position:
            values |= axis.points[i]
        return values

    def excluded(self) -> int:
        """Return the number of cases of the product that are left out."""
        if not self.spec.exclude:
            return 0
        return sum(map(self._is_excluded, range(self.product_size)))

    def notes(self) -> tuple[str, ...]:
        """Return a line for each entry of the file that its author may not have meant."""
        notes = list(self.old_names)
        for i, entry in enumerate(self.spec.exclude):
            if not self._excludes_any(entry):
                notes.append(f"exclude[{i}] matches no case: {entry}")
        notes += _notes_on_dropped_keys(self.given["base"], self.spec.set)
        notes += _notes_on_dropped_keys(self.given["base"], self.given["command_line"])
        for axis in self.axes:
            for point in axis.points:
                notes += _notes_on_dropped_keys(self.base, point)
        for entry in self.spec.include:
            notes += _notes_on_dropped_keys(self.base, entry)
        return tuple(dict.fromkeys(notes))

    def _excludes_any(self, entry: Mapping[str, Any]) -> bool:
        """Whether an exclusion matches any case of the product."""
        numbers = range(self.product_size)
        return any(_matches(self._excludable(number), entry) for number in numbers)

    def with_lines(self, error: ConfigError) -> ConfigError:
        """Return the problems of an error in runs, each with its line of the file or the base."""
        command_line = self.given["command_line"]
        if self.file:
            error = with_lines(error, located(self.file), command_line, anywhere=True)
        if self.base_file:
            base = self.given["base_path"]
            error = with_lines(error, located(self.base_file), command_line, name=base)
        return error

    def swept_keys(self) -> list[str]:
        """Return the configuration keys that differ between cases, in the order of the file."""
        keys = [key for axis in self.axes for key in axis.keys]
        keys += [key for entry in self.spec.include for key in entry]
        return list(dict.fromkeys(keys))


def _matches(case: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    return all(key in case and same(case[key], value) for key, value in entry.items())


def _notes_on_dropped_keys(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> Iterator[str]:
    """Yield a note for each section that is given whole and lacks keys that the base gives."""
    for path, value in overrides.items():
        section: Any = base
        for name in path.split("."):
            section = section.get(name) if isinstance(section, Mapping) else None
        if not isinstance(section, Mapping) or not isinstance(value, Mapping):
            continue
        dropped = [f"{path}.{key}" for key in section if key not in value]
        if dropped:
            falls = "falls" if len(dropped) == 1 else "fall"
            yield (
                f"{path} is given as a whole section, so that {', '.join(dropped)} of the base"
                f" {falls} back to the default; to keep what is not named, give dotted keys"
            )


#: Sections that a refinement does not stand beside.
NOT_WITH_REFINE = ("zip", "sample", "design", "one_at_a_time", "variants", "include", "exclude")


def _axes(
    spec: SweepSpec, refined: Sequence[Sequence[int]], *, as_recorded: bool
) -> tuple[list[Axis], list[str]]:
    """Return the axes of a sweep file, and a line for each problem of theirs."""
    axes = []
    problems = []
    parsers: list[tuple[str, Callable[[], Axis]]] = []
    for name, entry in spec.axes.items():
        parse_entry = functools.partial(parse_axis, name, entry, as_recorded=as_recorded)
        parsers.append((f"axes.{shown_text(name)}", parse_entry))
    for i, lists in enumerate(spec.zip):
        parse_lists = functools.partial(zip_axis, lists, as_recorded=as_recorded)
        parsers.append((f"zip[{i}]", parse_lists))
    if spec.one_at_a_time:
        base_and_changes = functools.partial(
            one_at_a_time_axis, spec.one_at_a_time, as_recorded=as_recorded
        )
        parsers.append(("one_at_a_time", base_and_changes))
    if spec.variants:
        parsers.append(("variants", functools.partial(variant_axis, spec.variants)))
    for where, parse in parsers:
        try:
            axes.append(parse())
        except ValueError as error:
            problems.append(f"{where} {error}")
    if spec.sample is not None and spec.design is not None:
        problems.append("sample and design both draw points; give one of them")
    designs = {"sample": spec.sample, "design": spec.design}
    for section, design in designs.items():
        if design is not None:
            axis, problems_of_axis = design_axis(design, section)
            axes += [] if axis is None else [axis]
            problems += problems_of_axis
    if spec.refine is not None:
        axis, problems_of_axis = refine_axis(
            spec.refine,
            refined,
            axes,
            sections=[name for name in NOT_WITH_REFINE if getattr(spec, name)],
            own_axes=spec.axes,
        )
        axes += [] if axis is None else [axis]
        problems += problems_of_axis
    # variants last, for they may override the others
    return sorted(axes, key=lambda axis: axis.name == "variant"), problems


def _contradictions(
    spec: SweepSpec, axes: list[Axis], command_line: Mapping[str, Any]
) -> Iterator[str]:
    """Yield a line for each contradiction between sections of a sweep file and the options."""
    setters: dict[str, str] = {}
    for axis in axes:
        for key in axis.keys:
            # variants come last and may override an axis
            if key in setters and axis.name != "variant":
                yield (
                    f"{shown_text(key)} is set by two axes, {shown_text(setters[key])} and"
                    f" {shown_text(axis.source)}; keep one"
                )
            setters[key] = axis.source
    yield from _overridden_options(spec, setters, command_line)
    yield from _overridden_settings(spec, axes)
    for key in setters:
        if key.startswith("output."):
            yield (
                f"axes.{shown_text(key)}: all runs of a store share their output grid; set it once"
                " under output"
            )
    yield from _bad_names_of_axes(axes)


def _overridden_options(
    spec: SweepSpec, setters: Mapping[str, str], command_line: Mapping[str, Any]
) -> Iterator[str]:
    """Yield a line for each ``--set`` that an axis or an included case sets, too."""
    for key, value in command_line.items():
        option = f"--set {shown_text(f'{key}={value}')}"
        if key in setters:
            axis = shown_text(setters[key])
            yield f"{option} would override the axis {axis}; drop one of them"
        if any(key in entry for entry in spec.include):
            yield f"{option} would be overridden by include; drop one of them"


def _overridden_settings(spec: SweepSpec, axes: list[Axis]) -> Iterator[str]:
    """Yield a line for each key under ``set`` that an axis sets in every case."""
    for axis in axes:
        for key, value in spec.set.items():
            if all(key in point for point in axis.points):
                yield (
                    f"set.{shown_text(key)} = {shown(value)} would be overridden by the axis"
                    f" {shown_text(axis.source)} in every case; drop one of them"
                )


def _unknown_exclusions(spec: SweepSpec, axes: list[Axis]) -> Iterator[str]:
    """Yield a line for each exclusion with names that are neither keys nor axes."""
    names = {axis.name for axis in axes}.union(*(axis.keys for axis in axes))
    for i, entry in enumerate(spec.exclude):
        unknown = sorted(set(entry).difference(names))
        if unknown:
            yield (
                f"exclude[{i}] names {shown_text(', '.join(unknown))}, which no axis sets; there"
                f" are {', '.join(sorted(names))}"
            )


def _bad_names_of_axes(axes: list[Axis]) -> Iterator[str]:
    """Yield a line for each name of an axis that the store cannot have."""
    for i, axis in enumerate(axes):
        name = shown_text(axis.name)
        if axis.name != POINT and axis.name in {earlier.name for earlier in axes[:i]}:
            yield f"two axes are called {name}; give one of them another name"
        is_word = re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", axis.name.split(".")[-1])
        if axis.keys != (axis.name,) and not is_word:
            yield f"axes.{name}: the name of an axis must be letters, digits and underscores"
        if axis.name in layout.RESERVED:
            yield (
                f"axes.{axis.name}: the store has an array of that name; choose another, such as"
                f" my_{axis.name}"
            )


def load_sweep(path: str | Path, command_line: Mapping[str, Any] | None = None) -> Sweep:
    """Read a sweep file and its base.

    Parameters
    ----------
    path : str or Path
        A YAML file, or ``builtin:NAME``.
    command_line : mapping, optional
        Overrides by dotted key, which win over all others.

    Returns
    -------
    Sweep
        Its cases are not validated yet.

    Raises
    ------
    ConfigError
        With a line for each problem of the file.
    """
    file = str(path)
    path = located(path)
    refuse_folder(path)
    content = read_yaml_mapping(path)
    refuse_configuration(content, path)
    try:
        sweep = sweep_of_sections(content, path.parent, command_line, where=str(path))
    except ConfigError as error:
        is_of_base = error.where != str(path)
        if is_of_base:
            raise
        raise with_lines(with_old_names(error, content), path) from error.__cause__
    return replace(sweep, file=file, question=_question(path))


def _question(path: Path) -> str:
    """Return the question that the comment begins with which a sweep file begins with, if any."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    comment = [
        line.lstrip("# ")
        for line in itertools.takewhile(lambda line: line.startswith("#"), lines)
        if FOR_EDITORS not in line
    ]
    first_sentence = re.split(r"(?<=[.?!])\s", " ".join(comment).strip(), maxsplit=1)[0]
    return first_sentence if first_sentence.endswith("?") else ""


def sweep_of_sections(
    content: Mapping[str, Any],
    folder: Path,
    command_line: Mapping[str, Any] | None = None,
    *,
    where: str,
) -> Sweep:
    """Read the base of a sweep, and build the sweep.

    Parameters
    ----------
    content : mapping
        Sections of a sweep file.
    folder : Path
        Folder that its paths are relative to.
    command_line : mapping, optional
        Overrides by dotted key, which win over all others; their paths are relative to the working
        folder.
    where : str
        Name of the sweep in messages.

    Returns
    -------
    Sweep
        Its cases are not validated yet.

    Raises
    ------
    ConfigError
        With a line for each problem.
    """
    base = content.get("base")
    base_file = ""
    if isinstance(base, str):
        base_file = base if is_builtin(base) else str((folder / base).resolve())
    try:
        base_content = read_config(base_file) if base_file else {}
    except ConfigError as error:
        if is_builtin(base_file) or Path(base_file).is_file():
            raise ConfigError(error.problems, f"{where}, base = {shown(base)}") from error
        raise ConfigError([f"base = {shown(base)}: {error.problems[0]}"], where) from error
    base_path = _seen_from(folder, str(base)) if base_file else ""
    content = tables_resolved(content, folder)
    if base_path:
        content = {**content, "base": base_path}
    command_line = tables_resolved(command_line or {}, Path())
    sweep = build_sweep(content, base_content, command_line, base_path, where=where)
    old_names = tuple(renaming_notes(content))
    return replace(sweep, base_file=base_file, old_names=old_names)


def _seen_from(folder: Path, file: str) -> str:
    """Return the path of a file relative to a folder, or its name where it is far away.

    So the path does not tell where the folder is.
    """
    path = Path(file)
    if is_builtin(file) or not path.is_absolute():
        return path.as_posix()
    resolved = folder.resolve()
    shared_parents = set(resolved.parents) & set(path.parents)
    is_near = len(shared_parents) > 1  # more than the root
    if not is_near:
        return path.name
    return Path(os.path.relpath(path, resolved)).as_posix()


def build_sweep(
    content: Mapping[str, Any],
    base: Mapping[str, Any],
    command_line: Mapping[str, Any] | None = None,
    base_path: str = "",
    refined: Sequence[Sequence[int]] = (),
    *,
    where: str = "",
    as_recorded: bool = False,
) -> Sweep:
    """Build a sweep from the content of its file and of its base.

    Parameters
    ----------
    content : mapping
        Sections of the sweep file.
    base : mapping
        Sections of the configuration that all cases start from.
    command_line : mapping, optional
        Overrides by dotted key, which win over all others.
    base_path : str
        Path of the base relative to the sweep file.
    refined : sequence of sequences of int
        Points that the refinement has added so far.
    where : str
        Name of the sweep file in messages.
    as_recorded : bool
        Whether the content is the record of a store, whose version may have told apart numbers that
        are the same to 12 digits.

    Returns
    -------
    Sweep
        Its cases are not validated yet.

    Raises
    ------
    ConfigError
        With a line for each problem of the sweep file.
    """
    content = with_new_names(content, where)
    try:
        spec = SweepSpec.model_validate(content)
    except ValidationError as error:
        raise ConfigError(explain(error, SweepSpec), where) from error
    command_line = command_line or {}
    axes, problems = _axes(spec, refined, as_recorded=as_recorded)
    problems += [
        *_contradictions(spec, axes, command_line),
        # an axis with a problem of its own is not among the axes
        *([] if problems else _unknown_exclusions(spec, axes)),
        *parse_expectations(spec.expect)[1],
    ]
    if not axes and not spec.include and not problems:
        problems.append(
            "nothing is swept: give axes, zip, sample, design, refine, one_at_a_time, variants or"
            " include"
        )
    cases = math.prod(len(axis.points) for axis in axes)
    if cases > MAX_CASES:
        problems.append(f"the axes make {cases} cases, more than {MAX_CASES}; split the sweep")
    if problems:
        raise ConfigError(problems, where)
    if not as_recorded:
        axes, include = with_equal_numbers_joined(axes, spec.include, drawn=POINT)
        if include != spec.include:
            spec = spec.model_copy(update={"include": include})
    for_all = {
        **spec.set,
        **{f"output.{key}": value for key, value in spec.output.items()},
        **command_line,
    }
    arguments: dict[str, Any] = {
        "content": content,
        "base": dict(base),
        "command_line": dict(command_line),
        "base_path": base_path,
    }
    if refined:
        arguments["refined"] = [[*point] for point in refined]
    return Sweep(spec, merge(base, for_all), tuple(axes), arguments)


def with_points(sweep: Sweep, refined: Sequence[Sequence[int]]) -> Sweep:
    """Return a sweep with other points of its refinement.

    Parameters
    ----------
    sweep : Sweep
        With a refinement.
    refined : sequence of sequences of int
        The points, as :func:`build_sweep` takes them.

    Returns
    -------
    Sweep
        The same in everything else.
    """
    where = f"sweep {sweep.spec.name}"
    changed = build_sweep(**{**sweep.given, "refined": refined}, where=where)
    # the rings may have the edges of a store
    axes = [
        changed_axis if changed_axis.name == POINT else axis
        for axis, changed_axis in zip(sweep.axes, changed.axes, strict=True)
    ]
    return replace(sweep, axes=tuple(axes), given=changed.given)


def recorded_sweep(description: Description, where: str) -> Sweep:
    """Return the sweep that a store was made for, from its own record.

    Parameters
    ----------
    description : Description
        What the store says of itself.
    where : str
        Name of the record in messages.

    Returns
    -------
    Sweep
        Its ``base_file`` is the file that the record names, where that exists. Its numbers are
        those of the store to 12 digits; see :func:`sweep.spec.stored_numbers.with_stored_numbers`.
    """
    sweep = build_sweep(**description.sweep.arguments, where=where, as_recorded=True)
    base_file = _path_of_base(description.sweep_file, sweep.given["base_path"])
    return replace(sweep, base_file=base_file)


def _path_of_base(sweep_file: str, base: str) -> str:
    """Return where the base of a recorded sweep file is; empty where it cannot be found.

    ``base`` is relative to the sweep file, or as it was typed.
    """
    if is_builtin(base):
        with suppress(ConfigError):
            located(base)
            return base
        return ""
    if os.path.isabs(base):  # in a store of an older version
        return base
    if is_builtin(sweep_file):
        with suppress(ConfigError):  # it may be of another version of the program
            sweep_file = str(located(sweep_file))
    in_folder = os.path.normpath(os.path.join(os.path.dirname(sweep_file), base))
    for path in (in_folder, base):
        if base and os.path.isfile(path):
            return path
    return ""
