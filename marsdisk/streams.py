"""Standard output and error of a command that must not end because nobody reads them."""

import io
import os
import select
import sys
from typing import TextIO

#: Standard streams that were closed when this process began.
closed_at_start: set[int] = set()


class PatientFile(io.FileIO):
    """A file that takes all that it is given.

    It waits for a pipe that does not block, and takes nothing at the moment.
    """

    def write(self, data: "io.Buffer") -> int:  # type: ignore[name-defined]
        rest = memoryview(data).cast("B")
        size = rest.nbytes
        while rest:
            written = super().write(rest)
            if written is None:
                select.select([], [self], [])
            else:
                rest = rest[written:]
        return size


class _Outlet(PatientFile):
    """A file that drops what cannot be written.

    Its reader may have gone, its disk may be full, its terminal may have been closed.
    """

    def write(self, data: "io.Buffer") -> int:  # type: ignore[name-defined]
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def outlive_readers() -> None:
    """Make the standard streams of this process ones that drop what cannot be written or encoded.

    Streams that somebody has replaced, such as a test or a notebook, stay as they are.
    """
    # the next file opened would take the number of a standard stream that is closed
    while (number := os.open(os.devnull, os.O_RDWR)) < 3:
        closed_at_start.add(number)
    os.close(number)
    if sys.stdout is sys.__stdout__:
        sys.stdout = _outliving(sys.stdout, 1)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _outliving(sys.stderr, 2)


def _outliving(stream: TextIO | None, number: int) -> TextIO:
    """Return a stream to the same file that outlives its readers, encoded and buffered alike."""
    outlet = _Outlet(number, "w", closefd=False)
    if not isinstance(stream, io.TextIOWrapper):  # it was closed
        return io.TextIOWrapper(io.BufferedWriter(outlet), "utf-8", "backslashreplace")
    stream.flush()
    if stream.write_through:
        return io.TextIOWrapper(outlet, stream.encoding, "backslashreplace", write_through=True)
    buffered = io.BufferedWriter(outlet)
    by_line = stream.line_buffering
    return io.TextIOWrapper(buffered, stream.encoding, "backslashreplace", line_buffering=by_line)
