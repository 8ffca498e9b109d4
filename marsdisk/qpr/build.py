"""Tables of the Planck mean efficiencies <Q_pr> and <Q_ext> of spheres, by Mie theory.

`build_tables` makes the files that `marsdisk.io.efficiency_tables` reads, from optical constants.
It needs the optional package miepython: ``pip install 'marsdisk[qpr]'``. ``python -m
marsdisk.qpr.compare TABLE OTHER.csv`` compares two tables.
"""

import hashlib
import os
import shlex
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..io.efficiency_tables import parse_table
from ..io.out_file import OutFile, OutputError
from ..physics.qpr_table import EfficiencyTable, FloatArray, QextTable, QprTable
from .mie import X_LIMIT, Progress, compute_planck_means, load_miepython
from .optical_constants import MAX_LOG_STEP, OpticalConstants, read_optical_constants

TABLE_FORMATS = ("csv",)

_MEAN = "Planck mean (weight B_lambda(T))"
_SPHERES = "of homogeneous spheres, Mie theory"
_LARGE = f"where the size parameter 2 pi s / lambda exceeds {X_LIMIT:g}"
_DIFFRACTION = "half of it is diffraction, whose light goes on in nearly the same direction"
QPR_TITLE = f"<Q_pr>(s, T): {_MEAN} of Q_pr = Q_ext - g Q_sca {_SPHERES}"
QPR_OF_LARGE = f"Q_pr = 1 {_LARGE}"
QEXT_TITLE = f"<Q_ext>(s, T): {_MEAN} of Q_ext = Q_abs + Q_sca {_SPHERES}"
QEXT_OF_LARGE = f"Q_ext = 2 {_LARGE}; {_DIFFRACTION}"
UNITS = "units: first row temperature [K], first column grain radius [m], cells dimensionless"


class SizeSegment(NamedTuple):
    """A part of the grid of sizes."""

    low: float  #: m
    high: float  #: m
    density: float  #: nodes per decade, relative to `sizes_per_decade`


#: Q rises as s to s^4 below 1 um and is flat above.
SIZE_SEGMENTS = (
    SizeSegment(1e-8, 1e-6, 1.0),
    SizeSegment(1e-6, 1e-4, 0.5),
    SizeSegment(1e-4, 3.0, 0.2),
)

#: Largest step in temperature, relative to it.
MAX_RELATIVE_TEMPERATURE_STEP = 0.036
T_MIN = 300.0  # K
T_MAX = 6500.0  # K

#: Origin of the numbers in an input file, by its sha256.
KNOWN_SOURCES = {
    "19cdf0cc6a150ea0e702e9175a4cc773dd001c67f81340a1c1b5cf97c5cfd009": (
        "crystalline forsterite, three optical axes, 295 K, 0.08-1000 um: Jena (FOR2285) data base"
        " of optical constants"
    ),
}


def size_grid(sizes_per_decade: float = 46) -> FloatArray:
    """Return radii 1e-8 ... 3 m, log-spaced by parts (`SIZE_SEGMENTS`), to 6 significant digits.

    `sizes_per_decade` is that below 1 um. With 46, interpolation linear in log s is within 0.5 %
    for s < 100 um.

    Raises
    ------
    ValueError
        If `sizes_per_decade` is not between 1 and 1000.
    """
    if not 1 <= sizes_per_decade <= 1000:
        raise ValueError(f"sizes_per_decade must be 1 ... 1000, got {sizes_per_decade}")
    parts = []
    for low, high, density in SIZE_SEGMENTS:
        count = max(1, int(np.ceil(np.log10(high / low) * sizes_per_decade * density - 1e-9)))
        parts.append(np.geomspace(low, high, count, endpoint=False))
    sizes = [*np.concatenate(parts), SIZE_SEGMENTS[-1].high]
    return np.array([float(f"{size:.5e}") for size in sizes])


def temperature_grid(temperature_step: float = 100.0) -> FloatArray:
    """Return temperatures 300 ... 6500 K in whole kelvins.

    Steps are equal and at most `temperature_step` [K] at the hot end, and at most 3.6 % of T where
    that is less. <Q_pr> goes about as T^4 for s < lambda, so linear interpolation with a relative
    step d is off by 1.5 d^2.

    Raises
    ------
    ValueError
        If `temperature_step` is less than 1 K, or more than the range.
    """
    if not 1.0 <= temperature_step <= T_MAX - T_MIN:
        raise ValueError(
            f"temperature_step must be 1 ... {T_MAX - T_MIN:g} K, got {temperature_step}"
        )
    turn = max(T_MIN, temperature_step / MAX_RELATIVE_TEMPERATURE_STEP)
    hot = T_MAX - temperature_step * np.arange(max(1, int((T_MAX - turn) / temperature_step + 1)))
    ratio = hot[-1] / T_MIN
    steps = int(np.ceil(np.log(ratio) / np.log1p(MAX_RELATIVE_TEMPERATURE_STEP)))
    cold = np.geomspace(T_MIN, hot[-1], 1 + steps)
    return np.unique(np.rint(np.concatenate([cold, hot])))


def table_text(table: EfficiencyTable, *, header: Sequence[str] = (), digits: int = 5) -> str:
    """Return `table` as text: a line of temperatures [K], then one line per size [m].

    Parameters
    ----------
    table : EfficiencyTable
        The efficiency by size and temperature.
    header : sequence of str
        Lines of comment above it.
    digits : int
        Significant digits of the efficiency; sizes and temperatures have ten.
    """
    lines = [f"# {line}" for line in header]
    lines.append(",".join([table.corner, *(f"{T:.10g}" for T in table.T)]))
    for s, column in zip(np.exp(table.log_s), table.Q.T, strict=True):
        lines.append(",".join([f"{s:.10g}", *(f"{Q:.{digits}g}" for Q in column)]))
    return "\n".join(lines) + "\n"


def write_table(
    path: str | Path | OutFile,
    table: EfficiencyTable,
    *,
    header: Sequence[str] = (),
    digits: int = 5,
) -> None:
    """Write :func:`table_text` into a file.

    Parameters
    ----------
    path : str or Path or OutFile
        The file; one at a path is overwritten.
    table, header, digits
        As for :func:`table_text`.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    with OutFile.from_name(path, TABLE_FORMATS, force=True).writing() as file:
        file.write(table_text(table, header=header, digits=digits).encode())


def refuse_same_file(out: OutFile, ext: OutFile) -> None:
    """Refuse to write both tables to the same file, where the second would replace the first.

    Raises
    ------
    OutputError
        If they are the same file, or both are standard output.
    """
    both_printed = out.is_standard_output and ext.is_standard_output
    if both_printed or os.path.realpath(out.name) == os.path.realpath(ext.name):
        raise OutputError(f"--out and --ext are both {out}; give each table a file of its own")


def build_tables(
    nk_path: str | Path,
    out_path: str | Path | OutFile,
    ext_path: str | Path | OutFile | None = None,
    *,
    sizes_per_decade: float = 46,
    temperature_step: float = 100.0,
    progress: Progress | None = None,
) -> tuple[QprTable, QextTable]:
    """Compute <Q_pr>(s, T) and <Q_ext>(s, T) from optical constants, and write them.

    Parameters
    ----------
    nk_path : str or Path
        Optical constants (`read_optical_constants`).
    out_path : str or Path or OutFile
        File for <Q_pr>; one at a path is overwritten.
    ext_path : str or Path or OutFile, optional
        File for <Q_ext>, likewise; by default this table is not written.
    sizes_per_decade : float
        Sizes per decade below 1 um (`size_grid`).
    temperature_step : float
        Largest step in temperature [K] (`temperature_grid`).
    progress : callable, optional
        Called with the fraction done, up to 1.

    Returns
    -------
    QprTable, QextTable
        As read from their texts.

    Raises
    ------
    ModuleNotFoundError
        If miepython is not installed.
    ValueError
        If the input file is malformed or a grid option is out of range.
    OutputError
        If a file cannot be written, or is the same for both.
    """
    nk_path = Path(nk_path)
    out = OutFile.from_name(out_path, TABLE_FORMATS, force=True)
    files = [out]
    command = ["marsdisk", "qpr", nk_path.name, "--out", Path(out.name).name]
    if ext_path is not None:
        ext = OutFile.from_name(ext_path, TABLE_FORMATS, force=True, option="--ext")
        refuse_same_file(out, ext)
        files.append(ext)
        command += ["--ext", Path(ext.name).name]
    s = size_grid(sizes_per_decade)
    T = temperature_grid(temperature_step)
    constants = read_optical_constants(nk_path)
    if not load_miepython().USE_JIT:
        warnings.warn(
            "miepython runs without numba, about 100 times slower; set MIEPYTHON_USE_JIT=1 before"
            " Python starts",
            stacklevel=2,
        )
    means = compute_planck_means(constants, s, T, progress=progress)
    grid = f"sizes_per_decade = {sizes_per_decade:g}, temperature_step = {temperature_step:g} K"
    wavelengths = _describe_wavelengths(constants)
    origin = _describe_origin(nk_path, command)
    pressure_notes = [QPR_TITLE, *wavelengths, QPR_OF_LARGE, UNITS, *origin, f"grid: {grid}"]
    extinction_notes = [QEXT_TITLE, *wavelengths, QEXT_OF_LARGE, UNITS, *origin, f"grid: {grid}"]
    names = [Path(file.name).stem for file in (files[0], files[-1])]
    pressure = table_text(QprTable(np.log(s), T, means.Q_pr, names[0]), header=pressure_notes)
    extinction = table_text(QextTable(np.log(s), T, means.Q_ext, names[1]), header=extinction_notes)
    # The second file may be missing.
    for file, text in zip(files, (pressure, extinction), strict=False):
        with file.writing() as stream:
            stream.write(text.encode())
    return (
        parse_table(QprTable, pressure, source="<Q_pr>", name=names[0]),
        parse_table(QextTable, extinction, source="<Q_ext>", name=names[1]),
    )


def _describe_wavelengths(constants: Sequence[OpticalConstants]) -> list[str]:
    low = min(axis.wavelength[0] for axis in constants) * 1e6
    high = max(axis.wavelength[-1] for axis in constants) * 1e6
    steps = f"refined to steps of at most {MAX_LOG_STEP:g} in ln(wavelength)"
    return [
        f"axes averaged with equal weight: {len(constants)}",
        f"wavelengths: {low:.6g}-{high:.6g} um, {steps}",
    ]


def _describe_origin(nk_path: Path, command: Sequence[str]) -> list[str]:
    """Return where the numbers come from, without a path of this machine."""
    content = nk_path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    lines = content.decode("utf-8-sig").splitlines()
    notes = [line[1:].strip() for line in lines if line.startswith("#")]
    source = KNOWN_SOURCES.get(digest, " ".join(notes) or "not stated in the input file")
    return [
        f"made by: {shlex.join(command)}",
        f"optical constants: {source}",
        f"input: {nk_path.name}, sha256 {digest}",
        f"versions: miepython {load_miepython().__version__}, numpy {np.__version__}",
    ]
