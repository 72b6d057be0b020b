"""Bad input: a convention raises an error if the peer does; otherwise the values are equal."""

import numpy as np
import pytest
from scipy.sparse import coo_matrix, csc_array, csr_array, csr_matrix, lil_array

from tests.metrics.compat.parity_peers import live, outcome, require
from xentexp.metrics._compat import apply

NAN, INF = np.nan, np.inf
BCE, CCE = "binary_crossentropy", "categorical_crossentropy"
SPARSE = "sparse_categorical_crossentropy"
MSE, MARGIN, HINGE = "squared_error", "multi_margin_loss", "hinge_loss"
GENERALIZED = "generalized_crossentropy"
A = np.array
Y2, P2 = A([0.0, 1.0]), A([0.5, 0.3])
S = A([[0.2, 1.0, -0.5], [0.3, 0.1, 0.9]])
P3 = A([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
P2x3 = A([[0.3, 0.2, 0.1], [0.7, 0.8, 0.9]])
SOFT = A([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])
S4 = np.random.default_rng(0).normal(size=(2, 3, 2, 2))
LOGITS = {"from_logits": True}
DATES = np.array(["2024-01-01", "2024-01-02", "2024-01-03"], dtype="datetime64[D]")
INDICATOR = A([[0, 1, 1], [0, 0, 1], [1, 0, 0]])
TWICE = csr_array(2 * INDICATOR)
SPARSE_KINDS = (np.asarray, csr_matrix, csr_array, csc_array, coo_matrix, lil_array)

CALLS = [
    # -- torch
    ("torch", BCE, Y2, P2, {"weight": np.ones((3, 2))}),
    ("torch", BCE, Y2, P2, {"weight": 3.0}),
    ("torch", BCE, Y2, P2, {"weight": [1.0, 2.0, 3.0]}),
    ("torch", BCE, Y2, P2, {**LOGITS, "pos_weight": np.ones((3, 2))}),
    ("torch", BCE, Y2, A([[0.5], [0.3]]), LOGITS),
    ("torch", BCE, A([0.0, NAN]), P2, {}),
    ("torch", BCE, A([0.0, NAN]), P2, LOGITS),
    ("torch", BCE, A([-0.1, 0.5]), P2, {}),
    ("torch", BCE, A(1.0), A(0.3), {"reduction": "none"}),
    ("torch", BCE, Y2, P2, {"reduction": "avg"}),
    ("torch", CCE, A([0, 1]), S, {**LOGITS, "label_smoothing": -0.1}),
    ("torch", CCE, SOFT, S, {**LOGITS, "label_smoothing": 1.5}),
    ("torch", CCE, SOFT, S, {**LOGITS, "ignore_index": 1}),
    ("torch", CCE, SOFT, P2x3, {}),
    ("torch", CCE, A([0, 1, 2]), S, LOGITS),
    ("torch", CCE, A([0, -1]), S, {**LOGITS, "label_smoothing": 0.1}),
    ("torch", CCE, A([0, -100]), S, {**LOGITS, "reduction": "none"}),
    ("torch", CCE, A([0, 1]), S, {**LOGITS, "weight": [1.0, 2.0]}),
    ("torch", CCE, A([-100, -100]), S, {**LOGITS, "weight": [1.0, 2, 3], "label_smoothing": 0.1}),
    ("torch", CCE, A([1, -100]), S, {**LOGITS, "weight": [1.0, 2, 3], "label_smoothing": 0.1}),
    ("torch", CCE, np.zeros((0, 3)), np.zeros((0, 3)), LOGITS),
    ("torch", CCE, A(1), S[0], LOGITS),
    ("torch", CCE, A([1]), S[0], {**LOGITS, "reduction": "none"}),
    ("torch", CCE, SOFT[0], S[0], LOGITS),
    ("torch", CCE, np.full((2, 2, 2), -100), S4, LOGITS),
    ("torch", CCE, np.full((2, 2, 2), 7), S4, LOGITS),
    ("torch", CCE, A([0, 1]), A([[NAN, 1.0], [0.0, INF]]), {**LOGITS, "reduction": "none"}),
    ("torch", MARGIN, A([0, 2]), S, {"p": 3}),
    ("torch", MARGIN, A([0, -1]), S, {}),
    ("torch", MARGIN, A([0, 1]), A([[NAN, 1.0], [0.0, NAN]]), {"reduction": "none"}),
    ("torch", MARGIN, np.ones((2, 2), int), S4[..., 0], {}),
    ("torch", MARGIN, A([0, 2]), S, {"weight": [1.0, 2.0]}),
    ("torch", MARGIN, np.zeros(0, int), np.zeros((0, 3)), {"reduction": "sum"}),
    ("torch", MARGIN, np.zeros(0, int), np.zeros((0, 3)), {"reduction": "none"}),
    ("torch", "logistic_margin_loss", A([1.0]), A([-800.0]), {}),
    ("torch", "logistic_margin_loss", A([[1.0], [-1.0]]), A([-1.0, 2.0]), {}),
    ("torch", "logistic_margin_loss", A([[1.0, 1], [-1.0, 1]]), A([-1.0, 2.0]), {}),
    ("torch", "logistic_margin_loss", A([1.0, 1, -1.0]), A([2.0]), {"reduction": "none"}),
    ("torch", "logistic_margin_loss", A([1.0]), A([2.0, 3.0]), {}),
    ("torch", "kl_divergence", A([[0.0, 1, 0], [1, 0, 0]]), A([0.1, 0.8, 0.1]), {}),
    ("torch", "kl_divergence", A([0.0, 1, 0]), A([0.0, 1, 0]), {"reduction": "none"}),
    ("torch", "kl_divergence", A([-0.5]), A([0.5]), {}),
    ("torch", "kl_divergence", np.zeros((0, 3)), np.zeros((0, 3)), {"reduction": "batchmean"}),
    ("torch", "poisson_deviance", A([2.0, 2.0]), A([0.0, -1.0]), {"log_input": False}),
    ("torch", "poisson_deviance", A([[2.0], [1.0]]), A([0.0, -1.0, 1.0]), {"full": True}),
    ("torch", "poisson_deviance", A([2.0, 1.0]), A([0.0, -1.0, 1.0]), {}),
    ("torch", "huber_loss", Y2, P2, {"delta": 0.0}),
    ("torch", "huber_loss", Y2, P2, {"beta": -1.0}),
    ("torch", MSE, A([1.0, 2.0, 3.0]), A([[1.0], [2.0]]), {"reduction": "none"}),
    ("torch", MSE, A([1.0, 2.0, 3.0]), A([1.0, 2.0]), {}),
    ("torch", MSE, A([]), A([]), {}),
    ("torch", MSE, A([NAN, 1.0]), A([1.0, INF]), {"reduction": "none"}),
    # -- Keras
    ("keras", BCE, A([[1.0]]), A([[0.3]]), {"label_smoothing": 3.0}),
    ("keras", BCE, A([[-0.2]]), A([[0.3]]), {}),
    ("keras", BCE, Y2, P2, {"axis": None}),
    ("keras", BCE, SOFT, P2x3, {"axis": (0, 1)}),
    ("keras", BCE, Y2, P2, {"axis": 5}),
    ("keras", BCE, Y2, P2, {"axis": True}),
    ("keras", BCE, A(1.0), A(0.3), {}),
    ("keras", BCE, Y2, P2x3, {}),
    ("keras", BCE, A([[1.0], [0]]), A([[0.3], [0.2]]), {"sample_weight": [1.0, 2, 3]}),
    ("keras", BCE, A([[1.0], [0]]), A([[0.3], [0.2]]), {"sample_weight": 2.0}),
    (
        "keras", BCE, A([[1.0], [0]]), A([[0.3], [0.2]]),
        {"sample_weight": [[1.0, 2], [3, 4]], "reduction": "mean_with_sample_weight"},
    ),
    ("keras", BCE, A([[1.0], [0]]), A([[0.3], [0.2]]), {"sample_weight": [-1.0, 1.0]}),
    ("keras", BCE, Y2, P2, {"reduction": "avg"}),
    ("keras", BCE, A([NAN, 1.0]), A([0.5, 0.5]), LOGITS),
    ("keras", HINGE, A([1.0, 0]), P2x3[:, :2], {"reduction": "none"}),
    ("keras", HINGE, A([1.0, 0, 0]), P2x3[:, :2], {}),
    ("keras", HINGE, A([NAN, 1.0]), A([0.5, 0.5]), {}),
    ("keras", MSE, A([1.0, 0]), P2x3[:, :2], {"reduction": "none"}),
    ("keras", CCE, A([[1.0], [0]]), A([[0.3], [0.4]]), {"reduction": "none"}),
    ("keras", CCE, A([0, 1]), P2x3, {}),
    ("keras", CCE, SOFT, P2x3, {"axis": 5}),
    ("keras", CCE, SOFT, P2x3, {"axis": True}),
    ("keras", CCE, SOFT, P2x3, {"label_smoothing": -0.5}),
    ("keras", CCE, np.zeros((0, 3)), np.zeros((0, 3)), {}),
    ("keras", CCE, SOFT, -P2x3, {}),
    ("keras", SPARSE, A([0, -100]), P2x3, {"reduction": "none"}),
    ("keras", SPARSE, A([0, 1.7]), P2x3, {"reduction": "none"}),
    ("keras", SPARSE, A([0, NAN]), P2x3, {}),
    ("keras", SPARSE, A(1), P2x3[0], {}),
    ("keras", SPARSE, A([1]), P2x3[0], {"reduction": "none"}),
    ("keras", SPARSE, A([0, 1, 2]), P2x3, {}),
    ("keras", SPARSE, A([[1, 0]]), A([[0.5, 0.5]]), {}),
    ("keras", "binary_focal_crossentropy", A([[1.0], [0]]), A([[1.2], [0.2]]), {"gamma": 0.5}),
    ("keras", "binary_focal_crossentropy", A([[1.0], [0]]), A([[NAN], [0.2]]), {}),
    ("keras", "categorical_focal_crossentropy", SOFT, P2x3, {"alpha": [1.0, 2.0]}),
    ("keras", "huber_loss", A([[1.0], [0]]), A([[3.0], [0.2]]), {"delta": -1.0}),
    ("keras", "poisson_deviance", A([[1.0]]), A([[-8.0]]), {}),
    ("keras", "squared_log_error", A([[-5.0]]), A([[-8.0]]), {}),
    ("keras", "kl_divergence", A([[-5.0, 2.0]]), A([[-8.0, 3.0]]), {}),
    ("keras", "log_cosh_loss", A([[0.0]]), A([[-80.0]]), {}),
    ("keras", GENERALIZED, A([[0], [1]]), P2x3[:, :2], {"reduction": "none"}),
    ("keras", GENERALIZED, A([0, 3]), P2x3, {}),
    ("keras", GENERALIZED, A([0, 1.7]), P2x3, {"reduction": "none"}),
    ("keras", GENERALIZED, A([0, NAN]), -P2x3, {"reduction": "none"}),
    ("keras", GENERALIZED, A([0, 1, 0]), P2x3, {}),
    ("keras", GENERALIZED, A([0, 1]), P2x3, {"q": 1.0}),
    # -- scikit-learn
    ("sklearn", CCE, A([[0, 1, 2], [2, 1, 0], [0, 0, 1]]), P3, {}),
    ("sklearn", CCE, np.eye(3), P3, {"labels": [0, 1, 2]}),
    ("sklearn", CCE, A([[1, 1, 0], [0, 1, 0], [0, 0, 0]]), P3, {}),
    ("sklearn", CCE, A([[2, 2, 0], [0, 2, 0], [0, 0, 0]]), P3, {}),
    ("sklearn", CCE, P3, P3, {}),
    ("sklearn", CCE, np.ones((2, 2)), P3[:2, :2], {}),
    ("sklearn", CCE, A([[0], [1], [2]]), P3, {}),
    ("sklearn", CCE, A([0, 1, 1]), P3[:, :1], {}),
    ("sklearn", CCE, A(["a", "b", "c"]), P3, {"labels": ["c", "b", "a"]}),
    ("sklearn", CCE, A(["a", 1, "c"], dtype=object), P3, {}),
    ("sklearn", CCE, A([0, 1, 2], dtype=object), P3, {}),
    ("sklearn", CCE, A([0.5, 1, 2]), P3, {}),
    ("sklearn", CCE, A([NAN, 1, 2]), P3, {}),
    ("sklearn", CCE, A([0, 1]), P3, {}),
    ("sklearn", BCE, A([0, 0]), P2, {}),
    ("sklearn", BCE, A([0, 1]), A([0, 1]), {}),
    ("sklearn", BCE, A([0, 1]), P2, {"sample_weight": [1, -0.5]}),
    ("sklearn", BCE, A([0, 1]), P2, {"sample_weight": [1, -1]}),
    ("sklearn", BCE, A([0, 1]), P2, {"sample_weight": [1, -1], "normalize": False}),
    ("sklearn", BCE, A([0, 1]), P2, {"sample_weight": [[1], [2]]}),
    ("sklearn", BCE, A([0, 1]), P2, {"sample_weight": [1, NAN]}),
    ("sklearn", BCE, A([0, 1]), P2, {"sample_weight": [1, 2, 3]}),
    ("sklearn", BCE, A([0, 1]), P2, {"sample_weight": 2}),
    ("sklearn", BCE, A([0, 1]), P2, {"normalize": None}),
    ("sklearn", BCE, A([0, 1]), np.ones((2, 2, 2)), {}),
    ("sklearn", BCE, A([1, 1]), P2, {"labels": [1]}),
    ("sklearn", BCE, A([0, 1]), P2, {"labels": [0, 1, 2]}),
    ("sklearn", BCE, A([0, 1]), P2, {"labels": [0, 1, 1]}),
    ("sklearn", BCE, A([0, 3]), P2, {"labels": [0, 1]}),
    ("sklearn", BCE, A([0, 1]), P2, {"labels": [0, 1.5]}),
    ("sklearn", BCE, A([0, 1]), P2, {"labels": ["a", "b"]}),
    ("sklearn", HINGE, A([0, 1, 2]), A([0.1, 0.2, 0.3]), {"labels": [0, 1]}),
    ("sklearn", HINGE, A([0.5, 1.5, 2.5]), P3, {}),
    ("sklearn", HINGE, A([0.5, 1.5]), P2, {}),
    ("sklearn", HINGE, A(["a", "b"]), P2, {"sample_weight": [0, 0]}),
    ("sklearn", HINGE, A(["a", "b"]), P2, {"sample_weight": [[1], [2]]}),
    ("sklearn", HINGE, A(["a", "b"]), P2, {"sample_weight": [1, NAN]}),
    ("sklearn", HINGE, A([0, 1]), P3[:2, :2], {}),
    ("sklearn", HINGE, A([[0], [1]]), A([[0.1], [0.3]]), {}),
    ("sklearn", HINGE, A([[0, 1], [1, 0]]), A([[0.1], [0.3]]), {}),
    ("sklearn", HINGE, A([0, 1]), A([INF, 0.3]), {}),
    ("sklearn", HINGE, A([0, 1, 5]), P3, {"labels": [0, 1, 2]}),
    ("sklearn", HINGE, A([0, 1, 2]), P3, {"labels": [2, 1, 0]}),
    ("sklearn", HINGE, A([0, 1, 2]), P3, {"labels": [0, 1, 2, 3]}),
    ("sklearn", HINGE, A([0, NAN]), P2, {}),
    ("sklearn", HINGE, A([0, 1, NAN]), P3, {}),
    ("sklearn", HINGE, A([0, 0, 0]), P3, {"labels": [0, 1, 2]}),
    ("sklearn", "brier_loss", A([0, 1]), P2, {"pos_label": 5}),
    ("sklearn", "brier_loss", A(["a", "b"]), P2, {}),
    ("sklearn", "brier_loss", A(["a", "b"]), P2, {"pos_label": "z"}),
    ("sklearn", "brier_loss", A([2, 5]), P2, {}),
    ("sklearn", "brier_loss", A([2, 2]), P2, {}),
    ("sklearn", "brier_loss", A([0, 0]), P2, {}),
    ("sklearn", "brier_loss", A([-1, -1]), P2, {}),
    ("sklearn", "brier_loss", A([0, 2]), P2, {}),
    ("sklearn", "brier_loss", A([0, 1], dtype=object), P2, {}),
    ("sklearn", "brier_loss", A([0, 1, 2]), A([0.2, 0.6, 0.3]), {}),
    ("sklearn", "brier_loss", A([0, 1]), A([[0.2, 0.8], [0.6, 0.4]]), {"pos_label": 0}),
    ("sklearn", "brier_loss", A([0, 1]), P2, {"labels": [7, 8]}),
    ("sklearn", "brier_loss", A([0, 1]), P2, {"scale_by_half": "no"}),
    ("sklearn", "brier_loss", A([0, 1]), A([[0.2, 0.3], [0.6, 0.4]]), {}),
    ("sklearn", "brier_loss", A([1, 1]), A([[0.2, 0.8], [0.6, 0.4]]), {}),
    ("sklearn", "zero_one_loss", A([0, 1]), P2, {}),
    ("sklearn", "zero_one_loss", A([0, 1]), A([[1, 0], [0, 1]]), {}),
    ("sklearn", "zero_one_loss", A(["a", "b"]), A([0, 1]), {}),
    ("sklearn", "zero_one_loss", A([[0], [1]]), A([0, 0]), {}),
    ("sklearn", "zero_one_loss", A([0, 1]), A([0, 0]), {"sample_weight": [0, 0]}),
    ("sklearn", "zero_one_loss", A([[0, 1], [1, 1]]), A([[0, 1, 0], [0, 1, 1]]), {}),
    ("sklearn", "zero_one_loss", A([0, NAN]), A([0, 1]), {}),
    ("sklearn", "zero_one_loss", [[0], [1]], [[0], [0]], {}),
    ("sklearn", CCE, [[0], [1], [2]], P3, {}),
    ("sklearn", CCE, [[0], [1], [2]], P3, {"labels": [0, 1, 2]}),
    ("sklearn", "zero_one_loss", A([b"a", b"b"]), A([b"a", b"a"]), {}),
    ("sklearn", "zero_one_loss", A([1e300, 2e300]), A([1e300, 1e300]), {}),
    ("sklearn", "zero_one_loss", DATES, DATES[::-1], {}),
    ("sklearn", "zero_one_loss", DATES, A([0, 1, 2]), {}),
    ("sklearn", CCE, DATES, P3, {}),
    ("sklearn", CCE, DATES, P3, {"labels": [0, 1, 2]}),
    ("sklearn", "brier_loss", DATES, P3, {}),
    ("sklearn", HINGE, DATES, P3, {}),
    # -- scikit-learn, sparse
    *[
        ("sklearn", "zero_one_loss", one(INDICATOR), other(INDICATOR[[1, 1, 2]]), options)
        for one in SPARSE_KINDS for other in SPARSE_KINDS
        for options in ({}, {"normalize": False}, {"sample_weight": [1.0, 2.0, 4.0]})
    ],
    *[
        ("sklearn", "zero_one_loss", csr_array(INDICATOR.astype(kind)), TWICE, {})
        for kind in (bool, float, np.uint8)
    ],
    ("sklearn", "zero_one_loss", csr_array(0 * INDICATOR), csr_array(0 * INDICATOR), {}),
    ("sklearn", "zero_one_loss", csr_array(0.5 * INDICATOR), csr_array(0.5 * INDICATOR), {}),
    ("sklearn", "zero_one_loss", csr_array(A([[1, 2], [0, 1]])), csr_array(A([[1, 2], [0, 1]])),
     {}),
    ("sklearn", "zero_one_loss", csr_array(INDICATOR), csr_array(INDICATOR[:2]), {}),
    ("sklearn", "zero_one_loss", csr_array(INDICATOR), csr_array(INDICATOR[:, :2]), {}),
    ("sklearn", "zero_one_loss", csr_array(INDICATOR), A([0, 1, 1]), {}),
    ("sklearn", "zero_one_loss", csr_array(INDICATOR[:, :1]), csr_array(INDICATOR[:, :1]), {}),
    ("sklearn", CCE, csr_array(np.eye(3)), P3, {}),
    ("sklearn", CCE, np.eye(3), csr_array(P3), {}),
    ("sklearn", "brier_loss", csr_array(np.eye(3)), P3, {}),
    ("sklearn", HINGE, csr_array(A([[0], [1], [2]])), P3, {}),
    # -- scikit-learn, D2
    ("sklearn", "d2_score", [0], [0.5], {}),
    ("sklearn", "d2_score", [0], [[0.5, 0.5]], {"loss": "brier_loss", "sample_weight": [1.0]}),
    ("sklearn", "d2_score", [0], [0.5], {"sample_weight": [1.0, 2.0]}),
    ("sklearn", "d2_score", [], [], {}),
    ("sklearn", "d2_score", 0, 0.5, {}),
    ("sklearn", "d2_score", None, [0.5], {}),
    ("sklearn", "d2_score", [0], None, {"loss": "brier_loss"}),
    ("sklearn", "d2_score", [0, 1], [0.5], {"loss": "brier_loss"}),
    ("sklearn", "d2_score", [1, 1], P2, {"labels": [0, 1]}),
    ("sklearn", "d2_score", [1, 1], P2, {"loss": "brier_loss"}),
    ("sklearn", "d2_score", [1, 1], P2, {}),
    ("sklearn", "d2_score", [1, 2], P2, {"loss": "brier_loss", "pos_label": 1}),
    ("sklearn", "d2_score", ["a", "b"], P2, {"loss": "brier_loss"}),
    ("sklearn", "d2_score", ["a", "b"], P2, {}),
    ("sklearn", "d2_score", [0, 1], P2, {"pos_label": 0}),
    ("sklearn", "d2_score", [0, 1, 2], P3, {"sample_weight": [0, 0, 0]}),
    ("sklearn", "d2_score", [0, 1, 2], P3.astype(np.float32), {"loss": "brier_loss"}),
    ("sklearn", "d2_score", np.eye(3), P3, {"loss": "brier_loss"}),
    ("sklearn", "d2_score", [0, 1, 1], P3, {}),
    ("sklearn", "d2_score", [0, 1, 1], P3, {"labels": [0, 1, 2]}),
    ("sklearn", MSE, A([1, 2]), A([[1.5], [2.5]]), {}),
    ("sklearn", MSE, P3, P3, {"multioutput": "variance_weighted"}),
    ("sklearn", MSE, A([1.0, 2]), P2, {"multioutput": [1.0]}),
    ("sklearn", MSE, A([1.0, 2]), P2, {"multioutput": None}),
    ("sklearn", MSE, P3, P3, {"multioutput": [0.2, 0.8]}),
    ("sklearn", MSE, A([1.0, NAN]), P2, {}),
    ("sklearn", MSE, P3, P3[:, :2], {}),
    ("sklearn", MSE, A([1, 2], np.float16), A([1.1, 2.7], np.float16), {}),
    ("sklearn", MSE, A([1, 2], np.float16), A([1.1, 2.7], np.float32), {}),
    ("sklearn", "poisson_deviance", P3, P3, {}),
    ("sklearn", "poisson_deviance", A([-1.0, 2]), P2, {}),
    ("sklearn", "squared_log_error", A([0, -0.5]), P2, {}),
    ("sklearn", "squared_log_error", A([0, -1.0]), P2, {}),
]  # fmt: skip


@pytest.mark.peers
@pytest.mark.parametrize(("convention", "loss", "y_true", "y_pred", "options"), CALLS)
def test_bad_input_has_the_result_of_the_peer(convention, loss, y_true, y_pred, options):
    require(convention)
    ours = outcome(apply, loss, convention, y_true, y_pred, options)
    theirs = outcome(live, loss, convention, y_true, y_pred, options)
    if isinstance(theirs, str) or isinstance(ours, str):
        assert isinstance(ours, str), ours
        assert isinstance(theirs, str), theirs
    else:
        assert np.shape(ours) == np.shape(theirs)
        np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=2e-6)
