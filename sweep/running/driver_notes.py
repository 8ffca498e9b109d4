"""Notes next to a store about its driver: heartbeat, submission, and request to stop."""

import getpass
import json
import os
import socket
from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict

from marsdisk.common.text import printable

from ..store.folder import Folder
from ..store.location import Location

# states of a driver
RUNNING = "running"
FINISHED = "finished"
CANCELLED = "cancelled"
DRIVER_INTERRUPTED = "interrupted"
STOPPED = "stopped"
# never written: the state of a driver that ended without writing another one
KILLED = "killed or cut off"
MAX_NOTE_BYTES = 2**20  # a larger note is not ours


def _printable(value: object) -> object:
    return printable(value) if isinstance(value, str) else value


#: A text that may name files, whose names may be no Unicode.
Text = Annotated[str, BeforeValidator(_printable)]


class _Note(BaseModel):
    """A note. Anybody may have written it, so that one with a wrong value counts as none."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)
    file: ClassVar[str]  #: the last part of its name next to the store

    id: str = ""  #: of the driver or submission that it is about

    def __bool__(self) -> bool:
        """Whether there is a note."""
        return bool(self.model_fields_set)

    @classmethod
    def read(cls, location: Location) -> Self:
        """Return the note next to a store; an empty one where it cannot be read."""
        if isinstance(location, Folder):
            path = location.note_path(cls.file)
            # reading a pipe would hang
            if not os.path.isfile(path) or path.stat().st_size > MAX_NOTE_BYTES:
                return cls()
        try:
            return cls.model_validate(json.loads(location.note_read(cls.file) or b"{}"))
        except (ValueError, RecursionError):
            return cls()

    def write(self, location: Location) -> None:
        """Write the note next to a store, in place of an older one."""
        location.note_write(self.file, self.model_dump_json(exclude_unset=True).encode())

    @classmethod
    def delete(cls, location: Location) -> None:
        """Remove the note next to a store."""
        location.note_delete(cls.file)


class _OfProcess(_Note):
    """A note that says which process has written it."""

    pid: int = 0
    host: str = ""
    process: str = ""
    since: str = ""  #: when it began to drive, as ISO 8601


class Beat(_OfProcess):
    """The heartbeat of a driver."""

    file = "heartbeat"

    state: str = ""
    beat: int = 0  #: number of the heartbeat
    at: str = ""  #: when it was written, as ISO 8601
    runs: int = 0
    done: int = 0
    failed: int = 0
    rate: float = 0.0  #: runs per second
    left: float | None = None  #: s
    said: list[Text] = []  #: the last messages
    count_said: int = 0  #: number of all messages
    exit_code: int | None = None
    error: Text = ""


class Submission(_OfProcess):
    """A note that is there as long as a cluster takes care of the sweep."""

    file = "submission"

    scheduler: Text = ""


class StopRequest(_Note):
    """A request to the driver or submission with this id to stop."""

    file = "cancel"

    by: Text = "somebody"

    @classmethod
    def to(cls, target: str) -> Self:
        """Return a request of this process."""
        by = f"{getpass.getuser()} on {socket.gethostname()} (process {os.getpid()})"
        return cls(id=target, by=by)
