"""``python -m marsdisk``."""

from .cli import main

main()
