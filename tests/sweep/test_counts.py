"""How far a sweep has come, from its commit records alone."""

from pathlib import Path

from sweep.store.reader import Counts, counts


def test_counts_of_a_sweep_that_refines_nothing_expect_no_further_round(
    finished: Path,
    mixed: Path,
) -> None:
    assert counts(finished) == Counts(6, 6, 0, 3, 3, refining=False)
    of_mixed = counts(mixed)
    assert (of_mixed.runs, of_mixed.done, of_mixed.failed, of_mixed.pending) == (18, 10, 6, 2)
    assert of_mixed.blocks - of_mixed.blocks_committed == 1
    assert not of_mixed.refining
