"""The physics as pure functions, one subject per file, independent of configurations and sweeps."""
