"""One driver at a time: by a file lock in a folder, by a lease in an object store."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .driving_right import Driving
from .file_lock import holder_of, locked
from .folder import Folder
from .locate import locate
from .location import Location


@contextmanager
def driving(store: str | Path | Location) -> Iterator[Driving]:
    """Hold the right to drive a store for as long as the context lasts.

    A folder that another driver holds is refused at once, an object store as soon as it is known
    whether its holder is alive.

    Parameters
    ----------
    store : str or Path or Location
        Where the store is, or is to be created.

    Yields
    ------
    Driving
        The right; it says when it is lost.

    Raises
    ------
    StoreError
        Another driver is alive, or the location cannot be written.
    """
    location = locate(store)
    location.refuse_bad_name()
    if isinstance(location, Folder):
        with locked(location) as right:
            yield right
        return
    from .lease import leased

    with leased(location) as right:
        yield right


def driver_of(location: Location) -> str | None:
    """Return the driver that holds a store now, without taking or changing anything.

    Parameters
    ----------
    location : Location
        Where the store is.

    Returns
    -------
    str or None
        The driver in words; None where nobody drives the store.
    """
    if isinstance(location, Folder):
        return holder_of(location)
    from . import lease

    return lease.holder_of(location)
