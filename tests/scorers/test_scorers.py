"""Scorers in the tools of scikit-learn, with finite values if those of scikit-learn are NaN."""

import pickle
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_iris, make_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import get_scorer as sklearn_get_scorer
from sklearn.metrics import get_scorer_names as sklearn_get_scorer_names
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    PredefinedSplit,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
    validation_curve,
)
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from xentexp import metrics
from xentexp.errors import InputError
from xentexp.losses import LOSSES
from xentexp.metrics._registry import DATASET_METRICS, get_loss, get_metric
from xentexp.scorers import (
    MetricScorer,
    MetricScorers,
    get_scorer,
    get_scorer_names,
    loss_scorers,
    predict,
)

# Losses of several labels per row, a loss that is infinite for labels, and the entropy.
NO_SCORES = {
    "entropy", "multilabel_crossentropy", "multilabel_asymmetric_loss", "reverse_kl_divergence",
}  # fmt: skip
RANKED = [name for name in LOSSES if name not in NO_SCORES]
HINGES = {name for name in RANKED if LOSSES[name].properties.response == "decision_function"}
LATENT = {"cumulative_link_log_loss"}
ORDERED = {name for name in RANKED if LOSSES[name].properties.ordered}
BINARY = {name for name in RANKED if LOSSES[name].properties.binary_only}
EPSILON = 36.04365338911715  # -log of the precision of float64, 2.2e-16


def data(n_classes, n_rows=240):
    return make_classification(
        n_rows, 6, n_informative=5, n_redundant=0, n_classes=n_classes, random_state=n_classes
    )


X2, Y2 = data(2)
X3, Y3 = data(3)
NAMES = np.array(["low", "mid", "high"])
CV = StratifiedKFold(4, shuffle=True, random_state=0)


# -- equality with scikit-learn --------------------------------------------------------------


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        make_pipeline(StandardScaler(), LogisticRegression(C=10)),
        GaussianNB(),
        DecisionTreeClassifier(random_state=0),  # probabilities of 0 and 1
        RandomForestClassifier(10, random_state=0),
        DummyClassifier(),
    ],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.parametrize(("X", "y"), [(X2, Y2), (X3, Y3), (X3, NAMES[Y3])], ids=["2", "3", "text"])
def test_cross_entropy_equals_neg_log_loss(model, X, y):
    ours = cross_val_score(model, X, y, cv=CV, scoring=get_scorer("neg_categorical_crossentropy"))
    theirs = cross_val_score(model, X, y, cv=CV, scoring="neg_log_loss")
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)
    brier = cross_val_score(model, X, y, cv=CV, scoring=get_scorer("neg_brier_loss"))
    # scikit-learn's Brier scorer is for two classes whose second counts as positive
    model = clone(model).fit(X, y)
    theirs = sklearn.metrics.brier_score_loss(
        y, model.predict_proba(X)[:, 1] if X is X2 else model.predict_proba(X)
    )
    assert get_scorer("neg_brier_loss")(model, X, y) == pytest.approx(-theirs, rel=1e-12)
    assert (brier < 0).all()
    accuracy = get_scorer("neg_zero_one_loss")(model, X, y)
    assert accuracy == pytest.approx(model.score(X, y) - 1, rel=1e-12)


@pytest.mark.parametrize("name", RANKED)
@pytest.mark.parametrize(("X", "y"), [(X2, Y2), (X3, Y3)], ids=["2", "3"])
def test_a_scorer_is_the_negative_metric(name, X, y):
    model = LogisticRegression().fit(X, y)
    scorer = get_scorer(f"neg_{name}")
    if name in BINARY and X is X3:
        with pytest.raises(InputError, match=f"{name} is for two classes; there are 3"):
            scorer(model, X, y)
        return
    if name in LATENT and X is X3:
        with pytest.raises(InputError, match=f"{name} needs one decision score for each row"):
            scorer(model, X, y)
        return
    function, properties = getattr(metrics, name), LOSSES[name].properties
    target = np.eye(len(model.classes_))[y] if properties.distributions else y
    on_scores = name in HINGES | LATENT
    predicted = model.decision_function(X) if on_scores else model.predict_proba(X)
    function = partial(function, labels=[0, 1]) if name in LATENT else function
    assert scorer(model, X, y) == pytest.approx(-function(target, predicted), rel=1e-12)
    weight = np.arange(len(y)) % 3
    expected = -function(target, predicted, sample_weight=weight)
    assert scorer(model, X, y, sample_weight=weight) == pytest.approx(expected, rel=1e-12)
    assert MetricScorer(get_loss(name))(model, X, y) == scorer(model, X, y)


# -- folds that lack a class -----------------------------------------------------------------


def test_a_class_missing_in_training_costs_36_nats_for_each_row():
    X, y = X3.copy(), NAMES[Y3]
    folds = PredefinedSplit(np.where(y == "mid", 0, np.arange(len(y)) % 2))
    trains = [set(y[train]) for train, _ in folds.split()]
    assert trains[0] == {"low", "high"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = cross_val_score(
            LogisticRegression(), X, y, cv=folds, scoring="neg_log_loss", error_score=np.nan
        )
    assert np.isnan(theirs).all()  # training lacks "mid" in the first fold, testing in the second
    (train, test), (other_train, other_test) = folds.split()
    model = LogisticRegression().fit(X[other_train], y[other_train])
    p = model.predict_proba(X[other_test])
    second = -sklearn.metrics.log_loss(y[other_test], p, labels=model.classes_)
    for scorer in (
        get_scorer("neg_categorical_crossentropy"),
        get_scorer("neg_categorical_crossentropy", labels=NAMES),
    ):
        ours = cross_val_score(LogisticRegression(), X, y, cv=folds, scoring=scorer)
        assert np.isfinite(ours).all()
        assert ours[1] == pytest.approx(second, rel=1e-12)
        model = LogisticRegression().fit(X[train], y[train])
        p = model.predict_proba(X[test])
        seen = np.array([model.classes_.tolist().index(c) if c != "mid" else -1 for c in y[test]])
        cost = np.where(seen < 0, EPSILON, -np.log(p[np.arange(len(p)), seen]))
        assert ours[0] == pytest.approx(-cost.mean(), rel=1e-12)
    only = test[y[test] == "mid"]
    scorer = get_scorer("neg_categorical_crossentropy")
    assert scorer(model, X[only], y[only]) == pytest.approx(-EPSILON, rel=1e-14)
    assert get_scorer("neg_zero_one_loss")(model, X[only], y[only]) == -1.0


@pytest.mark.parametrize("n_known", [2, 3])
def test_a_class_missing_in_training_scores_one_below_the_lowest(n_known):
    X, y = data(n_known + 1)
    train = y != 1
    model = LinearSVC().fit(X[train], y[train])
    decision = model.decision_function(X)
    if n_known == 2:
        decision = np.stack([np.zeros(len(X)), decision], axis=1)
    full = np.insert(decision, 1, decision.min(axis=1) - 1, axis=1)
    for name in ("categorical_hinge", "weston_watkins_hinge", "zero_one_loss"):
        value = get_scorer(f"neg_{name}")(model, X, y)
        options = {"from_logits": True} if name == "zero_one_loss" else {}
        expected = -getattr(metrics, name)(y, full, **options)
        assert value == pytest.approx(expected, rel=1e-12)
        assert get_scorer(f"neg_{name}", labels=range(n_known + 1))(model, X, y) == value


def test_training_on_a_single_class():
    X, y = X2, Y2
    model = DummyClassifier().fit(X[:3], np.zeros(3, dtype=int))
    assert model.predict_proba(X[:1]).shape == (1, 1)
    scorer = get_scorer("neg_binary_crossentropy")
    assert scorer(model, X, y) == pytest.approx(-EPSILON * np.mean(y == 1), rel=1e-12)
    with_labels = get_scorer("neg_binary_crossentropy", labels=[0, 1])
    assert with_labels(model, X[y == 0], y[y == 0]) == 0.0


def test_a_test_part_of_one_class_is_finite_where_scikit_learn_gives_nan():
    X, y = X2, Y2
    only = y == 1
    model = LogisticRegression().fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        with pytest.raises(ValueError, match="labels"):
            sklearn_get_scorer("neg_log_loss")(model, X[only], y[only])
    expected = np.log(model.predict_proba(X[only])[:, 1]).mean()
    for name in ("binary", "categorical", "sparse_categorical"):
        ours = get_scorer(f"neg_{name}_crossentropy")(model, X[only], y[only])
        assert ours == pytest.approx(expected, rel=1e-12)
    hinge = np.maximum(0, 1 - model.decision_function(X[only])).mean()
    ours = get_scorer("neg_hinge_loss")(model, X[only], y[only])
    assert ours == pytest.approx(-hinge, rel=1e-12)


def test_labels_may_be_in_any_order_and_have_more_classes():
    model = LogisticRegression().fit(X3, NAMES[Y3])
    plain = get_scorer("neg_categorical_crossentropy")(model, X3, NAMES[Y3])
    hinge = get_scorer("neg_categorical_hinge")(model, X3, NAMES[Y3])
    for labels in (["low", "mid", "high"], ["high", "mid", "low"], NAMES, [*NAMES, "never"]):
        scorer = get_scorer("neg_categorical_crossentropy", labels=labels)
        assert scorer(model, X3, NAMES[Y3]) == pytest.approx(plain, rel=1e-12)
        scorer = get_scorer("neg_categorical_hinge", labels=labels)
        assert scorer(model, X3, NAMES[Y3]) == pytest.approx(hinge, rel=1e-12)
    binary = LogisticRegression().fit(X2, Y2)
    for name in ("binary_crossentropy", "hinge_loss", "categorical_hinge", "brier_loss"):
        turned = get_scorer(f"neg_{name}", labels=[1, 0])(binary, X2, Y2)
        assert turned == pytest.approx(get_scorer(f"neg_{name}")(binary, X2, Y2), rel=1e-12)


# -- every tool of scikit-learn --------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "X", "y", "expected"),
    [
        (LogisticRegression(), X2, Y2, set(RANKED) - ORDERED),
        (LogisticRegression(), X3, Y3, set(RANKED) - BINARY - ORDERED),
        (GaussianNB(), X3, NAMES[Y3], set(RANKED) - BINARY - HINGES - ORDERED),
        (LinearSVC(), X2, Y2 == 1, HINGES | {"zero_one_loss"}),
        (LinearSVC(), X3, Y3, (HINGES | {"zero_one_loss"}) - BINARY),
    ],
    ids=["logistic 2", "logistic 3", "bayes", "svm 2", "svm 3"],
)
def test_cross_validate_with_every_loss_that_applies(model, X, y, expected):
    scores = cross_validate(model, X, y, cv=CV, scoring=loss_scorers(), return_train_score=True)
    assert {key for key in scores if key.startswith("test_")} == {
        f"test_neg_{name}" for name in expected
    }
    for name in expected:
        single = cross_val_score(model, X, y, cv=CV, scoring=get_scorer(f"neg_{name}"))
        np.testing.assert_allclose(scores[f"test_neg_{name}"], single, rtol=1e-12)
        assert scores[f"train_neg_{name}"].shape == (4,)


GRADES = ["low", "mid", "high"]


def test_losses_of_ordered_classes_need_numbers_or_labels():
    model = LogisticRegression().fit(X3, NAMES[Y3])
    rps = "ranked_probability_score"
    with pytest.raises(InputError, match=f"{rps} is for ordered classes; pass labels="):
        get_scorer(f"neg_{rps}")(model, X3, NAMES[Y3])
    ours = get_scorer(f"neg_{rps}", labels=GRADES)(model, X3, NAMES[Y3])
    p = pd.DataFrame(model.predict_proba(X3), columns=model.classes_)[GRADES].to_numpy()
    truth = np.eye(3)[[GRADES.index(name) for name in NAMES[Y3]]]
    gaps = np.cumsum(p, axis=1) - np.cumsum(truth, axis=1)
    assert ours == pytest.approx(-(gaps**2).sum(axis=1).mean(), rel=1e-12)
    chosen = loss_scorers([rps, "brier_loss"], labels=GRADES)(model, X3, NAMES[Y3])
    assert chosen[f"neg_{rps}"] == pytest.approx(ours, rel=1e-12)
    numbers = get_scorer(f"neg_{rps}")(LogisticRegression().fit(X3, Y3), X3, Y3)
    assert numbers < 0  # numbers are ordered by value


def test_a_latent_score_is_computed_next_to_probabilities():
    model = LogisticRegression().fit(X2, Y2)
    both = loss_scorers(["brier_loss", "cumulative_link_log_loss"])(model, X2, Y2)
    # two classes, cut at 0: the cross-entropy of the decision scores
    expected = get_scorer("neg_binary_crossentropy")(model, X2, Y2)
    assert both["neg_cumulative_link_log_loss"] == pytest.approx(expected, rel=1e-12)
    with pytest.raises(InputError, match="cumulative_link_log_loss needs decision_function"):
        get_scorer("neg_cumulative_link_log_loss")(GaussianNB().fit(X2, Y2), X2, Y2)


def test_cross_validate_with_some_losses_and_all_labels():
    chosen = ["brier_loss", get_loss("squared_error", over_classes="sum")]
    scores = cross_validate(
        LogisticRegression(), X3, Y3, cv=CV, scoring=loss_scorers(chosen, labels=[2, 1, 0, 9])
    )
    assert [key for key in scores if key.startswith("test_")] == [
        "test_neg_brier_loss",
        "test_neg_squared_error",
    ]
    np.testing.assert_allclose(scores["test_neg_brier_loss"], scores["test_neg_squared_error"])
    assert list(loss_scorers("brier_loss")(LogisticRegression().fit(X2, Y2), X2, Y2)) == [
        "neg_brier_loss"
    ]


def test_a_dict_mixes_scorers_of_xentexp_and_scikit_learn():
    scoring = {"ours": get_scorer("neg_categorical_crossentropy"), "theirs": "neg_log_loss"}
    scores = cross_validate(LogisticRegression(), X3, Y3, cv=CV, scoring=scoring)
    np.testing.assert_allclose(scores["test_ours"], scores["test_theirs"], rtol=1e-12)


GRID = {"C": [1e-3, 1.0]}


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_searches_select_by_our_loss(n_jobs):
    options = {"cv": CV, "n_jobs": n_jobs}
    ours = GridSearchCV(
        LogisticRegression(), GRID, scoring=get_scorer("neg_categorical_crossentropy"), **options
    ).fit(X3, Y3)
    theirs = GridSearchCV(LogisticRegression(), GRID, scoring="neg_log_loss", **options).fit(X3, Y3)
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], rtol=1e-12
    )
    assert ours.best_params_ == theirs.best_params_
    assert ours.score(X3, Y3) == pytest.approx(theirs.score(X3, Y3), rel=1e-12)
    many = GridSearchCV(
        LogisticRegression(), GRID, scoring=loss_scorers(), refit="neg_brier_loss", **options
    ).fit(X3, Y3)
    assert many.best_index_ == np.argmax(many.cv_results_["mean_test_neg_brier_loss"])
    np.testing.assert_allclose(
        many.cv_results_["mean_test_neg_categorical_crossentropy"],
        ours.cv_results_["mean_test_score"],
        rtol=1e-12,
    )


def test_other_tools_of_scikit_learn_accept_the_scorer():
    scorer = get_scorer("neg_brier_loss")
    halving = HalvingGridSearchCV(
        LogisticRegression(), GRID, scoring=scorer, cv=2, random_state=0
    ).fit(X2, Y2)
    assert halving.best_score_ < 0
    random = RandomizedSearchCV(LogisticRegression(), GRID, n_iter=1, scoring=scorer, cv=2)
    assert random.fit(X2, Y2).best_score_ < 0
    importance = permutation_importance(
        halving, X2, Y2, scoring=scorer, n_repeats=2, random_state=0
    )
    assert importance.importances_mean.max() > 0
    train, test = validation_curve(
        LogisticRegression(), X2, Y2, param_name="C", param_range=[1.0], scoring=scorer, cv=2
    )
    assert train.shape == test.shape == (1, 2)
    assert scorer(halving, X2, Y2) == scorer(halving.best_estimator_, X2, Y2)


@pytest.mark.parametrize(
    "scorer",
    [
        get_scorer("neg_brier_loss"),
        get_scorer("neg_categorical_crossentropy", labels=np.array([0, 1])),
        MetricScorer(get_loss("squared_error", over_classes="sum")),
        loss_scorers(),
        loss_scorers(["hinge_loss", "brier_loss"], labels=[0, 1]),
    ],
    ids=repr,
)
def test_a_scorer_can_be_cloned_and_pickled_and_has_a_repr(scorer):
    model = LogisticRegression().fit(X2, Y2)
    expected = scorer(model, X2, Y2)
    for other in (
        clone(scorer),
        pickle.loads(pickle.dumps(scorer)),
        type(scorer)(**scorer.get_params()),
    ):
        assert other(model, X2, Y2) == expected
        assert repr(other) == repr(scorer)
    search = clone(GridSearchCV(LogisticRegression(), GRID, scoring=scorer))
    assert type(search.scoring) is type(scorer)


def test_pandas_and_named_columns():
    X, y = pd.DataFrame(X3).add_prefix("x"), pd.Series(NAMES[Y3], dtype="category")
    model = make_pipeline(StandardScaler(), LogisticRegression())
    ours = cross_validate(model, X, y, cv=CV, scoring=loss_scorers())
    theirs = cross_val_score(model, X3, NAMES[Y3], cv=CV, scoring="neg_log_loss")
    np.testing.assert_allclose(ours["test_neg_categorical_crossentropy"], theirs, rtol=1e-12)


@pytest.mark.parametrize("name", ["neg_categorical_crossentropy", "neg_hinge_loss"])
def test_sample_weight_by_metadata_routing(name):
    weight = np.linspace(0.1, 3, len(Y2))
    theirs = {"neg_categorical_crossentropy": "neg_log_loss"}.get(name)
    with sklearn.config_context(enable_metadata_routing=True):
        model = LogisticRegression().set_fit_request(sample_weight=False)
        options = {"cv": CV, "params": {"sample_weight": weight}}
        scorer = get_scorer(name).set_score_request(sample_weight=True)
        ours = cross_val_score(model, X2, Y2, scoring=scorer, **options)
        if theirs:
            scorer = sklearn_get_scorer(theirs).set_score_request(sample_weight=True)
            expected = cross_val_score(model, X2, Y2, scoring=scorer, **options)
            np.testing.assert_allclose(ours, expected, rtol=1e-12)
        many = cross_validate(
            model, X2, Y2, scoring=loss_scorers().set_score_request(sample_weight=True), **options
        )
        np.testing.assert_allclose(many[f"test_{name}"], ours, rtol=1e-12)
        mixed = {"a": get_scorer(name).set_score_request(sample_weight=True)}
        np.testing.assert_array_equal(
            cross_validate(model, X2, Y2, scoring=mixed, **options)["test_a"], ours
        )
        unweighted = get_scorer(name).set_score_request(sample_weight=False)
        plain = cross_val_score(
            LogisticRegression().set_fit_request(sample_weight=True), X2, Y2,
            scoring=unweighted, **options,
        )  # fmt: skip
        assert not np.allclose(plain, ours)


class Counting(ClassifierMixin, BaseEstimator):
    """Classifier that counts its predictions, over all its clones."""

    calls: list[str] = []  # noqa: RUF012

    def fit(self, X, y):
        self.classes_, counts = np.unique(y, return_counts=True)
        self.prior_ = counts / counts.sum()
        return self

    def predict(self, X):
        raise AssertionError("no loss needs labels")

    def predict_proba(self, X):
        self.calls.append("proba")
        return np.tile(self.prior_, (len(X), 1))

    def decision_function(self, X):
        self.calls.append("decision")
        return np.tile(self.prior_, (len(X), 1))


@pytest.mark.parametrize(
    ("scorer", "expected"),
    [
        (loss_scorers(), ["proba", "decision"]),
        (loss_scorers(["brier_loss", "categorical_crossentropy", "zero_one_loss"]), ["proba"]),
        (loss_scorers(["categorical_hinge", "weston_watkins_hinge"]), ["decision"]),
        (get_scorer("neg_zero_one_loss"), ["proba"]),
        (get_scorer("neg_categorical_hinge"), ["decision"]),
    ],
    ids=["all", "probabilities", "margins", "zero-one", "hinge"],
)
def test_a_scorer_predicts_once_per_fold_and_only_what_it_needs(scorer, expected):
    Counting.calls.clear()
    cross_validate(Counting(), X3, Y3, cv=CV, scoring=scorer)
    assert Counting.calls == expected * 4


# -- what does not work ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scorer", "model", "parts"),
    [
        (get_scorer("neg_brier_loss"), LinearSVC(),
         ["brier_loss needs predict_proba, but LinearSVC does not"]),
        (get_scorer("neg_hinge_loss"), GaussianNB(),
         ["hinge_loss needs decision_function, but GaussianNB does not"]),
        (get_scorer("neg_brier_loss"), make_pipeline(StandardScaler(), LinearSVC()),
         ["brier_loss needs predict_proba, but LinearSVC does not"]),
        (get_scorer("neg_zero_one_loss"), VotingClassifier([("bayes", GaussianNB())]),
         ["zero_one_loss needs predict_proba or decision_function", "VotingClassifier"]),
        (loss_scorers(["brier_loss", "categorical_hinge"]), GaussianNB(),
         ["categorical_hinge needs decision_function, but GaussianNB does not"]),
        (get_scorer("neg_brier_loss"), LinearRegression(),
         ["must be a fitted classifier", "LinearRegression has no classes_"]),
        (get_scorer("neg_categorical_hinge"), SVC(decision_function_shape="ovo"),
         ["one column for each of 4 classes", "SVC", "decision_function_shape='ovr'"]),
        (MetricScorer("entropy"), GaussianNB(), ["entropy does not rank predictions"]),
        (MetricScorers(["entropy"]), GaussianNB(), ["entropy does not rank predictions"]),
        (MetricScorer("brier_los"), GaussianNB(),
         ["unknown loss or metric 'brier_los'", "'brier_loss'"]),
        (get_scorer("neg_brier_loss", labels=[0, 1]), GaussianNB(),
         ["labels must have every class of the classifier", "[2, 3]"]),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_missing_predictions_are_an_error_with_both_names(scorer, model, parts):
    X, y = data(4)
    with pytest.raises(InputError) as error:
        scorer(model.fit(X, y), X, y)
    assert all(part in str(error.value) for part in parts), str(error.value)


@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeClassifier(max_depth=1),
        DummyClassifier(),
        MultiOutputClassifier(GaussianNB()),
        ClassifierChain(GaussianNB()),
    ],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.parametrize("scorer", [get_scorer("neg_brier_loss"), loss_scorers()])
@pytest.mark.parametrize("second", [Y2, Y2 + np.arange(len(Y2)) % 2], ids=["2 and 2", "2 and 3"])
def test_a_classifier_of_several_targets_raises(model, scorer, second):
    targets = np.stack([Y2, second], axis=1)
    fitted = clone(model).fit(X2, targets)
    for y in (targets, Y2):
        with pytest.raises(InputError, match=f"{type(model).__name__} was fitted on 2 targets"):
            scorer(fitted, X2, y)
    with pytest.raises(InputError, match="fitted on 2 targets"):
        predict(fitted, X2, [0, 1])


@pytest.mark.parametrize("labels", [None, [0.0, 1.0]])
def test_a_classifier_with_a_missing_class_raises(labels):
    y = np.where(np.arange(len(Y2)) < 3, np.nan, Y2)
    model = DummyClassifier().fit(X2, y)  # the only classifier of scikit-learn that accepts NaN
    assert np.isnan(model.classes_).any()
    scorer = get_scorer("neg_brier_loss", labels=labels)
    with pytest.raises(InputError, match="DummyClassifier was fitted on rows with the label nan"):
        scorer(model, X2, Y2)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, np.nan], "labels must not have missing values"),
        ([0, 1, 1], "labels must be distinct"),
        ({0, 1}, "labels must be"),
        ([[0, 1]], "labels must be one-dimensional"),
    ],
)
def test_invalid_labels_of_a_scorer_raise(labels, message):
    with pytest.raises(InputError, match=message):
        get_scorer("neg_brier_loss", labels=labels)(GaussianNB().fit(X2, Y2), X2, Y2)


def test_svc_one_against_rest_works_and_an_unfitted_classifier_raises():
    X, y = data(4)
    assert get_scorer("neg_categorical_hinge")(SVC().fit(X, y), X, y) < 0
    with pytest.raises(InputError, match="LogisticRegression has no classes_"):
        get_scorer("neg_brier_loss")(LogisticRegression(), X, y)


@pytest.mark.parametrize(
    ("y", "labels", "parts"),
    [
        (np.array(["a"] * len(Y2)), None, ["'a'", "sorted with the classes 0, 1", "labels="]),
        (np.eye(2)[Y2], None, ["y must be labels of shape (n,)", "(240, 2)"]),
        (np.where(Y2 == 0, np.nan, 1.0), None, ["missing value", "row"]),
        (np.where(Y2 == 0, 7, 1), [0, 1], ["only the classes 0, 1", "got 7 in row 0"]),
    ],
)
def test_invalid_targets_raise(y, labels, parts):
    model = LogisticRegression().fit(X2, Y2)
    with pytest.raises(InputError) as error:
        get_scorer("neg_brier_loss", labels=labels)(model, X2, y)
    assert all(part in str(error.value) for part in parts), str(error.value)


SCORED = {
    name: ("" if metric.properties.direction == "higher" else "neg_") + metric.name
    for name, metric in DATASET_METRICS.items()
    if metric.properties.direction != "nearest"
    and not metric.properties.prior
    and name not in sklearn_get_scorer_names()
}


@pytest.mark.parametrize("name", SCORED)
def test_the_score_of_a_metric_is_its_value_with_the_sign_of_its_direction(name):
    scorer, function = get_scorer(SCORED[name]), getattr(metrics, name)
    sign = -1 if SCORED[name].startswith("neg_") else 1
    for X, y in (
        ((X2, Y2),) if DATASET_METRICS[name].properties.binary_only else ((X2, Y2), (X3, Y3))
    ):
        model = LogisticRegression().fit(X, y)
        proba, weight = model.predict_proba(X), np.arange(len(y)) % 3
        assert scorer(model, X, y) == pytest.approx(sign * function(y, proba), rel=1e-12)
        expected = sign * function(y, proba, sample_weight=weight)
        assert scorer(model, X, y, sample_weight=weight) == pytest.approx(expected, rel=1e-12)
        assert pickle.loads(pickle.dumps(clone(scorer)))(model, X, y) == scorer(model, X, y)
        many = loss_scorers(["brier_loss", name])(model, X, y)
        assert list(many) == ["neg_brier_loss", SCORED[name]]
        assert many[SCORED[name]] == scorer(model, X, y)


def test_names_of_scikit_learn_return_its_scorers():
    theirs = get_scorer("roc_auc")
    assert not isinstance(theirs, MetricScorer)
    assert repr(get_scorer("roc_auc_ovr")) == repr(sklearn_get_scorer("roc_auc_ovr"))
    model = LogisticRegression().fit(X2, Y2)
    assert loss_scorers(["roc_auc"])(model, X2, Y2) == {
        "roc_auc": pytest.approx(theirs(model, X2, Y2), rel=1e-12)
    }


def test_decision_scores_are_ranked_without_probabilities():
    model = LinearSVC().fit(X2, Y2)
    expected = 2 * sklearn_get_scorer("roc_auc")(model, X2, Y2) - 1
    assert get_scorer("gini")(model, X2, Y2) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(InputError, match="perplexity needs predict_proba, but LinearSVC does not"):
        get_scorer("neg_perplexity")(model, X2, Y2)
    hinge = get_scorer("neg_balanced_hinge_loss")(model, X2, Y2)
    decision = model.decision_function(X2)
    expected = metrics.balanced_loss(Y2, decision, loss="hinge_loss", from_logits=True)
    assert hinge == pytest.approx(-expected, rel=1e-12)


def test_searches_accept_parameters_and_other_null_models():
    metric = get_metric("expected_calibration_error", bins="mass", n_bins=5)
    model = LogisticRegression().fit(X2, Y2)
    expected = -metrics.expected_calibration_error(
        Y2, model.predict_proba(X2)[:, 1], bins="mass", n_bins=5
    )
    assert MetricScorer(metric)(model, X2, Y2) == pytest.approx(expected, rel=1e-12)
    skill = get_metric("d2_score", null="test prior")
    theirs = sklearn_get_scorer("d2_log_loss_score")(model, X2, Y2)
    assert MetricScorer(skill)(model, X2, Y2) == pytest.approx(theirs, rel=1e-12)
    search = GridSearchCV(
        LogisticRegression(),
        {"C": [1e-4, 1.0]},
        cv=CV,
        scoring=loss_scorers(["gini", "brier_loss"]),
        refit="gini",
    ).fit(X2, Y2)
    single = cross_val_score(LogisticRegression(), X2, Y2, cv=CV, scoring=get_scorer("gini"))
    ours = [search.cv_results_[f"split{n}_test_gini"][1] for n in range(4)]
    np.testing.assert_allclose(ours, single, rtol=1e-12)


def test_a_fold_with_an_undefined_metric_raises():
    only = np.flatnonzero(Y2 == 1)
    model = LogisticRegression().fit(X2, Y2)
    with pytest.raises(InputError, match="gini is undefined: there are no rows of class 0"):
        get_scorer("gini")(model, X2[only], Y2[only])


def test_cross_validate_keeps_the_other_scores_of_a_fold_with_an_undefined_metric():
    order = np.argsort(Y2, kind="stable")  # the test rows of the first fold have class 0 only
    first = order[:40]
    folds = [(np.setdiff1d(np.arange(len(Y2)), first), first), (first[:20], order[20:])]
    folds[1] = (np.r_[order[:20], order[-20:]], order[20:-20])
    scorer = loss_scorers(["roc_auc", "brier_loss"])
    with pytest.warns(UndefinedMetricWarning, match="roc_auc is undefined: there are no rows of"):
        scores = cross_validate(LogisticRegression(), X2, Y2, cv=folds, scoring=scorer)
    assert scores["test_roc_auc"].dtype == scores["test_neg_brier_loss"].dtype == np.float64
    assert np.isnan(scores["test_roc_auc"]).tolist() == [True, False]
    assert (scores["test_neg_brier_loss"] < 0.0).all()
    expected = cross_val_score(LogisticRegression(), X2, Y2, cv=folds, scoring="neg_brier_score")
    np.testing.assert_allclose(scores["test_neg_brier_loss"], expected, rtol=1e-12)


@pytest.mark.parametrize("scorer", [get_scorer("gini"), loss_scorers("gini")])
def test_the_estimator_is_an_argument_of_a_scorer_and_not_metadata(scorer):
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = clone(scorer).set_score_request(sample_weight=True)
        assert set(scorer.get_metadata_routing().score.requests) == {"sample_weight"}
        with pytest.raises(TypeError, match="estimator"):
            scorer.set_score_request(estimator=True)


def test_every_scorer_name_is_found():
    names = get_scorer_names()
    assert names == sorted(set(names))
    assert {f"neg_{name}" for name in RANKED} < set(names)
    assert {"gini", "ks_statistic", "neg_expected_calibration_error"} < set(names)
    assert not {"d2_score", "calibration_slope", "neg_gini"} & set(names)
    assert set(sklearn.metrics.get_scorer_names()) < set(names)
    assert not {f"neg_{name}" for name in RANKED} & set(sklearn.metrics.get_scorer_names())
    assert not {f"neg_{name}" for name in NO_SCORES} & set(names)
    for name in names:
        assert callable(get_scorer(name))
    model = LogisticRegression().fit(X2, Y2)
    theirs = sklearn_get_scorer("roc_auc")(model, X2, Y2)
    assert get_scorer("roc_auc")(model, X2, Y2) == theirs
    ours = get_scorer("neg_brier_loss")
    assert get_scorer(ours) is ours


@pytest.mark.parametrize(
    ("call", "parts"),
    [
        (lambda: get_scorer("neg_categorical_crossentropi"),
         ["unknown scorer", "did you mean 'neg_categorical_crossentropy'"]),
        (lambda: get_scorer("brier_loss"), ["unknown scorer", "'neg_brier_loss'"]),
        (lambda: get_scorer("roc_au"), ["unknown scorer", "'roc_auc'"]),
        (lambda: get_scorer("neg_entropy"), ["entropy does not rank predictions"]),
        (lambda: get_scorer("neg_reverse_kl_divergence"), ["unknown scorer"]),
        (lambda: MetricScorer("reverse_kl_divergence")(LogisticRegression().fit(X2, Y2), X2, Y2),
         ["reverse_kl_divergence is infinite for labels"]),
        (lambda: loss_scorers("multilabel_crossentropy")(LogisticRegression().fit(X2, Y2), X2, Y2),
         ["multilabel_crossentropy is for several labels in a row"]),
        (lambda: get_scorer("roc_auc", labels=[0, 1]),
         ["labels must be left out for 'roc_auc'", "; use MetricScorer('roc_auc', labels=...)"]),
        (lambda: get_scorer("r2", labels=[0, 1]), ["a scorer of scikit-learn; got [0, 1]"]),
        (lambda: loss_scorers([get_loss("power_loss"), get_loss("power_loss", beta=3.0)]),
         ["must be distinct; duplicate: power_loss; for two parameter settings pass a dict of "
          "MetricScorer to scoring="]),
        (lambda: loss_scorers(["neg_brier_loss"]),
         ["names of losses and metrics have no prefix neg_; got 'neg_brier_loss'",
          "write 'brier_loss'"]),
        (lambda: loss_scorers(["entropy"]),
         ["entropy does not rank predictions, so it is not a score"]),
        (lambda: loss_scorers("entropy"), ["entropy does not rank predictions"]),
        (lambda: loss_scorers(["brier_los"]),
         ["unknown loss or metric 'brier_los'", "'brier_loss'"]),
        (lambda: loss_scorers([]), ["must have at least one entry"]),
        (lambda: loss_scorers(5), ["must be a name, a loss or metric, or a list"]),
        (lambda: loss_scorers(["multilabel_crossentropy"]), ["is for several labels in a row"]),
        (lambda: get_scorer("nll"), ["did you mean 'neg_categorical_crossentropy'"]),
        (lambda: get_scorer("ece"), ["did you mean 'neg_expected_calibration_error'"]),
        (lambda: get_scorer("neg_auc"), ["did you mean 'roc_auc'"]),
        (lambda: get_scorer(get_metric("entropy")), ["entropy does not rank predictions"]),
        (lambda: get_scorer("neg_gini"), ["unknown scorer 'neg_gini'", "did you mean 'gini'"]),
        (lambda: get_scorer("expected_calibration_error"), ["'neg_expected_calibration_error'"]),
        (lambda: get_scorer("calibration_slope"), ["best near 1, so it is not a score"]),
        (lambda: get_scorer("d2_brier_loss"), ["training prior", "null='test prior'"]),
        (lambda: loss_scorers(["d2_score"]), ["d2_categorical_crossentropy", "training prior"]),
    ],
)  # fmt: skip
def test_names_without_a_scorer_raise(call, parts):
    with pytest.raises(InputError) as error:
        call()
    assert all(part in str(error.value) for part in parts), str(error.value)


def test_scores_of_pairs_of_three_classes_are_refused_despite_their_shape():
    X, y = load_iris(return_X_y=True)
    model = make_pipeline(StandardScaler(), SVC(decision_function_shape="ovo")).fit(X, y)
    with pytest.raises(InputError, match="SVC has scores of pairs of classes"):
        get_scorer("neg_categorical_hinge")(model, X, y)


def test_loss_objects_and_generators_of_names_make_scorers():
    model = LogisticRegression().fit(X2, Y2)
    for metric, name in ((get_loss("brier"), "neg_brier_loss"), (get_metric("gini"), "gini")):
        assert get_scorer(metric)(model, X2, Y2) == get_scorer(name)(model, X2, Y2)
    scorers = loss_scorers(name for name in ("nll", "gini"))
    for _ in range(2):
        assert set(scorers(model, X2, Y2)) == {"neg_categorical_crossentropy", "gini"}
