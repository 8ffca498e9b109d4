"""What the caches save: the classic step of a configuration, timed with the cache on and off in one process."""

import cProfile
import pstats
import time
from dataclasses import dataclass

import numpy as np

from .cache import CacheStats, RunCache
from .config import RunConfig
from .derived import derive
from .physics.radiation import blowout_size
from .physics.sinks import blowout_sink_vector
from .physics.smol import ImexWorkspace
from .solver.drivers import drive
from .start import disk_at_start, drivers_of
from .zero_d import classic_disk, ensure_compiled, outer_step

FUNCTIONS = (
    *("step_collisions", "_fragment_tensor", "step_imex_bdf1_C3", "_gain_tensor"),
    *("compute_q_d_star_array", "compute_collision_kernel_C1"),
)
WARM_UP = 20  # steps before anything is timed


@dataclass(frozen=True)
class StepProfile:
    """Cumulative seconds of each of :data:`FUNCTIONS` under cProfile, and the wall time of a step without it."""

    cached: dict[str, float]
    uncached: dict[str, float]
    step_cached: float  #: s, fastest of several batches, profiler off
    step_uncached: float  #: s
    cache: CacheStats


def profile_step(config: RunConfig, steps: int) -> StepProfile:
    """Run ``steps`` classic steps from the start of ``config`` with the cache on, and the same ones with it off.

    Raises
    ------
    ConfigError
        The configuration contradicts itself in a way that only its physics shows.
    """
    ensure_compiled()
    derived = derive(config)
    disk = disk_at_start(config, RunCache())
    classic = classic_disk(config, derived, disk)
    dt = outer_step(config, derived)
    drivers = drivers_of(config, derived, disk)
    s_blow = blowout_size(derived.pressure, derived.law.T0)[0]
    S = (
        blowout_sink_vector(disk.grid.edges[:-1], s_blow, 1.0 / derived.blowout_rate)
        if derived.blowout_rate > 0.0
        else None
    )
    driven = drive(drivers, 0.0)
    supply_rate = driven.supply
    sinks = (S, drivers.linear.drag, driven.speed * drivers.linear.evaporated)
    start = disk.sigma_0 * disk.shares / disk.masses

    def run(cache: RunCache, count: int) -> None:
        N = np.array(start)
        workspace = ImexWorkspace.for_bins(start.size)
        for _ in range(count):
            N = classic.step(N, dt, sinks, supply_rate, cache=cache, workspace=workspace).N_new

    def seconds(enabled: bool) -> tuple[dict[str, float], float, CacheStats]:
        cache = RunCache(enabled=enabled)
        run(cache, WARM_UP)
        batches = []
        for _ in range(5):
            begin = time.perf_counter()
            run(cache, max(1, steps // 5))
            batches.append((time.perf_counter() - begin) / max(1, steps // 5))
        cache.restart_counts()
        profiler = cProfile.Profile()
        profiler.runcall(run, cache, steps)
        of_function = dict.fromkeys(FUNCTIONS, 0.0)
        for (_, _, name), (_, _, _, cumulative, _) in pstats.Stats(profiler).stats.items():  # type: ignore[attr-defined]
            if name in of_function:
                of_function[name] += cumulative
        return of_function, min(batches), cache.stats()

    cached, step_cached, stats = seconds(enabled=True)
    uncached, step_uncached, _ = seconds(enabled=False)
    return StepProfile(cached, uncached, step_cached, step_uncached, stats)
