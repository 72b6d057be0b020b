"""What is compared, and what a run finds out about it: plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from xentexp.experiments._fitting import FoldPrediction
from xentexp.experiments._folds import Fold
from xentexp.experiments._leaderboard import SHOWN, Leaderboard, Row
from xentexp.experiments.datasets import Dataset
from xentexp.losses import Loss
from xentexp.metrics._registry import get_metrics
from xentexp.metrics._running_sums import LossState


@dataclass(frozen=True)
class TrainedOn:
    """What a candidate is trained on, where the run compares that."""

    label: str
    loss: Loss
    plain: bool = True
    shifted: bool = False


@dataclass(frozen=True)
class Candidate:
    """A model to compare: an unfitted estimator under a name.

    Parameters
    ----------
    name : str
        Unique among the candidates of a run.
    estimator : estimator
        Cloned for each fold.
    parameters : dict
        What the user would call its settings, to be recorded.
    variants : dict
        Other readings of the fitted estimator, by name: parameters that are set after the fit.
        Each is a result of its own and costs no fit.
    family : str, optional
        The model, where several candidates are the same one trained on different losses.
    trained_on : TrainedOn, optional
        What this one is trained on, likewise.
    variant_of : str, optional
        Name of the candidate whose fits it reads otherwise.
    space : dict, optional
        What a search of its settings may set: see `xentexp.tuning.read_space`.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from xentexp.experiments import Candidate
    >>> Candidate("logistic", LogisticRegression(C=0.1), parameters={"C": 0.1}).name
    'logistic'
    """

    name: str
    estimator: Any
    parameters: dict[str, object] = field(default_factory=dict)
    variants: dict[str, dict[str, object]] = field(default_factory=dict)
    family: str | None = None
    trained_on: TrainedOn | None = None
    variant_of: str | None = None
    space: dict[str, Any] | None = None


@dataclass(frozen=True)
class CandidateResult:
    """All folds of one candidate, with its losses; `error` instead where it failed.

    Attributes
    ----------
    candidate : Candidate
        The model.
    predictions : tuple of FoldPrediction
        What was predicted in each fold.
    states : tuple of LossState
        One for each fold, in the order of the folds.
    metrics : tuple of dict
        Metrics of the data set by label, for each fold; NaN where a fold has no such value.
    regrets : tuple of dict
        Expected loss above the best possible, for each fold, where the true class
        probabilities are known.
    error, traceback : str or None
        Why it failed, if it did.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from xentexp.experiments import load_dataset, run_experiment
    >>> data = load_dataset("simulated_delinquency", n_samples=300)
    >>> result = run_experiment(data, {"prior": DummyClassifier()}, cv=3)
    >>> result.candidate_results[0]
    CandidateResult(prior: 3 folds)
    >>> [round(value, 2) for value in result.candidate_results[0].fold_values()["zero_one_loss"]]
    [0.34, 0.34, 0.35]
    """

    candidate: Candidate
    predictions: tuple[FoldPrediction, ...]
    states: tuple[LossState, ...] = ()
    metrics: tuple[dict[str, float], ...] = ()
    regrets: tuple[dict[str, float], ...] = ()
    error: str | None = None
    traceback: str | None = None

    def __repr__(self) -> str:
        what = f"{len(self.predictions)} folds" if self.error is None else f"failed, {self.error}"
        return f"CandidateResult({self.candidate.name}: {what})"

    def fold_losses(self) -> dict[str, list[float]]:
        """Mean of each loss in each fold."""
        if not self.states:
            return {}
        table = np.array([state.mean() for state in self.states]).T.tolist()
        return dict(zip(self.states[0].names, table, strict=True))

    def fold_values(self) -> dict[str, list[float]]:
        """Each loss and each metric of the data set, in each fold."""
        labels = self.metrics[0] if self.metrics else {}
        metrics = {label: [values[label] for values in self.metrics] for label in labels}
        return {**self.fold_losses(), **metrics}

    def pooled(self) -> LossState | None:
        """State of all folds together, each row once per repeat; None for a failed candidate."""
        if not self.states:
            return None
        return sum(self.states[1:], start=self.states[0])

    def mean(self) -> dict[str, float]:
        """Mean over the folds of each loss and metric, each fold counting the same.

        NaN where a fold has no such value: a mean of the others would be of other rows.
        """
        return {name: float(np.mean(values)) for name, values in self.fold_values().items()}

    def std(self) -> dict[str, float]:
        """Standard deviation over the folds (divisor: folds - 1) of each loss and metric."""
        return {
            name: float(np.std(values, ddof=1)) if len(values) > 1 else np.nan
            for name, values in self.fold_values().items()
        }

    def standard_error(self) -> dict[str, float]:
        """Standard error of each loss over the rows, taken as independent of each other.

        Repeats predict the same rows again: they are averaged, not counted as more rows.
        """
        repeats: dict[int, LossState] = {}
        for prediction, state in zip(self.predictions, self.states, strict=False):
            repeat = prediction.fold.repeat
            repeats[repeat] = repeats[repeat] + state if repeat in repeats else state
        if not repeats:
            return {}
        errors = np.mean([state.standard_error() for state in repeats.values()], axis=0)
        return dict(zip(self.states[0].names, errors.tolist(), strict=True))

    def regret(self) -> dict[str, float]:
        """Mean over the folds of the expected loss above the best possible."""
        names = self.regrets[0] if self.regrets else {}
        return {name: float(np.mean([r[name] for r in self.regrets])) for name in names}

    def curves(self) -> dict[str, list[float]]:
        """Learning curves, as ``"train/<loss>"`` and ``"valid/<loss>"``: means over the folds.

        They end with the fold that stops first: a mean of fewer folds would jump.
        """
        given = [p.curve for p in self.predictions if p.curve is not None]
        if not given or len(given) < len(self.predictions):
            return {}
        means = {}
        for part, losses in given[0].items():
            for name in losses:
                of_folds = [curve[part][name] for curve in given]
                steps = min(map(len, of_folds))
                table = np.array([values[:steps] for values in of_folds])
                means[f"{part}/{name}"] = table.mean(axis=0).tolist()
        return means

    @property
    def fit_seconds(self) -> float:
        """Time of all fits."""
        return sum(prediction.fit_seconds for prediction in self.predictions)

    @property
    def warnings(self) -> dict[str, int]:
        """Each warning of the fits, and in how many folds it came."""
        found: dict[str, int] = {}
        for prediction in self.predictions:
            for message in prediction.warnings:
                found[message] = found.get(message, 0) + 1
        return found


@dataclass(frozen=True)
class ExperimentResult:
    """What an experiment found, for each candidate on the same folds; it prints as a table.

    Attributes
    ----------
    dataset : Dataset
        Rows and labels.
    folds : tuple of Fold
        Training and test rows of each fold.
    candidate_results : tuple of CandidateResult
        One for each candidate, in the order in which they were given.
    primary : str
        Loss or metric that ranks the candidates.
    grouped : ExperimentResult or None
        The same candidates on folds that keep entities together, where random folds share them.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from xentexp.experiments import load_dataset, run_experiment
    >>> data = load_dataset("simulated_delinquency", n_samples=300)
    >>> run_experiment(data, {"prior": DummyClassifier()}, cv=3, metrics=["roc_auc"])
    simulated_delinquency: 300 rows, 3 classes, 3 folds
    <BLANKLINE>
                              best            prior
    categorical_crossentropy   low  0.8337 ± 0.0121
    brier_loss                 low  0.4943 ± 0.0067
    roc_auc                   high  0.5000 ± 0.0000
    zero_one_loss              low  0.3433 ± 0.0058
    <BLANKLINE>
    Mean ± standard deviation over the folds, ranked by categorical_crossentropy.
    ... more losses and metrics: leaderboard().to_frame()
    """

    dataset: Dataset
    folds: tuple[Fold, ...]
    candidate_results: tuple[CandidateResult, ...]
    primary: str
    grouped: ExperimentResult | None = None

    def __repr__(self) -> str:
        return f"{self._title()}\n\n{self._shown()!r}"

    def _repr_html_(self) -> str:
        return f"<p>{escape(self._title())}</p>{self._shown()._repr_html_()}"

    def _title(self) -> str:
        rows, classes = len(self.dataset.y), len(self.dataset.classes)
        return f"{self.dataset.name}: {rows:,} rows, {classes} classes, {len(self.folds)} folds"

    def _shown(self) -> Leaderboard:
        return self.leaderboard(SHOWN if self.primary in SHOWN else (self.primary, *SHOWN))

    def leaderboard(self, shown: str | Sequence[str] | None = None) -> Leaderboard:
        """Candidates by losses and metrics, best first; a table shows those named, or all."""
        chosen = None if shown is None else tuple(m.name for m in get_metrics(shown, "shown"))
        return Leaderboard(tuple(map(_row, self.candidate_results)), self.primary, chosen)


def _row(candidate_result: CandidateResult) -> Row:
    if candidate_result.error is not None:
        return Row(
            candidate_result.candidate.name,
            reason=candidate_result.error,
            seconds=candidate_result.fit_seconds,
        )
    return Row(
        candidate_result.candidate.name,
        candidate_result.mean(),
        candidate_result.std(),
        candidate_result.standard_error(),
        candidate_result.regret(),
        candidate_result.fit_seconds,
    )


def out_of_fold(candidate_result: CandidateResult, dataset: Dataset) -> pd.DataFrame:
    """Out-of-fold predictions of a candidate."""
    parts = []
    for prediction in candidate_result.predictions:
        fold = prediction.fold
        columns: dict[str, Any] = {
            "row": fold.test,
            "repeat": np.full(len(fold.test), fold.repeat),
            "fold": np.full(len(fold.test), fold.number),
            "y": dataset.y.to_numpy()[fold.test],
        }
        for what, values in (("proba", prediction.proba), ("decision", prediction.decision)):
            if values is None:
                continue
            if values.ndim == 1:
                columns[what] = values
            else:
                for label, column in zip(dataset.classes, values.T, strict=True):
                    columns[f"{what}_{label}"] = column
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def all_curves(candidate_result: CandidateResult) -> pd.DataFrame:
    """Learning curves of each fold, to their ends."""
    rows = [
        (fold, part, name, step, value)
        for fold, prediction in enumerate(candidate_result.predictions)
        for part, losses in (prediction.curve or {}).items()
        for name, values in losses.items()
        for step, value in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=["fold", "part", "loss", "step", "value"])
