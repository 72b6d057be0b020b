"""`MetricScorer` and `MetricScorers`, and aligned predictions of a fitted classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import metadata_routing

from xentexp._inputs.labels import distinct, is_missing, show, to_classes, to_labels
from xentexp._inputs.options import check_bool, refuse_unordered
from xentexp._inputs.read import ascending, read
from xentexp._numerics import Array
from xentexp.errors import InputError
from xentexp.metrics._base import Metric
from xentexp.metrics._evaluation import check_applies, evaluate_checked, losses_for
from xentexp.metrics._registry import get_metric, get_metrics
from xentexp.scorers._sklearn import Predict, SklearnScorer, call_method


class MetricScorer(SklearnScorer):
    """Scorer of one loss or metric for scikit-learn.

    Higher is better, so the score of a loss is its negative value. The scorer can be cloned and
    pickled, and accepts `sample_weight`. In a dictionary of scorers it shares the predictions with
    the others, also with those of scikit-learn.

    Parameters
    ----------
    metric : str, Loss or DatasetMetric
        The loss or metric, by name or as an object.
    labels : array-like of shape (k,), default=None
        All classes, in their order if they are ordered. By default the classes are those of the
        fitted classifier and of `y`, sorted.
    n_jobs : int or None, default=None
        Number of threads that compute the losses; -1 for all cores. Scores are equal to the last
        digit for any number. None means 1, or the `n_jobs` of a context
        ``joblib.parallel_config`` with a backend on this machine. In a worker of joblib or Dask,
        e.g. of ``cross_validate(..., n_jobs=2)``, it is always 1.

    See Also
    --------
    get_scorer : Scorer by name.

    Notes
    -----
    A class that is not among the training rows has the predicted probability 0. The
    cross-entropy clips it at 2.2e-16, so that each test row of the class has a loss of 36.04
    nats. The decision score of such a class is the lowest score of the row minus 1.

    If the metric is undefined, e.g. for a fold with a single class, the scorer raises an
    `UndefinedError`, and scikit-learn records its ``error_score``. `MetricScorers` returns NaN for
    such a metric instead.

    ``TunedThresholdClassifierCV`` evaluates a scorer on predicted classes. They count as
    probabilities of 0 and 1, as with scikit-learn's own scorers. Losses of decision scores raise
    an `InputError` there.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> scorer = MetricScorer("categorical_crossentropy")
    >>> scorer(LogisticRegression(max_iter=1000).fit(X, y), X, y)
    -0.119...
    """

    # `estimator` is an argument of `score`, not metadata that a search could pass on.
    __metadata_request__score: ClassVar = {"estimator": metadata_routing.UNUSED}

    def __init__(
        self, metric: str | Metric, labels: ArrayLike | None = None, n_jobs: int | None = None
    ) -> None:
        self.metric = metric
        self.labels = labels
        self.n_jobs = n_jobs

    def score(
        self, estimator: Any, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Score the predictions of a fitted classifier; a call of the scorer is the same.

        Parameters
        ----------
        estimator : object
            A fitted classifier, pipeline or search.
        X : array-like of shape (n, n_features)
            Rows for which the classifier predicts.
        y : array-like of shape (n,)
            Labels of these rows.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row, at least 0. By default all rows have the same weight.

        Returns
        -------
        float
            Value of the metric, or minus the value if lower is better.

        Raises
        ------
        InputError
            If the classifier does not provide the predictions that the metric needs, or if
            `metric` does not rank models.
        UndefinedError
            If the metric has no value for these rows.
        """
        return self._score_with(call_method, estimator, X, y, sample_weight)

    __call__ = score

    def _metric(self) -> Metric:
        return get_metric(self.metric)

    def _score_with(
        self, predict: Predict, estimator: Any, X: Any, y: Any, sample_weight: Any
    ) -> float:
        scores = _scores(
            estimator,
            X,
            y,
            [self._metric()],
            self.labels,
            sample_weight,
            self.n_jobs,
            call=predict,
        )
        (score,) = scores.values()
        return score

    def _value_of_classes(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
        metric = self._metric()
        score_name(metric)
        if metric.response in ("decision_function", "latent"):
            raise InputError(
                f"{metric.name} needs decision scores, but the tool of scikit-learn passes "
                f"predicted classes to the scorer; choose a metric of probabilities or classes, "
                f"e.g. zero_one_loss"
            )
        predicted = to_labels(y_pred, "y_pred")
        classes = all_classes(sorted(distinct(predicted)), y_true, self.labels)
        column = {label: number for number, label in enumerate(classes)}
        proba = np.eye(len(classes))[[column[label] for label in predicted.tolist()]]
        checked = read(
            y_true,
            proba,
            labels=classes,
            sample_weight=sample_weight,
            ordered=self.labels is not None or ascending(tuple(classes)),
        )
        check_applies(checked, [metric])
        return evaluate_checked(checked, [metric], n_jobs=self.n_jobs).values[metric.name]


class MetricScorers(BaseEstimator):  # type: ignore[misc]
    """Scorer of many losses and metrics for scikit-learn, which predicts once per fold.

    Higher is better, so the score of a loss is its negative value.

    Parameters
    ----------
    metrics : str, Loss, DatasetMetric or sequence of these, default=None
        Losses and metrics, by name or as objects. By default all losses that are defined for
        the classifier and its number of classes.
    labels : array-like of shape (k,), default=None
        All classes, in their order if they are ordered. By default the classes are those of the
        fitted classifier and of `y`, sorted. The default of `metrics` depends on the number of
        classes: pass `metrics` or `labels` if a fold may lack a class.
    n_jobs : int or None, default=None
        Number of threads that compute the losses; -1 for all cores. Scores are equal to the last
        digit for any number. None means 1, or the `n_jobs` of a context
        ``joblib.parallel_config`` with a backend on this machine. In a worker of joblib or Dask,
        e.g. of ``cross_validate(..., n_jobs=2)``, it is always 1.

    See Also
    --------
    loss_scorers : The same, with names that are checked at once.
    MetricScorer : Scorer of a single loss or metric, which raises an error if it is undefined.

    Notes
    -----
    If a metric is undefined, e.g. `roc_auc` for a fold with a single class, its score is NaN, and
    the scorer warns with an ``UndefinedMetricWarning`` of scikit-learn. An exception would make
    scikit-learn lose the other scores of the fold.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from xentexp.scorers import MetricScorers
    >>> X, y = [[0]] * 4, [0, 0, 0, 1]
    >>> MetricScorers(["brier_loss"])(DummyClassifier().fit(X, y), X, y)
    {'neg_brier_loss': -0.1875}
    """

    __metadata_request__score: ClassVar = {"estimator": metadata_routing.UNUSED}

    def __init__(
        self,
        metrics: str | Metric | Sequence[str | Metric] | None = None,
        labels: ArrayLike | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.metrics = metrics
        self.labels = labels
        self.n_jobs = n_jobs

    def score(
        self, estimator: Any, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> dict[str, float]:
        """Score the predictions of a fitted classifier; a call of the scorer is the same.

        Parameters
        ----------
        estimator : object
            A fitted classifier, pipeline or search.
        X : array-like of shape (n, n_features)
            Rows for which the classifier predicts.
        y : array-like of shape (n,)
            Labels of these rows.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row, at least 0. By default all rows have the same weight.

        Returns
        -------
        dict of str to float
            Minus the value as ``"neg_<name>"`` if lower is better, else the value as
            ``"<name>"``. NaN for a metric that has no value for these rows.

        Raises
        ------
        InputError
            If the classifier does not provide the predictions that a requested loss or metric
            needs, or if one of them does not rank models.

        Warns
        -----
        UndefinedMetricWarning
            If a metric has no value for these rows, with the reason.
        """
        metrics = None if self.metrics is None else get_metrics(self.metrics)
        return _scores(
            estimator, X, y, metrics, self.labels, sample_weight, self.n_jobs, undefined="warn"
        )

    __call__ = score

    def _accept_sample_weight(self) -> bool:
        return True


def score_name(metric: Metric) -> str:
    """Name of the score of a loss or metric; an InputError if it does not rank models."""
    if metric.properties.prior and getattr(metric, "null", None) == "training prior":
        raise InputError(
            f"{metric.name} needs the training prior, which a scorer does not receive; use "
            f"another null model, MetricScorer(get_metric({metric.name!r}, null='test prior')), or "
            f"d2_log_loss_score or d2_brier_score of scikit-learn"
        )
    if metric.higher_is_better is not None:
        return metric.name if metric.higher_is_better else f"neg_{metric.name}"
    if metric.properties.direction == "nearest":
        raise InputError(
            f"{metric.name} is best near {metric.properties.optimum:g}, so it is not a score, "
            f"for which higher is better"
        )
    raise InputError(f"{metric.name} does not rank predictions, so it is not a score")


def _scores(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    metrics: Sequence[Metric] | None,
    labels: ArrayLike | None,
    sample_weight: ArrayLike | None,
    n_jobs: int | None,
    undefined: Literal["raise", "warn"] = "raise",
    call: Predict = call_method,
) -> dict[str, float]:
    """Scores by name, in the order of `metrics`; None: all losses that are defined."""
    known = fitted_classes(estimator)
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
    classes = all_classes(known, y, labels)
    if len(classes) < 2:
        raise InputError(
            f"there must be two or more classes; {describe(estimator)} and y have only "
            f"{show(classes)}; pass labels= with every class, or cv= to RidgeClassifierCV, which "
            f"otherwise hides two classes from a scorer"
        )
    proba, decision = _predict(estimator, X, classes, use_proba, use_decision, call)
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
    values = evaluate_checked(checked, metrics, n_jobs=n_jobs, undefined=undefined).values
    return {
        score_name(metric): values[metric.name] if metric.higher_is_better else -values[metric.name]
        for metric in metrics
    }


def lacking(response: str, *, has_proba: bool, has_decision: bool) -> str | None:
    """Method that a loss or metric needs and an estimator does not have; None if it has it."""
    if response == "predict_proba":
        return None if has_proba else "predict_proba"
    if response in ("decision_function", "latent"):
        return None if has_decision else "decision_function"
    return None if has_proba or has_decision else "predict_proba or decision_function"


def predict(
    estimator: Any, X: Any, classes: Sequence[Any], *, proba: bool = True, decision: bool = True
) -> tuple[Array | None, Array | None]:
    """Predict probabilities and decision scores with a column for each of the given classes.

    Parameters
    ----------
    estimator : object
        A fitted classifier, pipeline or search.
    X : array-like of shape (n, n_features)
        Rows for which the classifier predicts.
    classes : sequence
        All k classes, in the order of the columns that are returned. They include the classes
        of the classifier.
    proba : bool, default=True
        If False, `predict_proba` is not called, and None is returned for it.
    decision : bool, default=True
        If False, `decision_function` is not called, and None is returned for it.

    Returns
    -------
    proba : ndarray of shape (n, k) or None
        Predicted probabilities. A class that the classifier was not fitted on has probability
        0. None if the classifier does not provide `predict_proba`.
    decision : ndarray of shape (n,) or (n, k), or None
        Decision scores. A class that the classifier was not fitted on has the lowest score of
        the row minus 1. None if the classifier does not provide `decision_function`.

    Raises
    ------
    InputError
        If the classifier provides neither method, or if its decision scores are for pairs of
        classes.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from xentexp.scorers import predict
    >>> model = DummyClassifier().fit([[0]] * 4, ["no", "no", "no", "yes"])
    >>> predict(model, [[0]], ["no", "maybe", "yes"])[0]
    array([[0.75, 0.  , 0.25]])
    """
    check_bool("proba", proba)
    check_bool("decision", decision)
    refuse_unordered("classes", classes)
    return _predict(estimator, X, classes, proba, decision, call_method)


def _predict(
    estimator: Any, X: Any, classes: Sequence[Any], proba: bool, decision: bool, call: Predict
) -> tuple[Array | None, Array | None]:
    has_proba = hasattr(estimator, "predict_proba")
    has_decision = hasattr(estimator, "decision_function")
    if not has_proba and not has_decision:
        raise InputError(
            f"estimator must have predict_proba or decision_function; {describe(estimator)} has "
            f"neither"
        )
    known = fitted_classes(estimator)
    probabilities = scores = None
    if proba and has_proba:
        values = np.asarray(call(estimator, "predict_proba", X))
        probabilities = _align(values, known, classes, absent=0.0)
    if decision and has_decision:
        last = _last_step(estimator)
        if getattr(last, "decision_function_shape", "ovr") == "ovo" and len(known) > 2:
            raise InputError(
                f"decision scores must have one column for each of {len(known)} classes; "
                f"{describe(estimator)} has scores of pairs of classes; pass "
                f"decision_function_shape='ovr' to it"
            )
        values = np.asarray(call(estimator, "decision_function", X))
        scores = _align(values, known, classes, absent=None)
    return probabilities, scores


def _align(
    values: Array, known: Sequence[Any], classes: Sequence[Any], *, absent: float | None
) -> Array:
    """Columns for all `classes`; new ones get `absent` (None: the lowest of the row minus 1)."""
    if values.ndim == 2 and values.shape[1] != len(known):
        raise InputError(
            f"predictions must have one column for each of {len(known)} classes; their shape is "
            f"{values.shape}; pass decision_function_shape='ovr' to an SVC"
        )
    if list(known) == list(classes):
        return values
    if values.ndim == 1:
        values = np.stack([np.zeros_like(values), values], axis=1)
    aligned = np.zeros((len(values), len(classes)), dtype=values.dtype)
    aligned[:] = values.min(axis=1, keepdims=True) - 1.0 if absent is None else absent
    position = {label: column for column, label in enumerate(classes)}
    aligned[:, [position[label] for label in known]] = values
    return aligned


def fitted_classes(estimator: Any) -> list[Any]:
    """Classes of a fitted classifier of a single target."""
    if not hasattr(estimator, "classes_"):
        raise InputError(
            f"estimator must be a fitted classifier; {describe(estimator)} has no classes_"
        )
    classes = estimator.classes_
    if any(isinstance(label, (np.ndarray, list, tuple)) for label in classes):
        raise InputError(
            f"estimator must be a classifier of one target; {describe(estimator)} was fitted on "
            f"{len(classes)} targets; fit and score a classifier for each target"
        )
    known: list[Any] = np.asarray(classes).tolist()
    if missing := [label for label in known if is_missing(label)]:
        raise InputError(
            f"classes_ of the classifier must not have missing values; {describe(estimator)} was "
            f"fitted on rows with the label {missing[0]}; remove these rows"
        )
    return known


def all_classes(known: list[Any], y: ArrayLike, labels: ArrayLike | None) -> list[Any]:
    """`labels`, or else the classes of the classifier and of `y`, sorted."""
    if labels is not None:
        classes = to_classes(labels)
        missing = [label for label in known if label not in classes]
        if missing:
            raise InputError(f"labels must have every class of the classifier; missing: {missing}")
        return list(classes)
    array = to_labels(y, "y")
    if array.ndim != 1:
        raise InputError(f"y must be labels of shape (n,); its shape is {array.shape}")
    unseen = {label for label in distinct(array) if not is_missing(label)}.difference(known)
    try:
        return sorted([*known, *unseen]) if unseen else list(known)
    except TypeError:
        raise InputError(
            f"y must have labels that can be sorted with the classes {show(known)} of the "
            f"classifier; got {show(list(unseen))}; pass labels= with every class"
        ) from None


def _last_step(estimator: Any) -> Any:
    """The classifier in a search or pipeline."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        else:
            return estimator


def describe(estimator: Any) -> str:
    """Name of the class of the classifier, for messages."""
    return type(_last_step(estimator)).__name__
