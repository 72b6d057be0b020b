"""The view of a run in the dashboard."""

from __future__ import annotations

from xentexp.experiments._cli.outputs.finished import Finished


def log_view(finished: Finished) -> None:
    """Save the view that the link to the run opens."""
    from xentexp.experiments._tracking.connect import store_errors
    from xentexp.experiments._tracking.read_back import run_page

    with store_errors(finished.store.uri):
        run_page(finished.store.client, finished.run_id)
