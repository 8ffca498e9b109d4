"""Expectations: the conditions under ``expect:`` of a sweep file that its results must meet."""

import difflib
from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationError, model_validator

from marsdisk.config_errors import explain
from marsdisk.config_sections import Section
from marsdisk.errors import ConfigError
from marsdisk.physics.textfile import shown, shown_text

from .expressions import Expression
from .groups import OF_GROUP, OF_ORDER
from .old_keys import with_new_names, with_old_names


class Expectation(Section):
    """A condition that must hold for every run, or for the runs of every group.

    Expectations are not part of the plan: a store does not hold their results, and they may be
    changed at any time.
    """

    expect: str = Field(
        description="condition that must hold, over scalars of the store and swept parameters"
    )
    over: str | list[str] | None = Field(
        None,
        description="axes whose runs, equal on all other axes, make a group",
        json_schema_extra={"allowed": "the name of an axis, or a list of such names"},
    )
    along: str | None = Field(
        None,
        description=(
            "axis whose runs, equal on all other axes, make a group, in the order of its values"
        ),
    )
    where: str | None = Field(None, description="only runs for which it holds")

    @model_validator(mode="after")
    def _makes_sense(self) -> "Expectation":
        if self.over is not None and self.along is not None:
            raise ValueError("over and along both make groups; give one of them")
        if self.over is not None and (not self.axes or len(set(self.axes)) < len(self.axes)):
            raise ValueError(f"over = {shown(self.over)} must name one axis or more, each once")
        expect = Expression(self.expect)
        called = {*expect.calls}
        lonely = [name for name in expect.calls if name in (*OF_GROUP, *OF_ORDER) and not self.axes]
        if lonely:
            raise ValueError(
                f"{lonely[0]} asks for a group: give over, or along where the order counts, with an"
                " axis"
            )
        unordered = [name for name in expect.calls if name in OF_ORDER and self.along is None]
        if unordered:
            raise ValueError(f"{unordered[0]} asks for an order: give along instead of over")
        if self.axes and not called & {*OF_GROUP, *OF_ORDER}:
            raise ValueError(
                f"expect asks nothing of a group: use {', '.join((*OF_GROUP, *OF_ORDER))}, or drop"
                " over and along"
            )
        if not expect.names:
            raise ValueError(
                f"expect = {shown(self.expect)} names no result and no parameter, so that it tests"
                " nothing"
            )
        if self.where is not None:
            Expression(self.where)
        return self

    @property
    def axes(self) -> list[str]:
        """Those along which the runs of a group differ; none where each run is judged alone."""
        return (
            [self.along]
            if self.along is not None
            else [self.over]
            if isinstance(self.over, str)
            else list(self.over or ())
        )

    @property
    def words(self) -> str:
        """All of it in one line."""
        over = (
            [f"over {', '.join(self.axes)}" if self.along is None else f"along {self.along}"]
            if self.axes
            else []
        )
        return ", ".join(
            [self.expect, *over, *([f"where {self.where}"] if self.where is not None else [])]
        )


def parse_expectations(given: Any) -> tuple[dict[str, Expectation], list[str]]:
    """Return the expectations of a sweep file by name, and a line for each problem of theirs."""
    if not isinstance(given, Mapping):
        return {}, [
            f"expect = {shown(given)}: must be names with conditions, such as {{blow-out stays:"
            " {along: T0, expect: ...}}"
        ]
    expectations = dict[str, Expectation]()
    problems = []
    for name, entry in given.items():
        if not isinstance(name, str) or not name.strip():
            problems.append(
                f"expect.{shown_text(str(name))}: the name must be a text; put it in quotes"
            )
            continue
        if not isinstance(entry, Mapping):
            problems.append(
                f"expect.{shown_text(name)} = {shown(entry)}: must be keys with values, such as"
                " {expect: M_loss > 0}"
            )
            continue
        try:
            expectations[name] = Expectation.model_validate(entry)
        except ValidationError as error:
            problems += [
                f"expect.{shown_text(name)}: {line}" for line in explain(error, Expectation)
            ]
    return expectations, problems


def checks_of(content: Mapping[str, Any], where: str) -> dict[str, Expectation]:
    """Return the expectations in the content of a sweep file.

    Parameters
    ----------
    content : mapping
        The sections of a sweep file, or of a store's record of one.
    where : str
        Name of the file or the store in messages.

    Returns
    -------
    dict
        Expectations by name.

    Raises
    ------
    ConfigError
        With a line for each problem.
    """
    expectations, problems = parse_expectations(with_new_names(content, where).get("expect", {}))
    if problems:
        raise with_old_names(ConfigError(problems, where), content)
    return expectations


def unknown_axis(axis: str, axes: Mapping[str, Any]) -> str:
    """That there is no such axis, and which there are."""
    near = difflib.get_close_matches(axis, axes, n=1) or [
        name for name in axes if axis.endswith(f".{name}")
    ]
    known = f"the axes are called {', '.join(axes)}" if axes else "the sweep has none"
    return f"there is no axis {axis}{f'; did you mean {near[0]}?' if near else ''} ({known})"
