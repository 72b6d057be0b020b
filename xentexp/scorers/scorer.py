"""Scorers: callables that a search or cross-validation hands a fitted classifier to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from xentexp.errors import InputError
from xentexp.inputs.asarray import to_array
from xentexp.inputs.labels import distinct, is_missing, show
from xentexp.inputs.read import ascending, read
from xentexp.losses import Loss, get_loss
from xentexp.metrics.base import SampleMetric
from xentexp.metrics.evaluation import choose, run
from xentexp.metrics.registry import get_sample_metric, is_sample_metric
from xentexp.metrics.sample import Sample
from xentexp.numerics import Array


class LossScorer(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Scorer of one loss: the negative loss of an estimator's predictions, higher is better.

    A scikit-learn scorer with `get_params`, so that it clones, pickles, and takes
    `sample_weight` through metadata routing.

    Parameters
    ----------
    loss : str or Loss
        A loss, by name or itself.
    labels : array-like, optional
        Every class. Without it the classes are those that the estimator was fitted on and
        those of the test part, sorted.

    Notes
    -----
    A class that the training part lacks has probability 0 (clipped at 2.2e-16, so that a row
    of it costs 36.04 nats), and a decision score one below the row's lowest.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> scorer = LossScorer("categorical_crossentropy")
    >>> scorer(LogisticRegression(max_iter=1000).fit(X, y), X, y)
    -0.119...
    """

    def __init__(self, loss: str | Loss, labels: ArrayLike | None = None) -> None:
        self.loss = loss
        self.labels = labels

    def score(
        self, estimator: Any, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Negative loss of the predictions for `X`.

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
            Where the classifier lacks what the loss needs.
        """
        loss = get_loss(self.loss)
        return _score(estimator, X, y, [loss], self.labels, sample_weight)[f"neg_{loss.name}"]

    __call__ = score


class SampleScorer(BaseEstimator):  # type: ignore[misc]
    """Scorer of a metric of a sample: its value, negative where lower is better.

    Parameters
    ----------
    metric : str or SampleMetric
        A metric, by name or itself.
    labels : array-like, optional
        Every class, as for `LossScorer`.

    Notes
    -----
    Where the metric is undefined, e.g. on a fold of one class, it raises, and scikit-learn
    notes ``error_score``.

    Examples
    --------
    >>> from xentexp.metrics.registry import get_sample_metric
    >>> SampleScorer(get_sample_metric("d2_brier_loss", null="uniform"))
    SampleScorer(metric=D2Score(loss='brier_loss', null='uniform'))
    """

    def __init__(self, metric: str | SampleMetric, labels: ArrayLike | None = None) -> None:
        self.metric = metric
        self.labels = labels

    def score(
        self, estimator: Any, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Value of the metric for the predictions for `X`; higher is better.

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
            Negative where lower is better.

        Raises
        ------
        InputError
            Where the classifier lacks what the metric needs, and where it is undefined.
        """
        metric = get_sample_metric(self.metric)
        (score,) = _score(estimator, X, y, [metric], self.labels, sample_weight).values()
        return score

    __call__ = score


class LossScorers(BaseEstimator):  # type: ignore[misc]
    """Scorer of many losses at once, which predicts once: ``neg_<name>``, higher is better.

    Parameters
    ----------
    losses : sequence of str, Loss or SampleMetric, optional
        Which losses, and metrics of a sample; all losses that the classifier and the number of
        classes allow by default.
    labels : array-like, optional
        Every class, as for `LossScorer`. Without it, what applies depends on the classes of
        the fold: name `losses` or give `labels` where folds may lack a class.
    """

    def __init__(
        self,
        losses: Sequence[str | Loss | SampleMetric] | None = None,
        labels: ArrayLike | None = None,
    ) -> None:
        self.losses = losses
        self.labels = labels

    def score(
        self, estimator: Any, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> dict[str, float]:
        """Negative losses of the predictions for `X`.

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
            Where the classifier lacks what a named loss needs.
        """
        chosen = listed(self.losses)
        metrics = None if chosen is None else [to_metric(loss) for loss in chosen]
        return _score(estimator, X, y, metrics, self.labels, sample_weight)

    __call__ = score


def listed(
    losses: Sequence[str | Loss | SampleMetric] | str | Loss | SampleMetric | None,
) -> Sequence[str | Loss | SampleMetric] | None:
    """A single name or value as a list of one."""
    if isinstance(losses, (str, Loss, SampleMetric)) or hasattr(losses, "definition"):
        return [losses]  # type: ignore[list-item]
    return losses


def to_metric(name: str | Loss | SampleMetric) -> Loss | SampleMetric:
    """Loss, or metric of a sample, by name or itself."""
    if isinstance(name, SampleMetric) or (isinstance(name, str) and is_sample_metric(name)):
        return get_sample_metric(name)
    return get_loss(name)


def score_name(metric: Loss | SampleMetric) -> str:
    """Name of a score of which higher is better, or a complaint where there is none."""
    if isinstance(metric, Loss):
        if metric.properties.direction != "lower":
            raise InputError(f"{metric.name} ranks nothing, so it is no score")
        return f"neg_{metric.name}"
    if metric.properties.direction == "nearest":
        raise InputError(
            f"{metric.label} is best near {metric.properties.optimum:g}, neither high nor low, so "
            f"it is no score"
        )
    if metric.properties.prior and getattr(metric, "null", None) == "training prior":
        raise InputError(
            f"{metric.label} needs the training prior, which a scorer does not see; name another "
            f"null model, SampleScorer(get_sample_metric({metric.label!r}, null='test prior')), or "
            f"take scikit-learn's d2_log_loss_score or d2_brier_score"
        )
    return metric.label if metric.properties.direction == "higher" else f"neg_{metric.label}"


def _score(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    metrics: Sequence[Loss | SampleMetric] | None,
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
    needs = {"probabilities", "scores"}
    if metrics is not None:
        needs = set()
        for metric in metrics:
            score_name(metric)
            wanted = metric.properties.needs if isinstance(metric, Loss) else metric.needs
            missing = lacking(wanted, has_proba=has_proba, has_decision=has_decision)
            if missing:
                name = metric.name if isinstance(metric, Loss) else metric.label
                raise InputError(f"{name} needs {missing}, which {describe(estimator)} has not")
            needs.add(wanted)
    use_proba = has_proba and not needs.isdisjoint({"probabilities", "either"})
    use_decision = has_decision and (not needs.isdisjoint({"scores", "latent"}) or not use_proba)
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
    losses = [m for m in metrics or () if isinstance(m, Loss)]
    state, means = None, {}
    if losses or metrics is None:
        chosen = choose(checked, losses or None)
        state = run(checked, [c for c in chosen if c.properties.direction == "lower"]).state
        means = dict(zip(state.names, state.mean().tolist(), strict=True))
    if metrics is None:
        return {f"neg_{name}": -value for name, value in means.items()}
    sample, scores = Sample(checked, state=state), {}
    for metric in metrics:
        value = means[metric.name] if isinstance(metric, Loss) else metric.measure(sample)
        name = score_name(metric)
        scores[name] = -value if name.startswith("neg_") else value
    return scores


def lacking(needs: str, *, has_proba: bool, has_decision: bool) -> str | None:
    """Methods that a loss or metric needs and an estimator lacks, or None."""
    if needs == "probabilities":
        return None if has_proba else "predict_proba"
    if needs in ("scores", "latent"):
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
