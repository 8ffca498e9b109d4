"""Files that a user names with ``--out``.

They are written through links, into pipes and devices, and to standard output (``-``). A file that
is there already is written over only if that was asked for, and then stands complete or as it was.
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
from contextlib import contextmanager, nullcontext, redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, TextIO

from .errors import MarsDiskError
from .streams import PatientFile, closed_at_start
from .zarr_folder import store_around, store_of_note

STANDARD_OUTPUT = "-"
#: Endings of the files of each format, the usual one first.
ENDINGS = {
    "csv": (".csv",),
    "markdown": (".md", ".markdown"),
    "netcdf": (".nc", ".nc4", ".cdf"),
    "npz": (".npz",),
    "parquet": (".parquet", ".pq"),
    "pdf": (".pdf",),
    "png": (".png",),
    "svg": (".svg",),
}
TEXTS = ("csv", "markdown")  #: written from beginning to end; other formats go back in the file
PICTURES = ("png", "svg", "pdf")
MAX_LINKS = 40  # one after the other, as the system follows them
MAX_NAME_LENGTH = 100  # characters of a sweep's name in that of a file


class OutputError(MarsDiskError, RuntimeError):
    """A file that cannot be written, or may not be written over."""


@dataclass(frozen=True)
class OutFile:
    """Where the result of a command goes.

    Parameters
    ----------
    given : str
        As it was typed.
    format : str
        Of :data:`ENDINGS`.
    force : bool
        Whether a file that is there may be written over.
    option : str
        Of the command, by which it was named.
    stream : TextIO
        What was standard output when the file was named.
    """

    given: str
    format: str
    force: bool = False
    option: str = "--out"
    stream: TextIO = field(default_factory=lambda: sys.stdout, compare=False, repr=False)

    @classmethod
    def from_name(
        cls,
        given: "str | Path | OutFile",
        formats: Sequence[str],
        *,
        unnamed: str = "",
        force: bool = False,
        option: str = "--out",
    ) -> "OutFile":
        """Return the file that a name stands for, before anything is computed for it.

        Parameters
        ----------
        given : str or Path or OutFile
            A path, or ``-`` for standard output; an OutFile is returned as it is.
        formats : sequence of str
            Of :data:`ENDINGS`; where there are several, the ending chooses.
        unnamed : str
            Format for pipes and devices whose names say nothing; by default the first.
        force : bool
            Whether a file that is there may be written over.
        option : str
            Of the command, by which another name can be given.

        Returns
        -------
        OutFile
            With the format that its ending, or else ``formats`` or ``unnamed``, says.

        Raises
        ------
        OutputError
            It is a folder, has the ending of another format, lies in a store, or is there already.

        Examples
        --------
        >>> OutFile.from_name("new.csv", ["npz", "csv"]).format
        'csv'
        """
        if isinstance(given, OutFile):
            return given
        named = cls(str(given), unnamed or formats[0], force, option)
        named._refuse_bad_name()
        out = replace(named, format=named._format_of(formats))
        out._refuse_unwritable()
        return out

    def __str__(self) -> str:
        return "standard output" if self.given == STANDARD_OUTPUT else self.given

    @property
    def _other_place(self) -> str:
        return f"choose another place with {self.option}"

    @property
    def is_standard_output(self) -> bool:
        """Whether messages have to go elsewhere."""
        return self.given == STANDARD_OUTPUT or self._descriptor == 1

    @property
    def _descriptor(self) -> int | None:
        """Number of the open file that a name such as /dev/stderr or /dev/fd/3 stands for."""
        open_files = Path(f"/proc/{os.getpid()}/fd")
        path = Path(self.given)
        with suppress(OSError, RuntimeError):  # links that lead round in a circle
            for _ in range(MAX_LINKS):
                if path.parent.resolve() == open_files and path.name.isdecimal():
                    return int(path.name)
                path = path.parent / path.readlink()
        return None

    @property
    def _is_plain(self) -> bool:
        """Whether it is, or will be, a file on a disk that may be put in place as a whole."""
        if self.given == STANDARD_OUTPUT or self._descriptor is not None:
            return False
        try:
            return stat.S_ISREG(os.stat(self.given).st_mode)
        except OSError:
            return True

    def _format_of(self, formats: Sequence[str]) -> str:
        suffix = Path(self.given).suffix.lower()
        meant = next((name for name, endings in ENDINGS.items() if suffix in endings), None)
        if meant in formats:
            return str(meant)
        if meant is None and (len(formats) == 1 or not self._is_plain):
            return self.format
        usual = [ENDINGS[name][0] for name in formats]
        if len(formats) > 1:
            raise OutputError(f"{self}: must end in {', '.join(usual[:-1])} or {usual[-1]}")
        cure = f"let it end in {usual[0]}"
        raise OutputError(f"{self}: has the ending of {meant}, not of {formats[0]}; {cure}")

    def _refuse_bad_name(self) -> None:
        """Raise where the name is none, or that of a folder."""
        if self.given == STANDARD_OUTPUT:
            return
        if not self.given:
            raise OutputError(f"{self.option} '': is no name of a file")
        if "\0" in self.given:
            problem = "no name of a file has a zero byte in it"
            raise OutputError(f"{self.option} {self.given!r}: {problem}")
        if os.path.isdir(self.given):
            example = Path(self.given) / f"NAME{ENDINGS[self.format][0]}"
            raise OutputError(f"{self} is a folder; give a file in it, such as {example}")
        if self.given.endswith(os.sep):
            raise OutputError(f"{self} is the name of a folder; give that of a file")

    def _refuse_unwritable(self) -> None:
        """Raise where it is known already that it cannot or must not be written."""
        if self.is_standard_output:
            if self.format not in TEXTS and self.stream.isatty():
                cure = "send it into a file or a pipe"
                raise OutputError(f"{self} is a terminal, which {self.format} garbles; {cure}")
            return
        self._refuse_place_in_store()
        try:
            kind = os.stat(self.given).st_mode
        except FileNotFoundError:
            self._refuse_unwritable_folder()
        except OSError as error:
            raise self._write_error(error) from error
        else:
            self._refuse_kind(kind)

    def _refuse_place_in_store(self) -> None:
        """Raise where it would be a file of a store, or of what a store keeps beside it."""
        path = Path(os.path.realpath(self.given))
        store = store_around(path) or store_of_note(path)
        if store is not None:
            danger = f"belongs to the store {store}, which it would damage"
            raise OutputError(f"{self} {danger}; {self._other_place}")

    def _refuse_unwritable_folder(self) -> None:
        folder = Path(os.path.realpath(self.given)).parent
        if not folder.is_dir():
            problem = "cannot be written: No such file or directory"
            raise OutputError(f"{self} {problem}; {self._other_place}")
        if not os.access(folder, os.W_OK):
            raise OutputError(f"{self} cannot be written: Permission denied; {self._other_place}")

    def _refuse_kind(self, kind: int) -> None:
        if stat.S_ISBLK(kind) or stat.S_ISSOCK(kind):
            raise OutputError(f"{self} is a disk or a socket; {self._other_place}")
        if self._is_plain and not self.force:
            raise self._exists_error()
        if self._descriptor is None and not os.access(self.given, os.W_OK):
            raise OutputError(f"{self} cannot be written: Permission denied; {self._other_place}")

    def _exists_error(self) -> OutputError:
        cure = f"choose another name with {self.option}, or write over it with --force"
        return OutputError(f"{self} is there already; {cure}")

    def _write_error(self, error: OSError) -> OutputError:
        if isinstance(error, BrokenPipeError):
            return OutputError(f"{self} cannot be written to its end: nobody reads it any more")
        cure = "" if self.given == STANDARD_OUTPUT else f"; {self._other_place}"
        return OutputError(f"{self} cannot be written: {error.strerror or error}{cure}")

    @contextmanager
    def messages(self) -> Iterator[None]:
        """Print to standard error, in this context, where standard output gets the file."""
        elsewhere = redirect_stdout(sys.stderr) if self.is_standard_output else nullcontext()
        with elsewhere:
            yield

    @contextmanager
    def writing(self) -> Iterator[BinaryIO]:
        """Give a binary file to write to; its content stands in place when the context ends.

        Yields
        ------
        BinaryIO
            Readable and seekable, too, unless the format is a text.

        Raises
        ------
        OutputError
            It cannot be written.
        """
        write = self._write_beside if self._is_plain else self._write_in_place
        try:
            with write() as file:
                yield file
        except MarsDiskError:
            raise
        except OSError as error:
            raise self._write_error(error) from error

    @contextmanager
    def _write_in_place(self) -> Iterator[BinaryIO]:
        """Into something that stays where it is: at once, or what was made elsewhere."""
        with self._open_sink() as sink:
            if self.format in TEXTS:
                yield sink
                return
            with tempfile.TemporaryFile() as whole:
                yield whole
                _copy(whole, sink)

    @contextmanager
    def _open_sink(self) -> Iterator[BinaryIO]:
        number = self._descriptor
        if self.given == STANDARD_OUTPUT:
            self.stream.flush()
            try:
                number = self.stream.fileno()
            except OSError:  # somebody has put another stream in its place
                yield self.stream.buffer
                return
        if number is None:
            with open(self.given, "wb") as file:
                yield file
            return
        if number in closed_at_start:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        with io.BufferedWriter(PatientFile(os.dup(number), "w")) as file:
            yield file

    @contextmanager
    def _write_beside(self) -> Iterator[BinaryIO]:
        """A file of another name, which then takes the name that all links lead to."""
        target = Path(os.path.realpath(self.given))
        if target.exists() and not os.access(target.parent, os.W_OK):
            with tempfile.TemporaryFile() as whole:
                yield whole
                with target.open("wb") as file:
                    _copy(whole, file)
            return
        partial = target.with_name(f".{uuid.uuid4().hex}.partial")
        try:
            with partial.open("x+b") as file:
                yield file
            self._take_over(target, partial)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)

    def _take_over(self, target: Path, partial: Path) -> None:
        """Give a file the owner and the permissions of the one that it replaces."""
        try:
            before = target.stat()
        except FileNotFoundError:
            return
        if not self.force:  # it has come to be there in the meantime
            raise self._exists_error()
        partial.chmod(stat.S_IMODE(before.st_mode))
        with suppress(OSError):
            os.chown(partial, before.st_uid, before.st_gid)


def _copy(whole: BinaryIO, sink: BinaryIO) -> None:
    whole.seek(0)
    shutil.copyfileobj(whole, sink)


def plain_name(text: str) -> str:
    """Return a name for a file from a text that may come from anybody.

    Parameters
    ----------
    text : str
        Such as the name of a sweep.

    Returns
    -------
    str
        Letters, digits, points, dashes and underscores of it.

    Examples
    --------
    >>> plain_name("../../my sweep")
    'my-sweep'
    """
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip(".-")
    return plain[:MAX_NAME_LENGTH] or "sweep"
