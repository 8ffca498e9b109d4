"""An object store that does what it is asked and does not say so: what is ours is known as ours."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dask
import pytest
from unreliable_server import (
    SLOW_DOWN,
    UnreliableServer,
    cut_some,
    do_no_harm,
    refuse_some,
    settings_of,
)
from waiting import wait_for

from sweep.common.errors import StorageOutageError, StoreError
from sweep.store import lease, object_client
from sweep.store.driving import driver_of, driving
from sweep.store.failures import ANSWERED
from sweep.store.locate import locate
from sweep.store.location import Location
from sweep.store.object_client import client_store
from sweep.store.object_store import Objects


@pytest.fixture
def proxy(port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[UnreliableServer]:
    """Yield the proxy in front of the object store, through which this process speaks."""
    with UnreliableServer(port) as server:
        for name, value in settings_of(server.address).items():
            monkeypatch.setenv(name, value)
        client_store.cache_clear()
        yield server
        client_store.cache_clear()


@pytest.fixture
def location(request: pytest.FixtureRequest, proxy: UnreliableServer) -> Objects:
    """Return a location for a store."""
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower())
    location = locate(f"s3://bucket/{name}.zarr")
    assert isinstance(location, Objects)
    return location


def state_of_lease(location: Location) -> str:
    return str(json.loads(location.note_read("lock") or b"")["state"])


def test_a_driver_whose_renewals_are_done_without_an_answer_keeps_its_lease(
    proxy: UnreliableServer,
    location: Objects,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.01)
    proxy.chance = cut_some(0.5, below=".lock")
    losses: list[str] = []
    with driving(location) as own_lease:
        own_lease.on_loss = lambda: losses.append(own_lease.lost)
        wait_for(lambda: losses or proxy.harmed >= 30)
        assert losses == []
        proxy.chance = do_no_harm
    assert losses == []
    assert state_of_lease(location) == "released"


def test_a_lease_that_could_not_be_given_up_is_free_on_this_machine_at_once(
    proxy: UnreliableServer,
    location: Objects,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lease.tempfile, "gettempdir", lambda: str(tmp_path))
    with driving(location) as own_lease:
        assert driver_of(location) is not None
        with pytest.raises(StoreError, match="is driving this sweep"), driving(location):
            pass
        monkeypatch.setattr(own_lease, "_quick_location", location.within(0.0))
        proxy.chance = refuse_some(1.0, SLOW_DOWN)
    proxy.chance = do_no_harm
    assert state_of_lease(location) == "held"
    assert driver_of(location) is None
    with driving(location):
        pass
    assert state_of_lease(location) == "released"
    assert list(tmp_path.iterdir()) == []


def test_a_note_that_was_created_without_an_answer_is_known_as_our_own(
    proxy: UnreliableServer,
    location: Objects,
) -> None:
    proxy.chance = cut_some(0.5)
    for number in range(8):
        assert location.note_create(f"note-{number}", b"ours")
        assert not location.note_create(f"note-{number}", b"another's")
        assert location.note_read(f"note-{number}") == b"ours"
    assert proxy.harmed > 8


def test_a_note_that_was_replaced_without_an_answer_is_known_as_our_own(
    proxy: UnreliableServer,
    location: Objects,
) -> None:
    location.note_create("note", b"0")
    proxy.chance = cut_some(0.5)
    for number in range(1, 8):
        note = location.note_tagged("note")
        assert note is not None
        assert location.note_replace("note", str(number).encode(), note.tag)
        assert not location.note_replace("note", b"late", note.tag)
    assert location.note_read("note") == b"7"


def test_a_listing_that_breaks_off_goes_on_where_it_was(
    proxy: UnreliableServer,
    location: Objects,
) -> None:
    proxy.chance = cut_some(0.3)
    names = {f"{i:04d}/c/0" for i in range(40)}
    for name in names:
        # the public ways to write are for chunks and notes of a whole store
        assert location._put_if(location.inside, name, b"x", "overwrite")  # noqa: SLF001
    assert sorted(key for key, _ in location.listing()) == sorted(names)
    location.delete(names)
    assert list(location.listing()) == []


def patience_of(location: Objects) -> float:
    """Return how long a place waits [s], without waiting for that long."""
    return location._patience().seconds  # noqa: SLF001 - has no other trace than the wait


def test_who_waits_for_an_object_store_waits_as_long_as_is_configured(
    proxy: UnreliableServer,
    location: Objects,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    no_retries = {**object_client.RETRIES, "max_retries": 0}
    monkeypatch.setattr(object_client, "RETRIES", no_retries)
    location.note_write("note", b"there")
    assert patience_of(location) == 300.0
    assert patience_of(replace(location, patience=20.0)) == 20.0
    assert patience_of(replace(location, patience=900.0)) == 300.0
    proxy.chance = refuse_some(1.0, SLOW_DOWN)
    at_once = dask.config.set({"sweep.storage-patience": "0 s"})
    with at_once, pytest.raises(StorageOutageError) as caught:
        location.note_read("note")
    assert (
        str(caught.value)
        == f"{location}: the object store answered 503 Service Unavailable, SlowDown: "
        "it asks for fewer requests; run the same command again when it answers"
    )
    with dask.config.set({"sweep.storage-patience": "20 minutes"}):
        assert patience_of(location) == 1200.0
        assert patience_of(location.for_a_block()) == 80.0


def test_a_bucket_that_has_never_answered_is_not_waited_for_as_long(
    location: Objects,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sweep.store.patience.ANSWERED", ANSWERED - {location.bucket})
    assert patience_of(location) == 10.0
