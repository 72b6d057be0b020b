"""TrainingObjective: values, gradients, blocks, class weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import xentexp
from tests.support.strategies import n_classes
from xentexp._inputs.checked import BLOCK_ELEMENTS
from xentexp.errors import InputError
from xentexp.estimators._linear import PenalizedLoss
from xentexp.losses import LOSSES, Loss
from xentexp.losses._crossentropy import CategoricalCrossentropy
from xentexp.objectives import TrainingObjective, get_training_loss

CLASSIFYING = [
    name
    for name, loss in LOSSES.items()
    if loss.properties.gradient != "none"
    and loss.properties.targets in ("labels", "one-hot", "soft")
]
SMOOTHED = [name for name in CLASSIFYING if LOSSES[name].properties.targets == "soft"]


def objective(name: str, n: int, k: int, **options: Any) -> TrainingObjective:
    rng = np.random.default_rng(k)
    k = n_classes(LOSSES[name], k)
    weight, class_weight = rng.uniform(0.0, 2.0, n), rng.uniform(0.5, 2.0, k)
    return TrainingObjective(
        get_training_loss(name),
        rng.integers(0, k, n),
        k,
        sample_weight=weight,
        class_weight=class_weight,
        **options,
    )


def scores_for(training: TrainingObjective) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 2, (training.n_scores, training.n_rows))


@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.parametrize("name", CLASSIFYING)
def test_loss_gradient_equals_the_separate_methods(name: str, k: int) -> None:
    for smoothing in [0.0, 0.2] if name in SMOOTHED else [0.0]:
        training = objective(name, 70, k, label_smoothing=smoothing)
        scores = scores_for(training)
        loss, gradient = training.loss_gradient(scores)
        np.testing.assert_allclose(loss, training.mean_loss(scores), rtol=1e-12)
        expected, _ = training.gradient_hessian(scores)
        np.testing.assert_allclose(gradient, expected, rtol=1e-12)


def test_gradient_is_written_to_out() -> None:
    training = objective("brier_loss", 50, 3)
    scores, out = scores_for(training), np.empty((3, 50), dtype=np.float32)
    _, gradient = training.loss_gradient(scores, out=out)
    assert gradient is out
    np.testing.assert_allclose(out, training.gradient_hessian(scores)[0], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_several_blocks_equal_one_block(k: int, smoothing: float) -> None:
    n = 2 * BLOCK_ELEMENTS // k + 10
    training = objective("categorical_focal_crossentropy", n, k, label_smoothing=smoothing)
    scores = scores_for(training)
    assert len(list(training.blocks(scores))) == 3
    loss, gradient = training.loss_gradient(scores)
    raw = scores[0] if k == 2 else scores.T
    options: dict[str, Any] = {"sample_weight": training.weight, "label_smoothing": smoothing}
    focal = xentexp.get_loss("categorical_focal_crossentropy")
    expected = focal(training.index, raw, from_logits=True, **options)
    np.testing.assert_allclose(loss, expected, rtol=1e-12)
    by_row = gradient[0] if k == 2 else gradient.T
    np.testing.assert_allclose(
        by_row, focal.gradient(training.index, raw, **options), rtol=1e-9, atol=1e-14
    )


def test_blocks_hold_views_of_the_targets() -> None:
    training = objective("brier_loss", BLOCK_ELEMENTS, 4)
    scores = scores_for(training)
    for rows, block in training.blocks(scores):
        assert block.index is not None
        assert block.logits is not None
        assert np.shares_memory(block.index, training.index[rows])
        assert np.shares_memory(block.logits, scores[:, rows])


def test_linear_training_does_not_compute_the_hessian(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Loss, block: Any) -> Any:
        raise AssertionError("the hessian was not requested")

    monkeypatch.setattr(CategoricalCrossentropy, "block_gradient_hessian", refuse)
    training = objective("categorical_crossentropy", 40, 3)
    X = np.random.default_rng(0).normal(size=(40, 5))
    value, gradient = PenalizedLoss(X, training, 1.0, True)(np.zeros(18))
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


@pytest.mark.filterwarnings("error")
def test_overflow_gives_a_large_value_without_warning() -> None:
    training = TrainingObjective(
        get_training_loss("exponential_loss"),
        np.arange(3),
        3,
        sample_weight=np.array([0.0, 1.0, 1.0]),
    )
    step = PenalizedLoss(np.eye(3), training, 1.0, False)
    value, gradient = step(np.linspace(-1e4, 1e4, 9))
    assert value == 1e100
    assert not gradient.any()


def test_user_loss_with_wrong_value_shape_raises_an_error() -> None:
    @dataclass(frozen=True)
    class Total(CategoricalCrossentropy):
        def block_loss_gradient(self, block: Any) -> Any:
            values, gradient = super().block_loss_gradient(block)
            return values.sum(), gradient

    training = TrainingObjective(Total(), np.array([0, 1, 2]), 3)
    with pytest.raises(InputError, match="must return one value for each of 3 rows"):
        training.loss_gradient(np.zeros((3, 3)))


def test_balanced_class_weights_give_all_classes_the_same_total() -> None:
    from xentexp._inputs.labels import to_class_weight

    totals = np.array([3.0, 1.0, 0.0])
    weight = to_class_weight("balanced", (0, 1, 2), lambda: totals)
    np.testing.assert_allclose(weight, [2 / 3, 2.0, 0.0])
    assert to_class_weight(None, (0, 1), lambda: totals) is None
