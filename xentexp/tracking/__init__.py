"""MLflow: what a run found becomes items, and one sink writes them; the only user of mlflow."""

from __future__ import annotations

from xentexp.tracking.items import (
    Binary,
    DataInput,
    Item,
    Metric,
    Param,
    Parquet,
    Table,
    Tag,
    Text,
    outcome_items,
    result_items,
)
from xentexp.tracking.opening import open_client, store_uri, told_plainly
from xentexp.tracking.reading import chart_page, latest_page, read_leaderboard
from xentexp.tracking.store import Store, log_outcome

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
    "chart_page",
    "latest_page",
    "log_outcome",
    "open_client",
    "outcome_items",
    "read_leaderboard",
    "result_items",
    "store_uri",
    "told_plainly",
]
