"""Names of tags and of tables that are written and read."""

from __future__ import annotations

ALIASES = "xentexp.aliases"
"""Tag of a model's run: JSON with the logged name by name of the loss that is not logged."""

TRAINED = "xentexp.trained_on"
"""Tag of a model that is trained on a loss: JSON with fields of a ModelRecord."""

IMPORTANCE, SEGMENTS = "explanations/importance.parquet", "explanations/segments.parquet"
"""Tables of `xentexp.experiments._explain` of a model in its run."""

CURVES = "curves/curves.parquet"
SCORES = "scores.parquet"
"""Table of all values of losses and metrics: of a model in its run, of all in the parent run."""

TRAIN = "train"
"""Section of that table: the loss of a sample of the training rows of each fold."""

GROUPED = "grouped.parquet"
"""The same table on grouped folds."""

BOARD, OLD_BOARD = "1_leaderboard.json", "leaderboard.json"
"""Rounded table of the parent run, which the dashboard shows; its name in older versions."""

NOTE = "mlflow.note.content"
"""Tag that the dashboard shows as the description of a run or an experiment."""

MODEL = "xentexp.model"
"""Tag with the address of the stored model: of a model's run, and of the winner at its parent."""

MISSING = "xentexp.missing"
"""Tag of a run that ended after its results were logged: outputs that are missing or incomplete."""

TRUST = "xentexp.model_trust"
"""Tag of a run whose model may only be loaded from a store that one trusts: a sentence on it."""

TRAINING = "workflowType=machine_learning"
"""Query of a page of the dashboard; without it, a browser's first visit is about agents."""
