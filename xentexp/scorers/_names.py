"""`get_scorer` and `loss_scorers`: scorers by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import ArrayLike
from sklearn.metrics import get_scorer as sklearn_get_scorer
from sklearn.metrics import get_scorer_names as sklearn_get_scorer_names

from xentexp.errors import InputError, unknown_name
from xentexp.losses import LOSSES, Loss, load_plugins
from xentexp.metrics._base import DatasetMetric, Metric
from xentexp.metrics._registry import (
    DATASET_METRICS,
    get_metric,
    get_metrics,
    matching_metrics,
)
from xentexp.scorers._scorer import MetricScorer, MetricScorers, score_name


def get_scorer(
    name: str | Metric | Callable[..., Any],
    *,
    labels: ArrayLike | None = None,
    n_jobs: int | None = None,
) -> Any:
    """Return a scorer by name, of xentexp or of scikit-learn.

    Parameters
    ----------
    name : str, Loss, DatasetMetric or callable
        ``"neg_<name>"`` for a loss, and for a metric for which lower is better;
        ``"<name>"`` for a metric for which higher is better, e.g. ``"gini"``. If scikit-learn
        has a scorer of the same name (e.g. ``"roc_auc"``, ``"average_precision"``), that one is
        returned; ``MetricScorer(name)`` gives the metric of xentexp. A loss or metric object is
        accepted too. A callable is returned unchanged.
    labels : array-like of shape (k,), default=None
        All classes, in their order if they are ordered. By default the classes are those of the
        fitted classifier and of `y`, sorted. Only for scorers of xentexp.
    n_jobs : int or None, default=None
        Number of threads, as for `MetricScorer`. Only for scorers of xentexp.

    Returns
    -------
    callable
        A scorer with the signature ``scorer(estimator, X, y)``, for ``scoring=`` in
        scikit-learn. Higher is better.

    Raises
    ------
    InputError
        If the name is unknown (the message lists similar names), if the loss or metric does not
        rank models, or if `labels` or `n_jobs` is given for a scorer of scikit-learn.

    See Also
    --------
    loss_scorers : One scorer for many losses.
    get_scorer_names : All names.

    Examples
    --------
    >>> get_scorer("neg_brier_loss")
    MetricScorer(metric='brier_loss')
    >>> get_scorer("gini")
    MetricScorer(metric='gini')
    """
    if isinstance(name, (Loss, DatasetMetric)):
        score_name(name)
        return MetricScorer(name, labels=labels, n_jobs=n_jobs)
    if isinstance(name, str) and name not in sklearn_get_scorer_names():
        bare = name.removeprefix("neg_")
        try:
            metric = get_metric(bare)
        except InputError:
            raise unknown_name("scorer", name, get_scorer_names(), shown=_ours()) from None
        has_classes = metric.properties.targets not in _NOT_OF_CLASSES
        if has_classes and score_name(metric).startswith("neg_") == (bare != name):
            built_in = type(metric).__module__.startswith("xentexp.")
            # A worker process that unpickles only the name of a plug-in would not find it.
            return MetricScorer(bare if built_in else metric, labels=labels, n_jobs=n_jobs)
        if has_classes:
            raise InputError(f"unknown scorer {name!r}; did you mean {score_name(metric)!r}?")
        raise unknown_name("scorer", name, get_scorer_names(), shown=_ours())
    for option, value in (("labels", labels), ("n_jobs", n_jobs)):
        if value is not None:
            raise InputError(
                f"{option} must be left out for {name!r}, a scorer of scikit-learn; got {value!r}"
                f"{_own_scorer(name, option)}"
            )
    return sklearn_get_scorer(name)


def _own_scorer(name: object, option: str) -> str:
    """End of a message that names the scorer of xentexp for the same metric, if there is one."""
    bare = name.removeprefix("neg_") if isinstance(name, str) else ""
    if len(matching_metrics(bare)) != 1:
        return ""
    return f"; use MetricScorer({bare!r}, {option}=...)"


def get_scorer_names() -> list[str]:
    """Return the names that `get_scorer` accepts, including those of scikit-learn.

    Returns
    -------
    list of str
        Sorted names. `get_scorer` also accepts ``"neg_balanced_<loss>"`` for any loss.

    Examples
    --------
    >>> "neg_categorical_crossentropy" in get_scorer_names()
    True
    """
    return sorted({*_ours(), *sklearn_get_scorer_names()})


_NOT_OF_CLASSES = ("multilabel", "positive")
"""Kinds of targets other than classes, which a classifier cannot predict."""


_SETTINGS = "; for two parameter settings pass a dict of MetricScorer to scoring="


def _ours() -> list[str]:
    load_plugins()
    everything: list[Metric] = [*LOSSES.values(), *DATASET_METRICS.values()]
    return [
        score_name(metric)
        for metric in everything
        if metric.properties.targets not in _NOT_OF_CLASSES
        and not metric.properties.prior
        and metric.higher_is_better is not None
    ]


def loss_scorers(
    losses: str | Metric | Sequence[str | Metric] | None = None,
    *,
    labels: ArrayLike | None = None,
    n_jobs: int | None = None,
) -> MetricScorers:
    """Return one scorer of many losses, for ``scoring=`` of `cross_validate` and searches.

    Parameters
    ----------
    losses : str, Loss, DatasetMetric or sequence of these, default=None
        Losses and metrics, by name or as objects. By default all losses that are defined for
        the classifier and its number of classes.
    labels : array-like of shape (k,), default=None
        All classes, in their order if they are ordered. By default the classes are those of the
        fitted classifier and of `y`, sorted. Pass them if a fold may lack a class.
    n_jobs : int or None, default=None
        Number of threads, as for `MetricScorers`.

    Returns
    -------
    MetricScorers
        A callable that predicts once per fold. It returns a dict with the score
        ``"neg_<name>"`` for each loss and each metric for which lower is better, and
        ``"<name>"`` for each metric for which higher is better. A metric that is undefined for a
        fold is NaN, with an ``UndefinedMetricWarning``.

    Raises
    ------
    InputError
        If a name is unknown or a duplicate, or if a loss or metric does not rank models.

    See Also
    --------
    get_scorer : Scorer of a single loss or metric.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_validate
    >>> X, y = load_iris(return_X_y=True)
    >>> scores = cross_validate(LogisticRegression(max_iter=1000), X, y,
    ...                         scoring=loss_scorers(["brier_loss", "roc_auc"]))
    >>> [name for name in scores if name.startswith("test_")]
    ['test_neg_brier_loss', 'test_roc_auc']
    """
    if losses is None:
        return MetricScorers(None, labels, n_jobs)
    metrics = get_metrics(losses, duplicate_hint=_SETTINGS)
    for metric in metrics:
        score_name(metric)
        if metric.properties.targets == "multilabel":
            raise InputError(
                f"{metric.name} is for several labels in a row, so it does not score classifiers"
            )
    named = list(losses) if isinstance(losses, (list, tuple)) else metrics
    return MetricScorers(named, labels, n_jobs)
