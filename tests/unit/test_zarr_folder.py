"""Which store a path lies in, or next to."""

import json
from pathlib import Path

import pytest

from marsdisk.io.zarr_folder import DESCRIPTION, is_store, note_name, store_around, store_of_note


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Make what a store of a sweep is recognised by."""
    folder = tmp_path / "a.b.zarr"
    folder.mkdir()
    content = {"attributes": {"plan_digest": "0"}}
    (folder / DESCRIPTION).write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_a_note_lies_next_to_its_store(store: Path) -> None:
    for note in ("lock", "driver.json"):
        assert store_of_note(store.with_name(note_name(store.name, note))) == store
    for name in ("a.b.zarr", "a.b.zarr.lock", ".other.zarr.lock", ".lock", ".a.b.zarr"):
        assert store_of_note(store.with_name(name)) is None


def test_a_path_lies_in_the_outermost_store(store: Path) -> None:
    assert store_around(store / "M_loss" / "c" / "0") == store
    assert store_around(store) is None


@pytest.mark.parametrize(
    ("content", "expected"),
    [("{", True), ("[]", False), ("{}", False), ('{"attributes": {}}', False)],
)
def test_a_damaged_store_is_one_and_another_folder_is_none(
    store: Path, content: str, expected: bool
) -> None:
    (store / DESCRIPTION).write_text(content, encoding="utf-8")
    assert is_store(store) == expected
