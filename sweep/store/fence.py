"""Who may write a block: a task of the store and plan that stand there now, over uncommitted rows.

Nobody can stop a thread of a worker elsewhere. A driver that was stopped, a store that was deleted
and made anew under the same name, a machine that was frozen for an hour: each leaves blocks behind
that end some time and would be written then. A block is therefore compared with the store twice,
before its first array and right before its commit record.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from . import layout


class LateBlockError(Exception):
    """A block that may not be written (any more); nothing of it is committed."""


class CommittedAlreadyError(LateBlockError):
    """Another attempt at the same block has committed it."""


class Guard(Protocol):
    """Holds a block against what stands in the store now."""

    async def refuse_other_store(self) -> None:
        """Refuse to go on where another store, or one of another plan, stands there.

        Raises
        ------
        LateBlockError
            It does, or there is none any more.
        """

    async def refuse_late(self) -> None:
        """Refuse a block that may not be written.

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
        Of the store, made with it; empty for a store of a version that made none.
    plan_digest : str
        Of the plan that the store had when the block was handed out.
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
            Of the store that it describes.

        Raises
        ------
        ValueError, KeyError, TypeError
            It describes no group with the attributes of a store.
        """
        return cls.from_attributes(json.loads(description)["attributes"])

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> "Fence":
        """Take the fence of a store from its attributes.

        Parameters
        ----------
        attributes : mapping
            Of the store's group; those that an older version wrote have no ``uid``.

        Returns
        -------
        Fence
            Of that store.

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
            Content of the ``zarr.json`` that stands there now.

        Raises
        ------
        LateBlockError
            It is another one, or has another plan.
        """
        try:
            present = Fence.from_description(description)
        except (ValueError, KeyError, TypeError) as error:
            raise LateBlockError("the store is gone or damaged") from error
        if present.uid != self.uid:
            raise LateBlockError("another store stands in its place")
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
        What the store holds of the block's rows.
    attempt : int
        Of the task; a retry replaces only what a lower one has written.
    retry : bool
        Whether the task is a retry of failed runs that somebody has asked for.

    Raises
    ------
    CommittedAlreadyError
        Some of them are committed.
    """
    committed = np.isin(status, (layout.DONE, layout.FAILED))
    replaceable = retry & (status == layout.FAILED) & (attempts < attempt)
    if np.any(committed & ~replaceable):
        raise CommittedAlreadyError("another attempt has committed it")
