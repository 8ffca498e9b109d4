"""Notes next to a store about its driver: written by any process, and read whoever wrote them."""

import json
import os
from pathlib import Path

import pytest

from sweep.running.driver_notes import RUNNING, Beat, StopRequest, Submission
from sweep.store.locate import locate

STRANGE = os.fsdecode(b"caf\xe9.zarr")


def test_messages_that_name_strange_files_are_written_and_read(tmp_path: Path) -> None:
    location = locate(str(tmp_path / "s.zarr"))
    beat = Beat(id="a", state=RUNNING, said=[f"4 runs into {STRANGE}"], error=STRANGE)
    beat.write(location)
    assert Beat.read(location) == beat
    assert Beat.read(location).said == ["4 runs into caf\\udce9.zarr"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b"[" * 100_000,
        json.dumps({"id": "a", "done": "three"}).encode(),
        json.dumps({"id": "a", "rate": float("nan")}).encode(),
        json.dumps({"id": "a", "said": [1]}).encode(),
    ],
)
def test_a_note_that_no_driver_has_written_counts_as_none(tmp_path: Path, content: bytes) -> None:
    location = locate(str(tmp_path / "s.zarr"))
    location.note_write(Beat.file, content)
    assert not Beat.read(location)


def test_a_note_of_a_later_version_is_read(tmp_path: Path) -> None:
    location = locate(str(tmp_path / "s.zarr"))
    location.note_write(Submission.file, json.dumps({"id": "a", "colour": "red"}).encode())
    assert Submission.read(location).id == "a"


def test_a_request_names_who_asks(tmp_path: Path) -> None:
    location = locate(str(tmp_path / "s.zarr"))
    assert not StopRequest.read(location)
    StopRequest.to("a").write(location)
    assert StopRequest.read(location).id == "a"
    assert f"(process {os.getpid()})" in StopRequest.read(location).by
    StopRequest.delete(location)
    assert not StopRequest.read(location)
