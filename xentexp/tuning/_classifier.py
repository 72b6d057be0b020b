"""Scikit-learn classifier that tunes the parameters of another classifier with Optuna."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import (
    Tags,
    get_tags,
)
from sklearn.utils.metaestimators import _safe_split, available_if
from sklearn.utils.validation import check_is_fitted

from xentexp._inputs.options import check_bool, check_integer
from xentexp.errors import InputError, import_extra
from xentexp.metrics._base import Metric
from xentexp.metrics._registry import get_metric
from xentexp.scorers import MetricScorer
from xentexp.scorers._scorer import score_name
from xentexp.tuning._inner_folds import as_seed, check_inner_cv, inner_splits, training_rows
from xentexp.tuning._search import Plan, SearchError, search
from xentexp.tuning._space import Space, read_space
from xentexp.tuning._storage import TrialStore, data_digest, open_trials, study_name
from xentexp.tuning._weights import fit_arguments, fit_weights


def _delegated(name: str, summary: str, returns: str) -> Any:
    """Method of the best estimator; it exists if the estimator has it."""

    def has_method(self: TunedClassifier) -> bool:
        if not self.refit:
            raise AttributeError(
                f"refit must be True for {name}, because no estimator is fitted on all rows; got "
                f"{self.refit!r}"
            )
        getattr(getattr(self, "best_estimator_", self.estimator), name)
        return True

    def method(self: TunedClassifier, X: Any) -> NDArray[Any]:
        check_is_fitted(self, "best_estimator_")
        return getattr(self.best_estimator_, name)(X)  # type: ignore[no-any-return]

    method.__name__, method.__qualname__ = name, f"TunedClassifier.{name}"
    method.__doc__ = f"""{summary} with the estimator that has the best parameters.

        The method exists if `estimator` has it, and requires ``refit=True``.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n, n_features)
            Rows in any form that `estimator` accepts.

        Returns
        -------
        {returns}
            Columns, if there are any, are in the order of `classes_`.
        """
    return available_if(has_method)(method)


class TunedClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classifier that tunes the parameters of another classifier with Optuna when it is fitted.

    `fit` evaluates parameter settings by cross-validation on the training rows (the inner folds)
    and then fits the best setting on all training rows. It is an alternative to
    `sklearn.model_selection.RandomizedSearchCV` that minimizes any loss of xentexp and can resume
    an interrupted search.

    The object is itself a classifier. Inside `cross_validate` every outer training part has its own
    search, so the loss on the outer test parts is not biased by the search [3]_.

    Parameters
    ----------
    estimator : estimator object
        Classifier whose parameters are tuned, or a pipeline that ends in one. It is cloned and not
        changed.
    space : mapping
        Search space: parameter name -> list of choices, or mapping with ``low`` and ``high``, see
        `read_space`. Parameters of a pipeline step are written ``step__parameter``.
    loss : str, Loss or DatasetMetric, default="categorical_crossentropy"
        Loss to minimize, or metric to maximize if higher values are better, such as ``"roc_auc"``.
        A metric whose best value lies in between, such as ``"calibration_slope"``, raises an error.
    n_trials : int, default=20
        Maximum number of trials, that is of evaluated parameter settings, including trials from
        the storage.
    timeout : float, default=None
        Positive number of seconds. After the trials together have taken this time, no further
        trial starts; at least one trial runs. None sets no limit.
    cv : int, splitter or iterable of splits, default=3
        Inner folds. An int of at least 2 uses shuffled `StratifiedKFold`, or `StratifiedGroupKFold`
        if `fit` receives groups. A splitter object or an iterable of (train, test) index arrays
        is used unchanged.
    random_state : int, RandomState instance or None, default=None
        Seed of the inner folds and of the sampler. Pass an int for reproducible results; `storage`
        requires an int.
    storage : str or Path, default=None
        SQLite file in which finished trials are stored; it is created if it does not exist. An
        interrupted search resumes from it and gives the same result as an uninterrupted one; with
        a larger `n_trials` the search continues. Several processes may share the file. None stores
        nothing.
    study_name : str, default=None
        Start of the name of the study in the storage. None uses the class name of the classifier.
        The rest of the name is a digest of rows, weights, classifier, space, loss, folds and seed,
        so a change of any of them starts a new study.
    refit : bool, default=True
        If True, the best parameters are fitted on all rows. If False, only the search runs, and
        `predict` and the other prediction methods are not available.

    Attributes
    ----------
    best_params_ : dict
        Parameters of the best trial.
    best_score_ : float
        Mean score of the best trial over the inner folds. Higher is better: for a loss it is the
        negative loss.
    best_index_ : int
        Number of the best trial, counted from 0.
    best_estimator_ : estimator
        Estimator with the best parameters, fitted on all rows; only if ``refit=True``.
    trials_ : list of dict
        One entry for each trial, with the keys ``number``, ``params``, ``value`` (mean loss or
        metric, not negated; None if the trial failed), ``fold_values``, ``started`` (seconds since
        1970), ``seconds`` (duration), ``state`` (``"complete"`` or ``"failed"``), ``error`` (text
        or None) and ``resumed`` (True if the trial comes from the storage).
    scorer_ : MetricScorer
        Scorer of the inner folds.
    study_name_ : str or None
        Name of the study in the storage; None without storage.
    n_splits_ : int
        Number of inner folds.
    classes_ : ndarray of shape (k,)
        Class labels, sorted.
    n_features_in_ : int
        Number of columns of the training rows; only if ``refit=True``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns; only if `best_estimator_` has them.

    Raises
    ------
    InputError
        In `fit`, if Optuna is not installed or if the space, the loss or another parameter is not
        valid.
    SearchError
        In `fit`, if all trials fail.

    See Also
    --------
    read_space : Form of the search space.
    sklearn.model_selection.RandomizedSearchCV : Search with independent random settings.
    sklearn.model_selection.cross_validate : Evaluate the classifier in outer folds.

    Notes
    -----
    The first trial uses the present parameters of `estimator` if they all lie in the space. The
    tree-structured Parzen estimator (TPE) [2]_ of Optuna [1]_ samples the other trials. A trial
    fails if a fit or a score raises an exception or a score is not a number; the search continues
    with the next one. Sample weights apply to fits and scores.

    Optuna's own ``OptunaSearchCV`` uses a single study for all fits, so outer folds share trials,
    and it samples differently after a study is resumed.

    References
    ----------
    .. [1] Akiba, T. et al. (2019). Optuna: a next-generation hyperparameter optimization framework.
       KDD.
    .. [2] Bergstra, J. et al. (2011). Algorithms for hyper-parameter optimization. NeurIPS.
    .. [3] Varma, S., Simon, R. (2006). Bias in error estimation when using cross-validation for
       model selection. BMC Bioinformatics 7:91.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from xentexp.tuning import TunedClassifier
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
        """Run the search, and fit the best parameters on all rows.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n, n_features)
            Training rows in any form that `estimator` accepts.
        y : array-like of shape (n,)
            Class labels of any type.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row, for fits and scores. In a pipeline the last step receives the
            weights. None gives every row the weight 1.
        groups : array-like of shape (n,), default=None
            Group of each row; rows of the same group stay together in the inner folds. They are
            passed on to an `estimator` whose ``fit`` has the parameter ``groups``, or to the last
            step of a pipeline. None means that there are no groups.

        Returns
        -------
        self : TunedClassifier
            The fitted classifier.

        Raises
        ------
        InputError
            If Optuna is not installed, if the space, the loss, the storage or another parameter is
            not valid, or if there are weights and `estimator` does not accept them.
        SearchError
            If all trials fail.
        """
        import_extra("optuna", "TunedClassifier")
        space = read_space(self.space, self.estimator)
        self.scorer_, sign = self._scorer()
        self._check()
        X, labels, weight, groups = training_rows(X, y, sample_weight, groups)
        fit_weights(self.estimator, weight)  # an error here, not in every trial
        self.classes_ = np.unique(labels)
        seed = as_seed(self.random_state)
        splits = inner_splits(self.cv, X, labels, groups, seed)
        self.n_splits_ = len(splits)

        inner = InnerFolds(
            self.estimator, X, labels, weight, tuple(splits), self.scorer_, sign, groups
        )
        plan = Plan(
            self.n_trials,
            self.timeout,
            seed,
            "maximize" if sign > 0 else "minimize",
            _start(space, self.estimator),
        )
        with self._store(X, labels, weight, splits, space, plan) as store:
            self.trials_ = search(space, inner.values, plan, store)
        self._choose(sign)
        if self.refit:
            best = with_settings(self.estimator, self.best_params_)
            self.best_estimator_ = best.fit(X, labels, **fit_arguments(best, weight, groups))
            if hasattr(best, "feature_names_in_"):
                self.feature_names_in_ = best.feature_names_in_
        return self

    def _scorer(self) -> tuple[MetricScorer, int]:
        """Scorer, and the sign of its scores: -1 if they are negative losses, else 1."""
        metric = get_metric(self.loss)
        sign = -1 if score_name(metric).startswith("neg_") else 1
        return MetricScorer(metric), sign

    def _check(self) -> None:
        check_bool("refit", self.refit)
        check_integer("n_trials", self.n_trials, 1)
        check_inner_cv(self.cv)
        is_number = isinstance(self.timeout, (int, float)) and not isinstance(self.timeout, bool)
        if self.timeout is not None and not (is_number and self.timeout > 0):
            raise InputError(
                f"timeout must be a number of seconds > 0, or None; got {self.timeout!r}"
            )
        if self.storage is not None and not isinstance(self.random_state, (int, np.integer)):
            raise InputError(
                f"random_state must be an integer with storage, because a search without a fixed "
                f"seed cannot be resumed; got {self.random_state!r}; set random_state, e.g. to 0"
            )

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
                f"all {len(self.trials_)} trials failed; error of the first trial: "
                f"{self.trials_[0]['error']}"
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
        """Number of columns of the training rows; requires ``refit=True``."""
        check_is_fitted(self, "best_estimator_")
        return int(self.best_estimator_.n_features_in_)

    predict = _delegated("predict", "Predict labels", "ndarray of shape (n,)")
    predict_proba = _delegated(
        "predict_proba", "Predict class probabilities", "ndarray of shape (n, k)"
    )
    predict_log_proba = _delegated(
        "predict_log_proba", "Predict logarithms of class probabilities", "ndarray of shape (n, k)"
    )
    decision_function = _delegated(
        "decision_function", "Predict decision scores", "ndarray of shape (n,) or (n, k)"
    )

    def score(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Score of the best estimator by the loss or metric of the search; higher is better.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n, n_features)
            Rows in any form that `estimator` accepts.
        y : array-like of shape (n,)
            True class of each row.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row. None gives every row the weight 1.

        Returns
        -------
        float
            The metric, or the negative loss.
        """
        check_is_fitted(self, "best_estimator_")
        return float(self.scorer_(self.best_estimator_, X, y, sample_weight))


def _last(estimator: Any) -> Any:
    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator


def _start(space: Space, estimator: Any) -> dict[str, Any] | None:
    """Present parameters of the estimator, or None if one of them is outside the space."""
    present = estimator.get_params(deep=True)
    stored = {name: space[name].to_stored(present[name]) for name in space}
    return None if any(value is None for value in stored.values()) else stored


Rows = NDArray[np.intp]


@dataclass(frozen=True)
class InnerFolds:
    """Rows of a search and their inner folds."""

    estimator: Any
    X: Any
    y: NDArray[Any]
    weight: NDArray[Any] | None
    splits: tuple[tuple[Rows, Rows], ...]
    scorer: Callable[..., float]
    sign: int  # -1 if scores are negative losses, else 1
    groups: NDArray[Any] | None = None

    def values(self, settings: Mapping[str, Any]) -> list[float]:
        """Loss or metric on each fold, not negated."""
        return [self._value(train, test, settings) for train, test in self.splits]

    def _value(self, train: Rows, test: Rows, settings: Mapping[str, Any]) -> float:
        model = with_settings(self.estimator, settings)
        X_train, y_train = _safe_split(model, self.X, self.y, train)
        X_test, y_test = _safe_split(model, self.X, self.y, test, train)
        train_weight, test_weight = (
            None if self.weight is None else self.weight[rows] for rows in (train, test)
        )
        train_groups = None if self.groups is None else self.groups[train]
        model.fit(X_train, y_train, **fit_arguments(model, train_weight, train_groups))
        return self.sign * float(self.scorer(model, X_test, y_test, test_weight))


def with_settings(estimator: Any, settings: Mapping[str, Any]) -> Any:
    """Copy of an estimator with new parameters; estimators among their values are copied too."""
    copies = {name: clone(value, safe=False) for name, value in settings.items()}
    return clone(estimator).set_params(**copies)
