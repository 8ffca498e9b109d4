"""The command ``marsdisk``: one run, its configuration, and the Q_pr table."""

import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from ..common.exit_codes import OK, SOME_FAILED
from .logs import message
from .options import force_option, set_option
from .program import command, compile_kernels, print_whole, program

CONFIG = click.argument("config", type=click.Path(path_type=Path))


@program(
    "One run of the dust disk inside Mars' Roche limit. Start with: marsdisk run"
    " builtin:mars_0d_melt"
)
def main() -> None:
    """Set up interruption for every command."""
    # An interruption cannot damage anything, so the default handler may end the process at once.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@main.command()
@CONFIG
@set_option
@click.option(
    "--out",
    type=click.Path(),
    metavar="FILE",
    help="Write the result: .npz (everything) or .csv (the time series); - prints the latter.",
)
@force_option
@command
def run(config: Path, overrides: dict[str, Any], out: str | None, *, force: bool) -> None:
    r"""Integrate CONFIG and print its results.

    \b
    marsdisk run configs/mars_0d_melt.yaml
    marsdisk run configs/mars_0d_melt.yaml --set temperature.T0=3000 --out run.npz
    """
    from ..config import load_config
    from ..io.out_file import OutFile
    from ..report.result import RESULT_FORMATS, print_result, write_result
    from ..zero_d import run_zero_d

    run_config = load_config(config, overrides)
    if out is None:
        compile_kernels(message)
        print_result(run_zero_d(run_config))
        return
    file = OutFile.from_name(out, RESULT_FORMATS, unnamed="csv", force=force)
    with file.messages():
        compile_kernels(message)
        result = run_zero_d(run_config)
        print_result(result)
        write_result(result, file)
        message(f"written to {file}")


@main.command()
@CONFIG
@set_option
@click.option(
    "--all",
    "every_key",
    is_flag=True,
    help="Print every key, including those of laws not in use, and the values it takes.",
)
@command
def show(config: Path, overrides: dict[str, Any], *, every_key: bool) -> None:
    r"""Print the keys that CONFIG uses, with values, units and meanings, and derived quantities.

    \b
    marsdisk show configs/mars_0d_melt.yaml
    marsdisk show configs/mars_0d_melt.yaml --all
    """
    from ..config import load_config
    from ..report.config import print_config

    print_config(load_config(config, overrides), every_key=every_key)


LIMIT = click.FloatRange(0.0, 1.0, min_open=True)


@main.command()
@CONFIG
@set_option
@click.option(
    "--time-limit",
    type=LIMIT,
    help="Largest relative error from time steps that passes.  [default: 0.001]",
)
@click.option(
    "--bins-limit",
    type=LIMIT,
    help="Largest relative error from the size bins that passes.  [default: 0.01]",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print JSON: values, errors (null: infinite), orders (null: none), limits, failures.",
)
@command
def check(
    config: Path,
    overrides: dict[str, Any],
    time_limit: float | None,
    bins_limit: float | None,
    *,
    as_json: bool,
) -> None:
    r"""Estimate the accuracy of CONFIG by repeating its run with tighter steps and other bins.

    The command compares the mass lost, the time by which 99 % of it was lost, the surface density
    and the optical depth at the end, the largest optical depth, the end time and the largest
    outflow. Tighter steps (a hundredth of numerics.rtol and atol, or for imex_bdf1 half of
    numerics.dt) show the error of the integration. Half and twice the bins between the same sizes
    show the error of the size grid, including that of the disk at t = 0, and its order of
    convergence. Exit codes: 0 if all errors are within their limits, 1 if some are not, 2 for bad
    input or a run that could not reach its end.

    \b
    marsdisk check configs/mars_0d_melt.yaml
    marsdisk check configs/mars_0d_melt.yaml --set sizes.n_bins=20 --bins-limit 0.02 --json
    """
    import json

    from ..accuracy.convergence import BINS_LIMIT, TIME_LIMIT, check_run
    from ..config import load_config
    from ..report.accuracy import convergence_record, print_convergence

    run_config = load_config(config, overrides)
    if not as_json:
        compile_kernels(message)
    convergence = check_run(
        run_config, time_limit=time_limit or TIME_LIMIT, bins_limit=bins_limit or BINS_LIMIT
    )
    if as_json:
        print_whole(json.dumps(convergence_record(convergence), allow_nan=False))
    else:
        print_convergence(convergence)
    sys.exit(OK if convergence.passed else SOME_FAILED)


@main.command()
@CONFIG
@set_option
@click.option(
    "--steps",
    type=click.IntRange(1, 10_000_000),
    default=1000,
    show_default=True,
    help="Classic steps to time.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print JSON: seconds by function with the cache on and off, and its counters.",
)
@command
def profile(config: Path, overrides: dict[str, Any], steps: int, *, as_json: bool) -> None:
    r"""Time the classic collision step of CONFIG with its caches on and off.

    \b
    marsdisk profile configs/mars_0d_baseline.yaml
    marsdisk profile configs/mars_0d_melt.yaml --steps 5000 --json
    """
    import json

    from ..classic.profiling import profile_step
    from ..config import load_config
    from ..report.profile import print_profile, profile_record
    from ..zero_d import ensure_compiled

    run_config = load_config(config, overrides)
    if as_json:
        ensure_compiled()
    else:
        compile_kernels(message)
    step_profile = profile_step(run_config, steps)
    if as_json:
        print_whole(json.dumps(profile_record(step_profile)))
    else:
        print_profile(step_profile, steps)


@main.command()
@click.argument("constants", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(),
    metavar="FILE",
    required=True,
    help="Write <Q_pr> to this file; - prints it.",
)
@click.option(
    "--ext",
    type=click.Path(),
    metavar="FILE",
    help="Write <Q_ext> to this file, too; - prints it.",
)
@force_option
@click.option(
    "--sizes-per-decade",
    type=click.IntRange(2, 1000),
    default=46,
    show_default=True,
    help="Sizes per decade below 1 um.",
)
@click.option(
    "--temperature-step",
    type=click.FloatRange(1.0, 1000.0),
    default=100.0,
    show_default=True,
    help="Largest step in T [K].",
)
@command
def qpr(
    constants: Path,
    out: str,
    ext: str | None,
    *,
    force: bool,
    sizes_per_decade: int,
    temperature_step: float,
) -> None:
    r"""Compute tables of Planck-mean efficiencies by Mie theory.

    CONSTANTS is a CSV file with columns (axis,) wavelength_um, n, k. <Q_pr> is the efficiency of
    radiation pressure: give the path of its table as radiation.Q_pr. <Q_ext> is that of extinction,
    for optical_depth.Q_ext with optical_depth.opacity: planck. Both follow from the same Mie sums.
    Needs: pip install 'marsdisk[qpr]'.

    \b
    marsdisk qpr olivine_nk.csv --out olivine_qpr.csv --ext olivine_qext.csv
    """
    from ..common.errors import ConfigError
    from ..io.out_file import OutFile
    from ..qpr.build import TABLE_FORMATS, build_tables, refuse_same_file

    file = OutFile.from_name(out, TABLE_FORMATS, force=force)
    files = [file]
    if ext is not None:
        files.append(OutFile.from_name(ext, TABLE_FORMATS, force=force, option="--ext"))
        refuse_same_file(*files)
    with ExitStack() as contexts:
        for table_file in files:
            contexts.enter_context(table_file.messages())
        if ext is None:
            click.echo("<Q_ext> (for optical_depth.opacity: planck) is not written; add --ext FILE")
        try:
            with click.progressbar(length=1000, label="Mie sums") as bar:
                tables = build_tables(
                    constants,
                    *files,
                    sizes_per_decade=sizes_per_decade,
                    temperature_step=temperature_step,
                    progress=lambda share: bar.update(int(1000 * share) - bar.pos),
                )
        except (OSError, ValueError, ImportError) as error:
            raise ConfigError([str(error)], str(constants)) from error
        # There is one file if <Q_ext> is not written.
        for table_file, table in zip(files, tables, strict=False):
            grid = f"{table.T.size} temperatures, {table.log_s.size} sizes"
            click.echo(f"{table_file}: <{table.quantity}>, {grid}, digest {table.digest[:16]}")
