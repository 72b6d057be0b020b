"""Log results to MLflow and read them; only this package imports mlflow."""

from __future__ import annotations

from xentexp.experiments._tracking.connect import (
    open_client,
    store_errors,
    store_file,
    store_uri,
)
from xentexp.experiments._tracking.items import (
    Binary,
    DataInput,
    Image,
    Item,
    LoggedMetric,
    Param,
    Parquet,
    PredictionsFile,
    Table,
    Tag,
    Text,
    board_note,
    candidate_items,
    grouped_items,
    interval_items,
    result_items,
    search_items,
)
from xentexp.experiments._tracking.read_back import (
    StoredBoard,
    StoredPage,
    chart_page,
    latest_page,
    read_leaderboard,
)
from xentexp.experiments._tracking.read_record import ABOUT, read_record
from xentexp.experiments._tracking.run_status import RunStatus
from xentexp.experiments._tracking.runs import log_candidate, log_trials
from xentexp.experiments._tracking.store import Store

__all__ = [
    "ABOUT",
    "Binary",
    "DataInput",
    "Image",
    "Item",
    "LoggedMetric",
    "Param",
    "Parquet",
    "PredictionsFile",
    "RunStatus",
    "Store",
    "StoredBoard",
    "StoredPage",
    "Table",
    "Tag",
    "Text",
    "board_note",
    "candidate_items",
    "chart_page",
    "grouped_items",
    "interval_items",
    "latest_page",
    "log_candidate",
    "log_trials",
    "open_client",
    "read_leaderboard",
    "read_record",
    "result_items",
    "search_items",
    "store_errors",
    "store_file",
    "store_uri",
]
