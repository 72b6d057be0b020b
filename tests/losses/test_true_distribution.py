"""`Loss.probabilities`, and `Loss.true_distribution`, which corrects them."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit, softmax
from sklearn._loss.loss import ExponentialLoss as PeersExponentialLoss
from sklearn.linear_model import SGDClassifier

from tests.support.strategies import quick, tempered_softmax
from xentexp import Loss, metrics
from xentexp.errors import InputError
from xentexp.estimators._link import ScoreLink
from xentexp.experiments._cli import main
from xentexp.losses import LOSSES
from xentexp.losses._differentiable import TrueClassLoss
from xentexp.metrics._registry import get_loss
from xentexp.objectives import TrainingObjective, get_training_loss


def is_trainable(name):
    try:
        get_training_loss(name)
    except InputError:
        return False
    return True


TRAINABLE = [name for name in LOSSES if is_trainable(name)]
HINGES = ["hinge_loss", "categorical_hinge", "weston_watkins_hinge", "multi_margin_loss"]
NOT_INVERTIBLE = [
    *HINGES,
    "expected_absolute_grade_error",
    "absolute_error",
    "taylor_crossentropy",  # its minimum is at a corner before all labels are of one class
]
VARIANTS = [
    ("multi_margin_loss", {"p": 2}),
    ("smoothed_hinge_loss", {"gamma": 2.5}),
    ("huber_loss", {"delta": 0.4}),
    ("cross_entropy", {"delta": 1e-7}),
    ("symmetric_crossentropy", {"alpha": 0.5, "log_zero": -2.0}),
    ("renyi_divergence", {"alpha": 2.0}),
    ("alpha_divergence", {"alpha": 2.0}),
    ("binary_focal_crossentropy", {"alpha": 0.25, "gamma": 1.0}),
    ("categorical_focal_crossentropy", {"alpha": [0.5, 1.0, 2.0]}),
    ("asymmetric_loss", {"margin": 0.0, "gamma_negative": 1.0}),
    ("poly1_crossentropy", {"epsilon": -1.0}),
    ("label_relaxation", {"alpha": 0.3}),
]


def corrected(loss, scores, k=2, **options):
    return ScoreLink(loss, k, correct=True, **options).proba(np.asarray(scores, dtype=float))


def fitting_classes(loss):
    factors = getattr(loss, "alpha", None)
    if isinstance(factors, tuple):
        return [len(factors)]
    return [2] if loss.properties.binary_only else [2, 3]


# -- the definition: the distribution whose expected loss the scores minimize ------------------


def best_scores(loss, target, label_smoothing, class_weight):
    """Scores that minimize the expected loss, by SciPy."""
    k = len(target)
    training = TrainingObjective(
        loss,
        np.arange(k),
        k,
        sample_weight=target,
        class_weight=class_weight,
        label_smoothing=label_smoothing,
    )

    def expectation(z):
        scores = np.repeat(z[:, np.newaxis], k, axis=1)
        gradient = training.gradient_hessian(scores)[0].sum(axis=1)
        return training.mean_loss(scores) * training.total_weight, gradient

    rng = np.random.default_rng(1)
    starts = [np.zeros(training.n_scores), *rng.normal(0, 0.3, (2, training.n_scores))]
    ends = [
        minimize(expectation, z, jac=True, method="BFGS", options={"gtol": 1e-11}) for z in starts
    ]
    return min(ends, key=lambda end: end.fun).x


@pytest.mark.parametrize(
    ("name", "parameters"),
    [*((name, {}) for name in TRAINABLE if name not in NOT_INVERTIBLE), *VARIANTS],
)
def test_scores_minimize_the_expected_loss_under_the_true_distribution(name, parameters):
    loss = get_loss(name, **parameters)
    rng = np.random.default_rng(0)
    even, weights = 0.6, np.array([1.0, 1.5, 0.8])
    smoothings = [0.0, 0.2] if loss.properties.targets == "soft" else [0.0]
    for k in fitting_classes(loss):
        for label_smoothing in smoothings:
            for weight in (None, weights[:k]):
                if not loss.invertible(k, label_smoothing):
                    assert (name, k > 2) == ("cumulative_link_log_loss", True)
                    continue
                target = even / k + (1 - even) * rng.dirichlet(np.ones(k))
                scores = best_scores(loss, target, label_smoothing, weight)
                assert np.abs(scores).max() < 15, "the minimum is inside"
                actual = corrected(
                    loss, scores[:, None], k, class_weight=weight, label_smoothing=label_smoothing
                )
                assert actual[0] == pytest.approx(target, abs=1e-6)


@pytest.mark.parametrize("name", TRAINABLE)
def test_which_losses_are_invertible_for_two_classes(name):
    link = ScoreLink(LOSSES[name], 2)
    assert link.has_correction() == LOSSES[name].invertible(2) == (name not in NOT_INVERTIBLE)
    assert link.has_proba() == (name not in HINGES)
    if name in NOT_INVERTIBLE:
        with pytest.raises(
            InputError, match=rf"correct_probabilities must be False for {name} .*calibrate"
        ):
            ScoreLink(LOSSES[name], 2, correct=True)
        with pytest.raises(InputError, match=f"minimize {name} do not determine"):
            LOSSES[name].true_distribution(np.zeros((2, 1)), 2)


@pytest.mark.parametrize(
    ("name", "parameters", "k", "is_invertible"),
    [
        ("generalized_crossentropy", {"q": 1.0}, 2, False),  # half of the absolute error
        ("generalized_crossentropy", {"q": 0.99}, 5, True),
        ("taylor_crossentropy", {"order": 1}, 3, False),  # the same loss
        (
            "taylor_crossentropy",
            {"order": 2},
            2,
            False,
        ),  # predicts 1 for every proportion above 2/3
        ("taylor_crossentropy", {"order": 20}, 3, False),
        ("cross_entropy", {"delta": 0.1}, 2, False),  # predicts 1 for every proportion above 11/12
        ("symmetric_crossentropy", {"alpha": 0.0}, 2, False),  # linear
        ("symmetric_crossentropy", {"beta": 0.0}, 2, True),
        ("huber_loss", {"delta": 0.1}, 3, True),
        ("multi_margin_loss", {"p": 2}, 3, True),
        ("multi_margin_loss", {"p": 2, "margin": 0.0}, 2, False),  # 0 for equal scores
        ("categorical_focal_crossentropy", {"alpha": [1.0, 0.0]}, 2, False),  # a class without loss
        ("cumulative_link_log_loss", {}, 3, False),  # one score, two free probabilities
        ("bi_tempered_logistic_loss", {"t1": 0.2, "t2": 3.0}, 4, True),
    ],
)
def test_invertible_depends_on_parameters(name, parameters, k, is_invertible):
    assert get_loss(name, **parameters).invertible(k) == is_invertible


# -- published forms ---------------------------------------------------------------------------

P = np.array([[0.9, 0.08, 0.02], [0.2, 0.5, 0.3], [1e-5, 1.0 - 2e-5, 1e-5]])
Z = np.log(P).T


def scaled(shares):
    return shares / shares.sum(axis=1, keepdims=True)


def test_focal_loss_against_charoenphakdee_et_al_2021():
    for gamma in (0.5, 1.0, 2.0, 5.0):  # theorem 11: h(v) / sum h(v)
        rest = (1.0 - P) ** gamma - gamma * (1.0 - P) ** (gamma - 1.0) * P * np.log(P)
        loss = get_loss("categorical_focal_crossentropy", gamma=gamma)
        assert corrected(loss, Z, 3) == pytest.approx(scaled(P / rest), rel=1e-9)


@pytest.mark.parametrize(
    ("name", "parameters", "form"),
    [
        ("generalized_crossentropy", {"q": 0.7}, lambda p: scaled(p**0.3)),
        ("alpha_divergence", {"alpha": 0.5}, lambda p: scaled(np.sqrt(p))),
        ("poly1_crossentropy", {"epsilon": 2.0}, lambda p: scaled(p / (1.0 + 2.0 * p))),
        ("cross_entropy", {"delta": 1e-7}, lambda p: scaled(p + 1e-7)),
        ("renyi_divergence", {"alpha": 3.0}, lambda p: p),
        ("brier_loss", {}, lambda p: p),
        ("power_loss", {"beta": 6.0}, lambda p: p),
        ("huber_loss", {}, lambda p: p),
    ],
)
def test_true_distributions_by_hand(name, parameters, form):
    assert corrected(get_loss(name, **parameters), Z, 3) == pytest.approx(form(P), abs=1e-12)


F = np.array([[-3.0, -1.0, -0.3, 0.0, 0.6, 1.0, 4.0]])


@pytest.mark.parametrize(
    ("name", "parameters", "form"),
    [  # Zhang (2004), table 1; Reid and Williamson (2010)
        ("exponential_loss", {}, expit(2.0 * F[0])),
        ("logistic_margin_loss", {}, expit(F[0])),
        ("squared_hinge_loss", {}, np.clip((1.0 + F[0]) / 2.0, 0.0, 1.0)),
        ("modified_huber_loss", {}, np.clip((1.0 + F[0]) / 2.0, 0.0, 1.0)),
        ("smoothed_hinge_loss", {}, [0, 0, 0.7 / 1.7, 0.5, 1 / 1.4, 1, 1]),
        ("cumulative_link_log_loss", {"thresholds": [0.5]}, expit(F[0] - 0.5)),
    ],
)
def test_links_of_margins(name, parameters, form):
    actual = corrected(get_loss(name, **parameters), F)
    assert actual[:, 1] == pytest.approx(form, abs=1e-14)
    assert actual.sum(axis=1) == pytest.approx(1.0)


def test_links_against_scikit_learn():
    raw = F[0]
    peer = PeersExponentialLoss().predict_proba(raw)
    assert corrected(get_loss("exponential_loss"), F) == pytest.approx(peer, abs=1e-14)
    X = np.linspace(-3, 3, 40)[:, None]
    model = SGDClassifier(loss="modified_huber", random_state=0).fit(X, X[:, 0] > 0.2)
    actual = corrected(get_loss("modified_huber_loss"), model.decision_function(X)[None])
    assert actual == pytest.approx(model.predict_proba(X), abs=1e-14)


def test_the_exponential_loss_of_three_classes_doubles_the_scores():
    z = np.array([[0.3, -1.0], [1.0, 2.0], [0.0, 0.0]])
    actual = corrected(get_loss("exponential_loss"), z, 3)
    assert actual == pytest.approx(softmax(2.0 * z.T, axis=1), abs=1e-14)


# -- smoothing and weights ---------------------------------------------------------------------


def test_smoothing_and_class_weights_are_removed_in_order():
    e, c = 0.1, np.array([1.0, 2.0, 5.0])
    truth = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])
    # Rows are weighted by the class of their label before the label is smoothed.
    seen = (1.0 - e) * scaled(truth * c) + e / 3.0
    loss = get_loss("categorical_crossentropy")
    actual = corrected(loss, np.log(seen).T, 3, class_weight=c, label_smoothing=e)
    assert actual == pytest.approx(truth, abs=1e-12)
    plain = ScoreLink(loss, 3, c, e).proba(np.log(seen).T)
    assert plain == pytest.approx(seen, abs=1e-12)


def test_probabilities_outside_the_smoothed_range_become_0_and_1():
    actual = corrected(get_loss("categorical_crossentropy"), [[-9.0, 9.0]], label_smoothing=0.2)
    assert actual.tolist() == [[1.0, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label_smoothing": 1.0}, r"label_smoothing=1\), because its scores do not"),
        ({"class_weight": np.array([0.0, 1.0])}, r"class_weight must be > 0 .*got \[0.0, 1.0\]"),
        ({"label_smoothing": -0.1}, "label_smoothing must be >= 0 and <= 1; got -0.1"),
    ],
)
def test_true_distribution_raises_for_losses_that_are_not_invertible(options, message):
    with pytest.raises(InputError, match=message):
        ScoreLink(get_loss("categorical_crossentropy"), 2, correct=True, **options)
    if "must be" not in message:
        assert not ScoreLink(get_loss("categorical_crossentropy"), 2, **options).has_correction()


# -- without correction ------------------------------------------------------------------------


def test_uncorrected_scores_go_through_the_link_of_the_loss():
    z = np.random.default_rng(0).normal(0, 2, (3, 8))
    for name in ("brier_loss", "categorical_focal_crossentropy", "exponential_loss"):
        actual = ScoreLink(get_loss(name), 3).proba(z)
        assert actual == pytest.approx(softmax(z.T, axis=1), abs=1e-14)
    tempered = ScoreLink(get_loss("bi_tempered_logistic_loss", t2=1.5), 3).proba(z)
    assert tempered == pytest.approx(tempered_softmax(z.T, 1.5), abs=1e-12)
    cuts = np.array([-1.0, 0.5])
    latent = ScoreLink(get_loss("cumulative_link_log_loss", thresholds=cuts), 3).proba(z[:1])
    below = expit(cuts - z[0][:, None])  # McCullagh (1980)
    assert latent == pytest.approx(np.diff(below, axis=1, prepend=0.0, append=1.0), abs=1e-14)
    assert ScoreLink(get_loss("brier_loss"), 2).proba(z[:1])[:, 1] == pytest.approx(expit(z[0]))


def test_hinge_losses_are_not_invertible():
    with pytest.raises(
        InputError, match="got hinge_loss, whose scores do not; use decision_function"
    ):
        ScoreLink(get_loss("hinge_loss"), 2).proba(np.zeros((1, 3)))


# -- properties --------------------------------------------------------------------------------


@pytest.mark.parametrize("correct", [False, True])
@pytest.mark.parametrize("name", TRAINABLE)
def test_extreme_scores_have_finite_probabilities(name, correct):
    loss = LOSSES[name]
    for k in (2, 3):
        link = ScoreLink(loss, k)
        if (k > 2 and loss.properties.binary_only) or not link.has_proba():
            continue
        if correct and not link.has_correction():
            continue
        ends = np.array([-800.0, -50.0, -1.0, 0.0, 1.0, 50.0, 800.0])
        one = k == 2 or loss.properties.response == "latent"
        scores = ends[None] if one else np.array(np.meshgrid(ends, ends, ends)).reshape(3, -1)
        actual = ScoreLink(loss, k, correct=correct).proba(scores)
        assert actual.shape == (scores.shape[1], k)
        assert actual.min() >= 0.0
        assert actual.sum(axis=1) == pytest.approx(1.0, abs=1e-12)
        if k == 2:
            # For targets of 1/3 and 2/3 the Taylor loss has its minimum at the limits 0 and 1.
            least = 1 / 3 + 1e-9 if correct and name == "taylor_crossentropy" else 2e-3
            assert actual[0, 1] < least
            assert actual[-1, 1] > 1.0 - least
        elif not one:
            top = scores.max(axis=0) - 100.0 > np.sort(scores, axis=0)[1]
            assert (actual.argmax(axis=1) == scores.argmax(axis=0))[top].all()


@pytest.mark.parametrize("name", [name for name in TRAINABLE if name not in NOT_INVERTIBLE])
def test_correction_keeps_the_ranking_of_two_classes(name):
    loss = LOSSES[name]

    @quick
    @given(st.integers(0, 2**32 - 1))
    def check(seed):
        rng = np.random.default_rng(seed)
        scores = np.sort(rng.normal(0, rng.choice([0.1, 2.0, 20.0]), 30))[None]
        smoothing = 0.1 if loss.properties.targets == "soft" else 0.0
        link = ScoreLink(loss, 2, rng.uniform(0.2, 5.0, 2), smoothing, correct=True)
        actual = link.proba(scores)[:, 1]
        assert (np.diff(actual) >= -1e-12).all()

    check()


def test_a_strictly_proper_custom_loss_is_invertible():
    properties = LOSSES["brier_loss"].properties

    @dataclass(frozen=True)
    class Proper(Loss):
        name = "proper_of_mine"

        def block_values(self, block):
            return block.squared_distance

    @dataclass(frozen=True)
    class Improper(Proper):
        name = "improper_of_mine"

    Proper.properties, Improper.properties = properties, replace(properties, properness="improper")
    assert corrected(Proper(), Z, 3) == pytest.approx(P)
    assert not Improper().invertible(3)
    assert ScoreLink(Improper(), 3).has_proba()


def test_a_loss_with_several_minima_is_not_invertible():
    @dataclass(frozen=True)
    class Step(TrueClassLoss):  # concave, then convex: scores with gradient 0 can be a maximum
        def value(self, chance):
            return 1.0 - 3.0 * chance.p**2 + 2.0 * chance.p**3

        def slope_of(self, chance):
            return 6.0 * (chance.p**3 - chance.p**2)

        def curvature_of(self, chance):
            return 12.0 * chance.p**3 - 6.0 * chance.p**2

    Step.name, Step.properties = "step_of_mine", LOSSES["generalized_crossentropy"].properties
    assert not Step().invertible(2)


@pytest.mark.parametrize("name", LOSSES)
def test_documentation_says_whether_a_loss_is_invertible(name, capsys):
    text = " ".join(getattr(metrics, name).__doc__.split())
    assert ("The true probabilities can be computed from" in text) == (
        name in TRAINABLE and name not in NOT_INVERTIBLE
    )
    assert ("The true probabilities cannot be computed from" in text) == (name in NOT_INVERTIBLE)
    only_two = (
        name == "cumulative_link_log_loss"
    )  # one score does not determine three probabilities
    assert ("expected value, but only for two classes." in text) == only_two
    assert main(["losses", name, "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["invertible"] == (None if name not in TRAINABLE else name not in NOT_INVERTIBLE)
