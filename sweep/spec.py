"""The sweep file."""

import functools
import itertools
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from marsdisk.config import merge, read_config, tables_resolved
from marsdisk.config_errors import explain
from marsdisk.config_sections import Section, quantity
from marsdisk.convergence import BINS_LIMIT, TIME_LIMIT
from marsdisk.errors import ConfigError
from marsdisk.physics.textfile import shown, shown_text
from marsdisk.yamlfile import read_yaml_mapping, with_lines

from .axes import Axis, Overrides, one_at_a_time_axis, parse_axis, same, variant_axis, zip_axis
from .checks import Expectation, parse_expectations
from .design import POINT, DesignSpec, SampleSpec, design_axis
from .old_keys import renaming_notes, with_new_names, with_old_names
from .refine import RefineSpec, refine_axis
from .store import layout

MAX_CASES = 10_000_000  # of the product; to check more takes longer than anybody waits


class CacheSpec(Section):
    """How far cached arrays are shared; the numbers are the same bits in any case."""

    scope: Literal["run", "task", "worker"] = quantity(
        "task", "empty the cache before every run, every block, or never on a worker"
    )
    enabled: bool = quantity(True, "false builds everything anew for every run")


class AccuracySpec(Section):
    """The share of the runs that is repeated with tighter steps and other bins.

    :func:`marsdisk.convergence.check_run` does that. The choice of these runs is part of the plan,
    since it decides what the store holds: a store made for another choice is refused. The limits
    are only compared with the errors when these are shown and may be changed at any time.
    """

    fraction: float = quantity(
        0.05, "share of the runs, at least one; 0 repeats none", "", ge=0.0, le=1.0
    )
    time_limit: float = quantity(TIME_LIMIT, "largest err_time accepted", "", gt=0.0, le=1.0)
    bins_limit: float = quantity(BINS_LIMIT, "largest err_bins accepted", "", gt=0.0, le=1.0)


class ProvenanceSpec(Section):
    """What a store says of the machines that it was made on, besides versions; it may be published one day."""

    host: bool = quantity(
        False,
        "record the names of the machines: of the driver's, and with each run of its worker's",
    )


class SweepSpec(Section):
    """A sweep file as given."""

    name: str = quantity(
        ...,
        "name of the sweep and of its store",
        allowed="letters, digits, points, dashes and underscores, the first a letter or digit",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
    )
    base: str = Field(description="configuration that all cases start from, relative to this file")
    set: dict[str, Any] = Field({}, description="overrides for all cases")
    axes: dict[str, Any] = Field(
        {}, description="key or name of each axis; the cases are their product"
    )
    zip: list[dict[str, Any]] = Field([], description="keys that move together, one axis per entry")
    sample: SampleSpec | None = Field(None, description="points drawn from a prior, one axis")
    design: DesignSpec | None = Field(
        None, description="points for a sensitivity analysis, one axis"
    )
    refine: RefineSpec | None = Field(
        None, description="points added in rounds where a result asks for more, one axis"
    )
    one_at_a_time: dict[str, Any] = Field(
        {}, description="values of each key, changed alone around the base, one axis"
    )
    variants: dict[str, Any] = Field({}, description="named sets of overrides, one axis")
    include: list[dict[str, Any]] = Field([], description="cases besides the product")
    exclude: list[dict[str, Any]] = Field(
        [], description="cases of the product to leave out, by some of their values"
    )
    output: dict[str, Any] = Field(
        {}, description="the configuration's output section for all cases"
    )
    cache: CacheSpec = Field(default_factory=CacheSpec)
    accuracy: AccuracySpec | None = Field(
        None, description="numerical errors of some runs, stored with them"
    )
    expect: dict[str, Any] = Field(
        {}, description="conditions that the results must meet, by name; see sweep expect --help"
    )
    provenance: ProvenanceSpec = Field(default_factory=ProvenanceSpec)
    time_limit: float | None = quantity(
        600.0,
        "time that one run may take before it is marked as failed, with the state it has come to",
        "s",
        gt=0.0,
    )
    block: int | None = Field(None, description="runs per block", ge=1, le=100_000)


@dataclass(frozen=True)
class Sweep:
    """A sweep file, read: the content of its base with everything that holds for all cases, and its axes."""

    spec: SweepSpec
    base: dict[str, Any]
    axes: tuple[Axis, ...]
    given: dict[str, Any]  #: what it was built from, by argument of :func:`build_sweep`
    file: str = ""  #: that it was read from, if it was
    #: where its base was read; empty where only the record of a store tells of it
    base_file: str = ""
    old_names: tuple[str, ...] = ()  #: a note for each section that the file gives by its old name

    @functools.cached_property
    def product_size(self) -> int:
        """Points of all axes together, those to exclude among them."""
        return math.prod(len(axis.points) for axis in self.axes) if self.axes else 0

    def overrides(self, number: int) -> Overrides:
        """What a case changes, by its number: in the product the last axis runs fastest; included cases are behind it."""
        return self.overrides_of(np.array([number]))[0]

    def overrides_of(self, numbers: NDArray[np.int64]) -> list[Overrides]:
        """What many cases change, by their numbers."""
        in_product = self._points(numbers[numbers < self.product_size])
        points = [
            [axis.points[i] for i in of_axis]
            for axis, of_axis in zip(self.axes, in_product, strict=True)
        ]
        made = iter(
            [
                {key: value for point in of_case for key, value in point.items()}
                for of_case in zip(*points, strict=True)
            ]
        )
        return [
            next(made) if n < self.product_size else dict(self.spec.include[n - self.product_size])
            for n in numbers.tolist()
        ]

    def labels(self, number: int) -> dict[str, Any]:
        """Where a case is on each axis; an included one is on none."""
        if number >= self.product_size:
            return {}
        return {
            axis.name: axis.labels[i]
            for axis, (i,) in zip(self.axes, self._points(np.array([number])), strict=True)
        }

    def _points(self, numbers: NDArray[np.int64]) -> list[list[int]]:
        """Index on each axis of cases of the product."""
        return (
            [
                of_axis.tolist()
                for of_axis in np.unravel_index(numbers, [len(axis.points) for axis in self.axes])
            ]
            if self.axes
            else []
        )

    def numbered(self) -> Iterator[tuple[int, Overrides]]:
        """Number and overrides of each case that is not excluded."""
        for number, points in enumerate(
            itertools.product(*(axis.points for axis in self.axes)) if self.axes else ()
        ):
            if not (self.spec.exclude and self._is_excluded(number)):
                yield number, {key: value for point in points for key, value in point.items()}
        for i, entry in enumerate(self.spec.include):
            yield self.product_size + i, dict(entry)

    @functools.cached_property
    def expectations(self) -> Mapping[str, Expectation]:
        """What the results must meet."""
        return parse_expectations(self.spec.expect)[0]

    def cases_at(self, labels: Mapping[str, Any]) -> Iterator[Overrides]:
        """What the cases of the product change that have these labels, by name of axis; axes that are not named may have any."""
        places = [
            [
                i
                for i, label in enumerate(axis.labels)
                if axis.name not in labels or label == labels[axis.name]
            ]
            for axis in self.axes
        ]
        for place in itertools.product(*places) if self.axes else ():
            number = int(np.ravel_multi_index(place, [len(axis.points) for axis in self.axes]))
            if not (self.spec.exclude and self._is_excluded(number)):
                yield self.overrides(number)

    def _is_excluded(self, number: int) -> bool:
        case = self._said_of(number)
        return any(_matches(case, entry) for entry in self.spec.exclude)

    def _said_of(self, number: int) -> dict[str, Any]:
        """What an exclusion may name."""
        said: dict[str, Any] = {}
        at = [
            (axis, i)
            for axis, (i,) in zip(self.axes, self._points(np.array([number])), strict=True)
        ]
        for axis, i in at:
            said[axis.name] = axis.labels[i]
        for axis, i in at:
            said |= axis.points[i]
        return said

    def excluded(self) -> int:
        """How many cases of the product are left out."""
        return sum(map(self._is_excluded, range(self.product_size))) if self.spec.exclude else 0

    def notes(self) -> tuple[str, ...]:
        """What the file says that its author may not have meant: exclusions without effect, and keys that a section given whole drops."""
        idle = [
            f"exclude[{i}] matches no case: {entry}"
            for i, entry in enumerate(self.spec.exclude)
            if not self._matched(entry)
        ]
        given = [
            (self.given["base"], self.spec.set),
            (self.given["base"], self.given["command_line"]),
        ]
        given += [(self.base, point) for axis in self.axes for point in axis.points] + [
            (self.base, entry) for entry in self.spec.include
        ]
        return tuple(
            dict.fromkeys(
                [
                    *self.old_names,
                    *idle,
                    *(note for base, overrides in given for note in _dropped(base, overrides)),
                ]
            )
        )

    def _matched(self, entry: Mapping[str, Any]) -> bool:
        return any(_matches(self._said_of(number), entry) for number in range(self.product_size))

    def with_lines(self, error: ConfigError) -> ConfigError:
        """The same problems of its runs, each with its line of the file, or of the base."""
        if self.file:
            error = with_lines(error, self.file, self.given["command_line"], anywhere=True)
        return (
            with_lines(error, self.base_file, self.given["command_line"])
            if self.base_file
            else error
        )

    def swept_keys(self) -> list[str]:
        """Configuration keys that differ between cases, in the order of the file."""
        keys = [key for axis in self.axes for key in axis.keys] + [
            key for entry in self.spec.include for key in entry
        ]
        return list(dict.fromkeys(keys))


def _matches(case: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    return all(key in case and same(case[key], value) for key, value in entry.items())


def _dropped(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> Iterator[str]:
    """A note for each section that is given whole and lacks keys that the base gives."""
    for path, value in overrides.items():
        section: Any = base
        for name in path.split("."):
            section = section.get(name) if isinstance(section, Mapping) else None
        lost = (
            [key for key in section if key not in value]
            if isinstance(section, Mapping) and isinstance(value, Mapping)
            else []
        )
        if lost:
            yield (
                f"{path} is given as a whole section, so that"
                f" {', '.join(f'{path}.{key}' for key in lost)} of the base"
                f" fall{'s' * (len(lost) == 1)} back to the default; to keep what is not named,"
                " give dotted keys"
            )


def _axes(spec: SweepSpec, refined: Sequence[Sequence[int]]) -> tuple[list[Axis], list[str]]:
    axes = []
    problems = []
    attempts: list[tuple[str, Callable[[], Axis]]] = [
        (f"axes.{shown_text(name)}", functools.partial(parse_axis, name, given))
        for name, given in spec.axes.items()
    ]
    attempts += [
        (f"zip[{i}]", functools.partial(zip_axis, entry)) for i, entry in enumerate(spec.zip)
    ]
    attempts += (
        [("one_at_a_time", functools.partial(one_at_a_time_axis, spec.one_at_a_time))]
        if spec.one_at_a_time
        else []
    )
    attempts += (
        [("variants", functools.partial(variant_axis, spec.variants))] if spec.variants else []
    )
    for where, parse in attempts:
        try:
            axes.append(parse())
        except ValueError as error:
            problems.append(f"{where} {error}")
    drawn = {"sample": spec.sample, "design": spec.design}
    if all(drawn.values()):
        problems.append("sample and design both draw points; give one of them")
    for section, given in drawn.items():
        axis, wrong = design_axis(given, section) if given is not None else (None, [])
        axes += [axis] if axis is not None else []
        problems += wrong
    if spec.refine is not None:
        axis, wrong = refine_axis(spec, refined, axes)
        axes += [axis] if axis is not None else []
        problems += wrong
    # variants last, for they may override the others
    return sorted(axes, key=lambda axis: axis.name == "variant"), problems


def _contradictions(
    spec: SweepSpec, axes: list[Axis], command_line: Mapping[str, Any]
) -> Iterator[str]:
    def given_there(key: str) -> str:
        return shown_text(f"{key}={command_line[key]}")

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
    for key in command_line:
        if key in setters:
            yield (
                f"--set {given_there(key)} would override the axis {shown_text(setters[key])}; drop"
                " one of them"
            )
        if any(key in entry for entry in spec.include):
            yield f"--set {given_there(key)} would be overridden by include; drop one of them"
    for axis in axes:
        for key in spec.set:
            if all(key in point for point in axis.points):
                yield (
                    f"set.{shown_text(key)} = {shown(spec.set[key])} would be overridden by the"
                    f" axis {shown_text(axis.source)} in every case; drop one of them"
                )
    names = {*setters, *(axis.name for axis in axes)}
    for i, entry in enumerate(spec.exclude):
        if set(entry) - names:
            unknown = shown_text(", ".join(sorted(set(entry) - names)))
            yield (
                f"exclude[{i}] names {unknown}, which no axis sets; there are"
                f" {', '.join(sorted(names))}"
            )
    for key in setters:
        if key.startswith("output."):
            yield (
                f"axes.{shown_text(key)}: all runs of a store share their output grid; set it once"
                " under output"
            )
    for i, axis in enumerate(axes):
        if axis.name in {other.name for other in axes[:i]} - {POINT}:
            yield f"two axes are called {shown_text(axis.name)}; give one of them another name"
        if axis.keys != (axis.name,) and not re.fullmatch(
            r"[A-Za-z][A-Za-z0-9_]*", axis.name.split(".")[-1]
        ):
            yield (
                f"axes.{shown_text(axis.name)}: the name of an axis must be letters, digits and"
                " underscores"
            )
        if axis.name in layout.RESERVED:
            yield (
                f"axes.{axis.name}: the store has an array of that name; choose another, such as"
                f" my_{axis.name}"
            )


def load_sweep(path: str | Path, command_line: Mapping[str, Any] | None = None) -> Sweep:
    """Read a sweep file and its base.

    Parameters
    ----------
    path : YAML file
    command_line : dotted overrides that win over everything

    Raises
    ------
    ConfigError
        With one line for every problem of the file.
    """
    path = Path(path)
    content = read_yaml_mapping(path)
    base = content.get("base")
    base_file = str((path.parent / base).resolve()) if isinstance(base, str) else ""
    try:
        base_content = read_config(base_file) if base_file else {}
    except ConfigError as error:
        if Path(base_file).is_file():
            raise ConfigError(error.problems, f"{path}, base = {shown(base)}") from error
        problem = f"base = {shown(base)}: {error.problems[0]}"
        raise with_lines(ConfigError([problem], str(path)), path) from error
    base_path = _seen_from(path.parent, str(base)) if base_file else ""
    content = tables_resolved(content, path.parent)
    if base_path:
        content = {**content, "base": base_path}
    command_line = tables_resolved(command_line or {}, Path())
    try:
        sweep = build_sweep(content, base_content, command_line, base_path, where=str(path))
    except ConfigError as error:
        raise with_lines(with_old_names(error, content), path) from error.__cause__
    old_names = tuple(renaming_notes(content))
    return replace(sweep, file=str(path), base_file=base_file, old_names=old_names)


def _seen_from(folder: Path, file: str) -> str:
    """Return a path in a sweep file as seen from its folder, or its name alone where it is far from there.

    So it does not say where that folder is.
    """
    path = Path(file)
    if not path.is_absolute():
        return path.as_posix()
    here = folder.resolve()
    is_near = len(set(here.parents) & set(path.parents)) > 1  # more than the root
    return Path(os.path.relpath(path, here)).as_posix() if is_near else path.name


def build_sweep(
    content: Mapping[str, Any],
    base: Mapping[str, Any],
    command_line: Mapping[str, Any] | None = None,
    base_path: str = "",
    refined: Sequence[Sequence[int]] = (),
    *,
    where: str = "",
) -> Sweep:
    """A sweep from the content of its file and of its base, and the points that its refinement has found so far.

    The base stands at ``base_path``, as seen from the sweep file.
    """
    content = with_new_names(content, where)
    try:
        spec = SweepSpec.model_validate(content)
    except ValidationError as error:
        raise ConfigError(explain(error, SweepSpec), where) from error
    command_line = command_line or {}
    axes, problems = _axes(spec, refined)
    problems += [*_contradictions(spec, axes, command_line), *parse_expectations(spec.expect)[1]]
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
    for_all = {
        **spec.set,
        **{f"output.{key}": value for key, value in spec.output.items()},
        **command_line,
    }
    given: dict[str, Any] = {
        "content": content,
        "base": dict(base),
        "command_line": dict(command_line),
        "base_path": base_path,
    }
    given |= {"refined": [[*at] for at in refined]} if refined else {}
    return Sweep(spec, merge(base, for_all), tuple(axes), given)


def with_points(sweep: Sweep, refined: Sequence[Sequence[int]]) -> Sweep:
    """Return a sweep with other points that its refinement has found, read from the same files.

    Parameters
    ----------
    sweep : Sweep
        With a refinement.
    refined : sequence of sequences of int
        The points, as :func:`build_sweep` takes them.

    Returns
    -------
    Sweep
        The others of its settings are the same.
    """
    where = f"sweep {sweep.spec.name}"
    other = build_sweep(**{**sweep.given, "refined": refined}, where=where)
    return replace(other, file=sweep.file, base_file=sweep.base_file, old_names=sweep.old_names)


def recorded_sweep(attributes: Mapping[str, Any], where: str) -> Sweep:
    """Return the sweep that a store was made for, from its own record.

    Parameters
    ----------
    attributes : mapping
        Of the store.
    where : str
        What the record is called in messages.

    Returns
    -------
    Sweep
        Its base is read from the file that the record names, where that is found from here.
    """
    sweep = build_sweep(**attributes["sweep"], where=where)
    file = str(attributes.get("sweep_file", ""))
    return replace(sweep, base_file=_base_seen_from_here(file, sweep.given["base_path"]))


def _base_seen_from_here(file: str, base: str) -> str:
    """Where a base lies that is known as seen from its sweep file, and that as it was typed; empty where it does not lie there."""
    if os.path.isabs(base):  # in a store of an older version
        return base
    beside = os.path.normpath(os.path.join(os.path.dirname(file), base))
    return next((path for path in (beside, base) if base and os.path.isfile(path)), "")
