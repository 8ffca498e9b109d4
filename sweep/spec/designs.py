"""Designs: points drawn from a parameter space, as a sample or for a sensitivity analysis.

All points of a design are one axis of the sweep.
"""

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from marsdisk.common.text import shown
from marsdisk.config import RunConfig
from marsdisk.config.keys import config_keys
from marsdisk.config.sections import Section, quantity

from ..common.optional import extra
from ..store.description import Design
from .axes import Axis
from .distributions import KINDS, Marginal, parse_marginal

POINT = "point"  # name of the axis; its labels number the points from 0
HARMONICS = 4  # of a FAST curve that are summed, as in Saltelli et al. (1999)
SEED = "seed of the random numbers; the same seed gives the same points"


class SampleSpec(Section):
    """Points drawn from a prior."""

    method: Literal["sobol", "halton", "lhs", "random"] = quantity(
        ..., "sobol, halton: evenly spread; lhs: Latin hypercube; random: independent"
    )
    n: int = quantity(..., "number of points", "", ge=1, le=1_000_000)
    seed: int = quantity(1, SEED, "", ge=0)
    axes: dict[str, Any] = quantity(
        ..., "distribution of each key", allowed=f"keys with distributions: {KINDS}"
    )


class DesignSpec(Section):
    """Points for a sensitivity analysis."""

    method: Literal["saltelli", "morris", "fast"] = quantity(
        ...,
        "saltelli: first-order and total indices; morris: elementary effects, to screen; fast:"
        " indices by Fourier analysis",
    )
    n: int = quantity(
        ...,
        "saltelli: base points, each with keys + 2 runs; morris: trajectories of keys + 1 runs;"
        " fast: runs of a curve",
        "",
        ge=2,
        le=1_000_000,
    )
    seed: int = quantity(1, SEED, "", ge=0)
    levels: int = quantity(
        4, "morris: levels of each key, an even number", "", ge=2, le=100, multiple_of=2
    )
    curves: int = quantity(
        4, "fast: curves of n runs for each key; their scatter is the interval", "", ge=2, le=1000
    )
    axes: dict[str, Any] = quantity(
        ..., "distribution of each key", allowed=f"keys with distributions: {KINDS}"
    )


@dataclass(frozen=True)
class Method:
    """The properties of one way to draw points."""

    run: str  #: formula of the number of runs; D is the number of keys
    #: the option that may grow while all points are kept; empty if there is none
    continues: str
    instead: str = ""  #: methods of the same kind that can be continued
    balanced: bool = False  #: whether n must be a power of two


METHODS: Mapping[str, Method] = {
    "sobol": Method("n", "n", balanced=True),
    "halton": Method("n", "n"),
    "random": Method("n", "n"),
    "lhs": Method("n", "", "sobol, halton and random"),
    "saltelli": Method("n (D + 2)", "n", balanced=True),
    "morris": Method("n (D + 1)", "n"),
    "fast": Method("curves n D", "curves"),
}


def _drawn(spec: SampleSpec | DesignSpec) -> NDArray[np.float64]:
    """Return the (points, keys) in the unit cube, in the order of the method."""
    if isinstance(spec, DesignSpec):
        return _drawn_design(spec)
    if spec.method == "random":
        return np.random.default_rng(spec.seed).random((spec.n, len(spec.axes)))
    qmc = extra("scipy.stats.qmc", "design", f"sample: {{method: {spec.method}}}")
    engine = {"sobol": qmc.Sobol, "halton": qmc.Halton, "lhs": qmc.LatinHypercube}[spec.method]
    random = np.random.default_rng(spec.seed)
    return np.asarray(engine(len(spec.axes), rng=random).random(spec.n))


def _drawn_design(spec: DesignSpec) -> NDArray[np.float64]:
    d = len(spec.axes)
    problem = {"num_vars": d, "names": list(spec.axes), "bounds": [[0.0, 1.0]] * d}
    module = {
        "saltelli": "SALib.sample.sobol",
        "morris": "SALib.sample.morris",
        "fast": "SALib.sample.fast_sampler",
    }[spec.method]
    sample = extra(module, "design", f"design: {{method: {spec.method}}}").sample
    if spec.method == "saltelli":
        return np.asarray(sample(problem, spec.n, calc_second_order=False, seed=spec.seed))
    if spec.method == "morris":
        return np.asarray(sample(problem, spec.n, num_levels=spec.levels, seed=spec.seed))
    curves = [
        sample(dict(problem), spec.n, M=HARMONICS, seed=[spec.seed, curve])
        for curve in range(spec.curves)
    ]
    return np.concatenate(curves)


def unknown_key(key: str) -> str:
    """Return what is wrong with a key that no configuration has; empty for all others."""
    keys = list(config_keys(RunConfig))
    if key in keys or any(existing.startswith(f"{key}.") for existing in keys):
        return ""
    last_word = key.split(".")[-1]
    similar = [existing for existing in keys if existing.split(".")[-1] == last_word]
    if not similar:
        similar = difflib.get_close_matches(key, keys, n=1)
    if not similar:
        return "there is no such key"
    return f"there is no such key; did you mean {similar[0]}?"


def _problem_of_n(spec: SampleSpec | DesignSpec) -> str:
    n = spec.n
    if METHODS[spec.method].balanced and n & (n - 1):
        below = 1 << (n.bit_length() - 1)
        return (
            f"n = {n}: a Sobol sequence covers the space evenly at powers of two only; give {below}"
            f" or {2 * below}"
        )
    if spec.method == "fast" and n <= 4 * HARMONICS**2:
        return f"n = {n}: a FAST curve needs more than {4 * HARMONICS**2} runs; give 65 or more"
    return ""


def design_axis(spec: SampleSpec | DesignSpec, section: str) -> tuple[Axis | None, list[str]]:
    """Draw the points of a design.

    Parameters
    ----------
    spec : SampleSpec or DesignSpec
        What the sweep file asks for.
    section : str
        Name of its section, for messages.

    Returns
    -------
    tuple of (Axis or None) and list of str
        The axis of all points, or None and all problems.
    """
    problems = []
    problem = _problem_of_n(spec)
    if problem:
        problems.append(f"{section}.{problem}")
    for key, method_of_key in {"levels": "morris", "curves": "fast"}.items():
        if key in spec.model_fields_set and spec.method != method_of_key:
            problems.append(
                f"{section}.{key} belongs to method {method_of_key}, not {spec.method}; drop it"
            )
    if not spec.axes:
        problems.append(f"{section}.axes is empty; give at least one key with its distribution")
    marginals: dict[str, Marginal] = {}
    for key, distribution in spec.axes.items():
        try:
            marginals[key] = parse_marginal(distribution)
        except ValueError as error:
            problem = str(error)
        else:
            problem = unknown_key(key)
            if not problem and spec.method == "morris" and not marginals[key].bounded:
                problem = (
                    "normal needs bounds with method morris, whose levels reach both ends: [mean,"
                    f" sd, low, high], got {shown(distribution['normal'])}"
                )
        if problem:
            problems.append(f"{section}.axes.{key}: {problem}")
    if problems:
        return None, problems
    columns = [
        marginals[key].values(column.tolist())
        for key, column in zip(spec.axes, _drawn(spec).T, strict=True)
    ]
    rows = zip(*columns, strict=True)
    points = tuple(dict(zip(spec.axes, row, strict=True)) for row in rows)
    method = METHODS[spec.method]
    if method.continues:
        growth = f"{method.continues} may grow"
    else:
        growth = f"cannot be continued, as {method.instead} can"
    distributions = ", ".join(f"{key} {marginal.words}" for key, marginal in marginals.items())
    words = f"{spec.method}, seed {spec.seed}, {growth}: {distributions}"
    return Axis(POINT, points, tuple(range(len(points))), section, words), []


def given_design(content: Mapping[str, Any]) -> SampleSpec | DesignSpec | None:
    """Return the design in the content of a sweep file, if any."""
    if content.get("design") is not None:
        return DesignSpec.model_validate(content["design"])
    if content.get("sample") is not None:
        return SampleSpec.model_validate(content["sample"])
    return None


def _digest(axis: Axis, points: int) -> str:
    return hashlib.sha256(json.dumps(axis.points[:points]).encode()).hexdigest()[:16]


def _design_axis(axes: Sequence[Axis]) -> Axis | None:
    for axis in axes:
        if axis.name == POINT:
            return axis
    return None


def drawn_by(axes: Sequence[Axis]) -> str:
    """Return the section of the sweep file that draws points; empty if there is none."""
    axis = _design_axis(axes)
    return "" if axis is None else axis.section


def record(axes: Sequence[Axis]) -> dict[str, Any]:
    """Return the digest of the points and the packages that drew them.

    A store keeps them, so that points which other packages draw differently are noticed.
    """
    axis = _design_axis(axes)
    if axis is None or axis.section not in {"sample", "design"}:
        return {}
    packages = ["numpy", "scipy"]
    if axis.section == "design":
        packages.append("SALib")
    return {
        "design": {
            "points": len(axis.points),
            "digest": _digest(axis, len(axis.points)),
            "drawn_with": {name: _version(name) for name in packages},
        }
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:  # random samples need numpy only
        return None


def redrawn(recorded: Design | None, axes: Sequence[Axis]) -> list[str]:
    """Return a message if the points of a store are not the first ones that are drawn now.

    Parameters
    ----------
    recorded : Design or None
        What the store records of its design; None where it has none.
    axes : sequence of Axis
        Of the sweep.

    Returns
    -------
    list of str
        Empty if the points agree.
    """
    axis = _design_axis(axes)
    if recorded is None or axis is None:
        return []
    count = recorded.points
    if len(axis.points) >= count and _digest(axis, count) == recorded.digest:
        return []
    versions = record(axes)["design"]["drawn_with"]
    changed = [
        f"{name} {version_of_store}, now {versions.get(name)}"
        for name, version_of_store in recorded.drawn_with.items()
        if versions.get(name) != version_of_store
    ]
    message = f"{axis.section}: its points are not the first ones of those in the store"
    if changed:
        message += (
            f": they were drawn with {'; '.join(changed)}; install that version again to resume"
        )
    return [message]


def continuation(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return a message if two sweep files differ only in a design's number of points.

    Parameters
    ----------
    before, after : mapping
        Contents of the sweep files.

    Returns
    -------
    list of str
        Whether the design can be continued; empty if the files differ otherwise.
    """
    design_before = given_design(before)
    design = given_design(after)
    if design_before is None or design is None or type(design_before) is not type(design):
        return []
    if design_before.method != design.method:
        return []
    method = METHODS[design.method]
    section = "design" if isinstance(design, DesignSpec) else "sample"
    number = method.continues or "n"
    fields_before = design_before.model_dump()
    fields = design.model_dump()
    if fields_before.pop(number) >= fields.pop(number) or fields_before != fields:
        return []
    if method.continues:
        return [
            f"{section}.{number} has grown, and {design.method} keeps all points that the store"
            " has: --extend adds the others"
        ]
    return [
        f"{section}: {design.method} cannot be continued, because another n changes all points;"
        f" {method.instead} can be"
    ]
