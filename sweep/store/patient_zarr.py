"""The store that Zarr opens in an object store: its own adapter, with requests repeated."""

import functools
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import TYPE_CHECKING, Any

from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import ObjectStore

if TYPE_CHECKING:
    from .patience import Patience


class PatientObjectStore(ObjectStore[Any]):
    """Zarr's adapter, which repeats requests with patience.

    Parameters
    ----------
    store : obstore store
        The client's store.
    patience : callable
        Returns the Patience of one request.
    read_only : bool
        Whether writing is refused.
    """

    def __init__(
        self,
        store: Any,
        patience: "Callable[[], Patience]",
        *,
        read_only: bool = False,
    ) -> None:
        super().__init__(store, read_only=read_only)
        self._patience = patience

    def with_read_only(
        self,
        read_only: bool = False,  # noqa: FBT001, FBT002 - the signature is Zarr's
    ) -> "PatientObjectStore":
        """Return the same store with or without the right to write."""
        return PatientObjectStore(self.store, self._patience, read_only=read_only)

    async def get(
        self,
        key: str,
        prototype: BufferPrototype,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Read an object, or a range of it; None where there is none."""
        request = functools.partial(ObjectStore.get, self, key, prototype, byte_range)
        return await self._patience().acall(request)

    async def get_partial_values(
        self,
        prototype: BufferPrototype,
        key_ranges: Iterable[tuple[str, ByteRequest | None]],
    ) -> list[Buffer | None]:
        """Read ranges of objects."""
        ranges = list(key_ranges)
        request = functools.partial(ObjectStore.get_partial_values, self, prototype, ranges)
        return await self._patience().acall(request)

    async def exists(self, key: str) -> bool:
        """Return whether an object exists."""
        return await self._patience().acall(lambda: ObjectStore.exists(self, key))

    async def set(self, key: str, value: Buffer) -> None:
        """Write an object."""
        await self._patience().acall(lambda: ObjectStore.set(self, key, value))

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        """Write an object if there is none."""
        await self._patience().acall(lambda: ObjectStore.set_if_not_exists(self, key, value))

    async def delete(self, key: str) -> None:
        """Remove an object."""
        await self._patience().acall(lambda: ObjectStore.delete(self, key))

    async def delete_dir(self, prefix: str) -> None:
        """Remove all objects below a prefix."""
        await self._patience().acall(lambda: ObjectStore.delete_dir(self, prefix))

    async def getsize(self, key: str) -> int:
        """Return the size of an object in bytes."""
        return await self._patience().acall(lambda: ObjectStore.getsize(self, key))

    async def list_dir(self, prefix: str) -> AsyncGenerator[str, None]:
        """Yield the names directly below a prefix."""

        async def collect_names() -> list[str]:
            return [name async for name in ObjectStore.list_dir(self, prefix)]

        for name in await self._patience().acall(collect_names):
            yield name

    async def _list(self, prefix: str | None = None) -> AsyncGenerator[Any, None]:
        async def collect_entries() -> list[Any]:
            # the method that this one overrides
            return [entry async for entry in ObjectStore._list(self, prefix)]  # noqa: SLF001

        for entry in await self._patience().acall(collect_entries):
            yield entry
