"""Failures of storage: what they mean in words, and whether the same may succeed a little later."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..common.errors import StorageOutageError, StoreError

ACCESS_KEY = "AWS_ACCESS_KEY_ID"
SECRET_KEY = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 - the name of a setting
RIGHTS = "they need to read, write, list and delete there"
#: Codes of the refusals of object stores, with what they mean and what to do.
MEANINGS = {
    "ExpiredToken": "the credentials have expired; renew them",
    "ExpiredTokenException": "the credentials have expired; renew them",
    "TokenRefreshRequired": "the credentials have expired; renew them",
    "InvalidToken": "it did not issue this session token; renew the credentials",
    "InvalidAccessKeyId": f"it does not know this access key; check {ACCESS_KEY}",
    "SignatureDoesNotMatch": f"the secret is not that of the access key; check {SECRET_KEY}",
    "AccessDenied": f"these credentials may not do that; {RIGHTS}",
    "NoSuchBucket": "there is no such bucket; check its name, or create it",
    "RequestTimeTooSkewed": "the clock of this machine is wrong; set it",
    "SlowDown": "it asks for fewer requests",
    "QuotaExceeded": "its quota is used up; free space there",
    "XMinioStorageFull": "it is full; free space there",
}
#: Status codes below 500 of requests to repeat: too slow, two changes at once, too early, too many.
PASSING_STATUS = {408, 409, 425, 429}
PASSING_CODES = {"RequestTimeout", "OperationAborted", "ConditionalRequestConflict"}
FULL_STATUS = 507
_SETTINGS = "the environment's settings (address, region, credentials)"
UNREACHED = f"the object store cannot be reached or its settings are incomplete; check {_SETTINGS}"
_KEYS = f"such as {ACCESS_KEY} and {SECRET_KEY}"
NO_CREDENTIALS = f"no credentials were found in the environment ({_KEYS})"
#: Buckets that have answered this process, with success or not: their settings are right.
ANSWERED: set[str] = set()


def storage_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions that storage raises when it fails, for an ``except`` clause.

    Returns
    -------
    tuple of exception types
        OSError, and the base of the exceptions of an object store's client if that is loaded.
    """
    client: Any = sys.modules.get("obstore.exceptions")
    return (OSError,) if client is None else (OSError, client.BaseError)


def is_of_client(error: BaseException) -> bool:
    """Return whether an error comes from the client of an object store, by way of Zarr or not."""
    return type(error).__module__.startswith("obstore") or "Debug source:" in str(error)


def _status(text: str) -> int | None:
    match = re.search(r"status code: (\d+)", text)
    return None if match is None else int(match.group(1))


def _code(text: str) -> str:
    match = re.search(r"<Code>(\w+)</Code>", text)
    return "" if match is None else match.group(1)


def is_answer(error: BaseException) -> bool:
    """Return whether an error of the client is an answer of the object store."""
    return isinstance(error, FileNotFoundError) or _status(str(error)) is not None


def is_passing(error: BaseException) -> bool:
    """Return whether a repeated request may succeed: there was no answer, or that it is busy."""
    client: Any = sys.modules.get("obstore.exceptions")
    if client is None:
        return False
    if not isinstance(error, client.GenericError | ConnectionError | TimeoutError):
        return False
    text = str(error)
    status = _status(text)
    if status is not None:
        is_busy = status >= 500 and status != FULL_STATUS
        return is_busy or status in PASSING_STATUS or _code(text) in PASSING_CODES
    return not any(words in text for words in ("builder error", "Received redirect"))


def reason(error: BaseException) -> str:
    """Return the reason of a failure of storage in a few words.

    An object store's own text runs over pages, and may name the access key.

    Parameters
    ----------
    error : BaseException
        Error of a file, of an object store's client, or of this program.

    Returns
    -------
    str
        The reason without credentials, and what to do about it where that is known.
    """
    if isinstance(error, StorageOutageError):
        return error.problem
    if not is_of_client(error):
        return str(getattr(error, "strerror", None) or error)
    text = str(error)
    if "169.254." in text:
        return NO_CREDENTIALS
    code = _code(text)
    status = re.search(r"status code: (\d+ [A-Za-z ]+)", text)
    if status or code:
        words = []
        if status:
            words.append(status.group(1).strip())
        if code:
            words.append(code)
        answer = f"the object store answered {', '.join(words)}"
        return f"{answer}: {MEANINGS[code]}" if code in MEANINGS else answer
    if "builder error" in text and "http://" in text:
        return "the object store's address is plain http; set AWS_ALLOW_HTTP=true if intended"
    if "Received redirect" in text:
        return "the bucket is in another region; set AWS_REGION"
    if not ANSWERED:
        return UNREACHED
    return f"the object store does not answer any more ({_connection_failure(text)})"


def _connection_failure(text: str) -> str:
    """Say how a connection failed, from the client's text."""
    if "kind: Timeout" in text or "TimedOut" in text:
        return "no answer in time"
    if "kind: Connect" in text or "ConnectionRefused" in text:
        return "no connection"
    return "the connection was cut"


def failure(
    location: object, error: Exception, problem: str = "", seconds: float = 0.0
) -> StoreError:
    """Return an error of an object store's client as a StoreError.

    Parameters
    ----------
    location : object
        The store, whose text names it.
    error : Exception
        The error that the client has raised.
    problem : str
        What could not be done; empty to leave it out.
    seconds : float
        How long it was tried; not mentioned below a second.

    Returns
    -------
    StoreError
        A StorageOutageError where the same request may succeed a little later.
    """
    message = (
        f"{location}: {problem}: {reason(error)}" if problem else f"{location}: {reason(error)}"
    )
    if not is_passing(error):
        return StoreError(message)
    if seconds >= 1.0:
        message += f"; tried for {seconds:.0f} s"
    return StorageOutageError(message)


@contextmanager
def telling(location: object, problem: str, advice: str = "") -> Iterator[None]:
    """Turn failures of storage within this context into a StoreError.

    Parameters
    ----------
    location : object
        The store, whose text names it.
    problem : str
        What could not be done if storage fails, such as "cannot be read".
    advice : str
        What to do about it, where the store is in a folder.

    Raises
    ------
    StoreError
        The message says what failed, why, and what to do; a StorageOutageError as of
        :func:`failure`.
    """
    try:
        yield
    except StoreError:
        raise
    except storage_errors() as error:
        if is_of_client(error):
            raise failure(location, error, problem) from error
        cure = f"; {advice}" if advice else ""
        raise StoreError(f"{location}: {problem}: {reason(error)}{cure}") from error
