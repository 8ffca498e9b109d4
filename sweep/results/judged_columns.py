"""The columns that expectations are evaluated on: values of each case of a sweep, or each run."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..store.cases import cases
from ..store.store import Store
from .columns import Columns, runs_of


@dataclass(frozen=True, eq=False)
class Rows(Mapping[str, NDArray[Any]]):
    """Columns over all cases of the product, or over all runs.

    Cases that share a run have a row each.
    """

    columns: Mapping[str, NDArray[Any]]  #: (runs,) arrays of the store
    runs: NDArray[np.int64]  #: (rows,) run of each row
    axes: Mapping[str, NDArray[Any]]  #: (rows,) label on each axis
    #: Axes that are configuration keys. Their values are read from the run; on other axes each case
    #: has a label.
    key_axes: frozenset[str]

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name in self.axes and name not in self.key_axes:
            return self.axes[name]
        return self.columns[name][self.runs]

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def only(self, chosen: NDArray[np.bool_]) -> "Rows":
        """Return the rows that are chosen."""
        axes = {name: labels[chosen] for name, labels in self.axes.items()}
        return replace(self, runs=self.runs[chosen], axes=axes)


@dataclass(frozen=True)
class Results:
    """The results of a store, or a row that stands for those of a store not created yet."""

    runs: Rows  #: all runs
    cases: Rows  #: cases of the product of axes
    parameters: Sequence[str]  #: names of the swept parameters
    names: Mapping[str, str]  #: name of each swept configuration key

    @classmethod
    def of(cls, store: Store) -> "Results":
        """Return the results in a store."""
        columns = Columns(store)
        run_of_case, labels = cases(store, list(store.axes))
        key_axes = frozenset(axis for axis in labels if store.is_key(axis))
        return cls(
            Rows(columns, runs_of(store), {}, frozenset()),
            Rows(columns, run_of_case, labels, key_axes),
            store.parameters,
            store.keys,
        )
