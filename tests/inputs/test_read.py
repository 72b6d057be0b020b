"""Valid input of every kind, and the error message of one sentence for invalid input."""

import numpy as np
import pandas as pd
import pytest

from xentexp import metrics as m
from xentexp._inputs.checked import LABEL_BLOCK_ELEMENTS
from xentexp.errors import InputError
from xentexp.metrics._evaluation import evaluate

BCE, CCE = m.binary_crossentropy, m.categorical_crossentropy
P2 = [[0.9, 0.1], [0.2, 0.8]]
P3 = [[0.2, 0.3, 0.5], [0.1, 0.1, 0.8], [0.4, 0.3, 0.3]]
VALUE = -(np.log(0.9) + np.log(0.8)) / 2  # labels 0, 1 and P2
SCORES = [[0.3, -0.2], [1.0, 0.5]]


def frame(values, columns):
    return pd.DataFrame(values, columns=columns)


def bad(ident, function, *args, parts, **options):
    return pytest.param(function, args, options, parts, id=ident)


@pytest.mark.parametrize(
    ("function", "args", "options", "parts"),
    [
        # -- labels --------------------------------------------------------------------------
        bad("label outside labels=", CCE, [0, 5], P2, labels=[0, 1],
            parts=["only the classes 0, 1", "got 5 in row 1", "labels="]),
        bad("label outside the columns", CCE, [0, 1, 2], [*P2, P2[0]],
            parts=["3 different labels (0, 1, 2)", "2 classes", "pass labels="]),
        bad("too few labels", CCE, [4, 4], P2,
            parts=["y_true has only the label 4, but y_pred has 2 classes", "pass labels="]),
        bad("label -1", CCE, [0, 1, 2, -1], [*P3, P3[0]],
            parts=["got -1 in row 3 of y_true", "ignore_label=-1", "labels="]),
        bad("label -1 in place of a class", CCE, [0, -1], P2,
            parts=["got -1 in row 1 of y_true", "ignore_label=-1", "labels="]),
        bad("label -1 of labels=", CCE, [0, -1], P2, labels=[0, 1],
            parts=["got -1 in row 1", "classes 0, 1"]),
        bad("label NaN", CCE, [0, np.nan], P2, parts=["missing values; got nan in row 1"]),
        bad("label NaN of labels=", CCE, [0, np.nan], P2, labels=[0, 1],
            parts=["missing values; got nan in row 1"]),
        bad("label None", CCE, ["a", None], P2, parts=["missing values; got None in row 1"]),
        bad("NaN among strings", CCE, ["a", "b", np.nan], P3,
            parts=["missing values; got nan in row 2"]),
        bad("label NA", CCE, pd.Series([0, 1, None], dtype="Int64"), P3,
            parts=["missing value", "row 2"]),
        bad("label inf", CCE, [0, np.inf], P2, parts=["finite; got inf in row 1 of y_true"]),
        bad("label inf of labels=", CCE, [0, -np.inf], P2, labels=[0, 1],
            parts=["got -inf in row 1"]),
        bad("label 0.5 of three classes", CCE, [0, 0.5, 1], P3, labels=[0, 1, 2],
            parts=["got 0.5 in row 1"]),
        bad("mixed types", CCE, [1, "a"], P2, parts=["labels must have one type", "labels="]),
        bad("string label outside", CCE, ["a", "d"], P2, labels=["a", "b"],
            parts=["'d' in row 1", "'a', 'b'"]),
        bad("labels= repeats", CCE, [0, 1], P2, labels=[1, 1], parts=["labels must be distinct"]),
        bad("labels= has one class", CCE, [0, 0], P2, labels=[0],
            parts=["at least two classes", "[0]"]),
        bad("labels= missing value", CCE, [0, 1], P2, labels=[0, None], parts=["missing value"]),
        bad("labels= is a string", CCE, [0, 1], P2, labels="ab", parts=["one-dimensional"]),
        bad("labels= of another number", CCE, [0, 1], P2, labels=[0, 1, 2],
            parts=["2 columns", "3 classes (0, 1, 2)"]),
        bad("(n,) with three classes", CCE, [0, 1], [0.1, 0.8], labels=[0, 1, 2],
            parts=["(2,)", "second of two classes", "3 classes", "one column for each class"]),
        bad("bools of three classes", CCE, [True, False, True], P3,
            parts=["labels False and True, but y_pred has 3 classes", "pass labels="]),
        bad("nullable bools of three classes", CCE, pd.Series([True, False, True], dtype="boolean"),
            P3, parts=["labels False and True, but y_pred has 3 classes"]),
        bad("bools among objects", CCE, np.array([True, False, True], dtype=object), P3,
            parts=["labels False and True, but y_pred has 3 classes"]),
        bad("fewer texts than columns", CCE, ["a", "b", "a"], P3,
            parts=["2 different labels ('a', 'b')", "y_pred has 3 classes", "pass labels="]),
        bad("other categories than columns", CCE, pd.Categorical([1, 2, 2], [1, 2, 3, 4]), P3,
            parts=["as many categories as y_pred has classes, 3; got 4", "pass labels="]),
        bad("list as label", CCE, np.array([["a"], ["b"], 0], dtype=object), P3,
            parts=["single values", "got ['a'] in row 0 of y_true"]),
        bad("dict as label", CCE, [{}, {}], P2, parts=["single values", "got {} in row 0"]),
        bad("list in labels=", CCE, [0, 1], P2, labels=[0, [1]],
            parts=["labels must be one-dimensional, with single values", "got [1]"]),
        bad("complex labels", CCE, [1j, 2j], P2, parts=["y_true must have labels", "complex128"]),
        bad("NA among labels", CCE, [0, pd.NA], P2, parts=["missing values; got <NA> in row 1"]),
        bad("NA beside ignore_label", CCE, [0, pd.NA], P2, ignore_label=1,
            parts=["missing values; got <NA> in row 1"]),
        bad("uint64 outside labels=", CCE, np.array([0, 2**64 - 1], dtype=np.uint64), P2,
            labels=[-1, 0], parts=["got 18446744073709551615 in row 1"]),
        bad("integer beyond uint64", CCE, [0, 2**70], P2, labels=[0, 1],
            parts=[f"got {2**70} in row 1"]),
        # -- containers without an order -----------------------------------------------------
        bad("labels= is a set", CCE, ["a", "b"], P2, labels={"a", "b"},
            parts=["labels must be an array or a list; got a set, which has no order", "a list"]),
        bad("labels= is a frozenset", CCE, ["a", "b"], P2, labels=frozenset("ab"),
            parts=["got a frozenset, which has no order"]),
        bad("labels= is a view", CCE, ["a", "b"], P2, labels={"a": 0, "b": 1}.keys(),
            parts=["labels must be an array or a list; got a dict_keys"]),
        bad("labels= is a generator", CCE, ["a", "b"], P2, labels=(c for c in "ab"),
            parts=["labels must be an array or a list; got a generator"]),
        bad("y_true is a set", CCE, {0, 1}, P2, parts=["y_true must be", "got a set"]),
        bad("y_true is a dict", CCE, {0: 0, 1: 1}, P2, parts=["y_true must be", "got a dict"]),
        bad("y_pred is a set", BCE, [0, 1], {0.2, 0.3}, parts=["y_pred must be", "got a set"]),
        bad("weights are a set", CCE, [0, 1], P2, sample_weight={1.0, 2.0},
            parts=["sample_weight must be", "got a set"]),
        bad("class weights are a set", CCE, [0, 1], P2, class_weight={1.0, 2.0},
            parts=["class_weight must be", "got a set"]),
        bad("p is a set", m.entropy, {0.4, 0.6}, parts=["p must be", "got a set"]),
        bad("prior is a set", evaluate, [0, 1], P2, "d2_brier_loss", prior={0.4, 0.6},
            parts=["prior must be", "got a set"]),
        bad("metrics are a set", evaluate, [0, 1], P2, {"brier_loss", "nll"},
            parts=["losses and metrics must be a list; got a set, which has no order"]),
        # -- switches and numbers of another type --------------------------------------------
        bad("from_logits text", CCE, [0, 1], P2, from_logits="no",
            parts=["from_logits must be True or False; got 'no'"]),
        bad("from_logits array", CCE, [0, 1], P2, from_logits=np.array([True, False]),
            parts=["from_logits must be True or False; got array"]),
        bad("normalize 1", CCE, [0, 1], P2, normalize=1, parts=["normalize must be True", "got 1"]),
        bad("normalize array", CCE, [0, 1], P2, normalize=np.array([True, False]),
            parts=["normalize must be True, False or None; got array"]),
        bad("smoothing True", CCE, [0, 1], P2, label_smoothing=True,
            parts=["label_smoothing must lie in [0, 1]; got True"]),
        bad("smoothing text", CCE, [0, 1], P2, label_smoothing="0.1",
            parts=["label_smoothing must lie in [0, 1]; got '0.1'"]),
        bad("smoothing huge", CCE, [0, 1], P2, label_smoothing=10**40,
            parts=["label_smoothing must lie in [0, 1]"]),
        bad("clip False", CCE, [0, 1], P2, clip=False, parts=["clip must be 'auto'", "got False"]),
        bad("reduction array", CCE, [0, 1], P2, reduction=np.array(["mean", "sum"]),
            parts=["unknown reduction"]),
        bad("ordered text", evaluate, [0, 1], P2, ordered="no",
            parts=["ordered must be True or False; got 'no'"]),
        bad("per_sample 1", evaluate, [0, 1], P2, per_sample=1,
            parts=["per_sample must be True or False; got 1"]),
        bad("ignore_label nested", CCE, [0.0, 1.0], P2, ignore_label=[[0.0]],
            parts=["ignore_label must be a single label; got [[0.0]]"]),
        bad("ignore_label list", CCE, [0, 1], P2, ignore_label=[0],
            parts=["ignore_label must be a single label; got [0]"]),
        bad("ignore_label array", CCE, [0, 1], P2, ignore_label=np.array([0, 1]),
            parts=["ignore_label must be a single label"]),
        bad("ignore_label NA", CCE, [0, 1], P2, ignore_label=pd.NA,
            parts=["ignore_label must not be <NA>, a missing value"]),
        bad("ignore_label float32 NaN", CCE, [0, 1], P2, ignore_label=np.float32("nan"),
            parts=["ignore_label must not be nan"]),
        bad("ignore_label False", CCE, [0, 1], P2, ignore_label=False,
            parts=["ignore_label must be a number", "got False; pass 0"]),
        # -- exchanged arguments -------------------------------------------------------------
        bad("y_pred and y_true", BCE, [0.2, 0.9], [0, 1],
            parts=["y_pred must have probabilities", "(0.2 in row 0)", "exchange y_true"]),
        bad("y_pred and y_true of a metric", m.roc_auc, [0.2, 0.9], [0, 1],
            parts=["exchange y_true and y_pred"]),
        # -- probabilities -------------------------------------------------------------------
        bad("p > 1", BCE, [0, 1], [0.5, 1.2], parts=["[0, 1]; row 1 of y_pred has 1.2", "logits"]),
        bad("p < 0", CCE, [0, 1], [[0.5, 0.5], [-0.1, 1.1]], parts=["row 1", "[-0.1, 1.1]"]),
        bad("p NaN", BCE, [0, 1], [np.nan, 0.5], parts=["[0, 1]; row 0 of y_pred has nan"]),
        bad("p None", BCE, [0, 1], [None, 0.5], parts=["row 0 of y_pred has nan"]),
        bad("p NA", BCE, [0, 1], pd.Series([0.5, None], dtype="Float64"), parts=["y_pred"]),
        bad("p inf", BCE, [0, 1], [0.5, np.inf], parts=["row 1 of y_pred has inf"]),
        bad("rows not summing to 1", CCE, [0, 1, 1], [[0.5, 0.6], [0.5, 0.5], [0.9, 0.8]],
            parts=["must sum to 1; 2 of 3 do not", "worst is row 2 with 1.7",
                   "normalize=True", "normalize=None"]),
        bad("percentages", CCE, [0, 1], [[30, 70], [40, 60]],
            parts=["probabilities must lie in [0, 1]", "if they are percentages, divide by 100; if "
                   "they are raw scores, pass from_logits=True"]),
        bad("raw scores NaN", CCE, [0, 1], [[0.0, 1], [np.nan, 1]], from_logits=True,
            parts=["raw scores must be finite; row 1 of y_pred has [nan, 1.0]"]),
        bad("raw scores inf", m.hinge_loss, [0, 1], [1.0, -np.inf],
            parts=["finite; row 1 of y_pred has -inf"]),
        bad("normalize a zero row", CCE, [0, 1], [[1, 1], [0, 0]], normalize=True,
            parts=["normalize=True", "row 1 of y_pred sums to 0"]),
        bad("normalize a negative row", CCE, [0, 1], [[2, 3], [-1, 2]], normalize=True,
            parts=["not negative", "row 1 of y_pred has [-1.0, 2.0]"]),
        bad("normalize an infinite row", CCE, [0, 1], [[2, 3], [np.inf, 2]], normalize=True,
            parts=["finite", "row 1 of y_pred has [inf, 2.0]"]),
        bad("normalize of another type", CCE, [0, 1], P2, normalize="yes",
            parts=["normalize must be True, False or None; got 'yes'"]),
        # -- shapes --------------------------------------------------------------------------
        bad("(n,1) targets", BCE, [[0], [1]], [0.5, 0.5],
            parts=["y_true must have shape (n,)", "got shape (2, 1)", "np.ravel(y_true)"]),
        bad("(n,1) predictions", BCE, [0, 1], [[0.5], [0.5]],
            parts=["y_pred must have shape (n,)", "got shape (2, 1)", "np.ravel(y_pred)"]),
        bad("lengths", BCE, [0, 1, 1], [0.5, 0.5], parts=["y_true has 3 rows but y_pred has 2"]),
        bad("columns", CCE, [[1, 0, 0], [0, 1, 0]], P2, parts=["3 columns", "2 classes"]),
        bad("three dimensions", CCE, [0, 1], [P2], parts=["one or two dimensions", "(1, 2, 2)"]),
        bad("ragged", CCE, [0, 1], [[0.5, 0.5], [1.0]], parts=["y_pred", "different lengths"]),
        bad("ragged targets", CCE, [[1, 0], [1]], P2, parts=["y_true", "different lengths"]),
        bad("a number", BCE, 1, [0.5], parts=["y_true must be an array", "single value 1"]),
        bad("None", BCE, [1], None, parts=["y_pred must be given; got None"]),
        bad("empty", BCE, [], [], parts=["y_pred must have at least one row"]),
        bad("empty targets", BCE, [], [0.5], parts=["y_true must have at least one row"]),
        bad("empty frame", CCE, [0], pd.DataFrame(), parts=["y_pred must have at least one row"]),
        # -- numbers -------------------------------------------------------------------------
        bad("strings", CCE, [0, 1], [["x", "y"], ["z", "u"]], parts=["must be numbers", "'x'"]),
        bad("digits in strings", BCE, [0, 1], ["0.5", "0.5"], parts=["must be numbers", "'0.5'"]),
        bad("a string among objects", BCE, [0, 1], np.array([0.5, "0.5"], dtype=object),
            parts=["must be numbers", "'0.5'"]),
        bad("dates", BCE, [0, 1], np.array(["2020", "2021"], dtype="M8[Y]"),
            parts=["must be numbers"]),
        bad("complex", CCE, [0, 1], np.array(P2) + 0j, parts=["real numbers", "complex128"]),
        bad("string targets in columns", CCE, [["1", "0"], ["0", "1"]], P2,
            parts=["y_true must be numbers"]),
        # -- weights -------------------------------------------------------------------------
        bad("all weights zero", BCE, [0, 1], [0.5, 0.5], sample_weight=[0, 0],
            parts=["sample_weight must be positive for at least one row; got only zeros"]),
        bad("negative weight", BCE, [0, 1], [0.5, 0.5], sample_weight=[1, -2],
            parts=["not negative; row 1 has -2.0"]),
        bad("NaN weight", BCE, [0, 1], [0.5, 0.5], sample_weight=[np.nan, 1],
            parts=["finite", "row 0 has nan"]),
        bad("infinite weight", BCE, [0, 1], [0.5, 0.5], sample_weight=[1, np.inf],
            parts=["finite", "row 1 has inf"]),
        bad("number of weights", BCE, [0, 1], [0.5, 0.5], sample_weight=[1, 1, 1],
            parts=["shape (2,)", "one weight per row", "(3,)"]),
        bad("(n,1) weights", BCE, [0, 1], [0.5, 0.5], sample_weight=[[1], [1]],
            parts=["sample_weight", "(2, 1)"]),
        bad("weights are words", BCE, [0, 1], [0.5, 0.5], sample_weight=["a", "b"],
            parts=["sample_weight must be numbers", "'a'"]),
        bad("only ignored rows weigh", BCE, [-1, 0], [0.5, 0.5], ignore_label=-1,
            sample_weight=[1, 0], parts=["positive for at least one row that is not ignored"]),
        # -- soft targets --------------------------------------------------------------------
        bad("targets not summing to 1", CCE, [[1, 0], [0.5, 0.6]], P2,
            parts=["rows of y_true must sum to 1; 1 of 2 does not", "row 1 with 1.1"]),
        bad("two classes at once", CCE, [[1, 0], [1, 1]], P2,
            parts=["row 1 with 2; it is off by 1, more than the tolerance 1.5e-08"]),
        bad("targets outside [0, 1]", CCE, [[1, 0], [1.5, -0.5]], P2,
            parts=["[0, 1]; row 1, column 0 of y_true has 1.5"]),
        bad("targets NaN", CCE, [[1, 0], [0.5, np.nan]], P2, parts=["row 1, column 1", "nan"]),
        bad("soft targets for hinge", m.hinge_loss, [[1, 0], [0.3, 0.7]], SCORES,
            parts=["hinge_loss needs one true class", "got [0.3, 0.7] in row 1"]),
        bad("soft targets for categorical hinge", m.categorical_hinge, [[0.3, 0.7], [1, 0]],
            SCORES, parts=["categorical_hinge needs one true class", "row 0"]),
        bad("columns for the sparse loss", m.sparse_categorical_crossentropy, [[1, 0], [0, 1]],
            P2, parts=["sparse_categorical_crossentropy takes labels of shape (n,)"]),
        bad("three classes for a binary loss", BCE, [0, 1, 2], P3, parts=["two classes", "3"]),
        bad("three classes for hinge", m.hinge_loss, [0, 1, 2], P3, parts=["two classes", "3"]),
        # -- options -------------------------------------------------------------------------
        bad("smoothing > 1", BCE, [0, 1], [0.5, 0.5], label_smoothing=1.5,
            parts=["label_smoothing must lie in [0, 1]; got 1.5"]),
        bad("smoothing < 0", BCE, [0, 1], [0.5, 0.5], label_smoothing=-0.1, parts=["got -0.1"]),
        bad("smoothing NaN", BCE, [0, 1], [0.5, 0.5], label_smoothing=np.nan, parts=["got nan"]),
        bad("smoothing a word", BCE, [0, 1], [0.5, 0.5], label_smoothing="a", parts=["got 'a'"]),
        bad("clip 1", BCE, [0, 1], [0.5, 0.5], clip=1, parts=["'auto' or a number in [0, 1)"]),
        bad("clip < 0", BCE, [0, 1], [0.5, 0.5], clip=-1e-9, parts=["clip", "got -1e-09"]),
        bad("clip a word", BCE, [0, 1], [0.5, 0.5], clip="eps", parts=["clip", "got 'eps'"]),
        bad("clip None", BCE, [0, 1], [0.5, 0.5], clip=None, parts=["clip", "got None"]),
        bad("all ignored", BCE, [9, 9], [0.5, 0.5], ignore_label=9,
            parts=["every label is the ignore_label 9"]),
        bad("all ignored, classes known", BCE, [9, 9], [0.5, 0.5], ignore_label=9, labels=[0, 1],
            parts=["every label is the ignore_label 9"]),
        bad("ignored columns", CCE, [[1, 0], [0, 1]], P2, ignore_label=0,
            parts=["ignore_label is only used with labels of shape (n,)"]),
        bad("ignored among soft", BCE, [0.3, 0.6, -1], [0.5, 0.5, 0.5], ignore_label=-1,
            parts=["ignore_label is only used with labels of shape (n,)"]),
        bad("unknown reduction", BCE, [0, 1], [0.5, 0.5], reduction="average",
            parts=["unknown reduction 'average'", "Known: mean, none, sum"]),
        bad("misspelt reduction", BCE, [0, 1], [0.5, 0.5], reduction="meam",
            parts=["did you mean 'mean'"]),
        # -- data frames ---------------------------------------------------------------------
        bad("duplicate column names", CCE, [0, 1], frame(P2, ["a", "a"]),
            parts=["column names must be unique", "duplicate: a"]),
        bad("columns of other names", CCE, [0, 1], frame(P2, ["p0", "p1"]),
            parts=["'p0', 'p1'", "labels of y_true, 0, 1", "to_numpy()"]),
        bad("columns lack a label", CCE, ["a", "c"], frame(P2, ["a", "b"]),
            parts=["'a', 'b'", "'a', 'c'", "rename"]),
        bad("columns against labels=", CCE, ["a", "b"], frame(P2, ["a", "c"]), labels=["a", "b"],
            parts=["'a', 'c'", "'a', 'b'", "rename"]),
        bad("frames of other names", CCE, frame(np.eye(2), ["a", "b"]), frame(P2, ["a", "c"]),
            parts=["'a', 'b'", "'a', 'c'"]),
        # -- distributions -------------------------------------------------------------------
        bad("p and q differ", m.kl_divergence, [0.5, 0.5], [0.2, 0.3, 0.5],
            parts=["same shape", "(2,) and (3,)"]),
        bad("p does not sum to 1", m.kl_divergence, [0.5, 0.4], [0.5, 0.5],
            parts=["rows of p must sum to 1", "row 0 with 0.9"]),
        bad("q does not sum to 1", m.cross_entropy, [0.5, 0.5], [0.5, 0.6],
            parts=["rows of q must sum to 1", "1.1"]),
        bad("p of an entropy", m.entropy, [[0.5, 0.5], [0.5, 0.6]],
            parts=["rows of p must sum to 1", "row 1 with 1.1"]),
        bad("ragged p", m.entropy, [[0.5, 0.5], [1.0]], parts=["p must be", "different lengths"]),
        bad("p a number", m.entropy, 0.5, parts=["p must be an array", "0.5"]),
        bad("p of one entry", m.entropy, [1.0], parts=["p must have", "two or more", "(1,)"]),
        bad("q None", m.kl_divergence, [0.5, 0.5], None, parts=["q must be given"]),
        bad("q strings", m.kl_divergence, [0.5, 0.5], ["a", "b"], parts=["q must be numbers"]),
        bad("delta < 0", m.cross_entropy, [0.5, 0.5], [0.5, 0.5], delta=-1.0,
            parts=["delta must be >= 0", "-1.0"]),
    ],
)  # fmt: skip
def test_bad_input_gets_one_clear_sentence(function, args, options, parts):
    with pytest.raises(InputError) as error:
        function(*args, **options)
    message = str(error.value)
    assert isinstance(error.value, ValueError)
    assert all(part in message for part in parts), message
    assert "\n" not in message
    assert len(message) < 300


def test_soft_targets_of_sure_predictions_are_not_taken_for_exchanged_arguments():
    assert m.brier_loss([0.2, 0.9], [0.0, 1.0]) == pytest.approx((0.2**2 + 0.1**2) / 2)
    assert CCE([[0.5, 0.5]], [[1, 0]], clip=1e-9) == pytest.approx(-np.log(1e-9) / 2)
    assert m.kl_divergence([0.5, 0.5], [1, 0]) == np.inf
    assert m.brier_loss([0, 1], [0, 1]) == 0.0


def test_categories_name_the_columns_of_classes_that_do_not_occur():
    expected = -np.log([0.2, 0.1, 0.3]).mean()  # columns 0, 1, 1 of P3
    for labels in (pd.Categorical([1, 2, 2], [1, 2, 3]), pd.Categorical(list("abb"), list("abc"))):
        assert CCE(labels, P3) == pytest.approx(expected)
        assert CCE(pd.Series(labels), P3) == pytest.approx(expected)
    assert CCE([0, 1, 1], P3) == pytest.approx(expected)  # integers from 0 are column numbers
    assert CCE(pd.Categorical([0, 1, 1], [0, 1]), P3) == pytest.approx(expected)


def test_bool_labels_of_labels_are_matched_to_columns():
    expected = -np.log([0.3, 0.1, 0.3]).mean()  # scikit-learn: 1.5695... for labels=[0, 1, 2]
    assert CCE([True, False, True], P3, labels=[0, 1, 2]) == pytest.approx(expected)


LAST = LABEL_BLOCK_ELEMENTS - 2


def many(n_classes=3):
    """More rows than three blocks of any size."""
    rng = np.random.default_rng(0)
    y = rng.integers(n_classes, size=LAST + 2)
    y[:n_classes] = range(n_classes)
    return y, rng.dirichlet(np.ones(n_classes), size=LAST + 2)


@pytest.mark.parametrize(
    ("part", "label", "row"),
    [
        (f"got 7 in row {LAST}", 7, [0.5, 0.25, 0.25]),
        (f"row {LAST} of y_pred has [1.5, -0.5, 0.0]", 0, [1.5, -0.5, 0]),
        (f"the worst is row {LAST} with 0.75", 0, [0.5, 0.25, 0]),
    ],
)
def test_errors_number_rows_over_all_blocks(part, label, row):
    y, p = many()
    y[LAST], p[LAST] = label, row
    for compute in (CCE, evaluate):
        with pytest.raises(InputError) as error:
            compute(y, p, labels=range(3))
        assert part in str(error.value)


def test_rows_of_later_blocks_in_targets_scores_and_names():
    y, p = many()
    one_hot, names = np.eye(3)[y], np.array(["a", "b", "c"])
    assert CCE(one_hot, p) == CCE(y, p) == CCE(names[y], p)
    for wrong, part in [
        ([1, 1, 0], f"row {LAST} with 2"),
        ([2, -1, 0], f"row {LAST}, column 0"),
    ]:
        invalid = one_hot.copy()
        invalid[LAST] = wrong
        with pytest.raises(InputError, match=part):
            CCE(invalid, p)
    soft = one_hot.copy()
    soft[LAST] = [0.5, 0.5, 0]
    with pytest.raises(InputError, match=rf"got \[0.5, 0.5, 0.0\] in row {LAST} of y_true"):
        m.categorical_hinge(soft, p)
    text = names[y].astype(object)
    text[LAST] = "z"
    with pytest.raises(InputError, match=f"'z' in row {LAST}"):
        CCE(text, p, labels=names)
    text[LAST] = None
    with pytest.raises(InputError, match=f"missing values; got None in row {LAST}"):
        CCE(text, p, labels=names)
    scores = p.copy()
    scores[LAST, 1] = np.inf
    with pytest.raises(InputError, match=f"row {LAST} of y_pred"):
        m.categorical_hinge(y, scores)
    scores[LAST] = 0
    with pytest.raises(InputError, match=f"row {LAST} of y_pred sums to 0"):
        CCE(y, scores, normalize=True)


def test_the_worst_row_is_searched_in_all_blocks():
    y, p = many()
    p[5] *= 1.1
    p[LAST] *= 0.5
    match = f"2 of {LAST + 2} do not, the worst is row {LAST} with 0.5;"
    with pytest.raises(InputError, match=match):
        CCE(y, p)


def test_evaluate_names_the_invalid_array():
    for options, parts in [
        ({"decision": [0.1]}, ["y_pred has 2 rows but decision has 1"]),
        ({"decision": P3[:2]}, ["decision must have one column", "shape (2, 3)", "2 classes"]),
        ({"decision": [0.1, np.nan]}, ["row 1 of decision has nan"]),
        ({"decision": ["a", "b"]}, ["decision must be numbers"]),
    ]:
        with pytest.raises(InputError) as error:
            evaluate([0, 1], P2, **options)
        assert all(part in str(error.value) for part in parts), str(error.value)


# -- good input ------------------------------------------------------------------------------


def read_only(values):
    array = np.array(values)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    "y",
    [
        [0, 1],
        (0, 1),
        np.array([0, 1], dtype=np.int8),
        np.array([0, 1], dtype=np.uint64),
        read_only([0, 1]),
        np.array([0, 9, 1, 9])[::2],
        [0.0, 1.0],
        np.array([0, 1], dtype=np.float16),
        [False, True],
        [-1, 1],
        [1, 2],
        [5, 700],
        [1.5, 2.5],
        ["a", "b"],
        [b"a", b"b"],
        np.array(["no", "yes"]),
        np.array(["no", "yes"], dtype=object),
        pd.Series([0, 1], index=[7, 3]),
        pd.Series([0, 1], dtype="Int64"),
        pd.Series([0.0, 1.0], dtype="Float64"),
        pd.Series([False, True], dtype="boolean"),
        pd.Series(["a", "b"], dtype="string"),
        pd.Series(["a", "b"], dtype="category"),
        pd.Categorical([1, 2]),
        pd.Index(["a", "b"]),
        [[1, 0], [0, 1]],
        np.eye(2, dtype=bool),
        np.asfortranarray(np.eye(2)),
        pd.DataFrame(np.eye(2)),
    ],
    ids=lambda y: f"{type(y).__name__}-{getattr(y, 'dtype', '')}",
)
def test_targets_of_any_kind(y):
    assert CCE(y, P2) == pytest.approx(VALUE, rel=1e-15)
    assert BCE(y, [0.1, 0.8]) == pytest.approx(VALUE, rel=1e-15)
    assert m.squared_error(y, P2) == pytest.approx(0.025, rel=1e-14)
    assert m.hinge_loss(y, [-0.5, 0.5]) == 0.5


def memory_mapped(values, folder):
    path = folder / "p.npy"
    np.save(path, values)
    return np.load(path, mmap_mode="r")


@pytest.mark.parametrize("function", [CCE, m.brier_loss, m.zero_one_loss, m.absolute_error])
@pytest.mark.parametrize("from_logits", [False, True])
def test_predictions_of_any_kind(function, from_logits, tmp_path):
    if from_logits and function is m.zero_one_loss:
        p = np.array([[3.0, 1.0, 2.0], [1.0, 0.0, 4.0]])
    else:
        p = np.array([[0.5, 0.25, 0.25], [0.125, 0.375, 0.5]])  # exact in every precision
    y = [0, 2]
    expected = function(y, p, from_logits=from_logits)
    wide = np.zeros((4, 6))
    wide[::2, ::2] = p
    kinds = {
        "list": p.tolist(),
        "tuples": tuple(map(tuple, p.tolist())),
        "read-only": read_only(p),
        "Fortran": np.asfortranarray(p),
        "strided": wide[::2, ::2],
        "backwards": np.ascontiguousarray(p[::-1, ::-1])[::-1, ::-1],
        "big-endian": p.astype(">f8"),
        "float16": p.astype(np.float16),
        "float32": p.astype(np.float32),
        "longdouble": p.astype(np.longdouble),
        "object": p.astype(object),
        "memory-mapped": memory_mapped(p, tmp_path),
        "frame": pd.DataFrame(p),
        "frame, float32": pd.DataFrame(p.astype(np.float32)),
        "frame, Float64": pd.DataFrame(p).astype("Float64"),
    }
    before = p.copy()
    for kind, values in kinds.items():
        assert function(y, values, from_logits=from_logits) == pytest.approx(expected, rel=1e-15), (
            kind
        )
    np.testing.assert_array_equal(p, before)


def test_integers_and_booleans_are_accepted_as_numbers():
    certain = [[1, 0], [0, 1]]
    for p in (certain, np.array(certain, dtype=np.uint8), np.array(certain, dtype=bool)):
        assert m.brier_loss([0, 0], p) == 0.5
    assert m.hinge_loss([0, 1], [-3, 0]) == 0.5
    assert BCE([0, 1], np.array([0, 0], dtype=np.int8), from_logits=True) == pytest.approx(
        np.log(2)
    )


def test_inputs_are_not_modified():
    y, p, weight = np.array([0, 2, 1]), np.array(P3), np.array([1.0, 0.5, 0.0])
    target = np.eye(3)[y]
    copies = [array.copy() for array in (y, p, weight, target)]
    for array in (y, p, weight, target):
        array.flags.writeable = False
    for from_logits in (False, True):
        for targets in (y, target):
            evaluate(targets, p, sample_weight=weight, from_logits=from_logits, decision=p)
            CCE(
                targets, p, sample_weight=weight, from_logits=from_logits, normalize=not from_logits
            )
    for array, before in zip((y, p, weight, target), copies, strict=True):
        np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize("order", [["a", "b", "c"], ["c", "a", "b"], ["b", "c", "a"]])
def test_named_columns_are_matched_by_name(order):
    columns = frame(P3, ["a", "b", "c"])[order]
    expected = CCE([0, 2, 1], P3)
    assert CCE(["a", "c", "b"], columns) == expected
    assert CCE(["a", "c", "b"], columns, labels=["a", "b", "c"]) == expected
    assert CCE(["a", "c", "b"], columns, labels=["c", "b", "a"]) == expected
    targets = frame(np.eye(3)[[0, 2, 1]], ["a", "b", "c"])
    assert CCE(targets, columns) == expected
    assert CCE(targets, columns, labels=["b", "a", "c"]) == expected
    one_class = CCE(["b", "b", "b"], columns)  # the column names give the classes that y_true lacks
    assert one_class == CCE([1, 1, 1], P3)
    result = evaluate(["a", "c", "b"], columns, decision=columns[["b", "c", "a"]])
    assert result.mean["categorical_hinge"] == m.categorical_hinge([0, 2, 1], P3)
    assert set(result.class_mean["brier_loss"]) == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("y", "columns"),
    [
        ([0, 1], ["0", "1"]),
        ([0, 1], [0, 1]),
        ([0.0, 1.0], ["0", "1"]),
        ([0.0, 1.0], [0, 1]),
        ([False, True], ["False", "True"]),
        ([False, True], [0, 1]),
        ([-1, 1], ["-1", "1"]),
        (["0", "1"], [0, 1]),
        ([b"a", b"b"], [b"a", b"b"]),
        (pd.Series([0, 1], dtype="Int64"), pd.Index(["0", "1"], dtype="string")),
        (pd.Series(["a", "b"], dtype="category"), ["a", "b"]),
    ],
    ids=str,
)
def test_columns_match_labels_of_another_type(y, columns):
    p = frame(P2, columns)
    assert CCE(y, p) == pytest.approx(VALUE, rel=1e-15)
    assert CCE(y, p.iloc[:, ::-1]) == pytest.approx(VALUE, rel=1e-15)


def test_columns_without_names_are_in_the_order_of_the_classes():
    assert CCE(["a", "b"], pd.DataFrame(P2)) == pytest.approx(VALUE)
    assert CCE([1, 2], pd.DataFrame(P2)) == pytest.approx(VALUE)
    # reversed integers are names
    assert CCE([0, 1], pd.DataFrame(P2, columns=[1, 0])) == pytest.approx(-np.log(0.02) / 2)


def test_labels_name_the_columns():
    assert CCE(["b", "a"], P2, labels=["b", "a"]) == pytest.approx(VALUE)
    assert CCE([1, 0], P2, labels=[1, 0]) == pytest.approx(VALUE)
    assert CCE([2.0, 7.0], P2, labels=np.array([2, 7])) == pytest.approx(VALUE)
    assert CCE([10, 11], P2, labels=range(10, 12)) == pytest.approx(VALUE)
    for labels in ([0, 1], [1, 2], [-1, 0], [-1, 1], [5, 4]):
        first, second = [labels[0]] * 2, [labels[1]] * 2
        assert CCE(first, P2, labels=labels) == pytest.approx(-np.log(0.9 * 0.2) / 2)
        assert CCE(second, P2, labels=labels) == pytest.approx(-np.log(0.1 * 0.8) / 2)
    assert CCE([1, "a"], P2, labels=[1, "a"]) == pytest.approx(VALUE)
    assert CCE(["a", "a"], [[0.5, 0.25, 0.25]] * 2, labels=["b", "a", "c"]) == np.log(4)
    assert BCE(["yes", "no"], [0.1, 0.8], labels=["yes", "no"]) == pytest.approx(VALUE)


def test_integer_labels_below_k_are_column_numbers():
    assert CCE([1, 1], P3[:2]) == CCE([1, 1], P3[:2], labels=[0, 1, 2])  # column numbers
    assert BCE([0, 0], [0.1, 0.2]) == BCE([0, 0], [0.1, 0.2], labels=[0, 1])
    assert BCE([1.0], [0.5]) == BCE([1], [0.5]) == BCE([True], [0.5])


def test_row_sums_may_differ_from_1_by_rounding():
    rng = np.random.default_rng(1)
    for dtype in (np.float64, np.float32, np.float16):
        p = rng.dirichlet(np.ones(50), size=300)
        p = np.maximum(p, 1e-4)
        p = (p / p.sum(axis=1, keepdims=True)).astype(dtype)
        y = rng.integers(50, size=300)
        assert np.isfinite(CCE(y, p, labels=range(50)))
        assert np.isfinite(CCE(p, p))  # soft targets in that precision too
        limit = np.sqrt(np.finfo(dtype).eps)
        for off, fails in [(0.5 * limit, False), (2 * limit, True)]:
            wrong = p.astype(np.float64)
            wrong[7, 7] += off
            wrong = wrong.astype(dtype)
            if fails:
                with pytest.raises(InputError, match="the worst is row 7 "):
                    CCE(y, wrong, labels=range(50))
            else:
                CCE(y, wrong, labels=range(50))


@pytest.mark.parametrize("normalize", [True, np.True_])
def test_normalize(normalize):
    p = np.array(P3) * [[0.3], [2.0], [1.0]]
    assert CCE([0, 1, 2], p, normalize=normalize) == pytest.approx(CCE([0, 1, 2], P3))
    assert BCE([1], [0.4], normalize=normalize) == BCE([1], [0.4])
    as_they_are = CCE([0, 1, 2], np.minimum(p, 1), normalize=None)
    assert as_they_are == pytest.approx(-np.log([0.06, 0.2, 0.3]).mean())
