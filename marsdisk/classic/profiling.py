"""The time that caches save: the classic step, timed with the cache on and off in one process."""

import cProfile
import pstats
import time
from dataclasses import dataclass

import numpy as np

from ..cache import CacheStats, RunCache
from ..config import RunConfig
from ..physics.radiation import blowout_size
from ..physics.sinks import blowout_sink_vector
from ..physics.smol import ImexWorkspace
from ..run.derived import derive
from ..run.start import disk_at_start, drivers_of
from ..solver.drivers import drive
from .scheme import classic_disk, outer_step

FUNCTIONS = (
    "step_collisions",
    "_fragment_tensor",
    "step_imex_bdf1_C3",
    "_gain_tensor",
    "compute_q_d_star_array",
    "compute_collision_kernel_C1",
)
WARM_UP_STEPS = 20
BATCHES = 5


@dataclass(frozen=True)
class StepProfile:
    """Times of the classic step with the cache on and off."""

    cached: dict[str, float]  #: cumulative s of each of FUNCTIONS under cProfile
    uncached: dict[str, float]
    step_cached: float  #: s, of the fastest of several batches, without cProfile
    step_uncached: float  #: s
    cache: CacheStats


def profile_step(config: RunConfig, steps: int) -> StepProfile:
    """Time ``steps`` classic steps from the start of a run with the cache on and with it off.

    Raises
    ------
    ConfigError
        The configuration contradicts itself in a way that only its physics shows.
    """
    derived = derive(config)
    disk = disk_at_start(config, RunCache())
    classic = classic_disk(config, derived, disk)
    dt = outer_step(config, derived)
    drivers = drivers_of(config, derived, disk)
    s_blow = blowout_size(derived.pressure, derived.law.T0)[0]
    S = None
    if derived.blowout_rate > 0.0:
        S = blowout_sink_vector(disk.grid.edges[:-1], s_blow, 1.0 / derived.blowout_rate)
    driven = drive(drivers, 0.0)
    supply_rate = driven.supply
    sinks = (S, drivers.linear.drag, driven.speed * drivers.linear.evaporated)
    start = disk.sigma_0 * disk.shares / disk.masses

    def run(cache: RunCache, count: int) -> None:
        N = np.array(start)
        workspace = ImexWorkspace.for_bins(start.size)
        for _ in range(count):
            N = classic.step(N, dt, sinks, supply_rate, cache=cache, workspace=workspace).N_new

    def measure(cache: RunCache) -> tuple[dict[str, float], float]:
        run(cache, WARM_UP_STEPS)
        steps_per_batch = max(1, steps // BATCHES)
        step_times = []
        for _ in range(BATCHES):
            begin = time.perf_counter()
            run(cache, steps_per_batch)
            step_times.append((time.perf_counter() - begin) / steps_per_batch)
        cache.restart_counts()
        profiler = cProfile.Profile()
        profiler.runcall(run, cache, steps)
        seconds = dict.fromkeys(FUNCTIONS, 0.0)
        stats = pstats.Stats(profiler).stats  # type: ignore[attr-defined] # typeshed lacks it
        for (_, _, name), (_, _, _, cumulative, _) in stats.items():
            if name in seconds:
                seconds[name] += cumulative
        return seconds, min(step_times)

    cache = RunCache()
    cached, step_cached = measure(cache)
    stats = cache.stats()
    uncached, step_uncached = measure(RunCache(enabled=False))
    return StepProfile(cached, uncached, step_cached, step_uncached, stats)
