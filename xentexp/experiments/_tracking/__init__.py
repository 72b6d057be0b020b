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
    Item,
    LoggedMetric,
    Param,
    Parquet,
    PredictionsFile,
    Table,
    Tag,
    Text,
    candidate_items,
    grouped_items,
    interval_items,
    result_items,
    search_items,
    winner_items,
)
from xentexp.experiments._tracking.notes import (
    MODEL,
    NOTE,
    artifacts_page,
    child_note,
    latest_answer,
    parent_note,
)
from xentexp.experiments._tracking.read_back import (
    StoredBoard,
    StoredPage,
    latest_page,
    read_leaderboard,
    run_page,
)
from xentexp.experiments._tracking.read_record import ABOUT, read_record
from xentexp.experiments._tracking.run_status import RunStatus
from xentexp.experiments._tracking.runs import log_candidate, log_trials
from xentexp.experiments._tracking.store import Store

__all__ = [
    "ABOUT",
    "MODEL",
    "NOTE",
    "Binary",
    "DataInput",
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
    "artifacts_page",
    "candidate_items",
    "child_note",
    "grouped_items",
    "interval_items",
    "latest_answer",
    "latest_page",
    "log_candidate",
    "log_trials",
    "open_client",
    "parent_note",
    "read_leaderboard",
    "read_record",
    "result_items",
    "run_page",
    "search_items",
    "store_errors",
    "store_file",
    "store_uri",
    "winner_items",
]
