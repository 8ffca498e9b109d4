"""Stores in an object store: S3 and what speaks like it, Google Cloud Storage, Azure, or the memory of this process."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ..errors import StoreError
from .fence import CommittedAlreadyError, Guard
from .place import DESCRIPTION, DESCRIPTION_BYTES, OBJECT_SCHEMES, Place, outcome, reason

if TYPE_CHECKING:
    import zarr
    import zarr.storage

T = TypeVar("T")
MAKING = "making"  # the note that a store is being made
CONCURRENT = 32  # requests at once
RETRIES: Mapping[str, Any] = {
    "max_retries": 6,
    "retry_timeout": timedelta(seconds=60),
    "backoff": {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=5), "base": 2.0},
}


class Tagged(NamedTuple):
    """A note with what is needed to replace exactly this version of it."""

    data: bytes
    tag: str
    written: datetime  #: by the clock of the object store


def object_place(scheme: str, rest: str) -> "Objects":
    """The place ``scheme://rest``; what is refused is named without what may be a password."""
    authority, _, key = rest.partition("/")
    shown = f"{scheme}://{'***@' if '@' in authority else ''}{authority.rpartition('@')[2]}/{key.partition('?')[0]}"
    user, at, _ = authority.rpartition("@")
    if at and (":" in user or scheme not in {"abfs", "abfss"}):  # Azure's URLs name a container before the @
        raise StoreError(f"{shown}: a URL with credentials would be printed and logged; put them into the environment and leave them out")
    if "?" in key or "#" in key:
        raise StoreError(f"{shown}: takes no ? or #; settings come from the environment")
    if scheme not in OBJECT_SCHEMES:
        raise StoreError(f"{shown}: there is no {scheme}:// store; give a path or one of {', '.join(f'{s}://' for s in OBJECT_SCHEMES)}")
    if scheme == "memory" and not authority:
        authority, _, key = key.partition("/")
    if not authority or (not key and scheme != "memory"):
        raise StoreError(f"{shown}: is no name for a store; give a bucket and a name in it, such as {scheme}://BUCKET/NAME.zarr")
    parts = [authority, *key.rstrip("/").split("/")] if key else [authority]
    if any(part in {"", ".", ".."} for part in parts):
        raise StoreError(f"{shown}: has an empty part, . or .. in it; give the plain path of the store")
    return Objects(f"{scheme}://{'/'.join(parts)}")


_urls: dict[int, str] = {}  # by the identity of the client's stores, which stay for good


def url_of(store: Any) -> str:
    """What the store that Zarr has opened was opened as."""
    return _urls[id(store.store)]


@functools.cache
def _opened(url: str) -> Any:
    """The client's store below ``url``, set up from the environment; in memory it lives as long as this process."""
    opened = _open(url)
    _urls[id(opened)] = url
    return opened


def _client() -> Any:
    try:
        import obstore.exceptions
        import obstore.store
    except ImportError as error:
        raise StoreError("stores beyond a folder need the package obstore; pip install 'marsdisk[remote]'") from error
    return obstore


def _open(url: str) -> Any:
    obstore = _client()
    if url.startswith("memory://"):
        return obstore.store.MemoryStore()
    try:
        return obstore.store.from_url(url, retry_config=RETRIES)
    except Exception as error:  # a setting that is missing or unreadable
        raise StoreError(f"{url}: {reason(error)}") from error


async def _gathered(waiting: Iterable[Awaitable[T]]) -> list[T]:
    limit = asyncio.Semaphore(CONCURRENT)

    async def one(task: Awaitable[T]) -> T:
        async with limit:
            return await task

    return await asyncio.gather(*map(one, waiting))


def _together(waiting: Callable[[], Iterable[Awaitable[T]]]) -> list[T]:
    """Many requests at once."""

    async def all_of_them() -> list[T]:
        return await _gathered(waiting())

    return outcome(all_of_them())


@dataclass(frozen=True)
class Objects(Place):
    """A prefix in a bucket."""

    @property
    def name(self) -> str:
        return self.text.rpartition("/")[2]

    @property
    def is_shared(self) -> bool:
        return not self.text.startswith("memory://")

    @property
    def inside(self) -> Any:
        """The client's store of what lies in the Zarr group."""
        return _opened(self.text)

    @property
    def beside(self) -> Any:
        """The client's store of the notes."""
        parent = self.text.rpartition("/")[0]
        return _opened(parent + "/" if parent.endswith("/") else parent)

    def exists(self) -> bool:
        obstore = _client()
        try:
            obstore.head(self.inside, DESCRIPTION)
            return True
        except FileNotFoundError:
            return self.note_read(MAKING) is None and bool(next(iter(obstore.list(self.inside, chunk_size=1)), []))

    def zarr_store(self) -> "zarr.storage.ObjectStore[Any]":
        import zarr.storage

        return zarr.storage.ObjectStore(self.inside)

    @contextmanager
    def making(self) -> Iterator["zarr.Group"]:
        """Made in memory; its objects are put in place with the group's own description last, without which there is no store."""
        import zarr
        import zarr.storage

        obstore = _client()
        made: dict[str, Any] = {}
        yield zarr.open_group(zarr.storage.MemoryStore(made), mode="w", zarr_format=3)
        if not self.note_create(MAKING, b"a store is being made here\n"):
            self.delete([key for key, _ in self.listing()])  # what was left by one that was broken off
        contents = {key: value.to_bytes() for key, value in made.items()}
        root = contents.pop(DESCRIPTION)
        _together(lambda: [obstore.put_async(self.inside, key, value) for key, value in contents.items()])
        obstore.put(self.inside, DESCRIPTION, root, mode="create")
        self.note_delete(MAKING)

    def listing(self, below: str = "") -> Iterator[tuple[str, int]]:
        obstore = _client()
        for batch in obstore.list(self.inside, prefix=below or None, chunk_size=1000):
            for found in batch:
                yield found["path"], found["size"]

    def descriptions(self) -> dict[str, bytes]:
        obstore = _client()
        folders = obstore.list_with_delimiter(self.inside)["common_prefixes"]
        names = ["", *sorted(prefix.rstrip("/") for prefix in folders)]

        async def one(name: str) -> bytes | None:
            try:
                found = await obstore.get_async(self.inside, f"{name}/{DESCRIPTION}".lstrip("/"))
                return b"" if found.meta["size"] > DESCRIPTION_BYTES else bytes(await found.bytes_async())
            except FileNotFoundError:
                return None

        return {name: text for name, text in zip(names, _together(lambda: map(one, names)), strict=True) if text is not None}

    async def description(self, array: str) -> bytes:
        obstore = _client()
        key = f"{array}/{DESCRIPTION}".lstrip("/")
        return bytes(await (await obstore.get_async(self.inside, key)).bytes_async())

    def read(self, key: str, first: int | None = None) -> bytes:
        obstore = _client()
        return bytes(obstore.get(self.inside, key).bytes() if first is None else obstore.get_range(self.inside, key, start=0, length=first))

    def delete(self, keys: Iterable[str]) -> None:
        obstore = _client()
        obstore.delete(self.inside, list(keys))

    async def commit(self, chunks: Mapping[str, bytes], record: str, guard: Guard) -> None:
        """Write each chunk where nobody else has written one, then the commit record over the version checked."""
        records = [key for key in chunks if key.startswith(record)]
        others = [key for key in chunks if key not in records]
        tags = await self._tags(records)
        await guard.refuse_late()

        async def refuse_change() -> None:
            await guard.refuse_other_store()
            if await self._tags(records) != tags:
                raise CommittedAlreadyError("another attempt has committed it")

        await _gathered(self._put_chunk(key, chunks[key], refuse_change) for key in others)
        await guard.refuse_other_store()
        for key in records:
            if not await self._put_over(key, chunks[key], tags[key]):
                await guard.refuse_other_store()
                raise CommittedAlreadyError("another attempt has committed it")

    async def _put_chunk(self, key: str, chunk: bytes, refuse_change: Callable[[], Awaitable[None]]) -> None:
        """Write an object that is new, or over what a broken-off attempt has left of it."""
        tag = None
        while not await self._put_over(key, chunk, tag):
            tag = (await self._tags([key]))[key]
            await refuse_change()

    async def _put_over(self, key: str, chunk: bytes, tag: str | None) -> bool:
        """Write an object over one version of it, or where there is none; return whether that is what stands there now."""
        obstore = _client()
        mode = "create" if tag is None else {"e_tag": tag}
        try:
            await obstore.put_async(self.inside, key, chunk, mode=mode)
        except (obstore.exceptions.AlreadyExistsError, obstore.exceptions.PreconditionError):
            found = await obstore.get_async(self.inside, key)
            return bytes(await found.bytes_async()) == chunk  # our own, whose answer was lost
        return True

    async def _tags(self, keys: Iterable[str]) -> dict[str, str | None]:
        """Look up which version of each object is there, None where there is none."""
        return {key: await self._tag(key) for key in keys}

    async def _tag(self, key: str) -> str | None:
        """Tag of the version of an object that is there, None where there is none."""
        try:
            return str((await _client().head_async(self.inside, key))["e_tag"])
        except FileNotFoundError:
            return None

    def leftovers(self) -> list[str]:
        obstore = _client()
        return sorted(o["path"] for o in obstore.list_with_delimiter(self.beside)["objects"] if o["path"].startswith(f".{self.name}."))

    def delete_leftover(self, name: str) -> None:
        obstore = _client()
        obstore.delete(self.beside, name)

    def free_bytes(self) -> None:
        return None

    def _note(self, note: str) -> str:
        return f".{self.name}.{note}"

    def note_tagged(self, note: str) -> Tagged | None:
        """A note with the tag of this version of it."""
        obstore = _client()
        try:
            found = obstore.get(self.beside, self._note(note))
        except FileNotFoundError:
            return None
        return Tagged(bytes(found.bytes()), str(found.meta["e_tag"]), found.meta["last_modified"])

    def note_replace(self, note: str, data: bytes, tag: str) -> bool:
        """Write a note over the version with ``tag``; False where that has changed."""
        obstore = _client()
        try:
            obstore.put(self.beside, self._note(note), data, mode={"e_tag": tag})
        except (obstore.exceptions.PreconditionError, FileNotFoundError):
            return False
        return True

    def note_read(self, note: str) -> bytes | None:
        found = self.note_tagged(note)
        return None if found is None else found.data

    def note_write(self, note: str, data: bytes) -> None:
        obstore = _client()
        obstore.put(self.beside, self._note(note), data)

    def note_create(self, note: str, data: bytes) -> bool:
        obstore = _client()
        try:
            obstore.put(self.beside, self._note(note), data, mode="create")
        except (obstore.exceptions.AlreadyExistsError, obstore.exceptions.PreconditionError):
            return False
        return True

    def note_delete(self, note: str) -> None:
        obstore = _client()
        with suppress(FileNotFoundError):
            obstore.delete(self.beside, self._note(note))
