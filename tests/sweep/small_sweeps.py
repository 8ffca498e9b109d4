"""Sweeps that run in seconds, commands in this or another process, and comparison of stores."""

import contextlib
import io
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from click.testing import CliRunner
from rich.console import Console
from zarr.codecs import Crc32cCodec

import marsdisk.cli
import sweep.cli.commands
from sweep.planning.plan import Plan
from sweep.running.session import run_sweep
from sweep.spec.file import load_sweep
from sweep.store import layout
from sweep.store.location import Location
from sweep.store.store import Store

CONFIGS = Path(__file__).parents[2] / "configs"
MELT = CONFIGS / "mars_0d_melt_simple.yaml"
SCRIPTS = Path(sys.executable).parent
SMALL: dict[str, Any] = {
    "name": "small",
    "base": str(MELT),
    "set": {"numerics.t_end_years": 0.02},
    "output": {"samples": 8, "snapshots": 2},
    "block": 2,
}
T0_AND_RINGS: dict[str, Any] = {
    "temperature.T0": [3000.0, 4000.0],
    "ring": {"rings": [1.0, 2.7, 3]},
}


def sweep_file(folder: Path, file_name: str = "small.yaml", **changes: Any) -> Path:
    """Write a sweep file: SMALL with sections replaced by ``changes``, or dropped where None."""
    content = {key: value for key, value in {**SMALL, **changes}.items() if value is not None}
    path = folder / file_name
    path.write_text(json.dumps(content), encoding="utf-8")  # JSON is YAML
    return path


def base_in(folder: Path) -> str:
    """Copy the melt base into a folder and return its name there.

    Of a base far from its sweep file, a store records the name alone.
    """
    return shutil.copy(MELT, folder / "base.yaml").name


def run_here(file: Path, store: Path | str | Location, workers: int = 0, **options: Any) -> Plan:
    """Run a sweep file from this process."""
    plan, _ = run_sweep(
        load_sweep(file), store, workers=workers, console=Console(file=io.StringIO()), **options
    )
    return plan


def environment(**extra: str) -> dict[str, str]:
    return {**os.environ, **extra}


def command(
    *words: object, cwd: Path, timeout: float = 300.0, **extra: str
) -> "subprocess.CompletedProcess[str]":
    """Run ``sweep ...`` or ``marsdisk ...`` as installed; ``extra`` goes into its environment."""
    program, *arguments = map(str, words)
    return subprocess.run(
        [str(SCRIPTS / program), *arguments],
        cwd=cwd,
        env=environment(**extra),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


#: Warnings that Python hides by default.
HIDDEN_WARNINGS = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)


def run_command(*words: object, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run ``sweep ...`` or ``marsdisk ...`` in this process; otherwise as :func:`command`.

    This saves the imports. Errors that the program does not catch are raised. Tests of the
    environment, imports, pipes, or signals of a process need :func:`command`.
    """
    program, *arguments = map(str, words)
    main = {"sweep": sweep.cli.commands.main, "marsdisk": marsdisk.cli.main}[program]
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.chdir(cwd))
        stack.enter_context(keep_settings())
        caught = stack.enter_context(warnings.catch_warnings(record=True))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(sys, "argv", [program, *arguments])  # the commands that it prints repeat it
        done = CliRunner().invoke(main, arguments, prog_name=program, catch_exceptions=False)
    shown = [warning for warning in caught if not issubclass(warning.category, HIDDEN_WARNINGS)]
    stderr = done.stderr + "".join(map(as_printed, shown))
    return subprocess.CompletedProcess([program, *arguments], done.exit_code, done.stdout, stderr)


def as_printed(warning: warnings.WarningMessage) -> str:
    """Return the text that Python prints for a warning."""
    return warnings.formatwarning(
        str(warning.message), warning.category, warning.filename, warning.lineno
    )


@contextlib.contextmanager
def keep_settings() -> Iterator[None]:
    """Restore what a program sets for its process: environment, signal handlers, logging.

    In the meantime log records go where the program sends them, not to pytest.
    """
    environment_before = dict(os.environ)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    root = logging.getLogger()
    receivers = root.handlers[:]
    levels = {logger: logger.level for logger in known_loggers()}
    root.handlers.clear()
    try:
        yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)
        root.handlers[:] = receivers
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if os.environ != environment_before:
            os.environ.clear()
            os.environ.update(environment_before)


def known_loggers() -> list[logging.Logger]:
    """Return the loggers that exist, those of our programs first."""
    own_loggers = [logging.getLogger(name) for name in (None, "marsdisk", "sweep")]
    others = logging.root.manager.loggerDict.values()
    return own_loggers + [logger for logger in others if isinstance(logger, logging.Logger)]


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def results(store: Path | str | Location) -> dict[str, Any]:
    """Return the arrays along ``run``, sorted by run_id.

    Arrays that depend on the circumstances of a computation (worker, speed, caches) are left out.
    """
    opened = Store.open(store)
    used = np.flatnonzero(opened.column("status") != layout.UNUSED)
    order = used[np.argsort(opened.column("run_id")[used].tolist())]
    circumstances = {"wall_time", "solver_time", "worker", "attempt", "block"}
    columns = {
        name: opened.column(name) for name, spec in opened.arrays.items() if spec.dims[0] == "run"
    }
    return {
        name: values[order]
        for name, values in columns.items()
        if name not in circumstances and not name.startswith("cache_")
    }


def assert_same_bits(left_store: Path | str | Location, right_store: Path | str | Location) -> None:
    """Assert that two stores hold the same runs with the same bits."""
    left = results(left_store)
    right = results(right_store)
    assert left.keys() == right.keys()
    different = [
        name
        for name in left
        if left[name].shape != right[name].shape or _bits(left[name]) != _bits(right[name])
    ]
    assert not different


def _bits(values: np.ndarray[Any, Any]) -> Any:
    if values.dtype.kind == "T":
        return values.tolist()
    return values.dtype, values.tobytes()


#: A sweep that measures the accuracy of two of its six runs.
SOME: dict[str, Any] = {"axes": T0_AND_RINGS, "accuracy": {"fraction": 0.4}}
#: A hostile name of a variant: HTML, mathematics, a formula of a spreadsheet, a text that runs
#: right to left, far too long.
HOSTILE = '=1+1 <script>alert("x")</script> & $x_{^ \u202e\u05d0\u05d1,\n' + "long " * 30
#: Disks of two rings whose runs fail, stop early, or finish; the accuracy of half is measured.
MIXED: dict[str, Any] = {
    "axes": {"temperature.T0": [3000.0, 4000.0, 5000.0], "ring": {"rings": [1.0, 2.7, 2]}},
    "variants": {
        "as is": {},
        HOSTILE: {"numerics.max_steps": 3},
        "early": {"numerics.mass_loss_rate_stop_Mmars_s": 1e-18},
    },
    "accuracy": {"fraction": 0.5},
}


def as_of_schema(store: Path, schema: int) -> None:
    """Turn a finished store into one that an earlier version would have written."""
    group = zarr.open_group(store, mode="r+")
    status = group["status"]
    assert isinstance(status, zarr.Array)
    for variable in layout.VARIABLES:
        if not variable.is_in(schema):
            del group[variable.name]
        elif variable.name not in group:
            runs = status.shape[0]
            block_size = status.chunks[0]
            array = group.create_array(
                variable.name,
                shape=(runs,),
                chunks=(block_size,),
                dtype=variable.dtype,
                fill_value=variable.fill,
                compressors=[Crc32cCodec()],
                dimension_names=("run",),
                attributes=dict(variable.attributes),
                config={"write_empty_chunks": True},
            )
            array[:] = 0
    group.update_attributes({"schema_version": schema})


def forget_block(store: Path, block: int) -> None:
    """Remove a block's commit record, as if the driver had been killed before writing it."""
    status = zarr.open_group(store, mode="r+")["status"]
    assert isinstance(status, zarr.Array)
    size = status.chunks[0]
    status[block * size : (block + 1) * size] = 0
