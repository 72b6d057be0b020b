"""Scorers: callables that a search or cross-validation calls with a fitted classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from xentexp._inputs.asarray import to_array
from xentexp._inputs.labels import distinct, is_missing, show
from xentexp._inputs.read import ascending, read
from xentexp._numerics import Array
from xentexp.errors import InputError
from xentexp.metrics._base import Metric
from xentexp.metrics._evaluation import check_applies, evaluate_checked, losses_for
from xentexp.metrics._registry import get_metric, get_metrics


class MetricScorer(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Scorer of one loss or metric: higher is better, so that losses are negative.

    A scikit-learn scorer with `get_params`, so that it clones, pickles, and takes
    `sample_weight` through metadata routing.

    Parameters
    ----------
    metric : str, Loss or DatasetMetric
        A loss or metric, by name or as an object.
    labels : array-like, optional
        Every class. Without it the classes are those that the estimator was fitted on and
        those of the test part, sorted.

    Notes
    -----
    A class that the training part lacks has probability 0 (clipped at 2.2e-16, so that a row
    of it costs 36.04 nats), and a decision score one below the row's lowest. Where a metric is
    undefined, e.g. on a fold of one class, the scorer raises, and scikit-learn records
    ``error_score``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> scorer = MetricScorer("categorical_crossentropy")
    >>> scorer(LogisticRegression(max_iter=1000).fit(X, y), X, y)
    -0.119...
    """

    def __init__(self, metric: str | Metric, labels: ArrayLike | None = None) -> None:
        self.metric = metric
        self.labels = labels

    def score(
        self, estimator: Any, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Score of the predictions for `X`.

        Parameters
        ----------
        estimator : object
            A fitted classifier or pipeline.
        X : array-like
            Rows to predict.
        y : array-like of shape (n,)
            Their labels.
        sample_weight : array-like of shape (n,), optional
            Weights.

        Returns
        -------
        float
            Higher is better.

        Raises
        ------
        InputError
            Where the classifier lacks the predictions that the metric needs, and where the
            metric is undefined.
        """
        metrics = [get_metric(self.metric)]
        (score,) = _scores(estimator, X, y, metrics, self.labels, sample_weight).values()
        return score

    __call__ = score


class MetricScorers(BaseEstimator):  # type: ignore[misc]
    """Scorer of many losses and metrics at once, which predicts once per fold.

    Parameters
    ----------
    metrics : sequence of str, Loss or DatasetMetric, optional
        Which losses and metrics; all losses that the classifier and the number of classes
        allow by default.
    labels : array-like, optional
        Every class, as for `MetricScorer`. Without it, what applies depends on the classes of
        the fold: name `metrics` or give `labels` where folds may lack a class.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from xentexp.scorers import MetricScorers
    >>> X, y = [[0]] * 4, [0, 0, 0, 1]
    >>> MetricScorers(["brier_loss"])(DummyClassifier().fit(X, y), X, y)
    {'neg_brier_loss': -0.1875}
    """

    def __init__(
        self,
        metrics: str | Metric | Sequence[str | Metric] | None = None,
        labels: ArrayLike | None = None,
    ) -> None:
        self.metrics = metrics
        self.labels = labels

    def score(
        self, estimator: Any, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> dict[str, float]:
        """Scores of the predictions for `X`.

        Parameters
        ----------
        estimator : object
            A fitted classifier or pipeline.
        X : array-like
            Rows to predict.
        y : array-like of shape (n,)
            Their labels.
        sample_weight : array-like of shape (n,), optional
            Weights.

        Returns
        -------
        dict
            ``neg_<name>``, or ``<name>`` of a metric of which higher is better, to a float.

        Raises
        ------
        InputError
            Where the classifier lacks the predictions that a named loss or metric needs.
        """
        metrics = None if self.metrics is None else get_metrics(self.metrics)
        return _scores(estimator, X, y, metrics, self.labels, sample_weight)

    __call__ = score


def score_name(metric: Metric) -> str:
    """Name of the score of a loss or metric; an InputError where it cannot rank models."""
    if metric.properties.prior and getattr(metric, "null", None) == "training prior":
        raise InputError(
            f"{metric.name} needs the training prior, which a scorer does not see; name another "
            f"null model, MetricScorer(get_metric({metric.name!r}, null='test prior')), or take "
            f"scikit-learn's d2_log_loss_score or d2_brier_score"
        )
    if metric.higher_is_better is not None:
        return metric.name if metric.higher_is_better else f"neg_{metric.name}"
    if metric.properties.direction == "nearest":
        raise InputError(
            f"{metric.name} is best near {metric.properties.optimum:g}, neither high nor low, so "
            f"it is not a score"
        )
    raise InputError(f"{metric.name} does not rank predictions, so it is not a score")


def _scores(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    metrics: Sequence[Metric] | None,
    labels: ArrayLike | None,
    sample_weight: ArrayLike | None,
) -> dict[str, float]:
    """Scores by name, in the order of `metrics`; all losses that apply where that is None."""
    if not hasattr(estimator, "classes_"):
        raise InputError(
            f"{describe(estimator)} has no classes_: losses are for fitted classifiers"
        )
    has_proba = hasattr(estimator, "predict_proba")
    has_decision = hasattr(estimator, "decision_function")
    responses = {"predict_proba", "decision_function"}
    if metrics is not None:
        for metric in metrics:
            score_name(metric)
            if missing := lacking(metric.response, has_proba=has_proba, has_decision=has_decision):
                raise InputError(
                    f"{metric.name} needs {missing}, but {describe(estimator)} does not provide it"
                )
        responses = {metric.response for metric in metrics}
    use_proba = has_proba and not responses.isdisjoint({"predict_proba", "either"})
    use_decision = has_decision and (
        not responses.isdisjoint({"decision_function", "latent"}) or not use_proba
    )
    known = np.asarray(estimator.classes_).tolist()
    classes = all_classes(known, y, labels)
    proba, decision = predict(estimator, X, classes, proba=use_proba, decision=use_decision)
    checked = read(
        y,
        proba,
        decision=decision,
        labels=classes,
        sample_weight=sample_weight,
        ordered=labels is not None or ascending(tuple(classes)),
    )
    if metrics is None:
        metrics = [loss for loss in losses_for(checked) if loss.higher_is_better is not None]
    else:
        check_applies(checked, metrics)
    values = evaluate_checked(checked, metrics).values
    return {
        score_name(metric): values[metric.name] if metric.higher_is_better else -values[metric.name]
        for metric in metrics
    }


def lacking(response: str, *, has_proba: bool, has_decision: bool) -> str | None:
    """Methods that a loss or metric needs and an estimator lacks, or None."""
    if response == "predict_proba":
        return None if has_proba else "predict_proba"
    if response in ("decision_function", "latent"):
        return None if has_decision else "decision_function"
    return None if has_proba or has_decision else "predict_proba or decision_function"


def predict(
    estimator: Any, X: Any, classes: Sequence[Any], *, proba: bool = True, decision: bool = True
) -> tuple[Array | None, Array | None]:
    """Probabilities and decision scores of a fitted classifier, with a column for every class.

    Parameters
    ----------
    estimator : object
        A fitted classifier or pipeline.
    X : array-like
        Rows.
    classes : sequence
        Every class, in the order wanted.
    proba, decision : bool
        What is wanted.

    Returns
    -------
    proba : ndarray of shape (n, k) or None
        A class unknown to the estimator has probability 0. None where it has no
        `predict_proba`.
    decision : ndarray of shape (n,) or (n, k), or None
        A class unknown to the estimator scores one below the row's lowest. None where it has
        no `decision_function`.

    Raises
    ------
    InputError
        Where it has neither, and for scores of pairs of classes.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> model = DummyClassifier().fit([[0]] * 4, ["no", "no", "no", "yes"])
    >>> predict(model, [[0]], ["no", "maybe", "yes"])[0]
    array([[0.75, 0.  , 0.25]])
    """
    has_proba = hasattr(estimator, "predict_proba")
    has_decision = hasattr(estimator, "decision_function")
    if not has_proba and not has_decision:
        raise InputError(f"{describe(estimator)} has neither predict_proba nor decision_function")
    known = np.asarray(estimator.classes_).tolist()
    probabilities = scores = None
    if proba and has_proba:
        probabilities = _align(np.asarray(estimator.predict_proba(X)), known, classes, absent=0.0)
    if decision and has_decision:
        last = _last_step(estimator)
        if getattr(last, "decision_function_shape", "ovr") == "ovo" and len(known) > 2:
            raise InputError(
                f"losses of decision scores need one column for each of {len(known)} classes; "
                f"{describe(estimator)} has scores of pairs of classes: set "
                f"decision_function_shape='ovr'"
            )
        scores = _align(np.asarray(estimator.decision_function(X)), known, classes, absent=None)
    return probabilities, scores


def _align(
    values: Array, known: Sequence[Any], classes: Sequence[Any], *, absent: float | None
) -> Array:
    """Columns of `known` as columns of all `classes`; None: one below the row's lowest."""
    if values.ndim == 2 and values.shape[1] != len(known):
        raise InputError(
            f"predictions must have one column for each of {len(known)} classes; their shape is "
            f"{values.shape} (an SVC needs decision_function_shape='ovr')"
        )
    if list(known) == list(classes):
        return values
    if values.ndim == 1:
        values = np.stack([np.zeros_like(values), values], axis=1)
    filled = np.zeros((len(values), len(classes)), dtype=values.dtype)
    filled[:] = values.min(axis=1, keepdims=True) - 1.0 if absent is None else absent
    position = {label: column for column, label in enumerate(classes)}
    filled[:, [position[label] for label in known]] = values
    return filled


def all_classes(known: list[Any], y: ArrayLike, labels: ArrayLike | None) -> list[Any]:
    """Classes that the classifier knows and those of the labels, or `labels` as given."""
    if labels is not None:
        given = np.asarray(labels).tolist()
        strange = [label for label in known if label not in given]
        if strange:
            raise InputError(f"labels must name every class of the classifier; it knows {strange}")
        return list(given)
    found = to_array(y, "y")
    if found.ndim != 1:
        raise InputError(f"y must hold labels, of shape (n,); its shape is {found.shape}")
    unseen = {label for label in distinct(found) if not is_missing(label)}.difference(known)
    try:
        return sorted([*known, *unseen]) if unseen else list(known)
    except TypeError:
        raise InputError(
            f"y holds {show(list(unseen))}, which has no order with the classes {show(known)} of "
            f"the classifier; pass labels="
        ) from None


def _last_step(estimator: Any) -> Any:
    """The classifier itself, out of searches and pipelines."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        else:
            return estimator


def describe(estimator: Any) -> str:
    """Name of a classifier, for a message."""
    return type(_last_step(estimator)).__name__
