"""The numerical errors that a store holds of runs repeated with tighter steps and other bins."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marsdisk.accuracy.convergence import refinement_for

from ..common.text import text
from ..spec.old_keys import recorded_content
from ..spec.sections import AccuracySpec
from ..store import layout
from ..store.store import Store

ERRORS = ("err_time", "err_bins")
Array = NDArray[Any]


@dataclass(frozen=True)
class Spread:
    """The errors of one kind of one quantity over the runs that were repeated."""

    quantity: str
    kind: str  #: one of :data:`ERRORS`
    largest: float
    median: float
    run: int  #: run with the largest error
    beyond: int  #: number of runs beyond the limit


@dataclass(frozen=True)
class Accuracy:
    """The errors of the runs that were repeated, and their limits."""

    quantities: tuple[str, ...]  #: those that the store compares; earlier versions had fewer
    errors: Mapping[str, Array]  #: (runs, quantities) for each of :data:`ERRORS`
    orders: Array  #: (runs, quantities) order of convergence with bins; NaN where there is none
    limits: Mapping[str, float]  #: for each of :data:`ERRORS`
    compared: Array  #: numbers of the repeated runs
    lost: Array  #: numbers of runs that could not be repeated

    @classmethod
    def of(cls, store: Store, spec: AccuracySpec | None = None) -> "Accuracy | None":
        """Read the errors in a store.

        Parameters
        ----------
        store : Store
            The store.
        spec : AccuracySpec, optional
            Section with the limits; that which the store records if not given.

        Returns
        -------
        Accuracy or None
            None where no run of the store is repeated.
        """
        if not all(name in store for name in ERRORS):
            return None
        if spec is None:
            spec = AccuracySpec.model_validate(
                recorded_content(store.description.sweep).get("accuracy") or {}
            )
        errors = {name: store.column(name) for name in ERRORS}
        repeated = ~np.isnan(errors["err_time"]).any(axis=1)
        failed = repeated.copy()
        for numbers in errors.values():
            failed &= np.isinf(numbers).all(axis=1)
        orders = np.full(errors["err_bins"].shape, np.nan)
        if layout.ORDER_BINS in store:
            orders[:] = store.column(layout.ORDER_BINS)
        return cls(
            quantities=tuple(store.column("quantity").tolist()),
            errors=errors,
            orders=orders,
            limits={"err_time": spec.time_limit, "err_bins": spec.bins_limit},
            compared=np.flatnonzero(repeated & ~failed),
            lost=np.flatnonzero(failed),
        )

    def spread(self, kind: str, quantity: str) -> Spread:
        """Return the spread of one kind of error of a quantity; a run must have been compared."""
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
    def rows(self) -> list[list[str]]:
        """A row for each quantity: of each kind the largest and median error, and runs beyond."""
        rows = []
        for quantity in self.quantities:
            cells = [text(quantity)]
            for kind in ERRORS:
                spread = self.spread(kind, quantity)
                cells += [f"{spread.largest:.2g}", f"{spread.median:.2g}", str(spread.beyond)]
            rows.append(cells)
        return rows

    @property
    def beyond(self) -> list[Spread]:
        """The spreads with runs beyond their limit, the most frequent first."""
        spreads = [self.spread(kind, quantity) for kind in ERRORS for quantity in self.quantities]
        beyond = [spread for spread in spreads if spread.beyond]
        return sorted(beyond, key=lambda spread: -spread.beyond)

    @property
    def within(self) -> dict[str, float]:
        """The quantities within both limits in every run, with the largest of their errors."""
        errors = {}
        for quantity in self.quantities:
            spreads = [self.spread(kind, quantity) for kind in ERRORS]
            if not any(spread.beyond for spread in spreads):
                errors[quantity] = max(spread.largest for spread in spreads)
        return errors

    @property
    def runs_beyond(self) -> int:
        """Number of runs beyond any limit."""
        over = np.zeros(self.compared.size, dtype=bool)
        for kind, limit in self.limits.items():
            over |= (self.errors[kind][self.compared] > limit).any(axis=1)
        return int(over.sum())

    @property
    def neediest(self) -> tuple[int, str]:
        """The run and the quantity that need most bins, by ratio, to be within the limit."""
        limit = self.limits["err_bins"]
        largest_ratio = -1.0
        neediest = (0, "")
        for run in self.compared.tolist():
            for i, quantity in enumerate(self.quantities):
                error = float(self.errors["err_bins"][run, i])
                order = float(self.orders[run, i])
                ratio = refinement_for(error, order, limit)
                if ratio > largest_ratio:
                    largest_ratio = ratio
                    neediest = (run, quantity)
        return neediest
