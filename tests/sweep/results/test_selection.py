"""What a condition chooses, and what sums over rings are over and called."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from small_sweeps import run_here, sweep_file

import sweep
from sweep.common.errors import PartOfDiskWarning
from sweep.results.columns import Columns
from sweep.results.selection import Selection, drawn_at_random, rings_in_words
from sweep.store.store import Store


def selected(store: Path, condition: str | None) -> Selection:
    return Selection.of(Columns(Store.open(store)), condition)


@pytest.mark.parametrize(
    ("condition", "chosen", "summed", "words"),
    [
        (None, 6, 6, "the whole disk"),
        ("T0 > 3500", 3, 3, "the whole disk"),
        ("ring < 2", 4, 4, "2 of 3 rings"),
        ("r_in_RM < 1.2", 2, 2, "1 of 3 rings"),
        ("run == 1", 1, 3, "the whole disk"),
        ("run == 1 and ring >= 0", 1, 1, "1 of 3 rings"),
    ],
)
def test_a_condition_chooses_disks_unless_it_names_rings(
    finished: Path, condition: str | None, chosen: int, summed: int, words: str
) -> None:
    selection = selected(finished, condition)
    assert selection.runs.size == chosen
    assert selection.whole_disks.runs.size == summed
    assert selection.whole_disks.rings_in_words == words


def test_a_condition_on_a_result_of_one_ring_takes_its_whole_disk(finished: Path) -> None:
    largest = float(Store.open(finished).column("M_loss").max())
    T0 = Store.open(finished).column("T0")
    selection = selected(finished, f"M_loss >= {largest!r}")
    assert selection.runs.size == 1
    disk = np.flatnonzero(T0[selection.runs[0]] == T0)
    assert selection.whole_disks.runs.tolist() == disk.tolist()


def test_a_store_without_rings_has_no_disks(tmp_path: Path) -> None:
    run_here(sweep_file(tmp_path, axes={"temperature.T0": [3000.0, 4000.0]}), tmp_path / "s.zarr")
    selection = selected(tmp_path / "s.zarr", "T0 > 3500")
    assert selection.whole_disks.runs.tolist() == selection.runs.tolist()
    assert selection.ring_count == 0


def test_the_total_of_part_of_a_disk_is_no_number_unless_it_is_asked_for(finished: Path) -> None:
    dataset = sweep.open_store(finished)
    inner = dataset.isel(run=np.flatnonzero(dataset.ring.values < 2))
    with pytest.warns(PartOfDiskWarning, match="the dataset has only 2 of 3 rings of each disk"):
        total = inner.sweep.disk_total()
    assert np.isnan(total.M_loss.values).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        part = inner.sweep.disk_total(parts=True)
        whole = dataset.sweep.disk_total()
    assert part.M_loss.long_name.endswith(", of 2 of 3 rings")
    assert "rings" not in whole.M_loss.long_name
    grid = dataset.sweep.grid().M_loss
    assert part.M_loss.values.tolist() == (grid.sel(ring=0) + grid.sel(ring=1)).values.tolist()
    assert (part.M_loss.values < whole.M_loss.values).all()


def test_rings_in_words() -> None:
    assert rings_in_words(3, 3) == "the whole disk"
    assert rings_in_words(1, 3) == "1 of 3 rings"


def test_what_is_drawn_of_many_runs_holds_every_variant_of_a_product() -> None:
    """Of 20 x 50 x 2 runs, those at equal distances would be of one variant alone."""
    runs = np.arange(2000)
    drawn = drawn_at_random(runs, 1000)
    assert drawn.size == np.unique(drawn).size == 1000
    assert (np.diff(drawn) > 0).all()
    assert 400 < (drawn % 2).sum() < 600
    assert drawn.tolist() == drawn_at_random(runs, 1000).tolist()
    assert drawn_at_random(runs, 2000).tolist() == runs.tolist()


def test_an_included_run_is_no_ring_of_a_disk(tmp_path: Path) -> None:
    axes = {"temperature.T0": [3000.0, 4000.0], "ring": {"rings": [1.0, 2.7, 3]}}
    run_here(
        sweep_file(tmp_path, axes=axes, include=[{"temperature.T0": 4000.0, "dynamics.e0": 0.1}]),
        tmp_path / "s.zarr",
    )
    for condition in (None, "T0 > 0", "ring >= 0"):
        disks = selected(tmp_path / "s.zarr", condition).whole_disks
        assert disks.runs.size == 6
        assert disks.rings_in_words == "the whole disk"


def test_the_sum_of_a_few_arrays_needs_no_others(finished: Path) -> None:
    dataset = sweep.open_store(finished)
    few = dataset[["M_loss", "status"]].sweep.disk_total()
    assert few.M_loss.values.tolist() == dataset.sweep.disk_total().M_loss.values.tolist()
