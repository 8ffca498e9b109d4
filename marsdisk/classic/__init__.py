"""The classic IMEX-BDF1 scheme, and how much time caches save in it."""
