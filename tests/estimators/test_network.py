"""NetworkLossClassifier: scikit-learn checks, training on every loss, reproducibility."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_blobs, make_moons
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_validate
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from xentexp import get_loss
from xentexp.errors import InputError
from xentexp.estimators import _network as network
from xentexp.estimators._holdout import TrainingRows, split_parts
from xentexp.estimators._network import NetworkLossClassifier
from xentexp.losses import LOSSES
from xentexp.objectives import TrainingObjective, get_training_loss

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.peers

X, Y = make_moons(240, noise=0.25, random_state=0)
X3, Y3 = make_blobs(240, centers=[[0, 0], [2, 1], [0, 3]], random_state=0)
NAMES = np.array(["good", "bad", "fair"])
TRAINABLE = [
    name
    for name, loss in LOSSES.items()
    if loss.properties.gradient != "none"
    and loss.properties.targets in ("labels", "one-hot", "soft")
]


@pytest.fixture(autouse=True)
def one_torch_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def model(loss: Any = "categorical_crossentropy", **options: Any) -> NetworkLossClassifier:
    settings = {"learning_rate": 0.02, "max_epochs": 15, "batch_size": 60, "random_state": 0}
    return NetworkLossClassifier(loss, **{**settings, **options})


@parametrize_with_checks([NetworkLossClassifier(learning_rate=0.01, max_epochs=40)])
def test_scikit_learn_checks(estimator: Any, check: Any) -> None:
    check(estimator)


# -- training --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TRAINABLE)
def test_training_reduces_every_loss(name: str) -> None:
    binary = LOSSES[name].properties.binary_only
    data, y = (X, Y) if binary else (X3, NAMES[Y3])
    if LOSSES[name].properties.ordered:
        y = Y3
    fitted = model(name).fit(data, y)
    curve = fitted.learning_curve_["train"][name]
    assert fitted.loss_curve_ == curve
    assert len(curve) == fitted.n_iter_ == fitted.best_iteration_
    assert curve[-1] < curve[0]
    # The learning curve is the loss of the scores of the fitted network.
    training = TrainingObjective(
        get_training_loss(name), np.unique(y, return_inverse=True)[1], len(set(y))
    )
    scores = fitted.decision_function(data)
    by_class = scores[np.newaxis] if scores.ndim == 1 else scores.T
    np.testing.assert_allclose(training.mean_loss(by_class), curve[-1], rtol=1e-12)
    if hasattr(fitted, "predict_proba"):
        proba = fitted.predict_proba(data)
        np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-9)
        np.testing.assert_array_equal(fitted.classes_[proba.argmax(1)], fitted.predict(data))
    else:
        assert LOSSES[name].properties.link == "identity"


def test_no_hidden_layer_equals_logistic_regression() -> None:
    # scikit-learn minimizes C sum l + |w|^2 / 2; ours mean l + alpha |w|^2 / 2: C = 1 / (n alpha)
    alpha = 0.01
    expected = LogisticRegression(C=1 / (len(X3) * alpha), tol=1e-8).fit(X3, Y3)
    ours = model(hidden_layer_sizes=(), alpha=alpha, batch_size=240, max_epochs=1500, tol=0)
    ours.fit(X3, Y3)
    np.testing.assert_allclose(ours.predict_proba(X3), expected.predict_proba(X3), atol=1e-4)


def test_loss_is_close_to_mlp_classifier() -> None:
    settings: dict[str, Any] = {
        "hidden_layer_sizes": (16,), "batch_size": 60, "n_iter_no_change": 1000, "random_state": 0
    }  # fmt: skip
    theirs = MLPClassifier(**settings, learning_rate_init=0.02, max_iter=60)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        theirs.fit(X, Y)
    ours = model(**settings, max_epochs=60).fit(X, Y)
    actual = log_loss(Y, ours.predict_proba(X))
    assert abs(actual - log_loss(Y, theirs.predict_proba(X))) < 0.05
    np.testing.assert_allclose(actual, ours.loss_curve_[-1], rtol=1e-12)


def test_training_starts_from_class_proportions() -> None:
    # With a negligible learning rate the biases of the last layer keep their initial values.
    y = (np.arange(240) < 60).astype(int)
    fitted = model(learning_rate=1e-300, max_epochs=1).fit(X, y)
    np.testing.assert_allclose(fitted.intercepts_[-1], np.log([0.25 / 0.75]), rtol=1e-12)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_training_equals_a_torch_network(activation: str) -> None:
    """Compare with a torch.nn network that is trained with the loss and Adam of torch."""
    options: dict[str, Any] = {
        "hidden_layer_sizes": (5, 4), "activation": activation, "alpha": 0.1, "batch_size": 240
    }  # fmt: skip
    start = model(learning_rate=1e-300, max_epochs=1, **options).fit(X3, Y3)
    fitted = model(learning_rate=0.01, max_epochs=5, **options).fit(X3, Y3)
    kinds = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "logistic": torch.nn.Sigmoid}
    between = kinds.get(activation, torch.nn.Identity)
    theirs = torch.nn.Sequential(
        torch.nn.Linear(2, 5), between(), torch.nn.Linear(5, 4), between(), torch.nn.Linear(4, 3)
    ).double()
    with torch.no_grad():
        for layer, weight, bias in zip(theirs[::2], start.coefs_, start.intercepts_, strict=True):
            layer.weight.copy_(torch.tensor(weight.T))
            layer.bias.copy_(torch.tensor(bias))
    inner = {"weight_decay": 0.1, "params": [layer.weight for layer in theirs[::2]]}
    outer = {"params": [layer.bias for layer in theirs[::2]]}
    adam = torch.optim.Adam([inner, outer], lr=0.01)
    for _ in range(5):
        adam.zero_grad()
        torch.nn.CrossEntropyLoss()(theirs(torch.tensor(X3)), torch.tensor(Y3)).backward()
        adam.step()
    with torch.no_grad():
        expected = theirs(torch.tensor(X3)).numpy()
    np.testing.assert_allclose(fitted.decision_function(X3), expected, atol=1e-12)


def test_default_thresholds_equal_those_of_the_loss() -> None:
    default = model("cumulative_link_log_loss").fit(X3, Y3)
    explicit = model("cumulative_link_log_loss", loss_params={"thresholds": [-0.5, 0.5]})
    np.testing.assert_array_equal(default.predict_proba(X3), explicit.fit(X3, Y3).predict_proba(X3))


def test_integer_weights_equal_repeated_rows() -> None:
    weight = np.random.default_rng(0).integers(0, 3, 240)
    options: dict[str, Any] = {"batch_size": 1000, "record": ["brier_loss"]}
    weighted = model(**options).fit(X3, Y3, sample_weight=weight)
    repeated = model(**options).fit(X3.repeat(weight, axis=0), Y3.repeat(weight))
    np.testing.assert_allclose(
        weighted.decision_function(X3), repeated.decision_function(X3), atol=1e-8
    )
    for name, curve in repeated.learning_curve_["train"].items():
        np.testing.assert_allclose(weighted.learning_curve_["train"][name], curve, rtol=1e-8)
    by_class = model(class_weight={0: 1.0, 1: 2.0, 2: 0.0}, **options).fit(X3, Y3)
    by_row = model(**options).fit(X3, Y3, sample_weight=np.array([1.0, 2.0, 1e-300])[Y3])
    actual = [fitted.loss_curve_[-1] for fitted in (by_class, by_row)]
    np.testing.assert_allclose(actual[0], actual[1], rtol=1e-6)


def test_corrected_probabilities_undo_class_weights() -> None:
    rng = np.random.default_rng(0)
    y = (rng.uniform(size=2000) < 0.1).astype(int)
    noise = rng.normal(size=(2000, 2))
    options: dict[str, Any] = {"class_weight": "balanced", "batch_size": 200, "max_epochs": 8}
    shifted = model(**options).fit(noise, y).predict_proba(noise)[:, 1].mean()
    mended = model(**options, correct_probabilities=True).fit(noise, y).predict_proba(noise)
    assert abs(shifted - 0.5) < 0.05
    assert abs(mended[:, 1].mean() - y.mean()) < 0.02


def test_smoothing_and_parameters_reach_the_loss() -> None:
    # The columns determine the class, so the network reaches the smoothed target 1 - e + e / k.
    options: dict[str, Any] = {"hidden_layer_sizes": (), "max_epochs": 150, "alpha": 0.0, "tol": 0}
    smooth = model(label_smoothing=0.3, **options).fit(np.eye(3)[Y3], Y3)
    np.testing.assert_allclose(smooth.predict_proba(np.eye(3)).diagonal(), 0.8, atol=1e-3)
    focal = model("categorical_focal_crossentropy", loss_params={"gamma": 0.0}).fit(X3, Y3)
    plain = model().fit(X3, Y3)
    np.testing.assert_allclose(focal.predict_proba(X3), plain.predict_proba(X3), atol=1e-8)
    by_object = model(get_loss("categorical_focal_crossentropy", gamma=0.0)).fit(X3, Y3)
    np.testing.assert_array_equal(focal.predict_proba(X3), by_object.predict_proba(X3))


def test_penalty_and_dropout_regularize() -> None:
    free = model(max_epochs=60).fit(X, Y)
    held = model(max_epochs=60, alpha=1.0).fit(X, Y)
    assert np.abs(held.coefs_[0]).max() < 0.1 * np.abs(free.coefs_[0]).max()
    dropped = [model(dropout=0.5).fit(X, Y) for _ in range(2)]
    assert dropped[0].loss_curve_ == dropped[1].loss_curve_
    assert dropped[0].loss_curve_[-1] > model().fit(X, Y).loss_curve_[-1]


# -- learning curves and stopping ------------------------------------------------------------


def test_learning_curves() -> None:
    fitted = model(record=["brier_loss", "zero_one_loss"], validation_fraction=0.25).fit(X3, Y3)
    names = ["categorical_crossentropy", "brier_loss", "zero_one_loss"]
    for part in ("train", "valid"):
        curves = fitted.learning_curve_[part]
        assert list(curves) == names
        assert {len(curve) for curve in curves.values()} == {fitted.n_iter_}
    assert list(model(record=None).fit(X, Y).learning_curve_["train"]) == names[:1]


def test_early_stopping_keeps_the_best_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {}
    split = network.split_parts

    def watched(*arguments: Any) -> Any:
        parts.update(split(*arguments))
        return parts

    monkeypatch.setattr(network, "split_parts", watched)
    rng = np.random.default_rng(0)
    noise, y = (
        rng.normal(size=(200, 10)),
        rng.integers(0, 2, 200),
    )  # labels are independent of the columns
    fitted = model(early_stopping=True, validation_fraction=0.3, max_epochs=100).fit(noise, y)
    curve = fitted.learning_curve_["valid"]["categorical_crossentropy"]
    assert fitted.n_iter_ < 100
    assert fitted.best_iteration_ == np.argmin(curve) + 1 < fitted.n_iter_
    held_out = parts["valid"]
    assert len(held_out.X) == 60
    assert not set(held_out.X[:, 0]) & set(parts["train"].X[:, 0])
    actual = log_loss(held_out.training.index, fitted.predict_proba(held_out.X))
    np.testing.assert_allclose(actual, min(curve), rtol=1e-12)


def test_training_stops_when_the_training_loss_does_not_fall() -> None:
    fitted = model(max_epochs=500, n_iter_no_change=4, tol=0.01).fit(X, Y)
    curve = np.array(fitted.loss_curve_)
    assert fitted.n_iter_ < 500
    falls = np.minimum.accumulate(curve)[:-1] - curve[1:]
    assert (falls[-4:] < 0.01).all()
    assert falls[-5] >= 0.01


def test_every_class_keeps_a_training_row() -> None:
    y = np.r_[np.zeros(100), np.ones(20), 2].astype(int)
    all_rows = TrainingRows(np.arange(121), TrainingObjective(get_loss("brier_loss"), y, 3), None)
    parts = split_parts(all_rows, 0.2, 0)
    assert np.bincount(y[parts["train"].X]).tolist() == [80, 16, 1]
    assert np.bincount(y[parts["valid"].X]).tolist() == [20, 4]


# -- chance, threads, copies -----------------------------------------------------------------


def test_global_random_state_of_torch_is_not_changed() -> None:
    options: dict[str, Any] = {"dropout": 0.3, "early_stopping": True, "validation_fraction": 0.2}
    torch.manual_seed(5)
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = model(**options).fit(X, Y)
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    torch.manual_seed(6)
    again = clone(first).fit(X, Y)
    np.testing.assert_array_equal(again.predict_proba(X), first.predict_proba(X))
    other = model(**{**options, "random_state": 1}).fit(X, Y)
    assert np.abs(other.predict_proba(X) - first.predict_proba(X)).max() > 1e-3


def test_number_of_torch_threads_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    step = torch.optim.Adam.step

    def watched(self: Any, *arguments: Any) -> None:
        seen.append(torch.get_num_threads())
        step(self, *arguments)

    monkeypatch.setattr(torch.optim.Adam, "step", watched)
    torch.set_num_threads(2)
    model(max_epochs=1).fit(X, Y)
    assert set(seen) == {1}
    assert torch.get_num_threads() == 2
    with pytest.raises(InputError, match="diverged"):
        model("exponential_loss", learning_rate=1e300).fit(X, Y)
    assert torch.get_num_threads() == 2


def test_keyboard_interrupt_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(torch.optim.Adam, "step", pressed)
    with pytest.raises(KeyboardInterrupt):
        model().fit(X, Y)


def test_fit_within_no_grad() -> None:
    expected = model().fit(X, Y).decision_function(X)
    with torch.no_grad():
        np.testing.assert_array_equal(model().fit(X, Y).decision_function(X), expected)


def test_predicting_does_not_import_torch() -> None:
    fitted = model().fit(X3, NAMES[Y3])
    copied = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copied.predict_proba(X3), fitted.predict_proba(X3))
    code = (
        "import pickle, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'torch': raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "model = pickle.load(sys.stdin.buffer)\n"
        "print(model.predict([[0.0, 0.0]])[0])\n"
        "try: model.fit([[0.0], [1.0]], [0, 1])\n"
        "except ValueError as e: print(e)"
    )
    completed = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(fitted), stdout=subprocess.PIPE, check=True
    )
    first, second = completed.stdout.decode().splitlines()
    assert first == fitted.predict([[0.0, 0.0]])[0]
    start = (
        "NetworkLossClassifier needs torch (torch); run pip install 'xentexp[torch]' (in a clone:"
    )
    assert second.startswith(start)


@pytest.mark.slow  # two processes import torch
def test_pipeline_in_two_processes() -> None:
    pipeline = make_pipeline(StandardScaler(), model(max_epochs=3))
    sequential, parallel = (
        cross_validate(pipeline, X, Y, cv=2, n_jobs=n, scoring="neg_log_loss")["test_score"]
        for n in (1, 2)
    )
    np.testing.assert_array_equal(sequential, parallel)


def test_predict_proba_exists_only_for_losses_with_probabilities() -> None:
    assert not hasattr(NetworkLossClassifier("hinge_loss"), "predict_proba")
    fitted = model("categorical_hinge").fit(X3, NAMES[Y3])
    assert not hasattr(fitted, "predict_proba")
    assert fitted.score(X3, NAMES[Y3]) > 0.8
    assert hasattr(model("exponential_loss"), "predict_proba")


BAD = [
    ({"loss": "zero_one_loss"}, "loss must have a gradient; got zero_one_loss"),
    (
        {"loss": "hinge_loss"},
        "Only binary classification is supported. y must hold two classes for hinge_loss; got 3",
    ),
    ({"hidden_layer_sizes": 8}, "hidden_layer_sizes must be a sequence of integers, .*; got 8"),
    ({"hidden_layer_sizes": (8, 0)}, "hidden_layer_sizes must be an integer >= 1; got 0"),
    ({"activation": "gelu"}, "unknown activation 'gelu'"),
    ({"dropout": 1.0}, "dropout must be >= 0 and < 1; got 1.0"),
    ({"alpha": -1.0}, "alpha must be >= 0"),
    ({"learning_rate": 0.0}, "learning_rate must be > 0"),
    ({"batch_size": 0}, "batch_size must be an integer >= 1"),
    ({"max_epochs": 2.5}, "max_epochs must be an integer >= 1"),
    ({"tol": -1.0}, "tol must be >= 0"),
    ({"early_stopping": "no"}, "early_stopping must be True or False; got 'no'"),
    ({"early_stopping": True}, "early_stopping=True requires held-out rows"),
    ({"validation_fraction": 1.0}, "validation_fraction must be > 0 and < 1"),
    ({"validation_fraction": 0.001}, "holds none out; set it higher"),
    ({"label_smoothing": 2.0}, "label_smoothing must be >= 0"),
    (
        {"class_weight": {"no": 2.0}},
        "labels of class_weight must be among the classes .*; got 'no'",
    ),
    ({"record": "brier_loss"}, "record must be"),
]


@pytest.mark.parametrize(("options", "message"), BAD)
def test_invalid_parameters_raise_input_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        model(**options).fit(X3, Y3)


def test_correct_probabilities_can_be_set_after_fit_with_class_weights() -> None:
    weights = {"bad": 1.0, "fair": 1.0, "good": 5.0}
    fitted = model(class_weight=weights).fit(X3, NAMES[Y3])
    shifted = fitted.predict_proba(X3)
    corrected = fitted.set_params(correct_probabilities=True).predict_proba(X3)
    expected = shifted / [1.0, 1.0, 5.0]
    np.testing.assert_allclose(corrected, expected / expected.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(fitted.predict_log_proba(X3), np.log(corrected))


def test_single_class_raises_an_error() -> None:
    with pytest.raises(InputError, match="y must hold at least 2 classes; got 1 class"):
        model().fit(X, np.zeros(240))


def test_correct_probabilities_can_be_set_after_fit() -> None:
    actual = model(loss="exponential_loss").fit(X, Y)
    raw = actual.predict_proba(X)
    corrected = actual.set_params(correct_probabilities=True).predict_proba(X)
    assert np.abs(raw - corrected).max() > 0.01
    np.testing.assert_array_equal(actual.predict_log_proba(X), np.log(corrected))
