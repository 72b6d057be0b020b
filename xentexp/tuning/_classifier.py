"""A scikit-learn classifier that searches the settings of another one with Optuna."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils import (
    Tags,
    assert_all_finite,
    check_random_state,
    column_or_1d,
    get_tags,
    indexable,
)
from sklearn.utils.metaestimators import _safe_split, available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from xentexp.errors import InputError, import_extra
from xentexp.metrics._base import Metric
from xentexp.metrics._registry import get_metric
from xentexp.scorers import MetricScorer
from xentexp.scorers._scorer import score_name
from xentexp.tuning._search import Plan, SearchError, search
from xentexp.tuning._space import Space, read_space
from xentexp.tuning._storage import TrialStore, data_digest, open_trials, study_name


def _delegated(name: str, what: str, returns: str) -> Any:
    """Method of the best estimator, which exists where the estimator has it."""

    def has_method(self: TunedClassifier) -> bool:
        if not self.refit:
            raise AttributeError(f"{name} needs refit=True: nothing is fitted on all rows")
        getattr(getattr(self, "best_estimator_", self.estimator), name)
        return True

    def method(self: TunedClassifier, X: Any) -> NDArray[Any]:
        check_is_fitted(self, "best_estimator_")
        return getattr(self.best_estimator_, name)(X)  # type: ignore[no-any-return]

    method.__name__, method.__qualname__ = name, f"TunedClassifier.{name}"
    method.__doc__ = f"""{what} by the best settings.

        Parameters
        ----------
        X : array-like
            Rows.

        Returns
        -------
        {returns}
            In the order of `classes_`, where there are columns.
        """
    return available_if(has_method)(method)


class TunedClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier whose settings are searched, by any loss in inner folds, when it is fitted.

    It is an estimator: inside `cross_validate` each outer training part has a search of its
    own, and the loss of the outer test parts is honest. The first trial is the classifier as it
    was given, where the space has its settings; TPE draws the others.

    Parameters
    ----------
    estimator : estimator
        Any classifier, or pipeline that ends in one.
    space : mapping
        What is searched, by parameter: see `xentexp.tuning.read_space`.
    loss : str, Loss or DatasetMetric
        What is made small, or large for a metric of which higher is better, e.g. "roc_auc".
    n_trials : int
        Trials in all.
    timeout : float, optional
        Seconds of all trials together after which none is begun.
    cv : int, splitter or iterable of splits
        Inner folds. A number makes shuffled ones that keep the shares of the classes, and the
        groups together where `fit` is given some.
    random_state : int, RandomState or None
        Of the inner folds and the draws. A storage needs a number.
    storage : str or Path, optional
        A sqlite file for the trials. A search that was cut short goes on where it was, and is
        then the same as one that was not; with more `n_trials` it goes further. Searches in
        several processes may share the file.
    study_name : str, optional
        What the names of its studies begin with; the classifier by default. The rest is a
        digest of rows, classifier, space, loss, folds and seed: where one changes, a new study
        begins.
    refit : bool
        Whether the best settings are fitted on all rows.

    Attributes
    ----------
    best_params_ : dict
        Settings of the best trial.
    best_score_ : float
        Its mean score over the inner folds: higher is better, so a loss is negative.
    best_index_ : int
        Its number.
    best_estimator_ : estimator
        Fitted on all rows, with `refit`.
    trials_ : list of dict
        For each trial ``number``, ``params``, ``value`` (mean of the loss or metric as it is,
        None where it failed), ``fold_values``, ``started`` and ``seconds``, ``state``
        ("complete" or "failed"), ``error``, and whether it was ``resumed`` from the storage.
    study_name_ : str or None
        Name of the study in the storage.
    n_splits_ : int
        Inner folds.
    classes_ : ndarray of shape (k,)
        Labels.

    Raises
    ------
    InputError
        At `fit`, for a space, loss or storage that does not fit; `SearchError` where all trials
        fail.

    Notes
    -----
    Optuna's own ``OptunaSearchCV`` takes one study for all fits, so that outer folds would see
    each other's trials, and draws anew when a study is taken up again.

    References
    ----------
    Akiba et al. (2019), Optuna, KDD. Bergstra et al. (2011), Algorithms for hyper-parameter
    optimization, NeurIPS. Varma and Simon (2006), Bias in error estimation when using
    cross-validation for model selection, BMC Bioinformatics 7:91.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> space = {"C": {"low": 0.01, "high": 100.0, "log": True, "type": "float"}}
    >>> model = TunedClassifier(LogisticRegression(max_iter=1000), space, loss="brier_loss",
    ...                         n_trials=5, random_state=0).fit(X, y)
    >>> model.trials_[0]["params"], len(model.trials_)
    ({'C': 1.0}, 5)
    >>> model.best_score_ >= -model.trials_[0]["value"]
    True
    """

    def __init__(
        self,
        estimator: Any,
        space: Mapping[str, Any],
        *,
        loss: str | Metric = "categorical_crossentropy",
        n_trials: int = 20,
        timeout: float | None = None,
        cv: Any = 3,
        random_state: int | np.random.RandomState | None = None,
        storage: str | Path | None = None,
        study_name: str | None = None,
        refit: bool = True,
    ) -> None:
        self.estimator = estimator
        self.space = space
        self.loss = loss
        self.n_trials = n_trials
        self.timeout = timeout
        self.cv = cv
        self.random_state = random_state
        self.storage = storage
        self.study_name = study_name
        self.refit = refit

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Search the settings, and fit the best on all rows.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame
            Training rows.
        y : array-like of shape (n,)
            Labels.
        sample_weight : array-like of shape (n,), optional
            Weights, of fits and scores. A pipeline's last step gets them.
        groups : array-like of shape (n,), optional
            Rows of a group stay together in the inner folds.

        Returns
        -------
        TunedClassifier
            Itself.

        Raises
        ------
        InputError
            See the class.
        """
        import_extra("optuna", "TunedClassifier")
        space = read_space(self.space, self.estimator)
        self.scorer_, sign = self._scorer()
        self._check()
        X, labels, weight, groups = indexable(X, y, sample_weight, groups)
        labels = column_or_1d(labels, warn=True)
        assert_all_finite(labels, input_name="y")
        check_classification_targets(labels)
        weight = None if weight is None else np.asarray(weight)
        self.classes_ = np.unique(labels)
        seed = self.random_state
        if not isinstance(seed, (int, np.integer)):
            seed = int(check_random_state(seed).randint(2**31 - 1))
        splits = list(self._splitter(labels, groups, seed).split(X, labels, groups))
        self.n_splits_ = len(splits)

        inner = InnerFolds(self.estimator, X, labels, weight, tuple(splits), self.scorer_, sign)
        plan = Plan(
            self.n_trials,
            self.timeout,
            int(seed),
            "maximize" if sign > 0 else "minimize",
            _start(space, self.estimator),
        )
        with self._store(X, labels, weight, splits, space, plan) as store:
            self.trials_ = search(space, inner.values, plan, store)
        self._choose(sign)
        if self.refit:
            best = with_settings(self.estimator, self.best_params_)
            self.best_estimator_ = best.fit(X, labels, **fit_weights(best, weight))
            if hasattr(best, "feature_names_in_"):
                self.feature_names_in_ = best.feature_names_in_
        return self

    def _scorer(self) -> tuple[MetricScorer, int]:
        """Scorer, and 1 where its scores are the values, -1 where they are negative losses."""
        metric = get_metric(self.loss)
        sign = -1 if score_name(metric).startswith("neg_") else 1
        return MetricScorer(metric), sign

    def _check(self) -> None:
        for name, value, low in (("n_trials", self.n_trials, 1), ("cv", self.cv, 2)):
            whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
            if (name == "n_trials" or whole or value is None) and (not whole or value < low):
                raise InputError(f"{name} must be a whole number >= {low}; got {value!r}")
        number = isinstance(self.timeout, (int, float)) and not isinstance(self.timeout, bool)
        if self.timeout is not None and not (number and self.timeout > 0):
            raise InputError(f"timeout must be seconds > 0, or None; got {self.timeout!r}")
        whole = isinstance(self.random_state, (int, np.integer))
        if self.storage is not None and not whole:
            raise InputError(
                f"storage needs a whole number as random_state, or a search could not be taken up "
                f"again; got {self.random_state!r}"
            )

    def _splitter(self, y: NDArray[Any], groups: object, seed: int) -> Any:
        if not isinstance(self.cv, (int, np.integer)):
            return check_cv(self.cv, y, classifier=True)
        kind = StratifiedKFold if groups is None else StratifiedGroupKFold
        return kind(int(self.cv), shuffle=True, random_state=seed)

    @contextlib.contextmanager
    def _store(
        self,
        X: Any,
        y: NDArray[Any],
        weight: NDArray[Any] | None,
        splits: list[Any],
        space: Space,
        plan: Plan,
    ) -> Iterator[TrialStore | None]:
        self.study_name_ = None
        if self.storage is None:
            yield None
            return
        self.study_name_ = study_name(
            self.study_name or type(_last(self.estimator)).__name__,
            data_digest(X, y, weight, splits),
            self.estimator,
            space,
            self.scorer_,
            (plan.seed, plan.direction),
        )
        with open_trials(self.storage, self.study_name_, plan.direction) as store:
            yield store

    def _choose(self, sign: int) -> None:
        complete = [trial for trial in self.trials_ if trial["state"] == "complete"]
        if not complete:
            raise SearchError(
                f"all {len(self.trials_)} trials failed; the first: {self.trials_[0]['error']}"
            )
        best = max(complete, key=lambda trial: sign * trial["value"])
        self.best_index_ = best["number"]
        self.best_params_ = best["params"]
        self.best_score_ = sign * best["value"]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags = inner.classifier_tags
        if tags.classifier_tags is not None:
            tags.classifier_tags.multi_label = False
        tags.input_tags = inner.input_tags
        return tags

    @property
    def n_features_in_(self) -> int:
        """Number of features of the training rows."""
        check_is_fitted(self, "best_estimator_")
        return int(self.best_estimator_.n_features_in_)

    predict = _delegated("predict", "Labels", "ndarray of shape (n,)")
    predict_proba = _delegated("predict_proba", "Class probabilities", "ndarray of shape (n, k)")
    predict_log_proba = _delegated(
        "predict_log_proba", "Logarithms of the class probabilities", "ndarray of shape (n, k)"
    )
    decision_function = _delegated(
        "decision_function", "Decision scores", "ndarray of shape (n,) or (n, k)"
    )

    def score(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Score of the search: higher is better, so a loss is negative.

        Parameters
        ----------
        X : array-like
            Rows.
        y : array-like of shape (n,)
            Their labels.
        sample_weight : array-like of shape (n,), optional
            Weights.

        Returns
        -------
        float
            As `best_score_`, but of these rows.
        """
        check_is_fitted(self, "best_estimator_")
        return float(self.scorer_(self.best_estimator_, X, y, sample_weight))


def _last(estimator: Any) -> Any:
    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator


def _start(space: Space, estimator: Any) -> dict[str, Any] | None:
    """Present settings of the estimator, where the space has them all."""
    present = estimator.get_params(deep=True)
    stored = {name: space[name].to_stored(present[name]) for name in space}
    return None if any(value is None for value in stored.values()) else stored


Rows = NDArray[np.intp]


@dataclass(frozen=True)
class InnerFolds:
    """Rows of a search and their inner folds; `sign` is -1 where scores are negative losses."""

    estimator: Any
    X: Any
    y: NDArray[Any]
    weight: NDArray[Any] | None
    splits: tuple[tuple[Rows, Rows], ...]
    scorer: Callable[..., float]
    sign: int

    def values(self, settings: Mapping[str, Any]) -> list[float]:
        """Loss or metric of the settings on each fold."""
        return [self._value(train, test, settings) for train, test in self.splits]

    def _value(self, train: Rows, test: Rows, settings: Mapping[str, Any]) -> float:
        model = with_settings(self.estimator, settings)
        X_train, y_train = _safe_split(model, self.X, self.y, train)
        X_test, y_test = _safe_split(model, self.X, self.y, test, train)
        train_weight, test_weight = (
            None if self.weight is None else self.weight[rows] for rows in (train, test)
        )
        model.fit(X_train, y_train, **fit_weights(model, train_weight))
        return self.sign * float(self.scorer(model, X_test, y_test, test_weight))


def with_settings(estimator: Any, settings: Mapping[str, Any]) -> Any:
    """Copy of an estimator with other settings, of which estimators are copied too."""
    copies = {name: clone(value, safe=False) for name, value in settings.items()}
    return clone(estimator).set_params(**copies)


def fit_weights(estimator: Any, weight: NDArray[Any] | None) -> dict[str, Any]:
    """Argument of `fit` for the weights: a pipeline's last step gets them."""
    if weight is None:
        return {}
    step = f"{estimator.steps[-1][0]}__" if isinstance(estimator, Pipeline) else ""
    return {f"{step}sample_weight": weight}
