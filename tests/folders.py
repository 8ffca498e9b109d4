"""The folders of tests, and what is checked in each."""

#: Those whose files take longest stand first.
FOLDERS = {
    "cluster": "drivers and workers as processes: signals, schedulers, SLURM, S3, networks",
    "browser": "the page in a real browser",
    "cache": "a cache never changes a number; every key field counts",
    "sweep": "sweep files, plans, stores, tables, figures, and commands; hostile files and stores",
    "integration": "whole runs: mass, scalings, the wave behind the blow-out edge",
    "physics": "exact solutions, conservation, limits, order of steps, SciPy's solvers, Mie",
    "golden": "formulas against numbers of an independent program, to 1e-12",
    "docker": "image and services, read as files",
    "unit": "configuration, errors, files, compiled code, and the rules of the house",
}


def rank(folder: str) -> int:
    """Return the rank of a folder among those that take longest; an unknown folder comes last."""
    names = list(FOLDERS)
    return names.index(folder) if folder in names else len(names)
