"""Ports that are free, and stay so until somebody listens on them."""

import random
import socket

#: Below those that a system gives to whoever connects somewhere, or lets it choose.
RANGE = range(15_000, 32_000)


def free_port() -> int:
    """Choose a port of this machine that nobody listens on."""
    while True:
        port = random.SystemRandom().choice(RANGE)
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
