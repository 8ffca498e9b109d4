"""The pages in the middle: one for each way to see all runs."""
