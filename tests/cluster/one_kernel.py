"""``sweep`` for which compiling all kernels means compiling a single one, when a test lets it.

What it does is told by empty files in the folder ``ONE_KERNEL``, named after its process:
arrived-PID where it needs kernels, compiling-PID where it has the right to compile them, then
compiled-PID or loaded-PID. It goes on when ``go_on`` is there.
"""

import os
import time
from pathlib import Path

from marsdisk import zero_d
from marsdisk._jit import kernel
from sweep.cli import main

NOTES = Path(os.environ["ONE_KERNEL"])
really_ensure_compiled = zero_d.ensure_compiled


@kernel
def double(x: float) -> float:
    return 2.0 * x


def note(word: str) -> None:
    (NOTES / f"{word}-{os.getpid()}").touch()


def ensure_compiled() -> None:
    note("arrived")
    really_ensure_compiled()


def compile_or_load(*_: object) -> None:
    """Do what a run that needs every kernel does."""
    note("compiling")
    while not (NOTES / "go_on").exists():
        time.sleep(0.02)  # between two looks at an event
    double(21.0)
    note("compiled" if double.stats.cache_misses else "loaded")  # type: ignore[attr-defined]


if __name__ == "__main__":
    zero_d.ensure_compiled = ensure_compiled
    # the kernels are loaded by the run itself, which has no public part to replace
    zero_d._run = compile_or_load  # type: ignore[assignment]  # noqa: SLF001
    main()
