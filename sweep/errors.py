"""Errors of sweeps and their stores."""

from marsdisk.errors import MarsDiskError


class StoreError(MarsDiskError, OSError):
    """A store that cannot be made, read, written or gone on with."""


class StorageOutageError(StoreError):
    """An object store that does not answer or is busy: the same may work a little later."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.problem}; run the same command again when it answers"


class PlanChangedError(StoreError):
    """The store holds another plan than the one asked for."""


class Interrupted(Exception):
    """The user or the system asked to stop; what was committed stays."""


class TooManyFailures(Exception):
    """More runs failed than are allowed; what was committed stays."""


class RunChangedWarning(UserWarning):
    """What a run was computed from has changed, so that its command may give other numbers."""


class NotesWarning(UserWarning):
    """What makes the runs of a store doubtful was not recorded."""


class ClusterError(MarsDiskError, RuntimeError):
    """Workers could not be had, or a block cannot be run on any."""


class WorkersLostError(ClusterError):
    """The scheduler or all workers are gone; new ones may do."""


class UnfitWorkerError(MarsDiskError, RuntimeError):
    """A worker that does not agree with the driver and leaves a block alone."""

    def __init__(self, address: str, problem: str) -> None:
        self.address = address
        self.problem = problem
        super().__init__(address, problem)
