"""Designs: points of a parameter space that are drawn, as a sample of a prior or for a sensitivity analysis. One design is one axis."""

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from marsdisk.config import RunConfig
from marsdisk.config_errors import config_keys
from marsdisk.config_sections import Section, quantity
from marsdisk.physics.textfile import shown

from .axes import Axis
from .extras import extra
from .marginals import KINDS, Marginal, parse_marginal

POINT = "point"  # name of the axis: its labels count the points from 0
HARMONICS = 4  # of a FAST curve that are added up, as many as Saltelli et al. (1999) take
SEED = "names the random numbers; the same seed gives the same points"


class SampleSpec(Section):
    """Points drawn from a prior."""

    method: Literal["sobol", "halton", "lhs", "random"] = quantity(
        ..., "sobol, halton: evenly spread; lhs: Latin hypercube; random: independent"
    )
    n: int = quantity(..., "how many points", "", ge=1, le=1_000_000)
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
    """What is particular to one way of drawing points."""

    run: str  #: runs per ``n``, in words for messages; D is the number of keys
    continues: str  #: the number that may grow with all points kept; empty where none may
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
    """(points, keys) in the unit cube, in the order of the method."""
    d = len(spec.axes)
    n = spec.n
    if isinstance(spec, DesignSpec):
        problem = {"num_vars": d, "names": list(spec.axes), "bounds": [[0.0, 1.0]] * d}
        name = {
            "saltelli": "SALib.sample.sobol",
            "morris": "SALib.sample.morris",
            "fast": "SALib.sample.fast_sampler",
        }[spec.method]
        draw = extra(name, "design", f"design: {{method: {spec.method}}}").sample
        if spec.method == "saltelli":
            return np.asarray(draw(problem, n, calc_second_order=False, seed=spec.seed))
        if spec.method == "morris":
            return np.asarray(draw(problem, n, num_levels=spec.levels, seed=spec.seed))
        return np.concatenate(
            [
                draw(dict(problem), n, M=HARMONICS, seed=[spec.seed, curve])
                for curve in range(spec.curves)
            ]
        )
    if spec.method == "random":
        return np.random.default_rng(spec.seed).random((n, d))
    qmc = extra("scipy.stats.qmc", "design", f"sample: {{method: {spec.method}}}")
    engine = {"sobol": qmc.Sobol, "halton": qmc.Halton, "lhs": qmc.LatinHypercube}[spec.method]
    return np.asarray(engine(d, rng=np.random.default_rng(spec.seed)).random(n))


def unknown_key(key: str) -> str:
    """What to say of a key that no configuration has; nothing of others."""
    keys = list(config_keys(RunConfig))
    if key in keys or any(known.startswith(f"{key}.") for known in keys):
        return ""
    near = [
        known for known in keys if known.split(".")[-1] == key.split(".")[-1]
    ] or difflib.get_close_matches(key, keys, n=1)
    return f"there is no such key{f'; did you mean {near[0]}?' if near else ''}"


def _bad_n(spec: SampleSpec | DesignSpec) -> str:
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
    """The axis of all points of a design, or everything that is wrong with it."""
    marginals: dict[str, Marginal] = {}
    problems = [f"{section}.{bad}"] if (bad := _bad_n(spec)) else []
    unused = {"levels": "morris", "curves": "fast"}
    problems += [
        f"{section}.{key} belongs to method {method}, not {spec.method}; drop it"
        for key, method in unused.items()
        if key in spec.model_fields_set and spec.method != method
    ]
    if not spec.axes:
        problems.append(f"{section}.axes is empty; give at least one key with its distribution")
    for key, given in spec.axes.items():
        try:
            marginals[key] = parse_marginal(given)
            bad = unknown_key(key)
            if spec.method == "morris" and not marginals[key].bounded:
                bad = (
                    bad
                    or f"normal needs bounds with method morris, whose levels reach both ends: [mean, sd, low, high], got {shown(given['normal'])}"
                )
        except ValueError as error:
            bad = str(error)
        problems += [f"{section}.axes.{key}: {bad}"] if bad else []
    if problems:
        return None, problems
    drawn = _drawn(spec)
    columns = [
        marginals[key].values(column.tolist())
        for key, column in zip(spec.axes, drawn.T, strict=True)
    ]
    points = tuple(dict(zip(spec.axes, row, strict=True)) for row in zip(*columns, strict=True))
    laws = ", ".join(f"{key} {marginal.words}" for key, marginal in marginals.items())
    method = METHODS[spec.method]
    goes_on = (
        f"{method.continues} may grow"
        if method.continues
        else f"cannot be continued, as {method.instead} can"
    )
    words = f"{spec.method}, seed {spec.seed}, {goes_on}: {laws}"
    return Axis(POINT, points, tuple(range(len(points))), section, words), []


def given_design(content: Mapping[str, Any]) -> SampleSpec | DesignSpec | None:
    """The design that the content of a sweep file gives."""
    if content.get("design") is not None:
        return DesignSpec.model_validate(content["design"])
    return (
        SampleSpec.model_validate(content["sample"]) if content.get("sample") is not None else None
    )


def _digest(axis: Axis, points: int) -> str:
    return hashlib.sha256(json.dumps(axis.points[:points]).encode()).hexdigest()[:16]


def _design_axis(axes: Sequence[Axis]) -> Axis | None:
    return next((axis for axis in axes if axis.name == POINT), None)


def drawn_by(axes: Sequence[Axis]) -> str:
    """The section of the sweep file that draws points, if any."""
    axis = _design_axis(axes)
    return axis.section if axis is not None else ""


def record(axes: Sequence[Axis]) -> dict[str, Any]:
    """What a store keeps to notice points that are no longer the same: their digest, and the packages that drew them."""
    axis = _design_axis(axes)
    if axis is None or axis.section not in {"sample", "design"}:
        return {}
    packages = ["numpy", "scipy", *(["SALib"] if axis.section == "design" else [])]
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
    except PackageNotFoundError:  # a sample at random needs numpy only
        return None


def redrawn(attributes: Mapping[str, Any], axes: Sequence[Axis]) -> list[str]:
    """What to say where the points that a store has are not the first ones drawn now; nothing where they are."""
    kept = attributes.get("design")
    axis = _design_axis(axes)
    if (
        kept is None
        or axis is None
        or (len(axis.points) >= kept["points"] and _digest(axis, kept["points"]) == kept["digest"])
    ):
        return []
    now = record(axes)["design"]["drawn_with"]
    changed = [
        f"{name} {was}, now {now.get(name)}"
        for name, was in kept["drawn_with"].items()
        if now.get(name) != was
    ]
    why = (
        f": they were drawn with {'; '.join(changed)}; install that again to go on"
        if changed
        else ""
    )
    return [f"{axis.section}: its points are not the first ones of those in the store{why}"]


def continuation(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What becomes of the points of one sweep file in another that differs in their number only."""
    then = given_design(before)
    now = given_design(after)
    if then is None or now is None or type(then) is not type(now) or then.method != now.method:
        return []
    method = METHODS[now.method]
    section = "design" if isinstance(now, DesignSpec) else "sample"
    number = method.continues or "n"
    one = then.model_dump()
    other = now.model_dump()
    if one.pop(number) >= other.pop(number) or one != other:
        return []
    if method.continues:
        return [
            f"{section}.{number} has grown, and {now.method} keeps all points that the store has:"
            " --extend adds the others"
        ]
    return [
        f"{section}: {now.method} cannot be continued, for with another n all points are others;"
        f" {method.instead} can be"
    ]
