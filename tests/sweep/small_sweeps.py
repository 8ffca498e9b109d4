"""Sweeps that run in seconds, the commands in this process and as processes, and stores compared bit for bit."""

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
import sweep.cli
from sweep.plan import Plan
from sweep.session import run_sweep
from sweep.spec import load_sweep
from sweep.store import layout, reader
from sweep.store.place import Place

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
    """A sweep file over the melt base; a section of ``changes`` replaces ours, None drops it."""
    content = {key: value for key, value in {**SMALL, **changes}.items() if value is not None}
    path = folder / file_name
    path.write_text(json.dumps(content), encoding="utf-8")  # JSON is YAML
    return path


def base_in(folder: Path) -> str:
    """A copy of the melt base in a folder, by its name: a base far from its sweep file is recorded by its name alone."""
    return shutil.copy(MELT, folder / "base.yaml").name


def run_here(file: Path, store: Path | str | Place, workers: int = 0, **options: Any) -> Plan:
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


#: Warnings that Python does not show unless it is asked to.
NOT_SHOWN = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)


def run_command(*words: object, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run ``sweep ...`` or ``marsdisk ...`` in this process, which saves its imports; the result is that of :func:`command`.

    What a program does not catch is raised. A test of what a process has of its own (its
    environment and imports, pipes, signals) takes :func:`command`.
    """
    program, *arguments = map(str, words)
    main = {"sweep": sweep.cli.main, "marsdisk": marsdisk.cli.main}[program]
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.chdir(cwd))
        stack.enter_context(keep_settings())
        caught = stack.enter_context(warnings.catch_warnings(record=True))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(sys, "argv", [program, *arguments])  # the commands that it prints repeat it
        done = CliRunner().invoke(main, arguments, prog_name=program, catch_exceptions=False)
    shown = [warning for warning in caught if not issubclass(warning.category, NOT_SHOWN)]
    stderr = done.stderr + "".join(map(as_printed, shown))
    return subprocess.CompletedProcess([program, *arguments], done.exit_code, done.stdout, stderr)


def as_printed(warning: warnings.WarningMessage) -> str:
    """What Python prints of a warning."""
    return warnings.formatwarning(
        str(warning.message), warning.category, warning.filename, warning.lineno
    )


@contextlib.contextmanager
def keep_settings() -> Iterator[None]:
    """Put back what a program sets for its process: environment, signal handlers, logging.

    Meanwhile log records go where the program sends them, and not to pytest.
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
    """Loggers that exist, those of our programs first."""
    ours = [logging.getLogger(name) for name in (None, "marsdisk", "sweep")]
    others = logging.root.manager.loggerDict.values()
    return ours + [logger for logger in others if isinstance(logger, logging.Logger)]


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def results(store: Path | str | Place) -> dict[str, Any]:
    """Every array along ``run`` sorted by run_id, but for those that tell of the day: who ran it, how fast, from which cache."""
    group = reader.open_group(store)
    used = np.flatnonzero(reader.column(group, "status") != layout.UNUSED)
    order = used[np.argsort(reader.column(group, "run_id")[used].tolist())]
    of_the_day = {"wall_time", "solver_time", "worker", "attempt", "block"}
    found = {
        name: reader.column(group, name)
        for name, array in group.arrays()
        if array.metadata.dimension_names[0] == "run"
    }
    return {
        name: values[order]
        for name, values in found.items()
        if name not in of_the_day and not name.startswith("cache_")
    }


def assert_same_bits(one: Path | str | Place, other: Path | str | Place) -> None:
    """Both stores hold the same runs with the same bits."""
    left = results(one)
    right = results(other)
    assert left.keys() == right.keys()
    different = [
        name
        for name in left
        if left[name].shape != right[name].shape or _bits(left[name]) != _bits(right[name])
    ]
    assert not different


def _bits(values: np.ndarray[Any, Any]) -> Any:
    return values.tolist() if values.dtype.kind == "T" else (values.dtype, values.tobytes())


#: A sweep that repeats two of its six runs to find their accuracy.
SOME: dict[str, Any] = {"axes": T0_AND_RINGS, "accuracy": {"fraction": 0.4}}
#: What somebody might name a variant: HTML, mathematics, a formula of a spreadsheet, a text that
#: runs right to left, something too long.
HOSTILE = '=1+1 <script>alert("x")</script> & $x_{^ \u202e\u05d0\u05d1,\n' + "long " * 30
#: Runs that fail, that stop early and that are finished, of disks of two rings; half of them
#: checked.
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
    """Take back a block's commit record, as if the driver had been killed before it was written."""
    status = zarr.open_group(store, mode="r+")["status"]
    assert isinstance(status, zarr.Array)
    size = status.chunks[0]
    status[block * size : (block + 1) * size] = 0
