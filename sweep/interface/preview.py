"""The plan of a sweep, before anything is run."""

from collections.abc import Callable
from pathlib import Path

from marsdisk.common.templates import environment, rendered

from ..planning.plan import make_plan
from ..report.preview import Preview
from .definition import Sweep, read
from .workers import number_of_workers


class Plan:
    """What running a sweep would do; :func:`sweep.plan` makes it.

    Attributes
    ----------
    preview : Preview
        The numbers of the plan.
    """

    def __init__(self, preview: Preview) -> None:
        self.preview = preview

    @property
    def runs(self) -> int:
        """Number of runs, including all rounds of a refinement."""
        return self.preview.runs

    @property
    def blocks(self) -> int:
        """Number of blocks, the units of work."""
        return len(self.preview.plan.blocks)

    @property
    def seconds(self) -> float:
        """Wall time on :attr:`cores` cores, in s, from one measured run; without start-up."""
        return self.preview.seconds

    @property
    def cores(self) -> int:
        """Cores that share the runs."""
        return self.preview.cores

    @property
    def bytes(self) -> int:
        """Size of the store before compression, at most."""
        return self.preview.store.bytes_raw

    @property
    def warnings(self) -> tuple[str, ...]:
        """Hints at what its author may not have intended."""
        return self.preview.plan.warnings

    def _heading(self) -> str:
        return f"plan of sweep {self.preview.plan.sweep.spec.name}"

    def __repr__(self) -> str:
        lines = [f"  {line}" for line in self.preview.lines()]
        return "\n".join([self._heading(), *lines])

    def _repr_html_(self) -> str:
        templates = environment("sweep.interface")
        lines = list(self.preview.lines())
        return rendered(templates, "lines", heading=self._heading(), lines=lines)


def plan(
    sweep: Sweep | str | Path,
    *,
    workers: int | None = None,
    say: Callable[[str], None] = print,
) -> Plan:
    """Validate every case of a sweep, and measure one run; nothing is written.

    Parameters
    ----------
    sweep : Sweep or str or Path
        The sweep, or its file.
    workers : int, optional
        Worker processes that would share the runs; by default one per core.
    say : callable
        Called with a message when kernels have to be compiled first.

    Returns
    -------
    Plan
        Numbers of runs, blocks, seconds, and bytes.

    Raises
    ------
    ConfigError
        A case cannot run; the message has a line for each problem.

    Examples
    --------
    >>> plan = sweep.plan("my_sweep.yaml")
    >>> plan.runs, plan.seconds
    """
    cores = max(1, number_of_workers(workers))
    return Plan(Preview.of(make_plan(read(sweep).definition, cores), say, cores))
