"""Ctrl-C reaches the driver alone, also while worker processes are being started."""

import subprocess
import sys
from pathlib import Path

#: Prints what is blocked in the first two processes that an interpreter starts, and in itself.
SCRIPT = """
import multiprocessing, signal
from concurrent.futures import ProcessPoolExecutor
from sweep.workers.start import out_of_reach_of_ctrl_c

def blocked():
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())

if __name__ == "__main__":
    answers = []
    context = multiprocessing.get_context("spawn")
    with out_of_reach_of_ctrl_c():
        for _ in range(2):
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                mask = pool.submit(signal.pthread_sigmask, signal.SIG_BLOCK, ()).result()
                answers.append(signal.SIGINT in mask)
    print(*answers, blocked())
"""


def test_processes_started_out_of_reach_do_not_hear_ctrl_c_and_the_driver_does(
    tmp_path: Path,
) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout.split()) == (0, ["True", "True", "False"]), done.stderr
