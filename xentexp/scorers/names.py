"""Scorers by name: one, or many from one prediction per fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import ArrayLike
from sklearn.metrics import get_scorer as sklearn_get_scorer
from sklearn.metrics import get_scorer_names as sklearn_get_scorer_names

from xentexp.errors import InputError, unknown_name
from xentexp.losses import LOSSES, Loss, load_plugins
from xentexp.metrics.base import SampleMetric
from xentexp.metrics.registry import SAMPLE_METRICS, get_sample_metric, is_sample_metric
from xentexp.scorers.scorer import (
    LossScorer,
    LossScorers,
    SampleScorer,
    listed,
    score_name,
    to_metric,
)


def get_scorer(name: str | Callable[..., Any], *, labels: ArrayLike | None = None) -> Any:
    """Scorer by name: ours, and scikit-learn's own.

    Parameters
    ----------
    name : str or callable
        ``neg_<name>`` for a loss, or for a metric of a sample of which lower is better;
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
    LossScorer(loss='brier_loss')
    >>> get_scorer("gini")
    SampleScorer(metric='gini')
    """
    if isinstance(name, str) and name not in sklearn_get_scorer_names():
        bare = name.removeprefix("neg_")
        negative = bare != name
        load_plugins()
        if negative and bare in _scorable():
            ours = type(LOSSES[bare]).__module__.startswith("xentexp.")
            # A worker that unpickles the name of another's loss would not know it.
            return LossScorer(bare if ours else LOSSES[bare], labels=labels)
        if is_sample_metric(bare):
            metric = get_sample_metric(bare)
            if score_name(metric).startswith("neg_") == negative:
                return SampleScorer(bare, labels=labels)
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


def _scorable() -> list[str]:
    """Names of the losses that labels and a classifier's predictions can have."""
    return [
        name
        for name, loss in LOSSES.items()
        if loss.properties.direction == "lower"
        and loss.properties.targets not in ("multilabel", "positive")
    ]


def _ours() -> list[str]:
    load_plugins()
    losses = [f"neg_{name}" for name in _scorable()]
    return losses + [
        score_name(metric)
        for metric in SAMPLE_METRICS.values()
        if metric.properties.direction != "nearest" and not metric.properties.prior
    ]


def loss_scorers(
    losses: Sequence[str | Loss | SampleMetric] | None = None, *, labels: ArrayLike | None = None
) -> LossScorers:
    """Scorer of many losses at once, for ``scoring=`` of `cross_validate` and searches.

    Parameters
    ----------
    losses : sequence of str, Loss or SampleMetric, optional
        Which losses, and metrics of a sample; all losses that the classifier and the number of
        classes allow by default.
    labels : array-like, optional
        Every class.

    Returns
    -------
    LossScorers
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
    chosen = listed(losses)
    if chosen is not None:
        if len(chosen) == 0:
            raise InputError("losses must name one loss at least; got none")
        for loss in chosen:
            score_name(to_metric(loss))
    return LossScorers(chosen, labels)
