"""The log that people read: what commands say, and what happens meanwhile."""

import logging

#: What was printed for a person, too, so that the terminal need not show it twice.
MESSAGES = logging.getLogger("marsdisk.messages")
