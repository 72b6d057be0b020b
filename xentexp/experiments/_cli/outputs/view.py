"""The view of a run in the dashboard."""

from __future__ import annotations

from xentexp.experiments._cli.outputs.finished import Finished


def log_view(finished: Finished) -> None:
    """Save the view that the link to the run opens."""
    from xentexp.experiments import _tracking as tracking

    with tracking.store_errors(finished.store.uri):
        tracking.run_page(finished.store.client, finished.run_id)
