"""Neural network classifier that is trained on any loss."""

from __future__ import annotations

import threading
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

from xentexp._inputs.asarray import refuse_collection
from xentexp._inputs.labels import refuse_missing_labels
from xentexp._inputs.options import check_bool, check_n_jobs
from xentexp._numerics import FloatArray, sigmoid
from xentexp.errors import InputError, import_extra, unknown_name
from xentexp.estimators._base import LossClassifier, check_count
from xentexp.estimators._history import History
from xentexp.estimators._holdout import TrainingRows, split_parts
from xentexp.estimators._tabular_input import dense_rows, plain_frame
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
"""Name in scikit-learn's MLPClassifier -> name in torch.nn, and the same function of arrays."""

Layers = list[tuple[FloatArray, FloatArray]]
"""Weights ``(n_in, n_out)`` and biases ``(n_out,)`` of each layer."""

_PREDICT_ROWS = 8192  # rows per block when predicting


class NetworkLossClassifier(LossClassifier):
    """Neural network classifier (multilayer perceptron) that is trained on any loss by Adam.

    `fit` requires torch. The fitted network is stored as arrays: predicting and unpickling do not
    require torch. Scale the columns first, for example with
    `sklearn.preprocessing.StandardScaler`.

    Parameters
    ----------
    loss : str or Loss, default="categorical_crossentropy"
        Loss to minimize: its name, the name that another library uses for it (for example
        ``"log_loss"``), or an object from `xentexp.get_loss`. It must be a loss of class labels
        that has a gradient.
    loss_params : mapping, default=None
        Parameters of the loss, for example ``{"gamma": 2.0}`` for
        ``"categorical_focal_crossentropy"``. They replace the defaults of the loss, and the
        parameters of a loss that is passed as an object. None changes no parameter.
    hidden_layer_sizes : sequence of int, default=(32,)
        Number of units of each hidden layer. ``()`` gives a linear model.
    activation : {"relu", "tanh", "logistic", "identity"}, default="relu"
        Activation function of the hidden units, by its name in
        `sklearn.neural_network.MLPClassifier`.
    dropout : float, default=0.0
        Probability, at least 0 and below 1, with which a hidden unit is omitted in a training step.
    alpha : float, default=0.0001
        Strength of the L2 penalty: ``alpha / 2`` times the sum of the squared weights is added to
        the mean loss. Biases are not penalized.
    learning_rate : float, default=0.001
        Positive step size of Adam.
    batch_size : int, default=200
        Maximum number of rows of a training step.
    max_epochs : int, default=200
        Maximum number of passes over the training rows.
    early_stopping : bool, default=False
        If True, training monitors the loss of the held-out rows and keeps the weights of the epoch
        with the lowest one; it requires `validation_fraction`. If False, training monitors the loss
        of the training rows and keeps the weights of the last epoch.
    validation_fraction : float, default=None
        Fraction of the rows, above 0 and below 1, that is held out of training, stratified by
        class; every class keeps at least one training row. None holds no row out.
    n_iter_no_change : int, default=10
        Training stops after this number of consecutive epochs in which the monitored loss does not
        fall by at least `tol` below its lowest value.
    tol : float, default=0.0001
        Smallest decrease of the monitored loss that counts, see `n_iter_no_change`.
    class_weight : dict, array-like of shape (k,), "balanced" or None, default=None
        Weight of each class. A mapping has the labels as keys; labels that it omits get the weight
        1. An array has one weight per class in the order of `classes_`. ``"balanced"`` gives all
        classes the same total weight, ``n / (k * np.bincount(y))``; if `fit` receives sample
        weights, they are counted instead of rows. Class weights multiply the sample weights. None
        gives every class the weight 1.
    label_smoothing : float, default=0.0
        Fraction of the target, between 0 and 1, that is spread evenly over the classes. 0 uses the
        labels unchanged.
    correct_probabilities : bool, default=False
        If True, `predict_proba` corrects the probabilities for the shift that the loss, the class
        weights and label smoothing cause, see Notes. It may also be changed with `set_params` after
        `fit`. Without it, probabilities of a loss that is not proper can be far from the true ones.
    record : sequence of str or Loss or None, default=()
        Losses to record in `learning_curve_` after each epoch, in addition to the loss that is
        trained on, which is always recorded because it stops the training. None has the same
        effect as ``()``.
    n_jobs : int, default=None
        Number of threads of torch during `fit`. None means 1, unless a ``joblib.parallel_config``
        context sets another number; -1 means all processors.
    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights, the held-out rows, the order of the rows and dropout. Torch's
        global random state is not changed. Pass an int for reproducible results.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Class labels, sorted.
    class_weight_ : ndarray of shape (k,) or None
        Weight of each class; None if `class_weight` is None.
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of each layer.
    intercepts_ : list of ndarray of shape (n_out,)
        Biases of each layer.
    n_iter_ : int
        Number of epochs that were trained.
    best_iteration_ : int
        Epoch whose weights are kept: the best one with `early_stopping`, else the last one.
    learning_curve_ : dict
        ``{"train": {loss: [value after each epoch]}}``, and ``"valid"`` if `validation_fraction` is
        set. The loss that is trained on has the class weights and the smoothing of training, but no
        penalty; other losses have only the sample weights.
    loss_curve_ : list of float
        Loss that is trained on, for the training rows, after each epoch.
    n_features_in_ : int
        Number of columns of the training rows.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns; only if all names are strings.

    Raises
    ------
    InputError
        In `fit`, if torch is not installed, if a parameter is not valid, or if training diverges.

    See Also
    --------
    sklearn.neural_network.MLPClassifier : Neural network that is trained on the cross-entropy.
    LinearLossClassifier : Linear model that is trained on any loss.
    xentexp.objectives.TorchLoss : Any loss as a torch module, for networks of your own.
    xentexp.tuning.TunedClassifier : Search of the parameters of a classifier.

    Notes
    -----
    With weights ``w_i`` (sample weight times class weight) and the raw scores ``s_i`` of the
    network, training minimizes::

        sum_i w_i * l(y_i, s_i) / sum_i w_i + alpha / 2 * ||coefs||^2

    by Adam [4]_. The biases of the last layer start at the raw scores of the class proportions.

    `predict_proba` applies the link of the loss to the raw scores: a softmax for most losses (for
    two classes a sigmoid), the tempered softmax for ``"bi_tempered_logistic_loss"``, the thresholds
    for losses of one latent score. Scores of losses of decision scores, such as exponential loss,
    are read as logits. Losses whose scores do not determine probabilities, such as
    ``"hinge_loss"``, have neither `predict_proba` nor `predict_log_proba`.

    A loss that is not proper (such as focal or exponential loss), label smoothing and class weights
    shift these probabilities away from the true ones. With ``correct_probabilities=True``,
    `predict_proba` returns the class distribution for which the scores minimize the expected loss
    [1]_ [2]_ [3]_. A model that reaches the minimum then gives true probabilities, and for two
    classes the order of the rows does not change. A model that stops before the minimum, as after
    few epochs, is corrected too much or too little.

    References
    ----------
    .. [1] Zhang, T. (2004). Statistical behavior and consistency of classification methods based
       on convex risk minimization. Annals of Statistics 32, 56-85.
    .. [2] Reid, M. D., Williamson, R. C. (2010). Composite binary losses. JMLR 11, 2387-2422.
    .. [3] Charoenphakdee, N. et al. (2021). On focal loss for class-posterior probability
       estimation: a theoretical perspective. CVPR.
    .. [4] Kingma, D. P., Ba, J. (2015). Adam: a method for stochastic optimization. ICLR.

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from xentexp.estimators import NetworkLossClassifier
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
        """Fit the model to training rows.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, n_features)
            Training rows, finite numbers; they are converted to float64. Sparse rows stay sparse;
            only the rows of a training step are made dense.
        y : array-like of shape (n,)
            Labels of any type, of at least two classes.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row, finite and not negative. None gives every row the weight 1. Rows of
            weight 0 have no effect.

        Returns
        -------
        self : NetworkLossClassifier
            The fitted classifier.

        Raises
        ------
        InputError
            If torch is not installed, if the loss cannot be trained on, if a parameter is not
            valid, or if training diverges.
        """
        loss = get_training_loss(self.loss, self.loss_params)
        self._check_parameters()
        refuse_missing_labels(y)
        import_extra("torch", "NetworkLossClassifier")
        X = plain_frame(X, keep_zeros=True)
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=np.float64)
        all_rows = self._read(loss, X, y, sample_weight)
        rng = check_random_state(self.random_state)
        parts = split_parts(all_rows, self.validation_fraction, rng)
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
        """Train the network; returns the layers of the epoch that is kept."""
        import torch

        train = parts["train"]
        objective = train.training
        batch_loss = _batch_loss(objective)
        # Divide by the mean weight of all rows, not of the batch: a batch of small weights makes a
        # small step.
        mean_weight = objective.total_weight / objective.n_rows
        net = self._network(train.X.shape[1], objective)
        linear = [layer for layer in net if isinstance(layer, torch.nn.Linear)]
        parameters = list(net.parameters())
        optimizer = torch.optim.Adam(parameters, lr=self.learning_rate, fused=True)
        curve = history.curve["valid" if self.early_stopping else "train"]
        lowest, epochs_without_decrease = np.inf, 0
        for epoch in range(1, self.max_epochs + 1):
            for rows in map(
                torch.Tensor.numpy, torch.randperm(objective.n_rows).split(self.batch_size)
            ):
                weight = 1.0 if objective.weight is None else objective.weight[rows]
                if not np.any(weight):
                    continue
                scores = net(torch.from_numpy(dense_rows(train.X, rows)))
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
                    parameter.grad = None  # the same as zero_grad, ten times as fast
                slopes = (gradient.T * factor).T.reshape(scores.shape)
                scores.backward(torch.from_numpy(slopes))
                for layer in linear:  # faster than a parameter group with weight_decay
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
            no_decrease = value > lowest - self.tol
            epochs_without_decrease = epochs_without_decrease + 1 if no_decrease else 0
            if epoch == 1 or value < lowest or not self.early_stopping:
                best_layers = layers
            lowest = min(value, lowest)
            if epochs_without_decrease >= self.n_iter_no_change:
                break
        return best_layers

    def _network(self, n_features: int, objective: TrainingObjective) -> Any:
        """Torch module; the biases of its last layer give the class proportions."""
        from torch import float64, from_numpy, nn

        sizes = [n_features, *map(int, self.hidden_layer_sizes), objective.n_scores]
        modules: list[Any] = []
        for n_in, n_out in pairwise(sizes):
            modules.append(nn.Linear(n_in, n_out, dtype=float64))
            modules.append(getattr(nn, ACTIVATIONS[self.activation][0])())
            if self.dropout:
                modules.append(nn.Dropout(self.dropout))
        del modules[-2 if self.dropout else -1 :]  # no activation and dropout after the last layer
        modules[-1].bias.data = from_numpy(initial_scores(objective))
        return nn.Sequential(*modules)

    def _check_finite(self, scores: FloatArray, epoch: int) -> None:
        if not np.isfinite(scores).all():
            raise InputError(
                f"learning_rate must be small enough for X; got {self.learning_rate!r}, with which "
                f"training diverged in epoch {epoch}; scale the columns of X, or lower "
                f"learning_rate"
            )

    def _check_parameters(self) -> None:
        check_bool("early_stopping", self.early_stopping)
        check_n_jobs(self.n_jobs)
        for name in ("batch_size", "max_epochs", "n_iter_no_change"):
            check_count(name, getattr(self, name))
        refuse_collection(self.hidden_layer_sizes, "hidden_layer_sizes")
        if isinstance(self.hidden_layer_sizes, str) or not hasattr(
            self.hidden_layer_sizes, "__iter__"
        ):
            raise InputError(
                f"hidden_layer_sizes must be a sequence of integers, e.g. (32,); got "
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
            raise InputError(f"dropout must be >= 0 and < 1; got {self.dropout!r}")
        self._check_fraction()
        if self.early_stopping and self.validation_fraction is None:
            raise InputError(
                "early_stopping=True requires held-out rows; got validation_fraction=None; set "
                "validation_fraction, e.g. to 0.1"
            )

    # -- predicting ------------------------------------------------------------------------

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _scores(self, X: ArrayLike) -> FloatArray:
        check_is_fitted(self)
        rows = validate_data(
            self,
            plain_frame(X, keep_zeros=True),
            accept_sparse="csr",
            dtype=np.float64,
            reset=False,
        )
        layers = list(zip(self.coefs_, self.intercepts_, strict=True))
        return _forward(rows, layers, self.activation)


def _forward(X: Any, layers: Layers, activation: str) -> FloatArray:
    """Raw scores (n_scores, n), computed without torch."""
    activate = ACTIVATIONS[activation][1]
    n_rows = X.shape[0]
    scores = np.empty((len(layers[-1][1]), n_rows))
    for start in range(0, n_rows, _PREDICT_ROWS):
        hidden = X[start : start + _PREDICT_ROWS]
        for weight, bias in layers[:-1]:
            hidden = activate(hidden @ weight + bias)
        weight, bias = layers[-1]
        scores[:, start : start + _PREDICT_ROWS] = (hidden @ weight + bias).T
    return scores


def _batch_loss(objective: TrainingObjective) -> Any:
    """Loss of a batch as in `TorchLoss`; called directly, it needs no node in torch's graph."""
    from xentexp.objectives._torch import BatchLoss

    loss = objective.loss
    if isinstance(loss, CumulativeLinkLogLoss) and loss.thresholds is None:
        loss = replace(loss, thresholds=default_thresholds(objective.n_classes))
    return BatchLoss(loss, label_smoothing=objective.label_smoothing)


_SETTINGS_LOCK = threading.RLock()
"""The settings belong to the process, so that fits in parallel threads wait for each other."""


@contextmanager
def _torch_settings(n_threads: int, seed: int) -> Iterator[None]:
    """Set threads, seed and gradient mode of torch, and restore them at the end."""
    torch = import_extra("torch", "NetworkLossClassifier")
    with _SETTINGS_LOCK:
        threads_before = torch.get_num_threads()
        torch.set_num_threads(n_threads)
        try:
            with torch.random.fork_rng(devices=[]), torch.enable_grad():
                torch.default_generator.manual_seed(seed)
                yield
        finally:
            torch.set_num_threads(threads_before)
