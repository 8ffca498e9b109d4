"""Workers that nobody waits for any more resume: contents of an object store keep their bits."""

from pathlib import Path

import pytest
from faults import Fault
from late_writers import Late, assert_late_blocks_change_nothing, forms


@pytest.fixture
def late_store(tmp_path: Path, s3: object) -> str:
    """Return a location in the bucket."""
    return f"s3://bucket/{tmp_path.name}/late.zarr"


@pytest.mark.parametrize("meanwhile", forms(["is made anew for a corrected sweep"]))
@pytest.mark.faults(
    "frozen workers; their driver is ended; the store in an object store {meanwhile}; they go on"
)
def test_late_blocks_change_nothing_in_an_object_store(
    late: Late, meanwhile: str, fault: Fault
) -> None:
    assert_late_blocks_change_nothing(late, meanwhile, fault)
