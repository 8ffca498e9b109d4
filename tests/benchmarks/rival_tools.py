"""The same runs as users of other tools would do them; only the contents of results are ours.

``main`` is a process of its own: it prints how long the runs took once workers were ready and
compiled code was loaded.
"""

import functools
import itertools
import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from marsdisk.config import load_config
from marsdisk.result import RunResult
from marsdisk.zero_d import run_zero_d
from sweep.store import layout

from .studies import BASE, run_study

WORKERS = 2
SET = {
    "numerics.t_end_until_temperature_K": 2000.0,
    "numerics.t_end_years": None,
    "optical_depth.tau_stop": None,
}
AXES = {"T0": (3000.0, 4000.0, 5000.0), "tau0": (0.5, 1.0), "mu": (0.3, 1.0, 3.0)}
VARIABLES = [
    variable
    for variable in layout.VARIABLES
    if variable.is_in(layout.SCHEMA_VERSION) and variable.name not in ("wall_time", "solver_time")
]

Case = dict[str, Any]
Ready = Callable[[], None]


def case(T0: float, tau0: float, mu: float, ring: int, rings: int) -> Case:
    """Return a run's changes of the base configuration."""
    edges = np.linspace(1.0, 2.7, rings + 1)
    own = {"temperature.T0": T0, "optical_depth.tau0_target": tau0, "supply.mu_orbit10pct": mu}
    return {
        **SET,
        **own,
        "disk.r_in_RM": float(edges[ring]),
        "disk.r_out_RM": float(edges[ring + 1]),
    }


def cases(rings: int) -> list[Case]:
    return [case(*values, rings) for values in itertools.product(*AXES.values(), range(rings))]


def outcome(overrides: Case) -> dict[str, Any]:
    result: RunResult = run_zero_d(load_config(BASE, overrides))
    return {variable.name: variable.value(result) for variable in VARIABLES}


def warm(*_: object) -> None:
    outcome({"numerics.t_end_years": 0.01})


def npz(folder: Path, number: int, overrides: Case) -> None:
    np.savez(folder / f"{number}.npz", **outcome(overrides))


def dimensioned(overrides: Case) -> dict[str, tuple[tuple[str, ...], Any]]:
    return {
        variable.name: (variable.dims, values)
        for variable, values in zip(VARIABLES, outcome(overrides).values(), strict=True)
    }


def netcdf(folder: Path, number: int, overrides: Case) -> None:
    import xarray

    xarray.Dataset(dimensioned(overrides)).to_netcdf(folder / f"{number}.nc", engine="h5netcdf")


def ours(folder: Path, rings: int, ready: Ready) -> float:
    return run_study(folder, folder / "study.zarr", 18 * rings, WORKERS).seconds


def in_this_process(folder: Path, rings: int, ready: Ready) -> None:
    warm()
    ready()
    for number, overrides in enumerate(cases(rings)):
        npz(folder, number, overrides)


def joblib_with(
    save: Callable[[Path, int, Case], None], folder: Path, rings: int, ready: Ready
) -> None:
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=WORKERS)
    parallel(delayed(warm)() for _ in range(2 * WORKERS))
    ready()
    parallel(
        delayed(save)(folder, number, overrides) for number, overrides in enumerate(cases(rings))
    )


def pool(folder: Path, rings: int, ready: Ready) -> None:
    with multiprocessing.Pool(WORKERS, initializer=warm) as processes:
        processes.map(warm, range(WORKERS), chunksize=1)
        ready()
        processes.starmap(functools.partial(npz, folder), enumerate(cases(rings)))


def on_dask(
    folder: Path, save: Callable[[Path, int, Case], None], cases: Iterable[Case], ready: Ready
) -> None:
    import dask
    from distributed import Client, LocalCluster

    with (
        LocalCluster(WORKERS, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        client.run(warm)
        ready()
        dask.compute(
            *(
                dask.delayed(save)(folder, number, overrides)
                for number, overrides in enumerate(cases)
            )
        )


def dask_npz(folder: Path, rings: int, ready: Ready) -> None:
    on_dask(folder, npz, cases(rings), ready)


def zarr_row(folder: Path, number: int, overrides: Case) -> None:
    import zarr

    group = zarr.open_group(folder / "runs.zarr", mode="r+")
    for name, values in outcome(overrides).items():
        group[name][number] = values


def dask_zarr(folder: Path, rings: int, ready: Ready) -> None:
    import zarr

    every = cases(rings)
    group = zarr.open_group(folder / "runs.zarr", mode="w")
    for name, values in outcome(every[0]).items():
        like = np.asarray(values)
        group.create_array(
            name, shape=(len(every), *like.shape), chunks=(1, *like.shape), dtype=like.dtype
        )
    on_dask(folder, zarr_row, every, ready)


def xyzpy_one(T0: float, tau0: float, mu: float, ring: int, rings: int) -> tuple[Any, ...]:
    return tuple(outcome(case(T0, tau0, mu, ring, rings)).values())


def xyzpy(folder: Path, rings: int, ready: Ready) -> None:
    import xyzpy as xyz

    names = [v.name for v in VARIABLES]
    dims = {v.name: list(v.dims) for v in VARIABLES if v.dims}
    runner = xyz.Runner(xyzpy_one, var_names=names, var_dims=dims, constants={"rings": rings})
    harvester = xyz.Harvester(runner, data_name=str(folder / "runs.h5"), engine="h5netcdf")
    with ProcessPoolExecutor(WORKERS) as executor:
        list(executor.map(warm, range(2 * WORKERS)))
        ready()
        harvester.harvest_combos({**AXES, "ring": range(rings)}, executor=executor, verbosity=0)


def pipefunc_one(T0: float, tau0: float, mu: float, ring: int, rings: int) -> dict[str, Any]:
    return outcome(case(T0, tau0, mu, ring, rings))


def pipefunc(folder: Path, rings: int, ready: Ready) -> None:
    from pipefunc import PipeFunc, Pipeline

    pipeline = Pipeline(
        [
            PipeFunc(
                pipefunc_one,
                "result",
                mapspec="T0[i], tau0[j], mu[k], ring[l] -> result[i, j, k, l]",
            )
        ]
    )
    inputs = {
        **{name: list(values) for name, values in AXES.items()},
        "ring": list(range(rings)),
        "rings": rings,
    }
    with ProcessPoolExecutor(WORKERS) as executor:
        list(executor.map(warm, range(2 * WORKERS)))
        ready()
        pipeline.map(
            inputs,
            run_folder=folder / "runs",
            executor=executor,
            storage="file_array",
            return_results=False,
        )


class Tool(NamedTuple):
    """Tool that does the runs."""

    #: returns its own measure of the seconds, or None
    run: Callable[[Path, int, Ready], float | None]
    package: str  #: which has to be installed
    title: str
    lacks: str  #: what our sweeps have and it has not


TOOLS = {
    "ours": Tool(ours, "", "**sweep run**", ""),
    "alone": Tool(
        in_this_process,
        "",
        "a loop in one process, one npz per run",
        "a second core; everything below",
    ),
    "joblib_npz": Tool(
        functools.partial(joblib_with, npz),
        "joblib",
        "joblib (loky), one npz per run",
        "resume, record of failures and origin, one data set, units",
    ),
    "joblib_netcdf": Tool(
        functools.partial(joblib_with, netcdf),
        "joblib",
        "joblib (loky), one NetCDF per run",
        "resume, record of failures and origin, one data set",
    ),
    "pool": Tool(
        pool,
        "",
        "multiprocessing.Pool, one npz per run",
        "the same as joblib; a killed worker hangs it",
    ),
    "dask_npz": Tool(
        dask_npz,
        "",
        "dask.delayed, a task per run, npz",
        "resume, origin; one failed run ends all",
    ),
    "dask_zarr": Tool(
        dask_zarr,
        "",
        "dask.delayed, a task per run, a row of one Zarr store",
        "resume, origin; one failed run ends all",
    ),
    "xyzpy": Tool(
        xyzpy,
        "xyzpy",
        "xyzpy Harvester, one NetCDF in the end",
        "nothing is kept if it is killed (but with its Crop); all results in memory",
    ),
    "pipefunc": Tool(
        pipefunc,
        "pipefunc",
        "pipefunc map, a pickle per run",
        "origin; results are read by this code only",
    ),
}


def main() -> None:
    name = sys.argv[1]
    folder = Path(sys.argv[2])
    rings = int(sys.argv[3])
    begun: list[float] = []
    seconds = TOOLS[name].run(folder, rings, lambda: begun.append(time.perf_counter()))
    if seconds is None:
        seconds = time.perf_counter() - begun[0]
    print(json.dumps({"seconds": seconds}))
