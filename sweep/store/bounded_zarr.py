"""The store that Zarr reads for xarray: no chunk unpacks to more than its array declares.

Zarr's codecs unpack as much as a chunk says, and a store may come from anybody.
"""

from collections.abc import Mapping
from typing import Any, Self

from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import WrapperStore

from ..common.command import Command
from ..common.errors import StoreError
from . import chunks
from .schema import ArraySpec


class BoundedStore(WrapperStore[Any]):
    """A store of Zarr that refuses chunks which unpack to more than they may.

    Parameters
    ----------
    store : zarr.abc.store.Store
        What it reads.
    arrays : mapping of str to ArraySpec
        Arrays of the store.
    location : str
        Where the store is, for messages.
    """

    def __init__(self, store: Store, arrays: Mapping[str, ArraySpec], location: str) -> None:
        super().__init__(store)
        self._arrays = arrays
        self._location = location

    def _with_store(self, store: Store) -> Self:
        return type(self)(store, self._arrays, self._location)

    async def get(
        self,
        key: str,
        prototype: BufferPrototype,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Read an object, or a range of it; None where there is none.

        Raises
        ------
        StoreError
            It is a chunk that says that it unpacks to more than a chunk of its array may hold.
        """
        buffer = await self._store.get(key, prototype, byte_range)
        return self._checked(key, buffer, byte_range)

    def get_sync(
        self,
        key: str,
        *,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Read as :meth:`get` does, for newer versions of Zarr, which prefer this."""
        buffer = self._store.get_sync(key, prototype=prototype, byte_range=byte_range)
        return self._checked(key, buffer, byte_range)

    def _checked(
        self, key: str, buffer: Buffer | None, byte_range: ByteRequest | None
    ) -> Buffer | None:
        name, _, rest = key.partition("/")
        is_chunk = name in self._arrays and rest.startswith("c/")
        # ranges are only read of arrays that are not compressed
        if buffer is None or byte_range is not None or not is_chunk:
            return buffer
        try:
            chunks.refuse_inflated(self._arrays[name], buffer.to_bytes())
        except (ValueError, RuntimeError, MemoryError) as error:
            doctor = Command.sweep("doctor", self._location)
            raise StoreError(
                f"{key} cannot be read: {error}; see what can be done: {doctor}"
            ) from error
        return buffer
