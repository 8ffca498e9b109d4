"""Stores in an object store: S3 and its like, Google Cloud Storage, Azure, this process's memory.

Every request is repeated for as long as the place's patience lasts, and an answer may be lost
though the request was done. That harms no request that may be done twice. A conditional one fails
the second time, as what stands there is what the first has written: that is read and compared.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from marsdisk.url_secrets import hide_secrets
from marsdisk.zarr_folder import DESCRIPTION, note_name

from ..errors import StoreError
from .coroutines import run_coroutine
from .fence import CommittedAlreadyError, Guard
from .identity import unique_mark
from .object_client import client, client_store
from .patience import SHARE_OF_A_BLOCK, Patience, configured_patience
from .place import DESCRIPTION_BYTES, OBJECT_SCHEMES, Place
from .url_secrets import refuse_secrets

if TYPE_CHECKING:
    import zarr

T = TypeVar("T")
MAKING = "making"  # the note that a store is being made
MAX_REQUESTS = 32  # requests at once


class Tagged(NamedTuple):
    """A note with what is needed to replace exactly this version of it."""

    data: bytes
    tag: str
    written: datetime  #: by the clock of the object store


def object_place(scheme: str, rest: str) -> "Objects":
    """Return the place ``scheme://rest``.

    Raises
    ------
    StoreError
        It is no URL of a store; it is named without what may be a secret.
    """
    refuse_secrets(scheme, rest)
    shown = hide_secrets(scheme, rest)
    if scheme not in OBJECT_SCHEMES:
        kinds = ", ".join(f"{known}://" for known in OBJECT_SCHEMES)
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
    """Return what requests give that are made at once, but not too many of them."""
    limit = asyncio.Semaphore(MAX_REQUESTS)

    async def await_request(request: Awaitable[T]) -> T:
        async with limit:
            return await request

    return await asyncio.gather(*map(await_request, requests))


def _gather_outside(make_requests: Callable[[], Iterable[Awaitable[T]]]) -> list[T]:
    """Return the same to whoever cannot await it; the requests are made where they are awaited."""

    async def gather_all() -> list[T]:
        return await _gather(make_requests())

    return run_coroutine(gather_all())


@dataclass(frozen=True)
class Objects(Place):
    """A prefix in a bucket."""

    patience: float | None = field(default=None, compare=False)  #: s; None for what is configured

    @property
    def name(self) -> str:
        return self.text.rpartition("/")[2]

    @property
    def bucket(self) -> str:
        """URL of the bucket."""
        return "/".join(self.text.split("/")[:3])

    def within(self, seconds: float) -> "Objects":
        return replace(self, patience=seconds)

    def for_a_block(self) -> "Objects":
        return self.within(configured_patience() * SHARE_OF_A_BLOCK)

    def _patience(self) -> Patience:
        return Patience(self, self.bucket, self.patience)

    @property
    def is_shared(self) -> bool:
        return not self.text.startswith("memory://")

    @property
    def inside(self) -> Any:
        """The client's store of what lies in the Zarr group."""
        return client_store(self.text)

    @property
    def beside(self) -> Any:
        """The client's store of the notes."""
        parent = self.text.rpartition("/")[0]
        return client_store(parent + "/" if parent.endswith("/") else parent)

    def exists(self) -> bool:
        obstore = client()
        try:
            self._patience().call(lambda: obstore.head(self.inside, DESCRIPTION))
            return True
        except FileNotFoundError:
            return self.note_read(MAKING) is None and self._holds_something()

    def _holds_something(self) -> bool:
        obstore = client()

        def list_one() -> Any:
            return next(iter(obstore.list(self.inside, chunk_size=1)), [])

        return bool(self._patience().call(list_one))

    def zarr_store(self) -> Any:
        from .patient_zarr import PatientObjectStore

        return PatientObjectStore(self.inside, self._patience)

    @contextmanager
    def making(self) -> Iterator["zarr.Group"]:
        """Made in memory; then its objects are put in place, the one that makes it a store last."""
        import zarr
        import zarr.storage

        made: dict[str, Any] = {}
        yield zarr.open_group(zarr.storage.MemoryStore(made), mode="w", zarr_format=3)
        note = f"a store is being made here by {unique_mark()}\n".encode()
        if not self.note_create(MAKING, note):  # an earlier making was broken off
            self.delete([key for key, _ in self.listing()])
        contents = {key: value.to_bytes() for key, value in made.items()}
        root = contents.pop(DESCRIPTION)
        _gather_outside(lambda: [self._put(key, value) for key, value in contents.items()])
        if not self._put_if(self.inside, DESCRIPTION, root, "create"):
            problem = "somebody else has made a store here meanwhile"
            raise StoreError(f"{self}: {problem}; look at it: sweep status {self}")
        self.note_delete(MAKING)

    async def _put(self, key: str, content: bytes) -> None:
        obstore = client()
        await self._patience().acall(lambda: obstore.put_async(self.inside, key, content))

    def _put_if(self, store: Any, key: str, content: bytes, mode: Any) -> bool:
        """Write an object on a condition; return whether what stands there then is our own.

        Parameters
        ----------
        store : obstore store
            Of the client.
        key, content : str, bytes
            The object, with a content that nobody else writes: that is how our own is known, whose
            answer was lost.
        mode : str or dict
            The condition, in the client's words.
        """
        obstore = client()
        try:
            self._patience().call(lambda: obstore.put(store, key, content, mode=mode))
        except (obstore.exceptions.AlreadyExistsError, obstore.exceptions.PreconditionError):
            return self._content(store, key) == content
        return True

    def _content(self, store: Any, key: str) -> bytes | None:
        """Return an object whole, None where there is none."""
        obstore = client()
        try:
            return self._patience().call(lambda: bytes(obstore.get(store, key).bytes()))
        except FileNotFoundError:
            return None

    def listing(self, below: str = "") -> Iterator[tuple[str, int]]:
        obstore = client()
        files: list[tuple[str, int]] = []

        def list_the_rest() -> None:
            last = files[-1][0] if files else None
            listed = obstore.list(self.inside, prefix=below or None, offset=last, chunk_size=1000)
            for batch in listed:
                files.extend((entry["path"], entry["size"]) for entry in batch)

        self._patience().call(list_the_rest)
        return iter(files)

    def descriptions(self) -> dict[str, bytes]:
        obstore = client()
        listed: Any = self._patience().call(lambda: obstore.list_with_delimiter(self.inside))
        names = ["", *sorted(prefix.rstrip("/") for prefix in listed["common_prefixes"])]

        async def read_one(name: str) -> bytes:
            found = await obstore.get_async(self.inside, f"{name}/{DESCRIPTION}".lstrip("/"))
            if found.meta["size"] > DESCRIPTION_BYTES:
                return b""
            return bytes(await found.bytes_async())

        async def read_if_there(name: str) -> bytes | None:
            try:
                return await self._patience().acall(lambda: read_one(name))
            except FileNotFoundError:
                return None

        texts = _gather_outside(lambda: map(read_if_there, names))
        return {name: text for name, text in zip(names, texts, strict=True) if text is not None}

    async def description(self, array: str) -> bytes:
        return await self._read_async(f"{array}/{DESCRIPTION}".lstrip("/"))

    async def _read_async(self, key: str) -> bytes:
        obstore = client()

        async def read_it() -> bytes:
            return bytes(await (await obstore.get_async(self.inside, key)).bytes_async())

        return await self._patience().acall(read_it)

    def read(self, key: str, first: int | None = None) -> bytes:
        obstore = client()

        def read_it() -> bytes:
            if first is None:
                return bytes(obstore.get(self.inside, key).bytes())
            return bytes(obstore.get_range(self.inside, key, start=0, length=first))

        return self._patience().call(read_it)

    def delete(self, keys: Iterable[str]) -> None:
        obstore = client()
        listed = list(keys)
        try:
            self._patience().call(lambda: obstore.delete(self.inside, listed))
        except FileNotFoundError:  # one of them is gone, which only some stores mind
            for key in listed:
                self._delete_one(self.inside, key)

    def _delete_one(self, store: Any, key: str) -> None:
        obstore = client()
        with suppress(FileNotFoundError):
            self._patience().call(lambda: obstore.delete(store, key))

    async def commit(self, chunks: Mapping[str, bytes], record: str, guard: Guard) -> None:
        """Write each chunk where nobody else has, then the record over the version checked."""
        records = [key for key in chunks if key.startswith(record)]
        others = [key for key in chunks if key not in records]
        tags = await self._tags(records)
        await guard.refuse_late()

        async def refuse_change() -> None:
            await guard.refuse_other_store()
            if await self._tags(records) != tags:
                raise CommittedAlreadyError("another attempt has committed it")

        await _gather(self._put_chunk(key, chunks[key], refuse_change) for key in others)
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
        """Write an object that is new, or over what a broken-off attempt has left of it."""
        tag = None
        while not await self._put_over(key, chunk, tag):
            tag = await self._tag(key)
            await refuse_change()

    async def _put_over(self, key: str, chunk: bytes, tag: str | None) -> bool:
        """Write an object over one version of it; return whether it is what stands there now.

        Parameters
        ----------
        key, chunk : str, bytes
            The object.
        tag : str or None
            Of the version that it is to replace, None where there is to be none.
        """
        obstore = client()
        mode: Any = "create" if tag is None else {"e_tag": tag}
        try:
            await self._patience().acall(
                lambda: obstore.put_async(self.inside, key, chunk, mode=mode),
            )
        except (obstore.exceptions.AlreadyExistsError, obstore.exceptions.PreconditionError):
            return await self._holds(key, chunk)  # our own, whose answer was lost
        except FileNotFoundError:  # the version that was to be replaced is gone
            return False
        return True

    async def _holds(self, key: str, chunk: bytes) -> bool:
        """Whether an object is there and has this content."""
        try:
            return await self._read_async(key) == chunk
        except FileNotFoundError:
            return False

    async def _tags(self, keys: Iterable[str]) -> dict[str, str | None]:
        """Look up which version of each object is there, None where there is none."""
        return {key: await self._tag(key) for key in keys}

    async def _tag(self, key: str) -> str | None:
        """Tag of the version of an object that is there, None where there is none."""
        obstore = client()
        try:
            found: Any = await self._patience().acall(lambda: obstore.head_async(self.inside, key))
        except FileNotFoundError:
            return None
        return str(found["e_tag"])

    def leftovers(self) -> list[str]:
        obstore = client()
        listed: Any = self._patience().call(lambda: obstore.list_with_delimiter(self.beside))
        names = [entry["path"] for entry in listed["objects"]]
        return sorted(name for name in names if name.startswith(note_name(self.name, "")))

    def delete_leftover(self, name: str) -> None:
        self._delete_one(self.beside, name)

    def free_bytes(self) -> None:
        return None

    def _note(self, note: str) -> str:
        return note_name(self.name, note)

    def note_tagged(self, note: str) -> Tagged | None:
        """Return a note with the tag of this version of it, None where there is none."""
        obstore = client()

        def read_it() -> Tagged:
            found = obstore.get(self.beside, self._note(note))
            written = found.meta["last_modified"]
            return Tagged(bytes(found.bytes()), str(found.meta["e_tag"]), written)

        try:
            return self._patience().call(read_it)
        except FileNotFoundError:
            return None

    def note_replace(self, note: str, data: bytes, tag: str) -> bool:
        """Write a note over one version of it; False where that has changed, other than by us.

        Parameters
        ----------
        note : str
            Its name.
        data : bytes
            What nobody else would write.
        tag : str
            Of the version that it is to replace.
        """
        try:
            return self._put_if(self.beside, self._note(note), data, {"e_tag": tag})
        except FileNotFoundError:
            return False

    def note_read(self, note: str) -> bytes | None:
        return self._content(self.beside, self._note(note))

    def note_write(self, note: str, data: bytes) -> None:
        obstore = client()
        self._patience().call(lambda: obstore.put(self.beside, self._note(note), data))

    def note_create(self, note: str, data: bytes) -> bool:
        return self._put_if(self.beside, self._note(note), data, "create")

    def note_delete(self, note: str) -> None:
        self._delete_one(self.beside, self._note(note))
