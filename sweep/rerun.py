"""One run of a store again: its overrides, its configuration, and the command that runs it alone."""

import json
import shlex
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from marsdisk.config import RunConfig, Variations

from .axes import Axis, Overrides, short_names
from .errors import StoreError
from .plan import value_at
from .spec import Sweep, build_sweep
from .store import reader
from .store.writer import coordinate


def rerun_command(sweep: Sweep, overrides: Mapping[str, Any], verb: str = "run") -> str:
    """The command that runs (or checks) one case of a sweep alone."""
    spec, given = sweep.spec, sweep.given
    output = {f"output.{key}": value for key, value in spec.output.items()}
    settings = {**spec.set, **output, **given["command_line"], **overrides}
    words = (part for key, value in settings.items() for part in ("--set", f"{key}={value if isinstance(value, str) else json.dumps(value)}"))
    return shlex.join(["marsdisk", verb, given["base_path"], *words])


class RecordedRuns:
    """The runs of a store as its own record of the sweep gives them, found by their coordinates: no case is validated but those asked for.

    Parameters
    ----------
    attributes : of the store
    column : gives a coordinate along ``run`` by its name

    Examples
    --------
    >>> group = reader.open_group("results/temperature_supply.zarr")
    >>> RecordedRuns.of(group).command(17)
    'marsdisk run .../mars_0d_melt.yaml --set numerics.t_end_until_temperature_K=2000.0 ...'
    """

    def __init__(self, attributes: Mapping[str, Any], column: Callable[[str], NDArray[Any]]) -> None:
        self._given = attributes["sweep"]
        self._column = column

    @classmethod
    def of(cls, group: zarr.Group) -> "RecordedRuns":
        """Of an open store."""
        return cls(group.attrs, lambda name: reader.column(group, name))

    @cached_property
    def sweep(self) -> Sweep:
        """The sweep that the store was made for."""
        return build_sweep(**self._given, where="the store's record of its sweep")

    def overrides(self, run: int) -> Overrides:
        """What the case of a run sets, beside what holds for all cases."""
        return self._case(run)[0]

    def config(self, run: int) -> RunConfig:
        """The resolved configuration of a run."""
        return self._case(run)[1]

    def command(self, run: int, verb: str = "run") -> str:
        """The command that runs (or checks) a run of the store alone."""
        return rerun_command(self.sweep, self.overrides(run), verb)

    def _case(self, run: int) -> tuple[Overrides, RunConfig]:
        stored = {name: column[run : run + 1].tolist()[0] for name, column in self._columns.items()}
        told = {axis.name: stored[self._names.get(axis.name, axis.name)] for axis in self.sweep.axes if self._tells(axis)}
        for overrides in self.sweep.cases_at(told) if stored["in_product"] else self.sweep.spec.include:
            config = self._variations.config(overrides)
            if all(_is_stored(value_at(config, key), stored[name]) for key, name in self._names.items()):
                return dict(overrides), config
        raise StoreError(f"run {run} is no case of the sweep that the store records; the store was changed, or made by another version")

    def _tells(self, axis: Axis) -> bool:
        """Whether what is stored for an axis are its labels themselves: not texts of them, nor what a variant has put over them."""
        kinds = {type(label) for label in axis.labels}
        alone = all(other is axis or not {*axis.keys} & {*other.keys} for other in self.sweep.axes)
        return alone and (kinds <= {str} or kinds <= {int, float} or kinds <= {bool})

    @cached_property
    def _variations(self) -> Variations:
        return Variations(self.sweep.base)

    @cached_property
    def _names(self) -> dict[str, str]:
        return short_names(self.sweep.swept_keys())

    @cached_property
    def _columns(self) -> dict[str, NDArray[Any]]:
        names = ["in_product", *self._names.values(), *(self._names.get(axis.name, axis.name) for axis in self.sweep.axes)]
        return {name: self._column(name) for name in dict.fromkeys(names)}


def _is_stored(value: Any, stored: Any) -> bool:
    if isinstance(stored, str):
        return stored == str(value)
    return bool(coordinate([value]).tolist()[0] == stored or (value is None and stored != stored))


def find_run(group: zarr.Group, name: str) -> int:
    """The run that a number, a run_id or the beginning of one names.

    Raises
    ------
    StoreError
        There is none, or several.
    """
    number = int(name) if name.isascii() and name.isdecimal() and len(name) < 16 else -1
    attributes: Mapping[str, Any] = group.attrs
    if 0 <= number < attributes["rows"] and reader.part(group, "run_id", number):  # empty in rows that hold no run
        return number
    ids = reader.column(group, "run_id")
    found = np.flatnonzero(np.strings.startswith(ids, name)) if name else np.arange(0)
    if found.size == 1:
        return int(found[0])
    if found.size:
        some = ", ".join(str(ids[run]) for run in found[:3])
        raise StoreError(f"{found.size} runs have a run_id that begins with {name!r} ({some}, ...); give more of it")
    raise StoreError(
        f"there is no run {name!r}, neither by number nor by the beginning of its run_id; give a number from 0 to {ids.size - 1}, "
        "or see: sweep show STORE --columns run_id"
    )
