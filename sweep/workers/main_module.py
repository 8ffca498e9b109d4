"""Worker processes that do not run the caller's script again."""

from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import spawn
from typing import Any


@contextmanager
def main_module_left_alone() -> Iterator[None]:
    """Start processes that do not import the main module of this one.

    ``multiprocessing`` imports it into every process that it starts, so that functions of it can be
    sent there. A script without ``if __name__ == "__main__":`` would start its sweep once more in
    each worker. Blocks need nothing of it: all that is sent to workers is of this package.
    """
    prepare = spawn.get_preparation_data

    def without_main(name: str) -> dict[str, Any]:
        data = prepare(name)
        data.pop("init_main_from_name", None)
        data.pop("init_main_from_path", None)
        return data

    spawn.get_preparation_data = without_main
    try:
        yield
    finally:
        spawn.get_preparation_data = prepare
