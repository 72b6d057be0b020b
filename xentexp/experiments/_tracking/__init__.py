"""Log results to MLflow and read them; only this package imports mlflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentexp._lazy_names import on_first_use

if TYPE_CHECKING:
    from xentexp.experiments._tracking.connect import open_client as open_client
    from xentexp.experiments._tracking.connect import store_errors as store_errors
    from xentexp.experiments._tracking.connect import store_file as store_file
    from xentexp.experiments._tracking.connect import store_uri as store_uri
    from xentexp.experiments._tracking.items import Binary as Binary
    from xentexp.experiments._tracking.items import DataInput as DataInput
    from xentexp.experiments._tracking.items import Item as Item
    from xentexp.experiments._tracking.items import LoggedMetric as LoggedMetric
    from xentexp.experiments._tracking.items import Param as Param
    from xentexp.experiments._tracking.items import Parquet as Parquet
    from xentexp.experiments._tracking.items import PredictionsFile as PredictionsFile
    from xentexp.experiments._tracking.items import Table as Table
    from xentexp.experiments._tracking.items import Tag as Tag
    from xentexp.experiments._tracking.items import Text as Text
    from xentexp.experiments._tracking.items import board_note as board_note
    from xentexp.experiments._tracking.items import candidate_items as candidate_items
    from xentexp.experiments._tracking.items import grouped_items as grouped_items
    from xentexp.experiments._tracking.items import interval_items as interval_items
    from xentexp.experiments._tracking.items import result_items as result_items
    from xentexp.experiments._tracking.items import search_items as search_items
    from xentexp.experiments._tracking.read_back import StoredBoard as StoredBoard
    from xentexp.experiments._tracking.read_back import StoredPage as StoredPage
    from xentexp.experiments._tracking.read_back import chart_page as chart_page
    from xentexp.experiments._tracking.read_back import latest_page as latest_page
    from xentexp.experiments._tracking.read_back import read_leaderboard as read_leaderboard
    from xentexp.experiments._tracking.read_record import ABOUT as ABOUT
    from xentexp.experiments._tracking.read_record import read_record as read_record
    from xentexp.experiments._tracking.run_status import RunStatus as RunStatus
    from xentexp.experiments._tracking.runs import log_candidate as log_candidate
    from xentexp.experiments._tracking.runs import log_trials as log_trials
    from xentexp.experiments._tracking.store import Store as Store
    from xentexp.experiments._tracking.stored_models import FoundModel as FoundModel
    from xentexp.experiments._tracking.stored_models import download_model as download_model
    from xentexp.experiments._tracking.stored_models import (
        find_stored_model as find_stored_model,
    )

__all__ = [
    "ABOUT",
    "Binary",
    "DataInput",
    "FoundModel",
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
    "download_model",
    "find_stored_model",
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

_MODULE_OF = {
    **dict.fromkeys(("FoundModel", "download_model", "find_stored_model"), "stored_models"),
    "ABOUT": "read_record",
    "Binary": "items",
    "DataInput": "items",
    "Item": "items",
    "LoggedMetric": "items",
    "Param": "items",
    "Parquet": "items",
    "PredictionsFile": "items",
    "RunStatus": "run_status",
    "Store": "store",
    "StoredBoard": "read_back",
    "StoredPage": "read_back",
    "Table": "items",
    "Tag": "items",
    "Text": "items",
    "board_note": "items",
    "candidate_items": "items",
    "chart_page": "read_back",
    "grouped_items": "items",
    "interval_items": "items",
    "latest_page": "read_back",
    "log_candidate": "runs",
    "log_trials": "runs",
    "open_client": "connect",
    "read_leaderboard": "read_back",
    "read_record": "read_record",
    "result_items": "items",
    "search_items": "items",
    "store_errors": "connect",
    "store_file": "connect",
    "store_uri": "connect",
}


if not TYPE_CHECKING:  # type checkers read the imports above, and find a mistyped name
    __getattr__ = on_first_use(__name__, _MODULE_OF)
