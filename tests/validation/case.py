"""Parts of a comparison with the literature: rows of a table, and a figure."""

import functools
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from marsdisk.physics.grid import Array


@dataclass(frozen=True)
class Row:
    """A number of the model, and the number that it is compared with.

    Parameters
    ----------
    quantity : str
        What it is, with its unit.
    ours, expected : float
        Value of the model, and that of the literature.
    tolerance : float
        Largest relative difference that passes.
    difference : float
        Relative difference: that of the two values or, where more were compared, the largest.

    Examples
    --------
    >>> Row.compare("a length [m]", 1.01, 1.0, 0.1).passes
    True
    """

    quantity: str
    ours: float
    expected: float
    tolerance: float
    difference: float

    @classmethod
    def compare(cls, quantity: str, ours: float, expected: float, tolerance: float) -> "Row":
        """Return the row of a single pair of values."""
        return cls(quantity, ours, expected, tolerance, ours / expected - 1.0)

    @classmethod
    def compare_series(cls, quantity: str, ours: Array, expected: Array, tolerance: float) -> "Row":
        """Return the row of a series: its last values, and the largest difference of all."""
        differences = np.asarray(ours) / np.asarray(expected) - 1.0
        largest = float(differences[np.argmax(np.abs(differences))])
        return cls(quantity, float(ours[-1]), float(expected[-1]), tolerance, largest)

    @property
    def passes(self) -> bool:
        """Whether the difference is within the tolerance; NaN is not."""
        return abs(self.difference) <= self.tolerance


class Curve(NamedTuple):
    """Points of a figure, joined where they are an expectation."""

    x: Array
    y: Array
    label: str
    kind: str = "ours"  #: or "expected"


class Panel(NamedTuple):
    """A plot of a figure."""

    xlabel: str
    ylabel: str
    curves: tuple[Curve, ...]
    xscale: str = "log"
    yscale: str = "log"
    shaded: tuple[float, float] | None = None  #: range of x in which a slope was measured


class Outcome(NamedTuple):
    """Results of a case."""

    rows: tuple[Row, ...]
    panels: tuple[Panel, ...]


class Case(NamedTuple):
    """A comparison: its subject, its source, and its computation.

    The texts go into the page as they are.
    """

    name: str  #: of its figure, too
    title: str
    sources: tuple[str, ...]
    text: str  #: the set-up, and what is expected of it
    reason: str  #: why the tolerances are what they are
    compute: Callable[[], Outcome]
    needs: str | None = None  #: an optional package

    @property
    def can_run(self) -> bool:
        """Whether the package that it needs is installed."""
        return self.needs is None or importlib.util.find_spec(self.needs) is not None

    def outcome(self) -> Outcome:
        """Return what the case finds, computed once per process."""
        return _outcome(self.compute)


@functools.cache
def _outcome(compute: Callable[[], Outcome]) -> Outcome:
    return compute()
