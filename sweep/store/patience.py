"""How long a request to an object store is repeated.

Its client repeats a request for some seconds by itself. Here it is repeated for minutes, with
growing pauses of random length, so that many workers do not come back at once. Where a request may
have been done though its answer was lost, whoever asks must know what that means; see
:mod:`sweep.store.objects`.
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
SHARE_OF_A_BLOCK = 1.0 / 15.0  # of that, for a block to be written; then it goes back to the driver
SECONDS_WITHOUT_ANSWER = 10.0  # for a bucket that has never answered: its address may be wrong
MENTIONED_AFTER_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 15.0
#: What the client says of an object is no failure, but an answer.
ANSWERS = ("AlreadyExistsError", "PreconditionError")


def configured_patience() -> float:
    """Return ``sweep.storage-patience`` of Dask's configuration.

    Returns
    -------
    float
        s, for which a request to an object store is repeated.
    """
    import dask.config
    from dask.utils import parse_timedelta

    return float(parse_timedelta(dask.config.get("sweep.storage-patience", PATIENCE_SECONDS), "s"))


class Patience:
    """Repeats requests to the bucket of a store.

    Parameters
    ----------
    place : object
        The store, whose text names it.
    bucket : str
        Its bucket.
    seconds : float or None
        For how long a request is repeated, if that is less than what is configured; None for what
        is configured.
    """

    _mentioned = float("-inf")  # when some request of this process was last said to wait

    def __init__(self, place: object, bucket: str, seconds: float | None) -> None:
        self.place = place
        self.bucket = bucket
        self.is_long = seconds is None
        self._seconds = seconds
        self._began = time.monotonic()

    def call(self, request: Callable[[], T]) -> T:
        """Return what a request gives, repeated until it gives something.

        Parameters
        ----------
        request : callable
            It may have been done though it raises: its answer may be lost.

        Returns
        -------
        object
            What ``request`` returns.

        Raises
        ------
        FileNotFoundError, AlreadyExistsError, PreconditionError
            What the object store answers of the object; the latter two are obstore's.
        StoreError
            All else: the object store refuses the request, or has not answered for too long.
        """
        import tenacity

        try:
            answer: T = tenacity.Retrying(**self._retry_settings())(request)
        except Exception as error:
            raise self._translate(error) from error
        ANSWERED.add(self.bucket)
        return answer

    async def acall(self, request: Callable[[], Awaitable[T]]) -> T:
        """Return what a request gives that is to be awaited; as :meth:`call`."""
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
        import tenacity  # which stores in folders do without

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
        """For how long requests are repeated now, in s."""
        limit = configured_patience()
        if self._seconds is not None:
            limit = min(limit, self._seconds)
        return limit if self.bucket in ANSWERED else min(limit, SECONDS_WITHOUT_ANSWER)

    def _is_over(self, state: "tenacity.RetryCallState") -> bool:
        return (state.seconds_since_start or 0.0) >= self.seconds

    def _mention(self, state: "tenacity.RetryCallState") -> None:
        """Say that a request waits, if it does so for long; one line for all that wait."""
        now = time.monotonic()
        if not self.is_long or self.bucket not in ANSWERED:
            return
        if now - state.start_time < MENTIONED_AFTER_SECONDS:
            return
        if now - Patience._mentioned < self.seconds or state.outcome is None:
            return
        Patience._mentioned = now
        error = state.outcome.exception()
        words = "" if error is None else reason(error)
        logger.warning("%s: %s; waiting for up to %.0f s", self.place, words, self.seconds)

    def _translate(self, error: Exception) -> Exception:
        """Return an error in our words, unless it is what the object store answers of an object."""
        is_missing = isinstance(error, FileNotFoundError)
        if is_missing or type(error).__name__ in ANSWERS or not is_of_client(error):
            return error
        return failure(self.place, error, seconds=time.monotonic() - self._began)
