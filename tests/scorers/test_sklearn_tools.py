"""Every tool of scikit-learn that takes `scoring` gives the value of scikit-learn's own scorer."""

import inspect
import pickle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import RFECV, SequentialFeatureSelector
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, RidgeClassifierCV
from sklearn.metrics import average_precision_score, check_scoring, make_scorer
from sklearn.metrics import get_scorer as sklearn_get_scorer
from sklearn.metrics._scorer import _CurveScorer, _MultimetricScorer
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    LearningCurveDisplay,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
    ValidationCurveDisplay,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC

from xentexp.errors import InputError
from xentexp.scorers import MetricScorer, get_scorer, loss_scorers

X, Y = make_classification(160, 5, n_informative=3, random_state=0)
X3, Y3 = make_classification(
    160, 5, n_informative=4, n_redundant=0, n_classes=3, n_clusters_per_class=1, random_state=0
)
WEIGHT = np.random.default_rng(0).integers(1, 4, len(X)).astype(float)
GRID = {"C": [0.01, 1.0]}
SAME = [("categorical_crossentropy", "neg_log_loss"), ("brier_loss", "neg_brier_score")]
LEGACY = {"use_legacy_attributes": False, "l1_ratios": (0,)}
if "use_legacy_attributes" not in inspect.signature(LogisticRegressionCV).parameters:
    LEGACY = {}


def ask(scorer):
    """The scorer; with metadata routing one that asks for the weights."""
    routed = sklearn.get_config()["enable_metadata_routing"]
    return scorer.set_score_request(sample_weight=True) if routed else scorer


def pair(names=SAME[0]):
    return ask(MetricScorer(names[0])), ask(sklearn_get_scorer(names[1]))


def model():
    classifier = LogisticRegression()
    routed = sklearn.get_config()["enable_metadata_routing"]
    return classifier.set_fit_request(sample_weight=True) if routed else classifier


def other():
    return ask(sklearn_get_scorer("accuracy"))


def mean_score(search, name, weight, key="score"):
    return search.fit(X, Y, **weight).cv_results_[f"{name}_test_{key}"]


def halving_random(scorer, weight):
    search = HalvingRandomSearchCV(
        model(), GRID, n_candidates=2, min_resources=80, scoring=scorer, cv=2, random_state=0
    )
    return mean_score(search, "mean", weight)


def grid_score(scorer, weight):
    search = GridSearchCV(model(), GRID, scoring={"a": scorer, "b": other()}, refit="a", cv=2)
    search.fit(X, Y, **weight)
    return search.score(X, Y, **(weight if sklearn.get_config()["enable_metadata_routing"] else {}))


def best_of(scorer, weight):
    scoring = {"a": scorer, "b": other()}
    search = GridSearchCV(
        model(), GRID, scoring=scoring, cv=2, refit=lambda results: int(results["rank_test_a"][0])
        % 2,
    )  # fmt: skip
    return search.fit(X, Y, **weight).best_index_


def params(weight):
    return {"params": weight} if weight else {}


def early_stopping(scorer, weight, **options):
    booster = HistGradientBoostingClassifier(
        scoring=scorer, early_stopping=True, random_state=0, max_iter=4, max_leaf_nodes=4, **options
    )
    booster.fit(X, np.array(["a", "b"])[Y], **weight)
    return [*booster.train_score_, *booster.validation_score_]


TOOLS = {
    "GridSearchCV": lambda s, w: mean_score(
        GridSearchCV(model(), GRID, scoring=s, cv=2), "mean", w
    ),
    "GridSearchCV of a dict": lambda s, w: mean_score(
        GridSearchCV(model(), GRID, scoring={"a": s, "b": other()}, refit="a", cv=2), "mean", w, "a"
    ),
    "GridSearchCV with a refit function": best_of,
    "score of a GridSearchCV": grid_score,
    "RandomizedSearchCV": lambda s, w: mean_score(
        RandomizedSearchCV(
            model(), GRID, n_iter=2, random_state=0, scoring={"a": s, "b": other()}, refit="a", cv=2
        ),
        "std", w, "a",
    ),
    "HalvingGridSearchCV": lambda s, w: mean_score(
        HalvingGridSearchCV(model(), GRID, scoring=s, cv=2, random_state=0), "mean", w
    ),
    "HalvingRandomSearchCV": halving_random,
    "cross_validate": lambda s, w: cross_validate(
        model(), X, Y, scoring={"a": s, "b": other()}, cv=2, return_train_score=True, **params(w)
    )["train_a"],
    "cross_val_score": lambda s, w: cross_val_score(model(), X, Y, scoring=s, cv=2, **params(w)),
    "learning_curve": lambda s, w: learning_curve(model(), X, Y, scoring=s, cv=2, **params(w))[2],
    "validation_curve": lambda s, w: validation_curve(
        model(), X, Y, param_name="C", param_range=[0.1, 1], scoring=s, cv=2, **params(w)
    )[1],
    "permutation_test_score": lambda s, w: permutation_test_score(
        model(), X, Y, scoring=s, cv=2, n_permutations=2, random_state=0, **params(w)
    )[1],
    "permutation_importance": lambda s, w: permutation_importance(
        model().fit(X, Y), X, Y, scoring=s, n_repeats=2, random_state=0, **w
    ).importances,
    "permutation_importance of a dict": lambda s, w: permutation_importance(
        model().fit(X, Y), X, Y, scoring={"a": s, "b": other()}, n_repeats=2, random_state=0, **w
    )["a"].importances,
    "LogisticRegressionCV": lambda s, w: LogisticRegressionCV(
        Cs=2, cv=2, scoring=s, **LEGACY
    ).fit(X, Y, **w).score(X, Y, **w),
    "LogisticRegressionCV of three classes": lambda s, w: LogisticRegressionCV(
        Cs=2, cv=2, scoring=s, **LEGACY
    ).fit(X3, Y3, **w).score(X3, Y3, **w),
    "HistGradientBoostingClassifier": early_stopping,
    "HistGradientBoostingClassifier on training rows": lambda s, w: early_stopping(
        s, w, validation_fraction=None
    ),
    "check_scoring": lambda s, w: check_scoring(model(), s)(model().fit(X, Y), X, Y, **w),
    "check_scoring of a dict": lambda s, w: list(
        check_scoring(model(), {"a": s, "b": other()})(model().fit(X, Y), X, Y, **w).values()
    ),
}  # fmt: skip
WITH_ROUTED_WEIGHTS = {
    "RFECV": lambda s, w: RFECV(model(), scoring=s, cv=2)
    .fit(X, Y, **w).cv_results_["mean_test_score"],
    "score of an RFECV": lambda s, w: RFECV(model(), scoring=s, cv=2).fit(X, Y).score(X, Y, **w),
    "SequentialFeatureSelector": lambda s, w: SequentialFeatureSelector(
        model(), scoring=s, cv=2, n_features_to_select=1
    ).fit(X, Y, **w).get_support(),
    "TunedThresholdClassifierCV": lambda s, w: TunedThresholdClassifierCV(
        model(), scoring=s, cv=2, thresholds=10, store_cv_results=True
    ).fit(X, Y, **w).cv_results_["scores"],
}  # fmt: skip


CASES = [
    pytest.param(
        tool, weight, routing, id=f"{tool}{', weights' * bool(weight)}{', routing' * routing}"
    )
    for tool in [*TOOLS, *WITH_ROUTED_WEIGHTS]
    for weight in ({}, {"sample_weight": WEIGHT})
    for routing in (False, True)
    if routing or not weight or tool in TOOLS
]


@pytest.mark.parametrize(("tool", "weight", "routing"), CASES)
def test_a_tool_gives_the_scores_of_the_scorer_of_scikit_learn(tool, weight, routing):
    call = (TOOLS | WITH_ROUTED_WEIGHTS)[tool]
    with sklearn.config_context(enable_metadata_routing=routing):
        ours, theirs = (np.asarray(call(scorer, weight)) for scorer in pair())
        assert np.isfinite(theirs).all()
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)
        chosen = ("SequentialFeatureSelector", "GridSearchCV with a refit function")
        if weight and tool not in chosen:
            assert not np.allclose(ours, call(pair()[0], {}))  # the weights reach the scores


@pytest.mark.slow
def test_a_dictionary_is_scored_in_two_processes():
    scoring = {"a": MetricScorer("brier_loss"), "b": "neg_brier_score"}
    search = GridSearchCV(LogisticRegression(), GRID, scoring=scoring, refit="a", cv=2, n_jobs=2)
    results = search.fit(X, Y, sample_weight=WEIGHT).cv_results_
    np.testing.assert_allclose(results["mean_test_a"], results["mean_test_b"], rtol=1e-12)


@pytest.mark.parametrize("names", SAME)
def test_the_scorer_beside_a_name_takes_the_weights_of_a_search(names):
    scoring = {"a": get_scorer(f"neg_{names[0]}"), "b": "accuracy", "c": names[1]}
    search = GridSearchCV(LogisticRegression(), GRID, scoring=scoring, refit="a", cv=3)
    results = search.fit(X, Y, sample_weight=WEIGHT).cv_results_
    np.testing.assert_allclose(results["mean_test_a"], results["mean_test_c"], rtol=1e-12)
    many = loss_scorers([names[0], "roc_auc"])
    search = GridSearchCV(LogisticRegression(), GRID, scoring=many, refit="roc_auc", cv=3)
    results_of_many = search.fit(X, Y, sample_weight=WEIGHT).cv_results_
    np.testing.assert_allclose(
        results_of_many[f"mean_test_neg_{names[0]}"], results["mean_test_a"], rtol=1e-12
    )


# -- thresholds ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs", "shift"),
    [
        ("zero_one_loss", "accuracy", -1.0),
        ("f1_score", "f1", 0.0),
        ("precision_score", "precision", 0.0),
        ("recall_score", "recall", 0.0),
        ("balanced_accuracy", "balanced_accuracy", 0.0),
        ("matthews_corrcoef", "matthews_corrcoef", 0.0),
        ("roc_auc", "roc_auc", 0.0),
        ("brier_loss", "neg_brier_score", 0.0),
        ("categorical_crossentropy", "neg_log_loss", 0.0),
    ],
)
def test_thresholds_are_tuned_as_with_the_scorer_of_scikit_learn(ours, theirs, shift):
    options = {"cv": 3, "thresholds": 15, "store_cv_results": True}
    tuned = [
        TunedThresholdClassifierCV(GaussianNB(), scoring=scoring, **options).fit(X, Y)
        for scoring in (MetricScorer(ours), theirs)
    ]
    scores = [classifier.cv_results_["scores"] for classifier in tuned]
    np.testing.assert_allclose(scores[0], scores[1] + shift, rtol=1e-9, atol=1e-12)
    assert tuned[0].best_threshold_ == tuned[1].best_threshold_


def test_a_tuned_classifier_of_text_labels_can_be_pickled():
    y = np.array(["no", "yes"])[Y]
    tuned = [
        TunedThresholdClassifierCV(LogisticRegression(), scoring=scoring, cv=3).fit(X, y)
        for scoring in (get_scorer("neg_zero_one_loss", labels=["no", "yes"]), "accuracy")
    ]
    again = pickle.loads(pickle.dumps(tuned[0]))
    assert again.predict(X).tolist() == tuned[1].predict(X).tolist()


@pytest.mark.parametrize("name", ["hinge_loss", "cumulative_link_log_loss"])
def test_thresholds_are_not_tuned_for_losses_of_decision_scores(name):
    tuned = TunedThresholdClassifierCV(LogisticRegression(), scoring=MetricScorer(name), cv=2)
    with pytest.raises(InputError, match=f"{name} needs decision scores, but"):
        tuned.fit(X, Y)


def test_a_metric_that_is_no_score_does_not_tune_thresholds():
    tuned = TunedThresholdClassifierCV(LogisticRegression(), scoring=MetricScorer("entropy"), cv=2)
    with pytest.raises(InputError, match="entropy does not rank predictions"):
        tuned.fit(X, Y)


# -- ridge, displays -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cv", "X", "y"), [(2, X, Y), (2, X3, Y3), (None, X3, Y3)], ids=["2", "3", "3, no cv"]
)
@pytest.mark.parametrize("weight", [{}, {"sample_weight": WEIGHT}], ids=["", "weights"])
def test_ridge_selects_as_with_accuracy(cv, X, y, weight):
    options = {"alphas": (0.1, 10.0, 1000.0), "cv": cv}
    ours, theirs = (
        RidgeClassifierCV(scoring=scoring, **options).fit(X, y, **weight)
        for scoring in (get_scorer("neg_zero_one_loss"), "accuracy")
    )
    assert ours.best_score_ == pytest.approx(theirs.best_score_ - 1.0, abs=1e-12)
    assert ours.alpha_ == theirs.alpha_


def test_ridge_that_hides_two_classes_from_the_scorer_raises():
    # scikit-learn 1.9.1 passes zeros as y to the scorer: its own accuracy is 1 for every alpha.
    assert RidgeClassifierCV(scoring="accuracy").fit(X, Y).best_score_ == 1.0
    with pytest.raises(InputError, match=r"have only 0; pass labels= .* or cv= to Ridge"):
        RidgeClassifierCV(scoring=get_scorer("neg_zero_one_loss")).fit(X, Y)
    single = DummyClassifier().fit(X[:3], ["a"] * 3)
    with pytest.raises(InputError, match="DummyClassifier and y have only 'a'; pass labels="):
        get_scorer("neg_brier_loss")(single, X[:3], ["a"] * 3)


def test_displays_show_the_name_of_the_score():
    scorer, options = get_scorer("neg_brier_loss"), {"cv": 2, "scoring": "neg_brier_score"}
    ours = LearningCurveDisplay.from_estimator(LogisticRegression(), X, Y, cv=2, scoring=scorer)
    theirs = LearningCurveDisplay.from_estimator(LogisticRegression(), X, Y, **options)
    np.testing.assert_allclose(ours.test_scores, theirs.test_scores, rtol=1e-12)
    assert ours.score_name == "Negative brier loss"
    ours = ValidationCurveDisplay.from_estimator(
        LogisticRegression(), X, Y, param_name="C", param_range=[0.1, 1.0], cv=2,
        scoring=get_scorer("gini"),
    )  # fmt: skip
    assert ours.score_name == "Gini"
    plt.close("all")


def test_a_callback_monitors_the_scores():
    callback = pytest.importorskip("sklearn.callback")
    values = []
    for scoring in (get_scorer("neg_brier_loss"), "neg_brier_score", loss_scorers("brier_loss")):
        monitor = callback.ScoringMonitor(scoring=scoring)
        LogisticRegression().set_callbacks(monitor).fit(X, Y)
        (name,) = {"score", "neg_brier_score", "neg_brier_loss"} & set(monitor.get_logs().data[0])
        values.append([row[name] for row in monitor.get_logs().data])
    np.testing.assert_allclose(values[0], values[1], rtol=1e-12)
    np.testing.assert_array_equal(values[0], values[2])


# -- predictions that the scorers of a dictionary share --------------------------------------


class Counting(RandomForestClassifier):
    """Forest that counts its predictions, over all its clones."""

    calls: list[str] = []  # noqa: RUF012

    def predict_proba(self, X):
        self.calls.append("predict_proba")
        return super().predict_proba(X)


OURS = {"ours": MetricScorer("brier_loss")}
BOTH = {"ours": MetricScorer("brier_loss"), "more": MetricScorer("gini")}
LOG_LOSS = {"theirs": sklearn_get_scorer("neg_log_loss")}
PRECISION = {"theirs": sklearn_get_scorer("average_precision")}
FIRST = {
    "theirs": make_scorer(average_precision_score, response_method="predict_proba", pos_label=0)
}


@pytest.mark.parametrize(
    ("scoring", "y", "n_predictions"),
    [
        (OURS | LOG_LOSS, Y, 1),
        (LOG_LOSS | OURS, Y, 1),
        (LOG_LOSS | OURS, np.array(["bad", "good"])[Y], 1),
        (LOG_LOSS | BOTH, Y3, 1),
        (BOTH, Y, 1),
        (PRECISION | OURS, Y, 1),
        # Class 1 is positive in `average_precision`, and it is the first of the classes 1 and 2.
        (PRECISION | OURS, Y + 1, 2),
        (OURS | PRECISION, Y + 1, 2),
        (OURS | FIRST, Y, 2),
        (FIRST | BOTH, Y, 2),
    ],
)
def test_a_dictionary_predicts_once_unless_the_positive_class_differs(scoring, y, n_predictions):
    features = X3 if y is Y3 else X
    Counting.calls.clear()
    options = {"cv": 2, "error_score": "raise"}
    scores = cross_validate(Counting(5, random_state=0), features, y, scoring=scoring, **options)
    assert len(Counting.calls) == 2 * n_predictions
    forest = RandomForestClassifier(5, random_state=0)
    for name, scorer in scoring.items():
        alone = cross_val_score(forest, features, y, scoring=scorer, **options)
        np.testing.assert_array_equal(scores[f"test_{name}"], alone, err_msg=name)


def test_shared_probabilities_of_the_first_class_are_exact():
    # 1 - p has no digits left of a probability near 1e-16.
    class Sure(DummyClassifier):
        def predict_proba(self, X):
            return np.tile([1e-14, 1.0], (len(X), 1))

    sure = Sure().fit(X, Y)
    loss = MetricScorer("categorical_crossentropy")
    scores = check_scoring(sure, LOG_LOSS | {"ours": loss})(sure, X, Y)
    assert scores["ours"] == loss(sure, X, Y)
    assert scores["ours"] == pytest.approx(np.log(1e-14) * np.mean(Y == 0), rel=1e-12)


class Frames(LogisticRegression):
    def predict_proba(self, X):
        return pd.DataFrame(super().predict_proba(X))


class Untagged:
    """A classifier that scikit-learn does not know as one."""

    def __init__(self):
        self.classes_ = [0, 1]

    def fit(self, X, y):
        self.model = LogisticRegression().fit(X, y)
        return self

    def predict_proba(self, X):
        return self.model.predict_proba(X).tolist()


@pytest.mark.parametrize("classifier", [Frames(), Untagged()], ids=["data frame", "list"])
@pytest.mark.parametrize("y", [Y, Y3], ids=["2", "3"])
def test_a_dictionary_scores_predictions_other_than_arrays(classifier, y):
    features = X3 if y is Y3 else X
    classifier.classes_ = np.unique(y)
    fitted, plain = classifier.fit(features, y), LogisticRegression().fit(features, y)
    ours = {"a": MetricScorer("brier_loss"), "b": MetricScorer("categorical_crossentropy")}
    expected = {name: scorer(plain, features, y) for name, scorer in ours.items()}
    assert check_scoring(fitted, ours)(fitted, features, y) == pytest.approx(expected, rel=1e-12)
    importance = permutation_importance(fitted, features, y, scoring=ours, n_repeats=1)
    assert importance["a"].importances.max() > 0


def test_a_classifier_without_the_method_keeps_the_other_scores_of_a_dictionary():
    scoring = {"ours": MetricScorer("brier_loss"), "theirs": "accuracy", "hinge": "roc_auc"}
    with pytest.warns(UserWarning, match="brier_loss needs predict_proba, but LinearSVC does not"):
        scores = cross_validate(LinearSVC(), X, Y, cv=2, scoring=scoring)
    assert np.isnan(scores["test_ours"]).all()
    assert (scores["test_theirs"] > 0.5).all()


# -- private names ---------------------------------------------------------------------------


def test_scikit_learn_has_the_private_names_that_xentexp_uses():
    theirs, ours = sklearn_get_scorer("neg_log_loss"), MetricScorer("brier_loss")
    for name in ("_score_func", "_sign", "_kwargs", "_response_method"):
        assert name in vars(theirs)
        assert hasattr(ours, name)
    assert list(inspect.signature(theirs._score).parameters) == [
        "method_caller", "estimator", "X", "y_true", "kwargs",
    ]  # fmt: skip
    assert theirs._get_pos_label() is ours._get_pos_label() is None
    assert _MultimetricScorer(scorers={"a": ours})._scorers == {"a": ours}
    curve = _CurveScorer.from_scorer(ours, "predict_proba", 5)
    assert (curve._sign, curve._kwargs, curve._get_pos_label()) == (-1, {}, None)
