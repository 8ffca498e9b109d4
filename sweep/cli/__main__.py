"""``python -m sweep.cli``."""

from .main import main

main()
