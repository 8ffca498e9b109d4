"""Expectations: the conditions under ``expect:`` of a sweep file that its results must meet."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationError, model_validator

from marsdisk.common.errors import ConfigError
from marsdisk.common.text import shown, shown_text
from marsdisk.config.explain import explain
from marsdisk.config.sections import Section

from ..common.text import did_you_mean
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
        condition = Expression(self.expect)
        self._refuse_misplaced_functions(condition)
        if not condition.names:
            raise ValueError(
                f"expect = {shown(self.expect)} names no result and no parameter, so that it tests"
                " nothing"
            )
        if self.where is not None:
            Expression(self.where)
        return self

    def _refuse_misplaced_functions(self, condition: Expression) -> None:
        """Raise ValueError where functions of groups and the groups do not belong together."""
        functions = (*OF_GROUP, *OF_ORDER)
        of_groups = [name for name in condition.calls if name in functions]
        if of_groups and not self.axes:
            raise ValueError(
                f"{of_groups[0]} asks for a group: give over, or along where the order counts,"
                " with an axis"
            )
        of_order = [name for name in of_groups if name in OF_ORDER]
        if of_order and self.along is None:
            raise ValueError(f"{of_order[0]} asks for an order: give along instead of over")
        if self.axes and not of_groups:
            raise ValueError(
                f"expect asks nothing of a group: use {', '.join(functions)}, or drop over and"
                " along"
            )

    @property
    def axes(self) -> list[str]:
        """Axes along which the runs of a group differ; empty where each run is judged alone."""
        if self.along is not None:
            return [self.along]
        if isinstance(self.over, str):
            return [self.over]
        return list(self.over or ())

    def renamed(self, names: Mapping[str, str]) -> "Expectation":
        """Return the expectation with other names of its axes."""
        if self.along is not None:
            return self.model_copy(update={"along": names.get(self.along, self.along)})
        if self.over is not None:
            return self.model_copy(update={"over": [names.get(axis, axis) for axis in self.axes]})
        return self

    @property
    def words(self) -> str:
        """The whole expectation in one line."""
        words = [self.expect]
        if self.along is not None:
            words.append(f"along {self.along}")
        elif self.axes:
            words.append(f"over {', '.join(self.axes)}")
        if self.where is not None:
            words.append(f"where {self.where}")
        return ", ".join(words)


def parse_expectations(section: Any) -> tuple[dict[str, Expectation], list[str]]:
    """Return the expectations of a sweep file by name, and a line for each problem of theirs."""
    if not isinstance(section, Mapping):
        return {}, [
            f"expect = {shown(section)}: must be names with conditions, such as {{blow-out stays:"
            " {along: T0, expect: ...}}"
        ]
    expectations = dict[str, Expectation]()
    problems = []
    for name, entry in section.items():
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


def expectations_of(content: Mapping[str, Any], where: str) -> dict[str, Expectation]:
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
    """Return a message that there is no such axis, with the names of those that there are."""
    suggestion = did_you_mean(axis, axes)
    names = f"the axes are called {', '.join(axes)}" if axes else "the sweep has none"
    return f"there is no axis {axis}{suggestion} ({names})"
