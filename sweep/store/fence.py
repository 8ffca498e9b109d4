"""Who may write a block: a task of the present store and plan, over rows that are not committed.

Nobody can stop a thread of a worker elsewhere. A driver that was stopped, a store that was deleted
and created again under the same name, a machine that was frozen for an hour: each leaves blocks
behind that end at some time and would be written then. A block is therefore compared with the store
twice, before its first array and right before its commit record.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from . import layout


class LateBlockError(Exception):
    """A block must not be written, or not any more; nothing of it is committed."""


class CommittedAlreadyError(LateBlockError):
    """Another attempt at the same block has committed it."""


class Guard(Protocol):
    """The check of a block against the store before it is committed."""

    async def refuse_other_store(self) -> None:
        """Refuse to write if another store, or one of another plan, is there now.

        Raises
        ------
        LateBlockError
            It is, or there is no store any more.
        """

    async def refuse_late(self) -> None:
        """Refuse to write a block that is committed, or belongs to another store or plan.

        Raises
        ------
        LateBlockError
            As of :meth:`refuse_other_store`.
        CommittedAlreadyError
            Its rows are committed already.
        """


@dataclass(frozen=True)
class Fence:
    """The store and the plan that a block was handed out for.

    Parameters
    ----------
    uid : str
        Identity of the store, created with it; empty for stores of versions that had none.
    plan_digest : str
        Digest of the plan that the store had when the block was handed out.
    """

    uid: str
    plan_digest: str

    @classmethod
    def from_description(cls, description: bytes) -> "Fence":
        """Read the fence of a store from the description of its group.

        Parameters
        ----------
        description : bytes
            Content of the group's ``zarr.json``.

        Returns
        -------
        Fence
            Fence of the store that it describes.

        Raises
        ------
        ValueError, KeyError, TypeError
            It describes no group with the attributes of a store.
        """
        return cls.from_attributes(json.loads(description)["attributes"])

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> "Fence":
        """Return the fence of a store from its attributes.

        Parameters
        ----------
        attributes : mapping
            Attributes of the store's group; those that older versions wrote have no ``uid``.

        Returns
        -------
        Fence
            Fence of that store.

        Raises
        ------
        KeyError
            There is no ``plan_digest``.
        """
        return cls(str(attributes.get("uid", "")), str(attributes["plan_digest"]))

    def refuse_other(self, description: bytes) -> None:
        """Refuse a store that is not the one of this fence.

        Parameters
        ----------
        description : bytes
            Present content of the group's ``zarr.json``.

        Raises
        ------
        LateBlockError
            It is another store, or has another plan.
        """
        try:
            present = Fence.from_description(description)
        except (ValueError, KeyError, TypeError) as error:
            raise LateBlockError("the store is gone or damaged") from error
        if present.uid != self.uid:
            raise LateBlockError("another store is in its place")
        if present.plan_digest != self.plan_digest:
            raise LateBlockError("the store has another plan by now")


def refuse_committed(
    status: NDArray[np.uint8],
    attempts: NDArray[np.int64],
    attempt: int,
    *,
    retry: bool,
) -> None:
    """Refuse to write committed rows of a block, unless a retry replaces failed runs in them.

    Parameters
    ----------
    status, attempts : (rows,) arrays
        The block's rows of these arrays of the store.
    attempt : int
        Attempt of the task; a retry replaces only what a lower attempt has written.
    retry : bool
        Whether the task is a retry of failed runs that somebody has asked for.

    Raises
    ------
    CommittedAlreadyError
        Some of the rows are committed.
    """
    committed = np.isin(status, (layout.DONE, layout.FAILED))
    replaceable = retry & (status == layout.FAILED) & (attempts < attempt)
    if np.any(committed & ~replaceable):
        raise CommittedAlreadyError("another attempt has committed it")
