"""The Zarr store of a sweep: layout, writing by blocks, reading, and the lock that keeps a second driver out."""
