"""``python -m sweep``."""

from .cli import main

main()
