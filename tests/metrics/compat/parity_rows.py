"""The parity matrix: each row is an input with the value that each convention returns.

Expected values are strings with as many digits as are compared. They were computed with
scikit-learn 1.9.1, Keras 3.15.1 on its torch backend, and torch 2.13.0 on the CPU. ``RAISES``
means that the call raises an error. ``why`` explains the value of xentexp where it differs from
the value of another library.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

RAISES = "raises"
Expected = str | tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """A call with one convention, and its expected value."""

    convention: str
    loss: str
    y_true: Any
    y_pred: Any
    expected: Expected
    options: dict[str, Any] = field(default_factory=dict)
    warns: type[Warning] | None = None


@dataclass(frozen=True)
class Row:
    """An input, the value of each convention, and the reason for the value of xentexp."""

    what: str
    why: str
    cases: tuple[Case, ...]


def ours(loss, y_true, y_pred, expected, **options):
    return Case("xentexp", loss, y_true, y_pred, expected, options)


def sklearn(loss, y_true, y_pred, expected, warns=None, **options):
    return Case("sklearn", loss, y_true, y_pred, expected, options, warns)


def keras(loss, y_true, y_pred, expected, warns=None, **options):
    return Case("keras", loss, y_true, y_pred, expected, options, warns)


def torch(loss, y_true, y_pred, expected, warns=None, **options):
    return Case("torch", loss, y_true, y_pred, expected, options, warns)


def column(values):
    return np.asarray(values, dtype=np.float64)[:, np.newaxis]


def both(positive):
    """Probabilities of the negative and the positive class, as two columns."""
    positive = np.asarray(positive, dtype=np.float64)
    return np.stack([1 - positive, positive], axis=1)


BCE, CCE = "binary_crossentropy", "categorical_crossentropy"
SPARSE = "sparse_categorical_crossentropy"
FOCAL, CFOCAL = "binary_focal_crossentropy", "categorical_focal_crossentropy"

Y, P = [1, 0], [0.9, 0.6]  # -log .9 = .1054, -log .4 = .9163
PAIRS = both(P)
ONE_HOT = [[0.0, 1.0], [1.0, 0.0]]
LOG_PAIRS = np.log(PAIRS)  # raw scores whose softmax is PAIRS
LOGITS = np.log(np.array(P) / (1 - np.array(P)))
Y3, P3 = [0, 1, 2], np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
T3 = np.eye(3)
NOT_ONE = [[0.3, 0.3], [0.2, 0.6]]
D, YD = [0.5, -2.0, 3.0, 0.2], [1, 0, 1, 0]
WITH_ZERO = np.stack([np.zeros(4), D], axis=1)
S3 = np.array([[3.2, 5.1, -1.7], [1.3, 4.9, 2.0], [2.2, 2.5, 1.1]])
IGNORED = both([0.7, 0.5, 0.6])  # losses for the labels 1, -1, 0: .3567, ignored, .9163
KL_P, KL_Q = [[0.0, 1.0, 0.0]], [[0.1, 0.8, 0.1]]
NUMBERS = [2.0, 0.0], [4.0, 0.5]
INF = np.inf
NOTHING = np.zeros((0, 1))


def _impossible(dtype, ours_, sklearn_, keras_):
    p = np.zeros(1, dtype)
    pair = np.array([[1, 0]], dtype)
    labels = {"labels": [0, 1]}
    return (
        ours(BCE, [1], p, ours_),
        sklearn(BCE, [1], p, sklearn_, **labels),
        sklearn(CCE, [1], pair, sklearn_, **labels),
        keras(BCE, [1], p, keras_),
        keras(CCE, [[0, 1]], pair, keras_),
        keras(SPARSE, [1], pair, keras_),
        torch(BCE, [1], p, "100"),
    )


def _refused(loss, *inputs, **options):
    return tuple(ours(loss, y_true, y_pred, RAISES, **options) for y_true, y_pred in inputs)


ROWS = (
    Row(
        "y=1, p=0",
        "Probabilities are clipped at the machine epsilon of their dtype, and clipped rows are "
        "counted. A clip of 1e-7 would change valid float64 probabilities. Without a clip, one "
        "infinite loss would make the mean infinite.",
        _impossible(np.float64, "36.0437", "36.0437", "16.1181"),
    ),
    Row("y=1, p=0, float32", "", _impossible(np.float32, "15.9424", "15.9424", "16.118")),
    Row("y=1, p=0, float16", "", _impossible(np.float16, "6.93", "6.93", "15.945")),
    Row(
        "perfect p",
        "Probabilities are clipped only from below: a certain and correct prediction has loss 0.",
        (
            ours(BCE, [1], [1.0], "0"),
            sklearn(BCE, [1], [1.0], "2.2e-16", labels=[0, 1]),
            keras(BCE, [1], [1.0], "1e-7"),
            torch(BCE, [1], [1.0], "0"),
        ),
    ),
    Row(
        "logit -200, y=1",
        "Raw scores are never clipped. Keras clips in its focal loss, and BCELoss of torch clips "
        "the logarithm of the sigmoid.",
        (
            ours(BCE, [1], [-200.0], "200", from_logits=True),
            keras(BCE, [1], [-200.0], "200", from_logits=True),
            torch(BCE, [1], [-200.0], "200", from_logits=True),
            torch(BCE, [1], [1 / (1 + np.exp(200.0))], "100"),
            ours(FOCAL, [1], [-200.0], "200", from_logits=True, gamma=0.0),
            keras(FOCAL, [1], [-200.0], "16.1", from_logits=True, gamma=0.0),
        ),
    ),
    Row(
        "logit +inf and -inf, y=1",
        "An infinite raw score usually comes from an earlier error. The exception names the row; "
        "a mean of nan does not.",
        (
            *_refused(BCE, ([1], [INF]), ([1], [-INF]), from_logits=True),
            *(keras(BCE, [1], [z], "nan", from_logits=True) for z in (INF, -INF)),
            *(torch(BCE, [1], [z], "nan", from_logits=True) for z in (INF, -INF)),
        ),
    ),
    Row(
        "-inf logit on an absent class",
        "A raw score of -inf masks a class. Keras and torch return 0 for a label, but nan for the "
        "same target as a one-hot row; in xentexp the two must not differ.",
        (
            *(ours(CCE, y, [[1.0, -INF]], "0", from_logits=True) for y in ([0], [[1, 0]])),
            keras(CCE, [[1, 0]], [[1.0, -INF]], "nan", from_logits=True),
            keras(SPARSE, [0], [[1.0, -INF]], "0", from_logits=True),
            torch(CCE, [0], [[1.0, -INF]], "0", from_logits=True),
            torch(CCE, [[1.0, 0.0]], [[1.0, -INF]], "nan", from_logits=True),
        ),
    ),
    Row(
        "y=[1,0], p=[.9,.6], w=[1,3]",
        "A weighted mean is divided by the sum of the weights, so that a weight of 2 equals two "
        "copies of the row. torch, and Keras by default, divide by the number of rows.",
        (
            ours(BCE, Y, P, "0.7136", sample_weight=[1, 3]),
            sklearn(BCE, Y, P, "0.7136", sample_weight=[1, 3]),
            keras(BCE, column(Y), column(P), "1.4271", sample_weight=[1, 3]),
            keras(BCE, column(Y), column(P), "1.4271", sample_weight=[1, 3], reduction="mean"),
            keras(
                BCE, column(Y), column(P), "0.7136",
                sample_weight=[1, 3], reduction="mean_with_sample_weight",
            ),
            torch(BCE, Y, P, "1.4271", weight=[1, 3]),
        ),
    ),
    Row(
        "the same, 1-D inputs",
        "In xentexp an array of shape (n,) always has n rows. Keras averages it as one row of n "
        "columns before it applies the weights.",
        (keras(BCE, Y, P, "1.0217", sample_weight=[1, 3]),),
    ),
    Row(
        "class weight {0: 3, 1: 1}",
        "A label and its one-hot row give the same result. torch divides by the sum of the weights "
        "for labels, but by the number of rows for one-hot rows.",
        (
            ours(CCE, Y, PAIRS, "0.7136", sample_weight=[1, 3]),
            ours(CCE, ONE_HOT, PAIRS, "0.7136", sample_weight=[1, 3]),
            torch(CCE, Y, LOG_PAIRS, "0.7136", from_logits=True, weight=[3, 1]),
            torch(CCE, Y, PAIRS, "0.7136", weight=[3, 1]),
            torch(CCE, ONE_HOT, LOG_PAIRS, "1.4271", from_logits=True, weight=[3, 1]),
        ),
    ),
    Row(
        "pos_weight=3, mean",
        "The weight of the positive class is part of the denominator. torch divides by the number "
        "of rows.",
        (
            ours(BCE, Y, P, "0.308", sample_weight=[3, 1]),
            sklearn(BCE, Y, P, "0.308", sample_weight=[3, 1]),
            torch(BCE, Y, LOGITS, "0.616", from_logits=True, pos_weight=3),
        ),
    ),
    Row(
        "label smoothing .2, K=2",
        "The binary loss equals the categorical loss of two classes, also with label smoothing.",
        (
            ours(BCE, Y, P, ("0.3251", "0.8757"), label_smoothing=0.2, reduction="none"),
            keras(
                BCE, column(Y), column(P), ("0.3251", "0.8757"),
                label_smoothing=0.2, reduction="none",
            ),
            torch(
                CCE, Y, LOG_PAIRS, ("0.3251", "0.8757"),
                from_logits=True, label_smoothing=0.2, reduction="none",
            ),
            torch(BCE, Y, P, RAISES, label_smoothing=0.2),  # BCELoss does not have label_smoothing
        ),
    ),
    Row(
        "smoothing .2 and class weight {0: 3, 1: 1}",
        "The class weight applies to the whole row, by its label. torch multiplies the smoothed "
        "target of each class by the weight of that class.",
        (
            ours(BCE, Y, P, "0.7381", label_smoothing=0.2, sample_weight=[1, 3]),
            *(
                torch(
                    CCE, y, LOG_PAIRS, expected,
                    from_logits=True, label_smoothing=0.2, weight=[3, 1], reduction=reduction,
                )
                for y, reduction, expected in [
                    (Y, "none", ("0.7856", "2.5251")),
                    (ONE_HOT, "none", ("0.7856", "2.5251")),
                    (Y, "mean", "0.8277"),
                    (ONE_HOT, "mean", "1.6553"),
                ]
            ),
        ),
    ),
    Row(
        "smoothing 1.5",
        "label_smoothing must lie in [0, 1]. Above 1, the smoothed target of the true class would "
        "be smaller than the targets of the other classes.",
        (
            *_refused(BCE, (Y, P), label_smoothing=1.5),
            keras(BCE, column(Y), column(P), "1.1827", label_smoothing=1.5),
            torch(CCE, Y, LOG_PAIRS, RAISES, from_logits=True, label_smoothing=1.5),
        ),
    ),
    Row(
        "ignore one of 3",
        "Ignored rows count neither in the sum of the losses nor in the number of rows.",
        (
            ours(BCE, [1, -1, 0], [0.7, 0.5, 0.6], "0.6365", ignore_label=-1),
            keras(SPARSE, [1, -1, 0], IGNORED, "0.6365", ignore_class=-1),
            torch(SPARSE, [1, -1, 0], IGNORED, "0.6365", ignore_index=-1),
        ),
    ),
    Row(
        "ignore one of 3, weights [1,2,3]",
        "The denominator is the sum of the weights of the rows that are not ignored. Keras divides "
        "by the number of these rows.",
        (
            ours(
                BCE, [1, -1, 0], [0.7, 0.5, 0.6], "0.7764",
                ignore_label=-1, sample_weight=[1, 2, 3],
            ),
            keras(
                SPARSE, [1, -1, 0], IGNORED, "1.5528", ignore_class=-1, sample_weight=[1, 2, 3]
            ),
            keras(  # the mean that keras.metrics.Mean computes
                SPARSE, [1, -1, 0], IGNORED, "0.7764",
                ignore_class=-1, sample_weight=[1, 2, 3], reduction="mean_with_sample_weight",
            ),
            torch(SPARSE, [1, -1, 0], IGNORED, "0.7764", ignore_index=-1, weight=[3, 1]),
        ),
    ),
    Row(
        "all ignored",
        "The mean over zero rows is undefined, and 0 would be the lowest possible loss.",
        (
            *_refused(BCE, ([-1, -1], P), ignore_label=-1),
            keras(SPARSE, [-1, -1], PAIRS, "0", ignore_class=-1),
            torch(SPARSE, [-1, -1], PAIRS, "nan", ignore_index=-1),
        ),
    ),
    Row(
        "all weights 0",
        "The mean is undefined if the weights sum to 0, and 0 would be the lowest possible loss.",
        (
            *_refused(BCE, (Y, P), sample_weight=[0, 0]),
            sklearn(BCE, Y, P, RAISES, sample_weight=[0, 0]),
            keras(BCE, column(Y), column(P), "0", sample_weight=[0, 0]),
            torch(CCE, Y, LOG_PAIRS, "nan", from_logits=True, weight=[0, 0]),
            torch(CCE, ONE_HOT, LOG_PAIRS, "0", from_logits=True, weight=[0, 0]),
        ),
    ),
    Row(
        "label -1, no ignore",
        "A label that is not one of the classes is an error. -1 does not mean the last class, "
        "although it does as an index of NumPy.",
        (
            *_refused(CCE, ([0, 1, -1], P3), labels=[0, 1, 2]),
            sklearn(CCE, [0, 1, -1], P3, RAISES, labels=[0, 1, 2]),
            keras(SPARSE, [0, 1, -1], P3, RAISES),
            torch(SPARSE, [0, 1, -1], P3, RAISES),
        ),
    ),
    Row(
        "label 5 of 3 classes",
        "A label that is not one of the classes is an error.",
        (
            *_refused(CCE, ([0, 1, 5], P3), labels=[0, 1, 2]),
            sklearn(CCE, [0, 1, 5], P3, RAISES, labels=[0, 1, 2]),
            keras(SPARSE, [0, 1, 5], P3, RAISES),
            torch(SPARSE, [0, 1, 5], P3, RAISES),
        ),
    ),
    Row(
        "rows not summing to 1",
        "Such rows are not probabilities. normalize=None uses them unchanged, as scikit-learn and "
        "torch do; normalize=True divides each row by its sum, as Keras does.",
        (
            *_refused(CCE, ([0, 1], NOT_ONE)),
            ours(CCE, [0, 1], NOT_ONE, "0.8574", normalize=None),
            ours(CCE, [0, 1], NOT_ONE, "0.4904", normalize=True),
            sklearn(CCE, [0, 1], NOT_ONE, "0.8574", UserWarning),
            keras(CCE, np.eye(2), NOT_ONE, "0.4904"),
            torch(CCE, [0, 1], NOT_ONE, "0.8574"),
        ),
    ),
    Row(
        "all-zero row",
        "Such a row is not a distribution. normalize=None uses it unchanged and clips its zeros.",
        (
            *_refused(CCE, ([0], [[0.0, 0.0]])),
            ours(CCE, [0], [[0.0, 0.0]], "36.0437", normalize=None),
            sklearn(CCE, [0], [[0.0, 0.0]], "36.04", UserWarning, labels=[0, 1]),
            keras(CCE, [[1, 0]], [[0.0, 0.0]], "nan"),
        ),
    ),
    Row(
        "p=1.2 and p=nan",
        "A probability must lie in [0, 1] and must not be nan.",
        (
            *_refused(BCE, (Y, [1.2, 0.5]), (Y, [np.nan, 0.5])),
            sklearn(BCE, Y, [1.2, 0.5], RAISES),
            sklearn(BCE, Y, [np.nan, 0.5], RAISES),
            keras(BCE, Y, [1.2, 0.5], "0.3466"),  # Keras clips 1.2 to 1 - 1e-7
            keras(BCE, Y, [np.nan, 0.5], RAISES),
            keras(CCE, [[1, 0]], [[np.nan, 0.5]], "nan"),
            torch(BCE, Y, [1.2, 0.5], RAISES),
            torch(BCE, Y, [np.nan, 0.5], RAISES),
        ),
    ),
    Row(
        "y=2 in a binary loss",
        "A binary loss does not accept three labels. torch does not check targets if the "
        "predictions are raw scores, and uses 2 as a number.",
        (
            *_refused(BCE, ([2, 0, 1], [0.9, 0.6, 0.5])),
            sklearn(BCE, [2, 0, 1], [0.9, 0.6, 0.5], RAISES),
            keras(BCE, [2, 0], P, RAISES),
            torch(BCE, [2, 0], P, RAISES),
            torch(BCE, [2, 0], P, "0.239", from_logits=True),
        ),
    ),
    Row(
        "soft y=[.7,.2]",
        "The value is the cross-entropy; the entropy of the target is not subtracted.",
        (
            ours(BCE, [0.7, 0.2], P, "0.7999"),
            sklearn(BCE, [0.7, 0.2], P, RAISES),
            keras(BCE, [0.7, 0.2], P, "0.7999"),
            torch(BCE, [0.7, 0.2], P, "0.7999"),
        ),
    ),
    Row(
        "binary hinge",
        "MultiMarginLoss of torch divides by the number of classes. It is a separate loss in "
        "xentexp, multi_margin_loss.",
        (
            ours("hinge_loss", YD, D, "0.425"),
            sklearn("hinge_loss", YD, D, "0.425"),
            keras("hinge_loss", YD, D, "0.425"),
            ours("multi_margin_loss", YD, WITH_ZERO, "0.2125"),
            torch("multi_margin_loss", YD, WITH_ZERO, "0.2125"),
        ),
    ),
    Row(
        "hinge, y=[1,1], d=[.5,.5], labels=[0,1]",
        "labels=[0, 1] makes 1 the positive class. If y_true has only one class, scikit-learn "
        "treats it as the negative class, even if labels names both.",
        (
            ours("hinge_loss", [1, 1], [0.5, 0.5], "0.5", labels=[0, 1]),
            sklearn("hinge_loss", [1, 1], [0.5, 0.5], "1.5", labels=[0, 1]),
            keras("hinge_loss", [1, 1], [0.5, 0.5], "0.5"),
        ),
    ),
    Row(
        "3-class hinge, and with scores minus 5",
        "A constant added to all scores does not change the loss: the score of the true class is "
        "compared only with the scores of the wrong classes. Keras also compares it with 0. torch "
        "sums over the wrong classes and divides by the number of classes.",
        (
            ours("categorical_hinge", Y3, S3, "1.7667"),
            ours("categorical_hinge", Y3, S3 - 5, "1.7667"),
            sklearn("categorical_hinge", Y3, S3, "1.7667"),
            sklearn("categorical_hinge", Y3, S3 - 5, "1.7667"),
            keras("categorical_hinge", T3, S3, "1.7667"),
            keras("categorical_hinge", T3, S3 - 5, "2.9667"),
            torch("multi_margin_loss", Y3, S3, "0.8222"),
        ),
    ),
    Row(
        "binary and 3-class Brier",
        "The Brier loss is the sum over the classes, halved for two classes, as in scikit-learn. "
        "squared_error is the mean over the classes, as in Keras and torch.",
        (
            ours("brier_loss", Y, P, "0.185"),
            ours("brier_loss", Y, P, "0.37", scale_by_half=False),  # probmetrics 1.3.0
            ours("brier_loss", Y3, P3, "0.2467"),
            ours("squared_error", Y3, P3, "0.0822"),
            sklearn("brier_loss", Y, P, "0.185"),
            sklearn("brier_loss", Y3, P3, "0.2467"),
            sklearn("brier_loss", Y, P, "0.37", scale_by_half=False),
            keras("squared_error", Y, P, "0.185"),
            keras("squared_error", T3, P3, "0.0822"),
            sklearn("squared_error", T3, P3, "0.0822"),
            torch("squared_error", T3, P3, "0.0822"),
        ),
    ),
    Row(
        "KL divergence",
        "The divergence of a row is the sum over the classes. torch divides it by the number of "
        "classes, unless reduction is 'batchmean'; the quotient is not a divergence.",
        (
            ours("kl_divergence", KL_P, KL_Q, "0.22314"),
            keras("kl_divergence", KL_P, KL_Q, "0.22314"),
            torch("kl_divergence", KL_P, KL_Q, "0.0744"),
            torch("kl_divergence", KL_P, KL_Q, "0.22314", reduction="batchmean"),
        ),
    ),
    Row(
        "Poisson y=2, mu=0",
        "If the mean is 0, the value 2 is impossible. The losses of Keras and torch are not "
        "deviances: they leave out the factor 2 and the terms that depend only on y. They add a "
        "small constant to mu, so that the logarithm is finite.",
        (
            *_refused("poisson_deviance", ([2.0], [0.0]), numbers=True),
            sklearn("poisson_deviance", [2.0], [0.0], RAISES),
            keras("poisson_deviance", [2.0], [0.0], "32.24"),
            torch("poisson_deviance", [2.0], [0.0], "36.84", log_input=False),
        ),
    ),
    Row(
        "numbers y=[2,0], p=[4,.5]",
        "The Poisson deviance has all its terms, as in scikit-learn. Logarithms use the numbers "
        "unchanged: xentexp does not add a small constant.",
        (
            ours("poisson_deviance", *NUMBERS, "1.1137", numbers=True),
            sklearn("poisson_deviance", *NUMBERS, "1.1137"),
            keras("poisson_deviance", *NUMBERS, "0.8637"),
            torch("poisson_deviance", *NUMBERS, "0.8637", log_input=False),
            torch("poisson_deviance", *NUMBERS, "24.1234"),  # log_input=True: exp(p) - y p
            ours("huber_loss", *NUMBERS, "0.8125", numbers=True),
            keras("huber_loss", *NUMBERS, "0.8125"),
            torch("huber_loss", *NUMBERS, "0.8125"),
            torch("huber_loss", *NUMBERS, "1", beta=0.5),
            ours("log_cosh_loss", *NUMBERS, "0.7226", numbers=True),
            keras("log_cosh_loss", *NUMBERS, "0.7226"),
            ours("squared_log_error", *NUMBERS, "0.2127", numbers=True),
            sklearn("squared_log_error", *NUMBERS, "0.2127"),
            keras("squared_log_error", *NUMBERS, "0.2127"),
            ours("squared_error", *NUMBERS, "2.125", numbers=True),
            sklearn("squared_error", *NUMBERS, "2.125"),
            keras("squared_error", *NUMBERS, "2.125"),
            torch("squared_error", *NUMBERS, "2.125"),
            ours("absolute_error", *NUMBERS, "1.25", numbers=True),
            sklearn("absolute_error", *NUMBERS, "1.25"),
            keras("absolute_error", *NUMBERS, "1.25"),
            torch("absolute_error", *NUMBERS, "1.25"),
        ),
    ),
    Row(
        "logistic margin, score -800",
        "log(1 + exp(800)) is 800, although exp(800) overflows. torch computes the exponential and "
        "returns inf.",
        (
            ours("logistic_margin_loss", [1, 0], [-800.0, 0.3], "400.4272"),
            torch("logistic_margin_loss", [1, -1], [-800.0, 0.3], "inf"),
        ),
    ),
    Row(
        "focal, alpha=.25",
        "alpha is the weight of the positive class, as in Lin et al. (2017); the negative "
        "class has weight 1 - alpha. The categorical loss multiplies every class by alpha, by "
        "default 0.25 in Keras and 1 in xentexp; a list has one value for each class.",
        (
            ours(FOCAL, Y, P, ("0.00105", "0.32986"), reduction="none"),
            ours(FOCAL, Y, P, ("0.00026", "0.24740"), reduction="none", alpha=0.25),
            ours(CFOCAL, Y, PAIRS, ("0.00026", "0.08247"), reduction="none", alpha=0.25),
            keras(FOCAL, column(Y), column(P), ("0.00105", "0.32986"), reduction="none"),
            keras(
                FOCAL, column(Y), column(P), ("0.00026", "0.24740"),
                reduction="none", apply_class_balancing=True,
            ),
            keras(CFOCAL, ONE_HOT, PAIRS, ("0.00026", "0.08247"), reduction="none"),
        ),
    ),
    Row(
        "empty input",
        "The mean over zero rows is undefined.",
        (
            *_refused(BCE, ([], [])),
            sklearn(BCE, [], [], RAISES),
            keras(BCE, NOTHING, NOTHING, ()),
            keras(BCE, [], [], "nan"),
            torch(BCE, [], [], "nan"),
            torch(CCE, [], np.zeros((0, 3)), "nan", from_logits=True),
        ),
    ),
    Row(
        "(N,) against (N,1)",
        "A column of shape (n, 1) is refused, because it is ambiguous: one column of several "
        "classes, or n values. squared_error of torch broadcasts the arrays to shape (n, n).",
        (
            *_refused("brier_loss", (column(Y), P), (Y, column(P))),
            sklearn("brier_loss", Y, column(P), "0.185"),
            sklearn("squared_error", Y, column(P), "0.185"),
            keras("squared_error", Y, column(P), "0.185"),
            keras(BCE, Y, column(P), "0.5108"),
            torch(BCE, Y, column(P), RAISES),
            torch("squared_error", Y, column(P), "0.335", UserWarning),
        ),
    ),
)  # fmt: skip
