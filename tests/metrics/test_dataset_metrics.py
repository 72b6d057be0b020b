"""Metrics of the whole data set: their functions, options, invariances and errors."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
import pytest

from xentexp import metrics
from xentexp._inputs.read import read
from xentexp.errors import InputError, UndefinedError
from xentexp.losses import LOSSES
from xentexp.metrics._base import DatasetMetric
from xentexp.metrics._compat import CONVENTIONS
from xentexp.metrics._metric_input import MetricInput
from xentexp.metrics._registry import DATASET_METRICS, DEFAULT_METRICS, get_loss, get_metric
from xentexp.metrics._running_sums import sum_losses

_RNG = np.random.default_rng(0)
_U = 0.05 + _RNG.random((80, 3))
P3 = _U / _U.sum(axis=1, keepdims=True)
Y3 = (_RNG.random((80, 1)) > P3.cumsum(axis=1)).sum(axis=1)
P2, Y2 = P3[:, 1] / (P3[:, 0] + P3[:, 1]), (_RNG.random(80) > 0.5).astype(int)
COUNTS = _RNG.integers(0, 4, 80)
PRIOR = {2: [0.4, 0.6], 3: [0.2, 0.3, 0.5]}


def test_the_d2_score_of_the_null_model_is_exactly_zero() -> None:
    rng = np.random.default_rng(0)
    for n in (7, 100, 6000):
        y = (rng.random(n) < 0.2212).astype(int)
        prior = [1.0 - 0.2212, 0.2212]
        p = np.full(n, 0.2212)
        assert metrics.d2_score(y, p, prior=prior) == 0.0
        assert metrics.d2_score(y, p + 1e-3, prior=prior) != 0.0


@pytest.fixture(params=DATASET_METRICS.values(), ids=DATASET_METRICS)
def metric(request: pytest.FixtureRequest) -> DatasetMetric:
    """Each metric of the table."""
    return request.param


@pytest.fixture
def function(metric: DatasetMetric) -> Callable[..., float]:
    """Its function."""
    return getattr(metrics, metric.function)


def extra(metric: DatasetMetric, n_classes: int) -> dict[str, Any]:
    """Options that the metric requires."""
    needed: dict[str, Any] = {"prior": PRIOR[n_classes]} if metric.properties.prior else {}
    if metric.function == "calibration_intercept" and n_classes > 2:
        needed["positive"] = 1
    return needed


def cases(metric: DatasetMetric) -> list[tuple[np.ndarray, np.ndarray, dict[str, Any]]]:
    """Labels, probabilities and options for two classes, and for three if it accepts them."""
    two = [(Y2, P2, extra(metric, 2))]
    return two if metric.properties.binary_only else [*two, (Y3, P3, extra(metric, 3))]


def test_a_metric_is_an_ordinary_function(
    metric: DatasetMetric, function: Callable[..., float]
) -> None:
    assert inspect.isfunction(function)
    assert function.__name__ == function.__qualname__ == metric.function
    assert pickle.loads(pickle.dumps(function)) is function
    parameters = inspect.signature(function).parameters
    assert list(parameters)[:2] == ["y_true", "y_pred"]
    keywords = list(parameters.values())[2:]
    if metric.function in CONVENTIONS:
        assert [p.name for p in keywords[-2:]] == ["convention", "peer_options"]
        assert keywords.pop().kind is inspect.Parameter.VAR_KEYWORD
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in keywords)
    given = {parameter.name: parameter.default for parameter in keywords}
    assert given | {f.name: getattr(metric, f.name) for f in fields(metric)} == given
    with pytest.raises(TypeError, match=rf"^{metric.function}\(\) got an unexpected"):
        function(Y2, P2, n_bin=3)


def test_a_docstring_quotes_strings_as_code_does_and_mentions_only_calls_that_work(
    metric: DatasetMetric, function: Callable[..., float]
) -> None:
    doc = inspect.getdoc(function) or ""
    assert "default='" not in doc
    assert "{'" not in doc.partition("Examples\n")[0]
    more_classes = metric.properties.response == "either" and not metric.properties.binary_only
    assert ("to `evaluate` as `decision`" in doc) == more_classes


def test_the_docstring_is_complete(metric: DatasetMetric, function: Callable[..., float]) -> None:
    doc = inspect.getdoc(function)
    properties = metric.properties
    for part in (
        properties.summary,
        properties.formula,
        properties.range,
        properties.reference,
        properties.notes,
    ):
        assert part in doc
    direction = {"lower": "Lower is", "higher": "Higher is", "nearest": "Values near"}[
        properties.direction
    ]
    assert f"{direction} " in doc
    positions = [
        doc.index(f"\n{title}\n{'-' * len(title)}\n")
        for title in ("Parameters", "Returns", "Raises", "References", "Examples")
    ]
    assert positions == sorted(positions)
    section = doc[positions[0] : positions[1]].split("\n")
    documented = [line.split(" : ")[0] for line in section if " : " in line and line[0] != " "]
    assert [name.lstrip("*") for name in documented] == list(inspect.signature(function).parameters)


def test_labels_and_one_hot_rows_have_the_same_value(
    metric: DatasetMetric, function: Callable[..., float]
) -> None:
    for y, p, options in cases(metric):
        expected = function(y, p, **options)
        both = p if p.ndim == 2 else np.stack([1 - p, p], axis=1)
        assert type(expected) is float
        assert np.isfinite(expected)
        assert function(y, both, **options) == pytest.approx(expected, rel=1e-12)
        one_hot = np.eye(both.shape[1])[y]
        assert function(one_hot, both, **options) == pytest.approx(expected, rel=1e-12)
        assert function(y.tolist(), p.tolist(), **options) == expected
        wide = both.astype(np.float32)
        options = options | {"normalize": True}
        assert function(y, wide, **options) == pytest.approx(expected, rel=1e-4)


def test_raw_scores_have_the_value_of_their_probabilities(
    metric: DatasetMetric, function: Callable[..., float]
) -> None:
    for y, p, options in cases(metric):
        raw = np.log(p) - np.log1p(-p) if p.ndim == 1 else np.log(p) + 3.0
        ours = function(y, raw, from_logits=True, **options)
        assert ours == pytest.approx(function(y, p, **options), rel=1e-9)
    both = np.log(np.stack([1 - P2, P2], axis=1)) + np.linspace(-5, 5, 80)[:, np.newaxis]
    ours = function(Y2, both, from_logits=True, **extra(metric, 2))
    assert ours == pytest.approx(function(Y2, P2, **extra(metric, 2)), rel=1e-9)


def test_an_integer_weight_equals_repeated_rows_in_any_order(
    metric: DatasetMetric, function: Callable[..., float]
) -> None:
    order = np.random.default_rng(1).permutation(80)
    for y, p, options in cases(metric):
        weighted = function(y, p, sample_weight=COUNTS, **options)
        repeated = function(np.repeat(y, COUNTS), np.repeat(p, COUNTS, axis=0), **options)
        assert weighted == pytest.approx(repeated, rel=1e-10)
        shuffled = function(y[order], p[order], sample_weight=7.0 * COUNTS[order], **options)
        assert shuffled == pytest.approx(weighted, rel=1e-10)


@pytest.mark.parametrize("bins", ["width", "mass"])
def test_bins_do_not_depend_on_order_or_repetition(bins: str) -> None:
    p = np.round(P2, 1)  # many ties, which must share a bin
    for function in (metrics.expected_calibration_error, metrics.maximum_calibration_error):
        options = {"bins": bins, "n_bins": 5}
        expected = function(Y2, p, sample_weight=COUNTS, **options)
        repeated = function(np.repeat(Y2, COUNTS), np.repeat(p, COUNTS), **options)
        assert repeated == pytest.approx(expected, rel=1e-12)
        turned = function(Y2[::-1], p[::-1], sample_weight=COUNTS[::-1], **options)
        assert turned == pytest.approx(expected, rel=1e-12)


def test_any_labels_are_accepted_and_ignored_rows_are_left_out(
    metric: DatasetMetric, function: Callable[..., float]
) -> None:
    names = np.array(["good", "bad"])
    options = extra(metric, 2)
    expected = function(Y2, P2, **options)
    assert function(names[Y2], P2, labels=["good", "bad"], **options) == expected
    frame = pd.DataFrame({"bad": P2, "good": 1 - P2})
    ours = function(names[Y2], frame, labels=["good", "bad"], **options)
    assert ours == pytest.approx(expected, rel=1e-12)
    with_gaps = np.where(np.arange(80) % 4 == 0, -1, Y2)
    kept = with_gaps >= 0
    ours = function(with_gaps, P2, ignore_label=-1, **options)
    assert ours == pytest.approx(function(Y2[kept], P2[kept], **options), rel=1e-12)


def test_more_rows_than_a_block(metric: DatasetMetric, function: Callable[..., float]) -> None:
    for y, p, options in cases(metric):
        many = function(np.tile(y, 900), np.concatenate([p] * 900), **options)
        assert many == pytest.approx(function(y, p, **options), rel=1e-9)


def test_perfect_predictions_have_the_best_value(metric: DatasetMetric) -> None:
    y = np.array([0, 1, 1, 0])
    function = getattr(metrics, metric.function)
    if metric.name == "calibration_slope":  # infinite for separated classes
        y, p = np.array([0, 0, 0, 1, 0, 1, 1, 1]), np.repeat([0.25, 0.75], 4)
        assert function(y, p) == pytest.approx(1.0, rel=1e-12)
        return
    ours = function(y, y.astype(float), **extra(metric, 2))
    assert ours == pytest.approx(metric.properties.optimum, abs=1e-12)


@pytest.mark.parametrize("name", ["roc_auc", "gini", "ks_statistic", "h_measure"])
def test_metrics_of_rankings_do_not_change_under_increasing_transformations(name: str) -> None:
    function = getattr(metrics, name)
    expected = function(Y2, P2)
    assert function(Y2, P2**3) == pytest.approx(expected, rel=1e-12)
    assert function(Y2, 40 * P2 - 7, from_logits=True) == pytest.approx(expected, rel=1e-12)
    # sigmoid(50) and sigmoid(60) are both 1 in float64, but the raw scores differ
    assert function([0, 1], [50.0, 60.0], from_logits=True) == 1.0


def test_random_and_reversed_rankings() -> None:
    same = np.full(80, 0.3)
    for name, value in {"roc_auc": 0.5, "gini": 0, "ks_statistic": 0, "h_measure": 0}.items():
        assert getattr(metrics, name)(Y2, same) == pytest.approx(value, abs=1e-15)
    y = np.array([0, 0, 1, 1])
    turned = [0.9, 0.8, 0.2, 0.1]
    assert metrics.gini(y, turned) == -1.0
    assert metrics.ks_statistic(y, turned) == 1.0  # two-sided
    assert metrics.h_measure(y, turned) == pytest.approx(0.0, abs=1e-15)


# -- where there is no value -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("roc_auc", {}), ("gini", {}), ("ks_statistic", {}), ("h_measure", {}),
        ("balanced_loss", {}), ("calibration_slope", {}), ("calibration_intercept", {}),
        ("d2_score", {"null": "test prior"}),
    ],
)  # fmt: skip
def test_a_single_class_raises_an_undefined_error(name: str, options: dict[str, Any]) -> None:
    function = getattr(metrics, name)
    for weight, y in ((None, [1, 1, 1]), ([1, 2, 0], [1, 1, 0])):
        with pytest.raises(UndefinedError, match=r"is undefined: .*(no|only) rows|null model"):
            function(y, [0.2, 0.9, 0.4], sample_weight=weight, **options)


def test_an_absent_class_can_be_skipped() -> None:
    ours = metrics.balanced_loss([1, 1], [0.2, 0.9], absent="skip", loss="brier_loss")
    assert ours == pytest.approx((0.8**2 + 0.1**2) / 2)
    with pytest.raises(UndefinedError, match="no rows of class 2"):
        metrics.roc_auc([0, 1, 1], P3[:3], labels=[0, 1, 2])


def test_undefined_slopes_raise_an_undefined_error() -> None:
    with pytest.raises(UndefinedError, match="same for every row"):
        metrics.calibration_slope([0, 1, 1], [0.4, 0.4, 0.4])
    rounded = np.float32(0.2212) * (1 + np.float32([0, 1, -1, 2]) * np.finfo(np.float32).eps)
    with pytest.raises(UndefinedError, match="same for every row, up to rounding"):
        metrics.calibration_slope([0, 1, 0, 1], rounded)  # was of the order of 1e7
    logits = np.array([0.0, 1.0, 0.5, 0.2, 0.7])
    slopes = [
        metrics.calibration_slope([0, 1, 0, 1, 0], 1 / (1 + np.exp(-logits * scale)))
        for scale in (1.0, 1e-4)
    ]
    assert slopes[1] == pytest.approx(slopes[0] * 1e4, rel=1e-6)  # nearly constant, but defined
    for y in ([0, 0, 1, 1], [1, 1, 0, 0]):  # equal predictions in the middle, but no overlap
        with pytest.raises(UndefinedError, match=r"separate class 1 .* infinite"):
            metrics.calibration_slope(y, [0.1, 0.5, 0.5, 0.8])
    with pytest.raises(UndefinedError, match="infinite log-odds; pass a clip above 0"):
        metrics.calibration_slope([0, 1, 0, 1], [0.0, 0.3, 0.6, 1.0], clip=0)
    clipped = metrics.calibration_slope([1, 0, 1, 0, 1], [0.0, 0.3, 0.6, 0.7, 1.0], clip=0.01)
    same = metrics.calibration_slope([1, 0, 1, 0, 1], [0.01, 0.3, 0.6, 0.7, 0.99])
    assert clipped == pytest.approx(same, rel=1e-12)


# -- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.expected_calibration_error(Y2, P2, n_bins=0), "n_bins must be an integer"),
        (lambda: metrics.expected_calibration_error(Y2, P2, n_bins=2.5), "n_bins must be an int"),
        (lambda: metrics.expected_calibration_error(Y2, P2, bins="x"),
         "bins must be one of 'width', 'mass'; got 'x'"),
        (lambda: metrics.expected_calibration_error(Y2, P2, of="x"), "of must be one of"),
        (lambda: metrics.expected_calibration_error(Y2, P2, norm="max"), "norm must be one of"),
        (lambda: metrics.expected_calibration_error(Y2, P2, debiased=True),
         "debiased=True requires norm='l2'; got norm='l1'"),
        (lambda: metrics.expected_calibration_error(Y3, P3, of="second class"),
         "of='second class' is for two classes; there are 3"),
        (lambda: metrics.calibration_intercept(Y3, P3), "there are 3; pass positive="),
        (lambda: metrics.calibration_slope(Y3, P3, positive=7), "unknown class 7"),
        (lambda: metrics.ks_statistic(Y3, P3), "ks_statistic is for two classes; there are 3"),
        (lambda: metrics.gini(P3, P3), "gini needs one true class in each row"),
        (lambda: metrics.roc_auc(Y3, P3, multiclass="all"), "multiclass must be one of"),
        (lambda: metrics.roc_auc(Y3, P3, average="micro"), "average must be one of"),
        (lambda: metrics.h_measure(Y2, P2, cost=0), "cost must be a finite number above 0"),
        (lambda: metrics.h_measure(Y2, P2, cost="x"), "cost must be one of"),
        (lambda: metrics.balanced_loss(Y2, P2, loss="entropy"), "lower is better; got entropy"),
        (lambda: metrics.balanced_loss(Y2, P2, loss="brier_los"), "did you mean 'brier_loss'"),
        (lambda: metrics.balanced_loss(Y2, P2, loss="hinge_loss"), "needs decision scores"),
        (lambda: metrics.balanced_loss(Y2, P2, absent="x"), "absent must be one of"),
        (lambda: metrics.d2_score(Y2, P2), "prior must be given for null='training prior'"),
        (lambda: metrics.d2_score(Y2, P2, prior=[0.5, 0.5], null="uniform"),
         "prior requires null='training prior'; got null='uniform'"),
        (lambda: metrics.d2_score(Y2, P2, null="mine"), "null must be one of"),
        (lambda: metrics.d2_score(Y2, P2, prior=[0.5, 0.6]), "prior must have .* sum to 1"),
        (lambda: metrics.d2_score(Y2, P2, prior=[1.5, -0.5]), "prior must have .* sum to 1"),
        (lambda: metrics.d2_score(Y2, P2, prior=[0.2, 0.3, 0.5]), "a number for each of 2"),
        (lambda: metrics.d2_score(Y2, P2, prior="half"), "prior must be an array"),
        (lambda: metrics.d2_score(Y2, P2, prior=[0.4, 0.6], loss="absolute_error"),
         "loss of d2_score must be proper.* absolute_error is improper"),
        (lambda: metrics.perplexity(None, P2), "y_true must be given; got None"),
        (lambda: metrics.perplexity(Y2, P2 + 1), "probabilities must lie in"),
        (lambda: get_metric("ginni"), "unknown loss or metric 'ginni'; did you mean"),
        (lambda: get_metric("gini", n_bins=3), "unknown parameter of gini 'n_bins'"),
    ],
)  # fmt: skip
def test_bad_input_raises_one_line(call: Callable[[], float], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


# -- the table -------------------------------------------------------------------------------


def test_names_and_labels() -> None:
    assert get_metric("balanced_hinge_loss").loss == "hinge_loss"
    assert get_metric("d2_brier_loss", null="uniform").name == "d2_brier_loss"
    loss = get_loss("brier_loss", scale_by_half=False)
    assert get_metric("balanced_loss", loss=loss).name == "balanced_brier_loss"
    assert get_metric("gini").name == "gini"
    for metric in (*DATASET_METRICS.values(), *map(get_metric, DEFAULT_METRICS)):
        assert get_metric(metric.name) == metric
        assert metric.name not in LOSSES
    assert len(set(DEFAULT_METRICS)) == len(DEFAULT_METRICS)


def test_metrics_with_equal_parameters_are_equal(metric: DatasetMetric) -> None:
    assert metric == type(metric)()
    assert hash(metric) == hash(type(metric)())
    assert pickle.loads(pickle.dumps(metric)) == metric


def test_metric_input_reuses_losses_that_were_computed() -> None:
    checked = read(Y2, P2)
    state, _ = sum_losses(checked, [LOSSES["categorical_crossentropy"]])
    state.total *= 2.0  # a changed sum shows whether it is used
    once = get_metric("perplexity").value(MetricInput(checked))
    twice = get_metric("perplexity").value(MetricInput(checked, state=state))
    assert twice == pytest.approx(once**2, rel=1e-12)
