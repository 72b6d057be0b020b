"""LinearLossClassifier: objective, optimization, scikit-learn interface."""

import pickle
import warnings

import numpy as np
import pytest
import sklearn
from scipy import sparse
from scipy.optimize import approx_fprime, linprog
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_wine, make_classification
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import hinge_loss
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from xentexp import get_loss
from xentexp.errors import InputError
from xentexp.estimators._descent import descend
from xentexp.estimators._linear import LinearLossClassifier, PenalizedLoss
from xentexp.losses import LOSSES
from xentexp.metrics import brier_loss, categorical_crossentropy
from xentexp.objectives import TrainingObjective, get_training_loss
from xentexp.scorers import get_scorer

WINE, GRAPE = load_wine(return_X_y=True)
WINE = scale(WINE)
TUMOURS, BENIGN = load_breast_cancer(return_X_y=True)
TUMOURS = scale(TUMOURS)
BLURRED, CLASS = make_classification(  # not separable, so that no loss reaches 0
    600, 6, n_informative=4, n_redundant=0, flip_y=0.3, random_state=0
)


def model(loss="categorical_crossentropy", **options):
    return LinearLossClassifier(loss, **options)


# -- scikit-learn's checks ---------------------------------------------------------------------


@parametrize_with_checks(
    [
        model(loss)
        for loss in (
            "categorical_crossentropy",
            "brier_loss",
            "categorical_focal_crossentropy",
            "exponential_loss",
            "squared_hinge_loss",
        )
    ]
    + [model("hinge_loss", tol=1e-9)]  # the tolerance of the comparison of two fits
    + [model("symmetric_crossentropy", correct_probabilities=True)],
    expected_failed_checks=lambda estimator: (
        {"check_class_weight_classifiers": "the correction undoes the effect of the class weights"}
        if estimator.correct_probabilities
        else {}
    ),
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# -- the cross-entropy is logistic regression ----------------------------------------------------


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 0.5, 1: 3.0, 2: 1.0}])
@pytest.mark.parametrize("k", [2, 3])
def test_cross_entropy_equals_logistic_regression(k, class_weight, C):
    X, y = (WINE, GRAPE) if k == 3 else (BLURRED, CLASS)
    if isinstance(class_weight, dict):
        class_weight = {label: class_weight[label] for label in range(k)}
    weight = np.random.default_rng(0).uniform(0, 3, len(y))
    options = {"C": C, "class_weight": class_weight}
    peer = LogisticRegression(**options, tol=1e-10, max_iter=10000).fit(X, y, weight)
    ours = model(**options).fit(X, y, weight)
    assert ours.predict_proba(X) == pytest.approx(peer.predict_proba(X), abs=1e-4)
    assert ours.decision_function(X).shape == peer.decision_function(X).shape
    assert ours.predict_log_proba(X) == pytest.approx(peer.predict_log_proba(X), rel=2e-3, abs=1e-4)
    for name in ("coef_", "intercept_", "n_iter_"):
        assert getattr(ours, name).shape == getattr(peer, name).shape
    assert ours.coef_ == pytest.approx(peer.coef_, abs=2e-3 * max(1.0, np.abs(peer.coef_).max()))
    precise = model(**options, tol=1e-10).fit(X, y, weight)
    assert precise.coef_ == pytest.approx(peer.coef_, abs=1e-5 * np.abs(peer.coef_).max())


@pytest.mark.parametrize("options", [{"fit_intercept": False}, {"C": np.inf}])
def test_logistic_regression_without_intercept_or_penalty(options):
    peer = LogisticRegression(**options, tol=1e-10, max_iter=10000).fit(BLURRED, CLASS)
    ours = model(**options).fit(BLURRED, CLASS)
    assert ours.predict_proba(BLURRED) == pytest.approx(peer.predict_proba(BLURRED), abs=1e-4)
    assert ours.intercept_ == pytest.approx(peer.intercept_, abs=1e-4)


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "brier_loss", "hinge_loss"])
@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csc_matrix])
def test_sparse_rows_give_the_same_model(kind, loss):
    X = np.where(np.abs(BLURRED) < 0.5, 0.0, BLURRED)
    of_sparse, of_dense = model(loss).fit(kind(X), CLASS), model(loss).fit(X, CLASS)
    assert of_sparse.coef_ == pytest.approx(of_dense.coef_, abs=1e-4)
    assert of_sparse.decision_function(kind(X)) == pytest.approx(of_sparse.decision_function(X))


def test_float32_input_is_computed_in_float64():
    ours = model().fit(BLURRED.astype(np.float32), CLASS)
    assert ours.predict_proba(BLURRED.astype(np.float32)).dtype == np.float64
    assert ours.coef_ == pytest.approx(model().fit(BLURRED, CLASS).coef_, abs=1e-4)


# -- the objective and its minimum ---------------------------------------------------------------


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("loss", ["brier_loss", "weston_watkins_hinge", "kl_divergence"])
def test_value_and_gradient_of_the_objective(loss, intercept):
    rng = np.random.default_rng(0)
    weight, c = rng.uniform(0, 2, len(GRAPE)), np.array([1.0, 3.0, 0.5])
    training = TrainingObjective(
        get_training_loss(loss), GRAPE, 3, sample_weight=weight, class_weight=c
    )
    objective = PenalizedLoss(WINE, training, 0.3, intercept)
    point = rng.normal(0, 0.3, objective.n_parameters)
    value, gradient = objective(point)
    table = point.reshape(3, -1)
    coef, constant = (table[:, :-1], table[:, -1]) if intercept else (table, np.zeros(3))
    raw = WINE @ coef.T + constant
    rows = get_loss(loss).per_sample(
        GRAPE, raw, from_logits=True, sample_weight=weight, class_weight=c
    )
    # (C sum_i w_i l_i + |coef|^2 / 2) / (C sum_i w_i)
    total = (weight * c[GRAPE]).sum()
    assert value == pytest.approx((0.3 * rows.sum() + (coef**2).sum() / 2) / (0.3 * total))
    slopes = approx_fprime(point, lambda point: objective(point)[0], 1e-7)
    assert gradient == pytest.approx(slopes, abs=1e-5)


def hinge_objective(fitted, X, y, C):
    penalty = (fitted.coef_**2).sum() / 2
    return penalty / (C * len(y)) + hinge_loss(y, fitted.decision_function(X))


@pytest.mark.parametrize("C", [0.01, 1.0])
@pytest.mark.parametrize("data", [(TUMOURS, BENIGN), (BLURRED, CLASS)])
def test_hinge_objective_is_not_above_liblinear(data, C):
    X, y = data
    ours = model("hinge_loss", C=C).fit(X, y)
    # LinearSVC penalizes the intercept; with a large constant column the penalty is negligible.
    peer = LinearSVC(
        loss="hinge", C=C, tol=1e-8, max_iter=500_000, intercept_scaling=30.0, random_state=0
    ).fit(X, y)
    assert hinge_objective(ours, X, y, C) <= hinge_objective(peer, X, y, C) * (1 + 1e-9)
    assert ours.objective_ == pytest.approx(hinge_objective(ours, X, y, C))
    assert not hasattr(ours, "predict_proba")
    assert not hasattr(model("hinge_loss"), "predict_proba")
    assert (ours.predict(X) == (ours.decision_function(X) > 0)).all()


def test_squared_hinge_equals_liblinear():
    peer = LinearSVC(dual=False, tol=1e-10, max_iter=10000, fit_intercept=False)
    ours = model("squared_hinge_loss", fit_intercept=False).fit(BLURRED, CLASS)
    assert ours.coef_ == pytest.approx(peer.fit(BLURRED, CLASS).coef_, abs=1e-4)


@pytest.mark.parametrize("C", [0.05, 1.0])
@pytest.mark.parametrize("loss", ["categorical_hinge", "weston_watkins_hinge", "multi_margin_loss"])
def test_multiclass_hinge_minimum_has_no_lower_neighbour(loss, C):
    ours = model(loss, C=C).fit(WINE, GRAPE)
    objective = PenalizedLoss(WINE, TrainingObjective(get_training_loss(loss), GRAPE, 3), C, True)
    end = np.column_stack([ours.coef_, ours.intercept_]).ravel()
    assert objective(end)[0] == pytest.approx(ours.objective_)
    rng = np.random.default_rng(0)
    for size in (1e-1, 1e-2, 1e-3):
        for _ in range(100):
            step = rng.normal(0, size / np.sqrt(len(end)), len(end))
            assert objective(end + step)[0] >= ours.objective_ * (1 - 1e-7)
    if loss == "categorical_hinge":  # LinearSVC's Crammer-Singer has no intercept here
        bare = model(loss, C=C, fit_intercept=False).fit(WINE, GRAPE)
        peer = LinearSVC(
            multi_class="crammer_singer", C=C, fit_intercept=False, tol=1e-8, max_iter=10**6,
            random_state=0,
        ).fit(WINE, GRAPE)  # fmt: skip
        value = hinge_loss(GRAPE, peer.decision_function(WINE), labels=[0, 1, 2])
        value += (peer.coef_**2).sum() / 2 / (C * len(GRAPE))
        assert bare.objective_ == pytest.approx(value, rel=1e-5)


def test_auto_init_keeps_the_better_of_two_starts():
    X, y = make_classification(
        800, 20, n_informative=6, weights=[0.93], flip_y=0.03, class_sep=0.7, random_state=0
    )
    X = scale(X)
    for loss in ("taylor_crossentropy", "pseudospherical_loss", "absolute_error"):
        ends = [model(loss, C=100.0, init=init).fit(X, y) for init in ("prior", "crossentropy")]
        best = model(loss, C=100.0).fit(X, y)
        assert best.objective_ == min(end.objective_ for end in ends)
    assert ends[0].objective_ != pytest.approx(
        ends[1].objective_, rel=1e-3
    )  # the starts lead to different minima


def test_each_loss_is_lowest_for_the_model_trained_on_it():
    names = [
        "categorical_crossentropy", "brier_loss", "categorical_focal_crossentropy",
        "exponential_loss", "squared_hinge_loss", "generalized_crossentropy", "spherical_loss",
        "hinge_loss", "absolute_error", "bi_tempered_logistic_loss",
    ]  # fmt: skip
    fitted = {name: model(name, C=np.inf).fit(BLURRED, CLASS) for name in names}
    raw = {name: fitted[name].decision_function(BLURRED) for name in names}
    for judge in names:
        mean = {
            name: get_loss(judge).per_sample(CLASS, raw[name], from_logits=True).mean()
            for name in names
        }
        assert min(mean, key=mean.get) == judge


# -- minimization of functions with a kink -------------------------------------------------------


def test_bfgs_finds_the_minimum_on_a_kink():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(30, 8))

    def widest(x):  # max |a_i x| + |x - 1| has a kink at its minimum
        rows = A @ x
        top = np.abs(rows).argmax()
        value = np.abs(rows[top]) + np.abs(x - 1.0).sum() / 8
        return value, np.sign(rows[top]) * A[top] + np.sign(x - 1.0) / 8

    ones, eye = np.ones((30, 1)), np.eye(8)  # the same minimum as a linear program, by HiGHS
    bounds = [(None, None)] * 8 + [(0, None)] * 9
    rows = np.block([[A, -ones, np.zeros((30, 8))], [-A, -ones, np.zeros((30, 8))]])
    sides = np.block([[eye, np.zeros((8, 1)), -eye], [-eye, np.zeros((8, 1)), -eye]])
    answer = linprog(
        np.r_[np.zeros(8), 1.0, np.full(8, 1 / 8)],
        np.vstack([rows, sides]),
        np.r_[np.zeros(60), np.ones(8), -np.ones(8)],
        bounds=bounds,
    )
    end = descend(widest, rng.normal(size=8), kinks=True, tol=1e-6, max_iter=2000)
    assert end.failure is None
    assert end.value == pytest.approx(answer.fun, rel=1e-5)


def test_start_on_a_kink_warns():
    y = np.repeat([0, 1, 2], 40)  # equal proportions: all initial scores are equal
    X = np.random.default_rng(0).normal(size=(120, 2)) + y[:, None]
    with pytest.warns(ConvergenceWarning, match="the start lies on a kink"):
        model("categorical_hinge", init="prior").fit(X, y)


# -- probabilities -------------------------------------------------------------------------------

RATES = np.array([0.05, 0.3, 0.5, 0.8])
WITH_LABEL_TARGETS = [
    name
    for name, loss in LOSSES.items()
    if loss.properties.gradient != "none"
    and loss.properties.targets in ("labels", "one-hot", "soft")
    and loss.invertible(2)
    and name not in ("taylor_crossentropy", "cross_entropy", "sparse_categorical_crossentropy")
]


@pytest.mark.parametrize("name", WITH_LABEL_TARGETS)
def test_corrected_probabilities_equal_group_rates(name):
    group = np.repeat(np.arange(4), 100)
    y = np.concatenate([np.arange(100) < round(100 * rate) for rate in RATES])
    y = np.where(y, "default", "fine")
    smoothing = 0.05 if LOSSES[name].properties.targets == "soft" else 0.0
    ours = model(
        name, C=np.inf, class_weight={"default": 3.0}, label_smoothing=smoothing,
        correct_probabilities=True, tol=1e-9,
    )  # fmt: skip
    proba = ours.fit(np.eye(4)[group], y).predict_proba(np.eye(4))
    assert proba[:, 0] == pytest.approx(RATES, abs=1e-4)  # in the order of classes_


def test_latent_score_loss_has_one_row_of_coefficients():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 2))
    y = np.digitize(X @ [1.0, -2.0] + rng.logistic(size=4000), [-1.0, 1.0])
    ours = model("cumulative_link_log_loss", loss_params={"thresholds": [-1.0, 1.0]}, C=1e3)
    ours.fit(X, y)
    assert ours.coef_.shape == (1, 2)
    assert ours.coef_[0] == pytest.approx(
        [1.0, -2.0], abs=0.15
    )  # the coefficients of the simulation
    assert ours.decision_function(X).shape == (4000,)
    assert ours.predict_proba(X).shape == (4000, 3)
    with pytest.raises(InputError, match="set init to 'prior' or 'auto'"):
        clone(ours).set_params(init="crossentropy").fit(X, y)


# -- learning curves -----------------------------------------------------------------------------


def test_learning_curve_has_one_value_per_step():
    weight = np.linspace(0.5, 2.0, len(CLASS))
    ours = model(
        "brier_loss", record=["categorical_crossentropy", "hinge_loss", "brier_loss"],
        label_smoothing=0.1, class_weight=[1.0, 2.0],
    ).fit(BLURRED, CLASS, sample_weight=weight)  # fmt: skip
    assert list(ours.learning_curve_) == ["train"]
    curve = ours.learning_curve_["train"]
    assert list(curve) == ["brier_loss", "categorical_crossentropy", "hinge_loss"]
    assert {len(line) for line in curve.values()} == {ours.n_iter_[0]}
    raw, p = ours.decision_function(BLURRED), ours.predict_proba(BLURRED)
    # The trained loss has class weights and smoothing; other losses have only sample weights.
    options = {"sample_weight": weight, "class_weight": [1.0, 2.0], "label_smoothing": 0.1}
    trained = get_loss("brier_loss").per_sample(CLASS, raw, from_logits=True, **options)
    total = (weight * np.array([1.0, 2.0])[CLASS]).sum()
    assert curve["brier_loss"][-1] == pytest.approx(trained.sum() / total)
    assert curve["brier_loss"][-1] < curve["brier_loss"][0]
    other = categorical_crossentropy(CLASS, p, sample_weight=weight)
    assert curve["categorical_crossentropy"][-1] == pytest.approx(other)


def test_held_out_rows_are_used_only_for_the_learning_curve():
    ours = model(record=(), validation_fraction=0.25, random_state=3).fit(BLURRED, CLASS)
    assert {part: list(lines) for part, lines in ours.learning_curve_.items()} == {
        "train": ["categorical_crossentropy"],
        "valid": ["categorical_crossentropy"],
    }
    again = clone(ours).fit(BLURRED, CLASS)
    assert again.learning_curve_ == ours.learning_curve_
    assert len(ours.learning_curve_["valid"]["categorical_crossentropy"]) == ours.n_iter_[0]
    assert model().fit(BLURRED, CLASS).learning_curve_ == {}
    kinked = model("hinge_loss", record=()).fit(BLURRED, CLASS)
    assert len(kinked.learning_curve_["train"]["hinge_loss"]) == kinked.n_iter_[0]


# -- convergence ---------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "hinge_loss"])
def test_too_few_iterations_warn(loss):
    with pytest.warns(ConvergenceWarning, match=rf"{loss} did not converge after 2 .*max_iter=2"):
        fitted = model(loss, max_iter=2).fit(BLURRED, CLASS)
    assert fitted.n_iter_.tolist() == [2]


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "brier_loss", "hinge_loss"])
def test_warm_start_continues_from_the_previous_fit(loss):
    ours = model(loss, warm_start=True).fit(BLURRED, CLASS)
    cold, coef = ours.n_iter_[0], ours.coef_
    warm = ours.fit(BLURRED, CLASS)
    assert warm.n_iter_[0] < max(cold, 30)
    assert warm.coef_ == pytest.approx(coef, abs=1e-4)
    other = ours.fit(WINE, GRAPE) if loss != "hinge_loss" else ours.fit(TUMOURS, BENIGN)
    assert (
        other.coef_.shape[1] == other.n_features_in_
    )  # coefficients of another shape are not used as a start


def test_line_search_recovers_from_overflow():
    X = BLURRED * np.array([1e3, 1e-3, 1.0, 50.0, 1.0, 1.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = model("exponential_loss").fit(X, CLASS)
    assert np.isfinite(fitted.coef_).all()
    assert fitted.objective_ < 1.0


# -- as an estimator -------------------------------------------------------------------------------


def test_clone_pickle_and_set_params():
    ours = model(get_loss("categorical_focal_crossentropy", gamma=1.0), C=0.5)
    assert clone(ours).get_params() == ours.get_params()
    assert ours.set_params(C=2.0, loss="hinge_loss").get_params()["C"] == 2.0
    named = model("categorical_focal_crossentropy", loss_params={"gamma": 1.0}).fit(WINE, GRAPE)
    by_object = model(get_loss("categorical_focal_crossentropy", gamma=1.0)).fit(WINE, GRAPE)
    again = pickle.loads(pickle.dumps(by_object))
    assert (again.predict_proba(WINE) == named.predict_proba(WINE)).all()
    assert model("BCEWithLogitsLoss").fit(BLURRED, CLASS).score(BLURRED, CLASS) > 0.5
    with pytest.raises(NotFittedError):
        model().predict(WINE)


def test_pipeline_in_cross_validation_and_grid_search_over_losses():
    y = np.array(["barolo", "grignolino", "barbera"])[GRAPE]
    pipeline = make_pipeline(StandardScaler(), model("brier_loss"))
    scores = cross_validate(
        pipeline, WINE, y, scoring=get_scorer("neg_brier_loss"), n_jobs=2, error_score="raise"
    )
    assert scores["test_score"].min() > -0.3
    grid = GridSearchCV(
        pipeline,
        {"linearlossclassifier__loss": ["brier_loss", "poly1_crossentropy"]},
        scoring="neg_log_loss", error_score="raise",
    ).fit(WINE, y)  # fmt: skip
    assert grid.classes_.tolist() == ["barbera", "barolo", "grignolino"]
    assert brier_loss(y, grid.predict_proba(WINE), labels=grid.classes_) < 0.1


def test_metadata_routing_of_sample_weight():
    weight = np.linspace(0.0, 3.0, len(CLASS))
    with sklearn.config_context(enable_metadata_routing=True):
        ours = model().set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        routed = make_pipeline(scaler, ours).fit(BLURRED, CLASS, sample_weight=weight)
    direct = model().fit(StandardScaler().fit_transform(BLURRED), CLASS, weight)
    assert routed[-1].coef_ == pytest.approx(direct.coef_)
    assert direct.coef_ != pytest.approx(model().fit(BLURRED, CLASS).coef_, abs=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "brier_los"}, "did you mean 'brier_loss'"),
        ({"loss": "zero_one_loss"}, "got zero_one_loss, which has none; choose another loss"),
        ({"loss": "hinge_loss", "loss_params": {"delta": 1}}, "hinge_loss has no parameters"),
        ({"C": 0.0}, "C must be > 0, or np.inf for no penalty; got 0.0"),
        ({"tol": -1.0}, "tol must be >= 0"),
        ({"max_iter": -1}, "max_iter must be an integer >= 0; got -1"),
        ({"init": "zeros"}, "unknown init 'zeros'"),
        ({"class_weight": "even"}, "class_weight must be 'balanced'"),
        ({"label_smoothing": 2.0}, "label_smoothing must be >= 0 and <= 1"),
        (
            {"loss": "hinge_loss", "label_smoothing": 0.1},
            "label_smoothing must be 0 for hinge_loss",
        ),
        (
            {"loss": "hinge_loss", "correct_probabilities": True},
            "correct_probabilities must be False for hinge",
        ),
        ({"record": "brier_loss"}, "record must be None or a sequence of losses"),
        ({"loss": "hinge_loss", "record": ["brier_loss"]}, "record must hold .*brier_loss needs"),
        ({"validation_fraction": 1.0}, "validation_fraction must be > 0 and < 1, or None; got 1.0"),
        ({"fit_intercept": "yes"}, "fit_intercept must be True or False; got 'yes'"),
        ({"warm_start": "x"}, "warm_start must be True or False; got 'x'"),
        ({"correct_probabilities": "no"}, "correct_probabilities must be True or False; got 'no'"),
        ({"loss": "roc_auc"}, "a loss is required; got 'roc_auc', which is a metric of the whole"),
        ({"record": ["auc"]}, "a loss is required; got 'auc', which is a metric of the whole"),
        ({"max_iter": True}, "max_iter must be an integer >= 0; got True"),
        ({"validation_fraction": 0.2}, "set record, e.g. to ()"),
        ({"validation_fraction": 0.0001, "record": ()}, "holds none out; set it higher"),
        ({"y": [0] * 600}, "y must hold at least 2 classes; got 1 class"),
        (
            {"loss": "squared_hinge_loss", "y": [0, 1, 2] * 200},
            "y must hold two classes for squared_hinge_loss; got 3",
        ),
    ],
)
def test_invalid_parameters_raise_input_error(options, message):
    y = options.pop("y", CLASS)
    with pytest.raises(InputError, match=message.replace("(", r"\(").replace(")", r"\)")):
        model(**options).fit(BLURRED, y)


def test_correct_probabilities_is_checked_when_it_changes_after_fit():
    fitted = model().fit(BLURRED, CLASS).set_params(correct_probabilities="no")
    with pytest.raises(InputError, match="correct_probabilities must be True or False; got 'no'"):
        fitted.predict_proba(BLURRED)


@pytest.mark.parametrize("method", ["predict_proba", "predict_log_proba"])
@pytest.mark.parametrize("fitted", [True, False])
def test_missing_probabilities_have_a_reason(method, fitted):
    hinge = model("hinge_loss")
    hinge = hinge.fit(BLURRED, CLASS) if fitted else hinge
    with pytest.raises(AttributeError, match=f"has no attribute '{method}'") as caught:
        getattr(hinge, method)
    assert str(caught.value.__cause__) == (
        "LinearLossClassifier has no predict_proba with loss='hinge_loss', whose scores do not "
        "determine probabilities; use decision_function"
    )


def test_loss_params_replace_the_parameters_of_a_loss_object():
    loss = get_loss("categorical_focal_crossentropy", gamma=5.0)
    replaced = model(loss, loss_params={"gamma": 1.0}).fit(BLURRED, CLASS)
    by_name = model(loss.name, loss_params={"gamma": 1.0}).fit(BLURRED, CLASS)
    np.testing.assert_array_equal(replaced.coef_, by_name.coef_)


def test_ordered_loss_requires_numeric_labels() -> None:
    grades = np.repeat([0, 1, 2], 10)
    X = np.arange(30.0)[:, None] / 10.0
    names = np.array(["low", "mid", "high"])  # sorted: high, low, mid
    model = LinearLossClassifier("ranked_probability_score")
    model.fit(X, grades)
    with pytest.raises(InputError, match="y must hold numbers for ranked_probability_score"):
        model.fit(X, names[grades])
    model.fit(X[:20], names[grades[:20]])  # for two classes the order does not matter


def test_infinite_weight_sum_and_invalid_loss_params_raise_an_error() -> None:
    X, y = np.arange(8.0)[:, None], np.tile([0, 1], 4)
    with pytest.raises(InputError, match="must have a finite sum"), np.errstate(over="ignore"):
        LinearLossClassifier().fit(X, y, sample_weight=np.full(8, 1e308))
    with pytest.raises(InputError, match=r"parameters of the loss \(loss_params\) must be a dict"):
        LinearLossClassifier("brier_loss", loss_params=[1]).fit(X, y)


def test_recording_two_losses_with_one_name_raises_an_error() -> None:
    X, y = np.arange(8.0)[:, None], np.tile([0, 1], 4)
    wide = get_loss("categorical_focal_crossentropy", gamma=5.0)
    with pytest.raises(
        InputError, match="record must not hold two different losses with the same name"
    ):
        LinearLossClassifier("categorical_focal_crossentropy", record=[wide]).fit(X, y)
    model = LinearLossClassifier(wide, record=[wide, "brier_loss", "brier_loss"]).fit(X, y)
    assert list(model.learning_curve_["train"]) == [wide.name, "brier_loss"]


def test_overflow_at_the_start_raises_an_error() -> None:
    X = np.random.default_rng(0).normal(size=(30, 2)) * 1e200
    with pytest.raises(InputError, match="scale the columns"), np.errstate(all="ignore"):
        LinearLossClassifier().fit(X, np.arange(30) % 2)


# -- like the linear models of scikit-learn ------------------------------------------------------


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "brier_loss", "categorical_hinge"])
@pytest.mark.parametrize("init", ["auto", "prior", "crossentropy"])
def test_no_step_keeps_the_start_and_warns(loss, init):
    with pytest.warns(
        ConvergenceWarning, match="did not converge after 0 steps: .* number of steps"
    ):
        fitted = model(loss, max_iter=0, init=init).fit(WINE, GRAPE)
    # LogisticRegression(solver="newton-cholesky", max_iter=0) keeps coefficients of 0 too.
    assert not fitted.coef_.any()
    assert fitted.n_iter_ == [0]
    shares = np.bincount(GRAPE) / len(GRAPE)
    if loss != "categorical_hinge":
        np.testing.assert_allclose(fitted.predict_proba(WINE)[0], shares, rtol=1e-9)
    later = fitted.set_params(warm_start=True, max_iter=3000).fit(WINE, GRAPE)
    assert later.objective_ == pytest.approx(model(loss).fit(WINE, GRAPE).objective_, rel=1e-6)


@pytest.mark.parametrize("to_sparse", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int64])
def test_coefficients_have_the_dtype_of_those_of_logistic_regression(dtype, to_sparse):
    X = np.round(WINE).astype(dtype) if dtype == np.int64 else WINE.astype(dtype)
    if to_sparse:
        if dtype == np.float16:
            pytest.skip("SciPy has no sparse float16 arrays")
        X = sparse.csr_matrix(X)
    ours, peer = model().fit(X, GRAPE), LogisticRegression().fit(X, GRAPE)
    assert ours.coef_.dtype == peer.coef_.dtype
    assert ours.intercept_.dtype == peer.intercept_.dtype
    exact = model().fit(X.astype(np.float64), GRAPE)  # computed in float64 and rounded once
    np.testing.assert_array_equal(ours.coef_, exact.coef_.astype(ours.coef_.dtype))


@pytest.mark.parametrize("to_sparse", [False, True])
@pytest.mark.parametrize("k", [2, 3])
def test_sparse_coefficients_predict_the_same(k, to_sparse):
    X, y = (WINE, GRAPE) if k == 3 else (BLURRED, CLASS)
    X = sparse.csr_matrix(X) if to_sparse else X
    fitted = model("brier_loss").fit(X, y)
    fitted.coef_[np.abs(fitted.coef_) < 0.1] = 0.0
    scores, dense = fitted.decision_function(X), fitted.coef_.copy()
    assert fitted.sparsify() is fitted
    assert sparse.issparse(fitted.coef_)
    np.testing.assert_allclose(fitted.decision_function(X), scores, rtol=1e-12, atol=1e-14)
    assert fitted.predict_proba(X).shape == (len(y), k)
    warm = pickle.loads(pickle.dumps(fitted)).set_params(warm_start=True).fit(X, y)
    assert isinstance(warm.coef_, np.ndarray)
    assert fitted.densify() is fitted
    np.testing.assert_array_equal(fitted.coef_, dense)
    for method in ("sparsify", "densify"):
        with pytest.raises(NotFittedError, match="must be fitted"):
            getattr(model(), method)()


@pytest.mark.parametrize("C", [1.0, 100.0])
@pytest.mark.parametrize("loss", ["spherical_loss", "generalized_crossentropy", "brier_loss"])
def test_weights_equal_repeated_rows_up_to_the_tolerance_of_the_gradient(loss, C):
    rng = np.random.default_rng(42)
    X, y = rng.random((15, 30)), rng.integers(0, 3, 15)
    weight = rng.integers(0, 5, 15)
    weight[:3], y[:3] = 1, [0, 1, 2]
    weighted = model(loss, tol=1e-10, C=C).fit(X, y, weight)
    repeated = model(loss, tol=1e-10, C=C).fit(X.repeat(weight, axis=0), y.repeat(weight))
    np.testing.assert_allclose(
        weighted.decision_function(X), repeated.decision_function(X), atol=1e-6
    )
    # SciPy's L-BFGS alone stops at a largest entry of 1e-8, where the value does not fall any more.
    index = np.searchsorted(weighted.classes_, y)
    training = TrainingObjective(
        get_training_loss(loss), index, 3, sample_weight=weight.astype(float)
    )
    objective = PenalizedLoss(X, training, C, True)
    gradient = objective(objective.packed(weighted.coef_, weighted.intercept_))[1]
    assert np.abs(gradient).max() <= 1e-10
