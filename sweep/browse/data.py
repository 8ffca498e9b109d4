"""The runs of a store as the page needs them: columns read when first shown and kept until the store goes on, rows of single runs."""

import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from ..notes import Notes
from ..rerun import RecordedRuns
from ..store import layout, reader
from ..views import Columns, adds_up, coded, equal, parameters, ring_axis
from .texts import shown

RUN = "run"


class Data:
    """A store that may still be written.

    Parameters
    ----------
    open_group : opens the store anew, which sees runs that were appended
    place : where it is, in words
    """

    def __init__(self, open_group: Callable[[], zarr.Group], place: str) -> None:
        self._open = open_group
        self.place = place
        self.version = 0  #: raised when there is something new
        self.reading_time = 0.0  #: s, that the last look for something new took
        self._take(open_group())

    def _take(self, group: zarr.Group) -> None:
        self.group = group
        self.columns = Columns(group)
        self.status: NDArray[Any] = reader.column(group, "status")
        self.codes: dict[str, tuple[list[Any], NDArray[np.int64]]] = {}
        self._attributes: dict[str, dict[str, Any]] = {}
        self._arrays: dict[str, NDArray[Any]] = {}

    def refresh(self) -> bool:
        """Look whether more is committed; True where there is."""
        begin = time.perf_counter()
        group = self._open()
        status = reader.column(group, "status")
        changed = status.shape != self.status.shape or bool((status != self.status).any())
        if changed:
            self.__dict__.pop("recorded", None)
            self._take(group)
            self.version += 1
        self.reading_time = time.perf_counter() - begin
        return changed

    @property
    def title(self) -> str:
        return str(self.group.attrs["title"])

    @property
    def runs(self) -> int:
        return self.status.size

    def count(self, state: int) -> int:
        return int((self.status == state).sum())

    @property
    def finished(self) -> bool:
        return self.count(layout.PENDING) == 0

    @cached_property
    def recorded(self) -> RecordedRuns:
        return RecordedRuns.of(self.group)

    def attributes(self, name: str) -> dict[str, Any]:
        """What is written of an array."""
        if name not in self._attributes:
            self._attributes[name] = dict(self.group[name].attrs)
        return self._attributes[name]

    def unit(self, name: str) -> str:
        return "1" if name == RUN else str(self.attributes(name).get("units", "1"))

    def with_unit(self, name: str) -> str:
        return name if self.unit(name) == "1" else f"{name} [{self.unit(name)}]"

    def meaning(self, name: str) -> str:
        return (
            "number of the run" if name == RUN else str(self.attributes(name).get("long_name", ""))
        )

    @cached_property
    def rings(self) -> str | None:
        return ring_axis(self.group)

    @cached_property
    def scalars(self) -> list[str]:
        """Numbers that came out of runs, the most asked for first."""
        known = set(parameters(self.group))
        known |= {
            "run_id",
            "block",
            "in_product",
            "status",
            "stop_reason",
            "error",
            "worker",
            layout.NOTES,
        }
        names = [name for name in reader.scalar_names(self.group) if name not in known]
        first = [
            "M_loss",
            "M_loss_blowout",
            "M_loss_sublimation",
            "M_loss_other",
            "M_supplied",
            "t99",
            "t_end",
            "tau_max",
            "Sigma_0",
            "Sigma_final",
        ]
        return [
            *(name for name in first if name in names),
            *(name for name in names if name not in first),
        ]

    def notes(self, runs: Sequence[int] | NDArray[np.int64] | None = None) -> Notes:
        """What makes runs doubtful, all of them if none are given."""
        chosen = None if runs is None else np.array(runs, dtype=np.int64)
        return Notes.read(self.array, chosen, are_recorded=self.has(layout.NOTES))

    def sums(self, name: str) -> bool:
        """Whether the sum of a scalar over rings is that of the disk."""
        return self.rings is not None and adds_up(self.unit(name))

    def coded(self, name: str) -> tuple[list[Any], NDArray[np.int64]]:
        """Values of a parameter once, and each run's place among them."""
        if name not in self.codes:
            self.codes[name] = coded(self.columns[name])
        return self.codes[name]

    @property
    def varying(self) -> list[str]:
        """Parameters in which runs differ."""
        return [name for name in parameters(self.group) if len(self.coded(name)[0]) > 1]

    @property
    def axes(self) -> list[str]:
        """Axes of a product in which its runs differ; none where the only axis numbers points that were drawn."""
        names = [name for name in reader.axis_names(self.group) if len(self.coded(name)[0]) > 1]
        return [] if any(self._numbers_points(name) for name in names) else names

    def _numbers_points(self, name: str) -> bool:
        is_key = "config_key" in self.attributes(name)
        return not is_key and name != self.rings and self.columns[name].dtype.kind in "iu"

    @property
    def dimensions(self) -> list[str]:
        """What a map may have across and upwards: axes first, then whatever else differs."""
        return [
            *self.axes,
            *(
                name
                for name in self.varying
                if name not in self.axes and not self._numbers_points(name)
            ),
        ]

    def follows(self, name: str, other: str) -> bool:
        """Whether ``name`` is known once ``other`` is."""
        (values, code), (others, other_code) = self.coded(name), self.coded(other)
        return np.unique(code + len(values) * other_code).size == len(others)

    def told(self, name: str) -> bool:
        """Whether a parameter is no axis, and known once one of the axes is."""
        return name not in self.axes and any(self.follows(name, axis) for axis in self.axes)

    def at(self, runs: NDArray[np.int64], fixed: dict[str, Any]) -> NDArray[np.int64]:
        """Those of ``runs`` with these values."""
        for name, value in fixed.items():
            runs = runs[equal(self.columns[name][runs], value)]
        return runs

    def array(self, name: str) -> NDArray[Any]:
        """A whole array (run, ...)."""
        if name not in self._arrays:
            self._arrays[name] = reader.column(self.group, name)
        return self._arrays[name]

    def row(self, name: str, run: int) -> NDArray[Any]:
        """One run's part of an array."""
        return reader.part(self.group, name, run)

    def sizes(self, run: int) -> NDArray[np.float64]:
        """Grain radii of a run [m]."""
        array = reader.array_of(self.group, "s")
        return (
            reader.column(self.group, "s")
            if array.metadata.dimension_names == ("bin",)  # type: ignore[union-attr]
            else self.row("s", run)
        )

    def has(self, name: str) -> bool:
        return name in self.group

    def value(self, name: str, run: int) -> Any:
        """One value of a column as a plain number or text."""
        return self.columns.value(name, run)

    def in_words(self, name: str, value: Any, longest: int = 24) -> str:
        """``4000 K``, not escaped."""
        unit = self.unit(name)
        if value != value:
            return "none"
        return shown(value, longest) + ("" if unit == "1" or isinstance(value, str) else f" {unit}")

    def labels(self, dimension: str) -> list[str]:
        """Names along a dimension, such as those of the cache's slots."""
        return [str(name) for name in reader.column(self.group, dimension).tolist()]
