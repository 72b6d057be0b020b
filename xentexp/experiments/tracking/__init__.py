"""MLflow: what a run found becomes items, and one sink writes them; the only user of mlflow."""

from __future__ import annotations

from xentexp.experiments.tracking.connect import open_client, store_uri, told_plainly
from xentexp.experiments.tracking.items import (
    Binary,
    DataInput,
    Item,
    Metric,
    Param,
    Parquet,
    Table,
    Tag,
    Text,
    board_note,
    grouped_items,
    outcome_items,
    result_items,
    search_items,
)
from xentexp.experiments.tracking.read_back import chart_page, latest_page, read_leaderboard
from xentexp.experiments.tracking.runs import log_outcome, log_trials
from xentexp.experiments.tracking.store import Store

__all__ = [
    "Binary",
    "DataInput",
    "Item",
    "Metric",
    "Param",
    "Parquet",
    "Store",
    "Table",
    "Tag",
    "Text",
    "board_note",
    "chart_page",
    "grouped_items",
    "latest_page",
    "log_outcome",
    "log_trials",
    "open_client",
    "outcome_items",
    "read_leaderboard",
    "result_items",
    "search_items",
    "store_uri",
    "told_plainly",
]
