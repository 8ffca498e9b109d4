"""Workers that nobody waits for any more resume: the contents of a folder keep their bits."""

import signal
import time
from pathlib import Path

import pytest
from faults import Fault
from late_writers import (
    TIME_LIMIT,
    Late,
    assert_late_blocks_change_nothing,
    assert_untouched,
    columns,
    delete,
    forms,
)
from small_sweeps import run_here

from sweep.store.store import Store


@pytest.fixture
def late_store(tmp_path: Path) -> str:
    """Return the path of a folder."""
    return str(tmp_path / "late.zarr")


@pytest.mark.parametrize(
    "meanwhile",
    forms(["is deleted", "is made anew for a corrected sweep", "is finished by the same command"]),
)
@pytest.mark.faults(
    "frozen workers; their driver is ended; the store in a folder {meanwhile}; they go on"
)
def test_late_blocks_change_nothing_in_a_folder(late: Late, meanwhile: str, fault: Fault) -> None:
    assert_late_blocks_change_nothing(late, meanwhile, fault)


@pytest.mark.faults("a worker is frozen past its time limit; others do its run; it goes on")
def test_a_run_past_its_time_limit_that_others_have_done_is_not_failed(
    late: Late,
    fault: Fault,
) -> None:
    for _ in range(late.rounds):
        fault.ended(*late.freeze(late.sweeps.limited, signal.SIGKILL), expected=-signal.SIGKILL)
        frozen = time.monotonic()
        run_here(late.sweeps.limited, late.store)
        before = columns(late.store)
        time.sleep(max(0.0, frozen + TIME_LIMIT - time.monotonic()))  # no event: time itself
        late.wake()
        assert_untouched(late.store, before)
        assert Store.open(late.store).counts().failed == 0
        delete(late.store)
    fault.outcome.again = "no bit of what was committed is changed"
