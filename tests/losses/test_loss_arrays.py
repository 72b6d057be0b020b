"""Methods of a loss on arrays: mean, values of rows, and derivatives in probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.strategies import arguments, is_multilabel, linked, of_scores, scores, targets
from xentexp import get_loss, metrics
from xentexp.errors import InputError
from xentexp.losses import LOSSES

IN_PROBABILITIES = [
    name
    for name, loss in LOSSES.items()
    if loss.properties.gradient != "none" and not of_scores(loss) and not is_multilabel(loss)
]


def case(loss, k, n=40, seed=0):
    """Targets, and predictions that the metric function accepts."""
    rng = np.random.default_rng(seed)
    k = 2 if loss.properties.binary_only else k
    return targets(loss, rng, n, k, soft=False), linked(loss, scores(loss, rng, n, k)), k


@pytest.mark.parametrize("k", [2, 3])
def test_a_call_equals_the_metric_function_and_the_mean_of_per_sample(loss, k):
    y, predicted, k = case(loss, k)
    positional, named = arguments(loss, y, predicted, k)
    if loss.properties.distributions:
        named = {"reduction": "mean"}
    expected = getattr(metrics, loss.name)(*positional, **named)
    options = {name: value for name, value in named.items() if name == "labels"}
    if loss.properties.distributions:
        options["clip"] = 0.0  # the functions of two distributions do not clip
    truth = None if loss.properties.targets == "none" else positional[0]
    assert loss(truth, predicted, **options) == pytest.approx(expected, rel=1e-13)
    rows = loss.per_sample(truth, predicted, **options)
    assert rows.shape == (len(predicted),)
    assert rows.mean() == pytest.approx(expected, rel=1e-12)


def of_normalized(loss, y, p):
    """Value of each row of probabilities divided by their sum."""
    p = p / p.sum(axis=1, keepdims=True) if p.ndim == 2 else p
    clips = loss.properties.clip or loss.properties.distributions
    return loss.per_sample(y, p, **({"clip": 0.0} if clips else {}))


def along_the_simplex(loss, y, p, step=1e-5):
    """Derivative in the first probability minus the last one, so that the sum stays 1."""
    gradient = loss.gradient(y, p, from_logits=False)
    way = np.zeros(p.shape[1])
    way[0], way[-1] = step, -step
    slope = (of_normalized(loss, y, p + way) - of_normalized(loss, y, p - way)) / (2 * step)
    np.testing.assert_allclose(gradient[:, 0] - gradient[:, -1], slope, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", IN_PROBABILITIES)
@pytest.mark.parametrize("columns", ["one", "two", "three"])
def test_derivatives_in_probabilities_equal_finite_differences(name, columns):
    loss = get_loss(name)
    k = 3 if columns == "three" else 2
    if loss.properties.binary_only and k == 3:
        return
    rng = np.random.default_rng(1)
    p = rng.dirichlet(np.full(k, 5.0), size=30)
    y = rng.dirichlet(np.full(k, 5.0), size=30) if loss.properties.targets == "positive" else (
        rng.integers(k, size=30)
    )  # fmt: skip
    y = None if loss.properties.targets == "none" else y
    p = p[:, 1] if columns == "one" else p
    if loss.properties.link == "tempered softmax" and columns != "one":
        along_the_simplex(loss, y, p)  # the sigmoid link does not divide by the sum
        return
    gradient, hessian = loss.gradient_hessian(y, p, from_logits=False)
    np.testing.assert_array_equal(loss.gradient(y, p, from_logits=False), gradient)
    step = 1e-4 * p.min()
    for column in range(1 if p.ndim == 1 else k):
        place = np.s_[:] if p.ndim == 1 else np.s_[:, column]

        def moved(by, place=place):
            other = p.copy()
            other[place] += by * step
            return of_normalized(loss, y, other)

        first = (8 * (moved(1) - moved(-1)) - (moved(2) - moved(-2))) / (12 * step)
        np.testing.assert_allclose(gradient[place], first, rtol=1e-5, atol=1e-6)
        wide = step * 100

        def far(by, place=place, wide=wide):
            other = p.copy()
            other[place] += by * wide
            return of_normalized(loss, y, other)

        second = (-far(2) + 16 * far(1) - 30 * far(0) + 16 * far(-1) - far(-2)) / (12 * wide**2)
        if loss.properties.gradient == "smooth":
            np.testing.assert_allclose(hessian[place], second, rtol=1e-3, atol=1e-3)


def test_a_gradient_in_certain_probabilities_is_its_limit_where_no_logarithm_is_clipped():
    brier = get_loss("brier_loss")
    np.testing.assert_allclose(
        brier.gradient([0, 1], [1.0, 0.0], from_logits=False), [2.0, -2.0], rtol=1e-6
    )
    small = brier.gradient([1], [0.05], from_logits=False)
    np.testing.assert_allclose(small, [-1.9])


def test_a_gradient_is_0_where_the_logarithm_is_clipped_and_only_there():
    nll = get_loss("nll")
    actual = nll.gradient([0, 0, 1, 1], [0.15, 0.95, 0.15, 0.95], from_logits=False, clip=0.2)
    np.testing.assert_allclose(actual, [1 / 0.85, 0.0, 0.0, -1 / 0.95])


def test_a_gradient_at_probability_0_without_a_clip_is_finite_or_infinite_but_not_nan():
    actual = get_loss("nll").gradient_hessian([0, 1], [0.0, 1.0], from_logits=False, clip=0)
    assert not np.isnan(actual).any()


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (
            lambda: get_loss("nll").gradient([0], [[0.4, 0.4]], from_logits=False, normalize=True),
            "normalize must be False for derivatives with respect to probabilities; got True",
        ),
        (
            lambda: get_loss("hinge_loss").gradient([0], [0.4], from_logits=False),
            "from_logits must be True for hinge_loss, a loss of decision scores; got False",
        ),
        (
            lambda: get_loss("entropy")(None, [[0.3, 0.7]], class_weight="balanced"),
            "class_weight cannot be used without y_true",
        ),
        (
            lambda: get_loss("entropy")(None, [[0.3, 0.7]], ignore_label=0),
            "ignore_label cannot be used",
        ),
        (
            lambda: get_loss("hinge_loss")([0, 1], [0.2, 0.3], clip=0.1),
            "clip cannot be used with hinge_loss",
        ),
        (
            lambda: get_loss("brier_loss").gradient([0], [0.2], from_logits=False, clip=0.1),
            "clip cannot be used with brier_loss",
        ),
        (
            lambda: get_loss("hinge_loss").per_sample([0, 1], [0.2, 0.3], normalize=True),
            "normalize cannot be used with hinge_loss",
        ),
        (lambda: get_loss("brier_loss")(None, [0.5]), "y_true must be given; got None"),
        (lambda: get_loss("brier_loss")([1], [0.5], pos_weight=-1), "pos_weight must be >= 0"),
    ],
)
def test_invalid_combinations_raise(call, rule):
    with pytest.raises(InputError, match=rule):
        call()


@pytest.mark.parametrize("value", ["yes", 1, None])
@pytest.mark.parametrize("name", ["nll", "hinge_loss", "multilabel_crossentropy"])
@pytest.mark.parametrize("method", ["__call__", "per_sample", "gradient", "gradient_hessian"])
def test_from_logits_must_be_true_or_false(method, name, value):
    with pytest.raises(InputError, match=f"^from_logits must be True or False; got {value!r}$"):
        getattr(get_loss(name), method)([0, 1], [0.2, 0.7], from_logits=value)


def test_from_logits_may_be_a_numpy_bool():
    nll = get_loss("nll")
    assert nll([0, 1], [0.2, 0.7], from_logits=np.True_) == nll(
        [0, 1], [0.2, 0.7], from_logits=True
    )


@pytest.mark.parametrize("method", ["__call__", "per_sample", "gradient", "gradient_hessian"])
def test_an_unknown_keyword_is_a_type_error_as_in_python(method):
    with pytest.raises(
        TypeError, match="keyword argument 'sample_weights'; did you mean 'sample_weight'"
    ):
        getattr(get_loss("nll"), method)([0, 1], [0.2, 0.7], sample_weights=[1, 1])
