"""Default convention of xentexp: values of the source material, torch, scikit-learn and SciPy.

scikit-learn and SciPy are called. Other expected values were computed with the stated versions.
"""

import numpy as np
import pytest
from scipy import sparse
from scipy.special import log_softmax, rel_entr, softmax
from scipy.stats import entropy as scipy_entropy
from sklearn.metrics import brier_score_loss, d2_brier_score, d2_log_loss_score, log_loss
from sklearn.metrics import hinge_loss as sklearn_hinge_loss
from sklearn.metrics import zero_one_loss as sklearn_zero_one_loss

from xentexp import metrics as m
from xentexp.errors import InputError
from xentexp.metrics._evaluation import evaluate
from xentexp.metrics._registry import get_loss

BCE, CCE = m.binary_crossentropy, m.categorical_crossentropy


def call(function, *args, **options):
    return lambda: function(*args, **options)


@pytest.mark.parametrize(
    ("clip", "dtype", "expected"),
    [
        pytest.param("auto", np.float64, 36.0437, id="sklearn 1.9.1"),
        pytest.param("auto", np.float32, 15.9424, id="sklearn 1.9.1, float32"),
        pytest.param("auto", np.float16, 6.93, id="sklearn 1.9.1, float16"),
        pytest.param(1e-7, np.float64, 16.1181, id="keras 3.15.1"),
        pytest.param(np.exp(-100), np.float64, 100, id="torch 2.13.0"),
        pytest.param(np.finfo(np.float32).tiny, np.float64, 87.34, id="probmetrics 1.3.0"),
        pytest.param(1e-16, np.float64, 36.84, id="xgboost 3.2.0"),
        pytest.param(1e-15, np.float64, 34.539, id="lightgbm 4.7.0, binary"),
        pytest.param(1e-12, np.float64, 27.631, id="lightgbm 4.7.0, cross_entropy"),
        pytest.param(0, np.float64, np.inf, id="model-diagnostics 1.5.0, scoringrules 0.10.0"),
    ],
)
def test_the_clip_determines_the_loss_of_probability_zero(clip, dtype, expected):
    # 'auto' clips as scikit-learn does; the clip of each other library is a value of clip.
    p = np.array([0.0], dtype=dtype)
    digits = {"abs": 0.5 * 10.0 ** -len(str(expected).partition(".")[2])}
    assert BCE([1], p, clip=clip) == pytest.approx(expected, rel=1e-9, **digits)
    both = np.array([[1.0, 0.0]], dtype=dtype)
    assert CCE([1], both, clip=clip) == BCE([1], p, clip=clip)


@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        # torch 2.13.0 returns 0, scikit-learn 1.9.1 2.2e-16, keras 3.15.1 about 1e-7.
        pytest.param(call(BCE, [1], [1.0]), 0.0, id="perfect: torch"),
        # As sklearn._loss, BCEWithLogitsLoss and optax 0.2.8; Keras on NumPy returns 16.1.
        pytest.param(call(BCE, [1], [-200.0], from_logits=True), 200.0, id="logit -200"),
        pytest.param(call(CCE, [1], [[200.0, 0]], from_logits=True), 200.0, id="logits 200, 0"),
    ],
)
def test_extreme_predictions_have_exact_values(ours, expected):
    assert ours() == expected


TEXTBOOK = [0, 0, 0, 0.5, 0.5, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        (TEXTBOOK, 0.6931471803599453),
        ([0.01, 0.01, 0.1, 0.3, 0.33, 0.04, 0.02, 0.05, 0.01, 0.1], 1.1563177141055918),
        ([0.3, 0.01, 0.1, 0.01, 0.04, 0.02, 0.05, 0.33, 0.01, 0.1], 3.9120229991781463),
    ],
)
def test_cross_entropy_with_delta_of_the_source_material(q, expected):
    assert m.cross_entropy(TEXTBOOK, q, delta=1e-10) == pytest.approx(expected, rel=4e-16, abs=0)
    assert evaluate(
        [TEXTBOOK], [q], [get_loss("cross_entropy", delta=1e-10)], normalize=None
    ).mean == {"cross_entropy": pytest.approx(expected, rel=4e-16, abs=0)}


def test_values_of_the_source_material():
    assert round(m.entropy([0.5, 0.5]), 3) == 0.693
    assert round(m.entropy([1 / 6] * 6), 2) == 1.79
    one_hot, p = [[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]]
    assert round(CCE(one_hot, p), 3) == 1.177
    sparse = m.sparse_categorical_crossentropy([1, 2], p, reduction="none")
    assert [f"{v:.4g}" for v in sparse] == ["0.05129", "2.303"]
    assert CCE([[0, 1, 0]], [[0, 1, 0]], clip=0) == 0.0  # 0 log 0 = 0
    assert BCE([1], [0.0], clip=0) == np.inf
    clipped = evaluate([1, 0, 1], [0.0, 0.5, 0.7], ["binary_crossentropy"])
    assert clipped.state.n_clipped == 1


def test_hinge_values_of_the_source_material():
    images = [[3.2, 5.1, -1.7], [1.3, 4.9, 2.0], [2.2, 2.5, -3.1]]
    values = m.weston_watkins_hinge([0, 1, 2], images, reduction="none")
    np.testing.assert_allclose(values, [2.9, 0, 12.9], rtol=1e-14, atol=0)
    assert round(m.weston_watkins_hinge([0, 1, 2], images), 2) == 5.27
    for car in (4.9, 3.9):
        assert m.weston_watkins_hinge([1], [[1.3, car, 2.0]]) == 0.0


# Computed with torch 2.13.0+cpu, each in double precision and then in single precision.
@pytest.mark.parametrize(
    ("function", "y", "scores", "dtype", "mean", "values"),
    [
        (
            BCE, [1, 0, 0, 1], [0.8, 0.3, 0.1, 0.9], "double", 0.5777516113054909,
            [0.37110066594777763, 0.8543552444685272, 0.744396660073571, 0.3411538747320879],
        ),
        (
            BCE, [1, 0, 0, 1], [0.8, 0.3, 0.1, 0.9], "single", 0.5777515769004822,
            [0.37110066413879395, 0.8543552160263062, 0.7443966269493103, 0.34115391969680786],
        ),
        (
            BCE, [1, 0, 0, 1], [1.2, -0.5, -2.0, 0.8], "double", 0.3088470321272221,
            [0.26328246733803123, 0.4740769841801067, 0.1269280110429727, 0.3711006659477777],
        ),
        (
            BCE, [1, 0, 0, 1], [1.2, -0.5, -2.0, 0.8], "single", 0.308847039937973,
            [0.26328244805336, 0.4740769863128662, 0.12692809104919434, 0.37110066413879395],
        ),
        (
            CCE, [0, 2], [[1.2, 0.5, -0.8], [-0.5, 0.8, 2.0]], "double", 0.4071072576720596,
            [0.48975759544868336, 0.32445691989543585],
        ),
        (
            CCE, [0, 2], [[1.2, 0.5, -0.8], [-0.5, 0.8, 2.0]], "single", 0.40710726380348206,
            [0.48975759744644165, 0.32445693016052246],
        ),
    ],
    ids=["BCELoss", "BCELoss32", "BCEWithLogits", "BCEWithLogits32", "CrossEntropy", "CE32"],
)  # fmt: skip
def test_torch_values(function, y, scores, dtype, mean, values):
    tolerance = 1e-12 if dtype == "double" else 1e-7
    scores = np.array(scores, dtype=dtype)
    ours = function(y, scores, from_logits=True, reduction="none")
    np.testing.assert_allclose(ours, values, rtol=0, atol=tolerance)
    assert function(y, scores, from_logits=True) == pytest.approx(mean, rel=0, abs=tolerance)
    if function is BCE and dtype == "double":  # BCELoss expects probabilities
        p = 1 / (1 + np.exp(-scores))
        assert BCE(y, p) == pytest.approx(mean, rel=0, abs=tolerance)


# -- against installed libraries ---------------------------------------------------------------


@pytest.fixture(params=[2, 3, 7])
def data(request):
    rng = np.random.default_rng(request.param)
    n, k = 500, request.param
    y = np.r_[np.arange(k), rng.integers(k, size=n - k)]
    scores = rng.normal(0, 3, (n, k))
    return y, scores, softmax(scores, axis=1), rng.uniform(0, 2, n)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_scikit_learn_log_loss(data, dtype):
    y, _, p, w = data
    p = p.astype(dtype)
    theirs = log_loss(y, p, sample_weight=w)
    tolerance = {np.float64: 1e-14, np.float32: 1e-6}[dtype]  # scikit-learn sums in the dtype of p
    total = log_loss(y, p, sample_weight=w, normalize=False)
    for function in (CCE, m.sparse_categorical_crossentropy):
        assert function(y, p, sample_weight=w) == pytest.approx(theirs, rel=tolerance)
        ours = function(y, p, sample_weight=w, reduction="sum")
        assert ours == pytest.approx(total, rel=tolerance)


def test_scikit_learn_binary_losses(data):
    y, scores, p, w = data
    y, d, p = (y == 1).astype(int), scores[:, 1], p[:, 1]
    for ours, theirs in [
        (BCE(y, p, sample_weight=w), log_loss(y, p, sample_weight=w)),
        (m.brier_loss(y, p, sample_weight=w), brier_score_loss(y, p, sample_weight=w)),
        (
            m.brier_loss(y, p, scale_by_half=False),
            brier_score_loss(y, p, scale_by_half=False),
        ),
        (m.squared_error(y, p), brier_score_loss(y, p)),
        (m.hinge_loss(y, d, sample_weight=w), sklearn_hinge_loss(y, d, sample_weight=w)),
        (m.zero_one_loss(y, p), sklearn_zero_one_loss(y, p > 0.5)),
        (m.zero_one_loss(y, d, from_logits=True), sklearn_zero_one_loss(y, d > 0)),
    ]:
        assert ours == pytest.approx(theirs, rel=1e-13)


def test_scikit_learn_multiclass_losses(data):
    y, scores, p, w = data
    brier = brier_score_loss(y, p, sample_weight=w)
    assert m.brier_loss(y, p, sample_weight=w) == pytest.approx(brier, rel=1e-13)
    wrong = sklearn_zero_one_loss(y, p.argmax(axis=1), sample_weight=w)
    assert m.zero_one_loss(y, p, sample_weight=w) == pytest.approx(wrong, rel=1e-13)
    assert m.zero_one_loss(y, p, reduction="sum") == sklearn_zero_one_loss(
        y, p.argmax(axis=1), normalize=False
    )
    if p.shape[1] > 2:
        hinge = sklearn_hinge_loss(y, scores, sample_weight=w)
        assert m.categorical_hinge(y, scores, sample_weight=w) == pytest.approx(hinge, rel=1e-13)
        moved = m.categorical_hinge(y, scores - 5)  # invariant, unlike keras 3.15.1
        assert moved == pytest.approx(sklearn_hinge_loss(y, scores), rel=1e-12)


def test_scipy(data):
    y, scores, p, _ = data
    target = softmax(scores[::-1], axis=1)
    for ours, theirs in [
        (m.entropy(p, reduction="none"), scipy_entropy(p, axis=1)),
        (m.entropy(p[0]), scipy_entropy(p[0])),
        (m.kl_divergence(target, p, reduction="none"), rel_entr(target, p).sum(axis=1)),
        (m.kl_divergence(target[0], p[0]), scipy_entropy(target[0], p[0])),
        (
            m.cross_entropy(target, p, reduction="none"),
            scipy_entropy(target, axis=1) + rel_entr(target, p).sum(axis=1),
        ),
        (
            CCE(y, scores, from_logits=True, reduction="none"),
            -log_softmax(scores, axis=1)[np.arange(len(y)), y],
        ),
        (
            CCE(target, scores, from_logits=True, reduction="none"),
            -(target * log_softmax(scores, axis=1)).sum(axis=1),
        ),
    ]:
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-13)


def test_the_convention_of_d2_selects_a_function_of_scikit_learn_by_the_loss():
    y, p, weight = [0, 1, 1, 0], np.array([0.1, 0.8, 0.4, 0.3]), [1.0, 2.0, 1.0, 0.5]
    options = {"convention": "sklearn", "sample_weight": weight}
    expected = d2_log_loss_score(y, p, sample_weight=weight)
    for loss in ("categorical_crossentropy", "log_loss", "nll", get_loss("log_loss")):
        assert m.d2_score(y, p, loss=loss, **options) == pytest.approx(expected, rel=1e-14)
    assert m.d2_score(y_pred=p, y_true=y, **options) == pytest.approx(expected, rel=1e-14)
    expected = d2_brier_score(y, p, sample_weight=weight, pos_label=0)
    ours = m.d2_score(y, p, loss="brier", pos_label=0, **options)
    assert ours == pytest.approx(expected, rel=1e-14)
    assert m.d2_score(y, p, null="test prior", sample_weight=weight) == pytest.approx(
        m.d2_score(y, p, **options), rel=1e-14
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "spherical_loss"}, "loss must be 'categorical_crossentropy' or 'brier_loss'"),
        ({"loss": "brierloss"}, "unknown loss 'brierloss'"),
        ({"null": "test prior"}, "null is not a keyword of d2_score with convention='sklearn'"),
        ({"prior": [0.5, 0.5]}, "prior is not a keyword of d2_score"),
        ({"pos_label": 1}, "pos_label must be left out for the log loss"),
        ({"convention": "keras"}, "unknown convention of d2_score 'keras'"),
    ],
)
def test_invalid_options_of_the_convention_of_d2_raise(options, message):
    with pytest.raises(InputError, match=message):
        m.d2_score([0, 1], [0.2, 0.7], **{"convention": "sklearn", **options})
    with pytest.raises(InputError, match="pos_label is not a keyword of d2_score with convention="):
        m.d2_score([0, 1], [0.2, 0.7], null="uniform", pos_label=1)


def test_zero_one_loss_of_sparse_labels_by_hand():
    # Rows 1 and 3 of three differ; their weights are 1 and 4 of 7.
    y = sparse.csr_array([[1, 0, 1], [0, 0, 0], [0, 1, 1]])
    p = sparse.coo_matrix([[1, 1, 1], [0, 0, 0], [1, 0, 1]])
    options = {"convention": "sklearn"}
    assert m.zero_one_loss(y, p, **options) == pytest.approx(2 / 3, rel=1e-15)
    assert m.zero_one_loss(y, p, normalize=False, **options) == 2.0
    weighted = m.zero_one_loss(y, p, sample_weight=[1, 2, 4], **options)
    assert weighted == pytest.approx(5 / 7, rel=1e-15)
    wide = sparse.eye_array(20_000, format="csr")  # dense it would need 3 GB
    assert m.zero_one_loss(wide, wide, **options) == 0.0
    with pytest.raises(InputError, match=r"y_true must not be sparse.*pass y_true\.toarray"):
        m.binary_crossentropy(y, np.ones(3), **options)
