"""The page of a sweep, served by ``sweep browse`` and on Dask's dashboard at /sweep."""
