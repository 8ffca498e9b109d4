"""Errors of sweeps and their stores."""

from marsdisk.common.errors import MarsDiskError


class StoreError(MarsDiskError, OSError):
    """A store that cannot be created, read, written or resumed."""


class StorageOutageError(StoreError):
    """An object store that does not answer or is busy; the same request may succeed later."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.problem}; run the same command again when it answers"


class PlanChangedError(StoreError):
    """A store that holds another plan than the one asked for."""


class Interrupted(Exception):  # noqa: N818 - a request, not an error
    """A request of the user or the system to stop; committed results stay."""


class TooManyFailures(Exception):  # noqa: N818 - a limit that the user has set, not an error
    """More failed runs than the user allows; committed results stay."""


class RunChangedWarning(UserWarning):
    """A run whose inputs have changed, so that its command may give other numbers."""


class NotesWarning(UserWarning):
    """A store that does not record what makes its runs doubtful."""


class PartOfDiskWarning(UserWarning):
    """Rings that do not make a whole disk."""


class ClusterError(MarsDiskError, RuntimeError):
    """Workers that cannot be started, or a block that cannot be run on any."""


class WorkersLostError(ClusterError):
    """A scheduler that is gone, or all its workers; new ones may succeed."""


class UnfitWorkerError(MarsDiskError, RuntimeError):
    """A worker that does not agree with the driver and refuses a block."""

    def __init__(self, address: str, problem: str) -> None:
        self.address = address
        self.problem = problem
        super().__init__(address, problem)
