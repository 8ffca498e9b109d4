"""Quantiles of a result over a sample, with the interval that the sample's size leaves, by group."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from .design import POINT, DesignSpec, given_design
from .errors import StoreError
from .extras import extra
from .outcomes import GOOD, Outcomes, left_out

CONFIDENCE = 0.95
RESAMPLES = 2000
SEED = 20_250_101
BATCH = 4_000_000  # resampled numbers held at once
GROUPS_MAX = 50
TAIL = 5  # runs beyond a quantile, fewer than which do not fix it


@dataclass(frozen=True)
class Spread:
    """Quantiles of one group of cases."""

    at: Mapping[str, Any]
    runs: int  #: that are results
    missing: Mapping[str, int]  #: cases that are none, by what became of them
    quantiles: NDArray[np.float64]  #: NaN where there is no run
    low: NDArray[np.float64]  #: of the interval of each quantile; NaN where runs are too few
    high: NDArray[np.float64]


def independent(group: zarr.Group, found: Outcomes) -> tuple[Outcomes, str]:
    """The cases that are a sample of the distributions in the sweep file, and a remark where they are not all.

    Raises
    ------
    StoreError
        The store's design is no sample of its distributions.
    """
    content: Any = group.attrs["sweep"]
    spec = given_design(content["content"])
    if not isinstance(spec, DesignSpec):
        return found, ""
    if spec.method != "saltelli":
        raise StoreError(
            f"a {spec.method} design does not draw from its distributions, and quantiles over it"
            " mean nothing; use sample: in the sweep file"
        )
    # the first and last of a block are drawn, the others mixed from them
    length = len(spec.axes) + 2
    drawn = np.isin(found.labels[POINT].astype(np.int64) % length, (0, length - 1))
    return (
        found.only(drawn),
        (
            f"only the {int(drawn.sum())} cases that the saltelli design draws independently count"
            " here, not those mixed from them"
        ),
    )


def _intervals(values: NDArray[Any], bins: int | None) -> tuple[NDArray[np.int64], list[str]]:
    """Number and name of the equally filled interval that each value lies in."""
    edges = np.unique(np.quantile(values, np.linspace(0.0, 1.0, (bins or 1) + 1)))
    where: NDArray[np.int64] = np.clip(
        np.searchsorted(edges, values, side="right") - 1, 0, edges.size - 2
    )
    return where, [f"{low:.4g} to {high:.4g}" for low, high in itertools.pairwise(edges)]


def spreads(
    found: Outcomes, by: Sequence[str], quantiles: Sequence[float], bins: int | None = None
) -> list[Spread]:
    """The quantiles in each group of cases with the same values of ``by``, or with values in the same of ``bins`` intervals.

    Raises
    ------
    StoreError
        ``by`` names no axis or parameter, or one with too many values.
    """
    known = {**found.columns, **found.labels}
    unknown = [name for name in by if name not in known]
    if unknown:
        raise StoreError(
            f"--by {', '.join(unknown)}: is no axis or parameter of the sweep; there are"
            f" {', '.join(known) or 'none'}"
        )
    columns = {name: known[name] for name in by}
    names = {}
    for name, column in columns.items():
        if bins and column.dtype.kind in "iuf" and len(set(column.tolist())) > bins:
            columns[name], names[name] = _intervals(column, bins)
    groups = found.groups(columns)
    if len(groups) > GROUPS_MAX:
        raise StoreError(
            f"--by {','.join(by)} makes {len(groups)} groups, {GROUPS_MAX} are shown at most;"
            " --bins 5 makes equally filled intervals of numbers"
        )
    return [
        _spread(
            found,
            {name: names[name][label] if name in names else label for name, label in at.items()},
            rows,
            quantiles,
        )
        for at, rows in groups
    ]


def _spread(
    found: Outcomes, at: Mapping[str, Any], rows: NDArray[np.int64], quantiles: Sequence[float]
) -> Spread:
    values = found.value[rows][found.state[rows] == GOOD]
    nothing = np.full(len(quantiles), np.nan)
    missing = left_out(found.state[rows])
    if not values.size:
        return Spread(at, 0, missing, nothing, nothing, nothing)
    points = np.quantile(values, quantiles)
    if values.size < 2 or np.ptp(values) == 0.0:
        return Spread(at, values.size, missing, points, nothing, nothing)
    bootstrap = extra("scipy.stats", "design", "sweep summary").bootstrap

    def statistic(sample: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        return np.asarray(np.quantile(sample, quantiles, axis=axis))

    drawn = bootstrap(
        (values,),
        statistic,
        confidence_level=CONFIDENCE,
        n_resamples=RESAMPLES,
        batch=max(1, BATCH // values.size),
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    firm = np.minimum(quantiles, 1.0 - np.asarray(quantiles)) * values.size >= TAIL
    return Spread(
        at,
        values.size,
        missing,
        points,
        np.where(firm, drawn.low, np.nan),
        np.where(firm, drawn.high, np.nan),
    )
