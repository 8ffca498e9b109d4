"""The numerical error of a run, from runs with tighter steps and other bins."""
