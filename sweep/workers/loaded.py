"""What the process that workers are forked from has loaded; importing this module loads it."""

import gc
import signal

from .terminal import ignore_terminal_signals

# before anything that takes time; Ctrl-C was held back until now
ignore_terminal_signals()
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

import distributed.nanny  # noqa: E402
import distributed.worker  # noqa: E402, F401

from marsdisk._jit import is_compiled  # noqa: E402
from marsdisk.zero_d import ensure_compiled  # noqa: E402

from . import block  # noqa: E402, F401

if is_compiled():
    # otherwise the first worker compiles them, and says so
    ensure_compiled()
gc.freeze()
