"""Secrets in URLs, never printed and never stored, wherever somebody has put them.

As a user with a password before the host, as a setting in the path, or as a signature after it.
"""

import re
from urllib.parse import unquote

#: A setting that is a secret, as people put it into a URL: ``;token=...``,
#: ``&AWS_SECRET_ACCESS_KEY=...``.
_SETTING = re.compile(
    r"(?:^|(?<=[/?#;&,]))(?:[\w.-]*(?:token|secret|passw|signature|credential|access.?key|account.?key|api.?key)[\w.-]*|sig|sas)=",
    re.IGNORECASE,
)
#: A URL in a text, also one that has lost slashes.
_URL = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]*):(?:/{1,3}|(?=[^\s/@:]+:[^\s@]*@))(\S+)")
#: A secret by its name, as in a file or a variable of the environment.
_NAMED = re.compile(
    r"\b((?:\w+_)?(?:access_key|account_key|api_key|passwd|password|secret|token))(\s*[:=]\s*)([^\s,;}]+)",
    re.IGNORECASE,
)
AZURE = {"abfs", "abfss"}  #: whose URLs name a container before the host


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
    plain = before_settings(rest)
    settings = rest[len(plain) :]
    if re.search("@|%40", settings, re.IGNORECASE):  # a password may have held the ? or #
        return f"{known}://***"
    user, _, host = plain.rpartition("@")
    host = _before_secret_setting(host)
    if user:
        return f"{known}://***@{host}"
    authority = host.lstrip("/").partition("/")[0]
    return f"{known}://{'***' if may_be_password(authority) else host}"


def without_passwords(text: str) -> str:
    """Return a message with ``***`` for the secrets in it.

    Parameters
    ----------
    text : str
        With or without URLs.

    Returns
    -------
    str
        The same, but for URLs that hold a user, and for values whose names say that they are
        secret.

    Examples
    --------
    >>> without_passwords("tcp://me:secret@host:8786 does not answer")
    'tcp://***@host:8786 does not answer'
    >>> without_passwords("give tcp://HOST:PORT")
    'give tcp://HOST:PORT'
    """

    def hidden(url: re.Match[str]) -> str:
        scheme = url[1]
        rest = url[2]
        holds_secret = has_user(scheme, rest) or has_secret_setting(rest)
        return hide_secrets(scheme, rest) if holds_secret else url[0]

    return _NAMED.sub(r"\1\2***", _URL.sub(hidden, text))


def has_user(scheme: str, rest: str) -> bool:
    """Whether something stands before the host of a URL that is no container."""
    user = before_settings(rest).lstrip("/").rpartition("@")[0]
    if ":" in user:
        return True
    return bool(user) and "/" not in user and scheme.lower() not in AZURE


def has_secret_setting(rest: str) -> bool:
    """Whether a URL holds a setting that is a secret, be it written as it is or escaped."""
    return _SETTING.search(unquote(rest)) is not None


def before_settings(rest: str) -> str:
    """Return what stands before the first ? or #, be it written as it is or escaped."""
    return re.split("[?#]|%3f|%23", rest, maxsplit=1, flags=re.IGNORECASE)[0]


def may_be_password(authority: str) -> bool:
    """Whether a URL's host has a colon that is not before a port, or may hide one."""
    return "%" in authority or re.search(r":(?!\d*$)", authority) is not None


def _before_secret_setting(plain: str) -> str:
    """Return a path, with ``***`` for all that follows the name of a secret setting."""
    found = _SETTING.search(plain)
    if found is not None:
        return f"{plain[: found.end()]}***"
    return "***" if has_secret_setting(plain) else plain
