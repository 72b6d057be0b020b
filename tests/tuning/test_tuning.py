"""TunedClassifier: search with Optuna, inner folds, failures, storage."""

from __future__ import annotations

import pickle
import sqlite3
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import check_estimator

from xentexp.errors import InputError
from xentexp.metrics._registry import get_loss
from xentexp.scorers import MetricScorer
from xentexp.tuning import Choices, Range, SearchError, TunedClassifier, read_space
from xentexp.tuning._storage import storage_path

X, Y = make_classification(200, 5, n_informative=3, n_classes=3, flip_y=0.1, random_state=0)
C = {"C": {"low": 1e-3, "high": 100.0, "log": True, "type": "float"}}
DEPTH = {
    "max_depth": {"low": 1, "high": 6, "type": "int"},
    "min_samples_leaf": {"low": 1, "high": 50, "type": "int", "log": True},
    "criterion": ["gini", "entropy"],
}


def tree(**options: Any) -> TunedClassifier:
    return TunedClassifier(
        DecisionTreeClassifier(random_state=0, max_depth=3),
        DEPTH,
        **{"n_trials": 14, "random_state": 0, **options},
    )


def outcomes(model: TunedClassifier) -> list[tuple[Any, ...]]:
    """Trials without start times and durations, to compare searches."""
    names = ("number", "params", "value", "fold_values", "state")
    return [tuple(trial[name] for name in names) for trial in model.trials_]


class Fussy(ClassifierMixin, BaseEstimator):
    """Classifier that fails for some parameters, logs each fit, and can stop the process."""

    def __init__(
        self, level: float = 0.5, fails_above: float = 0.7, log: str = "", stops_at: int = 0
    ) -> None:
        self.level = level
        self.fails_above = fails_above
        self.log = log
        self.stops_at = stops_at

    def fit(self, X: Any, y: Any) -> Fussy:
        if self.log:
            path = Path(self.log)
            fits = len(path.read_text().splitlines()) if path.exists() else 0
            if self.stops_at and fits == self.stops_at:
                raise SystemExit(143)
            with path.open("a") as file:
                file.write("fit\n")
        if self.level > self.fails_above:
            raise RuntimeError(f"too high: {self.level:.3f}\nand more")
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X: Any) -> Any:
        shares = np.full((len(X), len(self.classes_)), (1 - self.level) / (len(self.classes_) - 1))
        shares[:, 0] = self.level
        return shares

    def predict(self, X: Any) -> Any:
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


LEVEL = {"level": {"low": 0.05, "high": 0.95}}


# -- scikit-learn interface -------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("inner", [LogisticRegression(), DecisionTreeClassifier(random_state=0)])
def test_scikit_learn_checks(inner: Any) -> None:
    space = {"C": [0.5, 1.0]} if hasattr(inner, "C") else {"max_depth": [2, 4]}
    check_estimator(TunedClassifier(inner, space, n_trials=2, cv=2, random_state=0), on_skip=None)


def test_clone_and_pickle() -> None:
    model = tree(loss=get_loss("categorical_focal_crossentropy", gamma=1.0)).fit(X, Y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert outcomes(again) == outcomes(model)
    assert outcomes(clone(model).fit(X, Y)) == outcomes(model)  # the same seed, the same search
    assert not hasattr(clone(model), "trials_")
    assert clone(model).set_params(estimator__max_depth=2).estimator.max_depth == 2


def test_prediction_methods_depend_on_the_inner_classifier() -> None:
    svm = TunedClassifier(LinearSVC(), C, loss="categorical_hinge", n_trials=2, random_state=0)
    assert not hasattr(svm, "predict_proba")
    svm.fit(X, Y)
    assert svm.decision_function(X).shape == (200, 3)
    assert not hasattr(svm, "predict_proba")
    tuned = tree(n_trials=2, refit=False).fit(X, Y)
    assert not hasattr(tuned, "predict")
    assert not hasattr(tuned, "best_estimator_")
    assert tuned.best_params_


def test_data_frame_column_names() -> None:
    frame = pd.DataFrame(X, columns=list("abcde"))
    model = tree(n_trials=2).fit(frame, np.array(["x", "y", "z"])[Y])
    assert model.feature_names_in_.tolist() == list("abcde")
    assert model.n_features_in_ == 5
    assert model.classes_.tolist() == ["x", "y", "z"]
    assert set(model.predict(frame)) <= {"x", "y", "z"}


# -- search space and loss ----------------------------------------------------------------------


def test_trial_values_equal_cross_validation() -> None:
    model = tree(loss="categorical_crossentropy").fit(X, Y)
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    for trial in model.trials_[:4]:
        inner = DecisionTreeClassifier(random_state=0).set_params(**trial["params"])
        theirs = [
            log_loss(Y[test], inner.fit(X[train], Y[train]).predict_proba(X[test]))
            for train, test in folds.split(X, Y)
        ]
        assert trial["fold_values"] == pytest.approx(theirs, rel=1e-9)
        assert trial["value"] == pytest.approx(np.mean(theirs), rel=1e-9)
    values = [trial["value"] for trial in model.trials_]
    assert model.best_index_ == int(np.argmin(values))
    assert model.best_score_ == -min(values)
    assert model.best_params_ == model.trials_[model.best_index_]["params"]
    refitted = DecisionTreeClassifier(random_state=0).set_params(**model.best_params_).fit(X, Y)
    np.testing.assert_array_equal(model.predict_proba(X), refitted.predict_proba(X))
    assert model.score(X, Y) == pytest.approx(-log_loss(Y, refitted.predict_proba(X)))


def test_metric_with_higher_is_better_is_maximized() -> None:
    y = (Y > 0).astype(int)
    model = tree(loss="roc_auc").fit(X, y)
    values = [trial["value"] for trial in model.trials_]
    assert model.best_score_ == max(values) > 0.5
    assert model.score(X, y) == pytest.approx(roc_auc_score(y, model.predict_proba(X)[:, 1]))


def test_first_trial_uses_the_given_parameters() -> None:
    first = tree(n_trials=1).fit(X, Y).trials_[0]["params"]
    assert first == {"max_depth": 3, "min_samples_leaf": 1, "criterion": "gini"}
    # max_depth=None is not in the range, so the first trial is sampled.
    other = clone(tree(n_trials=1)).set_params(estimator__max_depth=None).fit(X, Y)
    assert isinstance(other.trials_[0]["params"]["max_depth"], int)


def test_samples_lie_in_the_space_and_approach_the_minimum() -> None:
    model = TunedClassifier(
        Fussy(fails_above=1.0), LEVEL, n_trials=40, random_state=0, loss="brier_loss"
    ).fit(X, Y)
    levels = [trial["params"]["level"] for trial in model.trials_]
    assert all(0.05 <= level <= 0.95 for level in levels)
    # The Brier loss of constant probabilities is lowest at the proportion of the first class.
    assert model.best_params_["level"] == pytest.approx(np.mean(Y == 0), abs=0.05)
    # TPE: later samples are nearer to the minimum than the first random ones.
    off = np.abs(np.array(levels) - np.mean(Y == 0))
    assert np.median(off[20:]) < 0.5 * np.median(off[:10])


def test_choices_of_lists_truth_values_and_estimators() -> None:
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    steps = {"standardscaler": ["passthrough", StandardScaler(with_mean=False)]}
    model = TunedClassifier(pipe, steps, n_trials=6, random_state=0).fit(X, Y)
    assert {str(trial["params"]["standardscaler"]) for trial in model.trials_} == {
        "passthrough",
        "StandardScaler(with_mean=False)",
    }
    space = read_space({"max_depth": [1, 1.5, True, None, [2]]}, DecisionTreeClassifier())
    for value in (1, 1.5, True, None, [2]):
        restored = space["max_depth"].from_stored(space["max_depth"].to_stored(value))
        assert restored == value
        assert type(restored) is type(value)


# -- folds --------------------------------------------------------------------------------------


def test_groups_stay_together_in_the_inner_folds() -> None:
    groups = np.arange(200) // 4
    model = tree(n_trials=1).fit(X, Y, groups=groups)
    inner = DecisionTreeClassifier(random_state=0, max_depth=3)
    folds = StratifiedGroupKFold(3, shuffle=True, random_state=0).split(X, Y, groups)
    theirs = [log_loss(Y[b], inner.fit(X[a], Y[a]).predict_proba(X[b])) for a, b in folds]
    assert model.trials_[0]["fold_values"] == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize(
    ("cv", "n"), [(4, 4), (TimeSeriesSplit(2), 2), (list(KFold(5).split(X)), 5)]
)
def test_cv_as_int_splitter_or_list(cv: Any, n: int) -> None:
    model = tree(n_trials=1, cv=cv).fit(X, Y)
    assert model.n_splits_ == len(model.trials_[0]["fold_values"]) == n


def test_sample_weights_apply_to_fits_and_scores() -> None:
    weight = np.where(np.arange(200) < 150, 1.0, 0.0)
    folds = [(np.r_[0:100, 150:200], np.arange(100, 150)), (np.arange(100, 200), np.arange(100))]
    weighted = tree(n_trials=4, cv=folds).fit(X, Y, sample_weight=weight)
    folds_without_weight_0 = [
        (np.arange(100), np.arange(100, 150)),
        (np.arange(100, 150), np.arange(100)),
    ]
    unweighted = tree(n_trials=4, cv=folds_without_weight_0).fit(X[:150], Y[:150])
    assert outcomes(weighted) == outcomes(unweighted)
    np.testing.assert_array_equal(weighted.predict_proba(X), unweighted.predict_proba(X))
    pipe = TunedClassifier(
        make_pipeline(StandardScaler(), LogisticRegression()),
        {"logisticregression__C": [0.1, 1.0]},
        n_trials=2,
        random_state=0,
    )
    one = pipe.fit(X, Y, sample_weight=np.ones(200)).predict_proba(X)
    np.testing.assert_allclose(one, clone(pipe).fit(X, Y).predict_proba(X), rtol=1e-6)
    heavy = clone(pipe).fit(X, Y, sample_weight=np.where(Y == 0, 9.0, 1.0)).predict_proba(X)
    assert heavy[:, 0].mean() > one[:, 0].mean() + 0.1


def test_outer_loss_of_a_nested_search_is_not_biased() -> None:
    # The labels are random. The inner loss of the best of many trials is too low; the loss on the
    # outer test rows is not: Varma and Simon (2006).
    rng = np.random.default_rng(0)
    noise, labels = rng.normal(size=(120, 4)), rng.integers(0, 2, 120)
    space = {"max_depth": {"low": 1, "high": 10, "type": "int"}, "splitter": ["best", "random"],
             "random_state": {"low": 0, "high": 10**6, "type": "int"}}  # fmt: skip
    search = TunedClassifier(
        DecisionTreeClassifier(), space, loss="zero_one_loss", n_trials=30, cv=2, random_state=0
    )
    results = cross_validate(
        search, noise, labels, cv=4, scoring="accuracy", return_estimator=True, n_jobs=2
    )
    inner = np.mean([-model.best_score_ for model in results["estimator"]])
    assert inner < 0.44
    assert np.mean(1 - results["test_score"]) > inner + 0.03


# -- failures and limits ------------------------------------------------------------------------


def test_failed_trial_is_recorded_and_the_search_continues() -> None:
    model = TunedClassifier(Fussy(), LEVEL, n_trials=12, random_state=0).fit(X, Y)
    failed = [trial for trial in model.trials_ if trial["state"] == "failed"]
    assert 0 < len(failed) < 12
    assert all(trial["params"]["level"] > 0.7 for trial in failed)
    assert all(trial["error"].startswith("RuntimeError: too high") for trial in failed)
    assert all(trial["value"] is None and trial["fold_values"] == [] for trial in failed)
    assert model.best_params_["level"] <= 0.7


def test_search_error_if_all_trials_fail() -> None:
    search = TunedClassifier(Fussy(fails_above=0.0), LEVEL, n_trials=3, random_state=0)
    with pytest.raises(
        SearchError, match="all 3 trials failed; error of the first trial: RuntimeError"
    ):
        search.fit(X, Y)
    with pytest.raises(InputError, match="needs predict_proba, but LinearSVC"):
        TunedClassifier(LinearSVC(), C, n_trials=2, random_state=0).fit(X, Y)


def test_nan_score_fails_the_trial() -> None:
    class Scorer(MetricScorer):
        def __call__(self, *_: Any) -> float:
            return float("nan")

    search = TunedClassifier(DummyClassifier(), {"strategy": ["prior"]}, n_trials=1)
    search._scorer = lambda: (Scorer("brier_loss"), -1.0)
    with pytest.raises(SearchError, match="score must be a number; got nan in fold 0"):
        search.fit(X, Y)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_interrupt_ends_the_search(
    stop: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit(*_: Any) -> None:
        raise stop

    monkeypatch.setattr(Fussy, "fit", fit)
    with pytest.raises(stop):
        TunedClassifier(Fussy(), LEVEL, n_trials=3).fit(X, Y)


def test_timeout_ends_the_search() -> None:
    model = tree(timeout=1e-9, n_trials=50).fit(X, Y)
    assert len(model.trials_) == 1
    assert len(tree(timeout=600, n_trials=3).fit(X, Y).trials_) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"space": {}}, "space must be a mapping"),
        ({"space": {"max_dept": [1]}}, "unknown parameter of DecisionTreeClassifier 'max_dept'; "
                                       "did you mean 'max_depth'"),
        ({"space": {"max_depth": []}}, "space of max_depth must be a list of different"),
        ({"space": {"max_depth": [1, 1]}}, "space of max_depth must be a list of different"),
        ({"space": {"max_depth": 3}}, "space of max_depth must be a list of choices, or"),
        ({"space": {"max_depth": {"low": 1}}}, "high of the space of max_depth must be a finite"),
        ({"space": {"max_depth": {"low": 1, "high": 9}}}, "must be set if low and"),
        ({"space": {"max_depth": {"low": 9, "high": 1, "type": "int"}}}, "must be below high"),
        ({"space": {"max_depth": {"low": 1.5, "high": 3, "type": "int"}}}, "must be integers for"),
        ({"space": {"max_depth": {"low": 1, "high": 3, "type": "whole"}}}, "must be int or"),
        ({"space": {"max_depth": {"low": 1, "hihg": 3}}}, "did you mean 'high'"),
        ({"space": {"ccp_alpha": {"low": 0.0, "high": 0.5, "log": True}}}, "must be > 0 if"),
        ({"space": {"max_depth": {"low": 0, "high": 5, "log": True, "type": "int"}}}, ">= 1 if"),
        ({"space": {"ccp_alpha": {"low": 0.0, "high": 0.5, "log": "yes"}}}, "must be True or"),
        ({"space": {"ccp_alpha": {"low": 0.0, "high": float("inf")}}}, "must be a finite number"),
        ({"loss": "brier_los"}, "did you mean 'brier_loss'"),
        ({"loss": "calibration_slope"}, "is best near 1"),
        ({"loss": "entropy"}, "entropy"),
        ({"refit": "no"}, "refit must be True or False; got 'no'"),
        ({"loss": "neg_brier_loss"}, "no prefix neg_; got 'neg_brier_loss'; write 'brier_loss'"),
        ({"n_trials": 0}, "n_trials must be an integer >= 1; got 0"),
        ({"n_trials": 2.5}, "n_trials must be an integer >= 1; got 2.5"),
        ({"timeout": 0}, "timeout must be a number of seconds > 0"),
        ({"cv": 1}, "cv must be an integer >= 2, a splitter or splits; got 1"),
        ({"cv": None}, "cv must be an integer >= 2, .*; got None"),
        ({"storage": "t.db", "random_state": None}, "random_state must be an integer with"),
        ({"storage": "postgresql://host/db"}, "storage must be an SQLite file"),
        ({"storage": 7}, "storage must be an SQLite file"),
    ],
)  # fmt: skip
def test_invalid_parameters_raise_input_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        tree().set_params(**options).fit(X, Y)


def test_labels_that_are_no_classes_raise_input_error() -> None:
    with pytest.raises(InputError, match="y must contain classes: Unknown label type"):
        tree().fit(X, np.where(Y == 0, 0.5, 0.25))


def test_missing_optuna_names_the_pip_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match=r"pip install 'xentexp\[tune\]'"):
        tree().fit(X, Y)


def test_optuna_is_imported_only_in_fit() -> None:
    code = "import sys, xentexp.tuning; sys.exit('optuna' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_read_space_returns_ranges_and_choices() -> None:
    assert read_space(C, LogisticRegression())["C"] == Range(1e-3, 100.0, log=True)
    space = read_space(DEPTH, DecisionTreeClassifier())
    assert space["criterion"] == Choices(("gini", "entropy"))
    assert space["max_depth"] == Range(1, 6, whole=True)
    assert read_space(space, DecisionTreeClassifier()) == space
    assert space["max_depth"].to_stored(7) is None
    assert space["max_depth"].to_stored(2.5) is None
    assert space["criterion"].to_stored("log_loss") is None


# -- storage ------------------------------------------------------------------------------------


def test_storage_path_from_a_name_or_an_address(tmp_path: Path) -> None:
    assert storage_path("sqlite:///tuning.db") == Path("tuning.db").absolute()
    assert storage_path(tmp_path / "a.db") == tmp_path / "a.db"
    assert storage_path("~/a.db") == Path.home() / "a.db"


def studies(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        names = [row[0] for row in connection.execute("SELECT study_name FROM studies")]
    connection.close()
    return names


@pytest.mark.long
def test_resumed_search_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    uninterrupted = tree(n_trials=25).fit(X, Y)
    assert tree(n_trials=25, storage=tmp_path / "a.db").fit(X, Y).study_name_ is not None
    for n_trials in (3, 12, 25):
        resumed_model = tree(n_trials=n_trials, storage=tmp_path / "b.db").fit(X, Y)
    assert outcomes(resumed_model) == outcomes(uninterrupted)
    assert [trial["resumed"] for trial in resumed_model.trials_] == [True] * 12 + [False] * 13
    assert len(studies(tmp_path / "b.db")) == 1
    fewer = tree(n_trials=5, storage=tmp_path / "b.db").fit(X, Y)
    assert outcomes(fewer) == outcomes(uninterrupted)[:5]
    np.testing.assert_array_equal(resumed_model.predict_proba(X), uninterrupted.predict_proba(X))


def test_failed_trials_are_stored(tmp_path: Path) -> None:
    def search(n_trials: int, storage: Path | None) -> TunedClassifier:
        return TunedClassifier(
            Fussy(), LEVEL, n_trials=n_trials, random_state=0, storage=storage
        ).fit(X, Y)

    search(6, tmp_path / "a.db")
    again = search(16, tmp_path / "a.db")
    assert outcomes(again) == outcomes(search(16, None))
    errors = [trial["error"] for trial in again.trials_ if trial["resumed"]]
    assert any(error is not None and "and more" in error for error in errors)


def test_finished_trials_survive_a_stopped_process(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def search(stops_at: int) -> TunedClassifier:
        search = TunedClassifier(
            Fussy(fails_above=1.0, log=str(log), stops_at=stops_at), LEVEL, n_trials=8,
            random_state=0, storage=tmp_path / "a.db", cv=2,
        )  # fmt: skip
        # A fixed study name: stops_at changes the digest but not the values.
        search.__class__ = FixedStudy
        return search

    with pytest.raises(SystemExit):
        search(7).fit(X, Y)
    resumed = search(0).fit(X, Y)
    assert [trial["resumed"] for trial in resumed.trials_] == [True] * 3 + [False] * 5
    # 7 fits before the stop (the last one of an unfinished trial), 5 trials of 2 fits, the refit.
    assert len(log.read_text().splitlines()) == 7 + 10 + 1


class FixedStudy(TunedClassifier):
    """Search with a fixed study name."""

    def _store(self, *words: Any) -> Any:
        from xentexp.tuning._storage import open_trials

        return open_trials(self.storage, "fixed", words[-1].direction)


@pytest.mark.parametrize(
    "change",
    [
        {"space": {**DEPTH, "criterion": ["gini", "log_loss"]}},
        {"loss": "brier_loss"},
        {"random_state": 1},
        {"cv": 4},
        {"estimator__min_samples_split": 3},
        {"study_name": "mine"},
    ],
)
def test_changed_parameter_starts_a_new_study(change: dict[str, Any], tmp_path: Path) -> None:
    one = tree(n_trials=2, storage=tmp_path / "a.db").fit(X, Y)
    other = tree(n_trials=2, storage=tmp_path / "a.db").set_params(**change).fit(X, Y)
    assert not any(trial["resumed"] for trial in other.trials_)
    assert one.study_name_ != other.study_name_
    assert one.study_name_.startswith("DecisionTreeClassifier ")
    assert sorted(studies(tmp_path / "a.db")) == sorted([one.study_name_, other.study_name_])


@pytest.mark.parametrize("change", ["cell", "label", "weight", "groups"])
def test_changed_rows_start_a_new_study(change: str, tmp_path: Path) -> None:
    def fit(X: Any, y: Any, **more: Any) -> TunedClassifier:
        return tree(n_trials=1, storage=tmp_path / "a.db").fit(X, y, **more)

    frame, y, more = pd.DataFrame(X), Y.copy(), {}
    fit(frame, y)
    if change == "cell":
        frame = frame.copy()
        frame.iloc[3, 2] += 1e-9
    elif change == "label":
        y[7] = (y[7] + 1) % 3
    elif change == "weight":
        more["sample_weight"] = np.where(np.arange(200) == 0, 1.1, 1.0)
    else:
        more["groups"] = np.arange(200) // 2
    assert not fit(frame, y, **more).trials_[0]["resumed"]
    assert fit(frame, y, **more).trials_[0]["resumed"]


@pytest.mark.long
def test_another_process_resumes_the_search(tmp_path: Path) -> None:
    code = f"""
import pandas as pd
from sklearn.datasets import make_classification
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.linear_model import LogisticRegression
from xentexp.tuning import TunedClassifier
X, y = make_classification(80, 5, random_state=0)
frame = pd.DataFrame(X, columns=list("abcde"))
pipe = make_pipeline(StandardScaler(), LogisticRegression())
model = TunedClassifier(pipe, {{"logisticregression__C": [0.1, 1.0]}}, n_trials=2,
                        random_state=0, storage={str(tmp_path / "a.db")!r}).fit(frame, y)
print([trial["resumed"] for trial in model.trials_])
"""
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        for _ in range(2)
    ]
    assert outputs == ["[False, False]", "[True, True]"]


def test_parallel_searches_share_a_file(tmp_path: Path) -> None:
    folds = StratifiedKFold(6, shuffle=True, random_state=1)
    separate = cross_validate(tree(), X, Y, cv=folds, return_estimator=True)["estimator"]
    search = tree(storage=tmp_path / "a.db")
    shared = cross_validate(search, X, Y, cv=folds, n_jobs=2, return_estimator=True)["estimator"]
    assert [outcomes(model) for model in shared] == [outcomes(model) for model in separate]
    assert len(set(studies(tmp_path / "a.db"))) == 6
    again = cross_validate(search, X, Y, cv=folds, n_jobs=2, return_estimator=True)["estimator"]
    assert all(trial["resumed"] for model in again for trial in model.trials_)
    assert [outcomes(model) for model in again] == [outcomes(model) for model in separate]
    assert [path.name for path in tmp_path.iterdir()] == ["a.db"]


def test_same_search_in_parallel_processes(tmp_path: Path) -> None:
    search = tree(storage=tmp_path / "a.db")
    models = joblib.Parallel(n_jobs=2)(joblib.delayed(clone(search).fit)(X, Y) for _ in range(4))
    separate = outcomes(tree().fit(X, Y))
    assert all(outcomes(model) == separate for model in models)
    assert outcomes(search.fit(X, Y)) == separate


def test_other_database_raises_an_error_and_is_not_changed(
    tmp_path: Path, migrated_store: Path
) -> None:
    text = tmp_path / "notes.db"
    text.write_text("not a database, but longer than the header of one " * 20)
    before = migrated_store.read_bytes()
    for path, message in (
        (text, "cannot be used: file is not a database"),
        (migrated_store, "storage must be a database of Optuna; got .*; choose another file"),
        (tmp_path, "storage must be an SQLite file; got the folder"),
        (text / "x.db", "cannot be used: "),
    ):
        with pytest.raises(InputError, match=message):
            tree(n_trials=1, storage=path).fit(X, Y)
    assert migrated_store.read_bytes() == before


def test_storage_with_an_estimator_that_cannot_be_pickled_raises_an_error(tmp_path: Path) -> None:
    class Local(DecisionTreeClassifier):
        pass

    search = TunedClassifier(
        Local(), {"max_depth": [1, 2]}, n_trials=1, random_state=0, storage=tmp_path / "a.db"
    )
    with pytest.raises(InputError, match="estimator must be picklable with storage"):
        search.fit(X, Y)


def test_stored_trials_without_duplicates_up_to_the_first_gap(tmp_path: Path) -> None:
    # Two processes may store the same trial; trials after a missing number are not used.
    import optuna
    from optuna.trial import create_trial

    from xentexp.tuning._storage import NUMBER, open_trials

    with open_trials(tmp_path / "a.db", "s", "minimize") as store:
        for number, value in ((0, 1.0), (1, 2.0), (1, 3.0), (3, 4.0)):
            store.add(
                create_trial(
                    value=value,
                    params={"x": 0.5},
                    distributions={"x": optuna.distributions.FloatDistribution(0, 1)},
                    user_attrs={NUMBER: number},
                )
            )
        assert [trial.value for trial in store.trials()] == [1.0, 2.0]


def test_warnings_of_fits_are_shown() -> None:
    slow = TunedClassifier(LogisticRegression(max_iter=1), {"C": [1.0]}, n_trials=1, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        slow.fit(X, Y)
    assert {warning.category.__name__ for warning in caught} == {"ConvergenceWarning"}


def test_trials_have_start_and_duration(tmp_path: Path) -> None:
    before = time.time()
    trials = tree(n_trials=3, storage=tmp_path / "a.db").fit(X, Y).trials_
    assert all(before - 1 <= trial["started"] <= time.time() for trial in trials)
    assert all(trial["seconds"] > 0 for trial in trials)


def test_best_parameters_equal_grid_search() -> None:
    grid = {"max_depth": [1, 3], "criterion": ["gini", "entropy"]}
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    theirs = GridSearchCV(
        DecisionTreeClassifier(random_state=0), grid, scoring=MetricScorer("brier_loss"), cv=folds
    ).fit(X, Y)
    model = TunedClassifier(
        DecisionTreeClassifier(random_state=0), grid, loss="brier_loss", cv=folds, n_trials=20,
        random_state=0,
    ).fit(X, Y)  # fmt: skip
    assert model.best_params_ == theirs.best_params_
    assert model.best_score_ == pytest.approx(theirs.best_score_, rel=1e-12)
