"""Signals that end a run."""

from __future__ import annotations

import signal

STOPPING = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
"""Signals of Ctrl-C, a termination request and a closed terminal."""
