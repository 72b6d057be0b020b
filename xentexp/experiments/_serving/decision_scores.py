"""Loader of stored models without probabilities for mlflow.pyfunc: they predict scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xentexp.experiments._serving.model_file import load_model


class _DecisionScores:
    def __init__(self, model: Any) -> None:
        self.model = model

    def decision_function(self, data: Any, params: object = None) -> Any:
        return self.model.decision_function(data)


def _load_pyfunc(path: str) -> _DecisionScores:
    # MLflow imports this module from the model's own folder: who calls it trusts the folder.
    folder = Path(path) if Path(path).is_dir() else Path(path).parent
    return _DecisionScores(load_model(folder, trust=True))
