"""Where a store is: what a folder and a prefix in an object store have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..common.errors import StoreError
from .fence import Guard

OBJECT_SCHEMES = ("s3", "s3a", "gs", "az", "abfs", "abfss", "memory")
DESCRIPTION_BYTES = 64 * 2**20  #: at most, in a description that this program has written
FILE_BYTES = 2**31  #: at most, in a file that this program has written


@dataclass(frozen=True)
class Location(ABC):
    """Where a store is or will be.

    It holds what people have typed, and never credentials: it may be sent to workers, printed and
    logged.
    """

    text: str

    def __str__(self) -> str:
        return self.text

    @property
    @abstractmethod
    def name(self) -> str:
        """The name of the store, the last part of its path."""

    def within(self, seconds: float) -> "Location":  # noqa: ARG002 - for object stores only
        """Return the same location, with a shorter wait for an object store's answer."""
        return self

    def for_a_block(self) -> "Location":
        """Return the same location, with the wait for an answer of a worker that writes a block."""
        return self

    @property
    def cure_of_writing(self) -> str:
        """The advice where the store cannot be written."""
        return "run the same command again"

    def refuse_bad_name(self) -> None:
        """Refuse a name that a store, or the notes next to it, cannot have.

        Raises
        ------
        StoreError
            The message says why.
        """
        if not self.name:
            cure = "give the path of a folder to create, such as results/NAME.zarr"
            raise StoreError(f"--store {self}: is not a name for a store; {cure}")

    @property
    def is_shared(self) -> bool:
        """Whether other processes see what this one writes."""
        return True

    @abstractmethod
    def exists(self) -> bool:
        """Return whether anything is there, a store or not, other than a store half created."""

    @abstractmethod
    def zarr_store(self) -> Any:
        """Return the store that Zarr opens."""

    @abstractmethod
    def create(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Make a store of files, by their keys: it is there in full, or not at all."""

    @abstractmethod
    def descriptions(self) -> dict[str, bytes]:
        """Read the ``zarr.json`` of every array by its name, and of the group by ``""``."""

    @abstractmethod
    async def description(self, array: str) -> bytes:
        """Read the ``zarr.json`` of one array, or of the group for ``""``.

        Raises
        ------
        FileNotFoundError
            There is none.
        """

    @abstractmethod
    def listing(self, below: str = "") -> Iterator[tuple[str, int]]:
        """List the files below a folder of the store.

        Yields
        ------
        key : str
            Path of the file in the store. That of an empty folder, which only a file system has,
            ends with a slash.
        size : int
            Bytes; -1 of anything but a regular file.
        """

    @abstractmethod
    def read(self, key: str, first: int | None = None) -> bytes:
        """Read a file of the store, or its first bytes."""

    @abstractmethod
    def delete(self, keys: Iterable[str]) -> None:
        """Remove files of the store."""

    @abstractmethod
    async def commit(self, chunks: Mapping[str, bytes], record: str, guard: Guard) -> None:
        """Write the chunks of a block, those below ``record`` last, unless ``guard`` refuses it.

        Parameters
        ----------
        chunks : mapping of str to bytes
            The chunks, by their keys in the store.
        record : str
            Prefix of the commit record's keys.
        guard : Guard
            Called when all that is left is to make the block visible.

        Raises
        ------
        LateBlockError
            The guard refuses the block, or the store was changed meanwhile.
        """

    @abstractmethod
    def leftovers(self) -> list[str]:
        """Return the names of all notes next to the store, and of stores half created."""

    @abstractmethod
    def delete_leftover(self, name: str) -> None:
        """Remove one of the leftovers."""

    @abstractmethod
    def free_bytes(self) -> int | None:
        """Return the free space in bytes; None where it is unknown."""

    @abstractmethod
    def note_read(self, note: str) -> bytes | None:
        """Read a note next to the store; None where there is none."""

    @abstractmethod
    def note_write(self, note: str, data: bytes) -> None:
        """Write a note, replacing an older one; readers see the one or the other in full."""

    @abstractmethod
    def note_create(self, note: str, data: bytes) -> bool:
        """Write a note if there is none, and return whether this call has written it.

        ``data`` must be what nobody else would write: in an object store, whose answer may be lost,
        that tells a note of our own from that of another.
        """

    @abstractmethod
    def note_delete(self, note: str) -> None:
        """Remove a note, if there is one."""
