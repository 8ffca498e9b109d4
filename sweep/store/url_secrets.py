"""Refusing URLs of stores that contain a secret.

It would be printed, logged, sent to workers and stored. Settings and credentials come from the
environment.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from marsdisk.common.url_secrets import (
    before_settings,
    has_secret_setting,
    has_user,
    hide_secrets,
    may_be_password,
)

from ..common.errors import StoreError


def refuse_secrets(scheme: str, rest: str) -> None:
    """Refuse a URL that may contain a secret.

    Parameters
    ----------
    scheme, rest : str
        As of :func:`marsdisk.common.url_secrets.hide_secrets`.

    Raises
    ------
    StoreError
        The message shows the URL without what may be secret.
    """
    shown = hide_secrets(scheme, rest)
    plain = before_settings(rest)
    # a slash too many must not hide a password
    host_first = plain if scheme == "file" else plain.lstrip("/")
    authority = host_first.partition("/")[0].rpartition("@")[2]
    if has_user(scheme, rest) or has_secret_setting(plain) or may_be_password(authority):
        cure = "put them into the environment and leave them out"
        raise StoreError(f"{shown}: a URL with credentials would be printed and logged; {cure}")
    if plain != rest:
        raise StoreError(f"{shown}: takes no ? or #; settings come from the environment")


def refuse_lost_slash(store: object, schemes: Iterable[str]) -> None:
    """Refuse a URL that has lost a slash: it would be taken for a path, and its secrets shown.

    Parameters
    ----------
    store : object
        A path or URL, as text or as a Path, which turns two slashes into one.
    schemes : iterable of str
        Schemes of the URLs of stores.

    Raises
    ------
    StoreError
        The message shows the URL without what may be secret.
    """
    pattern = "|".join([*schemes, "https?", "ftp"])
    match = re.match(rf"({pattern}):(/?[^/].*)", str(store), re.IGNORECASE)
    if match is None:
        return
    scheme, rest = match.groups()
    if not rest.startswith("/") and "@" not in rest:
        return
    shown = hide_secrets(scheme, rest.lstrip("/"))
    if isinstance(store, Path):
        raise StoreError(f"{shown}: a URL has lost a slash by becoming a Path; give it as text")
    raise StoreError(f"{shown}: a URL has lost a slash; give {scheme}://BUCKET/NAME.zarr")
