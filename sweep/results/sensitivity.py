"""Sensitivity indices: how much of a result's variation each parameter causes.

They are computed from the runs of a store, with intervals, and from parts of the runs to see how
the indices converge.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common.errors import StoreError
from ..common.optional import extra
from ..common.text import counted
from ..spec.designs import HARMONICS, POINT, DesignSpec, given_design
from ..store.store import Store
from .columns import coded
from .outcomes import GOOD, Outcomes, left_out

Array = NDArray[np.float64]

CONFIDENCE = 0.95
SEED = 20_250_101  # of the resampling; SALib takes 0 for none
MAX_RESAMPLES = 1000
MIN_RESAMPLES = 100
MAX_NUMBERS_RESAMPLED = 4_000_000  # held in memory at once
# of PAWN: the first for which each slide has enough runs; SALib itself fails for some other numbers
SLIDE_COUNTS = (10, 8, 5, 4, 2)
MIN_RUNS_PER_SLIDE = 80
PAWN_RESAMPLES = 50
# fewest of each for which an index means something
MIN_BLOCKS = 8
MIN_CURVES = 2
MIN_RUNS = 80
MAX_STEPS = 5  # of convergence
MAX_PAWN_STEPS = 3
DUMMY = "(a parameter without effect)"


@dataclass(frozen=True)
class Measure:
    """Names, meanings, and limits of the indices of one method."""

    main: str  #: the index that ranks the parameters
    columns: Mapping[str, str]  #: name of each index with its meaning
    unit: str  #: word for one block of runs
    #: of the change when n is doubled, and of half an interval, as a fraction of ``scale``
    limit: float
    relative: bool = False  #: whether the scale is the largest index instead of 1

    @property
    def units(self) -> str:
        """Plural of ``unit``."""
        return {"trajectory": "trajectories"}.get(self.unit, f"{self.unit}s")


_SHARES = {
    "S1": "share of the variance that the parameter causes alone",
    "ST": "share it causes together with all others",
}
# limits: Sarrazin, Pianosi & Wagener (2016)
MEASURES = {
    "saltelli": Measure("ST", _SHARES, "block", 0.05),
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

    at: Mapping[str, Any]  #: the group's label on each of the other axes
    method: str
    names: list[str]
    final: Indices
    steps: tuple[Indices, ...]  #: from few blocks to all
    dropped: int  #: blocks left out because one of their runs has no result
    missing: Mapping[str, int]  #: number of cases without a result, by reason
    notes: tuple[str, ...] = ()

    @property
    def measure(self) -> Measure:
        """Names and limits of the method's indices."""
        return MEASURES[self.method]

    @property
    def scale(self) -> float:
        """The size that changes and intervals are compared with."""
        if not self.measure.relative:
            return 1.0
        return float(np.max(np.abs(self.final.of[self.measure.main])))

    @property
    def change(self) -> float:
        """Largest change of the main index since half the blocks; infinite without them."""
        if len(self.steps) < 2:
            return float("inf")
        main = self.measure.main
        return float(np.max(np.abs(self.final.of[main] - self.steps[-2].of[main])))

    @property
    def widest(self) -> float:
        """Half of the widest interval of the main index."""
        return float(np.max(self.final.of[f"{self.measure.main}_conf"]))

    @property
    def settled(self) -> bool:
        """Whether the change and all intervals are within the limit."""
        return max(self.change, self.widest) <= self.measure.limit * self.scale


def _resamples(n: int) -> int:
    return int(np.clip(MAX_NUMBERS_RESAMPLED // max(n, 1), MIN_RESAMPLES, MAX_RESAMPLES))


def _problem(names: Sequence[str]) -> dict[str, Any]:
    return {"num_vars": len(names), "names": list(names), "bounds": [[0.0, 1.0]] * len(names)}


def _saltelli(y: Array, names: Sequence[str]) -> dict[str, Array]:
    """Return the indices from (blocks, D + 2) results."""
    analyze = extra("SALib.analyze.sobol", "design", "sweep sensitivity").analyze
    indices = analyze(
        _problem(names),
        y.ravel(),
        calc_second_order=False,
        num_resamples=_resamples(len(y)),
        conf_level=CONFIDENCE,
        seed=SEED,
    )
    return {name: np.asarray(values) for name, values in indices.items()}


def _morris(y: Array, x: Array, names: Sequence[str], levels: int) -> dict[str, Array]:
    """Return the indices from (trajectories, D + 1) results at the points ``x``.

    Of ``x``, only the direction of each move is used.
    """
    analyze = extra("SALib.analyze.morris", "design", "sweep sensitivity").analyze
    indices = analyze(
        _problem(names),
        x.reshape(-1, len(names)),
        y.ravel(),
        num_resamples=_resamples(len(y)),
        conf_level=CONFIDENCE,
        num_levels=levels,
        seed=SEED,
    )
    columns = ("mu_star", "mu_star_conf", "mu", "sigma")
    return {name: np.asarray(indices[name], dtype=np.float64) for name in columns}


def _fast(curves_by_parameter: Sequence[Array]) -> dict[str, Array]:
    """Return the indices from the (curves, n) results of each parameter.

    The intervals are Student's, from the scatter between curves.
    """
    compute = extra("SALib.analyze.fast", "design", "sweep sensitivity").compute_orders
    student = extra("scipy.stats", "design", "sweep sensitivity").t
    columns: dict[str, list[float]] = {name: [] for name in ("S1", "S1_conf", "ST", "ST_conf")}
    for curves in curves_by_parameter:
        count, n = curves.shape
        frequency = (n - 1) // (2 * HARMONICS)
        orders = np.array([compute(curve, n, HARMONICS, frequency) for curve in curves])
        half = (
            student.ppf(0.5 + CONFIDENCE / 2.0, count - 1)
            * orders.std(axis=0, ddof=1)
            / np.sqrt(count)
        )
        for i, name in enumerate(("S1", "ST")):
            columns[name].append(float(orders[:, i].mean()))
            columns[f"{name}_conf"].append(float(half[i]))
    return {name: np.array(values) for name, values in columns.items()}


def _slide_count(runs: int) -> int:
    for count in SLIDE_COUNTS:
        if count * MIN_RUNS_PER_SLIDE <= runs:
            return count
    return SLIDE_COUNTS[-1]


def _pawn(y: Array, x: Array, names: Sequence[str]) -> dict[str, Array]:
    """Return the indices from any runs.

    Parameters enter by rank, with ties in random order, so that the few values of a grid fill
    whole slides, too. The last index is that of a parameter without effect, which shows what noise
    alone gives (Pianosi & Wagener 2018).
    """
    analyze = extra("SALib.analyze.pawn", "design", "sweep sensitivity").analyze
    random = np.random.default_rng(SEED)
    problem = _problem([*names, DUMMY])
    columns = np.column_stack([x, random.random(len(y))])
    slides = _slide_count(len(y))

    def ranks(column: Array) -> NDArray[np.int64]:
        return np.argsort(np.lexsort((random.random(column.size), column)))

    def medians(rows: NDArray[np.int64]) -> Array:
        points = np.column_stack([ranks(column[rows]) for column in columns.T])
        return np.asarray(analyze(problem, points.astype(np.float64), y[rows], S=slides)["median"])

    index = medians(np.arange(len(y)))
    resampled = [
        medians(np.sort(random.integers(len(y), size=len(y)))) for _ in range(PAWN_RESAMPLES)
    ]
    scatter = np.std(resampled, axis=0, ddof=1)
    return {"PAWN": index, "PAWN_conf": 1.96 * scatter}


def _numbers(column: NDArray[Any], choices: Sequence[Any] | None = None) -> Array:
    """Return a parameter's values as numbers.

    A text becomes its index among ``choices``, or among all texts of the column in order.
    """
    if column.dtype.kind in "iufb":
        return column.astype(np.float64)
    texts = column.tolist()
    words = sorted(set(texts)) if choices is None else [str(choice) for choice in choices]
    return np.array([words.index(text) for text in texts], dtype=np.float64)


def _halves(n: int, smallest: int) -> list[int]:
    """Return n and its halves down to ``smallest``, in increasing order."""
    sizes = [n]
    while sizes[-1] >= 2 * smallest:
        sizes.append(sizes[-1] // 2)
    return sizes[:MAX_STEPS][::-1]


def answers(store: Store, found: Outcomes, *, method: str | None, allowed: float) -> list[Answer]:
    """Return the indices for each combination of labels on the axes other than the design.

    Parameters
    ----------
    store : Store
        The store.
    found : Outcomes
        The target of all cases.
    method : str or None
        One of :data:`MEASURES`; None takes that of the store's design. ``pawn`` works on any cases
        and treats the labels of all axes as parameters.
    allowed : float
        Largest fraction of the blocks that may be left out because a run has no result.

    Raises
    ------
    StoreError
        The store has no such design, too many blocks are left out, or the target does not vary.
    """
    spec = given_design(store.description.sweep.content)
    design = spec if isinstance(spec, DesignSpec) else None
    if method == "pawn" or (method is None and design is None):
        return [_of_any_runs(found, allowed)]
    if design is None or (method is not None and method != design.method):
        has = f"has a design of method {design.method}" if design else "has no design for it"
        raise StoreError(
            f"--method {method}: the store {has}; use --method pawn, which takes any runs, or run a"
            f" sweep with design: {{method: {method}}}"
        )
    name_of_key = {
        str(store.attributes(name).get("config_key", "")): name for name in found.columns
    }
    names = [name_of_key[key] for key in design.axes]
    other_axes = {axis: found.labels[axis] for axis in found.axes if axis != POINT}
    return [
        _of_design(found, labels, rows, design, names, allowed)
        for labels, rows in found.groups(other_axes)
    ]


def _by_block(
    outcomes: Outcomes, rows: NDArray[np.int64], design: DesignSpec, names: Sequence[str]
) -> tuple[Array, Array]:
    """Return the (blocks, runs) results and the (blocks, runs, D) parameters of a design.

    A block is a block of ``saltelli``, a trajectory, or a curve. Missing numbers are NaN.
    """
    d = len(names)
    runs_per_block = {"saltelli": d + 2, "morris": d + 1, "fast": design.n}[design.method]
    blocks = d * design.curves if design.method == "fast" else design.n
    size = blocks * runs_per_block
    point = outcomes.labels[POINT][rows].astype(np.int64)
    if int(point.max()) >= size:
        raise StoreError(
            "the table of cases is of a larger design than the store's sweep file; resume it with"
            " sweep run"
        )
    y = np.full(size, np.nan)
    x = np.full((size, d), np.nan)
    y[point] = outcomes.value[rows]
    for i, (key, name) in enumerate(zip(design.axes, names, strict=True)):
        x[point, i] = _numbers(outcomes.columns[name][rows], design.axes[key].get("choice", []))
    return y.reshape(blocks, runs_per_block), x.reshape(blocks, runs_per_block, d)


def _left_out_option(fraction: float) -> str:
    return f"--left-out {min(1.0, fraction + 0.005):.2f}"


def _refuse_constant(outcomes: Outcomes, values: Array, location: str = "") -> None:
    if float(np.ptp(values)) == 0.0:
        raise StoreError(
            f"{outcomes.words} is {values.flat[0]:g} in all runs{location}: nothing varies, so"
            " there is nothing to explain"
        )


def _of_design(
    outcomes: Outcomes,
    labels: Mapping[str, Any],
    rows: NDArray[np.int64],
    design: DesignSpec,
    names: list[str],
    allowed: float,
) -> Answer:
    """Return the indices of the cases ``rows``, which are one group."""
    measure = MEASURES[design.method]
    results, parameters = _by_block(outcomes, rows, design, names)
    blocks = len(results)
    location = "".join(f" at {name} = {label}" for name, label in labels.items())
    missing = dict(left_out(outcomes.state[rows]))
    excluded = results.size - rows.size
    if excluded:
        missing["excluded"] = missing.get("excluded", 0) + excluded
    whole = np.asarray(np.isfinite(results).all(axis=1))
    dropped = int((~whole).sum())
    if dropped > allowed * blocks:
        reasons = ", ".join(f"{count} {word}" for word, count in missing.items())
        raise StoreError(
            f"{dropped} of {blocks} {measure.units}{location} have a run that is no result"
            f" ({reasons}), and a {measure.unit} counts as a whole or not at all; finish the sweep"
            " (sweep resume), fix the failures, or allow more with"
            f" {_left_out_option(dropped / blocks)}"
        )
    if design.method == "fast":
        enough = int(whole.reshape(-1, len(names)).sum(axis=0).min())
        needed = MIN_CURVES
    else:
        enough = int(whole.sum())
        needed = MIN_BLOCKS
    if enough < needed:
        raise StoreError(
            f"{enough} whole {measure.units}{location} are left, {needed} are needed; make the"
            " design larger"
        )
    _refuse_constant(outcomes, results[whole], location)
    with warnings.catch_warnings():
        # of resamples in which nothing varies
        warnings.simplefilter("ignore", RuntimeWarning)
        if design.method == "fast":
            steps = _steps_of_curves(results, whole, len(names))
        else:
            steps = _steps_of_blocks(results, parameters, whole, design, names)
    return Answer(labels, design.method, names, steps[-1], steps, dropped, missing)


def _steps_of_curves(results: Array, whole: NDArray[np.bool_], d: int) -> tuple[Indices, ...]:
    """Return the indices of method ``fast`` from more and more curves of each parameter."""
    curves = results.reshape(-1, d, results.shape[1])
    is_whole = whole.reshape(-1, d)
    steps = []
    for n in _halves(len(curves), MIN_CURVES):
        whole_curves = [curves[:n, i][is_whole[:n, i]] for i in range(d)]
        if min(map(len, whole_curves)) >= MIN_CURVES:
            steps.append(Indices(n, _fast(whole_curves)))
    return tuple(steps)


def _steps_of_blocks(
    results: Array,
    parameters: Array,
    whole: NDArray[np.bool_],
    design: DesignSpec,
    names: Sequence[str],
) -> tuple[Indices, ...]:
    """Return the indices of ``saltelli`` or ``morris`` from more and more blocks."""
    steps = []
    for n in _halves(len(results), MIN_BLOCKS):
        blocks = np.flatnonzero(whole[:n])
        if design.method == "saltelli":
            indices = _saltelli(results[blocks], names)
        else:
            indices = _morris(results[blocks], parameters[blocks], names, design.levels)
        steps.append(Indices(blocks.size, indices))
    return tuple(steps)


def _of_any_runs(outcomes: Outcomes, allowed: float) -> Answer:
    """Return the indices of PAWN from all cases with a result."""
    has_result = outcomes.state == GOOD
    total = has_result.size
    kept = int(has_result.sum())
    missing = left_out(outcomes.state)
    if total - kept > allowed * total:
        reasons = ", ".join(f"{count} {word}" for word, count in missing.items())
        raise StoreError(
            f"{total - kept} of {total} cases are no result ({reasons}); finish the sweep (sweep"
            f" resume), fix the failures, or allow more with {_left_out_option(1.0 - kept / total)}"
        )
    columns = _parameters(outcomes, has_result)
    if not columns:
        raise StoreError("no parameter differs between the runs; there is nothing to compare")
    if kept < MIN_RUNS:
        raise StoreError(
            f"{kept} runs are too few for the distributions that PAWN compares; {MIN_RUNS} are"
            " needed; sweep plot STORE sensitivity draws the effect of each axis of a grid"
        )
    y = outcomes.value[has_result]
    _refuse_constant(outcomes, y)
    names = list(columns)
    x = np.column_stack(list(columns.values()))
    # the first half of a grid is no sample of it
    order = np.random.default_rng(SEED).permutation(kept)
    steps = []
    for n in _halves(kept, MIN_RUNS)[-MAX_PAWN_STEPS:]:
        runs = order[:n]
        steps.append(Indices(n, _pawn(y[runs], x[runs], names)))
    return Answer(
        {},
        "pawn",
        [*names, DUMMY],
        steps[-1],
        tuple(steps),
        total - kept,
        missing,
        notes=_dependences(outcomes),
    )


def _parameters(outcomes: Outcomes, has_result: NDArray[np.bool_]) -> dict[str, Array]:
    """Return the parameters in which cases with a result differ, as numbers.

    Those that move together along an axis, such as the keys of ``zip``, are one parameter, with the
    names of all.
    """
    axis_of_pattern = {
        _pattern(outcomes.labels[axis][has_result]): axis for axis in outcomes.axes if axis != POINT
    }
    names_of: dict[str, list[str]] = {}
    columns: dict[str, Array] = {}
    for name, column in outcomes.columns.items():
        column = column[has_result]
        pattern = _pattern(column)
        if name == POINT or not any(pattern):
            continue
        moves_with = axis_of_pattern.get(pattern, name)
        names_of.setdefault(moves_with, []).append(name)
        columns.setdefault(moves_with, _numbers(column))
    return {" with ".join(names): columns[first] for first, names in names_of.items()}


def _pattern(column: NDArray[Any]) -> bytes:
    """Return what is the same for columns whose values change at the same places."""
    codes = coded(column)[1]
    first, inverse = np.unique(codes, return_index=True, return_inverse=True)[1:]
    return np.asarray(first[inverse], np.int64).tobytes()


def _dependences(outcomes: Outcomes) -> tuple[str, ...]:
    """Return a sentence where cases were excluded from a product, and otherwise nothing."""
    size = math.prod(len(coded(outcomes.labels[axis])[0]) for axis in outcomes.axes)
    if size <= outcomes.value.size:
        return ()
    excluded = counted(size - outcomes.value.size, "case")
    return (
        f"{excluded} of the product excluded, so that parameters depend on each other: an index may"
        " include the effect of another parameter",
    )
