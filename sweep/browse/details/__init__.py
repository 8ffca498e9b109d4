"""The chosen runs."""
