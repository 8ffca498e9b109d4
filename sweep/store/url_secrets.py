"""Secrets in the URL of a store: never printed, never stored, wherever somebody has put them.

Settings and credentials come from the environment. A URL that holds some all the same is refused,
and named without them: as a user with a password before the host, or as a signature after it.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from ..errors import StoreError

#: A setting that is a secret, as people put it into a path: ``;token=...``, ``&AWS_SECRET_ACCESS_KEY=...``.
_SETTING = re.compile(
    r"(?:^|(?<=[/;&,]))(?:[\w.-]*(?:token|secret|passw|signature|credential|access.?key|account.?key|api.?key)[\w.-]*|sig|sas)=",
    re.IGNORECASE,
)


def hide_secrets(scheme: str, rest: str) -> str:
    """Return a URL for people, without what may be a password, a token or a signature.

    Parameters
    ----------
    scheme : str
        What stands before ``://``.
    rest : str
        What stands behind it.

    Returns
    -------
    str
        With ``***`` in place of what may be a secret.

    Examples
    --------
    >>> hide_secrets("s3", "key:pass/word@bucket/x.zarr?X-Amz-Signature=1#2")
    's3://***@bucket/x.zarr'
    >>> hide_secrets("s3", "key:pass/word")
    's3://***'
    """
    known = scheme if re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme) else "***"
    plain = _before_settings(rest)
    settings = rest[len(plain) :]
    if re.search("@|%40", settings, re.IGNORECASE):  # a password may have held the ? or #
        return f"{known}://***"
    _, at, host = plain.rpartition("@")
    if at:
        return f"{known}://***@{host}"
    plain = _before_setting(plain)
    authority = plain.lstrip("/").partition("/")[0]
    return f"{known}://{'***' if _holds_password(authority) else plain}"


def _before_settings(rest: str) -> str:
    """Return what stands before the first ? or #, be it written as it is or escaped."""
    return re.split("[?#]|%3f|%23", rest, maxsplit=1, flags=re.IGNORECASE)[0]


def _before_setting(plain: str) -> str:
    """Return a path, with ``***`` for all that follows the name of a secret setting."""
    found = _SETTING.search(plain)
    return plain if found is None else f"{plain[: found.end()]}***"


def _holds_password(authority: str) -> bool:
    """Whether a URL's host has a colon that is not before a port, or may hide one."""
    return "%" in authority or re.search(r":(?!\d*$)", authority) is not None


def refuse_secrets(scheme: str, rest: str) -> None:
    """Refuse a URL that may hold a secret: it would be printed, logged, sent to workers, stored.

    Parameters
    ----------
    scheme, rest : str
        As of :func:`hide_secrets`.

    Raises
    ------
    StoreError
        It names the URL without what may be secret.
    """
    shown = hide_secrets(scheme, rest)
    plain = _before_settings(rest)
    host_first = plain if scheme == "file" else plain.lstrip("/")  # one too many hides no password
    authority, _, key = host_first.partition("/")
    user = authority.rpartition("@")[0]
    is_azure = scheme in {"abfs", "abfss"}
    is_container = is_azure and ":" not in user  # which Azure's URLs name before the @
    has_user = bool(user) and not is_container
    has_user_with_slash = ":" in authority and "@" in key
    has_user_further_on = re.search(":[^/]*@", key) is not None
    has_setting = _SETTING.search(plain) is not None
    if has_user or has_user_with_slash or has_user_further_on or has_setting or _holds_password(authority):
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
