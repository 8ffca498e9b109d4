"""In a real kernel of Jupyter, "interrupt" stops a sweep as Ctrl-C does in a terminal."""

import asyncio
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from small_sweeps import SMALL, T0_AND_RINGS, assert_same_bits

from sweep.store.coroutines import run_coroutine

RUN = f"""
import sweep

study = sweep.Sweep(**{ {**SMALL, "axes": T0_AND_RINGS}!r})
store = sweep.run(study, "s.zarr", workers=WORKERS)
"""


class Interrupting(NotebookClient):
    """Runs a notebook and interrupts its kernel once a sweep has committed a block."""

    async def async_interrupt(self, store: Path) -> None:
        while not any(store.glob("status/c/*")):
            await asyncio.sleep(0.01)  # between two looks
        await self.km.interrupt_kernel()


@pytest.mark.parametrize("workers", [0, 2])
def test_an_interrupted_cell_stops_and_resumes(
    tmp_path: Path, finished: Path, workers: int
) -> None:
    source = RUN.replace("WORKERS", str(workers))
    slowly = source.replace(
        "import sweep\n",
        "import sweep\nimport time\ndef wait(tally):\n    time.sleep(1 if tally.finished else 0)\n",
    ).replace(f"workers={workers}", f"workers={workers}, on_progress=wait")
    cells = [nbformat.v4.new_code_cell(text) for text in (slowly, source, "store.counts()")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    client = Interrupting(
        notebook,
        timeout=300,
        allow_errors=True,
        resources={"metadata": {"path": str(tmp_path)}},
    )

    async def execute() -> None:
        await asyncio.gather(client.async_execute(), client.async_interrupt(tmp_path / "s.zarr"))

    run_coroutine(execute())  # another test may have left an event loop in this thread
    first, second, counts = notebook.cells
    assert error_of(first) == "KeyboardInterrupt"
    assert "runs are committed in s.zarr; resume with: the same call" in text_of(first)
    assert error_of(second) == ""
    assert "done=6" in counts.outputs[0]["data"]["text/plain"]
    assert_same_bits(tmp_path / "s.zarr", finished)


def error_of(cell: Any) -> str:
    return next((output.ename for output in cell.outputs if output.output_type == "error"), "")


def text_of(cell: Any) -> str:
    return "".join(output.get("text", "") for output in cell.outputs)
