"""Standard output and error that let a command run on when nobody reads them."""

import io
import os
import select
import sys
from typing import TextIO

#: Standard streams that were closed when this process began.
closed_at_start: set[int] = set()


class PatientFile(io.FileIO):
    """A file that writes everything, waiting for a non-blocking pipe that is full."""

    def write(self, data: "io.Buffer") -> int:  # type: ignore[name-defined]
        """Write all of ``data``, and return its size in bytes."""
        rest = memoryview(data).cast("B")
        size = rest.nbytes
        while rest:
            written = super().write(rest)
            if written is None:
                select.select([], [self], [])
            else:
                rest = rest[written:]
        return size


class _LossyFile(PatientFile):
    """A file that drops data that cannot be written.

    Its reader may have gone, its disk may be full, its terminal may have been closed.
    """

    def write(self, data: "io.Buffer") -> int:  # type: ignore[name-defined]
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def outlive_readers() -> None:
    """Replace the standard streams of this process by ones that drop what cannot be written.

    Characters that cannot be encoded are escaped. Streams that have been replaced before, by a test
    or a notebook, stay as they are.
    """
    # A file opened later would take the descriptor of a standard stream that is closed.
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < 3:
        closed_at_start.add(descriptor)
    os.close(descriptor)
    if sys.stdout is sys.__stdout__:
        sys.stdout = _outliving(sys.stdout, 1)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _outliving(sys.stderr, 2)


def _outliving(stream: TextIO | None, descriptor: int) -> TextIO:
    """Return a stream to the same file that outlives its readers, encoded and buffered alike."""
    outlet = _LossyFile(descriptor, "w", closefd=False)
    # a stream that was closed at the start is None
    if not isinstance(stream, io.TextIOWrapper):
        return io.TextIOWrapper(io.BufferedWriter(outlet), "utf-8", "backslashreplace")
    stream.flush()
    if stream.write_through:
        return io.TextIOWrapper(outlet, stream.encoding, "backslashreplace", write_through=True)
    buffered = io.BufferedWriter(outlet)
    by_line = stream.line_buffering
    return io.TextIOWrapper(buffered, stream.encoding, "backslashreplace", line_buffering=by_line)
