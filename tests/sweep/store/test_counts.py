"""How far a sweep has come, from its commit records alone."""

import shutil
from pathlib import Path

import pytest
import zarr

from sweep.common.errors import StoreError
from sweep.store.store import Counts, Store


def test_counts_of_a_sweep_that_refines_nothing_expect_no_further_round(
    finished: Path,
    mixed: Path,
) -> None:
    assert Store.open(finished).counts() == Counts(6, 6, 0, 3, 3, refining=False)
    of_mixed = Store.open(mixed).counts()
    assert (of_mixed.runs, of_mixed.done, of_mixed.failed, of_mixed.pending) == (18, 10, 6, 2)
    assert of_mixed.blocks - of_mixed.blocks_committed == 1
    assert not of_mixed.refining


def test_a_store_whose_arrays_differ_in_length_is_refused_unless_that_is_asked_for(
    finished: Path,
    tmp_path: Path,
) -> None:
    store = Path(shutil.copytree(finished, tmp_path / "s.zarr"))
    array = zarr.open_group(store, mode="r+")["steps"]
    assert isinstance(array, zarr.Array)
    array.resize((8,))  # what an extension that was broken off leaves
    with pytest.raises(StoreError, match="steps has the length 8 over run, where 6 are expected"):
        Store.open(store)
    assert Store.open(store, same_length=False).arrays["steps"].shape == (8,)
