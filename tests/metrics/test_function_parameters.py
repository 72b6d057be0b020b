"""Functions of losses: parameters of single losses, and functions of two distributions."""

import numpy as np
import pytest
from sklearn.metrics import make_scorer

from xentexp import metrics
from xentexp.errors import InputError
from xentexp.losses import LOSSES

P3 = np.array([[0.2, 0.3, 0.5], [0.1, 0.1, 0.8], [0.4, 0.3, 0.3], [0.6, 0.2, 0.2]])
Y3 = np.array([0, 2, 1, 0])
P2, Y2 = np.array([0.2, 0.9, 0.6, 0.3]), np.array([0, 1, 0, 1])
WEIGHT = np.array([1.0, 0.0, 2.5, 3.0])


@pytest.mark.parametrize(("name", "power"), [("squared_error", 2), ("absolute_error", 1)])
@pytest.mark.parametrize(("over", "factor"), [("mean", 1 / 3), ("sum", 1), ("half_sum", 0.5)])
def test_over_classes(name, power, over, factor):
    ours = getattr(metrics, name)(Y3, P3, over_classes=over, reduction="none")
    expected = factor * (np.abs(P3 - np.eye(3)[Y3]) ** power).sum(axis=1)
    np.testing.assert_allclose(ours, expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("y", "p", "scale", "factor"),
    [
        (Y2, P2, "auto", 0.5), (Y2, P2, True, 0.5), (Y2, P2, False, 1.0),
        (Y3, P3, "auto", 1.0), (Y3, P3, True, 0.5), (Y3, P3, False, 1.0),
    ],
)  # fmt: skip
def test_scale_by_half(y, p, scale, factor):
    full = p if p.ndim == 2 else np.stack([1 - p, p], axis=1)
    expected = factor * ((full - np.eye(full.shape[1])[y]) ** 2).sum(axis=1)
    ours = metrics.brier_loss(y, p, scale_by_half=scale, reduction="none")
    np.testing.assert_allclose(ours, expected, rtol=1e-14)


@pytest.mark.parametrize("delta", [0.0, 1e-10, 0.5])
def test_delta_is_added_inside_the_logarithm(delta):
    target = P3[::-1]
    expected = -(target * np.log(P3 + delta)).sum(axis=1)
    ours = metrics.cross_entropy(target, P3, delta=delta, reduction="none")
    np.testing.assert_allclose(ours, expected, rtol=1e-14)
    labels = metrics.cross_entropy(np.eye(3), P3[:3], delta=delta, reduction="none")
    np.testing.assert_allclose(labels, -np.log(np.diag(P3[:3]) + delta), rtol=1e-14)
    assert metrics.cross_entropy([1, 0], [0, 1], delta=1e-10) == pytest.approx(-np.log(1e-10))


@pytest.mark.parametrize("name", [n for n, loss in LOSSES.items() if loss.properties.distributions])
def test_one_distribution_or_one_in_each_row(name):
    function = getattr(metrics, name)
    pairs = [P3] if name == "entropy" else [P3[::-1], P3]
    each = function(*pairs, reduction="none")
    for row, value in enumerate(each):
        one = [matrix[row] for matrix in pairs]
        for reduction in ("mean", "sum", "none"):
            result = function(*one, reduction=reduction)
            assert type(result) is float
            assert result == value
        assert function(*(list(vector) for vector in one)) == value
        assert function(*(np.atleast_2d(vector) for vector in one)) == value
    assert function(*pairs, sample_weight=WEIGHT) == pytest.approx(
        np.average(each, weights=WEIGHT), rel=1e-14
    )


def test_kl_divergence_is_cross_entropy_minus_entropy():
    target = P3[::-1]
    np.testing.assert_allclose(
        metrics.kl_divergence(target, P3, reduction="none"),
        metrics.cross_entropy(target, P3, reduction="none")
        - metrics.entropy(target, reduction="none"),
        rtol=1e-13,
        atol=1e-15,
    )
    assert metrics.kl_divergence(P3, P3) == 0.0
    np.testing.assert_allclose(
        metrics.cross_entropy(P3, P3, reduction="none"),
        metrics.entropy(P3, reduction="none"),
        rtol=1e-14,
    )


def test_normalize_divides_predictions_and_not_targets():
    assert metrics.entropy([2, 2], normalize=True) == pytest.approx(np.log(2))
    assert metrics.kl_divergence([0.5, 0.5], [9, 1], normalize=True) == pytest.approx(
        metrics.kl_divergence([0.5, 0.5], [0.9, 0.1])
    )
    with pytest.raises(InputError, match="rows of p must sum to 1"):
        metrics.kl_divergence([0.6, 0.5], [0.9, 0.1], normalize=True)


def test_zero_one_loss_predicts_the_first_of_tied_classes():
    assert metrics.zero_one_loss([0, 1], [[0.5, 0.5], [0.5, 0.5]], reduction="none").tolist() == [
        0,
        1,
    ]
    assert metrics.zero_one_loss([0, 1], [0.5, 0.5]) == 0.5
    assert metrics.zero_one_loss([1, 2], [[0.2, 0.4, 0.4]] * 2) == 0.5
    soft = metrics.zero_one_loss([[0.1, 0.7, 0.2]], [[0.5, 0.3, 0.2]])
    assert soft == pytest.approx(0.9)


def test_a_metric_makes_a_scorer_of_scikit_learn():
    class Constant:
        classes_ = np.array([0, 1])
        _estimator_type = "classifier"

        def fit(self, X, y):
            return self

        def predict_proba(self, X):
            return np.tile([0.2, 0.8], (len(X), 1))

        def __sklearn_tags__(self):
            from sklearn.base import BaseEstimator, ClassifierMixin

            return type("_", (ClassifierMixin, BaseEstimator), {})().__sklearn_tags__()

    scorer = make_scorer(
        metrics.brier_loss, greater_is_better=False, response_method="predict_proba"
    )
    assert scorer(Constant(), np.zeros((2, 1)), [1, 1]) == pytest.approx(-0.04)
    weighted = scorer(Constant(), np.zeros((2, 1)), [1, 0], sample_weight=[1, 3])
    assert weighted == pytest.approx(-(0.04 + 3 * 0.64) / 4)
