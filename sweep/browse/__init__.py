"""The page of a sweep: ``sweep browse STORE``, and /sweep on Dask's dashboard while the sweep runs."""
