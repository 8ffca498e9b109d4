"""Files that a user names with ``--out``.

They are written through links, into pipes and devices, and to standard output (``-``). An existing
file is overwritten only if that was asked for; it is then either replaced as a whole or left as it
was.
"""

import errno
import io
import os
import re
import shutil
import stat
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TextIO

from ..common.errors import MarsDiskError
from .streams import PatientFile, closed_at_start
from .zarr_folder import store_around, store_of_note

STANDARD_OUTPUT = "-"
#: Endings of file names for each format, the usual one first.
ENDINGS = {
    "csv": (".csv",),
    "json": (".json",),
    "log": (".log", ".txt"),
    "markdown": (".md", ".markdown"),
    "netcdf": (".nc", ".nc4", ".cdf"),
    "npz": (".npz",),
    "parquet": (".parquet", ".pq"),
    "pdf": (".pdf",),
    "png": (".png",),
    "svg": (".svg",),
    "yaml": (".yaml", ".yml"),
}
#: Formats that are written from beginning to end; others seek back in the file.
TEXTS = ("csv", "json", "log", "markdown", "yaml")
PICTURES = ("png", "svg", "pdf")
MAX_LINKS = 40  # in a chain of links, as many as the system follows
MAX_NAME_LENGTH = 100  # characters of a sweep's name in a file name


class OutputError(MarsDiskError, RuntimeError):
    """A file that cannot be written, or may not be overwritten."""


@dataclass(frozen=True)
class OutFile:
    """The file that the result of a command is written to.

    Parameters
    ----------
    name : str
        Its name as it was typed.
    format : str
        A format of :data:`ENDINGS`.
    force : bool
        Whether an existing file may be overwritten.
    option : str
        The option of the command that names the file.
    stream : TextIO
        Standard output at the time when the file was named.
    """

    name: str
    format: str
    force: bool = False
    option: str = "--out"
    stream: TextIO = field(default_factory=lambda: sys.stdout, compare=False, repr=False)

    @classmethod
    def from_name(
        cls,
        name: "str | Path | OutFile",
        formats: Sequence[str],
        *,
        unnamed: str = "",
        force: bool = False,
        option: str = "--out",
    ) -> "OutFile":
        """Return the file that a name stands for, before anything is computed for it.

        Parameters
        ----------
        name : str or Path or OutFile
            A path, or ``-`` for standard output; an OutFile is returned as it is.
        formats : sequence of str
            Formats of :data:`ENDINGS`; of several, the ending of the name selects one.
        unnamed : str
            Format for pipes and devices whose names have no ending; by default the first.
        force : bool
            Whether an existing file may be overwritten.
        option : str
            The option of the command that names the file.

        Returns
        -------
        OutFile
            Its format follows from its ending, or else from ``formats`` or ``unnamed``.

        Raises
        ------
        OutputError
            It is a folder, has the ending of another format, lies in a store, or exists.

        Examples
        --------
        >>> OutFile.from_name("new.csv", ["npz", "csv"]).format
        'csv'
        """
        if isinstance(name, OutFile):
            return name
        out = cls(str(name), unnamed or formats[0], force, option)
        out._refuse_bad_name()
        out = cls(out.name, out._format_of_ending(formats), force, option)
        out._refuse_unwritable()
        return out

    def __str__(self) -> str:
        return "standard output" if self.name == STANDARD_OUTPUT else self.name

    @property
    def _cure(self) -> str:
        return f"choose another path with {self.option}"

    @property
    def is_standard_output(self) -> bool:
        """Whether the file is standard output, so that messages have to go to standard error."""
        return self.name == STANDARD_OUTPUT or self._descriptor == 1

    @property
    def _descriptor(self) -> int | None:
        """Descriptor of the open file that a name such as /dev/stderr or /dev/fd/3 stands for."""
        open_files = Path(f"/proc/{os.getpid()}/fd")
        path = Path(self.name)
        # a chain of links may end nowhere or be a circle
        with suppress(OSError, RuntimeError):
            for _ in range(MAX_LINKS):
                if path.parent.resolve() == open_files and path.name.isdecimal():
                    return int(path.name)
                path = path.parent / path.readlink()
        return None

    @property
    def _is_plain(self) -> bool:
        """Whether it is, or will be, a file on a disk that can be replaced as a whole."""
        if self.name == STANDARD_OUTPUT or self._descriptor is not None:
            return False
        try:
            return stat.S_ISREG(os.stat(self.name).st_mode)
        except OSError:
            return True

    def _format_of_ending(self, formats: Sequence[str]) -> str:
        suffix = Path(self.name).suffix.lower()
        format_of_suffix = {ending: name for name, endings in ENDINGS.items() for ending in endings}
        named_format = format_of_suffix.get(suffix)
        if named_format in formats:
            return str(named_format)
        if named_format is None and (len(formats) == 1 or not self._is_plain):
            return self.format
        usual = [ENDINGS[name][0] for name in formats]
        if len(formats) > 1:
            raise OutputError(f"{self}: must end in {', '.join(usual[:-1])} or {usual[-1]}")
        cure = f"let it end in {usual[0]}"
        raise OutputError(f"{self}: has the ending of {named_format}, not of {formats[0]}; {cure}")

    def _refuse_bad_name(self) -> None:
        """Refuse a name that no file can have, or that of a folder."""
        if self.name == STANDARD_OUTPUT:
            return
        if not self.name:
            raise OutputError(f"{self.option} '': is not the name of a file")
        if "\0" in self.name:
            problem = "the name of a file cannot contain a zero byte"
            raise OutputError(f"{self.option} {self.name!r}: {problem}")
        if os.path.isdir(self.name):
            example = Path(self.name) / f"NAME{ENDINGS[self.format][0]}"
            raise OutputError(f"{self} is a folder; give a file in it, such as {example}")
        if self.name.endswith(os.sep):
            raise OutputError(f"{self} is the name of a folder; give that of a file")

    def _refuse_unwritable(self) -> None:
        """Refuse a file that evidently cannot or must not be written."""
        if self.is_standard_output:
            if self.format not in TEXTS and self.stream.isatty():
                cure = "send it into a file or a pipe"
                raise OutputError(f"{self} is a terminal, which {self.format} garbles; {cure}")
            return
        self._refuse_path_in_store()
        try:
            kind = os.stat(self.name).st_mode
        except FileNotFoundError:
            self._refuse_unwritable_folder()
        except OSError as error:
            raise self._write_error(error) from error
        else:
            self._refuse_kind(kind)

    def _refuse_path_in_store(self) -> None:
        """Refuse a file of a store, and the files that lie next to a store."""
        path = Path(os.path.realpath(self.name))
        store = store_around(path) or store_of_note(path)
        if store is not None:
            danger = f"belongs to the store {store}, which it would damage"
            raise OutputError(f"{self} {danger}; {self._cure}")

    def _refuse_unwritable_folder(self) -> None:
        folder = Path(os.path.realpath(self.name)).parent
        if not folder.is_dir():
            problem = "cannot be written: No such file or directory"
            raise OutputError(f"{self} {problem}; {self._cure}")
        if not os.access(folder, os.W_OK):
            raise OutputError(f"{self} cannot be written: Permission denied; {self._cure}")

    def _refuse_kind(self, kind: int) -> None:
        if stat.S_ISBLK(kind) or stat.S_ISSOCK(kind):
            raise OutputError(f"{self} is a disk or a socket; {self._cure}")
        if self._is_plain and not self.force:
            raise self._exists_error()
        if self._descriptor is None and not os.access(self.name, os.W_OK):
            raise OutputError(f"{self} cannot be written: Permission denied; {self._cure}")

    def _exists_error(self) -> OutputError:
        cure = f"choose another name with {self.option}, or overwrite it with --force"
        return OutputError(f"{self} already exists; {cure}")

    def _write_error(self, error: OSError) -> OutputError:
        if isinstance(error, BrokenPipeError):
            return OutputError(f"{self} cannot be written to its end: nobody reads it any more")
        cure = "" if self.name == STANDARD_OUTPUT else f"; {self._cure}"
        return OutputError(f"{self} cannot be written: {error.strerror or error}{cure}")

    @contextmanager
    def messages(self) -> Iterator[None]:
        """Print to standard error in this context, if the file is standard output."""
        if self.is_standard_output:
            with redirect_stdout(sys.stderr):
                yield
        else:
            yield

    @contextmanager
    def writing(self) -> Iterator[BinaryIO]:
        """Open the file for writing; its content is in place once the context ends.

        Yields
        ------
        BinaryIO
            It is also readable and seekable, unless the format is a text.

        Raises
        ------
        OutputError
            It cannot be written.
        """
        opener = self._replace_file if self._is_plain else self._write_in_place
        try:
            with opener() as file:
                yield file
        except MarsDiskError:
            raise
        except OSError as error:
            raise self._write_error(error) from error

    @contextmanager
    def _write_in_place(self) -> Iterator[BinaryIO]:
        """Write to a pipe, a device or an open file, directly or from a temporary file."""
        with self._open_sink() as sink:
            if self.format in TEXTS:
                yield sink
                return
            with tempfile.TemporaryFile() as temporary:
                yield temporary
                _copy(temporary, sink)

    @contextmanager
    def _open_sink(self) -> Iterator[BinaryIO]:
        descriptor = self._descriptor
        if self.name == STANDARD_OUTPUT:
            self.stream.flush()
            try:
                descriptor = self.stream.fileno()
            except OSError:
                # Standard output has been replaced by a stream without a file.
                yield self.stream.buffer
                return
        if descriptor is None:
            with open(self.name, "wb") as file:
                yield file
            return
        if descriptor in closed_at_start:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        with io.BufferedWriter(PatientFile(os.dup(descriptor), "w")) as file:
            yield file

    @contextmanager
    def _replace_file(self) -> Iterator[BinaryIO]:
        """Write a file of another name, then give it the name that all links lead to."""
        target = Path(os.path.realpath(self.name))
        if target.exists() and not os.access(target.parent, os.W_OK):
            with tempfile.TemporaryFile() as temporary:
                yield temporary
                with target.open("wb") as file:
                    _copy(temporary, file)
            return
        partial = target.with_name(f".{uuid.uuid4().hex}.partial")
        try:
            with partial.open("x+b") as file:
                yield file
            self._copy_permissions(target, partial)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)

    def _copy_permissions(self, target: Path, partial: Path) -> None:
        """Give a file the owner and the permissions of the one that it replaces."""
        try:
            replaced = target.stat()
        except FileNotFoundError:
            return
        if not self.force:
            # The file has appeared since it was named.
            raise self._exists_error()
        partial.chmod(stat.S_IMODE(replaced.st_mode))
        with suppress(OSError):
            os.chown(partial, replaced.st_uid, replaced.st_gid)


def _copy(source: BinaryIO, sink: BinaryIO) -> None:
    source.seek(0)
    shutil.copyfileobj(source, sink)


def plain_name(text: str) -> str:
    """Return a safe name for a file, from a text that may come from anybody.

    Parameters
    ----------
    text : str
        A name, such as that of a sweep.

    Returns
    -------
    str
        Its letters, digits, points, dashes and underscores.

    Examples
    --------
    >>> plain_name("../../my sweep")
    'my-sweep'
    """
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip(".-")
    return plain[:MAX_NAME_LENGTH] or "sweep"
