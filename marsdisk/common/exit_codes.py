"""Exit codes of the commands ``marsdisk`` and ``sweep``."""

OK = 0
SOME_FAILED = 1
BAD_INPUT = 2
CHECK_FAILED = 3
INTERRUPTED = 130
