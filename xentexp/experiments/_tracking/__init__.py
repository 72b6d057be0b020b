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
    from xentexp.experiments._tracking.items import Image as Image
    from xentexp.experiments._tracking.items import Item as Item
    from xentexp.experiments._tracking.items import LoggedMetric as LoggedMetric
    from xentexp.experiments._tracking.items import Param as Param
    from xentexp.experiments._tracking.items import Parquet as Parquet
    from xentexp.experiments._tracking.items import PredictionsFile as PredictionsFile
    from xentexp.experiments._tracking.items import Table as Table
    from xentexp.experiments._tracking.items import Tag as Tag
    from xentexp.experiments._tracking.items import Text as Text
    from xentexp.experiments._tracking.items import candidate_items as candidate_items
    from xentexp.experiments._tracking.items import grouped_items as grouped_items
    from xentexp.experiments._tracking.items import interval_items as interval_items
    from xentexp.experiments._tracking.items import result_items as result_items
    from xentexp.experiments._tracking.items import search_items as search_items
    from xentexp.experiments._tracking.items import winner_items as winner_items
    from xentexp.experiments._tracking.names import MODEL as MODEL
    from xentexp.experiments._tracking.names import NOTE as NOTE
    from xentexp.experiments._tracking.names import TRUST as TRUST
    from xentexp.experiments._tracking.notes import artifacts_page as artifacts_page
    from xentexp.experiments._tracking.notes import child_note as child_note
    from xentexp.experiments._tracking.notes import latest_answer as latest_answer
    from xentexp.experiments._tracking.notes import parent_note as parent_note
    from xentexp.experiments._tracking.read_back import StoredBoard as StoredBoard
    from xentexp.experiments._tracking.read_back import StoredPage as StoredPage
    from xentexp.experiments._tracking.read_back import latest_page as latest_page
    from xentexp.experiments._tracking.read_back import read_leaderboard as read_leaderboard
    from xentexp.experiments._tracking.read_back import run_page as run_page
    from xentexp.experiments._tracking.run_status import RunStatus as RunStatus
    from xentexp.experiments._tracking.runs import log_candidate as log_candidate
    from xentexp.experiments._tracking.runs import log_trials as log_trials
    from xentexp.experiments._tracking.store import Store as Store
    from xentexp.experiments._tracking.stored_models import FoundModel as FoundModel
    from xentexp.experiments._tracking.stored_models import download_model as download_model
    from xentexp.experiments._tracking.stored_models import (
        find_stored_model as find_stored_model,
    )
    from xentexp.experiments._tracking.stored_record import ABOUT as ABOUT
    from xentexp.experiments._tracking.stored_record import read_record as read_record

__all__ = [
    "ABOUT",
    "MODEL",
    "NOTE",
    "TRUST",
    "Binary",
    "DataInput",
    "FoundModel",
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
    "artifacts_page",
    "candidate_items",
    "child_note",
    "download_model",
    "find_stored_model",
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

_MODULE_OF = {
    "ABOUT": "stored_record",
    "Binary": "items",
    "DataInput": "items",
    "FoundModel": "stored_models",
    "Image": "items",
    "Item": "items",
    "LoggedMetric": "items",
    "MODEL": "names",
    "NOTE": "names",
    "TRUST": "names",
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
    "artifacts_page": "notes",
    "candidate_items": "items",
    "child_note": "notes",
    "download_model": "stored_models",
    "find_stored_model": "stored_models",
    "grouped_items": "items",
    "interval_items": "items",
    "latest_answer": "notes",
    "latest_page": "read_back",
    "log_candidate": "runs",
    "log_trials": "runs",
    "open_client": "connect",
    "parent_note": "notes",
    "read_leaderboard": "read_back",
    "read_record": "stored_record",
    "result_items": "items",
    "run_page": "read_back",
    "search_items": "items",
    "store_errors": "connect",
    "store_file": "connect",
    "store_uri": "connect",
    "winner_items": "items",
}


if not TYPE_CHECKING:  # type checkers read the imports above, and find a mistyped name
    __getattr__ = on_first_use(__name__, _MODULE_OF)
