"""Repeating requests to an object store.

The client itself repeats a request for some seconds. Here it is repeated for minutes, with growing
pauses of random length, so that many workers do not return at once. A request may have been done
though its answer was lost; whoever makes it must know what that means, see
:mod:`sweep.store.object_store`.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from .failures import ANSWERED, failure, is_answer, is_of_client, is_passing, reason

if TYPE_CHECKING:
    import tenacity

logger = logging.getLogger(__name__)
T = TypeVar("T")

PATIENCE_SECONDS = 300.0  # unless sweep.storage-patience of Dask's configuration says otherwise
SHARE_OF_A_BLOCK = 1.0 / 15.0  # of the patience, before a block is returned to the driver
SECONDS_WITHOUT_ANSWER = 10.0  # for a bucket that has never answered: its address may be wrong
MENTIONED_AFTER_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 15.0
#: Errors of the client that are answers about an object, rather than failures.
ANSWERS = ("AlreadyExistsError", "PreconditionError")


def configured_patience() -> float:
    """Return ``sweep.storage-patience`` of Dask's configuration.

    Returns
    -------
    float
        s, how long a request to an object store is repeated.
    """
    import dask.config
    from dask.utils import parse_timedelta

    return float(parse_timedelta(dask.config.get("sweep.storage-patience", PATIENCE_SECONDS), "s"))


class Patience:
    """Repeats requests to the bucket of a store.

    Parameters
    ----------
    location : object
        The store, whose text names it.
    bucket : str
        Its bucket.
    seconds : float or None
        How long a request is repeated, in s, if that is less than the configured time; None for the
        configured time.
    """

    #: when this process last logged that a request waits
    _mentioned = float("-inf")

    def __init__(self, location: object, bucket: str, seconds: float | None) -> None:
        self.location = location
        self.bucket = bucket
        self.is_long = seconds is None
        self._seconds = seconds
        self._began = time.monotonic()

    def call(self, request: Callable[[], T]) -> T:
        """Return the result of a request, repeated until it succeeds.

        Parameters
        ----------
        request : callable
            The request. It may have been done though it raises: its answer may be lost.

        Returns
        -------
        object
            Its result.

        Raises
        ------
        FileNotFoundError, AlreadyExistsError, PreconditionError
            Answers of the object store about the object; the latter two are obstore's.
        StoreError
            The object store refuses the request, or has not answered for too long.
        """
        import tenacity

        try:
            answer: T = tenacity.Retrying(**self._retry_settings())(request)
        except Exception as error:
            raise self._translate(error) from error
        ANSWERED.add(self.bucket)
        return answer

    async def acall(self, request: Callable[[], Awaitable[T]]) -> T:
        """Return the result of a request that is to be awaited, as :meth:`call` does."""
        import tenacity

        async def await_request() -> T:
            return await request()

        try:
            answer: T = await tenacity.AsyncRetrying(**self._retry_settings())(await_request)
        except Exception as error:
            raise self._translate(error) from error
        ANSWERED.add(self.bucket)
        return answer

    def _retry_settings(self) -> dict[str, Any]:
        # imported here, since stores in folders do without it
        import tenacity

        return {
            "retry": tenacity.retry_if_exception(self._may_pass),
            "wait": tenacity.wait_random_exponential(multiplier=0.5, max=LONGEST_PAUSE_SECONDS),
            "stop": self._is_over,
            "before_sleep": self._mention,
            "reraise": True,
        }

    def _may_pass(self, error: BaseException) -> bool:
        if is_answer(error):
            ANSWERED.add(self.bucket)
        return is_passing(error)

    @property
    def seconds(self) -> float:
        """The time for which requests are repeated now, in s."""
        limit = configured_patience()
        if self._seconds is not None:
            limit = min(limit, self._seconds)
        return limit if self.bucket in ANSWERED else min(limit, SECONDS_WITHOUT_ANSWER)

    def _is_over(self, state: "tenacity.RetryCallState") -> bool:
        return (state.seconds_since_start or 0.0) >= self.seconds

    def _mention(self, state: "tenacity.RetryCallState") -> None:
        """Log that a request has been waiting for long; one line for all that wait."""
        now = time.monotonic()
        if not self.is_long or self.bucket not in ANSWERED:
            return
        if now - state.start_time < MENTIONED_AFTER_SECONDS:
            return
        if now - Patience._mentioned < self.seconds or state.outcome is None:
            return
        Patience._mentioned = now
        error = state.outcome.exception()
        problem = "" if error is None else reason(error)
        logger.warning("%s: %s; waiting for up to %.0f s", self.location, problem, self.seconds)

    def _translate(self, error: Exception) -> Exception:
        """Return an error of the client as a StoreError, unless it is an answer about an object."""
        is_missing = isinstance(error, FileNotFoundError)
        if is_missing or type(error).__name__ in ANSWERS or not is_of_client(error):
            return error
        return failure(self.location, error, seconds=time.monotonic() - self._began)
