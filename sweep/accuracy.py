"""The numerical errors that a store holds, of the runs that were repeated with tighter steps and other bins."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from marsdisk.convergence import refinement_for

from .old_keys import recorded_content
from .spec import AccuracySpec
from .store import layout, reader

ERRORS = ("err_time", "err_bins")
Array = NDArray[Any]


@dataclass(frozen=True)
class Spread:
    """The errors of one kind of one quantity over the runs that were repeated."""

    quantity: str
    kind: str  #: of :data:`ERRORS`
    largest: float
    median: float
    run: int  #: that has the largest
    beyond: int  #: runs beyond the limit


@dataclass(frozen=True)
class Accuracy:
    """The errors of the runs that were repeated, and the limits that they are judged by."""

    quantities: tuple[str, ...]  #: that the store compares: earlier versions compared fewer
    errors: Mapping[str, Array]  #: (runs, quantities) for each of :data:`ERRORS`
    orders: Array  #: (runs, quantities), of the bins; NaN where none is known
    limits: Mapping[str, float]  #: for each of :data:`ERRORS`
    compared: Array  #: numbers of the repeated runs
    lost: Array  #: numbers of those that could not be compared

    @classmethod
    def of(cls, group: zarr.Group, spec: AccuracySpec | None = None) -> "Accuracy | None":
        """Read what a store has.

        Parameters
        ----------
        group : zarr.Group
            Of the store.
        spec : AccuracySpec, optional
            With the limits; those of the store's own sweep if not given.

        Returns
        -------
        Accuracy or None
            None where no run of the store is repeated.
        """
        if not all(name in group for name in ERRORS):
            return None
        if spec is None:
            spec = AccuracySpec.model_validate(recorded_content(group.attrs).get("accuracy") or {})
        errors = {name: reader.column(group, name) for name in ERRORS}
        known = ~np.isnan(errors["err_time"]).any(axis=1)
        failed = known.copy()
        for numbers in errors.values():
            failed &= np.isinf(numbers).all(axis=1)
        orders = np.full(errors["err_bins"].shape, np.nan)
        if layout.ORDER_BINS in group:
            orders[:] = reader.column(group, layout.ORDER_BINS)
        return cls(
            quantities=tuple(reader.column(group, "quantity").tolist()),
            errors=errors,
            orders=orders,
            limits={"err_time": spec.time_limit, "err_bins": spec.bins_limit},
            compared=np.flatnonzero(known & ~failed),
            lost=np.flatnonzero(failed),
        )

    def spread(self, kind: str, quantity: str) -> Spread:
        """How the errors of one kind of one quantity spread; there must be a run to compare."""
        errors = self.errors[kind][self.compared, self.quantities.index(quantity)]
        return Spread(
            quantity,
            kind,
            largest=float(errors.max()),
            median=float(np.median(errors)),
            run=int(self.compared[np.argmax(errors)]),
            beyond=int((errors > self.limits[kind]).sum()),
        )

    @property
    def beyond(self) -> list[Spread]:
        """The spreads with runs beyond their limit, the most frequent first."""
        spreads = [self.spread(kind, quantity) for kind in ERRORS for quantity in self.quantities]
        return sorted((found for found in spreads if found.beyond), key=lambda found: -found.beyond)

    @property
    def within(self) -> dict[str, float]:
        """The quantities within both limits in every run, with the largest of their errors."""
        errors = {}
        for quantity in self.quantities:
            both = [self.spread(kind, quantity) for kind in ERRORS]
            if not any(found.beyond for found in both):
                errors[quantity] = max(found.largest for found in both)
        return errors

    @property
    def runs_beyond(self) -> int:
        """How many runs are beyond any limit."""
        over = np.zeros(self.compared.size, dtype=bool)
        for kind, limit in self.limits.items():
            over |= (self.errors[kind][self.compared] > limit).any(axis=1)
        return int(over.sum())

    @property
    def neediest(self) -> tuple[int, str]:
        """The run and the quantity that need most more bins to be within the limit."""
        limit = self.limits["err_bins"]
        most = -1.0
        where = (0, "")
        for run in self.compared.tolist():
            for i, quantity in enumerate(self.quantities):
                error = self.errors["err_bins"][run, i]
                order = self.orders[run, i]
                times = refinement_for(float(error), float(order), limit)
                if times > most:
                    most = times
                    where = (run, quantity)
        return where
