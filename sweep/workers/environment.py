"""The environment of worker processes."""

THREADS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
#: By Dask's defaults, all free memory is returned at once, only to be requested again page by page
#: by the next run.
MALLOC = {"MALLOC_TRIM_THRESHOLD_": str(2**26), "MALLOC_MMAP_THRESHOLD_": str(2**24)}
#: Read when a worker starts or restarts.
ENVIRONMENT = {**MALLOC, **dict.fromkeys(THREADS, "1"), "DASK_LOGGING__DISTRIBUTED": "critical"}
