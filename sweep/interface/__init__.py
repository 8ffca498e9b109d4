"""What scripts and notebooks use; :mod:`sweep` offers it under its own name."""
