"""``python -m sweep.cli``."""

from . import main

main()
