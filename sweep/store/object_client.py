"""The client of object stores, set up from the environment."""

import functools
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from ..common.errors import StoreError
from .failures import reason

#: Retries of the client itself, which no signal interrupts; those of sweep.store.patience follow.
RETRIES: Mapping[str, Any] = {
    "max_retries": 4,
    "retry_timeout": timedelta(seconds=10),
    "backoff": {
        "init_backoff": timedelta(seconds=0.1),
        "max_backoff": timedelta(seconds=2),
        "base": 2.0,
    },
}


@functools.cache
def client_store(url: str) -> Any:
    """Return the client's store below a URL, the same object each time.

    Parameters
    ----------
    url : str
        Such as ``s3://bucket/results``.

    Returns
    -------
    obstore store
        Set up from the environment. A store in memory lives as long as this process.

    Raises
    ------
    StoreError
        The client is not installed, or a setting is missing or unreadable.
    """
    obstore = client()
    if url.startswith("memory://"):
        return obstore.store.MemoryStore()
    try:
        return obstore.store.from_url(url, retry_config=RETRIES)
    except Exception as error:  # a setting that is missing or unreadable
        raise StoreError(f"{url}: {reason(error)}") from error


def client() -> Any:
    """Return the client of object stores.

    Returns
    -------
    module
        ``obstore``, with its exceptions and stores.

    Raises
    ------
    StoreError
        It is not installed.
    """
    try:
        import obstore.exceptions
        import obstore.store
        import tenacity  # noqa: F401 - sweep.store.patience needs it
    except ImportError as error:
        need = f"stores beyond a folder need the package {error.name or 'obstore'}"
        raise StoreError(f"{need}; pip install 'marsdisk[remote]'") from error
    return obstore
