"""The model against results of the literature, for docs/validation.md and its tests.

``python -m tests.validation`` prints the table and ends with 1 if a row misses its tolerance; with
``--write``, as ``make validation`` does, page and figures are renewed. Half a minute.
"""
