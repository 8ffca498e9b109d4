"""Words and small things that all of the model shares."""
