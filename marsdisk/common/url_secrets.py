"""Secrets in URLs, which are never printed and never stored.

A secret may be a password before the host, a setting in the path, or a signature after it.
"""

import re
from urllib.parse import unquote

#: A setting that is a secret, as people write it in a URL: ``;token=...``,
#: ``&AWS_SECRET_ACCESS_KEY=...``.
_SETTING = re.compile(
    r"(?:^|(?<=[/?#;&,]))(?:[\w.-]*(?:token|secret|passw|signature|credential|access.?key|account.?key|api.?key)[\w.-]*|sig|sas)=",
    re.IGNORECASE,
)
#: A URL in a text, even if slashes are missing.
_URL = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]*):(?:/{1,3}|(?=[^\s/@:]+:[^\s@]*@))(\S+)")
#: A secret by its name, as in a file or a variable of the environment.
_NAMED = re.compile(
    r"\b((?:\w+_)?(?:access_key|account_key|api_key|passwd|password|secret|token))(\s*[:=]\s*)([^\s,;}]+)",
    re.IGNORECASE,
)
#: Schemes whose URLs name a container before the host.
AZURE = {"abfs", "abfss"}


def hide_secrets(scheme: str, rest: str) -> str:
    """Return a URL for people, without what may be a password, a token or a signature.

    Parameters
    ----------
    scheme : str
        The part before ``://``.
    rest : str
        The part after it.

    Returns
    -------
    str
        With ``***`` in place of each part that may be a secret.

    Examples
    --------
    >>> hide_secrets("s3", "key:pass/word@bucket/x.zarr?X-Amz-Signature=1#2")
    's3://***@bucket/x.zarr'
    >>> hide_secrets("s3", "key:pass/word")
    's3://***'
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        scheme = "***"
    plain = before_settings(rest)
    settings = rest[len(plain) :]
    # the ? or # may be part of a password
    if re.search("@|%40", settings, re.IGNORECASE):
        return f"{scheme}://***"
    user, _, host = plain.rpartition("@")
    host = _before_secret_setting(host)
    if user:
        return f"{scheme}://***@{host}"
    authority = host.lstrip("/").partition("/")[0]
    if may_be_password(authority):
        return f"{scheme}://***"
    return f"{scheme}://{host}"


def without_passwords(text: str) -> str:
    """Return a message with ``***`` for the secrets in it.

    Parameters
    ----------
    text : str
        With or without URLs.

    Returns
    -------
    str
        The same, except for URLs with a user, and for values whose names mark them as secret.

    Examples
    --------
    >>> without_passwords("tcp://me:secret@host:8786 does not answer")
    'tcp://***@host:8786 does not answer'
    >>> without_passwords("give tcp://HOST:PORT")
    'give tcp://HOST:PORT'
    """

    def hide(url: re.Match[str]) -> str:
        scheme = url[1]
        rest = url[2]
        holds_secret = has_user(scheme, rest) or has_secret_setting(rest)
        return hide_secrets(scheme, rest) if holds_secret else url[0]

    return _NAMED.sub(r"\1\2***", _URL.sub(hide, text))


def has_user(scheme: str, rest: str) -> bool:
    """Return whether a URL has a user, not a container, before its host."""
    user = before_settings(rest).lstrip("/").rpartition("@")[0]
    if ":" in user:
        return True
    return bool(user) and "/" not in user and scheme.lower() not in AZURE


def has_secret_setting(rest: str) -> bool:
    """Return whether a URL has a setting that is a secret, plain or percent-encoded."""
    return _SETTING.search(unquote(rest)) is not None


def before_settings(rest: str) -> str:
    """Return the part before the first ? or #, plain or percent-encoded."""
    return re.split("[?#]|%3f|%23", rest, maxsplit=1, flags=re.IGNORECASE)[0]


def may_be_password(authority: str) -> bool:
    """Return whether a URL's host has, or may hide, a colon that is not before a port."""
    return "%" in authority or re.search(r":(?!\d*$)", authority) is not None


def _before_secret_setting(plain: str) -> str:
    """Return a path with ``***`` for everything after the name of a secret setting."""
    setting = _SETTING.search(plain)
    if setting is not None:
        return f"{plain[: setting.end()]}***"
    return "***" if has_secret_setting(plain) else plain
