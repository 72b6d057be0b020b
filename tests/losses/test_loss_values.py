"""Values of single losses against other sources: peers, integrals, papers' formulas.

scikit-learn and scipy are called; literals have the peer and its version in a comment.
"""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.spatial.distance import jensenshannon
from scipy.special import expit, huber, logsumexp, rel_entr, softmax, xlogy
from scipy.stats import power_divergence
from sklearn._loss.loss import ExponentialLoss, HalfBinomialLoss, HalfMultinomialLoss
from sklearn.metrics import brier_score_loss, log_loss

import xentexp
from tests.support.strategies import tempered_softmax
from xentexp import metrics as m

RNG = np.random.default_rng(7)
N, K = 60, 4
Z = RNG.normal(0, 2, (N, K))
Y = np.r_[np.arange(K), RNG.integers(K, size=N - K)]
P = softmax(Z, axis=1)
PY = P[np.arange(N), Y]
T = RNG.dirichlet(np.ones(K), size=N)
D, Y2 = RNG.normal(0, 2, N), Y % 2
P2 = expit(D)

# The rows for which the literals below were computed.
Z3 = np.array([[2.0, -1.0, 0.5], [0.0, 1.5, -2.0], [-0.3, 0.2, 0.1]])
Y3, P3 = np.array([0, 2, 1]), softmax(Z3, axis=1)
T3 = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.3, 0.4, 0.3]])
D4, Y4 = np.array([0.4, -1.3, 2.2, -0.2]), np.array([1, 1, 0, 0])


def raw_values(name, y, raw, labels=None, **parameters):
    return xentexp.get_loss(name, **parameters).per_sample(y, raw, labels=labels, from_logits=True)


def rows(function, *args, **options):
    return function(*args, reduction="none", **options)


def close(ours, theirs, rtol=1e-12, atol=1e-14):
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=atol)


# -- cross-entropy and its relatives ---------------------------------------------------------


def test_scores_in_bits_and_bans():
    close(m.logarithmic_score(Y, P), log_loss(Y, P) / np.log(2))
    close(rows(m.logarithmic_score, Y, P, base=10), -np.log10(PY))
    assert m.logarithmic_score([0], [[0.125, 0.875]]) == 3.0


def test_raw_scores_against_losses_of_scikit_learn():
    multinomial = HalfMultinomialLoss(n_classes=K)
    theirs, slope = multinomial.loss_gradient(Y.astype(float), Z)
    loss = xentexp.get_loss("categorical_crossentropy")
    close(loss.per_sample(Y, Z, from_logits=True), theirs)
    close(loss.gradient(Y, Z), slope, atol=1e-13)
    for name in ("binary_crossentropy", "logistic_margin_loss"):
        loss = xentexp.get_loss(name)
        theirs, slope, bend = *HalfBinomialLoss().loss_gradient(Y2.astype(float), D), None
        _, bend = HalfBinomialLoss().gradient_hessian(Y2.astype(float), D)
        close(loss.per_sample(Y2, D, from_logits=True), theirs)
        close(loss.gradient_hessian(Y2, D)[0], slope)
        close(loss.gradient_hessian(Y2, D)[1], bend)


def test_focal():
    # keras 3.15.1, CategoricalFocalCrossentropy(alpha=.25, gamma=2), then ([.2, .5, .3], 1.5),
    # whose factors are float32
    keras = [0.002773187522844952, 0.887106922709238, 0.08337543518208285]
    close(rows(m.categorical_focal_crossentropy, Y3, P3, alpha=0.25), keras)
    keras = [0.004791305215148476, 1.0775890907643884, 0.21495035746035898]
    ours = rows(m.categorical_focal_crossentropy, Y3, P3, alpha=[0.2, 0.5, 0.3], gamma=1.5)
    close(ours, keras, rtol=1e-7)
    # optax 0.2.8, sigmoid_focal_loss(gamma=2), then (alpha=.25, gamma=1.5)
    optax = [0.0826219242202346, 0.951629152855218, 1.8681528905801383, 0.12121250092646661]
    close(rows(m.binary_focal_crossentropy, Y4, D4, from_logits=True), optax)
    optax = [0.03260573968338532, 0.2683750062199633, 1.476699856166427, 0.1354947065510851]
    ours = rows(m.binary_focal_crossentropy, Y4, D4, from_logits=True, alpha=0.25, gamma=1.5)
    close(ours, optax)
    # keras 3.15.1, BinaryFocalCrossentropy(apply_class_balancing=True)
    keras = [0.02065548114478588, 0.2379072904586792, 1.4011147022247314, 0.09090937674045563]
    close(rows(m.binary_focal_crossentropy, Y4, expit(D4), alpha=0.25), keras, rtol=1e-6)
    close(m.binary_focal_crossentropy(Y2, P2, gamma=0), log_loss(Y2, P2))


def asymmetric(y, p, positive=1.0, negative=4.0, margin=0.05):
    """Ridnik et al. (2021), equations 4 to 6."""
    shifted = np.maximum(p - margin, 0)
    return -np.where(
        y == 1, (1 - p) ** positive * np.log(p), shifted**negative * np.log(1 - shifted)
    )


@pytest.mark.parametrize(
    "parameters", [{}, {"margin": 0.0}, {"positive": 0.0, "negative": 1.0, "margin": 0.3}]
)
def test_asymmetric(parameters):
    names = {"positive": "gamma_positive", "negative": "gamma_negative", "margin": "margin"}
    ours = {names[name]: value for name, value in parameters.items()}
    close(rows(m.asymmetric_loss, Y2, P2, **ours), asymmetric(Y2, P2, **parameters))
    labels = RNG.integers(2, size=P.shape)
    for over, reduce in (("mean", np.mean), ("sum", np.sum)):
        value = rows(m.multilabel_asymmetric_loss, labels, P, over_labels=over, **ours)
        close(value, reduce(asymmetric(labels, P, **parameters), axis=1))


def test_poly1():
    # optax 0.2.8, poly_loss_cross_entropy, epsilon 1 and its default 2
    optax = [0.4557142620678811, 4.701708280944751, 1.5226383145083233]
    close(rows(m.poly1_crossentropy, Y3, Z3, from_logits=True), optax)
    optax = [0.6701172274786052, 5.677614512657903, 2.1244489734633873]
    close(rows(m.poly1_crossentropy, Y3, Z3, from_logits=True, epsilon=2.0), optax)


def test_robust_losses_against_the_formulas_of_their_papers():
    for q in (0.7, 0.2, 1.0):
        close(rows(m.generalized_crossentropy, Y, P, q=q), (1 - PY**q) / q)
    cross = log_loss(Y, P)
    assert m.generalized_crossentropy(Y, P, q=1e-6) == pytest.approx(cross, rel=1e-5)
    # Wang et al. (2019): alpha CE + beta RCE, and RCE = -A (1 - p_y)
    close(rows(m.symmetric_crossentropy, Y, P), -0.1 * np.log(PY) + 4 * (1 - PY))
    reverse = -(P * np.maximum(np.log(T), -1.5)).sum(axis=1)
    ours = rows(m.symmetric_crossentropy, T, P, alpha=0.5, beta=2.0, log_zero=-1.5)
    close(ours, -0.5 * (T * np.log(P)).sum(axis=1) + 2 * reverse)
    series = sum((1 - PY) ** order / order for order in range(1, 6))
    close(rows(m.taylor_crossentropy, Y, P, order=5), series)
    far_from_0 = (P + 0.1) / (1 + 0.1 * K)
    many_terms = m.taylor_crossentropy(Y, far_from_0, order=1000)
    assert many_terms == pytest.approx(log_loss(Y, far_from_0), rel=1e-12)


@pytest.mark.parametrize("alpha", [0.1, 0.4])
def test_label_relaxation_is_the_divergence_of_the_nearest_allowed_target(alpha):
    # Lienen, Huellermeier (2021), section 4, by search: the target gives the label at least
    # 1 - alpha, and the rest to the other classes in proportion to the prediction.
    share = np.linspace(1 - alpha, 1, 10001)[:, np.newaxis]
    divergence = rel_entr(share, PY) + rel_entr(1 - share, 1 - PY)
    ours = rows(m.label_relaxation, Y, P, alpha=alpha)
    np.testing.assert_allclose(ours, divergence.min(axis=0), rtol=1e-12, atol=1e-7)
    assert (ours > 0).any()
    assert (ours == 0).any()


def test_bi_tempered_against_published_values():
    # google/bi-tempered-loss, tensorflow/loss_test.py: test_loss_value, test_tempered_softmax,
    # test_dynamic_temperatures
    labels = [[0.2, 0.3, 0.5], [0.6, 0.3, 0.1], [0.2, 0.8, 0.0]]
    activations = np.array([[-0.5, 0.1, 2.0], [0.1, 1.5, -5.0], [4.0, -3.0, -6.0]])
    ours = raw_values("bi_tempered_logistic_loss", labels, activations, t1=0.5, t2=1.5)
    close(ours, [0.02301914, 0.18972909, 0.93874922], rtol=1e-6)
    at_4 = [[0.3205458, 0.32714278, 0.3523402], [0.3430056, 0.36491093, 0.29220778]]
    # The formula of our other tests; the published code stops early, when rows sum to 1.00003.
    close(tempered_softmax(activations, 4.0)[:2], at_4, rtol=3e-4)
    for t1, t2, value in ((0.9, 1.1, 0.45677936), (0.8, 1.2, 0.34298314), (0.7, 1.3, 0.26295574)):
        (ours,) = raw_values(
            "bi_tempered_logistic_loss", [[0.2, 0.5, 0.3]], activations[:1], t1=t1, t2=t2
        )
        assert ours == pytest.approx(value, rel=1e-4)


@pytest.mark.parametrize(("t1", "t2"), [(0.8, 1.2), (0.0, 1.0), (0.3, 4.0), (1.0, 2.0), (1.0, 1.0)])
def test_bi_tempered_against_its_formula(t1, t2):
    def log_t(x):  # Amid et al. (2019), equation 3
        return np.log(x) if t1 == 1 else (x ** (1 - t1) - 1) / (1 - t1)

    p = tempered_softmax(Z, t2)
    bregman = T * (log_t(T) - log_t(p)) - (T ** (2 - t1) - p ** (2 - t1)) / (2 - t1)
    ours = raw_values("bi_tempered_logistic_loss", T, Z, t1=t1, t2=t2)
    close(ours, bregman.sum(axis=1), rtol=1e-10, atol=1e-13)


def test_multilabel():
    labels = np.array([[1, 0, 1], [0, 0, 1], [0, 1, 0]])
    # torch 2.13.0, multilabel_soft_margin_loss
    torch = [0.3047555609137674, 1.5071628231952234, 0.63229692464123]
    close(rows(m.multilabel_crossentropy, labels, Z3, from_logits=True), torch)
    by_column = [log_loss(labels[:, j], expit(Z3[:, j]), labels=[0, 1]) for j in range(3)]
    close(m.multilabel_crossentropy(labels, expit(Z3)), np.mean(by_column))
    close(m.multilabel_crossentropy(labels, expit(Z3), over_labels="sum"), np.sum(by_column))


# -- proper scores ---------------------------------------------------------------------------


def test_power_and_spherical_families():
    close(m.power_loss(Y, P, beta=2), brier_score_loss(Y, P))
    for beta in (1.5, 3.0):  # Gneiting, Raftery (2007), section 4.2, as losses
        power = (beta - 1) * (P**beta).sum(axis=1) - beta * PY ** (beta - 1) + 1
        close(rows(m.power_loss, Y, P, beta=beta), power)
        norm = (P**beta).sum(axis=1) ** (1 / beta)
        close(rows(m.pseudospherical_loss, Y, P, beta=beta), 1 - (PY / norm) ** (beta - 1))
    cosine = (P * np.eye(K)[Y]).sum(axis=1) / np.linalg.norm(P, axis=1)
    close(rows(m.spherical_loss, Y, P), 1 - cosine)
    close(m.pseudospherical_loss(Y, P, beta=2), m.spherical_loss(Y, P))
    # for soft targets, the expectation over the classes
    each = np.array([rows(m.spherical_loss, np.full(N, c), P, labels=range(K)) for c in range(K)])
    close(rows(m.spherical_loss, T, P), (T.T * each).sum(axis=0))


@pytest.mark.parametrize(
    ("a", "b"),
    [(0.5, 0.5), (2.0, 3.0), (1.0, 0.3), (-0.5, 0.5), (0.3, -0.9), (0.0, 1.5), (0.0, 0.0)],
)
def test_the_beta_family_against_its_integral(a, b):
    p = np.array([1e-9, 1e-5, 0.02, 0.3, 0.5, 0.9, 0.999])

    def integral(p, a, b):  # int_p^1 c^(a-1) (1-c)^b dc with c = e^-t, without the singular ends
        def inner(t):
            return np.exp(-a * t) * (-np.expm1(-t)) ** b

        low = min(-np.log(p), 1e-2)
        head = quad(inner, low, -np.log(p), epsabs=0, epsrel=1e-12, limit=400)[0]
        # from 0 to low with t = u^(1 / (b + 1)), which removes the singularity
        power = b + 1
        tail = quad(
            lambda u: np.exp(-a * u ** (1 / power))
            * (-np.expm1(-(u ** (1 / power))) / u ** (1 / power)) ** b
            / power,
            0, low**power, epsabs=0, epsrel=1e-12,
        )[0]  # fmt: skip
        return head + tail

    yes = rows(m.beta_loss, np.ones(7, int), p, alpha=a, beta=b, labels=[0, 1])
    close(yes, [integral(x, a, b) for x in p], rtol=1e-9)
    no = rows(m.beta_loss, np.zeros(7, int), 1 - p, alpha=b, beta=a, labels=[0, 1])
    close(no, yes, rtol=1e-6)  # 1 - p loses digits of the smallest p


def test_known_losses_of_the_beta_family():
    close(m.beta_loss(Y2, P2, alpha=0, beta=0), log_loss(Y2, P2))
    close(m.beta_loss(Y2, P2, alpha=1, beta=1), brier_score_loss(Y2, P2) / 2)
    boosting = ExponentialLoss().loss(
        Y2.astype(float), D / 2
    )  # the link of scikit-learn is expit(2 raw)
    close(raw_values("beta_loss", Y2, D, alpha=-0.5, beta=-0.5), 2 * boosting, rtol=1e-10)


# -- distributions ---------------------------------------------------------------------------


def test_divergences_against_scipy():
    close(rows(m.reverse_kl_divergence, T, P), rel_entr(P, T).sum(axis=1))
    # torch 2.13.0, kl_div(log t, p)
    torch = [0.12518847575272007, 1.6753079638279573, 0.011806530531344561]
    close(rows(m.reverse_kl_divergence, T3, P3), torch)
    close(rows(m.jensen_shannon_divergence, T, P), jensenshannon(T, P, axis=1) ** 2)
    for alpha in (0.5, 2.0, 3.0, 0.1):  # Cressie, Read: lambda = alpha - 1, twice the divergence
        pairs = zip(T, P, strict=True)
        power = np.array([power_divergence(t, p, lambda_=alpha - 1)[0] / 2 for t, p in pairs])
        close(rows(m.alpha_divergence, T, P, alpha=alpha), power, rtol=1e-10)
        renyi = np.log1p(alpha * (alpha - 1) * power) / (alpha - 1)
        close(rows(m.renyi_divergence, T, P, alpha=alpha), renyi, rtol=1e-10)
        labels = logsumexp(-(alpha - 1) * np.log(P3[[0, 1], [0, 2]])[:, np.newaxis], axis=1)
        ours = rows(m.renyi_divergence, np.eye(3)[[0, 2]], P3[:2], alpha=alpha)
        close(ours, labels / (alpha - 1))
    kl = rel_entr(T, P).sum(axis=1)
    for function in (m.renyi_divergence, m.alpha_divergence):
        close(rows(function, T, P, alpha=1 + 2e-6), kl, rtol=1e-4)
    hellinger = 1 - np.sqrt(T * P).sum(axis=1)
    close(rows(m.alpha_divergence, T, P), 4 * hellinger)


# -- distances -------------------------------------------------------------------------------


@pytest.mark.parametrize("over", ["mean", "sum", "half_sum"])
def test_distances_of_probabilities(over):
    scale = {"mean": 1 / K, "sum": 1.0, "half_sum": 0.5}[over]
    for target in (np.eye(K)[Y], T):
        gap = P - target
        for function, each, options in [
            (m.squared_error, gap**2, {}),
            (m.absolute_error, np.abs(gap), {}),
            (m.huber_loss, huber(1.0, gap), {}),
            (m.huber_loss, huber(0.2, gap), {"delta": 0.2}),
            (m.log_cosh_loss, np.log(np.cosh(gap)), {}),
            (m.squared_log_error, (np.log1p(P) - np.log1p(target)) ** 2, {}),
            (m.poisson_deviance, 2 * (xlogy(target, target / P) - target + P), {}),
        ]:
            ours = rows(function, target, P, over_classes=over, **options)
            close(ours, scale * each.sum(axis=1), rtol=1e-10)


def test_distances_of_probabilities_against_keras():
    # keras 3.15.1, mean_squared_logarithmic_error and poisson (p - t log p) in single precision
    keras = [0.009173080325126648, 0.18804673850536346, 0.0013920849887654185]
    close(rows(m.squared_log_error, T3, P3), keras, rtol=1e-6)
    # with 1e-7 inside the logarithm
    keras = np.array([0.6637701988220215, 1.3919328451156616, 0.7002758383750916])
    of_target = (xlogy(T3, T3) - T3).mean(axis=1)
    close(rows(m.poisson_deviance, T3, P3), 2 * (keras + of_target), atol=1e-6, rtol=1e-6)


# -- many losses of the same rows --------------------------------------------------------------


def test_margins_whose_product_of_exponentials_overflows():
    # exp(m) of one wrong class is finite, but the product of 1 + exp(m) is not.
    for scale in (1.0, 100.0, 400.0, 1e4):
        raw = scale * RNG.normal(size=(40, 30))
        y = RNG.integers(0, 30, size=40)
        terms = np.logaddexp(0.0, raw - raw[np.arange(40), y][:, np.newaxis])
        terms[np.arange(40), y] = 0.0
        close(rows(m.logistic_margin_loss, y, raw), terms.sum(axis=1))


def test_a_clip_changes_no_loss_that_is_finite_at_0():
    p = np.array([[1.0, 0.0, 0.0], [0.02, 0.9, 0.08], [0.0, 0.99, 0.01], [0.3, 0.3, 0.4]])
    y = np.array([1, 0, 2, 0])
    py, one_hot = p[np.arange(4), y], np.eye(3)[y]
    expected = {
        "jensen_shannon_divergence": jensenshannon(one_hot, p, axis=1) ** 2,
        "generalized_crossentropy": (1.0 - py**0.7) / 0.7,
        "bi_tempered_logistic_loss": (1 - py**0.2) / 0.2 - (1 - (p**1.2).sum(axis=1)) / 1.2,
        "power_loss": 1.0 - 3.0 * py**2 + 2.0 * (p**3).sum(axis=1),
        "pseudospherical_loss": 1.0 - py**2 / (p**3).sum(axis=1) ** (2 / 3),
        "huber_loss": huber(1.0, p - one_hot).mean(axis=1),
        "log_cosh_loss": np.log(np.cosh(p - one_hot)).mean(axis=1),
        "squared_log_error": ((np.log1p(p) - np.log1p(one_hot)) ** 2).mean(axis=1),
    }
    # In one call with the cross-entropy, whose logarithm is clipped.
    values = m.evaluate(y, p, ["categorical_crossentropy", *expected], clip=0.05, per_sample=True)
    for name, value in expected.items():
        close(values.per_sample[name], value)
    close(values.per_sample["categorical_crossentropy"], -np.log(np.maximum(py, 0.05)))
