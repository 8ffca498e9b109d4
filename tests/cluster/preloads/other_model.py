"""Loaded by a worker that is to believe it has another version of the model."""

import marsdisk
import sweep.workers.handshake

marsdisk.model_version = sweep.workers.handshake.model_version = lambda: "9.9.9+other"
