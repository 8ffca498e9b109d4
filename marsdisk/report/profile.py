"""Tables of a profile on the terminal."""

from typing import Any

from ..cache import CacheKind
from ..classic.profiling import FUNCTIONS, StepProfile
from .terminal import print_table, terminal


def print_profile(profile: StepProfile, steps: int) -> None:
    """Print times with the cache on and off, their ratios, and the counters of the cache."""
    rows = []
    for name in FUNCTIONS:
        on = profile.cached[name]
        off = profile.uncached[name]
        if on > 0.0:
            ratio = f"{off / on:.1f}"
        elif off > 0.0:
            ratio = "not called"
        else:
            ratio = "-"
        rows.append((name, f"{1e3 * on:.2f}", f"{1e3 * off:.2f}", ratio))
    print_table(
        f"{steps} classic steps under cProfile",
        rows,
        "function",
        "cache on [ms]",
        "cache off [ms]",
        "off/on",
    )
    on = profile.step_cached
    off = profile.step_uncached
    terminal().print(
        f"a step without the profiler: {1e6 * on:.1f} us with the cache, {1e6 * off:.1f} us"
        f" without, {off / on:.1f} times",
        highlight=False,
    )
    terminal().print(f"cache: {profile.cache.line()}", highlight=False, markup=False)


def profile_record(profile: StepProfile) -> dict[str, Any]:
    """Return a profile for JSON: seconds by function and of a step, and counters by slot."""
    slots = {}
    for i, kind in enumerate(CacheKind):
        counters = {}
        for name in ("hits", "misses", "rebuilds", "refused", "bytes", "build_time"):
            counters[name] = getattr(profile.cache, name)[i].item()
        slots[str(kind)] = counters
    steps = {"cached": profile.step_cached, "uncached": profile.step_uncached}
    return {"cached": profile.cached, "uncached": profile.uncached, "step": steps, "cache": slots}
