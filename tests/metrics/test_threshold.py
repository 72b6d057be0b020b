"""Metrics of the predicted class, and average precision, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from xentexp import evaluate, get_loss, get_metric, metrics
from xentexp.errors import InputError, UndefinedError

OF_CLASSES = {  # our name -> scikit-learn's function of labels and predicted labels
    "precision_score": peer.precision_score,
    "recall_score": peer.recall_score,
    "f1_score": peer.f1_score,
}


def data(k: int, n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels with every class, probabilities, and weights with some zeros."""
    rng = np.random.default_rng(seed)
    y = np.r_[np.arange(k), rng.integers(k, size=n)]
    weight = rng.integers(0, 3, size=len(y)).astype(float)
    weight[:k] = 1.0
    return y, rng.dirichlet(np.ones(k), size=len(y)), weight


problems = given(st.integers(2, 5), st.integers(0, 60), st.integers(0, 2**32 - 1))
quick = settings(max_examples=30, deadline=None)


@pytest.mark.parametrize("name", OF_CLASSES)
@pytest.mark.parametrize("average", ["macro", "weighted", "micro"])
@problems
@quick
def test_precision_recall_and_f1_equal_scikit_learns(name, average, k, n, seed):
    y, p, weight = data(k, n, seed)
    options = {"average": "binary"} if k == 2 else {"average": average}
    expected = OF_CLASSES[name](
        y, p.argmax(axis=1), sample_weight=weight, zero_division=0, **options
    )
    ours = getattr(metrics, name)(y, p, sample_weight=weight, average=average)
    assert ours == pytest.approx(expected, rel=1e-12)


@problems
@quick
def test_balanced_accuracy_and_matthews_correlation_equal_scikit_learns(k, n, seed):
    y, p, weight = data(k, n, seed)
    predicted = p.argmax(axis=1)
    assert metrics.balanced_accuracy(y, p, sample_weight=weight) == pytest.approx(
        peer.balanced_accuracy_score(y, predicted, sample_weight=weight), rel=1e-12
    )
    assert metrics.matthews_corrcoef(y, p, sample_weight=weight) == pytest.approx(
        peer.matthews_corrcoef(y, predicted, sample_weight=weight), rel=1e-12, abs=1e-15
    )


@pytest.mark.parametrize("average", ["macro", "weighted"])
@problems
@quick
def test_average_precision_equals_scikit_learns(average, k, n, seed):
    y, p, weight = data(k, n, seed)
    truth, scores = (y, p[:, 1]) if k == 2 else (np.eye(k)[y], p)
    expected = peer.average_precision_score(truth, scores, average=average, sample_weight=weight)
    ours = metrics.average_precision(y, p, sample_weight=weight, average=average)
    assert ours == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", [*OF_CLASSES, "balanced_accuracy", "matthews_corrcoef"])
def test_a_threshold_moves_rows_of_two_classes(name):
    y, p = np.array([0, 0, 1, 1, 1]), np.array([0.1, 0.4, 0.3, 0.6, 0.9])
    function = getattr(peer, {"balanced_accuracy": "balanced_accuracy_score"}.get(name, name))
    for threshold in (0.2, 0.5, 0.7):
        expected = function(y, (p > threshold).astype(int))
        ours = getattr(metrics, name)(y, p, threshold=threshold)
        assert ours == pytest.approx(expected, rel=1e-12)


def test_a_probability_at_the_threshold_is_the_first_class():
    assert metrics.recall_score([0, 1], [0.2, 0.5]) == 0.0
    assert metrics.recall_score([0, 1], [0.2, 0.7], threshold=0.7) == 0.0


def test_the_threshold_of_decision_scores_is_zero():
    y, d = [0, 1, 1, 0], [-0.3, 0.2, -0.1, 4.0]
    expected = peer.f1_score(y, [0, 1, 0, 1])
    assert evaluate(y, None, ["f1"], decision=d)["f1_score"] == pytest.approx(expected)
    assert metrics.f1_score(y, d, from_logits=True) == pytest.approx(expected)


def test_the_threshold_of_raw_scores_applies_to_their_probabilities():
    y, p = np.array([0, 1, 1, 0]), np.array([0.3, 0.65, 0.8, 0.1])
    raw = np.log(p / (1 - p))
    assert metrics.recall_score(y, raw, from_logits=True, threshold=0.7) == 0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.f1_score([0, 1, 2], np.eye(3), threshold=0.4), "only for two classes"),
        (lambda: metrics.f1_score([0, 1], [0.1, 0.9], threshold=1.5), "threshold must be a number"),
        (lambda: metrics.f1_score([0, 1], [0.1, 0.9], threshold=True), "threshold must be a"),
        (lambda: metrics.f1_score([0, 1], [0.1, 0.9], average="samples"), "average must be one of"),
        (lambda: metrics.average_precision([1, 1], [0.1, 0.9]), "no rows of class 0"),
        (lambda: evaluate([0, 1], None, [get_metric("f1", threshold=0.2)], decision=[-1.0, 1.0]),
         "needs probabilities for a threshold"),
    ],
)  # fmt: skip
def test_invalid_thresholds_and_averages_raise(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_average_precision_without_a_positive_row_is_undefined():
    with pytest.raises(UndefinedError, match="average_precision is undefined"):
        metrics.average_precision([0, 0], [0.1, 0.9])


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("ece", "expected_calibration_error"), ("auc", "roc_auc"), ("ks", "ks_statistic"),
        ("nll", "categorical_crossentropy"), ("mse", "squared_error"), ("mae", "absolute_error"),
        ("f1", "f1_score"), ("average_precision", "average_precision"), ("gini", "gini"),
        ("mcc", "matthews_corrcoef"), ("precision", "precision_score"),
        ("recall", "recall_score"), ("brier", "brier_loss"), ("f1_score", "f1_score"),
        ("sklearn.metrics.balanced_accuracy_score", "balanced_accuracy"),
        ("balanced_accuracy_score", "balanced_accuracy"),
    ],
)  # fmt: skip
def test_short_names_are_found_by_evaluate(alias, name):
    result = evaluate([0, 1, 1, 0], [0.2, 0.7, 0.4, 0.1], [alias])
    assert list(result.values) == [name]
    assert get_metric(alias) == get_metric(name)


def test_get_loss_finds_short_names_and_points_to_get_metric():
    assert get_loss("nll").name == "categorical_crossentropy"
    with pytest.raises(InputError, match=r"a loss is required; got 'auc', which is a metric"):
        get_loss("auc")
    with pytest.raises(InputError, match=r"unknown loss 'roc_au'"):
        get_loss("roc_au")
    with pytest.raises(InputError, match=r"'brier_loss'"):
        get_metric("brier_los")
