"""The right to drive a store, of which there is one at a time."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from ..common.command import Command
from ..common.errors import StoreError
from .identity import this_process
from .location import Location

# notes next to the store: the file that is locked, and the description of its holder
LOCK = "lock"
DRIVER = "driver"
#: Attempts at a lock that is held: a doctor holds it for an instant to see whether somebody does.
MAX_ATTEMPTS_WHILE_HELD = 5
#: Attempts while drivers that end remove the file between finding and locking it.
MAX_ATTEMPTS = 50
ATTEMPT_SECONDS = 0.01  # between two attempts


def this_driver() -> dict[str, Any]:
    """Describe this process as a driver, for the message of another driver that is refused.

    Returns
    -------
    dict
        As of :func:`sweep.store.identity.this_process`, with the time ``since`` when it drives.
    """
    return {**this_process(), "since": datetime.now(UTC).isoformat(timespec="seconds")}


def describe_driver(driver: Mapping[str, Any]) -> str:
    """Return the description of :func:`this_driver` in words."""
    return f"process {driver['pid']} on {driver['host']} since {driver['since']}"


def refusal(store: Location, driver: str) -> StoreError:
    """Return the error of a second driver."""
    return StoreError(
        f"{store}: {driver} is driving this sweep; wait for it ({Command.sweep('status', store)})"
        " or stop it first"
    )


class Driving(ABC):
    """The right to drive a store, which may be lost."""

    def __init__(self) -> None:
        self.on_loss: Callable[[], None] = lambda: None
        self.lost = ""  #: the driver that took it, or "somebody"; empty while it is held

    @property
    @abstractmethod
    def loss(self) -> str:
        """The message about the loss."""

    def lose(self, to: str) -> None:
        """Record that another driver has the right, or may have it, and stop this one."""
        self.lost = to
        self.on_loss()

    @abstractmethod
    def notice_loss(self) -> None:
        """Find out whether the right is still held, where nothing else does."""
