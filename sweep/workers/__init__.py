"""Where runs are computed."""

MAX_LOCAL_WORKERS = 4096  # processes
