"""The columns that expectations are about: of values over the cases of a sweep, or over its runs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numpy.typing import NDArray

from .store import layout, reader
from .store.cases import cases
from .store.writer import coordinate
from .views import WORDS, Columns, parameters, runs_of

if TYPE_CHECKING:
    from .plan import Plan


@dataclass(frozen=True, eq=False)
class Rows(Mapping[str, NDArray[Any]]):
    """Columns over the cases of the product, coinciding ones too, or over all runs."""

    columns: Mapping[str, NDArray[Any]]  #: along ``run``
    runs: NDArray[np.int64]  #: (rows,) run of each row
    axes: Mapping[str, NDArray[Any]]  #: (rows,) where on each axis it stands
    #: axes that are a key: of these a run has a value of its own, of others each case a label
    of_run: frozenset[str]

    def __getitem__(self, name: str) -> NDArray[Any]:
        return (
            self.axes[name]
            if name in self.axes and name not in self.of_run
            else self.columns[name][self.runs]
        )

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def only(self, kept: NDArray[np.bool_]) -> "Rows":
        return replace(
            self,
            runs=self.runs[kept],
            axes={name: labels[kept] for name, labels in self.axes.items()},
        )


@dataclass(frozen=True)
class Results:
    """What expectations are asked of: a store, or a row that stands for one that is not made yet."""

    runs: Rows  #: all of them
    cases: Rows  #: of the product of axes
    parameters: Sequence[str]

    @classmethod
    def of(cls, group: zarr.Group) -> "Results":
        """Those in a store."""
        columns, (of_case, labels) = Columns(group), cases(group, list(reader.axis_names(group)))
        keys = frozenset(axis for axis in labels if "config_key" in group[axis].attrs)
        return cls(
            Rows(columns, runs_of(group), {}, frozenset()),
            Rows(columns, of_case, labels, keys),
            parameters(group),
        )

    @classmethod
    def expected(cls, plan: "Plan") -> "Results":
        """One made-up case of a plan, of the kinds that its store will have."""
        made = {
            variable.name: np.zeros(1)
            for variable in layout.variables(shared_grid=True, parts=plan.parts)
            if not variable.dims
        }
        texts = {
            "status": "done",
            "stop_reason": WORDS["stop_reason"][0],
            **dict.fromkeys(("run_id", "error", "worker", layout.NOTES), ""),
        }
        made |= {
            name: np.array([text], dtype=np.dtypes.StringDType()) for name, text in texts.items()
        }
        swept = {name: plan.runs.values[key][:1] for key, name in plan.coordinates.items()}
        axes = {
            plan.coordinates.get(axis.name, axis.name): coordinate(axis.labels)[:1]
            for axis in plan.sweep.axes
        }
        known = {
            "run": np.zeros(1),
            "block": np.zeros(1),
            "in_product": np.ones(1, bool),
            **axes,
            **swept,
        }
        one = Rows({**known, **made}, np.zeros(1, np.int64), axes, frozenset())
        return cls(one, one, [*swept])
