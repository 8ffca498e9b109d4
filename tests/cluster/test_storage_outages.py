"""Blocks that an object store did not take are handed out again; what it has answered is named."""

import functools
import io
import pickle
from collections import Counter
from pathlib import Path

import dask
import obstore.exceptions
import pytest
from fake_cluster import Clock, FakeFuture, Outcome, StopEvent, receipt_of
from rich.console import Console
from small_sweeps import sweep_file
from test_window import Drive, task_of

import sweep.running.driver
import sweep.running.outage
from sweep.common.errors import StorageOutageError, StoreError
from sweep.planning.plan import make_plan
from sweep.running.driver import run_blocks
from sweep.running.outage import LONGEST_PAUSE_SECONDS, Outage
from sweep.running.progress import Reporter, Tally
from sweep.spec.file import load_sweep
from sweep.store.failures import MEANINGS, is_passing, reason, telling
from sweep.store.folder import Folder
from sweep.workers.block import BlockTask, Receipt

AWAY = StorageOutageError("s3://bucket/s.zarr: the object store answered 503 Service Unavailable")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replace the clock that outages are measured by."""
    clock = Clock()
    monkeypatch.setattr(sweep.running.outage, "time", clock)
    return clock


def test_blocks_are_held_back_ever_longer_until_the_patience_ends(clock: Clock) -> None:
    messages: list[str] = []
    pauses: list[float] = []
    outage = Outage(messages.append)
    assert outage.pause == 0.0

    def come_back_again_and_again() -> None:
        while True:
            outage.add(AWAY)
            pauses.append(outage.pause)
            clock.advance(outage.pause)

    with dask.config.set({"sweep.storage-patience": "20 minutes"}):
        with pytest.raises(StorageOutageError) as caught:
            come_back_again_and_again()
        assert str(caught.value).startswith(f"{AWAY.problem}; no block was taken for 20 min")
        assert str(caught.value).endswith("; run the same command again when it answers")
    assert all(0.5 * 2.0**n <= pause <= 2.0**n for n, pause in enumerate(pauses[:5]))
    assert max(pauses) <= LONGEST_PAUSE_SECONDS
    assert len(set(pauses)) == len(pauses)  # of random length
    assert messages == [f"{AWAY.problem}; blocks are tried again, for up to 20 min 0 s"]


def test_blocks_that_come_back_together_count_once(clock: Clock) -> None:
    outage = Outage(lambda words: None)
    for _ in range(30):
        outage.add(AWAY)
    assert outage.pause <= 1.0
    clock.advance(outage.pause)
    outage.add(AWAY)
    assert 1.0 <= outage.pause <= 2.0


def test_a_block_that_is_taken_ends_the_outage(clock: Clock) -> None:
    messages: list[str] = []
    outage = Outage(messages.append)
    outage.end()
    assert messages == []
    for _ in range(3):
        outage.add(AWAY)
        clock.advance(200.0)
        outage.end()
        assert outage.pause == 0.0
    assert messages[1::2] == ["the object store takes blocks again, after 3 min 20 s"] * 3


def test_the_patience_is_five_minutes_unless_it_is_set(clock: Clock) -> None:
    outage = Outage(lambda words: None)
    outage.add(AWAY)
    clock.advance(300.0)
    outage.add(AWAY)
    clock.advance(1.0)
    with pytest.raises(StorageOutageError):
        outage.add(AWAY)


def drive(
    monkeypatch: pytest.MonkeyPatch,
    outages: dict[int, float],
    blocks: int,
    **limits: float,
) -> Drive:
    """Return a window whose blocks are refused as often as ``outages`` says, by block."""
    tried: Counter[int] = Counter()

    def outcome_of(future: FakeFuture) -> Outcome:
        index = future.task.index
        tried[index] += 1
        return AWAY if tried[index] <= outages.get(index, 0) else receipt_of(future.task)

    window = Drive(monkeypatch, outcome_of, blocks, **limits)
    monkeypatch.setattr(sweep.running.outage, "time", window.clock)
    return window


def test_a_block_that_the_object_store_did_not_take_goes_back_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    window = drive(monkeypatch, {1: 4, 3: 1}, 5)
    window.run()
    assert sorted(window.committed) == [0, 1, 2, 3, 4]
    assert [future.task.attempt for future in window.sent()] == [1] * 10  # no fault of the block
    assert [future.task.index for future in window.sent()].count(1) == 5
    assert window.client.in_flight == []
    assert len(window.work) == 0


def test_an_object_store_that_takes_no_block_for_too_long_ends_the_sweep_and_no_block_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    window = drive(monkeypatch, dict.fromkeys(range(3), 1e9), 3)
    with pytest.raises(StorageOutageError, match=r"no block was taken for 5 min"):
        window.run()
    assert window.take_what_is_left() == [0, 1, 2]
    assert 1300.0 <= window.clock.now <= 1300.0 + 2.0 * LONGEST_PAUSE_SECONDS


def test_blocks_that_an_object_store_gives_back_are_no_sign_of_workers_that_hang(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    window = drive(monkeypatch, dict.fromkeys(range(3), 1e9), 3, quiet=60.0)
    with pytest.raises(StorageOutageError):
        window.run()
    assert window.said == [f"{AWAY.problem}; blocks are tried again, for up to 5 min 0 s"]


def test_an_outage_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    window = drive(monkeypatch, dict.fromkeys(range(3), 1e9), 3)
    monkeypatch.setattr(window.watchdog, "say", lambda words: window.stop.set())
    with pytest.raises(sweep.running.driver.Interrupted):
        window.run()
    assert window.clock.now == 1000.0
    assert window.take_what_is_left() == [0, 1, 2]


def test_a_refusal_of_the_object_store_ends_the_sweep_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refusal = StoreError("s3://bucket/s.zarr: the object store answered 403 Forbidden")
    window = Drive(monkeypatch, lambda future: refusal, 9)
    with pytest.raises(StoreError, match="403 Forbidden"):
        window.run()
    assert len(window.sent()) == 3


def test_in_this_process_too_a_block_is_tried_again_and_counted_once(
    tmp_path: Path,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    axes = {"temperature.T0": [3000.0, 3500.0, 4000.0, 4500.0]}
    plan = make_plan(load_sweep(sweep_file(tmp_path, axes=axes, block=2)))
    tried: list[int] = []

    def run_block(task: BlockTask, scopes: object) -> Receipt:
        tried.append(task.index)
        if len(tried) in (1, 3, 4):
            raise AWAY
        return receipt_of(task)

    monkeypatch.setattr(sweep.running.driver, "run_block", run_block)
    monkeypatch.setattr(sweep.running.driver, "task_maker", lambda plan, store: task_of)
    reporter = Reporter(Console(file=io.StringIO()), Tally(4))
    run = functools.partial(run_blocks, plan, "s3://bucket/s.zarr", plan.blocks, workers=0)
    run(reporter=reporter, stop=StopEvent(clock))
    assert tried == [0, 0, 1, 1, 1]
    assert reporter.tally.done == 4


def test_an_outage_says_the_same_on_its_way_from_a_worker() -> None:
    arrived = pickle.loads(pickle.dumps(AWAY))
    assert isinstance(arrived, StorageOutageError)
    assert (str(arrived), arrived.problem) == (str(AWAY), AWAY.problem)


def answered(status: str, code: str = "") -> Exception:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>"
    words = (
        "Generic S3 error: Error performing PUT http://h/b/k in 1s - Server returned non-2xx"
        f" status code: {status}: {body}"
    )
    return obstore.exceptions.GenericError(f"{words}\n\nDebug source:\nGeneric {{ store: 'S3' }}")


def unanswered(kind: str) -> Exception:
    words = (
        "Generic S3 error: Error performing GET http://h/b/k in 1s, after 2 retries - HTTP error:"
        " error sending request"
    )
    return obstore.exceptions.GenericError(
        f"{words}\n\nDebug source:\nGeneric {{ HttpError {{ kind: {kind}, }} }}"
    )


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (answered("503 Service Unavailable", "SlowDown"), True),
        (answered("500 Internal Server Error", "InternalError"), True),
        (answered("502 Bad Gateway"), True),
        (answered("504 Gateway Timeout"), True),
        (answered("429 Too Many Requests"), True),
        (answered("408 Request Timeout"), True),
        (answered("400 Bad Request", "RequestTimeout"), True),
        (answered("409 Conflict", "OperationAborted"), True),
        (unanswered("Connect"), True),
        (unanswered("Timeout"), True),
        (unanswered("Request"), True),
        (TimeoutError(), True),
        (ConnectionResetError(), True),
        (answered("507 Insufficient Storage", "XMinioStorageFull"), False),
        (answered("400 Bad Request", "ExpiredToken"), False),
        (answered("400 Bad Request", "InvalidToken"), False),
        (answered("404 Not Found", "NoSuchBucket"), False),
        (answered("301 Moved Permanently", "PermanentRedirect"), False),
        (
            obstore.exceptions.PermissionDeniedError(
                "status code: 403 Forbidden: <Code>AccessDenied</Code>"
            ),
            False,
        ),
        (obstore.exceptions.GenericError("HTTP error: builder error for http://h"), False),
        (FileNotFoundError("no such object"), False),
        (ValueError("something else"), False),
    ],
    ids=repr,
)
def test_what_may_pass_is_told_from_what_does_not(error: Exception, passing: bool) -> None:
    assert is_passing(error) is passing


@pytest.mark.parametrize("code", MEANINGS)
def test_what_an_object_store_answers_is_named_with_its_meaning_and_no_word_of_disks(
    code: str,
) -> None:
    words = reason(answered("400 Bad Request", code))
    assert words == f"the object store answered 400 Bad Request, {code}: {MEANINGS[code]}"
    assert "disk" not in words
    with (
        pytest.raises(StoreError) as caught,
        telling("s3://bucket/s.zarr", "writing failed", "free space or repair the disk"),
    ):
        raise answered("400 Bad Request", code)
    assert str(caught.value) == f"s3://bucket/s.zarr: writing failed: {words}"


def test_a_folder_that_is_full_is_told_in_words_of_disks() -> None:
    location = Folder("s.zarr")
    with (
        pytest.raises(StoreError) as caught,
        telling(location, "writing failed", location.cure_of_writing),
    ):
        raise OSError(28, "No space left on device")
    assert (
        str(caught.value)
        == "s.zarr: writing failed: No space left on device; free space or repair the disk, then"
        " run the same command again"
    )
