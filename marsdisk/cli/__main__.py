"""``python -m marsdisk.cli``."""

from . import main

main()
