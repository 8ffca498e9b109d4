"""``make mutants``: flips of single expressions, each of which some test has to notice."""
