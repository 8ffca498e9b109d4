"""One zero-dimensional run of the dust disk from which Phobos and Deimos formed."""

__version__ = "0.1.0"
