"""scikit-learn scorers: one loss by name, or many from one prediction per fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.metrics import get_scorer as sklearn_get_scorer
from sklearn.metrics import get_scorer_names as sklearn_get_scorer_names

from xentexp.errors import InputError, unknown_name
from xentexp.evaluation import choose, run
from xentexp.losses import LOSSES, Loss, get_loss
from xentexp.validation import read
from xentexp.validation.arrays import is_missing, show, to_array
from xentexp.validation.targets import distinct

Array = NDArray[Any]

_RANKED = tuple(name for name, loss in LOSSES.items() if loss.facts.direction == "lower")


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
        return _score(estimator, X, y, [loss], self.labels, sample_weight)[loss.name]

    __call__ = score


class LossScorers(BaseEstimator):  # type: ignore[misc]
    """Scorer of many losses at once, which predicts once: ``neg_<name>``, higher is better.

    Parameters
    ----------
    losses : sequence of str or Loss, optional
        Which losses; all that the classifier and the number of classes allow by default.
    labels : array-like, optional
        Every class, as for `LossScorer`. Without it, what applies depends on the classes of
        the fold: name `losses` or give `labels` where folds may lack a class.
    """

    def __init__(
        self, losses: Sequence[str | Loss] | None = None, labels: ArrayLike | None = None
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
            ``neg_<name>`` to a float.

        Raises
        ------
        InputError
            Where the classifier lacks what a named loss needs.
        """
        named = [self.losses] if isinstance(self.losses, (str, Loss)) else self.losses
        losses = None if named is None else [get_loss(loss) for loss in named]
        scores = _score(estimator, X, y, losses, self.labels, sample_weight)
        return {f"neg_{name}": score for name, score in scores.items()}

    __call__ = score


def get_scorer(name: str | Callable[..., Any], *, labels: ArrayLike | None = None) -> Any:
    """Scorer by name: ours as ``neg_<loss>``, and scikit-learn's own.

    Parameters
    ----------
    name : str or callable
        E.g. ``"neg_categorical_crossentropy"`` or ``"roc_auc"``; a callable is handed back.
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
    """
    if isinstance(name, str) and name.removeprefix("neg_") in _RANKED and name.startswith("neg_"):
        return LossScorer(name.removeprefix("neg_"), labels=labels)
    if isinstance(name, str) and name not in sklearn_get_scorer_names():
        ours = [f"neg_{loss}" for loss in _RANKED]
        raise unknown_name("scorer", name, get_scorer_names(), shown=ours)
    if labels is not None:
        raise InputError(f"labels go with the scorers of xentexp; {name!r} takes none")
    return sklearn_get_scorer(name)


def get_scorer_names() -> list[str]:
    """Names that `get_scorer` knows, scikit-learn's included.

    Returns
    -------
    list of str
        Sorted.

    Examples
    --------
    >>> "neg_categorical_crossentropy" in get_scorer_names()
    True
    """
    ours = [f"neg_{name}" for name in _RANKED]
    return sorted({*ours, *sklearn_get_scorer_names()})


def loss_scorers(
    losses: Sequence[str | Loss] | None = None, *, labels: ArrayLike | None = None
) -> LossScorers:
    """Scorer of many losses at once, for ``scoring=`` of `cross_validate` and searches.

    Parameters
    ----------
    losses : sequence of str or Loss, optional
        Which losses; all that the classifier and the number of classes allow by default.
    labels : array-like, optional
        Every class.

    Returns
    -------
    LossScorers
        A callable that predicts once per fold and gives ``neg_<name>`` for each loss.

    Raises
    ------
    InputError
        For an unknown name.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_validate
    >>> X, y = load_iris(return_X_y=True)
    >>> scores = cross_validate(LogisticRegression(max_iter=1000), X, y,
    ...                         scoring=loss_scorers(["brier_loss", "categorical_hinge"]))
    >>> [name for name in scores if name.startswith("test_")]
    ['test_neg_brier_loss', 'test_neg_categorical_hinge']
    """
    if isinstance(losses, (str, Loss)):
        losses = [losses]
    if losses is not None:
        if len(losses) == 0:
            raise InputError("losses must name one loss at least; got none")
        for loss in losses:
            _check_ranked(get_loss(loss))
    return LossScorers(losses, labels)


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
        raise InputError(f"{_describe(estimator)} has neither predict_proba nor decision_function")
    known = np.asarray(estimator.classes_).tolist()
    probabilities = scores = None
    if proba and has_proba:
        probabilities = _align(np.asarray(estimator.predict_proba(X)), known, classes, absent=0.0)
    if decision and has_decision:
        last = _last_step(estimator)
        if getattr(last, "decision_function_shape", "ovr") == "ovo" and len(known) > 2:
            raise InputError(
                f"losses of decision scores need one column for each of {len(known)} classes; "
                f"{_describe(estimator)} has scores of pairs of classes: set "
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


def _check_ranked(loss: Loss) -> None:
    if loss.name not in _RANKED:
        raise InputError(f"{loss.name} ranks nothing, so it is no score")


def _all_classes(known: list[Any], y: ArrayLike, labels: ArrayLike | None) -> list[Any]:
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


def _score(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    losses: Sequence[Loss] | None,
    labels: ArrayLike | None,
    sample_weight: ArrayLike | None,
) -> dict[str, float]:
    if not hasattr(estimator, "classes_"):
        raise InputError(
            f"{_describe(estimator)} has no classes_: losses are for fitted classifiers"
        )
    has_proba = hasattr(estimator, "predict_proba")
    has_decision = hasattr(estimator, "decision_function")
    for loss in losses or ():
        _check_ranked(loss)
        lacking = _lacking(loss, has_proba=has_proba, has_decision=has_decision)
        if lacking:
            raise InputError(f"{loss.name} needs {lacking}, which {_describe(estimator)} has not")
    needs = {"probabilities", "scores"} if losses is None else {loss.facts.needs for loss in losses}
    use_proba = has_proba and not needs.isdisjoint({"probabilities", "either"})
    use_decision = has_decision and ("scores" in needs or not use_proba)
    known = np.asarray(estimator.classes_).tolist()
    classes = _all_classes(known, y, labels)
    proba, decision = predict(estimator, X, classes, proba=use_proba, decision=use_decision)
    problem = read(y, proba, decision=decision, labels=classes, sample_weight=sample_weight)
    chosen = [loss for loss in choose(problem, losses) if loss.name in _RANKED]
    return {name: -value for name, value in run(problem, chosen).mean.items()}


def _lacking(loss: Loss, *, has_proba: bool, has_decision: bool) -> str | None:
    """Methods that a loss needs and an estimator lacks, or None."""
    if loss.facts.needs == "probabilities":
        return None if has_proba else "predict_proba"
    if loss.facts.needs == "scores":
        return None if has_decision else "decision_function"
    return None if has_proba or has_decision else "predict_proba or decision_function"


def _last_step(estimator: Any) -> Any:
    """The classifier itself, out of searches and pipelines."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        else:
            return estimator


def _describe(estimator: Any) -> str:
    return type(_last_step(estimator)).__name__


__all__ = ["LossScorer", "LossScorers", "get_scorer", "get_scorer_names", "loss_scorers", "predict"]
