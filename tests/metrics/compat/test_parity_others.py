"""Libraries without a convention: values that equal those of xentexp, and differences."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import d2_brier_score, d2_log_loss_score

from xentexp import metrics as m
from xentexp.metrics._compat import apply

pytestmark = pytest.mark.peers

Y, P = [1, 0], [0.9, 0.6]
D, YD = [0.5, -2.0, 3.0, 0.2], [1, 0, 1, 0]
RNG = np.random.default_rng(0)
SCORES, LABELS = RNG.normal(0, 3, (200, 4)), RNG.integers(0, 4, 200)
PROBA = softmax(SCORES, axis=1)


def installed(name, import_name=None):
    return pytest.importorskip(
        import_name or name, reason=f"{name} is not installed; pip install 'xentexp[parity]'"
    )


@pytest.fixture
def optax():
    """The module optax 0.2.8, with jax in double precision."""
    module = installed("optax")
    import jax

    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield module
    jax.config.update("jax_enable_x64", before)


def test_optax_crossentropies(optax):
    theirs = optax.softmax_cross_entropy_with_integer_labels(SCORES, LABELS)
    ours = m.categorical_crossentropy(LABELS, SCORES, from_logits=True, reduction="none")
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)
    theirs = optax.softmax_cross_entropy(SCORES, PROBA[::-1])
    ours = m.categorical_crossentropy(PROBA[::-1], SCORES, from_logits=True, reduction="none")
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)
    theirs = optax.sigmoid_binary_cross_entropy(SCORES[:, 0], LABELS > 1)
    ours = m.binary_crossentropy(LABELS > 1, SCORES[:, 0], from_logits=True, reduction="none")
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)
    assert optax.sigmoid_binary_cross_entropy(np.array([-200.0]), np.array([1.0])) == 200


def test_optax_smoothing_equals_ours(optax):
    smoothed = np.asarray(optax.smooth_labels(np.eye(4)[LABELS], 0.2))
    ours = m.categorical_crossentropy(LABELS, PROBA, label_smoothing=0.2)
    assert ours == pytest.approx(m.categorical_crossentropy(smoothed, PROBA), rel=1e-13)


def test_optax_bad_input(optax):
    # xentexp raises an error for infinite raw scores and for labels that are not a class.
    infinite = optax.sigmoid_binary_cross_entropy(np.array([np.inf, -np.inf]), np.ones(2))
    np.testing.assert_array_equal(infinite, [np.nan, np.inf])
    absent = np.array([[1.0, -np.inf]])
    by_label = optax.softmax_cross_entropy_with_integer_labels
    assert by_label(absent, np.array([0])) == 0
    assert np.isnan(optax.softmax_cross_entropy(absent, np.eye(2)[:1]))
    assert optax.safe_softmax_cross_entropy(absent, np.eye(2)[:1]) == 0
    three = np.array([[1.0, 2.0, 3.0]])
    assert by_label(three, np.array([-1])) == by_label(three, np.array([2]))
    assert np.isnan(by_label(three, np.array([7])))


def test_optax_hinge_needs_targets_of_plus_and_minus_one(optax):
    signs = 2.0 * np.array(YD) - 1
    assert float(optax.hinge_loss(np.array(D), signs).mean()) == pytest.approx(0.425)
    assert float(optax.hinge_loss(np.array(D), np.array(YD)).mean()) == pytest.approx(0.625)
    assert m.hinge_loss(YD, D) == pytest.approx(0.425)


def test_optax_kl_and_focal(optax):
    kl = optax.kl_divergence(np.log([0.1, 0.8, 0.1]), np.array([0.0, 1.0, 0.0]))
    assert m.kl_divergence([0, 1, 0], [0.1, 0.8, 0.1]) == pytest.approx(float(kl), rel=1e-12)
    # alpha=None, the default, equals Keras without apply_class_balancing; a number, with it.
    scores, target = SCORES[:, :1], (LABELS > 1).astype(float)[:, np.newaxis]
    for ours, theirs in [({}, {}), ({"apply_class_balancing": True}, {"alpha": 0.25})]:
        value = apply(
            "binary_focal_crossentropy", "keras", target, scores, {"from_logits": True, **ours}
        )
        theirs = optax.sigmoid_focal_loss(scores, target, **theirs).mean()
        assert value == pytest.approx(float(theirs), rel=1e-6)  # Keras clips at 1e-7


def test_torchmetrics_applies_a_sigmoid_to_scores():
    functional = installed("torchmetrics", "torchmetrics.functional.classification")
    import torch

    theirs = functional.binary_hinge_loss(torch.tensor(D), torch.tensor(YD))
    assert float(theirs) == pytest.approx(0.7735, abs=5e-5)  # xentexp: .425
    sigmoid = 1 / (1 + np.exp(-np.array(D)))
    assert m.hinge_loss(YD, sigmoid) == pytest.approx(float(theirs), rel=1e-6)
    theirs = functional.multiclass_hinge_loss(
        torch.tensor(SCORES), torch.tensor(LABELS), num_classes=4
    )
    assert m.categorical_hinge(LABELS, PROBA) == pytest.approx(float(theirs), rel=1e-12)


def test_model_diagnostics():
    scoring = installed("model-diagnostics", "model_diagnostics.scoring")
    log_loss = scoring.LogLoss()
    weighted = log_loss(y_obs=Y, y_pred=P, weights=[1, 3])
    assert m.binary_crossentropy(Y, P, sample_weight=[1, 3]) == pytest.approx(weighted, rel=1e-14)
    # For soft targets it subtracts the entropy of the target, which gives the KL divergence.
    soft = log_loss(y_obs=[0.7, 0.2], y_pred=P)
    assert soft == pytest.approx(0.24422943675906655, rel=1e-14)
    ours = m.kl_divergence([[0.3, 0.7], [0.8, 0.2]], [[0.1, 0.9], [0.4, 0.6]])
    assert ours == pytest.approx(soft, rel=1e-13)
    assert log_loss(y_obs=[1], y_pred=[0.0]) == np.inf == m.binary_crossentropy([1], [0.0], clip=0)
    assert log_loss(y_obs=Y, y_pred=[np.nan, 0.5]) != log_loss(y_obs=Y, y_pred=[1.2, 0.5])
    with pytest.raises(ZeroDivisionError):  # xentexp raises an InputError, see test_parity_rows.py
        log_loss(y_obs=Y, y_pred=P, weights=[0, 0])
    theirs = scoring.PoissonDeviance()(y_obs=[1, 0], y_pred=[2, 0.5])
    ours = apply("poisson_deviance", "sklearn", [1, 0], [2, 0.5], {})
    assert ours == pytest.approx(theirs, rel=1e-14)


def test_scoringrules():
    rules = installed("scoringrules")
    brier, log = rules.brier_score(np.array(Y), np.array(P)), rules.log_score(Y, np.array(P))
    np.testing.assert_allclose(m.brier_loss(Y, P, reduction="none"), brier, rtol=1e-14)
    np.testing.assert_allclose(m.binary_crossentropy(Y, P, reduction="none"), log, rtol=1e-14)
    with np.errstate(divide="ignore"):
        assert rules.log_score(1, 0.0) == np.inf
    assert m.binary_crossentropy([1], [0.0], clip=0) == np.inf


def test_d2_of_scikit_learn_divides_by_zero_for_one_class():
    # Its null model is the class proportions of the test fold; in xentexp it is a parameter.
    assert d2_log_loss_score([1, 1], P, labels=[0, 1]) < -1e14
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        assert d2_brier_score([1, 1], P, labels=[0, 1]) == -np.inf
