"""The location that a path or a URL stands for."""

from pathlib import Path

from .folder import folder_at
from .location import OBJECT_SCHEMES, Location
from .url_secrets import refuse_lost_slash, refuse_secrets

#: Where stores are made unless another place is given.
RESULTS_FOLDER = Path("results")


def default_location(name: str) -> Location:
    """Return where the store of a sweep of this name is made unless another place is given."""
    return locate(RESULTS_FOLDER / f"{name}.zarr")


def locate(store: str | Path | Location) -> Location:
    """Return the location that a path or URL names.

    Parameters
    ----------
    store : str or Path or Location
        A path, a URL, or a location, which is returned as it is.

    Returns
    -------
    Location
        Where the store is or will be; nothing is read there.

    Raises
    ------
    StoreError
        A URL cannot name a store, or carries a password; or a symbolic link leads nowhere.

    Examples
    --------
    >>> locate("results/x.zarr").name, str(locate("s3://bucket/x.zarr"))
    ('x.zarr', 's3://bucket/x.zarr')
    """
    if isinstance(store, Location):
        return store
    text = str(store)
    refuse_lost_slash(store, OBJECT_SCHEMES)
    if isinstance(store, Path) or "://" not in text:
        return folder_at(text)
    scheme, _, rest = text.partition("://")
    if scheme == "file":
        refuse_secrets(scheme, rest)
        # file:///path, or file://host/path
        return folder_at(rest if rest.startswith("/") else "/" + rest.partition("/")[2])
    from .object_store import object_location

    return object_location(scheme, rest)
