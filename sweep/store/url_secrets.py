"""URLs of stores that hold a secret are refused: it would be printed, logged, sent to workers, stored.

Settings and credentials come from the environment.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from marsdisk.url_secrets import (
    before_settings,
    has_secret_setting,
    has_user,
    hide_secrets,
    may_be_password,
)

from ..errors import StoreError


def refuse_secrets(scheme: str, rest: str) -> None:
    """Refuse a URL that may hold a secret.

    Parameters
    ----------
    scheme, rest : str
        As of :func:`marsdisk.url_secrets.hide_secrets`.

    Raises
    ------
    StoreError
        It names the URL without what may be secret.
    """
    shown = hide_secrets(scheme, rest)
    plain = before_settings(rest)
    host_first = plain if scheme == "file" else plain.lstrip("/")  # one too many hides no password
    authority = host_first.partition("/")[0].rpartition("@")[2]
    if has_user(scheme, rest) or has_secret_setting(plain) or may_be_password(authority):
        cure = "put them into the environment and leave them out"
        raise StoreError(f"{shown}: a URL with credentials would be printed and logged; {cure}")
    if plain != rest:
        raise StoreError(f"{shown}: takes no ? or #; settings come from the environment")


def refuse_lost_slash(given: object, schemes: Iterable[str]) -> None:
    """Refuse a URL that has lost a slash: it would be taken for a path, and its secrets shown.

    Parameters
    ----------
    given : object
        A path or URL, as text or as a Path, which turns two slashes into one.
    schemes : iterable of str
        What URLs of stores begin with.

    Raises
    ------
    StoreError
        It names the URL without what may be secret.
    """
    known = "|".join([*schemes, "https?", "ftp"])
    lost = re.match(rf"({known}):(/?[^/].*)", str(given), re.IGNORECASE)
    if lost is None or not (lost[2].startswith("/") or "@" in lost[2]):
        return
    shown = hide_secrets(lost[1], lost[2].lstrip("/"))
    if isinstance(given, Path):
        raise StoreError(f"{shown}: a URL has lost a slash by becoming a Path; give it as text")
    cure = f"give {lost[1]}://BUCKET/NAME.zarr"
    raise StoreError(f"{shown}: a URL has lost a slash; {cure}")
