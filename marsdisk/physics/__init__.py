"""The physics as pure functions, one subject a file. Nothing here knows of configurations, caches or sweeps."""
