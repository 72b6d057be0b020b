"""False alarms of the checks of a finished run in simulations; writes docs/checks.md.

    python docs/checks.py [CODE ...]

Each simulation makes data for which the null hypothesis of a check is true, and counts how often
the check reports something. With codes, only these are simulated, and the page is not written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from xentexp.experiments._leaderboard import Leaderboard, Row
from xentexp.experiments._predictions import PredictedFold, Predictions
from xentexp.experiments._record import About, ModelRecord, RunRecord
from xentexp.experiments._uncertainty import assess
from xentexp.metrics._evaluation import evaluate_checked
from xentexp.metrics._registry import get_loss

Array = NDArray[Any]
LOG_LOSS = "categorical_crossentropy"
PAGE = Path(__file__).with_suffix(".md")


# -- records of predictions -------------------------------------------------------------------


def record_of_predictions(
    y: Array,
    proba: Mapping[str, Array | Sequence[Array]],
    *,
    n_splits: int = 5,
    sample_weight: Array | None = None,
    groups: Array | None = None,
    seed: int = 0,
    **about: Any,
) -> RunRecord:
    """Record of models whose predictions are known; a list has the predictions of each repeat."""
    classes = tuple(np.unique(y).tolist())
    repeats = {name: p if isinstance(p, list) else [p] for name, p in proba.items()}
    n_repeats = len(next(iter(repeats.values())))
    splits = []
    for repeat in range(n_repeats):
        kfold = StratifiedKFold(n_splits, shuffle=True, random_state=seed + repeat)
        splits += [(repeat, i, *rows) for i, rows in enumerate(kfold.split(y, y))]
    predictions = {
        name: Predictions(
            "simulated",
            "0",
            classes,
            False,
            tuple(
                PredictedFold(
                    repeat,
                    number,
                    len(train),
                    tuple(float(np.mean(y[train] == label)) for label in classes),
                    test,
                    y[test],
                    np.asarray(of_repeats[repeat])[test],
                    sample_weight=None if sample_weight is None else sample_weight[test],
                    groups=None if groups is None else groups[test],
                )
                for repeat, number, train, test in splits
            ),
        )
        for name, of_repeats in repeats.items()
    }
    uncertainty = assess(predictions, [LOG_LOSS], LOG_LOSS)
    models = [model_of(name, predicted) for name, predicted in predictions.items()]
    rows = tuple(Row(m.name, {LOG_LOSS: float(np.mean(m.fold_values[LOG_LOSS]))}) for m in models)
    board = Leaderboard(rows, LOG_LOSS, (LOG_LOSS,), uncertainty)
    by_name = {model.name: model for model in models}
    about = {"kind": "stratified", "primary": LOG_LOSS, "seed": seed, **about}
    return RunRecord(
        About(
            "Simulated rows",
            "Simulated",
            "simulated",
            "0",
            len(y),
            0,
            classes,
            f"{n_splits} folds (stratified)",
            **about,
        ),
        tuple(by_name[row.model] for row in board.ranked()),
        board,
    )


def model_of(name: str, predictions: Predictions) -> ModelRecord:
    """Model with its mean loss in each fold."""
    loss = get_loss(LOG_LOSS)
    values = [
        evaluate_checked(predictions.checked(fold), [loss]).values[LOG_LOSS]
        for fold in predictions.folds
    ]
    return ModelRecord(name, predictions, {LOG_LOSS: values}, 0.0, 0.0)


def changed(record: RunRecord, **changes: Any) -> RunRecord:
    """The same record with other fields of its models."""
    return replace(record, models=tuple(replace(model, **changes) for model in record.models))
