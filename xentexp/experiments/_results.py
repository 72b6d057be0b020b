"""Candidates of an experiment and their results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from xentexp.experiments._assess import assess
from xentexp.experiments._explain import Explanation
from xentexp.experiments._fitting import FoldPrediction
from xentexp.experiments._folds import Fold
from xentexp.experiments._formatting import counted, dotted, setting
from xentexp.experiments._leaderboard import SHOWN, Leaderboard, Row
from xentexp.experiments._predictions import Predictions, of_candidate
from xentexp.experiments._uncertainty import Uncertainty
from xentexp.experiments.datasets import Dataset
from xentexp.losses import Loss
from xentexp.metrics._base import Metric
from xentexp.metrics._evaluation import Evaluation
from xentexp.metrics._registry import get_metric, get_metrics
from xentexp.metrics._running_sums import LossState


@dataclass(frozen=True)
class TrainedOn:
    """Training loss of a candidate, for runs that compare training losses."""

    label: str  # human-readable, e.g. "categorical_focal_crossentropy gamma=1"
    loss: Loss
    plain: bool = True  # equal to the scored loss: default parameters, no weights, no smoothing
    shifted: bool = False  # its minimizing probabilities differ from the true ones


@dataclass(frozen=True)
class Candidate:
    """Model to compare: a name, an unfitted estimator and settings to record.

    `run_experiment` also accepts a mapping of names to estimators; candidates add recorded
    settings and variants.

    Parameters
    ----------
    name : str
        Name in tables, unique among the candidates of an experiment.
    estimator : estimator
        Unfitted classifier; it is cloned for each fold.
    parameters : dict, default={}
        Settings to record with the result, such as ``{"C": 0.1}``. They are not passed to the
        estimator.
    variants : dict, default={}
        Parameters to set on the fitted estimator before it predicts again, by name of the
        variant: ``{"calibrated": {"correct_probabilities": True}}``. Each variant has its own
        result and needs no further fit.
    family : str, default=None
        Name of the model, if several candidates are the same model trained on different losses.
    trained_on : TrainedOn, default=None
        Training loss of this candidate, if the experiment compares training losses; set by
        ``xentexp run train_on=...``.
    variant_of : str, default=None
        Name of the candidate that was fitted, if this one is a variant; set by `run_experiment`.
    space : dict, default=None
        Search space of its hyperparameters, see `xentexp.tuning.read_space`. Only
        ``xentexp run`` with the section ``tune`` uses it; in Python, pass a
        `xentexp.tuning.TunedClassifier` as the estimator.

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
    """Result of one candidate on all folds, or the error that stopped it.

    Attributes
    ----------
    candidate : Candidate
        Model that was fitted.
    predictions : tuple of FoldPrediction
        Out-of-fold predictions of each fold: ``proba``, ``decision`` and ``fold.test`` (positions
        of the predicted rows), times and warnings.
    states : tuple of LossState
        Sums of the losses in each fold, in the order of the folds; empty if the candidate failed.
    metrics : tuple of dict
        Metrics of the whole data set by name, for each fold; NaN if a fold leaves one undefined.
    regrets : tuple of dict
        Regret by loss for each fold: expected loss under the true class probabilities minus the
        smallest possible expected loss. Empty unless the true probabilities are known.
    error : str or None
        Error of the first fold that failed; None if all succeeded.
    traceback : str or None
        Traceback of that error.
    test : Evaluation or None
        Losses and metrics of the labelled test set, predicted by the candidate fitted on all rows.
        None without such rows, or if the fit or the scores failed.
    test_prediction : FoldPrediction or None
        Predictions of the labelled test set.
    test_error : str or None
        Error of the fit on all rows, or of the scores of the test set.

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
    test: Evaluation | None = None
    test_prediction: FoldPrediction | None = None
    test_error: str | None = None

    def __repr__(self) -> str:
        n_folds = counted(len(self.predictions), "fold")
        status = n_folds if self.error is None else f"failed, {self.error}"
        return f"CandidateResult({self.candidate.name}: {status})"

    def fold_losses(self) -> dict[str, list[float]]:
        """Mean of each loss in each fold.

        Returns
        -------
        dict of str to list of float
            Values by name of the loss, in the order of the folds; empty if the candidate failed.
        """
        if not self.states:
            return {}
        table = np.array([state.mean() for state in self.states]).T.tolist()
        return dict(zip(self.states[0].names, table, strict=True))

    def fold_values(self) -> dict[str, list[float]]:
        """Value of each loss and metric in each fold.

        Returns
        -------
        dict of str to list of float
            Values by name, in the order of the folds; NaN if a fold leaves a metric undefined.
        """
        labels = self.metrics[0] if self.metrics else {}
        metrics = {label: [values[label] for values in self.metrics] for label in labels}
        return {**self.fold_losses(), **metrics}

    def pooled(self) -> LossState | None:
        """Sums of the losses over the rows of all folds; a row counts once per repeat.

        Returns
        -------
        LossState or None
            Sums of all folds, with the numbers of clipped rows and infinite values; None if the
            candidate failed.
        """
        if not self.states:
            return None
        return sum(self.states[1:], start=self.states[0])

    def mean(self) -> dict[str, float]:
        """Mean of each loss and metric over the folds, with equal weight for each fold.

        Returns
        -------
        dict of str to float
            Mean by name. NaN if any fold leaves it undefined: a mean of the other folds would
            not be comparable with other candidates.
        """
        return {name: float(np.mean(values)) for name, values in self.fold_values().items()}

    def std(self) -> dict[str, float]:
        """Standard deviation of each loss and metric over the folds.

        Returns
        -------
        dict of str to float
            Standard deviation by name, with the divisor "number of folds - 1"; NaN for one fold.
        """
        return {
            name: float(np.std(values, ddof=1)) if len(values) > 1 else np.nan
            for name, values in self.fold_values().items()
        }

    def standard_error(self) -> dict[str, float]:
        """Standard error of the mean of each loss over the rows, assumed to be independent.

        Repeats predict the same rows again. Their standard errors are averaged; the rows are not
        counted several times.

        Returns
        -------
        dict of str to float
            Standard error by name of the loss; empty if the candidate failed.
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
        """Mean regret of each proper loss over the folds, if the true probabilities are known.

        The regret is the expected loss of the predictions under the true class probabilities,
        minus the expected loss of predicting the true probabilities.

        Returns
        -------
        dict of str to float
            Regret by name of the loss, at least 0, lower is better; empty unless the data set has
            `true_proba`.
        """
        names = self.regrets[0] if self.regrets else {}
        return {name: float(np.mean([r[name] for r in self.regrets])) for name in names}

    def curves(self) -> dict[str, list[float]]:
        """Learning curves of an estimator with ``learning_curve_``, averaged over the folds.

        Returns
        -------
        dict of str to list of float
            Mean of each step by ``"train/<loss>"`` and ``"valid/<loss>"``. A curve ends with the
            fold that stops first, because a mean of fewer folds would jump. Empty unless every
            fold has a learning curve.
        """
        curves = [p.curve for p in self.predictions if p.curve is not None]
        if not curves or len(curves) < len(self.predictions):
            return {}
        means = {}
        for part, losses in curves[0].items():
            for name in losses:
                fold_curves = [curve[part][name] for curve in curves]
                steps = min(map(len, fold_curves))
                table = np.array([values[:steps] for values in fold_curves])
                means[f"{part}/{name}"] = table.mean(axis=0).tolist()
        return means

    @property
    def fit_seconds(self) -> float:
        """Total time of the fits of all folds, in seconds."""
        return sum(prediction.fit_seconds for prediction in self.predictions)

    @property
    def warnings(self) -> dict[str, int]:
        """Number of folds in which each warning was raised, by text of the warning."""
        counts: dict[str, int] = {}
        for prediction in self.predictions:
            for message in prediction.warnings:
                counts[message] = counts.get(message, 0) + 1
        return counts


@dataclass(frozen=True)
class ExperimentResult:
    """Result of `run_experiment`: all candidates on the same folds. It prints as a table.

    Attributes
    ----------
    dataset : Dataset
        Data set of the experiment.
    folds : tuple of Fold
        Training and test rows of each fold.
    candidate_results : tuple of CandidateResult
        Result of each candidate, and of each variant after its candidate, in the order of the
        argument `candidates`.
    primary : str
        Name of the loss or metric that ranks the candidates.
    grouped : ExperimentResult or None
        Result of the same candidates on folds that keep entities together. Set by ``xentexp run``
        if the random folds share entities; None otherwise.
    measures : tuple of Loss and DatasetMetric
        Losses and metrics that were computed; without losses if all that apply were computed.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from xentexp.experiments import load_dataset, run_experiment
    >>> data = load_dataset("simulated_delinquency", n_samples=300)
    >>> models = {"prior": DummyClassifier(), "uniform": DummyClassifier(strategy="uniform")}
    >>> result = run_experiment(data, models, cv=3, metrics=["roc_auc"])
    >>> result
    simulated_delinquency: 300 rows, 3 classes, 3 folds
    ...
    >>> result.uncertainty.best["brier_loss"]
    'prior'
    """

    dataset: Dataset
    folds: tuple[Fold, ...]
    candidate_results: tuple[CandidateResult, ...]
    primary: str
    grouped: ExperimentResult | None = None
    measures: tuple[Metric, ...] = ()

    def __repr__(self) -> str:
        return f"{self._title()}\n\n{self._shown()!r}"

    def _repr_html_(self) -> str:
        return f"<p>{escape(self._title())}</p>{self._shown()._repr_html_()}"

    def _title(self) -> str:
        rows, folds = counted(len(self.dataset.y), "row"), counted(len(self.folds), "fold")
        return f"{self.dataset.name}: {rows}, {len(self.dataset.classes)} classes, {folds}"

    def _shown(self) -> Leaderboard:
        return self.leaderboard(SHOWN if self.primary in SHOWN else (self.primary, *SHOWN))

    def leaderboard(self, shown: str | Sequence[str] | None = None) -> Leaderboard:
        """Table of candidates by losses and metrics, best candidate first.

        Parameters
        ----------
        shown : str or sequence of str, default=None
            Names of the losses and metrics that the table shows; those that no candidate has are
            left out. By default all. Records always contain all.

        Returns
        -------
        Leaderboard
            Table that prints, also in notebooks, and converts to a data frame, to markdown and to
            records.

        Raises
        ------
        InputError
            If a name is unknown or is repeated.

        Examples
        --------
        >>> from sklearn.dummy import DummyClassifier
        >>> from xentexp.experiments import load_dataset, run_experiment
        >>> data = load_dataset("simulated_delinquency", n_samples=300)
        >>> result = run_experiment(data, {"prior": DummyClassifier()}, cv=3)
        >>> board = result.leaderboard(["brier_loss", "gini"])
        >>> board.shown()
        ['brier_loss', 'gini']
        >>> board.best().model
        'prior'
        """
        chosen = None if shown is None else tuple(m.name for m in get_metrics(shown, "shown"))
        rows = tuple(map(_row, self.candidate_results))
        return Leaderboard(rows, self.primary, chosen, self.uncertainty)

    @cached_property
    def uncertainty(self) -> Uncertainty:
        """Intervals, differences to the best candidate, and the answer in sentences.

        It is computed on first use from the out-of-fold predictions, for the primary loss or metric
        and for those that the result prints. With results on grouped folds (`grouped`), their
        answer is one of the warnings.
        """
        predictions = {
            c.candidate.name: predicted
            for c in self.candidate_results
            if (predicted := out_of_fold(c, self.dataset)) is not None
        }
        failed = [c.candidate.name for c in self.candidate_results if c.error is not None]
        computed = {name for c in self.candidate_results for name in c.mean()}
        measures: dict[str, Metric] = {measure.name: measure for measure in self.measures}
        shown = [measures.get(name, name) for name in SHOWN if name in computed]
        primary = measures.get(self.primary, self.primary)
        result = assess(predictions, shown, primary, failed=failed)
        if self.grouped is None:
            return result
        warning = f"on folds that keep entities together: {self.grouped.uncertainty.answer}"
        return replace(result, warnings=(*result.warnings, warning))


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
        test={} if candidate_result.test is None else candidate_result.test.values,
        test_standard_error={}
        if candidate_result.test is None
        else candidate_result.test.standard_error,
        test_reason=candidate_result.test_error,
    )


def out_of_fold(candidate_result: CandidateResult, dataset: Dataset) -> Predictions | None:
    """Out-of-fold predictions of a candidate; None if it failed."""
    if candidate_result.error is not None:
        return None
    return of_candidate(candidate_result.predictions, dataset)


def out_of_test_set(candidate_result: CandidateResult, dataset: Dataset) -> Predictions | None:
    """Predictions of the labelled test set, if there are any."""
    prediction = candidate_result.test_prediction
    if prediction is None or prediction.error is not None:
        return None
    return of_candidate([prediction], dataset)


def all_curves(candidate_result: CandidateResult) -> pd.DataFrame:
    """Complete learning curves of each fold: fold, part, loss, step, value; empty without any."""
    rows = [
        (fold, part, name, step, value)
        for fold, prediction in enumerate(candidate_result.predictions)
        for part, losses in (prediction.curve or {}).items()
        for name, values in losses.items()
        for step, value in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=["fold", "part", "loss", "step", "value"])


def searched_for(candidate_result: CandidateResult) -> str:
    """Name of the loss or metric that the search of a candidate optimizes."""
    return get_metric(candidate_result.candidate.estimator.loss).name


def all_trials(candidate_result: CandidateResult) -> pd.DataFrame:
    """Table of all trials of the searches of a candidate, one per row; empty without any."""
    if not any(prediction.trials for prediction in candidate_result.predictions):
        return pd.DataFrame()
    loss = searched_for(candidate_result)
    return pd.DataFrame(
        [
            {
                "repeat": prediction.fold.repeat,
                "fold": prediction.fold.number,
                "trial": trial["number"],
                "chosen": trial["number"] == prediction.best_trial,
                f"tune/{loss}": trial["value"],
                **{dotted(name): setting(value) for name, value in trial["params"].items()},
                "seconds": round(trial["seconds"], 3),
                "error": trial["error"],
            }
            for prediction in candidate_result.predictions
            for trial in prediction.trials
        ]
    )


def importance_table(candidate_result: CandidateResult) -> pd.DataFrame | None:
    """Increases of the loss by permuted features, of all folds; see `_explain`."""
    return _of_folds([_explanation(p).importance for p in candidate_result.predictions])


def segments_table(candidate_result: CandidateResult) -> pd.DataFrame | None:
    """Sums of segments, of all folds; see `_explain`."""
    return _of_folds([_explanation(p).segments for p in candidate_result.predictions])


def train_values(candidate_result: CandidateResult) -> dict[str, list[float]]:
    """Mean loss of a sample of the training rows of each fold, by name; empty without one."""
    explanations = [_explanation(p) for p in candidate_result.predictions]
    names = [e.loss_name for e in explanations if e.train_loss is not None]
    if not names or names[0] is None:
        return {}
    losses = [np.nan if e.train_loss is None else e.train_loss for e in explanations]
    return {names[0]: losses}


def _explanation(prediction: FoldPrediction) -> Explanation:
    return prediction.explanation or Explanation()


def _of_folds(tables: list[pd.DataFrame | None]) -> pd.DataFrame | None:
    known = [table for table in tables if table is not None]
    return pd.concat(known, ignore_index=True) if known else None
