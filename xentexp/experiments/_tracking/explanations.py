"""Read the explanations of a model from the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
from mlflow import MlflowClient

from xentexp.experiments._tracking.artifacts import table_artifact
from xentexp.experiments._tracking.items import IMPORTANCE, SCORES, SEGMENTS, TRAIN


@dataclass(frozen=True)
class StoredExplanations:
    """Explanations of a model, as in a `ModelRecord`."""

    importance: pd.DataFrame | None = None
    segments: pd.DataFrame | None = None
    train_values: Mapping[str, Sequence[float]] = field(default_factory=dict)


def stored_explanations(
    client: MlflowClient, uri: str, run_id: str, scores: pd.DataFrame | None = None
) -> StoredExplanations:
    """Explanations of the run of a model; `scores` is its table of scores, if read already."""
    if scores is None:
        scores = table_artifact(client, uri, run_id, SCORES)
    trained: dict[str, list[float]] = {}
    if scores is not None:
        of_train = scores[scores["section"] == TRAIN]
        for name, value in zip(of_train["name"].tolist(), of_train["value"].tolist(), strict=True):
            trained.setdefault(name, []).append(value)
    return StoredExplanations(
        table_artifact(client, uri, run_id, IMPORTANCE),
        table_artifact(client, uri, run_id, SEGMENTS),
        trained,
    )
