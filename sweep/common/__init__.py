"""Words and small things that all of ``sweep`` shares."""
