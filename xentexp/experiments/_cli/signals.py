"""Signals that end a run."""

from __future__ import annotations

import signal

STOPPING = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
"""What ends a run: Ctrl-C, a request to stop, a terminal that was closed."""
