"""From what was asked for to runs in the rows of a store."""
