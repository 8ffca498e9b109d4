"""A sweep, written in Python or read from a file."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from marsdisk.common.errors import ConfigError
from marsdisk.common.templates import environment, rendered
from marsdisk.common.text import shown

from ..planning.read_sweep import read_sweep, sweep_of
from ..spec.file import Sweep as Definition


class Sweep:
    """A parameter sweep: a base configuration, and what differs between its runs.

    Parameters
    ----------
    base : str or Path
        Configuration that all cases start from.
    name : str
        Name of the sweep; its store is ``results/NAME.zarr`` unless another one is given.
    **sections
        The other sections of a sweep file: ``axes``, ``set``, ``zip``, ``sample``, ``design``,
        ``refine``, ``one_at_a_time``, ``variants``, ``include``, ``exclude``, ``output``,
        ``cache``, ``accuracy``, ``expect``, ``time_limit``, ``block``, ``provenance``. NumPy
        arrays may be given where a file has lists.

    Raises
    ------
    ConfigError
        Something is wrong; the message has a line for each problem.

    Examples
    --------
    >>> study = sweep.Sweep(
    ...     base="builtin:mars_0d_melt",
    ...     axes={"temperature.T0": [3000, 4000], "ring": {"rings": [1.0, 2.7, 8]}},
    ...     set={"numerics.t_end_years": 1.0},
    ... )
    >>> store = sweep.run(study, "results/first.zarr")
    """

    def __init__(self, base: str | Path, name: str = "sweep", **sections: Any) -> None:
        content = {"name": name, "base": os.fspath(base), **_plain(sections)}
        #: for planning and running: the sections, and the points of each axis
        self.definition = sweep_of(content, Path(), where=f"sweep {shown(name)}")

    @classmethod
    def of(cls, definition: Definition) -> "Sweep":
        """Return the sweep of a definition that has been read."""
        sweep = cls.__new__(cls)
        sweep.definition = definition
        return sweep

    @property
    def name(self) -> str:
        """Name of the sweep."""
        return self.definition.spec.name

    @property
    def axes(self) -> dict[str, list[Any]]:
        """The values on each axis, in the order in which the axes were given."""
        return {axis.name: list(axis.labels) for axis in self.definition.axes}

    def _heading(self) -> str:
        spec = self.definition.spec
        return f"sweep {spec.name} of {spec.base}"

    def _lines(self) -> list[str]:
        lines = [axis.summary for axis in self.definition.axes]
        included = len(self.definition.spec.include)
        if included:
            lines.append(f"include: {included}")
        return lines

    def __repr__(self) -> str:
        return "\n".join([self._heading(), *(f"  {line}" for line in self._lines())])

    def _repr_html_(self) -> str:
        templates = environment("sweep.interface")
        return rendered(templates, "lines", heading=self._heading(), lines=self._lines())


def load(file: str | Path, overrides: Mapping[str, Any] | None = None) -> Sweep:
    """Read a sweep file.

    Parameters
    ----------
    file : str or Path
        A YAML file, as for ``sweep run``.
    overrides : mapping, optional
        Values by dotted key for all cases, whatever the file says; like ``--set`` of the command.

    Returns
    -------
    Sweep
        The sweep. :func:`sweep.plan` and :func:`sweep.run` validate its cases.

    Raises
    ------
    ConfigError
        The file is wrong; the message has a line for each problem.

    Examples
    --------
    >>> study = sweep.load("my_sweep.yaml", {"numerics.t_end_years": 0.1})
    """
    return Sweep.of(read_sweep(file, _plain(overrides or {})))


def read(sweep: Sweep | str | Path) -> Sweep:
    """Return a sweep, read from its file if that is given instead."""
    if isinstance(sweep, Sweep):
        return sweep
    if isinstance(sweep, str | Path):
        return load(sweep)
    problem = f"{shown(sweep)} is neither a sweep.Sweep nor the path of a sweep file"
    raise ConfigError([problem], "sweep")


def _plain(value: Any) -> Any:
    """Return a value of Python as a YAML file would have it."""
    if isinstance(value, Mapping):
        return {_plain(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | range):
        return [_plain(part) for part in value]
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value
