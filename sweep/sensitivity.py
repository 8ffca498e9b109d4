"""How much of a result's variation each parameter causes, from the runs of a store, with intervals and how they settled with n."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from .design import HARMONICS, POINT, DesignSpec, given_design
from .errors import StoreError
from .extras import extra
from .outcomes import GOOD, Outcomes, left_out

Array = NDArray[np.float64]

CONFIDENCE = 0.95
SEED = 20_250_101  # of the resampling; SALib takes 0 for none
# at most so many, at least, and numbers held at once
RESAMPLES_MAX = 1000
RESAMPLES_MIN = 100
RESAMPLED = 4_000_000
# of PAWN, as many as have 80 runs each; SALib's own steps overshoot for some other numbers
SLIDES = (10, 8, 5, 4, 2)
PAWN_RESAMPLES = 50
# blocks, trajectories, or a hundredth of the runs of a given sample, for an index that means
# something
FEWEST = 8
DUMMY = "(a parameter without effect)"


@dataclass(frozen=True)
class Measure:
    """How a method's numbers are called and judged."""

    main: str  #: what ranks the parameters
    columns: Mapping[str, str]  #: name of each index with its meaning
    unit: str  #: what a block is
    limit: float  #: of a change with twice the n, and of half an interval, in parts of ``scale``
    relative: bool = False  #: whether the scale is the largest index, not 1

    @property
    def units(self) -> str:
        """Several of ``unit``."""
        return {"trajectory": "trajectories"}.get(self.unit, f"{self.unit}s")


_SHARES = {
    "S1": "share of the variance that the parameter causes alone",
    "ST": "share it causes together with all others",
}
MEASURES = {
    "saltelli": Measure("ST", _SHARES, "block", 0.05),  # limits: Sarrazin, Pianosi & Wagener (2016)
    "fast": Measure("ST", _SHARES, "curve", 0.05),
    "morris": Measure(
        "mu_star",
        {
            "mu_star": "mean size of the change over the parameter's range",
            "mu": "its mean with sign",
            "sigma": "its scatter: interaction or curvature",
        },
        "trajectory",
        0.1,
        relative=True,
    ),
    "pawn": Measure(
        "PAWN",
        {
            "PAWN": (
                "largest distance of the distributions with the parameter fixed and free, median"
                " over its slides"
            )
        },
        "run",
        0.05,
    ),
}


@dataclass(frozen=True)
class Indices:
    """Indices of all parameters from ``n`` blocks."""

    n: int
    of: Mapping[str, Array]  #: (parameters,) by index, and half an interval by index + "_conf"


@dataclass(frozen=True)
class Answer:
    """The indices of one group of cases."""

    at: Mapping[str, Any]  #: labels on the other axes
    method: str
    names: list[str]
    final: Indices
    steps: tuple[Indices, ...]  #: from fewer blocks to all
    dropped: int  #: blocks left out, since a run of theirs is no result
    missing: Mapping[str, int]  #: cases that are no result
    notes: tuple[str, ...] = field(default=())

    @property
    def measure(self) -> Measure:
        return MEASURES[self.method]

    @property
    def scale(self) -> float:
        """What differences are measured against."""
        return (
            float(np.max(np.abs(self.final.of[self.measure.main])))
            if self.measure.relative
            else 1.0
        )

    @property
    def change(self) -> float:
        """Largest change of the main index since half the blocks; infinite where there were too few to tell."""
        if len(self.steps) < 2:
            return float("inf")
        return float(
            np.max(np.abs(self.final.of[self.measure.main] - self.steps[-2].of[self.measure.main]))
        )

    @property
    def widest(self) -> float:
        """Half of the widest interval of the main index."""
        return float(np.max(self.final.of[f"{self.measure.main}_conf"]))

    @property
    def settled(self) -> bool:
        """Whether neither more blocks nor the intervals would change much."""
        return max(self.change, self.widest) <= self.measure.limit * self.scale


def _resamples(n: int) -> int:
    return int(np.clip(RESAMPLED // max(n, 1), RESAMPLES_MIN, RESAMPLES_MAX))


def _problem(names: Sequence[str]) -> dict[str, Any]:
    return {"num_vars": len(names), "names": list(names), "bounds": [[0.0, 1.0]] * len(names)}


def _saltelli(y: Array, x: Array, names: Sequence[str]) -> dict[str, Array]:
    """From (blocks, D + 2) results."""
    analyze = extra("SALib.analyze.sobol", "design", "sweep sensitivity").analyze
    options = {
        "calc_second_order": False,
        "num_resamples": _resamples(len(y)),
        "conf_level": CONFIDENCE,
        "seed": SEED,
    }
    return {
        name: np.asarray(values)
        for name, values in analyze(_problem(names), y.ravel(), **options).items()
    }


def _morris(y: Array, x: Array, names: Sequence[str], levels: int) -> dict[str, Array]:
    """From (trajectories, D + 1) results at the points ``x``: only the direction of each move is used of them."""
    analyze = extra("SALib.analyze.morris", "design", "sweep sensitivity").analyze
    options = {
        "num_resamples": _resamples(len(y)),
        "conf_level": CONFIDENCE,
        "num_levels": levels,
        "seed": SEED,
    }
    found = analyze(_problem(names), x.reshape(-1, len(names)), y.ravel(), **options)
    return {
        name: np.asarray(found[name], dtype=np.float64)
        for name in ("mu_star", "mu_star_conf", "mu", "sigma")
    }


def _fast(curves: Sequence[Array]) -> dict[str, Array]:
    """From the (curves, n) results of each parameter; the interval is Student's, of the scatter between curves."""
    compute = extra("SALib.analyze.fast", "design", "sweep sensitivity").compute_orders
    student = extra("scipy.stats", "design", "sweep sensitivity").t
    found: dict[str, list[float]] = {name: [] for name in ("S1", "S1_conf", "ST", "ST_conf")}
    for of in curves:
        n = of.shape[1]
        orders = np.array(
            [compute(curve, n, HARMONICS, (n - 1) // (2 * HARMONICS)) for curve in of]
        )
        half = (
            student.ppf(0.5 + CONFIDENCE / 2.0, len(of) - 1)
            * orders.std(axis=0, ddof=1)
            / np.sqrt(len(of))
        )
        for i, name in enumerate(("S1", "ST")):
            found[name].append(float(orders[:, i].mean()))
            found[f"{name}_conf"].append(float(half[i]))
    return {name: np.array(values) for name, values in found.items()}


def _pawn(y: Array, x: Array, names: Sequence[str]) -> dict[str, Array]:
    """From any runs. Parameters enter by rank, ties in random order, so that a grid's few values make whole slides, too.

    The last column of the result is that of a parameter without effect: what noise alone gives
    (Pianosi & Wagener 2018).
    """
    analyze = extra("SALib.analyze.pawn", "design", "sweep sensitivity").analyze
    random = np.random.default_rng(SEED)
    problem = _problem([*names, DUMMY])
    columns = np.column_stack([x, random.random(len(y))])
    slides = next(count for count in SLIDES if 80 * count <= len(y) or count == SLIDES[-1])

    def medians(rows: NDArray[np.int64]) -> Array:
        ranks = np.column_stack(
            [
                np.argsort(np.lexsort((random.random(rows.size), column[rows])))
                for column in columns.T
            ]
        )
        return np.asarray(analyze(problem, ranks.astype(np.float64), y[rows], S=slides)["median"])

    index = medians(np.arange(len(y)))
    scatter = np.std(
        [medians(np.sort(random.integers(len(y), size=len(y)))) for _ in range(PAWN_RESAMPLES)],
        axis=0,
        ddof=1,
    )
    return {"PAWN": index, "PAWN_conf": 1.96 * scatter}


def _numbers(column: NDArray[Any], spec: DesignSpec | None, key: str) -> Array:
    """A parameter's values; the place in its list of choices, or among all values, where it is text."""
    if column.dtype.kind in "iufb":
        return column.astype(np.float64)
    texts = column.tolist()
    known = (
        [str(value) for value in spec.axes[key].get("choice", [])]
        if spec is not None
        else sorted(set(texts))
    )
    return np.array([known.index(text) for text in texts], dtype=np.float64)


def _halves(n: int, fewest: int) -> list[int]:
    """n, n/2, n/4 ... from the smallest to n."""
    return [n] if n < 2 * fewest else [*_halves(n // 2, fewest), n][-5:]


def _refuse(condition: bool, message: str) -> None:
    if condition:
        raise StoreError(message)


def answers(
    group: zarr.Group, found: Outcomes, *, method: str | None, allowed: float
) -> list[Answer]:
    """Indices for each combination of labels on the axes besides the design.

    Parameters
    ----------
    method : None takes the design's own; ``pawn`` works on any cases, the labels of the other axes being parameters, too
    allowed : share of the blocks that may be left out

    Raises
    ------
    StoreError
        The store has no such design, too much of it is missing, or the target does not vary.
    """
    content: Any = group.attrs["sweep"]
    spec = given_design(content["content"])
    design = spec if isinstance(spec, DesignSpec) else None
    if method == "pawn" or (method is None and design is None):
        return [_given_data(found, allowed)]
    if design is None or (method is not None and method != design.method):
        has = f"has a design of method {design.method}" if design else "has no design for it"
        raise StoreError(
            f"--method {method}: the store {has}; use --method pawn, which takes any runs, or run a"
            f" sweep with design: {{method: {method}}}"
        )
    by_key = {str(group[name].attrs.get("config_key", "")): name for name in found.columns}
    names = [by_key[key] for key in design.axes]
    others = {axis: found.labels[axis] for axis in found.axes if axis != POINT}
    return [
        _of_design(found, at, rows, design, names, allowed) for at, rows in found.groups(others)
    ]


def _of_design(
    found: Outcomes,
    at: Mapping[str, Any],
    rows: NDArray[np.int64],
    design: DesignSpec,
    names: list[str],
    allowed: float,
) -> Answer:
    d = len(names)
    where = "".join(f" at {name} = {label}" for name, label in at.items())
    length = {"saltelli": d + 2, "morris": d + 1, "fast": design.n}[design.method]
    units = d * design.curves if design.method == "fast" else design.n
    point = found.labels[POINT][rows].astype(np.int64)
    _refuse(
        int(point.max()) >= units * length,
        "the table of cases is of a larger design than the store's sweep file; go on with"
        " sweep run",
    )
    y = np.full(units * length, np.nan)
    x = np.full((units * length, d), np.nan)
    y[point] = found.value[rows]
    for i, (key, name) in enumerate(zip(design.axes, names, strict=True)):
        x[point, i] = _numbers(found.columns[name][rows], design, key)
    blocks = y.reshape(units, length)
    places = x.reshape(units, length, d)
    whole = np.isfinite(blocks).all(axis=1)
    missing = left_out(found.state[rows])
    dropped = int((~whole).sum())
    measure = MEASURES[design.method]
    excluded = units * length - rows.size
    missing = (
        {**missing, "excluded": missing.get("excluded", 0) + excluded} if excluded else missing
    )
    why = ", ".join(f"{count} {word}" for word, count in missing.items())
    _refuse(
        dropped > allowed * units,
        f"{dropped} of {units} {measure.units}{where} have a run that is no result ({why}), and a"
        f" {measure.unit} counts as a whole or not at all; finish the sweep (sweep resume), cure"
        f" the failures, or allow more with --left-out {min(1.0, dropped / units + 0.005):.2f}",
    )
    fewest = 2 if design.method == "fast" else FEWEST
    curves = (
        [np.flatnonzero(whole.reshape(-1, d)[:, i]) for i in range(d)]
        if design.method == "fast"
        else []
    )
    enough = min(map(len, curves)) if curves else int(whole.sum())
    _refuse(
        enough < fewest,
        f"{enough} whole {measure.units}{where} are left, {fewest} are needed; make the design"
        " larger",
    )
    good = blocks[whole]
    _refuse(
        float(np.ptp(good)) == 0.0,
        f"{found.words} is {good.flat[0]:g} in all runs{where}: nothing varies, and nothing is to"
        " be explained",
    )

    def indices(n: int) -> Indices:
        first = np.flatnonzero(whole[:n])
        if design.method == "fast":
            of = [blocks.reshape(-1, d, length)[kept[kept < n], i] for i, kept in enumerate(curves)]
            return Indices(n, _fast(of))
        return Indices(
            first.size,
            (
                _saltelli(blocks[first], places[first], names)
                if design.method == "saltelli"
                else _morris(blocks[first], places[first], names, design.levels)
            ),
        )

    total = design.curves if design.method == "fast" else units
    sizes = [
        n
        for n in _halves(total, fewest)
        if design.method != "fast" or min(int((kept < n).sum()) for kept in curves) >= 2
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # resamples in which nothing varies
        steps = tuple(indices(n) for n in sizes)
    return Answer(at, design.method, names, steps[-1], steps, dropped, missing)


def _given_data(found: Outcomes, allowed: float) -> Answer:
    good = found.state == GOOD
    total = good.size
    kept = int(good.sum())
    _refuse(
        total - kept > allowed * total,
        f"{total - kept} of {total} cases are no result"
        f" ({', '.join(f'{count} {word}' for word, count in left_out(found.state).items())});"
        " finish the sweep (sweep resume), cure the failures, or allow more with --left-out"
        f" {min(1.0, 1.0 - kept / total + 0.005):.2f}",
    )
    x = {
        name: _numbers(column[good], None, name)
        for name, column in found.columns.items()
        if name != POINT
    }
    x = {name: values for name, values in x.items() if np.ptp(values) > 0.0}
    _refuse(not x, "no parameter differs between the runs; there is nothing to compare")
    _refuse(
        kept < 10 * FEWEST,
        f"{kept} runs are too few for the distributions that PAWN compares; {10 * FEWEST} are"
        " needed",
    )
    y = found.value[good]
    columns = np.column_stack(list(x.values()))
    names = list(x)
    _refuse(
        float(np.ptp(y)) == 0.0,
        f"{found.words} is {y[0]:g} in all runs: nothing varies, and nothing is to be explained",
    )
    order = np.random.default_rng(SEED).permutation(kept)  # a grid's first half is no sample of it
    steps = tuple(
        Indices(n, _pawn(y[order[:n]], columns[order[:n]], names))
        for n in _halves(kept, 10 * FEWEST)[-3:]
    )
    return Answer(
        {}, "pawn", [*names, DUMMY], steps[-1], steps, total - kept, left_out(found.state)
    )
