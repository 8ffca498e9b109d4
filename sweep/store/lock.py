"""One driver at a time: the operating system's file lock, which a killed process cannot leave behind."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import filelock

from ..errors import StoreError


def _lock_path(store: Path) -> Path:
    return store.with_name(f".{store.name}.lock")


def holder(store: Path) -> str:
    """Who wrote last that it drives the store."""
    try:
        note = json.loads(_lock_path(store).with_suffix(".json").read_text(encoding="utf-8"))
        return f"process {note['pid']} on {note['host']} since {note['since']}"
    except (OSError, ValueError, KeyError):
        return "another process"


@contextmanager
def driving(store: Path) -> Iterator[None]:
    """Hold the store's lock, or refuse at once.

    Raises
    ------
    StoreError
        Another driver lives, or the folder cannot be written.
    """
    if not store.name:
        raise StoreError(f"--store {store}: is no name for a store; give the path of a folder to make, such as results/NAME.zarr")
    lock = filelock.FileLock(_lock_path(store), blocking=False)
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except filelock.Timeout:
        if not _lock_path(store).exists():  # what filelock says of a folder in which no file can be made, too
            raise StoreError(f"{store}: no file can be made in {store.parent}; choose another place with --store") from None
        raise StoreError(f"{store}: {holder(store)} is driving this sweep; wait for it (sweep status {store}) or stop it first") from None
    except OSError as error:
        raise StoreError(f"{store}: the folder cannot be written: {error.strerror or error}; choose another place with --store") from error
    try:
        note = {"pid": os.getpid(), "host": socket.gethostname(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
        with suppress(OSError):  # the note only serves the message of a driver that is refused
            _lock_path(store).with_suffix(".json").write_text(json.dumps(note), encoding="utf-8")
        yield
    finally:
        _lock_path(store).with_suffix(".json").unlink(missing_ok=True)
        with suppress(OSError):  # where an open file cannot be removed it stays, and does no harm
            _lock_path(store).unlink()  # before it is released: filelock takes no lock on a file that is gone
        lock.release()
