"""Where a store is, a folder or a prefix in an object store, and notes that Zarr does not see."""

import errno
import os
import shutil
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marsdisk.zarr_folder import DESCRIPTION, note_name

from ..errors import StoreError
from .fence import Guard, LateBlockError
from .files import put_in_place, refuse_detour, remove_file
from .identity import unique_mark
from .naming import folder_behind, refuse_name
from .url_secrets import refuse_lost_slash, refuse_secrets

if TYPE_CHECKING:
    import zarr

OBJECT_SCHEMES = ("s3", "s3a", "gs", "az", "abfs", "abfss", "memory")
DESCRIPTION_BYTES = 64 * 2**20  #: more is no description that we wrote
FILE_BYTES = 2**31  #: and this no file


@dataclass(frozen=True)
class Place(ABC):
    """Where a store is or will be.

    It holds what people typed and no credentials: it may be sent to workers, printed and logged.
    """

    text: str

    @staticmethod
    def of(given: "str | Path | Place") -> "Place":
        """Return the place that a path or URL names.

        Raises
        ------
        StoreError
            A URL that is no place for a store, or that carries a password; a symbolic link that
            leads nowhere.

        Examples
        --------
        >>> Place.of("results/x.zarr").name, str(Place.of("s3://bucket/x.zarr"))
        ('x.zarr', 's3://bucket/x.zarr')
        """
        if isinstance(given, Place):
            return given
        text = str(given)
        refuse_lost_slash(given, OBJECT_SCHEMES)
        if isinstance(given, Path) or "://" not in text:
            return folder_at(text)
        scheme, _, rest = text.partition("://")
        if scheme == "file":
            refuse_secrets(scheme, rest)
            return folder_at(rest if rest.startswith("/") else "/" + rest.partition("/")[2])
        from .objects import object_place

        return object_place(scheme, rest)

    def __str__(self) -> str:
        return self.text

    @property
    @abstractmethod
    def name(self) -> str:
        """Its last part, which names the store."""

    def within(self, seconds: float) -> "Place":
        """Return the same place for those who wait no longer for an object store's answer."""
        return self

    def for_a_block(self) -> "Place":
        """Return the same place for those who read or write a block, and can give it back."""
        return self

    @property
    def cure_of_writing(self) -> str:
        """What to do where it cannot be written."""
        return "run the same command again"

    def refuse_bad_name(self) -> None:
        """Refuse a name under which no store can be made, or no notes beside it.

        Raises
        ------
        StoreError
            It says why.
        """
        if not self.name:
            cure = "give the path of a folder to make, such as results/NAME.zarr"
            raise StoreError(f"--store {self}: is no name for a store; {cure}")

    @property
    def is_shared(self) -> bool:
        """Whether other processes see what this one writes."""
        return True

    @abstractmethod
    def exists(self) -> bool:
        """Whether something stands there, a store or not; what is half made does not count."""

    @abstractmethod
    def zarr_store(self) -> Any:
        """What Zarr opens."""

    def group(self) -> "zarr.Group":
        """Open the Zarr group to read it."""
        import zarr

        # only format 3: arrays of format 2 may name a codec that loads pickled objects
        return zarr.open_group(self.zarr_store(), mode="r", zarr_format=3)

    @abstractmethod
    def making(self) -> Any:
        """Give an empty group in a context, at whose end it stands here complete, or not at all."""

    @abstractmethod
    def descriptions(self) -> dict[str, bytes]:
        """The raw ``zarr.json`` of every array by its name, and of the group itself by ``""``."""

    @abstractmethod
    async def description(self, array: str) -> bytes:
        """The raw ``zarr.json`` of one array; FileNotFoundError where there is none."""

    @abstractmethod
    def listing(self, below: str = "") -> Iterator[tuple[str, int]]:
        """Path in the store and bytes of every file below a folder; -1 of what is no plain file.

        The path of an empty folder, which only a file system has, ends in a slash.
        """

    @abstractmethod
    def read(self, key: str, first: int | None = None) -> bytes:
        """A file of the store, or its first bytes."""

    @abstractmethod
    def delete(self, keys: Iterable[str]) -> None:
        """Remove files of the store."""

    @abstractmethod
    async def commit(self, chunks: Mapping[str, bytes], record: str, guard: Guard) -> None:
        """Write the chunks of a block, those below ``record`` last, unless ``guard`` refuses it.

        Parameters
        ----------
        chunks : mapping of str to bytes
            By their keys in the store.
        record : str
            Prefix of the commit record's keys.
        guard : Guard
            Asked when nothing is left to be done but to make the block visible.
        """

    @abstractmethod
    def leftovers(self) -> list[str]:
        """What lies beside the store under its name: notes, and what a broken-off making left."""

    @abstractmethod
    def delete_leftover(self, name: str) -> None:
        """Remove one of them."""

    @abstractmethod
    def free_bytes(self) -> int | None:
        """Return how many bytes still fit, None where nobody knows."""

    @abstractmethod
    def note_read(self, note: str) -> bytes | None:
        """A note beside the store, None where there is none."""

    @abstractmethod
    def note_write(self, note: str, data: bytes) -> None:
        """Write a note, over an older one; a reader sees the one or the other."""

    @abstractmethod
    def note_create(self, note: str, data: bytes) -> bool:
        """Write a note if there is none; of several that try at once, one gets True.

        ``data`` must be what nobody else would write: in an object store, whose answer may be lost,
        that is how a note of our own is told from that of another.
        """

    @abstractmethod
    def note_delete(self, note: str) -> None:
        """Remove a note, if there is one."""


@dataclass(frozen=True)
class Folder(Place):
    """A folder of this machine, or one that several machines share.

    Parameters
    ----------
    text : str
        What it was called.
    target : str
        The folder itself, where that is a symbolic link or no name.
    """

    target: str = ""

    @property
    def path(self) -> Path:
        """The folder, which is no link."""
        return Path(self.target or self.text)

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def cure_of_writing(self) -> str:
        return "free space or cure the disk, then run the same command again"

    def refuse_bad_name(self) -> None:
        super().refuse_bad_name()
        if not os.path.exists(self.path):
            refuse_name(self.path, self.text)

    def exists(self) -> bool:
        return self.path.exists()

    def zarr_store(self) -> Path:
        return self.path

    @contextmanager
    def making(self) -> Iterator["zarr.Group"]:
        import zarr

        making = self.note_path(f"making-{unique_mark()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            yield zarr.open_group(making, mode="w", zarr_format=3)
            making.rename(self.path)
        except BaseException:  # also where a signal ends it: nobody would go on with half a store
            shutil.rmtree(making, ignore_errors=True)
            raise

    def descriptions(self) -> dict[str, bytes]:
        described = {"": self._description(self.path / DESCRIPTION)}
        for file in sorted(self.path.glob(f"*/{DESCRIPTION}")):
            described[file.parent.name] = self._description(file)
        return described

    @staticmethod
    def _description(file: Path) -> bytes:
        is_link = file.is_symlink() or file.parent.is_symlink()  # which would lead elsewhere
        if is_link or not file.is_file():  # a pipe would hang
            return b""
        return b"" if file.stat().st_size > DESCRIPTION_BYTES else file.read_bytes()

    async def description(self, array: str) -> bytes:
        return (self.path / array / DESCRIPTION).read_bytes()

    def listing(self, below: str = "") -> Iterator[tuple[str, int]]:
        folders = [below]
        while folders:
            below = folders.pop()
            is_empty = True
            with os.scandir(self.path / below) as entries:
                for entry in entries:
                    is_empty = False
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(f"{below}{entry.name}/")
                    else:
                        # a file of a running sweep may have been renamed since the folder was read
                        with suppress(FileNotFoundError):
                            is_plain = entry.is_file(follow_symlinks=False)
                            yield below + entry.name, entry.stat().st_size if is_plain else -1
            if is_empty and below:
                yield below, -1

    def read(self, key: str, first: int | None = None) -> bytes:
        refuse_detour(self.path, key)
        about = (self.path / key).lstat()
        is_plain = stat.S_ISREG(about.st_mode)  # a pipe would hang, a link lead elsewhere
        if not is_plain or about.st_size > FILE_BYTES:
            raise OSError(errno.EINVAL, "is no plain file, or too large")
        with (self.path / key).open("rb", buffering=0) as file:
            return file.read() if first is None else file.read(first)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            refuse_detour(self.path, key)
            remove_file(self.path / key)

    async def commit(self, chunks: Mapping[str, bytes], record: str, guard: Guard) -> None:
        """Write to files of other names, check, and rename them.

        Where the store was deleted, moved, or replaced in the meantime, these files are no longer
        there to be renamed: not even a process that was frozen after the check changes the new one.
        """
        mark = unique_mark()
        partial: dict[str, Path] = {}
        try:
            for key, content in chunks.items():
                self._make_folders_of(key)
                partial[key] = self.path / f"{key}.{mark}.partial"
                partial[key].write_bytes(content)
            await guard.refuse_late()
            for key in sorted(chunks, key=lambda key: key.startswith(record)):
                put_in_place(partial[key], self.path / key)
        except FileNotFoundError as error:
            await guard.refuse_other_store()
            raise LateBlockError("the store was changed while the block was written") from error
        finally:
            for path in partial.values():
                path.unlink(missing_ok=True)

    def _make_folders_of(self, key: str) -> None:
        """Make the folders of a chunk within its array's, which is not made anew if it is gone."""
        refuse_detour(self.path, key)
        folder, *below, _ = key.split("/")
        inner = self.path / folder
        for name in below:
            inner /= name
            inner.mkdir(exist_ok=True)

    def leftovers(self) -> list[str]:
        names = [entry.name for entry in self.path.parent.iterdir()]
        return sorted(name for name in names if name.startswith(note_name(self.name, "")))

    def delete_leftover(self, name: str) -> None:
        path = self.path.with_name(name)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def free_bytes(self) -> int:
        folder = self.path.parent
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        return shutil.disk_usage(folder).free

    def note_path(self, note: str) -> Path:
        """Where a note is kept."""
        return self.path.with_name(note_name(self.name, note))

    def note_read(self, note: str) -> bytes | None:
        try:
            return self.note_path(note).read_bytes()
        except FileNotFoundError:
            return None

    def note_write(self, note: str, data: bytes) -> None:
        partial = self.note_path(f"{note}.{unique_mark()}.partial")
        try:
            partial.write_bytes(data)
            partial.replace(self.note_path(note))
        finally:
            partial.unlink(missing_ok=True)

    def note_create(self, note: str, data: bytes) -> bool:
        try:
            with self.note_path(note).open("xb") as file:
                file.write(data)
        except FileExistsError:
            return False
        return True

    def note_delete(self, note: str) -> None:
        with suppress(FileNotFoundError):
            self.note_path(note).unlink()


def folder_at(text: str) -> Folder:
    """Return the folder of a store that may be called by a symbolic link.

    Raises
    ------
    StoreError
        The link leads nowhere.
    """
    return Folder(text, folder_behind(text))


def place_of(group: "zarr.Group") -> Place:
    """Return where an opened store is."""
    from zarr.storage import LocalStore

    store = group.store_path.store
    if isinstance(store, LocalStore):
        return folder_at(str(store.root))
    from .object_client import url_of
    from .objects import Objects

    return Objects(url_of(store))
