"""Positive curvatures, and initial scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import logit, softmax

from tests.support.boosting import TRAINABLE
from xentexp.estimators._link import ScoreLink
from xentexp.objectives import TrainingObjective, get_training_loss
from xentexp.objectives._curvature import curvature_rule
from xentexp.objectives._objective import initial_scores


def training_of(name: str, k: int, n: int = 60, **options: Any) -> TrainingObjective:
    """Objective on random labels."""
    return TrainingObjective(
        get_training_loss(name), np.random.default_rng(0).integers(k, size=n), k, **options
    )


def test_number_of_losses_that_can_be_trained_on() -> None:
    assert len({name for name, _ in TRAINABLE}) >= 40


def random_scores(training: TrainingObjective, spread: float = 3.0) -> Any:
    shape = (training.n_scores, training.n_rows)
    return np.random.default_rng(1).normal(0.0, spread, shape)


@pytest.mark.parametrize(("name", "k"), TRAINABLE)
@pytest.mark.parametrize("spread", [0.5, 5.0, 50.0])
def test_curvature_is_positive_where_the_gradient_is_not_0(
    name: str, k: int, spread: float
) -> None:
    training = training_of(name, k)
    scores = random_scores(training, spread)
    gradient, curvature = training.newton_terms(scores)
    np.testing.assert_array_equal(gradient, training.gradient_hessian(scores)[0])
    assert np.all(curvature >= 0.0)
    assert np.all(curvature[gradient != 0.0] > 0.0)
    assert np.all(np.isfinite(curvature))


NOT_EXACT = [
    (name, k) for name, k in TRAINABLE if curvature_rule(get_training_loss(name)) != "exact"
]


@pytest.mark.parametrize(("name", "k"), NOT_EXACT)
def test_newton_step_of_nonconvex_or_kinked_losses_is_at_most_1(name: str, k: int) -> None:
    training = training_of(name, k)
    gradient, curvature = training.newton_terms(random_scores(training))
    # The gradient in the score of the true class is a sum over k - 1 other classes.
    most = k - 1 if curvature_rule(get_training_loss(name)) == "unit" else 1
    assert np.all(np.abs(gradient) <= most * curvature)


def test_smooth_convex_losses_keep_their_hessian() -> None:
    training = training_of("categorical_crossentropy", 3)
    scores = random_scores(training)
    np.testing.assert_array_equal(
        training.newton_terms(scores)[1], training.gradient_hessian(scores)[1]
    )


def test_curvature_of_a_linear_part_is_the_absolute_gradient() -> None:
    training = TrainingObjective(get_training_loss("modified_huber_loss"), np.array([1, 1]), 2)
    # -4 m below margin -1; (1 - m)^2 above: Zhang (2004).
    gradient, curvature = training.newton_terms(np.array([[-3.0, 0.5]]))
    np.testing.assert_allclose(gradient, [[-4.0, -1.0]])
    np.testing.assert_allclose(curvature, [[4.0, 2.0]])


def test_weights_and_factor_multiply_the_terms() -> None:
    weight = np.random.default_rng(2).uniform(0.1, 3.0, 60)
    for name in ("categorical_crossentropy", "categorical_hinge", "brier_loss"):
        plain, weighted = training_of(name, 3), training_of(name, 3, sample_weight=weight)
        scores = random_scores(plain)
        gradient, curvature = plain.newton_terms(scores)
        out = np.empty((3, 60), np.float32), np.empty((3, 60), np.float32)
        weighted_terms = weighted.newton_terms(scores, 1.5, out)
        assert weighted_terms[0] is out[0]
        np.testing.assert_allclose(weighted_terms[0], gradient * weight, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(
            weighted_terms[1], 1.5 * curvature * weight, rtol=1e-6, atol=1e-7
        )


def test_initial_scores_are_logarithms_of_class_proportions() -> None:
    index, weight = np.array([0, 1, 1, 2]), np.array([1.0, 2.0, 1.0, 4.0])
    loss = get_training_loss("categorical_crossentropy")
    three = TrainingObjective(loss, index, 3, sample_weight=weight)
    np.testing.assert_allclose(initial_scores(three), np.log([1 / 8, 3 / 8, 4 / 8]))
    smooth = TrainingObjective(loss, index, 3, sample_weight=weight, label_smoothing=0.3)
    shares = 0.7 * np.array([1, 3, 4]) / 8 + 0.1
    np.testing.assert_allclose(softmax(initial_scores(smooth)), shares)
    weighted = TrainingObjective(loss, np.array([0, 0, 0, 1]), 2, class_weight=np.array([1.0, 6.0]))
    np.testing.assert_allclose(initial_scores(weighted), [logit(6 / 9)])


def test_initial_score_of_a_class_without_weight_equals_lightgbm() -> None:
    training = TrainingObjective(get_training_loss("categorical_crossentropy"), np.array([0, 1]), 3)
    # kEpsilon = 1e-15 of LightGBM's meta.h
    np.testing.assert_allclose(initial_scores(training), np.log([0.5, 0.5, 1e-15]))


@pytest.mark.parametrize(
    "name",
    [
        "categorical_crossentropy",
        "exponential_loss",
        "logistic_margin_loss",
        "squared_hinge_loss",
        "modified_huber_loss",
        "cumulative_link_log_loss",
    ],
)
def test_initial_scores_of_invertible_margin_losses_are_the_best_constant(name: str) -> None:
    training = TrainingObjective(get_training_loss(name), np.array([0] * 7 + [1] * 3), 2)
    best = minimize_scalar(
        lambda score: training.mean_loss(np.full((1, 10), score)), bounds=(-4, 4), method="bounded"
    )
    np.testing.assert_allclose(initial_scores(training), best.x, atol=1e-4)


def test_initial_scores_of_bi_tempered_loss_give_class_proportions() -> None:
    loss = get_training_loss("bi_tempered_logistic_loss")
    training = TrainingObjective(loss, np.array([0, 1, 1, 2, 2, 2, 2]), 3)
    proba = loss.probabilities(initial_scores(training)[:, np.newaxis], 3)
    np.testing.assert_allclose(proba[:, 0], [1 / 7, 2 / 7, 4 / 7], rtol=1e-9)


def test_initial_scores_of_hinge_losses_are_0() -> None:
    training = TrainingObjective(get_training_loss("categorical_hinge"), np.array([0, 1, 1, 2]), 3)
    np.testing.assert_array_equal(initial_scores(training), [0.0, 0.0, 0.0])


def starts_at_true_probabilities(name: str, k: int) -> bool:
    """Whether initial scores minimize the loss: strictly proper or invertible losses."""
    loss = get_training_loss(name)
    improper = (loss.properties.response, loss.properties.properness) == (
        "predict_proba",
        "improper",
    )
    return loss.invertible(k) and not improper


@pytest.mark.parametrize(
    ("name", "k"), [case for case in TRAINABLE if starts_at_true_probabilities(*case)]
)
def test_corrected_probabilities_of_initial_scores_are_class_proportions(name: str, k: int) -> None:
    index = np.array([0] * 11 + [1] * 5 + [2] * 4) if k == 3 else np.array([0] * 13 + [1] * 7)
    training = TrainingObjective(get_training_loss(name), index, k)
    link = ScoreLink(training.loss, k, correct=True)
    proba = link.proba(initial_scores(training)[:, np.newaxis])[0]
    np.testing.assert_allclose(proba, training.class_shares(), atol=1e-6)
