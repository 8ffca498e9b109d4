"""Planck mean radiation-pressure efficiency <Q_pr>(s, T) of spheres, from optical constants by Mie theory.

`build_table` makes the files that `marsdisk.physics.qpr_table` reads. It needs the optional package miepython:
``pip install 'marsdisk[qpr]'``. ``python -m marsdisk.qpr_compare TABLE OTHER.csv`` compares two tables.
"""

import hashlib
import importlib
import itertools
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from marsdisk.physics.csv_table import parse_csv_table
from marsdisk.physics.qpr_table import (
    WIDE_CORNER,
    FloatArray,
    QprTable,
    parse_qpr_table,
)
from marsdisk.physics.textfile import read_text, shown

from .outfile import OutFile

Progress = Callable[[float], None]

TABLE_FORMATS = ("csv",)

C2 = 1.438776877e-2
"""Second radiation constant h c / k_B [m K] (CODATA 2018)."""

X_LIMIT = 1.0e4
"""Size parameter 2 pi s / lambda above which Q_pr = 1 (a large opaque sphere).

Where k = 0 in the data a sphere stays transparent at any size, and its Mie value at x = 1e4 is that of refracting
geometric optics, not 1: for forsterite (n = 1.63, k = 0 at 0.2-2.5 um) 0.41, so Q_pr(lambda) jumps by 0.6 there. A
higher switch would not shrink the step, only move it: real grains of this size are opaque through flaws and inclusions.
The Planck mean spreads it over about a decade of s (1 mm to 1 cm at 2000 K), far above any blow-out size.
"""

MAX_LOG_STEP = 0.002
"""Largest step in ln(wavelength) of the integration.

With the bare steps of the forsterite data (up to 0.014 in the optical) the mean is off by up to 0.6 %; with 0.004 it
differs by less than 0.26 % from that with 0.002.
"""

SIZE_SEGMENTS = ((1e-8, 1e-6, 1.0), (1e-6, 1e-4, 0.5), (1e-4, 3.0, 0.2))
"""(from, to [m], nodes per decade relative to `sizes_per_decade`): Q rises as s to s^4 below 1 um and is flat above."""

RELATIVE_TEMPERATURE_STEP = 0.036
T_MIN, T_MAX = 300.0, 6500.0

KNOWN_SOURCES = {
    "19cdf0cc6a150ea0e702e9175a4cc773dd001c67f81340a1c1b5cf97c5cfd009": (
        "crystalline forsterite, three optical axes, 295 K, 0.08-1000 um: Jena (FOR2285) data base of optical constants"
    ),
}
"""sha256 of an input file -> where its numbers come from."""


@dataclass(frozen=True, eq=False)
class OpticalConstants:
    """Complex refractive index n - ik along one optical axis.

    Parameters
    ----------
    axis : str
        Name of the axis.
    wavelength : (nw,) array
        Vacuum wavelength [m], strictly increasing.
    n, k : (nw,) arrays
        Real part (> 0) and absorption index (>= 0).
    """

    axis: str
    wavelength: FloatArray
    n: FloatArray
    k: FloatArray


def read_optical_constants(path: str | Path) -> tuple[OpticalConstants, ...]:
    """Optical constants, one item per axis in order of appearance.

    Parameters
    ----------
    path : str or Path
        CSV file with a header and the columns wavelength_um, n, k and optionally axis; lines that begin with ``#`` are
        skipped.

    Raises
    ------
    ValueError
        If a column or number is missing, n <= 0, k < 0, an axis has fewer than 2 wavelengths, or its wavelengths do
        not increase. The message names the file and the line.
    """
    table = parse_csv_table(read_text(path), str(path))
    wavelength = table.not_below("wavelength_um", 0.0, exclusive=True) * 1e-6
    n = table.not_below("n", 0.0, exclusive=True)
    k = table.not_below("k", 0.0)
    axes = table.texts("axis") if "axis" in table.header else ("",) * n.size
    constants = []
    for axis in dict.fromkeys(axes):
        rows = np.flatnonzero([name == axis for name in axes])
        if rows.size < 2:
            raise ValueError(f"{path}: fewer than 2 wavelengths for axis {shown(axis)}; add rows")
        unsorted = rows[1:][np.diff(wavelength[rows]) <= 0.0]
        if unsorted.size:
            problem = "wavelengths of an axis must increase strictly; sort the file"
            raise ValueError(f"{table.place(unsorted[0])}: {problem}")
        constants.append(OpticalConstants(axis, wavelength[rows], n[rows], k[rows]))
    return tuple(constants)


def refine(constants: OpticalConstants, max_log_step: float = MAX_LOG_STEP) -> OpticalConstants:
    """The same constants with points added, linear in ln(wavelength), so that no step in it exceeds `max_log_step`."""
    log_w = np.log(constants.wavelength)
    pieces = [np.linspace(a, b, int(np.ceil((b - a) / max_log_step)), endpoint=False) for a, b in itertools.pairwise(log_w)]
    fine = np.concatenate([*pieces, log_w[-1:]])
    n, k = np.interp(fine, log_w, constants.n), np.interp(fine, log_w, constants.k)
    return OpticalConstants(constants.axis, np.exp(fine), n, k)


def planck_weights(wavelength: FloatArray, T: FloatArray) -> FloatArray:
    """Weights w (nt, nw) with sum 1 over the wavelengths [m], so that w @ Q is the Planck mean of Q at T [K].

    Trapezoid rule in wavelength with B_lambda(T); light outside the range of the wavelengths does not count.
    """
    y = C2 / (wavelength * np.asarray(T)[:, None])
    # exp(-y) / (1 - exp(-y)) instead of 1 / expm1(y): no overflow in the Wien tail.
    planck = wavelength**-5 * np.exp(-y) / -np.expm1(-y)
    steps = np.diff(wavelength)
    widths = 0.5 * (np.append(steps, 0.0) + np.insert(steps, 0, 0.0))
    weights: FloatArray = planck * widths
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def qpr_spectrum(constants: OpticalConstants, s: float) -> FloatArray:
    """Q_pr = Q_ext - g Q_sca (nw,) of a sphere of radius `s` [m] (Bohren and Huffman 1983, section 4.5).

    1 where the size parameter exceeds `X_LIMIT`.

    Raises
    ------
    ModuleNotFoundError
        If miepython is not installed.
    """
    mie = _load_miepython()
    x = 2.0 * np.pi * s / constants.wavelength
    Q = np.ones_like(x)
    small = x <= X_LIMIT
    if small.any():
        # miepython takes m = n - ik.
        ext, sca, _, g = mie.efficiencies_mx((constants.n - 1j * constants.k)[small], x[small])
        Q[small] = ext - g * sca
    return Q


def _load_miepython() -> Any:
    """The module miepython, with its numba kernels (about 100 times faster) unless the user's environment says no.

    miepython reads MIEPYTHON_USE_JIT once, when it is first imported; the variable is put back afterwards.
    """
    if "miepython" in sys.modules:
        return sys.modules["miepython"]
    chosen = os.environ.get("MIEPYTHON_USE_JIT")
    os.environ["MIEPYTHON_USE_JIT"] = "1" if chosen is None else chosen
    try:
        return importlib.import_module("miepython")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"Mie theory needs the optional package {error.name}: pip install 'marsdisk[qpr]'", name=error.name) from error
    finally:
        if chosen is None:
            del os.environ["MIEPYTHON_USE_JIT"]


def planck_mean_qpr(
    constants: Sequence[OpticalConstants],
    s: npt.ArrayLike,
    T: npt.ArrayLike,
    *,
    progress: Progress | None = None,
) -> FloatArray:
    """<Q_pr> (nt, ns): Planck mean of the Mie Q_pr, then the plain mean over the axes.

    Parameters
    ----------
    constants : sequence of OpticalConstants
        One per optical axis.
    s : (ns,) array_like
        Grain radii [m].
    T : (nt,) array_like
        Temperatures of the light [K].
    progress : callable, optional
        Called with the fraction done, up to 1.

    Raises
    ------
    ModuleNotFoundError
        If miepython is not installed.
    ValueError
        If there are no constants, or a size or temperature is not finite and positive.
    """
    sizes, kelvin = np.atleast_1d(np.asarray(s, np.float64)), np.atleast_1d(np.asarray(T, np.float64))
    if not constants:
        raise ValueError("no optical constants given")
    if not all(np.isfinite(v).all() and (v > 0).all() for v in (sizes, kelvin)):
        raise ValueError("sizes s [m] and temperatures T [K] must be finite and positive")
    axes = [refine(one) for one in constants]
    # A Mie sum has about x + 20 terms.
    costs = [[np.where(x <= X_LIMIT, x + 20.0, 0.0).sum() + 1.0 for x in _size_parameters(one, sizes)] for one in axes]
    total, done = np.sum([np.sum(cost) for cost in costs]), 0.0
    mean = np.zeros((kelvin.size, sizes.size))
    for one, cost in zip(axes, costs, strict=True):
        weights = planck_weights(one.wavelength, kelvin)
        for j, size in enumerate(sizes):
            mean[:, j] += weights @ qpr_spectrum(one, float(size))
            done += cost[j]
            if progress is not None:
                progress(min(1.0, float(done / total)))
    return mean / len(axes)


def _size_parameters(constants: OpticalConstants, sizes: FloatArray) -> FloatArray:
    x: FloatArray = 2.0 * np.pi * sizes[:, None] / constants.wavelength
    return x


def size_grid(sizes_per_decade: float = 46) -> FloatArray:
    """Radii 1e-8 ... 3 m, log-spaced by parts (`SIZE_SEGMENTS`), rounded to 6 significant digits.

    `sizes_per_decade` holds below 1 um. With 46, interpolation linear in log s is within 0.5 % for s < 100 um.
    """
    if not 1 <= sizes_per_decade <= 1000:
        raise ValueError(f"sizes_per_decade must be 1 ... 1000, got {sizes_per_decade}")
    parts = []
    for low, high, share in SIZE_SEGMENTS:
        count = max(1, int(np.ceil(np.log10(high / low) * sizes_per_decade * share - 1e-9)))
        parts.append(np.geomspace(low, high, count, endpoint=False))
    return np.array([float(f"{size:.5e}") for size in [*np.concatenate(parts), SIZE_SEGMENTS[-1][1]]])


def temperature_grid(temperature_step: float = 100.0) -> FloatArray:
    """Temperatures 300 ... 6500 K in whole kelvins, in equal steps of at most `temperature_step` [K] at the hot end and
    of at most 3.6 % of T where that is less.

    <Q_pr> goes about as T^4 for s < lambda, so linear interpolation with a relative step d is off by 1.5 d^2.
    """
    if not 1.0 <= temperature_step <= T_MAX - T_MIN:
        raise ValueError(f"temperature_step must be 1 ... {T_MAX - T_MIN:g} K, got {temperature_step}")
    turn = max(T_MIN, temperature_step / RELATIVE_TEMPERATURE_STEP)
    hot = T_MAX - temperature_step * np.arange(max(1, int((T_MAX - turn) / temperature_step + 1)))
    ratio = hot[-1] / T_MIN
    cold = np.geomspace(T_MIN, hot[-1], 1 + int(np.ceil(np.log(ratio) / np.log1p(RELATIVE_TEMPERATURE_STEP))))
    return np.unique(np.rint(np.concatenate([cold, hot])))


def table_text(table: QprTable, *, header: Sequence[str] = (), digits: int = 5) -> str:
    """Return `table` as a wide text: `header` as ``#`` lines, the temperatures [K], one row per size [m].

    Q_pr gets `digits` significant digits, sizes and temperatures ten.
    """
    lines = [f"# {line}" for line in header]
    lines.append(",".join([WIDE_CORNER, *(f"{T:.10g}" for T in table.T)]))
    for s, column in zip(np.exp(table.log_s), table.Q.T, strict=True):
        lines.append(",".join([f"{s:.10g}", *(f"{Q:.{digits}g}" for Q in column)]))
    return "\n".join(lines) + "\n"


def write_table(path: str | Path | OutFile, table: QprTable, *, header: Sequence[str] = (), digits: int = 5) -> None:
    """Write :func:`table_text` into a file; one at a path is written over.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    with OutFile.from_name(path, TABLE_FORMATS, force=True).writing() as file:
        file.write(table_text(table, header=header, digits=digits).encode())


def build_table(
    nk_path: str | Path,
    out_path: str | Path | OutFile,
    *,
    sizes_per_decade: float = 46,
    temperature_step: float = 100.0,
    progress: Progress | None = None,
) -> QprTable:
    """Compute <Q_pr>(s, T) from optical constants, write it to `out_path` and give it back as read from its text.

    Parameters
    ----------
    nk_path : str or Path
        Optical constants (`read_optical_constants`).
    out_path : str or Path or OutFile
        File to write; one at a path is written over.
    sizes_per_decade : float
        Sizes per decade below 1 um (`size_grid`).
    temperature_step : float
        Largest step in temperature [K] (`temperature_grid`).
    progress : callable, optional
        Called with the fraction done, up to 1.

    Raises
    ------
    ModuleNotFoundError
        If miepython is not installed.
    ValueError
        If the input file is malformed or a grid option is out of range.
    OutputError
        If the file cannot be written.
    """
    nk_path = Path(nk_path)
    out = OutFile.from_name(out_path, TABLE_FORMATS, force=True)
    out_name = Path(out.given)
    s, T = size_grid(sizes_per_decade), temperature_grid(temperature_step)
    constants = read_optical_constants(nk_path)
    if not _load_miepython().USE_JIT:
        warnings.warn(
            "miepython runs without numba, about 100 times slower; set MIEPYTHON_USE_JIT=1 before Python starts",
            stacklevel=2,
        )
    Q = planck_mean_qpr(constants, s, T, progress=progress)
    header = _header(nk_path, out_name, constants)
    header.append(f"grid: sizes_per_decade = {sizes_per_decade:g}, temperature_step = {temperature_step:g} K")
    text = table_text(QprTable(np.log(s), T, Q, out_name.stem), header=header)
    with out.writing() as file:
        file.write(text.encode())
    return parse_qpr_table(text, source=str(out), name=out_name.stem)


def _header(nk_path: Path, out_path: Path, constants: Sequence[OpticalConstants]) -> list[str]:
    mie = _load_miepython()
    raw = nk_path.read_bytes()
    digest = hashlib.sha256(raw).hexdigest()
    notes = [line[1:].strip() for line in raw.decode("utf-8-sig").splitlines() if line.startswith("#")]
    source = KNOWN_SOURCES.get(digest, " ".join(notes) or "not stated in the input file")
    low = min(one.wavelength[0] for one in constants) * 1e6
    high = max(one.wavelength[-1] for one in constants) * 1e6
    return [
        "<Q_pr>(s, T): Planck mean (weight B_lambda(T)) of Q_pr = Q_ext - g Q_sca of homogeneous spheres, Mie theory",
        f"axes averaged with equal weight: {len(constants)}",
        f"wavelengths: {low:.6g}-{high:.6g} um, refined to steps of at most {MAX_LOG_STEP:g} in ln(wavelength)",
        f"Q_pr = 1 where the size parameter 2 pi s / lambda exceeds {X_LIMIT:g}",
        "units: first row temperature [K], first column grain radius [m], cells dimensionless",
        f"made by: marsdisk qpr {nk_path.name} --out {out_path.name}",
        f"optical constants: {source}",
        f"input: {nk_path.name}, sha256 {digest}",
        f"versions: miepython {mie.__version__}, numpy {np.__version__}",
    ]
