"""Run a command while eight busy loops run: ``python -m tests.busy_loops 8 -- make test``.

The loops end with it, whatever ends it.
"""

import os
import subprocess
import sys

#: A loop that ends when the process that started it is gone.
LOOP = """
import os
parent = os.getppid()
while os.getppid() == parent:
    pass
"""


def main(arguments: list[str]) -> int:
    """Start the loops, run the command, end the loops, and return the command's exit code."""
    if len(arguments) < 3 or not arguments[0].isdecimal() or arguments[1] != "--":
        print("usage: python -m tests.busy_loops NUMBER -- COMMAND ...", file=sys.stderr)
        return 2
    loops = [subprocess.Popen([sys.executable, "-c", LOOP]) for _ in range(int(arguments[0]))]
    try:
        code = subprocess.run(arguments[2:], check=False).returncode
        load = ", ".join(f"{average:.1f}" for average in os.getloadavg())
        print(f"exit code {code} with {len(loops)} busy loops; load average {load}")
        return code
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
