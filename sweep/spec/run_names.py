"""Names of runs, which follow from what they are computed from."""

import hashlib


def name_of_run(digest: str, version: str) -> str:
    """Return the name that a run has under a version of the model.

    Parameters
    ----------
    digest : str
        Digest of its configuration and tables.
    version : str
        As :func:`marsdisk.model_version` gives it.

    Returns
    -------
    str
        16 hex digits.
    """
    return hashlib.sha256(f"{digest} {version}".encode()).hexdigest()[:16]
