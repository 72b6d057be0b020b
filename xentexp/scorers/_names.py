"""Scorers by name: one, or many from one prediction per fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import ArrayLike
from sklearn.metrics import get_scorer as sklearn_get_scorer
from sklearn.metrics import get_scorer_names as sklearn_get_scorer_names

from xentexp.errors import InputError, unknown_name
from xentexp.losses import LOSSES, Loss, load_plugins
from xentexp.metrics._base import DatasetMetric, Metric
from xentexp.metrics._registry import DATASET_METRICS, get_metric, get_metrics
from xentexp.scorers._scorer import MetricScorer, MetricScorers, score_name


def get_scorer(name: str | Metric | Callable[..., Any], *, labels: ArrayLike | None = None) -> Any:
    """Scorer by name: ours, and scikit-learn's own.

    Parameters
    ----------
    name : str, Loss, DatasetMetric or callable
        ``neg_<name>`` for a loss, or for a metric of the data set of which lower is better;
        ``<name>`` for one of which higher is better, e.g. ``"gini"``. A name of scikit-learn's,
        e.g. ``"roc_auc"``, is scikit-learn's. A callable is handed back.
    labels : array-like, optional
        Every class, for our scorers.

    Returns
    -------
    callable
        With the signature ``scorer(estimator, X, y)``.

    Raises
    ------
    InputError
        For an unknown name, with the nearest ones, and for `labels` with a scorer of
        scikit-learn's, which takes none.

    Examples
    --------
    >>> get_scorer("neg_brier_loss")
    MetricScorer(metric='brier_loss')
    >>> get_scorer("gini")
    MetricScorer(metric='gini')
    """
    if isinstance(name, (Loss, DatasetMetric)):
        score_name(name)
        return MetricScorer(name, labels=labels)
    if isinstance(name, str) and name not in sklearn_get_scorer_names():
        bare = name.removeprefix("neg_")
        try:
            metric = get_metric(bare)
        except InputError:
            raise unknown_name("scorer", name, get_scorer_names(), shown=_ours()) from None
        scorable = metric.properties.targets not in _NOT_OF_CLASSES
        if scorable and score_name(metric).startswith("neg_") == (bare != name):
            ours = type(metric).__module__.startswith("xentexp.")
            # A worker that unpickles the name of another's loss would not know it.
            return MetricScorer(bare if ours else metric, labels=labels)
        if scorable:
            raise InputError(f"unknown scorer {name!r}; did you mean {score_name(metric)!r}?")
        raise unknown_name("scorer", name, get_scorer_names(), shown=_ours())
    if labels is not None:
        raise InputError(f"labels go with the scorers of xentexp; {name!r} takes none")
    return sklearn_get_scorer(name)


def get_scorer_names() -> list[str]:
    """Names that `get_scorer` knows, scikit-learn's included.

    Returns
    -------
    list of str
        Sorted; ``neg_balanced_<loss>`` is known for any loss besides.

    Examples
    --------
    >>> "neg_categorical_crossentropy" in get_scorer_names()
    True
    """
    return sorted({*_ours(), *sklearn_get_scorer_names()})


_NOT_OF_CLASSES = ("multilabel", "positive")
"""Targets that the labels of a classifier cannot be."""


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
    losses: str | Metric | Sequence[str | Metric] | None = None, *, labels: ArrayLike | None = None
) -> MetricScorers:
    """Scorer of many losses at once, for ``scoring=`` of `cross_validate` and searches.

    Parameters
    ----------
    losses : str, Loss, DatasetMetric or sequence of them, optional
        Which losses and metrics; all losses that the classifier and the number of
        classes allow by default.
    labels : array-like, optional
        Every class.

    Returns
    -------
    MetricScorers
        A callable that predicts once per fold and gives ``neg_<name>`` for each loss, and for
        each metric of which lower is better, ``<name>`` for one of which higher is.

    Raises
    ------
    InputError
        For an unknown name, and for one that does not rank.

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
        return MetricScorers(None, labels)
    metrics = get_metrics(losses)
    for metric in metrics:
        score_name(metric)
        if metric.properties.targets == "multilabel":
            raise InputError(f"{metric.name} is for several labels in a row; no classifier has it")
    named = isinstance(losses, (list, tuple))
    return MetricScorers(list(losses) if named else metrics, labels)  # type: ignore[arg-type]
