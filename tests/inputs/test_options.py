"""Order of the options: ignored labels, smoothing, values, weights, mean over the weights."""

import numpy as np
import pytest
from scipy.special import huber, softmax
from sklearn.metrics import (
    balanced_accuracy_score,
    log_loss,
    mean_absolute_error,
    mean_poisson_deviance,
    mean_squared_error,
    mean_squared_log_error,
)
from sklearn.utils.class_weight import compute_class_weight

import xentexp
from tests.support.strategies import by_row, is_multilabel, of_scores, scores, targets
from xentexp import metrics as m
from xentexp.errors import InputError
from xentexp.losses import LOSSES
from xentexp.metrics._evaluation import evaluate

RNG = np.random.default_rng(3)
N, K = 50, 3
NAMES = np.array(["low", "mid", "top"])
Y = np.r_[[0, 1, 2], RNG.choice(3, size=N - 3, p=[0.7, 0.2, 0.1])]
RAW = RNG.normal(0, 2, (N, K))
P, T = softmax(RAW, axis=1), RNG.dirichlet(np.ones(K), size=N)
WEIGHT, FACTORS = RNG.uniform(0, 3, N), np.array([0.5, 2.0, 4.0])
CCE = m.categorical_crossentropy


# -- the order -------------------------------------------------------------------------------


def test_ignore_then_smooth_then_value_then_weights_then_their_sum():
    ignored = RNG.random(N) < 0.3
    marked = np.where(ignored, "?", NAMES[Y])
    smoothed = 0.8 * np.eye(K)[Y] + 0.2 / K
    weight = WEIGHT * FACTORS[Y] * ~ignored
    values = -(smoothed * np.log(P)).sum(axis=1)
    options = {
        "labels": NAMES,
        "ignore_label": "?",
        "label_smoothing": 0.2,
        "sample_weight": WEIGHT,
        "class_weight": {"mid": 2.0, "top": 4.0, "low": 0.5},
    }
    each = CCE(marked, P, reduction="none", **options)
    np.testing.assert_allclose(each, weight * values, rtol=1e-13)
    mean = (weight * values).sum() / weight.sum()
    assert CCE(marked, P, **options) == pytest.approx(mean, rel=1e-13)
    total = CCE(marked, P, reduction="sum", **options)
    assert total == pytest.approx((weight * values).sum(), rel=1e-13)
    together = evaluate(marked, P, ["categorical_crossentropy"], **options)
    assert together.mean["categorical_crossentropy"] == pytest.approx(mean, rel=1e-13)
    assert together.state.n_ignored == ignored.sum()
    checked = xentexp.get_loss("categorical_crossentropy").per_sample(
        marked, RAW, **options, from_logits=True
    )
    np.testing.assert_allclose(checked, each, rtol=1e-12)


def test_soft_targets_weigh_by_expectation_before_they_are_smoothed():
    smoothed = 0.7 * T + 0.3 / K
    weight = WEIGHT * (T @ FACTORS)
    values = -(smoothed * np.log(P)).sum(axis=1)
    options = {"label_smoothing": 0.3, "sample_weight": WEIGHT, "class_weight": FACTORS}
    np.testing.assert_allclose(CCE(T, P, reduction="none", **options), weight * values, rtol=1e-13)
    mean = (weight * values).sum() / weight.sum()
    assert CCE(T, P, **options) == pytest.approx(mean, rel=1e-13)
    ours = evaluate(T, P, ["categorical_crossentropy"], **options)
    assert ours.mean["categorical_crossentropy"] == pytest.approx(mean, rel=1e-13)
    checked = xentexp.get_loss("categorical_crossentropy").per_sample(
        T, RAW, **options, from_logits=True
    )
    np.testing.assert_allclose(checked, weight * values, rtol=1e-12)


def test_several_labels_are_smoothed_toward_one_half():
    labels = RNG.integers(2, size=(N, K))
    near = 0.8 * labels + 0.1  # keras BinaryCrossentropy(label_smoothing=.2): t (1 - e) + e / 2
    values = -(near * np.log(P) + (1 - near) * np.log1p(-P)).mean(axis=1)
    ours = m.multilabel_crossentropy(labels, P, label_smoothing=0.2, sample_weight=WEIGHT)
    assert ours == pytest.approx(np.average(values, weights=WEIGHT), rel=1e-12)


def test_label_smoothing_equals_smoothed_targets(loss):
    rng = np.random.default_rng(0)
    k = 2 if loss.properties.binary_only else 3
    y, raw = targets(loss, rng, 20, k), scores(loss, rng, 20, k)
    if loss.properties.targets == "one-hot":
        with pytest.raises(InputError, match=f"label_smoothing must be 0 for {loss.name}, "):
            by_row(loss, y, raw, k, label_smoothing=0.3)
        return
    spread = 2 if is_multilabel(loss) else k
    distributions = y if y.ndim == 2 else np.eye(k)[y]
    by_hand = 0.7 * distributions + 0.3 / spread
    ours = by_row(loss, y, raw, k, label_smoothing=0.3)
    if loss.properties.targets == "labels":
        loss = LOSSES["categorical_crossentropy"]
    np.testing.assert_allclose(ours, by_row(loss, by_hand, raw, k), rtol=1e-12, atol=1e-15)


# -- weights of classes ----------------------------------------------------------------------


def test_class_weights_by_label_or_in_order_are_equal():
    expected = CCE(Y, P, sample_weight=FACTORS[Y])
    named = {"mid": 2.0, "low": 0.5, "top": 4.0}
    assert CCE(Y, P, class_weight=FACTORS) == expected
    assert CCE(NAMES[Y], P, labels=NAMES, class_weight=named) == expected
    assert CCE(NAMES[Y], P, labels=NAMES, class_weight=list(FACTORS)) == expected
    partly = CCE(Y, P, class_weight={2: 4.0})  # labels that are left out have weight 1
    assert partly == CCE(Y, P, sample_weight=np.where(Y == 2, 4.0, 1.0))
    turned = CCE(NAMES[Y], P[:, ::-1], labels=NAMES[::-1], class_weight=named)
    assert turned == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
def test_balanced_is_the_mean_of_the_class_means(weight):
    options = {"decision": RAW, "ordered": True, "sample_weight": weight}
    plain = evaluate(Y, P, **options)
    balanced = evaluate(Y, P, class_weight="balanced", **options)
    for name, means in plain.class_mean.items():
        assert balanced.mean[name] == pytest.approx(np.mean(list(means.values())), rel=1e-12)
    accuracy = balanced_accuracy_score(Y, P.argmax(axis=1), sample_weight=weight)
    assert m.zero_one_loss(Y, P, class_weight="balanced", sample_weight=weight) == pytest.approx(
        1 - accuracy, rel=1e-12
    )


def test_balanced_weights_equal_scikit_learn():
    theirs = compute_class_weight("balanced", classes=np.arange(K), y=Y)
    ours = m.categorical_hinge(Y, RAW, class_weight="balanced", reduction="sum")
    assert ours == pytest.approx(m.categorical_hinge(Y, RAW, class_weight=theirs, reduction="sum"))


def test_balanced_ignores_classes_without_rows():
    labels = Y[Y < 2]
    ours = CCE(labels, P[Y < 2], class_weight="balanced", labels=[0, 1, 2])
    means = [log_loss(Y[c == Y], P[c == Y], labels=[0, 1, 2]) for c in (0, 1)]
    assert ours == pytest.approx(np.mean(means), rel=1e-12)
    ignored = CCE(Y, P, class_weight="balanced", ignore_label=2)
    assert ignored == pytest.approx(ours, rel=1e-12)


def test_balanced_soft_targets_give_every_class_the_same_total():
    totals = T.T @ WEIGHT
    expected = CCE(T, P, sample_weight=WEIGHT, class_weight=1 / totals)
    balanced = CCE(T, P, sample_weight=WEIGHT, class_weight="balanced")
    assert balanced == pytest.approx(expected, rel=1e-12)
    # smoothing comes after the weights
    smooth = CCE(T, P, sample_weight=WEIGHT, class_weight="balanced", label_smoothing=0.5)
    by_hand = CCE(T, P, sample_weight=WEIGHT, class_weight=1 / totals, label_smoothing=0.5)
    assert smooth == pytest.approx(by_hand, rel=1e-12)


BINARY = [name for name, loss in LOSSES.items() if loss.properties.binary_only]


@pytest.mark.parametrize("name", BINARY)
def test_pos_weight_equals_class_weight(name):
    function, y = getattr(m, name), Y % 2
    predicted = RAW[:, 0] if of_scores(LOSSES[name]) else P[:, 1]
    short = function(y, predicted, pos_weight=3.0)
    assert short == function(y, predicted, class_weight=[1, 3.0])
    assert short == pytest.approx(function(y, predicted, sample_weight=1 + 2 * y), rel=1e-14)
    with pytest.raises(InputError, match="pos_weight and class_weight must not be given together"):
        function(y, predicted, pos_weight=3.0, class_weight=[1, 3])
    with pytest.raises(InputError, match="pos_weight must be >= 0 and finite"):
        function(y, predicted, pos_weight=-1.0)


@pytest.mark.parametrize(
    ("weight", "rule"),
    [
        ({"high": 2.0}, "must be among the classes 'low', 'mid', 'top'; got 'high'"),
        ([1, 2], "must have one number for each of 3 classes; got shape"),
        ([1, 2, -1], "must be finite, not negative and not all zero"),
        ([0, 0, 0], "must be finite, not negative and not all zero"),
        ([1, 2, np.inf], "must be finite"),
        ("even", "must be 'balanced', a dict, or one number per class; got 'even'"),
    ],
)
def test_invalid_class_weights_raise(weight, rule):
    with pytest.raises(InputError, match=rule):
        CCE(NAMES[Y], P, labels=NAMES, class_weight=weight)
    with pytest.raises(InputError, match=rule):
        evaluate(NAMES[Y], P, labels=NAMES, class_weight=weight)


def test_a_class_of_weight_zero_is_not_counted():
    assert CCE(Y, P, class_weight={2: 0.0}) == pytest.approx(
        log_loss(Y[Y < 2], P[Y < 2], labels=[0, 1, 2])
    )
    with pytest.raises(InputError, match="must be positive for at least one row"):
        CCE(Y[Y < 2], P[Y < 2], labels=[0, 1, 2], class_weight=[0, 0, 1])


# -- plain numbers ---------------------------------------------------------------------------

NUMBERS = {
    "squared_error": mean_squared_error,
    "absolute_error": mean_absolute_error,
    "poisson_deviance": mean_poisson_deviance,
    "squared_log_error": mean_squared_log_error,
    "huber_loss": lambda y, x, sample_weight=None: np.average(
        huber(1.0, x - y).reshape(len(x), -1).mean(axis=1), weights=sample_weight
    ),
    "log_cosh_loss": lambda y, x, sample_weight=None: np.average(
        np.log(np.cosh(x - y)).reshape(len(x), -1).mean(axis=1), weights=sample_weight
    ),
}


def test_losses_that_accept_plain_numbers():
    assert set(NUMBERS) == {name for name, loss in LOSSES.items() if loss.properties.numbers}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("shape", [(40,), (40, 1), (40, 3)], ids=str)
def test_values_of_plain_numbers(name, shape):
    rng = np.random.default_rng(1)
    y, x = rng.gamma(2, 2, shape), rng.gamma(2, 2, shape)
    y.reshape(-1)[:5] = 0.0
    weight, function, peer = rng.uniform(0.1, 2, 40), getattr(m, name), NUMBERS[name]
    columns = [(y, x)] if len(shape) == 1 else list(zip(y.T, x.T, strict=True))
    by_column = np.mean([peer(*pair) for pair in columns])
    assert function(y, x, numbers=True) == pytest.approx(by_column, rel=1e-12)
    if len(shape) == 1:
        ours = function(y, x, numbers=True, sample_weight=weight)
        assert ours == pytest.approx(peer(y, x, sample_weight=weight), rel=1e-12)
    each = function(y, x, numbers=True, reduction="none", over_classes="sum")
    assert each.shape == (40,)
    single = [function(y[[i]], x[[i]], numbers=True, over_classes="sum") for i in range(40)]
    np.testing.assert_allclose(each, single, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "y", "x", "rule"),
    [
        ("squared_error", [1.0, np.nan], [1.0, 2.0], "y_true must be finite numbers; row 1"),
        ("squared_error", [1.0, 2.0], [1.0, np.inf], "y_pred must be finite numbers; row 1"),
        ("poisson_deviance", [1.0, -1.0], [1.0, 2.0], "y_true must be finite numbers >= 0"),
        ("poisson_deviance", [1.0, 0.0], [1.0, 0.0], "y_pred must be finite numbers > 0"),
        ("squared_log_error", [-1.0], [1.0], "y_true must be finite numbers > -1"),
        ("huber_loss", [1.0, 2.0], [[1.0, 2.0]], "must have the same shape"),
        ("huber_loss", ["a"], [1.0], "y_true must be numbers; got 'a'"),
    ],
)
def test_invalid_numbers_raise(name, y, x, rule):
    with pytest.raises(InputError, match=rule):
        getattr(m, name)(y, x, numbers=True)


@pytest.mark.parametrize(
    "option",
    [
        {"labels": [0, 1]}, {"class_weight": "balanced"}, {"from_logits": True},
        {"normalize": True}, {"ignore_label": 0},
    ],
    ids=str,
)  # fmt: skip
def test_options_of_classes_raise_with_numbers(option):
    with pytest.raises(InputError, match=f"{next(iter(option))} cannot be used with numbers=True"):
        m.squared_error([1.0, 2.0], [1.5, 2.5], numbers=True, **option)


def test_methods_with_numbers_raise_for_options_of_classes():
    loss = xentexp.get_loss("poisson_deviance")
    for call in (loss.per_sample, loss.gradient):
        with pytest.raises(InputError, match="ignore_label cannot be used with numbers=True"):
            call([1.0, 0.0], [1.5, 2.5], numbers=True, ignore_label=0)
        with pytest.raises(InputError, match="label_smoothing cannot be used with numbers=True"):
            call([1.0, 0.0], [1.5, 2.5], numbers=True, label_smoothing=0.1)
    with pytest.raises(InputError, match="clip cannot be used with numbers=True"):
        m.poisson_deviance([1.0], [1.5], numbers=True, clip=0.5)
