"""The Zarr store of a sweep: layout, locations, writing by blocks, reading, locks and repair."""
