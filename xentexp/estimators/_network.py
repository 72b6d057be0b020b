"""A small neural network as a classifier that is trained on any loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from xentexp._numerics import FloatArray, sigmoid
from xentexp.errors import InputError, import_extra, unknown_name
from xentexp.estimators._base import LossClassifier, check_count
from xentexp.estimators._history import History
from xentexp.estimators._holdout import TrainingRows, split_parts
from xentexp.losses import Loss
from xentexp.losses._base import check_number
from xentexp.losses._ordinal import CumulativeLinkLogLoss, default_thresholds
from xentexp.objectives import TrainingObjective, get_training_loss
from xentexp.objectives._objective import initial_scores

ACTIVATIONS: dict[str, tuple[str, Callable[[FloatArray], FloatArray]]] = {
    "relu": ("ReLU", lambda x: np.maximum(x, 0.0)),
    "tanh": ("Tanh", np.tanh),
    "logistic": ("Sigmoid", sigmoid),
    "identity": ("Identity", lambda x: x),
}
"""Names of scikit-learn's MLPClassifier -> the module of torch.nn, and its function of arrays."""

Layers = list[tuple[FloatArray, FloatArray]]
"""Weights ``(n_in, n_out)`` and biases ``(n_out,)`` of each layer."""

_ROWS = 8192  # that the network is applied to at once


class NetworkLossClassifier(LossClassifier):
    """A multilayer perceptron trained on any loss by Adam; needs torch to be fitted.

    It starts from the shares of the classes. Fitted, it is arrays: predictions and pickles
    need no torch. Columns should be scaled to unit variance before.

    Parameters
    ----------
    loss : str or Loss, default="categorical_crossentropy"
        What to train on: a name, a peer's name, or a loss.
    loss_params : dict, optional
        Parameters of the loss, where it is a name.
    hidden_layer_sizes : sequence of int, default=(32,)
        Units of each hidden layer; without any the model is linear.
    activation : {"relu", "tanh", "logistic", "identity"}
        What a hidden unit makes of its input.
    dropout : float, default=0
        Share of the hidden units that a step leaves out.
    alpha : float, default=0.0001
        L2 penalty: half of it times the sum of squared weights is added to the mean loss.
        Biases are free.
    learning_rate : float, default=0.001
        Of Adam.
    batch_size : int, default=200
        Rows of a step, at most.
    max_epochs : int, default=200
        Passes over the training rows, at most.
    early_stopping : bool, default=False
        Whether to watch the loss of the held-out rows instead of that of the training rows,
        and to keep the epoch in which it was least. Needs `validation_fraction`.
    validation_fraction : float, optional
        Share of the rows that is held out, of each class alike.
    n_iter_no_change : int, default=10
        Epochs in which the watched loss does not fall by `tol`, after which to stop.
    tol : float, default=0.0001
        See `n_iter_no_change`.
    class_weight : mapping, array-like of shape (k,), "balanced", or None
        Weight of each class.
    label_smoothing : float, default=0
        Share of the target that is spread evenly over the classes.
    correct_probabilities : bool, default=False
        Whether to undo what the loss, smoothing and class weights do to the probabilities.
    record : sequence of str or Loss, default=()
        Losses to record after each epoch beside the one that is trained on, which stops the
        training and is recorded anyway; None is no more than that.
    n_jobs : int, optional
        Threads of torch in `fit`; None for 1, -1 for all.
    random_state : int, RandomState or None
        Of weights, held-out rows, order and dropout. Torch's own generator is not touched.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Labels.
    n_features_in_, feature_names_in_
        As scikit-learn has them.
    coefs_, intercepts_ : list of ndarray
        Weights ``(n_in, n_out)`` and biases of each layer.
    n_iter_ : int
        Epochs that were trained.
    best_iteration_ : int
        Epoch whose weights are kept: the last one without `early_stopping`.
    learning_curve_ : dict
        ``"train"`` and, with `validation_fraction`, ``"valid"`` -> loss -> a value after each
        epoch. What is trained on is weighted and smoothed as in training, and without penalty.
    loss_curve_ : list of float
        The loss that is trained on, on the training part.

    Raises
    ------
    InputError
        Without torch, for bad parameters, and when training diverges.

    References
    ----------
    Kingma, D. P., Ba, J. (2015). Adam: a method for stochastic optimization. ICLR.

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> X, y = make_moons(300, noise=0.2, random_state=0)
    >>> model = NetworkLossClassifier("brier_loss", learning_rate=0.02, random_state=0)
    >>> model.fit(X, y).score(X, y) > 0.95
    True
    >>> model.predict_proba(X[:5]).shape
    (5, 2)
    """

    module: ClassVar[str] = "torch"

    def __init__(
        self,
        loss: str | Loss = "categorical_crossentropy",
        *,
        loss_params: Mapping[str, object] | None = None,
        hidden_layer_sizes: Sequence[int] = (32,),
        activation: str = "relu",
        dropout: float = 0.0,
        alpha: float = 0.0001,
        learning_rate: float = 0.001,
        batch_size: int = 200,
        max_epochs: int = 200,
        early_stopping: bool = False,
        validation_fraction: float | None = None,
        n_iter_no_change: int = 10,
        tol: float = 0.0001,
        class_weight: Mapping[Any, float] | ArrayLike | str | None = None,
        label_smoothing: float = 0.0,
        correct_probabilities: bool = False,
        record: Sequence[str | Loss] | None = (),
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.loss = loss
        self.loss_params = loss_params
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.alpha = alpha
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.correct_probabilities = correct_probabilities
        self.record = record
        self.n_jobs = n_jobs
        self.random_state = random_state

    # -- fitting ---------------------------------------------------------------------------

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train on rows.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Finite numbers.
        y : array-like of shape (n,)
            Labels of any type, of two classes or more.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows.

        Returns
        -------
        self
            Fitted.

        Raises
        ------
        InputError
            Without torch, for bad parameters, and when training diverges.
        """
        loss = get_training_loss(self.loss, self.loss_params)
        self._check_parameters()
        import_extra("torch", "NetworkLossClassifier")
        X, y = validate_data(self, X, y, dtype=np.float64)
        whole = self._read(loss, X, y, sample_weight)
        if whole.weight is not None:
            whole = whole.of(np.flatnonzero(whole.weight))
        rng = check_random_state(self.random_state)
        parts = split_parts(whole, self.validation_fraction, rng)
        history = self._history(parts)
        seed = int(rng.randint(np.iinfo(np.int32).max))
        with _torch_settings(effective_n_jobs(self.n_jobs), seed):
            layers = self._train(parts, history)
        self.coefs_ = [weight for weight, _ in layers]
        self.intercepts_ = [bias for _, bias in layers]
        self.learning_curve_ = history.curve
        self.loss_curve_ = history.curve["train"][loss.name]
        self.n_iter_ = len(self.loss_curve_)
        self.best_iteration_ = history.best_round() if self.early_stopping else self.n_iter_
        return self

    def _train(self, parts: Mapping[str, TrainingRows], history: History) -> Layers:
        """Layers of the epoch that is kept."""
        import torch

        train = parts["train"]
        objective = train.training
        batch_loss = _batch_loss(objective)
        # Over the mean of all rows, not of the batch: light batches make short steps.
        mean_weight = objective.total_weight / objective.n_rows
        net = self._network(train.X.shape[1], objective)
        linear = [layer for layer in net if isinstance(layer, torch.nn.Linear)]
        parameters = list(net.parameters())
        optimizer = torch.optim.Adam(parameters, lr=self.learning_rate, fused=True)
        curve = history.curve["valid" if self.early_stopping else "train"]
        least, waited = np.inf, 0
        for epoch in range(1, self.max_epochs + 1):
            for rows in map(
                torch.Tensor.numpy, torch.randperm(objective.n_rows).split(self.batch_size)
            ):
                weight = 1.0 if objective.weight is None else objective.weight[rows]
                if not np.any(weight):
                    continue
                scores = net(torch.from_numpy(train.X.take(rows, axis=0)))
                raw = scores.detach().numpy()
                raw = raw[:, 0] if objective.n_scores == 1 else raw
                targets = batch_loss.read(objective.index[rows], raw.shape)
                try:
                    _, gradient = batch_loss.values_gradient(raw, targets)
                except InputError:
                    self._check_finite(raw, epoch)
                    raise
                factor = weight / (len(rows) * mean_weight)
                for parameter in parameters:
                    parameter.grad = None  # as zero_grad does, in a tenth of its time
                slopes = (gradient.T * factor).T.reshape(scores.shape)
                scores.backward(torch.from_numpy(slopes))
                for layer in linear:  # quicker than a second group with Adam's weight_decay
                    layer.weight.grad.add_(layer.weight.detach(), alpha=self.alpha)
                optimizer.step()
            layers = [
                (layer.weight.detach().numpy().T.copy(), layer.bias.detach().numpy().copy())
                for layer in linear
            ]
            for name, part in parts.items():
                by_class = _forward(part.X, layers, self.activation)
                self._check_finite(by_class, epoch)
                history.record(name, by_class)
            value = curve[objective.loss.name][-1]
            waited = waited + 1 if value > least - self.tol else 0
            if epoch == 1 or value < least or not self.early_stopping:
                best_layers = layers
            least = min(value, least)
            if waited >= self.n_iter_no_change:
                break
        return best_layers

    def _network(self, n_features: int, objective: TrainingObjective) -> Any:
        """Torch's module, with scores that start near the class shares."""
        from torch import float64, from_numpy, nn

        sizes = [n_features, *map(int, self.hidden_layer_sizes), objective.n_scores]
        modules: list[Any] = []
        for n_in, n_out in pairwise(sizes):
            modules.append(nn.Linear(n_in, n_out, dtype=float64))
            modules.append(getattr(nn, ACTIVATIONS[self.activation][0])())
            if self.dropout:
                modules.append(nn.Dropout(self.dropout))
        del modules[-2 if self.dropout else -1 :]  # the last layer gives the scores
        modules[-1].bias.data = from_numpy(initial_scores(objective))
        return nn.Sequential(*modules)

    def _check_finite(self, scores: FloatArray, epoch: int) -> None:
        if not np.isfinite(scores).all():
            raise InputError(
                f"training diverged in epoch {epoch}; scale the columns of X, or set "
                f"learning_rate below {self.learning_rate}"
            )

    def _check_parameters(self) -> None:
        for name in ("batch_size", "max_epochs", "n_iter_no_change"):
            check_count(name, getattr(self, name))
        if isinstance(self.hidden_layer_sizes, (str, Mapping)) or not hasattr(
            self.hidden_layer_sizes, "__iter__"
        ):
            raise InputError(
                f"hidden_layer_sizes must be a sequence of integers; got "
                f"{self.hidden_layer_sizes!r}"
            )
        for size in self.hidden_layer_sizes:
            check_count("hidden_layer_sizes", size)
        if self.activation not in ACTIVATIONS:
            raise unknown_name("activation", self.activation, ACTIVATIONS)
        check_number("alpha", self.alpha, 0.0, np.inf)
        check_number("learning_rate", self.learning_rate, 0.0, np.inf, low_open=True)
        check_number("tol", self.tol, 0.0, np.inf)
        check_number("dropout", self.dropout, 0.0, 1.0)
        if self.dropout == 1.0:
            raise InputError(f"dropout must be < 1; got {self.dropout!r}")
        self._check_fraction()
        if self.early_stopping and self.validation_fraction is None:
            raise InputError(
                "early_stopping needs rows to watch; set validation_fraction, e.g. to 0.1"
            )

    # -- predicting ------------------------------------------------------------------------

    def _scores(self, X: ArrayLike) -> FloatArray:
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        layers = list(zip(self.coefs_, self.intercepts_, strict=True))
        return _forward(rows, layers, self.activation)


def _forward(X: FloatArray, layers: Layers, activation: str) -> FloatArray:
    """Raw scores ``(n_scores, n)``, without torch."""
    activate = ACTIVATIONS[activation][1]
    scores = np.empty((len(layers[-1][1]), len(X)))
    for start in range(0, len(X), _ROWS):
        hidden = X[start : start + _ROWS]
        for weight, bias in layers[:-1]:
            hidden = activate(hidden @ weight + bias)
        weight, bias = layers[-1]
        scores[:, start : start + _ROWS] = (hidden @ weight + bias).T
    return scores


def _batch_loss(objective: TrainingObjective) -> Any:
    """What `TorchLoss` computes of a batch, without the cost of a graph node of its own."""
    from xentexp.objectives._torch import BatchLoss

    loss = objective.loss
    if isinstance(loss, CumulativeLinkLogLoss) and loss.thresholds is None:
        loss = replace(loss, thresholds=default_thresholds(objective.n_classes))
    return BatchLoss(loss, label_smoothing=objective.label_smoothing)


@contextmanager
def _torch_settings(n_threads: int, seed: int) -> Iterator[None]:
    """Threads, seed and gradients of torch, put back at the end."""
    torch = import_extra("torch", "NetworkLossClassifier")
    threads_before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.default_generator.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads_before)
