"""`evaluate`: the same values as the functions, and the attributes of the result."""

import numpy as np
import pytest
from scipy import stats

import xentexp
from tests.support.strategies import (
    BINARY,
    COLUMNS,
    LATENT,
    MARGINS,
    ONE_TRUE_CLASS,
    ORDERED,
    POSITIVE,
    all_but,
    sample,
)
from xentexp import metrics
from xentexp.errors import InputError
from xentexp.losses import LOSSES
from xentexp.metrics._evaluation import Evaluation, evaluate
from xentexp.metrics._registry import get_loss


def one_by_one(name, y, p, decision, **options):
    """Value of the function on the predictions that it needs."""
    function, properties = getattr(metrics, name), LOSSES[name].properties
    if properties.targets == "none":
        return function(p, **options)
    if properties.distributions:
        return function(y if y.ndim == 2 else np.eye(p.shape[1])[y], p, **options)
    options["labels"] = range(p.shape[1])
    return function(
        y, decision if properties.response in ("decision_function", "latent") else p, **options
    )


@pytest.mark.parametrize("n_rows", [3, 300, 50_000], ids=["few", "some", "blocks"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_every_loss_equals_its_metric_function(n_classes, weighted, n_rows):
    y, p, decision, weight = sample(n_classes, n_rows)
    weight = weight if weighted else None
    decision = decision[:, 0] if n_classes == 2 else decision  # one score for a row: latent too
    result = evaluate(y, p, decision=decision, sample_weight=weight, per_sample=True, ordered=True)
    beyond = COLUMNS | POSITIVE
    applies = all_but(beyond) if n_classes == 2 else all_but(beyond, BINARY, LATENT)
    assert list(result.mean) == applies
    for name in applies:
        expected = one_by_one(name, y, p, decision, sample_weight=weight)
        assert result.mean[name] == pytest.approx(expected, rel=1e-12, abs=1e-15), name
        values = one_by_one(name, y, p, decision, reduction="none")
        # Shared matrices round elsewhere than a gather does, by an ulp or two.
        np.testing.assert_allclose(
            result.per_sample[name], values, rtol=1e-13, atol=1e-15, err_msg=name
        )
    assert result.state.weight == pytest.approx(n_rows if weight is None else weight.sum())
    assert result.state.n_rows == n_rows


@pytest.mark.parametrize("targets", ["one-hot", "soft"])
def test_distributions_as_targets_equal_the_metric_functions_too(targets):
    y, p, decision, weight = sample(3)
    soft = np.random.default_rng(5).dirichlet([1] * 3, len(y))
    target = soft if targets == "soft" else np.eye(3)[y]
    result = evaluate(target, p, decision=decision, sample_weight=weight, ordered=True)
    left_out = [COLUMNS, BINARY, LATENT, {"sparse_categorical_crossentropy"}]
    left_out += [POSITIVE] if targets == "one-hot" else [ONE_TRUE_CLASS]
    assert list(result.mean) == all_but(*left_out)
    for name, value in result.mean.items():
        expected = one_by_one(name, target, p, decision, sample_weight=weight)
        assert value == pytest.approx(expected, rel=1e-12), name


def test_raw_scores_are_valid_for_all_losses():
    y, _, scores, weight = sample(3)
    result = evaluate(y, scores, from_logits=True, sample_weight=weight, ordered=True)
    assert list(result.mean) == all_but(COLUMNS, BINARY, LATENT, POSITIVE)
    for name, value in result.mean.items():
        each = xentexp.get_loss(name).per_sample(y, scores, from_logits=True)
        assert value == pytest.approx(np.average(each, weights=weight), rel=1e-12), name
    cross_entropy = metrics.categorical_crossentropy(
        y, scores, from_logits=True, sample_weight=weight
    )
    # the entropy of a label is 0
    for name in ("cross_entropy", "kl_divergence", "renyi_divergence"):
        assert result.mean[name] == pytest.approx(cross_entropy, rel=1e-12)


@pytest.mark.parametrize("name", ["categorical_crossentropy", "categorical_hinge"])
def test_one_array_may_be_probabilities_and_decision_scores(name):
    y, p, _, _ = sample(3)
    result = evaluate(y, p, decision=p)
    assert result.mean[name] == pytest.approx(getattr(metrics, name)(y, p), rel=1e-12)


# -- attributes of a result ------------------------------------------------------------------


def test_standard_error_of_an_unweighted_mean():
    y, p, decision, _ = sample(3)
    result = evaluate(y, p, decision=decision, per_sample=True)
    for name, values in result.per_sample.items():
        expected = np.std(values, ddof=1) / np.sqrt(len(values))
        assert result.standard_error[name] == pytest.approx(expected, rel=1e-9), name
        assert result.standard_error[name] == pytest.approx(stats.sem(values), rel=1e-9), name


def test_standard_error_of_a_weighted_mean():
    y, p, decision, weight = sample(3)
    result = evaluate(y, p, decision=decision, sample_weight=weight, per_sample=True)
    n = len(y)
    for name, values in result.per_sample.items():
        mean = np.average(values, weights=weight)
        squares = n / (n - 1) * np.sum(weight**2 * (values - mean) ** 2)
        expected = np.sqrt(squares) / weight.sum()
        assert result.standard_error[name] == pytest.approx(expected, rel=1e-9), name
    scaled = evaluate(y, p, decision=decision, sample_weight=7 * weight).standard_error
    assert scaled == pytest.approx(result.standard_error, rel=1e-9)  # weights have no unit


def test_the_standard_error_of_one_row_is_nan():
    assert np.isnan(evaluate([0], [0.3], ["brier_loss"]).standard_error["brier_loss"])
    infinite = evaluate([1, 0], [0.0, 0.3], ["cross_entropy", "brier_loss"], clip=0)
    assert np.isnan(infinite.standard_error["cross_entropy"])
    assert infinite.standard_error["brier_loss"] > 0


def test_class_means():
    y, p, decision, weight = sample(3)
    for w in (None, weight):
        result = evaluate(y, p, decision=decision, sample_weight=w, per_sample=True)
        for name, values in result.per_sample.items():
            for c in range(3):
                rows = y == c
                expected = np.average(values[rows], weights=None if w is None else w[rows])
                assert result.class_mean[name][c] == pytest.approx(expected, rel=1e-12)
    lacking = evaluate(["a", "a"], [0.2, 0.3], ["brier_loss"], labels=["a", "b"])
    assert lacking.class_mean["brier_loss"]["a"] == pytest.approx((0.04 + 0.09) / 2)
    assert np.isnan(lacking.class_mean["brier_loss"]["b"])
    soft = evaluate([[0.5, 0.5], [1, 0]], [[0.3, 0.7], [1, 0]], ["brier_loss"])
    assert soft.class_mean["brier_loss"] == pytest.approx({0: 0.04 * 0.5 / 1.5, 1: 0.04})


def test_counts_of_clipped_ignored_and_infinite_rows():
    y, p = [1, 0, 0, 9, 1, 9], [0.0, 1.0, 1.0, 0.0, 0.5, 0.7]
    names = ["binary_crossentropy", "brier_loss"]
    clipped = evaluate(y, p, names, ignore_label=9)
    assert (clipped.state.n_rows, clipped.state.n_ignored, clipped.state.n_clipped) == (4, 2, 3)
    assert clipped.infinite == {"binary_crossentropy": 0, "brier_loss": 0}
    assert clipped.class_mean["binary_crossentropy"][0] == pytest.approx(-np.log(2**-52))
    bare = evaluate(y, p, names, ignore_label=9, clip=0)
    assert bare.state.n_clipped == 0
    assert bare.infinite == {"binary_crossentropy": 3, "brier_loss": 0}
    assert bare.mean == {"binary_crossentropy": np.inf, "brier_loss": 0.8125}
    assert bare.class_mean == {
        "binary_crossentropy": {0: np.inf, 1: np.inf},
        "brier_loss": {0: 1.0, 1: 0.625},
    }
    soft = evaluate([[0.5, 0.5], [1, 0]], [[1, 0], [1, 0]], names)
    assert soft.state.n_clipped == 1  # a clipped class of target 0 does not count
    assert evaluate([1], [-900.0], names, from_logits=True).state.n_clipped == 0


def test_an_infinite_row_of_weight_zero_does_not_count():
    y, p, weight = [1, 1, 0, 1], [0.0, 0.0, 0.5, 0.5], [0, 1, 1, 1]
    options = {"metrics": ["cross_entropy"], "clip": 0}
    whole = evaluate(y, p, sample_weight=weight, **options)
    halves = [
        evaluate(y[rows], p[rows], sample_weight=weight[rows], **options).state
        for rows in (slice(None, None, 2), slice(1, None, 2))
    ]
    assert whole.infinite == {"cross_entropy": 1}
    assert Evaluation(halves[0] + halves[1]).infinite == {"cross_entropy": 1}
    assert halves[0].mean()[0] == pytest.approx(np.log(2))  # where only that row is infinite
    assert halves[0].n_infinite[0] == 0


def test_values_of_each_row():
    y, p = np.array([0, 9, 1, 1]), np.array([0.2, 0.5, 0.7, 0.1])
    plain = evaluate(y, p, ["brier_loss"], ignore_label=9)
    assert plain.per_sample is None
    result = evaluate(
        y, p, ["brier_loss"], ignore_label=9, per_sample=True, sample_weight=[5, 1, 1, 2]
    )
    # unweighted, and nan for ignored rows
    np.testing.assert_allclose(result.per_sample["brier_loss"], [0.04, np.nan, 0.09, 0.81])
    assert result.mean["brier_loss"] == pytest.approx((0.2 + 0.09 + 1.62) / 8)


def test_a_table_of_the_result():
    y, p, _, _ = sample(3)
    names = ["zero_one_loss", "brier_loss"]
    result = evaluate(np.array(["a", "b", "c"])[y], p, names)
    table = result.to_frame()
    assert table.index.tolist() == names
    assert table.index.name == "metric"
    assert list(table) == ["value", "standard_error", "infinite", "class a", "class b", "class c"]
    assert table.loc["brier_loss", "value"] == result.mean["brier_loss"]
    assert table.loc["brier_loss", "class b"] == result.class_mean["brier_loss"]["b"]


def test_options_apply_to_every_loss():
    y, p = [0, 1, 2], [[0.2, 0.3, 0.5], [0.1, 0.1, 0.8], [0.4, 0.3, 0.3]]
    smooth = evaluate(y, p, label_smoothing=0.3)
    soft = evaluate(np.eye(3)[y] * 0.7 + 0.1, p)
    assert set(soft.mean) - set(smooth.mean) == POSITIVE  # labels stay labels
    for name, value in smooth.mean.items():
        if name not in {"sparse_categorical_crossentropy"}:
            assert value == pytest.approx(soft.mean[name], rel=1e-12)
    assert "categorical_hinge" not in smooth.mean  # needs one true class
    twice = evaluate(y, np.array(p) * 2, normalize=True)
    assert twice.mean == pytest.approx(evaluate(y, p).mean, rel=1e-12)
    parameter = get_loss("squared_error", over_classes="sum")
    assert evaluate(y, p, [parameter]).mean["squared_error"] == pytest.approx(
        3 * evaluate(y, p, ["squared_error"]).mean["squared_error"]
    )
    assert evaluate(y, p, "brier_loss").mean == evaluate(y, p, ["brier_loss"]).mean


# -- what does not apply ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("losses", "input_", "part"),
    [
        (["hinge_loss"], ([0, 1], [0.2, 0.7]), "hinge_loss needs decision scores"),
        (["binary_crossentropy"], ([0, 1, 2], np.full((3, 3), 1 / 3)), "for two classes; there"),
        (
            ["sparse_categorical_crossentropy"],
            ([[1, 0], [0, 1]], [[0.5, 0.5]] * 2),
            r"takes labels of shape \(n,\)",
        ),
        (
            ["brier_los"],
            ([0, 1], [0.2, 0.7]),
            "unknown loss or metric 'brier_los'; did you mean 'brier_loss'",
        ),
        ([], ([0, 1], [0.2, 0.7]), "must have at least one entry"),
        (["brier_loss"] * 2, ([0, 1], [0.2, 0.7]), "duplicate: brier_loss"),
        (
            ["squared_error", get_loss("squared_error", over_classes="sum")],
            ([0, 1], [0.2, 0.7]),
            "duplicate: squared_error",
        ),
    ],
)
def test_a_named_loss_that_does_not_apply_is_refused(losses, input_, part):
    with pytest.raises(InputError, match=part):
        evaluate(*input_, losses)


def test_a_named_loss_without_its_predictions_is_refused():
    with pytest.raises(InputError, match="brier_loss needs probabilities"):
        evaluate([0, 1], None, ["brier_loss"], decision=[0.2, 0.7])
    with pytest.raises(InputError, match="hinge_loss needs one true class in each row; got"):
        evaluate([[1, 0], [0.5, 0.5]], [[1, 0], [0, 1]], ["hinge_loss"], decision=[1, 2])


def test_losses_that_do_not_apply_are_left_out():
    names, sparse = set(LOSSES), {"sparse_categorical_crossentropy"}
    two, three = [[0.5, 0.5]] * 2, [[0.5, 0.25, 0.25]] * 2
    unasked = ORDERED | COLUMNS | POSITIVE  # losses of ordered classes require ordered=True
    for result, left_out in [
        (evaluate([0, 1], two), MARGINS),
        (evaluate([0, 1], two, decision=two), set()),
        (evaluate([0, 1], [0.2, 0.3], from_logits=True), set()),
        (evaluate([0, 1], three), MARGINS | BINARY),
        (evaluate([0, 1], three, decision=three), BINARY),
        (evaluate([[1, 0], [0, 1]], two, decision=two), sparse),
        (evaluate([[1, 0], [0.3, 0.7]], two, decision=two), sparse | ONE_TRUE_CLASS),
        (evaluate([0.3, 0.7], [0.2, 0.3]), sparse | ONE_TRUE_CLASS),
        (evaluate([0, 1], None, decision=two), names - MARGINS - {"zero_one_loss"}),
    ]:
        assert set(result.mean) - POSITIVE == names - unasked - left_out


def test_distributions_without_a_zero_include_the_reverse_divergence():
    p = [[0.5, 0.5]] * 2
    assert "reverse_kl_divergence" in evaluate([[0.9, 0.1], [0.3, 0.7]], p).mean
    assert "reverse_kl_divergence" in evaluate([[1, 0], [0, 1]], p, label_smoothing=0.1).mean
    for y in ([[1, 0], [0.3, 0.7]], [[1, 0], [0, 1]], [0, 1]):
        assert "reverse_kl_divergence" not in evaluate(y, p).mean
    with pytest.raises(InputError, match="reverse_kl_divergence is infinite for labels"):
        evaluate([0, 1], p, ["reverse_kl_divergence"])


@pytest.mark.parametrize("labels", [["low", "mid", "top"], [2, 1, 0], [0, 1, 2]])
def test_losses_of_ordered_classes_need_numbers_or_labels(labels):
    y, p = [labels[0], labels[2]], [[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]]
    score = evaluate(y, p, ["ranked_probability_score"], labels=labels).mean
    assert score == {"ranked_probability_score": pytest.approx(0.3**2 + 0.1**2)}
    assert "ranked_probability_score" in evaluate(y, p, labels=labels, ordered=True).mean
    if labels[0] == "low":  # sorted labels do not state an order of the classes
        three = [*y, "mid"], [*p, [0.2, 0.2, 0.6]]
        with pytest.raises(InputError, match="is for ordered classes; pass labels="):
            evaluate(*three, ["ranked_probability_score"])
        assert "ranked_probability_score" in evaluate(*three, ordered=True).mean


# -- single cases -----------------------------------------------------------------------------


def test_class_means_are_of_the_true_class_even_when_targets_are_smoothed():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 3, 200), rng.dirichlet([1, 1, 1], 200)
    result = evaluate(y, p, ["brier_loss"], label_smoothing=0.1, per_sample=True)
    for label in range(3):
        expected = result.per_sample["brier_loss"][y == label].mean()
        assert result.class_mean["brier_loss"][label] == pytest.approx(expected, rel=1e-12)


def test_the_standard_error_of_a_large_mean_is_accurate():
    rng = np.random.default_rng(0)
    wrong = rng.normal(size=500)
    raw = np.stack([np.full(500, 1e8), wrong], axis=1)
    y = np.ones(500, dtype=int)  # hinge 1e8 + 1 - wrong
    result = evaluate(y, None, ["hinge_loss"], decision=raw)
    expected = wrong.std(ddof=1) / np.sqrt(500)
    assert result.standard_error["hinge_loss"] == pytest.approx(expected, rel=1e-6)


def test_ignored_rows_are_counted_at_any_position_and_not_checked():
    y = np.array([-1] * 200_000 + [0, 1])
    p = np.full(200_002, 0.5)
    p[[3, 199_999]] = np.nan
    state = evaluate(y, p, ["brier_loss"], ignore_label=-1).state
    assert (state.n_rows, state.n_ignored) == (2, 200_000)
    p[-1] = np.nan
    with pytest.raises(InputError, match="row 200001"):
        evaluate(y, p, ["brier_loss"], ignore_label=-1)


def test_smoothing_is_not_for_losses_of_one_true_class():
    with pytest.raises(InputError, match="label_smoothing must be 0 for hinge_loss"):
        evaluate([0, 1], None, ["hinge_loss"], decision=[1.0, 2.0], label_smoothing=0.1)


def test_repr_is_a_table_of_values_and_standard_errors():
    assert repr(evaluate([0, 1], [0.2, 0.7], ["brier_loss", "roc_auc"])) == (
        "Evaluation(n_rows=2)\n"
        "            value  standard_error\n"
        "brier_loss  0.065           0.025\n"
        "roc_auc         1"
    )


def test_repr_of_many_losses_shows_ten():
    result = evaluate([0, 1, 1], [0.1, 0.8, 0.4])
    title, header, *rows, last = repr(result).split("\n")
    assert title == "Evaluation(n_rows=3)"
    assert header.split() == ["value", "standard_error"]
    assert [row.split()[0] for row in rows] == list(result.values)[:10]
    assert len({len(row) for row in rows}) == 1  # aligned
    assert last == f"... {len(result.values) - 10} more; to_frame() returns all"


def test_repr_of_undefined_and_infinite_values():
    result = evaluate([0], [0.0], ["brier_loss"])
    assert repr(result).split("\n")[2].split() == ["brier_loss", "0", "nan"]
    result = evaluate([0, 1], [0.0, 0.0], ["nll"], clip=0)
    assert repr(result).split("\n")[2].split() == ["categorical_crossentropy", "inf", "nan"]


def test_nan_cannot_be_the_ignored_label():
    with pytest.raises(InputError, match="ignore_label must not be nan"):
        evaluate([0.0, np.nan, 1.0], [0.1, 0.2, 0.7], ignore_label=np.nan)


# -- losses and metrics together ---------------------------------------------------------------


def test_values_are_in_the_order_of_the_request():
    result = evaluate([0, 1, 1, 0], [0.2, 0.7, 0.4, 0.3], ["auc", "nll", "ece", "brier"])
    assert list(result.values) == [
        "roc_auc", "categorical_crossentropy", "expected_calibration_error", "brier_loss",
    ]  # fmt: skip
    assert list(result.to_frame().index) == list(result.values)


def test_a_value_is_found_by_its_short_name():
    result = evaluate([0, 1, 1, 0], [0.2, 0.7, 0.4, 0.3], ["auc", "nll"])
    assert result["auc"] == result["roc_auc"] == 1.0
    assert result["nll"] == result.mean["categorical_crossentropy"]
    with pytest.raises(
        InputError,
        match=r"^brier_loss was not computed; computed: roc_auc, categorical_crossentropy$",
    ):
        result["brier_loss"]


def test_names_have_no_prefix_of_a_scorer():
    with pytest.raises(InputError, match=r"no prefix neg_; got 'neg_nll'; write 'nll'$"):
        evaluate([0, 1], [0.2, 0.7], ["neg_nll"])


def test_a_loss_that_was_not_computed_is_named_as_in_the_request():
    with pytest.raises(InputError, match=r"^nll was not computed; computed: brier_loss$"):
        evaluate([0, 1], [0.2, 0.7], ["brier_loss"])["nll"]
    with pytest.raises(InputError, match=r"^gini was not computed; .*, \.\.\. \(\d+ in all\)$"):
        evaluate([0, 1], [0.2, 0.7])["gini"]


def test_label_smoothing_changes_losses_but_not_metrics():
    y, p = [0, 1, 1, 0], [0.2, 0.7, 0.4, 0.6]
    names = ["nll", "auc", "ece", "f1", "calibration_slope"]
    plain, smooth = evaluate(y, p, names), evaluate(y, p, names, label_smoothing=0.1)
    assert smooth.metrics == plain.metrics
    assert smooth["nll"] > plain["nll"]


@pytest.mark.parametrize(
    ("names", "rule"),
    [
        (3, "losses and metrics must be a name, a loss or metric, or a list of these; got 3"),
        ([metrics.brier_loss], "write 'brier_loss'"),
        (metrics.brier_loss, "must be a name, a loss or metric"),
        (["nll", "categorical_crossentropy"], "duplicate: categorical_crossentropy"),
    ],
)
def test_names_of_another_type_are_refused(names, rule):
    with pytest.raises(InputError, match=rule):
        evaluate([0, 1], [0.2, 0.7], names)


def test_a_notebook_shows_the_table():
    html = evaluate([0, 1, 1, 0], [0.2, 0.7, 0.4, 0.3], ["auc", "nll"])._repr_html_()
    assert "<table" in html
    assert "roc_auc" in html
