"""The page of a run among its artifacts."""

from __future__ import annotations

from xentexp.experiments._cli.failures import page_errors
from xentexp.experiments._cli.outputs.finished import Finished

PAGE = "report.html"


def log_page(finished: Finished) -> None:
    """Log the page of a run."""
    # Imported here, because matplotlib takes a second.
    from xentexp.experiments._report import run_page
    from xentexp.experiments._tracking.items import Text

    with page_errors(finished.run_id):
        page = run_page(finished.record)
    finished.store.log(finished.run_id, [Text(PAGE, page)])
