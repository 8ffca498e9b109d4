"""Quantiles of a result over a sample, by group, with their confidence intervals."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common.errors import StoreError
from ..common.optional import extra
from ..spec.designs import POINT, DesignSpec, given_design
from ..store.store import Store
from .outcomes import GOOD, Outcomes, left_out

CONFIDENCE = 0.95
RESAMPLES = 2000
SEED = 20_250_101
MAX_NUMBERS_PER_BATCH = 4_000_000  #: resampled numbers in memory at once
MAX_GROUPS = 50
MIN_RUNS_IN_TAIL = 5  #: fewest runs beyond a quantile for its interval to be shown


@dataclass(frozen=True)
class Spread:
    """Quantiles of one group of cases."""

    at: Mapping[str, Any]  #: label of the group in each column that it is formed by
    runs: int  #: number of cases with a result
    missing: Mapping[str, int]  #: number of the other cases by their state
    quantiles: NDArray[np.float64]  #: NaN without any run
    #: lower end of the interval of each quantile; NaN with too few runs, or without a sample
    low: NDArray[np.float64]
    high: NDArray[np.float64]  #: upper end


def independent(store: Store, outcomes: Outcomes) -> tuple[Outcomes, str]:
    """Return the cases that are a sample of the distributions in the sweep file.

    Parameters
    ----------
    store : Store
        The store.
    outcomes : Outcomes
        All cases of the store.

    Returns
    -------
    Outcomes
        The cases that were drawn independently.
    str
        A remark if these are not all cases, otherwise empty.

    Raises
    ------
    StoreError
        The store's design is no sample of its distributions.
    """
    if not isinstance(given_design(store.description.sweep.content), DesignSpec):
        return outcomes, ""
    is_drawn = drawn_independently(store, outcomes.labels[POINT])
    remark = (
        f"only the {int(is_drawn.sum())} cases that the saltelli design draws independently count"
        " here, not those mixed from them"
    )
    return outcomes.only(is_drawn), remark


def drawn_independently(store: Store, points: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which points of a store's design are a sample of the distributions in the sweep file.

    Parameters
    ----------
    store : Store
        The store.
    points : array of int
        Numbers of points.

    Raises
    ------
    StoreError
        The design is no sample of its distributions.
    """
    design = given_design(store.description.sweep.content)
    if not isinstance(design, DesignSpec):
        return np.ones(points.size, np.bool_)
    if design.method != "saltelli":
        raise StoreError(
            f"a {design.method} design does not draw from its distributions, and quantiles over it"
            " mean nothing; use sample: in the sweep file"
        )
    # the first and the last point of a block are drawn, the others are mixed from these two
    block_length = len(design.axes) + 2
    number_in_block = points.astype(np.int64) % block_length
    return np.isin(number_in_block, (0, block_length - 1))


def _intervals(values: NDArray[Any], bins: int) -> tuple[NDArray[np.int64], list[str]]:
    """Return the index of the equally filled interval of each value, and the intervals' names."""
    edges = np.unique(np.quantile(values, np.linspace(0.0, 1.0, bins + 1)))
    index = np.searchsorted(edges, values, side="right") - 1
    interval: NDArray[np.int64] = np.clip(index, 0, edges.size - 2)
    names = [f"{low:.4g} to {high:.4g}" for low, high in itertools.pairwise(edges)]
    return interval, names


def spreads(
    outcomes: Outcomes, by: Sequence[str], quantiles: Sequence[float], bins: int | None = None
) -> list[Spread]:
    """Return the quantiles in each group of cases.

    Parameters
    ----------
    outcomes : Outcomes
        The cases.
    by : sequence of str
        Axes or parameters; cases with the same labels form a group.
    quantiles : sequence of float
        Probabilities.
    bins : int, optional
        Columns with more distinct numbers are grouped by this many equally filled intervals.

    Returns
    -------
    list of Spread
        In the order of the labels.

    Raises
    ------
    StoreError
        ``by`` names no axis or parameter, or one with too many values.
    """
    available = {**outcomes.columns, **outcomes.labels}
    unknown = [name for name in by if name not in available]
    if unknown:
        raise StoreError(
            f"--by {', '.join(unknown)}: is no axis or parameter of the sweep; there are"
            f" {', '.join(available) or 'none'}"
        )
    columns = {name: available[name] for name in by}
    interval_names = dict[str, list[str]]()
    for name, column in columns.items():
        if bins and column.dtype.kind in "iuf" and len(set(column.tolist())) > bins:
            columns[name], interval_names[name] = _intervals(column, bins)
    groups = outcomes.groups(columns)
    if len(groups) > MAX_GROUPS:
        raise StoreError(
            f"--by {','.join(by)} makes {len(groups)} groups, {MAX_GROUPS} are shown at most;"
            " --bins 5 groups numbers into equally filled intervals"
        )
    spreads_of_groups = list[Spread]()
    for labels, cases in groups:
        for name, names in interval_names.items():
            labels[name] = names[labels[name]]
        spreads_of_groups.append(_spread(outcomes, labels, cases, quantiles))
    return spreads_of_groups


def _spread(
    outcomes: Outcomes,
    labels: Mapping[str, Any],
    cases: NDArray[np.int64],
    quantiles: Sequence[float],
) -> Spread:
    values = outcomes.value[cases][outcomes.state[cases] == GOOD]
    missing = left_out(outcomes.state[cases])
    nothing = np.full(len(quantiles), np.nan)
    if not values.size:
        return Spread(labels, 0, missing, nothing, nothing, nothing)
    estimates = np.quantile(values, quantiles)
    is_sample = POINT in outcomes.labels
    if not is_sample or values.size < 2 or np.ptp(values) == 0.0:
        return Spread(labels, values.size, missing, estimates, nothing, nothing)
    bootstrap = extra("scipy.stats", "design", "sweep summary").bootstrap

    def statistic(sample: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        return np.asarray(np.quantile(sample, quantiles, axis=axis))

    interval = bootstrap(
        (values,),
        statistic,
        confidence_level=CONFIDENCE,
        n_resamples=RESAMPLES,
        batch=max(1, MAX_NUMBERS_PER_BATCH // values.size),
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    runs_in_tail = np.minimum(quantiles, 1.0 - np.asarray(quantiles)) * values.size
    has_interval = runs_in_tail >= MIN_RUNS_IN_TAIL
    low = np.where(has_interval, interval.low, np.nan)
    high = np.where(has_interval, interval.high, np.nan)
    return Spread(labels, values.size, missing, estimates, low, high)
