"""A gate in the middle of a sweep, which holds it until it has been disturbed."""

import os
from pathlib import Path

import psutil


class Gate:
    """Runs wait before it once a number of blocks is committed, until the test opens it.

    The workers' side is preloads/inside_workers.py. With W workers at most ``blocks - 1 + W``
    blocks are committed while it is closed.

    Parameters
    ----------
    folder : to make, for the files through which the test and the workers speak
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self._limit = folder / "limit"

    def close_at(self, blocks: int) -> None:
        """Let runs begin only while fewer blocks are committed."""
        new = self.folder / "limit.new"
        new.write_text(str(blocks), encoding="utf-8")
        os.replace(new, self._limit)

    def open(self) -> None:
        """Let all runs go on."""
        self._limit.unlink()

    def forget_waiting(self) -> None:
        """Remove the files of runs that ended at the gate, such as those whose store is gone."""
        for path in self.folder.glob("held-*"):
            path.unlink()

    def settings(self, store: Path | str) -> dict[str, object]:
        """Return the settings of workers, or of a driver that works itself.

        It is given to the fixture ``start`` as ``inside``.
        """
        return {"gate": self.folder, "store": store}

    def waiting(self) -> set[int]:
        """Return the processes that wait at the gate now."""
        pids = {int(path.name.split("-")[1]) for path in self.folder.glob("held-*")}
        return {pid for pid in pids if psutil.pid_exists(pid)}
