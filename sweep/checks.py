"""The user's own checks: conditions that the results of a sweep must meet, as ``checks:`` of the sweep file has them.

Not to be mixed up with ``check:`` (:class:`sweep.spec.CheckSpec`), which repeats runs to find their
numerical error.
"""

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


class Check(Section):
    """What must hold for every run, or for the runs of every group.

    Checks are no part of the plan: a store says nothing of their results, and with others it stays
    as it is.
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
    def _makes_sense(self) -> "Check":
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
                f"expect = {shown(self.expect)} names no result and no parameter, so that it checks"
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


def parse_checks(given: Any) -> tuple[dict[str, Check], list[str]]:
    """The checks of a sweep file by their names, and a line for everything that is wrong with them before any store is looked at."""
    if not isinstance(given, Mapping):
        return {}, [
            f"checks = {shown(given)}: must be names with checks, such as {{blow-out stays:"
            " {along: T0, expect: ...}}"
        ]
    checks = dict[str, Check]()
    problems = []
    for name, entry in given.items():
        if not isinstance(name, str) or not name.strip():
            problems.append(
                f"checks.{shown_text(str(name))}: the name must be a text; put it in quotes"
            )
            continue
        if not isinstance(entry, Mapping):
            problems.append(
                f"checks.{shown_text(name)} = {shown(entry)}: must be keys with values, such as"
                " {expect: M_loss > 0}"
            )
            continue
        try:
            checks[name] = Check.model_validate(entry)
        except ValidationError as error:
            problems += [f"checks.{shown_text(name)}: {line}" for line in explain(error, Check)]
    return checks, problems


def checks_of(content: Mapping[str, Any], where: str) -> dict[str, Check]:
    """The checks in the content of a sweep file, or of a store's record of one, which ``where`` names; ConfigError if they are no checks."""
    checks, problems = parse_checks(content.get("checks", {}))
    if problems:
        raise ConfigError(problems, where)
    return checks


def unknown_axis(axis: str, axes: Mapping[str, Any]) -> str:
    """That there is no such axis, and which there are."""
    near = difflib.get_close_matches(axis, axes, n=1) or [
        name for name in axes if axis.endswith(f".{name}")
    ]
    known = f"the axes are called {', '.join(axes)}" if axes else "the sweep has none"
    return f"there is no axis {axis}{f'; did you mean {near[0]}?' if near else ''} ({known})"
