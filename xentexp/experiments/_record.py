"""A finished run as plain data: what the checks and the report are made from, also later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from xentexp._palette import MODELS, colours_of
from xentexp._safe_text import without_secrets
from xentexp.errors import InputError
from xentexp.experiments._folds import Fold
from xentexp.experiments._formatting import counted, dotted
from xentexp.experiments._json_values import decoded, encoded
from xentexp.experiments._leaderboard import Leaderboard
from xentexp.experiments._predictions import Predictions
from xentexp.experiments._results import (
    CandidateResult,
    ExperimentResult,
    all_curves,
    all_trials,
    importance_table,
    out_of_fold,
    segments_table,
    train_values,
)
from xentexp.experiments._uncertainty import Uncertainty
from xentexp.experiments.datasets import Dataset, Finding

VERSION = 1
"""Version of the stored description of a run."""


@dataclass(frozen=True)
class About:
    """Data, folds and settings of a run; stored as JSON in the run."""

    title: str
    source: str
    dataset: str
    digest: str
    n_rows: int
    n_features: int
    classes: tuple[Any, ...]
    folds: str  # e.g. "5 folds (stratified)"
    kind: str  # of the folds, e.g. "stratified"; empty if it is not known
    seed: int | None
    primary: str
    shown: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()  # how the data were read
    findings: tuple[Finding, ...] = ()  # of the checks before the fits
    leak: str | None = None  # sentence on entities that training and test parts share
    command: str = ""  # that makes the run again
    versions: Mapping[str, str] = field(default_factory=dict)
    muted: tuple[str, ...] = ()  # codes of checks that are not shown

    def to_record(self) -> dict[str, Any]:
        """JSON document."""
        return {"version": VERSION, **encoded(asdict(self))}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> About:
        """Read a document that `to_record` made; keys of later versions are ignored."""
        version = record.get("version")
        if not isinstance(version, int) or version > VERSION:
            raise InputError(
                f"the stored description of a run must have version {VERSION} or older; got "
                f"version {version!r}; install a newer xentexp"
            )
        return decoded(cls, record)


def about_data(dataset: Dataset, folds: Sequence[Fold], primary: str) -> About:
    """Description of a run by its data and folds; settings of the command are left out."""
    return About(
        title=dataset.card.title or dataset.name,
        source=dataset.card.source,
        dataset=dataset.name,
        digest=dataset.digest,
        n_rows=len(dataset.y),
        n_features=dataset.X.shape[1],
        classes=dataset.classes,
        folds=counted(len(folds), "fold"),
        kind="",
        seed=None,
        primary=primary,
        notes=dataset.card.notes,
        findings=tuple(dataset.findings),
    )


@dataclass(frozen=True)
class ModelRecord:
    """Stored results of one model."""

    name: str
    predictions: Predictions | None  # out of fold; None if the model failed
    fold_values: Mapping[str, Sequence[float]]  # by loss or metric, in the order of the folds
    fit_seconds: float
    predict_seconds: float
    error: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    train_values: Mapping[str, Sequence[float]] = field(default_factory=dict)  # on training rows
    importance: pd.DataFrame | None = None  # see experiments._explain
    segments: pd.DataFrame | None = None  # see experiments._explain
    curves: pd.DataFrame | None = None  # fold, part, loss, step, value
    trials: pd.DataFrame | None = None  # of its hyperparameter search, see _results.all_trials
    space: Mapping[str, Any] | None = None  # that was searched, by column of `trials`
    family: str | None = None  # model, if it is trained on several losses
    trained_on: str | None = None  # label of its training loss
    trained_column: str | None = None  # loss that equals the training loss
    corrected: bool = False  # variant with corrected probabilities


@dataclass(frozen=True)
class RunRecord:
    """Stored results of a run."""

    about: About
    models: tuple[ModelRecord, ...]  # in the order of the leaderboard, failed ones last
    board: Leaderboard
    run_id: str = ""
    store: str = ""  # address without passwords
    started: float = 0.0  # seconds since the epoch
    incomplete: str = ""  # sentence on what is missing, if the run is not whole
    computed: dict[Any, Any] = field(default_factory=dict, init=False, compare=False, repr=False)
    """What `once` of the page and the pictures computed from this record."""

    @property
    def uncertainty(self) -> Uncertainty | None:
        """Intervals, differences and the answer."""
        return self.board.uncertainty

    def model(self, name: str) -> ModelRecord | None:
        """Model of a name; None for the constant model that no candidate is."""
        return next((model for model in self.models if model.name == name), None)

    def with_probabilities(self) -> list[ModelRecord]:
        """Models that predict probabilities, best first."""
        return [
            model
            for model in self.models
            if model.predictions is not None
            and all(fold.proba is not None for fold in model.predictions.folds)
        ]

    def constant_models(self) -> set[str]:
        """Names of the models that predict the same for all rows of a fold."""
        # The one that no candidate is has no ModelRecord.
        known = self.uncertainty
        return set() if known is None else {m.model for m in known.models if m.constant}

    def varying_models(self) -> list[ModelRecord]:
        """Models that predict probabilities which are not constant, best first."""
        constant = self.constant_models()
        return [model for model in self.with_probabilities() if model.name not in constant]

    def coloured_models(self) -> list[str]:
        """Models with a colour of their own: the first three that are not constant."""
        constant = self.constant_models()
        names = [m.name for m in self.models if m.error is None and m.name not in constant]
        return names[: len(MODELS)]

    def colours(self) -> dict[str, str]:
        """Colour of each model without error: best, next best, a reference, and others."""
        names = [model.name for model in self.models if model.error is None]
        return colours_of(names, self.coloured_models())


@dataclass(frozen=True, eq=False)
class Pooled:
    """Out-of-fold rows of one model, all folds and repeats together."""

    y: np.ndarray[Any, Any]  # labels
    codes: np.ndarray[Any, Any]  # positions of the labels among the classes
    proba: np.ndarray[Any, Any]  # (n, n_classes)
    rows: np.ndarray[Any, Any]  # positions in the data set
    folds: np.ndarray[Any, Any]  # number of the fold, over all repeats
    sample_weight: np.ndarray[Any, Any] | None
    groups: np.ndarray[Any, Any] | None
    time: np.ndarray[Any, Any] | None
    amount: np.ndarray[Any, Any] | None = None  # that multiplies the costs of a row


def pooled(predictions: Predictions) -> Pooled:
    """Rows of all folds of a model that predicts probabilities, in the order of the folds."""
    folds = predictions.folds

    def joined(name: str) -> Any:
        arrays = [getattr(fold, name) for fold in folds]
        return None if any(values is None for values in arrays) else np.concatenate(arrays)

    y = joined("y")
    place = {label: i for i, label in enumerate(predictions.classes)}
    proba = joined("proba")
    assert proba is not None
    return Pooled(
        y=y,
        codes=np.array([place[label] for label in y.tolist()], dtype=np.intp),
        proba=proba if proba.ndim == 2 else np.column_stack([1.0 - proba, proba]),
        rows=joined("rows"),
        folds=np.concatenate([np.full(len(fold.rows), i) for i, fold in enumerate(folds)]),
        sample_weight=joined("sample_weight"),
        groups=joined("groups"),
        time=joined("time"),
        amount=joined("amount"),
    )


def record_of(
    result: ExperimentResult,
    about: About,
    *,
    run_id: str = "",
    store: str = "",
    started: float | None = None,
) -> RunRecord:
    """Record of a result; without `started`, the time of its first fit is its start."""
    board = result.leaderboard(about.shown)
    by_name = {item.candidate.name: item for item in result.candidate_results}
    models = [model_record(by_name[row.model], result.dataset) for row in board.ranked()]
    if started is None:
        fits = (p.started for item in result.candidate_results for p in item.predictions)
        started = min(fits, default=0.0)
    return RunRecord(about, tuple(models), board, run_id, without_secrets(store), started)


def model_record(item: CandidateResult, dataset: Dataset) -> ModelRecord:
    """Record of a candidate of a result."""
    candidate = item.candidate
    trained = candidate.trained_on
    curves, trials = all_curves(item), all_trials(item)
    return ModelRecord(
        name=candidate.name,
        predictions=out_of_fold(item, dataset),
        fold_values=item.fold_values(),
        fit_seconds=item.fit_seconds,
        predict_seconds=sum(prediction.predict_seconds for prediction in item.predictions),
        error=item.error,
        parameters={key: str(value) for key, value in candidate.parameters.items()},
        warnings=tuple(
            f"{count} of {len(item.predictions)} folds: {message}"
            for message, count in item.warnings.items()
        ),
        train_values=train_values(item),
        importance=importance_table(item),
        segments=segments_table(item),
        curves=curves if len(curves) else None,
        trials=trials if len(trials) else None,
        space=None
        if trials.empty
        else {dotted(name): dimension for name, dimension in candidate.estimator.space.items()},
        family=candidate.family,
        trained_on=None if trained is None else trained.label,
        trained_column=None if trained is None or not trained.plain else trained.loss.name,
        corrected=candidate.variant_of is not None,
    )
