"""Stores in an object store: S3 and compatible ones, Google Cloud Storage, Azure, and memory.

Every request is repeated for as long as the location's patience lasts, and may have been done
though its answer was lost. A request that may be done twice is not harmed by that. A conditional
request fails the second time, because of what it has written the first time: then the object is
read and compared.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from marsdisk.common.url_secrets import hide_secrets
from marsdisk.io.zarr_folder import DESCRIPTION, note_name

from ..common.command import Command
from ..common.errors import StoreError
from .coroutines import run_coroutine
from .fence import CommittedAlreadyError, Guard
from .identity import unique_mark
from .location import DESCRIPTION_BYTES, OBJECT_SCHEMES, Location
from .object_client import client, client_store
from .patience import SHARE_OF_A_BLOCK, Patience, configured_patience
from .url_secrets import refuse_secrets

T = TypeVar("T")
MAKING = "making"  # the note that a store is being created
MAX_REQUESTS = 32  # at once
LISTING_BATCH = 1000  # objects


class Tagged(NamedTuple):
    """One version of a note, with the tag that it takes to replace exactly this version."""

    data: bytes
    tag: str
    written: datetime  #: by the clock of the object store


def object_location(scheme: str, rest: str) -> "Objects":
    """Return the location ``scheme://rest``.

    Raises
    ------
    StoreError
        It is not the URL of a store; the message leaves out what may be a secret.
    """
    refuse_secrets(scheme, rest)
    shown = hide_secrets(scheme, rest)
    if scheme not in OBJECT_SCHEMES:
        kinds = ", ".join(f"{name}://" for name in OBJECT_SCHEMES)
        unknown = shown.partition("://")[0]
        raise StoreError(f"{shown}: there is no {unknown}:// store; give a path or one of {kinds}")
    authority, _, key = rest.partition("/")
    if scheme == "memory" and not authority:
        authority, _, key = key.partition("/")
    if not authority or (not key and scheme != "memory"):
        cure = f"give a bucket and a name in it, such as {scheme}://BUCKET/NAME.zarr"
        raise StoreError(f"{shown}: is not a name for a store; {cure}")
    parts = [authority, *key.rstrip("/").split("/")] if key else [authority]
    if any(part in {"", ".", ".."} for part in parts):
        cure = "give the plain path of the store"
        raise StoreError(f"{shown}: has an empty part, . or .. in it; {cure}")
    return Objects(f"{scheme}://{'/'.join(parts)}")


async def _gather(requests: Iterable[Awaitable[T]]) -> list[T]:
    """Return the results of requests, of which a limited number is made at once."""
    limit = asyncio.Semaphore(MAX_REQUESTS)

    async def await_request(request: Awaitable[T]) -> T:
        async with limit:
            return await request

    return await asyncio.gather(*map(await_request, requests))


def _gather_outside(make_requests: Callable[[], Iterable[Awaitable[T]]]) -> list[T]:
    """Return the results of requests to callers that are no coroutines."""

    async def gather_all() -> list[T]:
        # requests belong to the event loop in which they are made
        return await _gather(make_requests())

    return run_coroutine(gather_all())


@dataclass(frozen=True)
class Objects(Location):
    """A prefix in a bucket."""

    #: s, for which requests are repeated; None for the time that is configured
    patience: float | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """The name of the store, the last part of its prefix."""
        return self.text.rpartition("/")[2]

    @property
    def bucket(self) -> str:
        """The URL of the bucket."""
        return "/".join(self.text.split("/")[:3])

    def within(self, seconds: float) -> "Objects":
        """Return the same location, with requests repeated for less time."""
        return replace(self, patience=seconds)

    def for_a_block(self) -> "Objects":
        """Return the same location, with the patience of a worker that writes a block."""
        return self.within(configured_patience() * SHARE_OF_A_BLOCK)

    def _patience(self) -> Patience:
        return Patience(self, self.bucket, self.patience)

    @property
    def is_shared(self) -> bool:
        """Whether other processes see what this one writes; not if it is in memory."""
        return not self.text.startswith("memory://")

    @property
    def inside(self) -> Any:
        """The client's store of the objects in the Zarr group."""
        return client_store(self.text)

    @property
    def notes_store(self) -> Any:
        """The client's store of the notes."""
        parent = self.text.rpartition("/")[0]
        return client_store(parent + "/" if parent.endswith("/") else parent)

    def exists(self) -> bool:
        """Return whether any object is there, unless a store is half created."""
        obstore = client()
        try:
            self._patience().call(lambda: obstore.head(self.inside, DESCRIPTION))
            return True
        except FileNotFoundError:
            return self.note_read(MAKING) is None and self._has_objects()

    def _has_objects(self) -> bool:
        obstore = client()

        def list_first() -> Any:
            return next(iter(obstore.list(self.inside, chunk_size=1)), [])

        return bool(self._patience().call(list_first))

    def zarr_store(self) -> Any:
        """Return the store that Zarr opens, whose requests are repeated, too."""
        from .patient_zarr import PatientObjectStore

        return PatientObjectStore(self.inside, self._patience)

    def create(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Write the objects, last of all the description of the group, which makes them a store.

        Raises
        ------
        StoreError
            Somebody else has created a store here meanwhile.
        """
        contents = dict(files)
        root = contents.pop(DESCRIPTION)
        note = f"a store is being made here by {unique_mark()}\n".encode()
        if not self.note_create(MAKING, note):
            # another process that was creating a store here was interrupted
            self.delete([key for key, _ in self.listing()])
        _gather_outside(lambda: [self._put(key, value) for key, value in contents.items()])
        if not self._put_if(self.inside, DESCRIPTION, root, "create"):
            problem = "somebody else has created a store here meanwhile"
            raise StoreError(f"{self}: {problem}; see {Command.sweep('status', self)}")
        self.note_delete(MAKING)

    async def _put(self, key: str, content: bytes) -> None:
        obstore = client()
        await self._patience().acall(lambda: obstore.put_async(self.inside, key, content))

    def _put_if(self, store: Any, key: str, content: bytes, mode: Any) -> bool:
        """Write an object on a condition; return whether the object is then our own.

        Parameters
        ----------
        store : obstore store
            The client's store.
        key, content : str, bytes
            The object, with a content that nobody else writes: it identifies our own object, of
            which the answer was lost.
        mode : str or dict
            The condition, as the client expresses it.
        """
        obstore = client()
        try:
            self._patience().call(lambda: obstore.put(store, key, content, mode=mode))
        except (obstore.exceptions.AlreadyExistsError, obstore.exceptions.PreconditionError):
            return self._content(store, key) == content
        return True

    def _content(self, store: Any, key: str) -> bytes | None:
        """Read an object; None where there is none."""
        obstore = client()
        try:
            return self._patience().call(lambda: bytes(obstore.get(store, key).bytes()))
        except FileNotFoundError:
            return None

    def listing(self, below: str = "") -> Iterator[tuple[str, int]]:
        """List the objects below a prefix, with their bytes."""
        obstore = client()
        objects: list[tuple[str, int]] = []

        def list_rest() -> None:
            last = objects[-1][0] if objects else None
            batches = obstore.list(
                self.inside, prefix=below or None, offset=last, chunk_size=LISTING_BATCH
            )
            for batch in batches:
                objects.extend((entry["path"], entry["size"]) for entry in batch)

        self._patience().call(list_rest)
        return iter(objects)

    def descriptions(self) -> dict[str, bytes]:
        """Read the ``zarr.json`` of every array by its name, and of the group by ``""``."""
        obstore = client()
        listed: Any = self._patience().call(lambda: obstore.list_with_delimiter(self.inside))
        names = ["", *sorted(prefix.rstrip("/") for prefix in listed["common_prefixes"])]

        async def read_description(name: str) -> bytes:
            answer = await obstore.get_async(self.inside, f"{name}/{DESCRIPTION}".lstrip("/"))
            if answer.meta["size"] > DESCRIPTION_BYTES:
                return b""
            return bytes(await answer.bytes_async())

        async def read_if_present(name: str) -> bytes | None:
            try:
                return await self._patience().acall(lambda: read_description(name))
            except FileNotFoundError:
                return None

        texts = _gather_outside(lambda: map(read_if_present, names))
        return {name: text for name, text in zip(names, texts, strict=True) if text is not None}

    async def description(self, array: str) -> bytes:
        """Read the ``zarr.json`` of one array, or of the group for ``""``."""
        return await self._read_async(f"{array}/{DESCRIPTION}".lstrip("/"))

    async def _read_async(self, key: str) -> bytes:
        obstore = client()

        async def read_object() -> bytes:
            answer = await obstore.get_async(self.inside, key)
            return bytes(await answer.bytes_async())

        return await self._patience().acall(read_object)

    def read(self, key: str, first: int | None = None) -> bytes:
        """Read an object, or its first bytes."""
        obstore = client()

        def read_object() -> bytes:
            if first is None:
                return bytes(obstore.get(self.inside, key).bytes())
            return bytes(obstore.get_range(self.inside, key, start=0, length=first))

        return self._patience().call(read_object)

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects, whether they exist or not."""
        obstore = client()
        listed = list(keys)
        try:
            self._patience().call(lambda: obstore.delete(self.inside, listed))
        except FileNotFoundError:
            # one of them does not exist, which only some object stores report
            for key in listed:
                self._delete_object(self.inside, key)

    def _delete_object(self, store: Any, key: str) -> None:
        obstore = client()
        with suppress(FileNotFoundError):
            self._patience().call(lambda: obstore.delete(store, key))

    async def commit(self, chunks: Mapping[str, bytes], record: str, guard: Guard) -> None:
        """Write the chunks, then the record over the version of it that the guard has seen."""
        records = [key for key in chunks if key.startswith(record)]
        results = [key for key in chunks if key not in records]
        tags = await self._tags(records)
        await guard.refuse_late()

        async def refuse_change() -> None:
            await guard.refuse_other_store()
            if await self._tags(records) != tags:
                raise CommittedAlreadyError("another attempt has committed it")

        await _gather(self._put_chunk(key, chunks[key], refuse_change) for key in results)
        await guard.refuse_other_store()
        for key in records:
            if not await self._put_over(key, chunks[key], tags[key]):
                await guard.refuse_other_store()
                raise CommittedAlreadyError("another attempt has committed it")

    async def _put_chunk(
        self,
        key: str,
        chunk: bytes,
        refuse_change: Callable[[], Awaitable[None]],
    ) -> None:
        """Write an object, also over one that an interrupted attempt has left."""
        tag = None
        while not await self._put_over(key, chunk, tag):
            tag = await self._tag(key)
            await refuse_change()

    async def _put_over(self, key: str, chunk: bytes, tag: str | None) -> bool:
        """Write an object over one version of it; return whether it is there now.

        Parameters
        ----------
        key, chunk : str, bytes
            The object.
        tag : str or None
            Tag of the version to replace; None where there must be none.
        """
        obstore = client()
        mode: Any = "create" if tag is None else {"e_tag": tag}
        try:
            await self._patience().acall(
                lambda: obstore.put_async(self.inside, key, chunk, mode=mode),
            )
        except (obstore.exceptions.AlreadyExistsError, obstore.exceptions.PreconditionError):
            # it may be our own, whose answer was lost
            return await self._has_content(key, chunk)
        except FileNotFoundError:  # the version to replace is gone
            return False
        return True

    async def _has_content(self, key: str, chunk: bytes) -> bool:
        """Return whether an object exists and has this content."""
        try:
            return await self._read_async(key) == chunk
        except FileNotFoundError:
            return False

    async def _tags(self, keys: Iterable[str]) -> dict[str, str | None]:
        """Return the tag of each object; None for one that does not exist."""
        return {key: await self._tag(key) for key in keys}

    async def _tag(self, key: str) -> str | None:
        """Return the tag of the present version of an object; None where there is none."""
        obstore = client()
        try:
            head: Any = await self._patience().acall(lambda: obstore.head_async(self.inside, key))
        except FileNotFoundError:
            return None
        return str(head["e_tag"])

    def leftovers(self) -> list[str]:
        """Return the names of all notes next to the store."""
        obstore = client()
        listed: Any = self._patience().call(lambda: obstore.list_with_delimiter(self.notes_store))
        names = [entry["path"] for entry in listed["objects"]]
        return sorted(name for name in names if name.startswith(note_name(self.name, "")))

    def delete_leftover(self, name: str) -> None:
        """Remove one of these notes."""
        self._delete_object(self.notes_store, name)

    def free_bytes(self) -> None:
        """Return None: object stores do not report their free space."""
        return None

    def _note(self, note: str) -> str:
        return note_name(self.name, note)

    def note_tagged(self, note: str) -> Tagged | None:
        """Read a note with the tag of its present version; None where there is none."""
        obstore = client()

        def read_note() -> Tagged:
            answer = obstore.get(self.notes_store, self._note(note))
            written = answer.meta["last_modified"]
            return Tagged(bytes(answer.bytes()), str(answer.meta["e_tag"]), written)

        try:
            return self._patience().call(read_note)
        except FileNotFoundError:
            return None

    def note_replace(self, note: str, data: bytes, tag: str) -> bool:
        """Write a note over one version of it.

        Parameters
        ----------
        note : str
            Its name.
        data : bytes
            A content that nobody else would write.
        tag : str
            Tag of the version to replace.

        Returns
        -------
        bool
            False where somebody else has replaced or removed that version.
        """
        try:
            return self._put_if(self.notes_store, self._note(note), data, {"e_tag": tag})
        except FileNotFoundError:
            return False

    def note_read(self, note: str) -> bytes | None:
        """Read a note next to the store; None where there is none."""
        return self._content(self.notes_store, self._note(note))

    def note_write(self, note: str, data: bytes) -> None:
        """Write a note, replacing an older one."""
        obstore = client()
        self._patience().call(lambda: obstore.put(self.notes_store, self._note(note), data))

    def note_create(self, note: str, data: bytes) -> bool:
        """Write a note if there is none, and return whether this call has written it."""
        return self._put_if(self.notes_store, self._note(note), data, "create")

    def note_delete(self, note: str) -> None:
        """Remove a note, if there is one."""
        self._delete_object(self.notes_store, self._note(note))
