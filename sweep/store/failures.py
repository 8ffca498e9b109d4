"""What storage raises when it fails, in words, and whether the same may work a little later."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import StorageOutageError, StoreError

ACCESS_KEY = "AWS_ACCESS_KEY_ID"
SECRET_KEY = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 - the name of a setting
RIGHTS = "they need to read, write, list and delete there"
#: What an object store calls its refusals, with what they mean and what to do.
MEANINGS = {
    "ExpiredToken": "the credentials have expired; renew them",
    "ExpiredTokenException": "the credentials have expired; renew them",
    "TokenRefreshRequired": "the credentials have expired; renew them",
    "InvalidToken": "the session token is none that it gave; renew the credentials",
    "InvalidAccessKeyId": f"it does not know this access key; look at {ACCESS_KEY}",
    "SignatureDoesNotMatch": f"the secret is not that of the access key; look at {SECRET_KEY}",
    "AccessDenied": f"these credentials may not do that; {RIGHTS}",
    "NoSuchBucket": "there is no such bucket; check its name, or make it",
    "RequestTimeTooSkewed": "the clock of this machine is wrong; set it",
    "SlowDown": "it asks for fewer requests",
    "QuotaExceeded": "its quota is used up; free space there",
    "XMinioStorageFull": "it is full; free space there",
}
#: Answers below 500 that ask to come again: too slow, two changes at once, too early, too many.
PASSING_STATUS = {408, 409, 425, 429}
PASSING_CODES = {"RequestTimeout", "OperationAborted", "ConditionalRequestConflict"}
FULL_STATUS = 507
_WHERE = "the environment's settings (address, region, credentials)"
UNREACHED = f"the object store cannot be reached or its settings are incomplete; look at {_WHERE}"
_KEYS = f"{ACCESS_KEY} and {SECRET_KEY}, or the like"
NO_CREDENTIALS = f"no credentials were found in the environment ({_KEYS})"
#: Buckets that have answered this process, by whatever: their settings are no longer doubted.
ANSWERED: set[str] = set()


def storage_errors() -> tuple[type[Exception], ...]:
    """Return what storage raises when it fails, for an ``except`` clause.

    Returns
    -------
    tuple of exception types
        OSError, and the base of the exceptions of an object store's client if that is loaded.
    """
    client: Any = sys.modules.get("obstore.exceptions")
    return (OSError,) if client is None else (OSError, client.BaseError)


def is_of_client(error: BaseException) -> bool:
    """Whether an error tells of an object store, in the words of its client."""
    return type(error).__module__.startswith("obstore") or "Debug source:" in str(error)


def _status(text: str) -> int | None:
    found = re.search(r"status code: (\d+)", text)
    return None if found is None else int(found.group(1))


def _code(text: str) -> str:
    found = re.search(r"<Code>(\w+)</Code>", text)
    return "" if found is None else found.group(1)


def is_answer(error: BaseException) -> bool:
    """Whether an error of an object store's client is what the object store has answered."""
    return isinstance(error, FileNotFoundError) or _status(str(error)) is not None


def is_passing(error: BaseException) -> bool:
    """Whether the same request may succeed a little later: no answer, or that of one too busy."""
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
    """Return a failure of storage in few words.

    An object store's own text runs over pages, and may name who asked.

    Parameters
    ----------
    error : BaseException
        Of a file, of an object store's client, or one of ours.

    Returns
    -------
    str
        Without credentials, and with what to do where that is known.
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
        words = [status.group(1).strip()] if status else []
        words += [code] if code else []
        answer = f"the object store answered {', '.join(words)}"
        return f"{answer}: {MEANINGS[code]}" if code in MEANINGS else answer
    if "builder error" in text and "http://" in text:
        return "the object store's address is plain http; set AWS_ALLOW_HTTP=true if that is meant"
    if "Received redirect" in text:
        return "the bucket is in another region; set AWS_REGION"
    if not ANSWERED:
        return UNREACHED
    return f"the object store does not answer any more ({_silence(text)})"


def _silence(text: str) -> str:
    """Say how a connection failed, from the client's own record of it."""
    if "kind: Timeout" in text or "TimedOut" in text:
        return "no answer in time"
    if "kind: Connect" in text or "ConnectionRefused" in text:
        return "no connection"
    return "the connection was cut"


def failure(place: object, error: Exception, what: str = "", seconds: float = 0.0) -> StoreError:
    """Return an error of an object store's client as one of ours.

    Parameters
    ----------
    place : object
        The store, whose text names it.
    error : Exception
        What the client has raised.
    what : str
        What could not be done.
    seconds : float
        For how long it was tried, where that was worth it.

    Returns
    -------
    StoreError
        A StorageOutageError where the same request may succeed a little later.
    """
    words = f"{place}: {what}{': ' * bool(what)}{reason(error)}"
    if not is_passing(error):
        return StoreError(words)
    return StorageOutageError(words + (f"; tried for {seconds:.0f} s" if seconds >= 1.0 else ""))


@contextmanager
def telling(place: object, what: str, advice: str = "") -> Iterator[None]:
    """Raise as a StoreError what storage raises in this context.

    Parameters
    ----------
    place : object
        The store, whose text names it.
    what : str
        What could not be done if it fails.
    advice : str
        What to do then, where it is no object store.

    Raises
    ------
    StoreError
        It says what failed, why, and what to do; a StorageOutageError as of :func:`failure`.
    """
    try:
        yield
    except StoreError:
        raise
    except storage_errors() as error:
        if is_of_client(error):
            raise failure(place, error, what) from error
        cure = f"; {advice}" if advice else ""
        raise StoreError(f"{place}: {what}: {reason(error)}{cure}") from error
