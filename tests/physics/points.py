"""Points at which a law is compared with its closed form: every input has several values."""

from collections.abc import Sequence
from typing import Any

import pytest
from _pytest.mark import ParameterSet


def one_at_a_time(base: dict[str, Any], **values: Sequence[Any]) -> list[ParameterSet]:
    """List the ``base`` point, those that differ from it in one input, and one that differs in all.

    Parameters
    ----------
    base : dict
        Each input by its name.
    **values : sequence
        Other values of each input, at least one. An input without other values is an error, so that
        no law is tested at one value of anything.

    Returns
    -------
    list of ParameterSet
        A dict of inputs each, named by what differs from the base.
    """
    if set(base) != set(values) or not all(values.values()):
        raise ValueError(f"give other values of each of {', '.join(base)}")
    points = [pytest.param(base, id="base")]
    for name, alternatives in values.items():
        points += [
            pytest.param({**base, name: value}, id=f"{name}={value}") for value in alternatives
        ]
    points.append(
        pytest.param({name: alternatives[-1] for name, alternatives in values.items()}, id="all")
    )
    return points
