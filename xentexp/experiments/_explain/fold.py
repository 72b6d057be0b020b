"""Explanations of one fit: importance, segments and the loss of training rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xentexp._inputs.checked import CheckedInput
from xentexp._inputs.read import read
from xentexp._numerics import FloatArray
from xentexp.experiments._explain.importance import column_name, increases, n_chosen
from xentexp.experiments._explain.plan import Plan
from xentexp.experiments._folds import Fold, Rows, rows_of_test
from xentexp.experiments._process_settings import recorded_warnings
from xentexp.experiments.datasets import Dataset
from xentexp.inference._segments import segment_sums
from xentexp.losses import Loss
from xentexp.metrics._evaluation import evaluate_checked
from xentexp.metrics._registry import get_loss
from xentexp.scorers import predict

Scores = tuple[FloatArray | None, FloatArray | None]  # probabilities, decision scores


@dataclass(frozen=True, eq=False)
class Explanation:
    """Explanations of one fit; the package docstring has the columns of the tables."""

    importance: pd.DataFrame | None = None
    segments: pd.DataFrame | None = None
    loss_name: str | None = None  # None if no loss of rows applies
    train_loss: float | None = None  # mean over a sample of the training rows
    seconds: float = 0.0
    errors: tuple[str, ...] = ()  # what could not be computed


def explain_fold(
    model: Any, fold: Fold, dataset: Dataset, scores: Scores, plan: Plan
) -> Explanation:
    """Explain a fitted model; `scores` are its predictions of the test rows."""
    start = perf_counter()
    work = _Work(model, fold, dataset, scores, plan)
    with recorded_warnings():  # not used: the predictions of the test rows gave the same ones
        train_loss = work.attempt("the loss of training rows", work.train_loss)
        importance = work.attempt("importance", work.importance)
        segments = work.attempt("segments", work.segments)
    return Explanation(
        importance,
        segments,
        work.loss_name,
        train_loss,
        perf_counter() - start,
        tuple(work.errors),
    )


def explain_variant(fold: Fold, dataset: Dataset, scores: Scores, plan: Plan) -> Explanation:
    """Segments of a variant, whose importance would be that of the same fit."""
    start = perf_counter()
    work = _Work(None, fold, dataset, scores, plan)
    segments = work.attempt("segments", work.segments)
    seconds = perf_counter() - start
    return Explanation(None, segments, work.loss_name, None, seconds, tuple(work.errors))


class _Work:
    """Computations that share the predictions of a fold and the chosen loss."""

    def __init__(
        self, model: Any, fold: Fold, dataset: Dataset, scores: Scores, plan: Plan
    ) -> None:
        self.model, self.fold, self.dataset, self.plan = model, fold, dataset, plan
        self.proba, self.decision = scores
        self.y, self.weight = rows_of_test(fold, dataset)
        self.errors: list[str] = []
        self.loss = self.attempt("the loss of rows", self._chosen)
        self.loss_name = None if self.loss is None else self.loss.name

    def attempt(self, what: str, compute: Callable[[], Any]) -> Any:
        """Result of a computation; None, and a message, if it fails."""
        try:
            return compute()
        except Exception as error:  # an explanation never fails a fit
            first = (str(error).strip() or type(error).__name__).split("\n")[0]
            self.errors.append(f"{what} could not be computed: {first}")
            return None

    def _chosen(self) -> Loss | None:
        """Primary loss if it applies to the predictions, else log loss, else None."""
        checked = self._checked(self.y, (self.proba, self.decision))
        for loss in (self.plan.loss, get_loss("categorical_crossentropy")):
            if loss is not None and loss.why_not(checked) is None:
                return loss
        return None

    def _checked(self, y: NDArray[Any], scores: Scores) -> CheckedInput:
        return read(y, scores[0], decision=scores[1], labels=self.dataset.classes)

    def _losses(self, y: NDArray[Any], scores: Scores) -> FloatArray:
        """Loss of each row, without weights."""
        assert self.loss is not None
        result = evaluate_checked(self._checked(y, scores), [self.loss], per_sample=True)
        assert result.per_sample is not None
        return result.per_sample[self.loss.name]

    def _predicted_losses(self, X: pd.DataFrame, y: NDArray[Any]) -> FloatArray:
        assert self.loss is not None
        of_proba = self.proba is not None
        of_proba = of_proba and self.loss.response not in ("decision_function", "latent")
        scores = predict(self.model, X, self.dataset.classes, proba=of_proba, decision=not of_proba)
        return self._losses(y, scores)

    def _places(self) -> dict[str, Any]:
        return {
            "repeat": self.fold.repeat,
            "fold": self.fold.number,
            "loss_name": self.loss_name,
        }

    def _rng(self) -> np.random.Generator:
        """Generator of the fold: equal rows and permutations for all models."""
        return np.random.default_rng([self.plan.explain.seed, self.fold.repeat, self.fold.number])

    def train_loss(self) -> float | None:
        """Mean loss of at most `n_rows` training rows."""
        if self.loss is None:
            return None
        rows = _sample(self.fold.train, self.plan.explain.n_rows, self._rng())
        y = self.dataset.y.to_numpy()[rows]
        losses = self._predicted_losses(self.dataset.X.iloc[rows], y)
        weight = self.dataset.sample_weight
        return _mean(losses, None if weight is None else weight[rows])

    def importance(self) -> pd.DataFrame | None:
        """Increases of the loss of a sample of the test rows."""
        features = self.plan.features
        if self.loss is None or not features:
            return None
        rng = self._rng()
        n = n_chosen(self.plan.explain.n_rows, self.plan.n_folds, len(features))
        chosen = _sample(np.arange(len(self.y)), n, rng)
        X, y = self.dataset.X.iloc[self.fold.test[chosen]], self.y[chosen]
        scores = tuple(None if s is None else s[chosen] for s in (self.proba, self.decision))
        losses = self._losses(y, (scores[0], scores[1]))
        increase = increases(
            lambda copies, rows: self._predicted_losses(copies, y[rows]), X, losses, features, rng
        )
        optional = {"sample_weight": self.weight, "group": self.fold.test_groups}
        names = [[str(X.columns[i]) for i in columns] for columns in features]
        return pd.DataFrame(
            {
                **self._places(),
                "row": self.fold.test[chosen],
                "loss": losses,
                **{key: value[chosen] for key, value in optional.items() if value is not None},
                **{
                    column_name(group): increase[:, i].astype(np.float32)
                    for i, group in enumerate(names)
                },
            }
        )

    def segments(self) -> pd.DataFrame | None:
        """Sums of the test rows in each segment."""
        if self.proba is None or not self.plan.bins:
            return None
        place = {label: i for i, label in enumerate(self.dataset.classes)}
        proba = self.proba
        sums = segment_sums(
            self.plan.bins,
            self.dataset.X.iloc[self.fold.test, : len(self.plan.bins)],
            np.array([place[label] for label in self.y.tolist()], dtype=np.intp),
            np.column_stack([1.0 - proba, proba]) if proba.ndim == 1 else proba,
            losses=None if self.loss is None else self._losses(self.y, (proba, self.decision)),
            weight=self.weight,
            groups=self.fold.test_groups,
        )
        return sums.assign(**self._places())


def _sample(rows: Rows, n: int, rng: np.random.Generator) -> Rows:
    """At most n of the rows, in their order."""
    if len(rows) <= n:
        return rows
    return np.sort(rng.choice(rows, n, replace=False))


def _mean(losses: FloatArray, weight: FloatArray | None) -> float | None:
    """Weighted mean; None if all weights are 0."""
    if weight is None:
        return float(losses.mean())
    kept = weight > 0.0
    return float(np.average(losses[kept], weights=weight[kept])) if kept.any() else None
