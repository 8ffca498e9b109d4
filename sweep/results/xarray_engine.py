"""Stores as xarray opens them: ``xarray.open_dataset(STORE, engine="sweep")``.

xarray loads the engines of all packages before it opens anything. So datasets that were saved have
``.sweep``, too, whatever is imported.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

import xarray
from xarray.backends import BackendEntrypoint

from .dataset import open_store


class StoreEngine(BackendEntrypoint):
    """Opens a store as :func:`sweep.open_store` does."""

    description: ClassVar[str] = "Open stores of parameter sweeps"
    open_dataset_parameters: ClassVar[tuple[str, ...]] = ("filename_or_obj", "drop_variables")

    def open_dataset(
        self, filename_or_obj: Any, *, drop_variables: str | Iterable[str] | None = None
    ) -> xarray.Dataset:
        """Open a store.

        Parameters
        ----------
        filename_or_obj : str or path
            Path or URL of the store.
        drop_variables : str or iterable of str, optional
            Arrays to leave out.

        Returns
        -------
        xarray.Dataset
            Its runs; arrays are read when they are used.

        Raises
        ------
        StoreError
            There is no store, or it is damaged.
        """
        dataset = open_store(filename_or_obj)
        if drop_variables is None:
            return dataset
        return dataset.drop_vars(drop_variables, errors="ignore")

    def guess_can_open(self, filename_or_obj: Any) -> bool:  # noqa: ARG002 - xarray's signature
        """Leave every file to xarray's own engines unless this one is asked for."""
        return False
