"""Stores in a folder, with notes next to it."""

import errno
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from marsdisk.io.zarr_folder import DESCRIPTION, note_name

from .fence import Guard, LateBlockError
from .files import put_in_place, refuse_detour, remove_file
from .identity import unique_mark
from .location import DESCRIPTION_BYTES, FILE_BYTES, Location
from .naming import folder_behind, refuse_name

if TYPE_CHECKING:
    from zarr.storage import LocalStore


@dataclass(frozen=True)
class Folder(Location):
    """A folder of this machine, or one that several machines share.

    Parameters
    ----------
    text : str
        The path as people have typed it.
    target : str
        The folder itself, where that path is a symbolic link or ends in no name.
    """

    target: str = ""

    @property
    def path(self) -> Path:
        """The folder itself, not a link to it."""
        return Path(self.target or self.text)

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.path.name

    @property
    def cure_of_writing(self) -> str:
        """The advice where the store cannot be written."""
        return "free space or repair the disk, then run the same command again"

    def refuse_bad_name(self) -> None:
        """Refuse a name that a store, or the notes next to it, cannot have."""
        super().refuse_bad_name()
        if not os.path.exists(self.path):
            refuse_name(self.path, self.text)

    def exists(self) -> bool:
        """Return whether anything is there, a store or not."""
        return self.path.exists()

    def zarr_store(self) -> "LocalStore":
        """Return the folder as a store of Zarr's, which takes a path with a ``#`` for a URL."""
        from zarr.storage import LocalStore

        return LocalStore(self.path)

    def create(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Write the files to a folder of another name, and rename it."""
        unfinished = self.note_path(f"making-{unique_mark()}")
        try:
            unfinished.mkdir(parents=True)
            for key, content in files:
                file = unfinished / key
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            unfinished.rename(self.path)
        except BaseException:
            # also where a signal ends it: half a store is of no use to anybody
            shutil.rmtree(unfinished, ignore_errors=True)
            raise

    def descriptions(self) -> dict[str, bytes]:
        """Read the ``zarr.json`` of every array by its name, and of the group by ``""``."""
        descriptions = {"": self._description(self.path / DESCRIPTION)}
        for file in sorted(self.path.glob(f"*/{DESCRIPTION}")):
            descriptions[file.parent.name] = self._description(file)
        return descriptions

    @staticmethod
    def _description(file: Path) -> bytes:
        """Return the content of a regular file; nothing of links and of pipes, which hang."""
        is_link = file.is_symlink() or file.parent.is_symlink()
        if is_link or not file.is_file() or file.stat().st_size > DESCRIPTION_BYTES:
            return b""
        return file.read_bytes()

    async def description(self, array: str) -> bytes:
        """Read the ``zarr.json`` of one array, or of the group for ``""``."""
        return (self.path / array / DESCRIPTION).read_bytes()

    def listing(self, below: str = "") -> Iterator[tuple[str, int]]:
        """List the files below a folder of the store, with their bytes; see :class:`Location`."""
        folders = [below]
        while folders:
            folder = folders.pop()
            is_empty = True
            with os.scandir(self.path / folder) as entries:
                for entry in entries:
                    is_empty = False
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(f"{folder}{entry.name}/")
                        continue
                    # a file of a running sweep may have been renamed since the folder was read
                    with suppress(FileNotFoundError):
                        is_plain = entry.is_file(follow_symlinks=False)
                        yield folder + entry.name, entry.stat().st_size if is_plain else -1
            if is_empty and folder:
                yield folder, -1

    def read(self, key: str, first: int | None = None) -> bytes:
        """Read a file of the store, or its first bytes.

        Raises
        ------
        OSError
            It is not a regular file, or too large, or cannot be read.
        StoreError
            It is in a folder that is not a plain folder of the store.
        """
        refuse_detour(self.path, key)
        status = (self.path / key).lstat()
        # a pipe would hang, and a link lead elsewhere
        if not stat.S_ISREG(status.st_mode) or status.st_size > FILE_BYTES:
            raise OSError(errno.EINVAL, "is not a regular file, or too large")
        with (self.path / key).open("rb", buffering=0) as file:
            return file.read() if first is None else file.read(first)

    def delete(self, keys: Iterable[str]) -> None:
        """Remove files of the store, or the empty folders that are there instead."""
        for key in keys:
            refuse_detour(self.path, key)
            remove_file(self.path / key)

    async def commit(self, chunks: Mapping[str, bytes], record: str, guard: Guard) -> None:
        """Write to files of other names, call the guard, and rename them.

        Where the store was deleted, moved, or replaced in the meantime, these files no longer exist
        and cannot be renamed: not even a process that was frozen after the check changes a new
        store.
        """
        mark = unique_mark()
        folder = self.path
        partial: dict[str, Path] = {}
        try:
            for key, content in chunks.items():
                self._make_folders_of(folder, key)
                partial[key] = folder / f"{key}.{mark}.partial"
                partial[key].write_bytes(content)
            await guard.refuse_late()
            for key in sorted(chunks, key=lambda key: key.startswith(record)):
                put_in_place(partial[key], folder / key)
        except FileNotFoundError as error:
            await guard.refuse_other_store()
            raise LateBlockError("the store was changed while the block was written") from error
        finally:
            for path in partial.values():
                path.unlink(missing_ok=True)

    @staticmethod
    def _make_folders_of(root: Path, key: str) -> None:
        """Make the folders of a chunk, but not that of its array, which must exist."""
        refuse_detour(root, key)
        array, *names, _ = key.split("/")
        folder = root / array
        for name in names:
            folder /= name
            folder.mkdir(exist_ok=True)

    def leftovers(self) -> list[str]:
        """Return the names of all notes next to the store, and of stores half created."""
        names = [entry.name for entry in self.path.parent.iterdir()]
        return sorted(name for name in names if name.startswith(note_name(self.name, "")))

    def delete_leftover(self, name: str) -> None:
        """Remove one of the leftovers."""
        path = self.path.with_name(name)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def free_bytes(self) -> int:
        """Return the free space of the disk, in bytes."""
        folder = self.path.parent
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        return shutil.disk_usage(folder).free

    def note_path(self, note: str) -> Path:
        """Return the path of a note."""
        return self.path.with_name(note_name(self.name, note))

    def note_read(self, note: str) -> bytes | None:
        """Read a note next to the store; None where there is none."""
        try:
            return self.note_path(note).read_bytes()
        except FileNotFoundError:
            return None

    def note_write(self, note: str, data: bytes) -> None:
        """Write a note to a file of another name, and rename it."""
        partial = self.note_path(f"{note}.{unique_mark()}.partial")
        try:
            partial.write_bytes(data)
            partial.replace(self.note_path(note))
        finally:
            partial.unlink(missing_ok=True)

    def note_create(self, note: str, data: bytes) -> bool:
        """Write a note if there is none, and return whether this call has written it."""
        try:
            with self.note_path(note).open("xb") as file:
                file.write(data)
        except FileExistsError:
            return False
        return True

    def note_delete(self, note: str) -> None:
        """Remove a note, if there is one."""
        with suppress(FileNotFoundError):
            self.note_path(note).unlink()


def folder_at(text: str) -> Folder:
    """Return the folder at a path, which may be a symbolic link to it.

    Raises
    ------
    StoreError
        The link leads nowhere.
    """
    return Folder(text, folder_behind(text))
