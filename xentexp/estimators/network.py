"""A small neural network as a classifier that is trained on any loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from xentexp.errors import InputError, import_extra, unknown_name
from xentexp.estimators.base import LossClassifier, check_count
from xentexp.estimators.history import History
from xentexp.estimators.holdout import TrainingRows, split_parts
from xentexp.losses import Loss
from xentexp.losses.base import check_number
from xentexp.numerics import FloatArray, sigmoid
from xentexp.objectives import TrainingObjective, find_loss
from xentexp.objectives.objective import initial_scores


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
    Kingma, D. P., Ba, J. (2015). Adam: a method for stochastic optimization. ICLR. Glorot, X.,
    Bengio, Y. (2010). Understanding the difficulty of training deep feedforward neural networks.
    AISTATS.

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
        definition = find_loss(self.loss, self.loss_params)
        self._check_parameters()
        import_extra("torch", "NetworkLossClassifier")
        numbers, labels = validate_data(self, X, y, dtype=np.float64)
        whole = self._read(definition, numbers, labels, sample_weight)
        if whole.weight is not None:
            whole = whole.of(np.flatnonzero(whole.weight))
        rng = check_random_state(self.random_state)
        parts = split_parts(whole, self.validation_fraction, rng)
        progress = self._progress(parts)
        with torch_threads(effective_n_jobs(self.n_jobs)):
            net = self._train(parts, progress, rng)
        self.coefs_, self.intercepts_ = net.weights, net.biases
        self.learning_curve_ = progress.curve
        self.loss_curve_ = progress.curve["train"][definition.name]
        self.n_iter_ = len(self.loss_curve_)
        self.best_iteration_ = progress.best_round() if self.early_stopping else self.n_iter_
        return self

    def _train(
        self,
        parts: Mapping[str, TrainingRows],
        progress: History,
        rng: np.random.RandomState,
    ) -> Perceptron:
        """Network of the epoch that is kept."""
        watched = "valid" if self.early_stopping else "train"
        X, training = parts["train"].X, parts["train"].training
        sizes = [X.shape[1], *self.hidden_layer_sizes, training.n_scores]
        net = Perceptron.drawn(sizes, self.activation, initial_scores(training), rng)
        steps = Steps(
            net,
            learning_rate=self.learning_rate,
            alpha=self.alpha,
            dropout=self.dropout,
            seed=int(rng.randint(np.iinfo(np.int32).max)),
        )
        kept, least, waited = net, np.inf, 0
        for epoch in range(self.max_epochs):
            self._pass(X, training, steps, rng)
            for name, part in parts.items():
                scores = net.scores(part.X)
                if not np.isfinite(scores).all():
                    raise InputError(
                        f"training diverged in epoch {epoch + 1}; scale the columns of X, or set "
                        f"learning_rate below {self.learning_rate}"
                    )
                progress.record(name, scores)
            value = progress.curve[watched][training.definition.name][-1]
            waited = waited + 1 if value > least - self.tol else 0
            if value < least:
                least = value
                kept = net.copy() if self.early_stopping else net
            if waited >= self.n_iter_no_change:
                break
        return kept

    def _pass(
        self,
        X: FloatArray,
        training: TrainingObjective,
        steps: Steps,
        rng: np.random.RandomState,
    ) -> None:
        """One epoch: a step on each batch, in random order."""
        order = rng.permutation(training.n_rows)
        mean_weight = training.total_weight / training.n_rows
        for first in range(0, training.n_rows, self.batch_size):
            rows = order[first : first + self.batch_size]
            if training.weight is not None and not training.weight[rows].any():
                continue
            batch = training.of(rows)
            # The mean weight of all rows, not of the batch: light batches make short steps.
            steps.step(X.take(rows, axis=0), partial(_slopes, batch, len(rows) * mean_weight))

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
        return Perceptron(self.coefs_, self.intercepts_, self.activation).scores(rows)


def _slopes(batch: TrainingObjective, divisor: float, scores: FloatArray) -> FloatArray:
    return batch.gradient_hessian(scores)[0] / divisor


ACTIVATIONS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "relu": lambda x: np.maximum(x, 0.0),
    "tanh": np.tanh,
    "logistic": sigmoid,
    "identity": lambda x: x,
}
"""What a hidden unit makes of its input; the names are those of scikit-learn's MLPClassifier."""

_ROWS = 8192  # applied at once


@dataclass(frozen=True)
class Perceptron:
    """Layers of weights and biases.

    Parameters
    ----------
    weights : list of ndarray of shape (n_in, n_out)
        Of each layer.
    biases : list of ndarray of shape (n_out,)
        Likewise.
    activation : str
        Of `ACTIVATIONS`, between the layers.

    Examples
    --------
    >>> import numpy as np
    >>> net = Perceptron.drawn([3, 4, 1], "relu", np.array([-1.0]), np.random.RandomState(0))
    >>> net.scores(np.zeros((2, 3))).shape, [w.shape for w in net.weights]
    ((1, 2), [(3, 4), (4, 1)])
    """

    weights: list[FloatArray]
    biases: list[FloatArray]
    activation: str

    @classmethod
    def drawn(
        cls,
        sizes: Sequence[int],
        activation: str,
        start: FloatArray,
        rng: np.random.RandomState,
    ) -> Perceptron:
        """Perceptron with random weights, whose scores lie about `start`.

        Parameters
        ----------
        sizes : sequence of int
            Width of each layer, from the features to the scores.
        activation : str
            Of `ACTIVATIONS`.
        start : ndarray of shape (n_scores,)
            Biases of the last layer.
        rng : RandomState
            Draws weights and other biases.

        Returns
        -------
        Perceptron
            Uniform in the bounds of Glorot and Bengio (2010), as scikit-learn has them.
        """
        weights, biases = [], []
        for n_in, n_out in pairwise(sizes):
            bound = np.sqrt((2.0 if activation == "logistic" else 6.0) / (n_in + n_out))
            weights.append(rng.uniform(-bound, bound, (n_in, n_out)))
            biases.append(rng.uniform(-bound, bound, n_out))
        biases[-1] = np.array(start, dtype=np.float64)
        return cls(weights, biases, activation)

    def copy(self) -> Perceptron:
        """Perceptron that training does not change.

        Returns
        -------
        Perceptron
            With arrays of its own.
        """
        return Perceptron([w.copy() for w in self.weights], [b.copy() for b in self.biases],
                          self.activation)  # fmt: skip

    def scores(self, X: FloatArray) -> FloatArray:
        """Raw scores of rows.

        Parameters
        ----------
        X : ndarray of shape (n, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_scores, n)
            By class.
        """
        activate = ACTIVATIONS[self.activation]
        out = np.empty((len(self.biases[-1]), len(X)))
        for first in range(0, len(X), _ROWS):
            rows = slice(first, first + _ROWS)
            hidden = X[rows]
            for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
                hidden = activate(hidden @ weight + bias)
            out[:, rows] = (hidden @ self.weights[-1] + self.biases[-1]).T
        return out


@contextmanager
def torch_threads(n: int) -> Iterator[None]:
    """Let torch use `n` threads for a while: its setting is one for the whole process.

    Parameters
    ----------
    n : int
        Number of threads.

    Yields
    ------
    None
        While it holds.
    """
    torch = import_extra("torch", "NetworkLossClassifier")
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Steps:
    """Adam's steps on a perceptron, whose arrays they change.

    Parameters
    ----------
    net : Perceptron
        What is trained.
    learning_rate : float
        Length of a step.
    alpha : float
        Half of it times the squared weights is added to the loss; biases are free.
    dropout : float
        Share of hidden units that a step leaves out.
    seed : int
        Of the units that are left out; torch's own generator is not touched.
    """

    def __init__(
        self, net: Perceptron, *, learning_rate: float, alpha: float, dropout: float, seed: int
    ) -> None:
        torch = import_extra("torch", "NetworkLossClassifier")
        self._torch = torch
        self._dropout = dropout
        self._generator = torch.Generator().manual_seed(seed)
        self._activate = {
            "relu": torch.relu,
            "tanh": torch.tanh,
            "logistic": torch.sigmoid,
            "identity": lambda x: x,
        }[net.activation]
        # The tensors are views: what Adam writes, NumPy sees.
        self._weights = [torch.from_numpy(w).requires_grad_() for w in net.weights]
        self._biases = [torch.from_numpy(b).requires_grad_() for b in net.biases]
        self._alpha = alpha
        self._optimizer = torch.optim.Adam(
            [*self._weights, *self._biases], lr=learning_rate, fused=True
        )

    def step(
        self, X: FloatArray, slopes: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    ) -> None:
        """One step on one batch.

        Parameters
        ----------
        X : ndarray of shape (n, n_features)
            Rows of the batch.
        slopes : callable
            Raw scores (n_scores, n) -> their derivatives of the batch's loss.
        """
        with self._torch.enable_grad():
            scores = self._scores(self._torch.from_numpy(X))
            gradient = slopes(scores.detach().numpy().T)
            for parameter in (*self._weights, *self._biases):
                parameter.grad = None  # as zero_grad does, in a tenth of its time
            scores.backward(self._torch.from_numpy(gradient.T))
        for weight in self._weights:  # quicker than a second group for Adam's weight_decay
            weight.grad.add_(weight.detach(), alpha=self._alpha)
        self._optimizer.step()

    def _scores(self, hidden: Any) -> Any:
        torch = self._torch
        for weight, bias in zip(self._weights[:-1], self._biases[:-1], strict=True):
            hidden = self._activate(torch.addmm(bias, hidden, weight))
            if self._dropout:
                kept = torch.empty_like(hidden)
                kept.bernoulli_(1.0 - self._dropout, generator=self._generator)
                hidden = hidden * (kept / (1.0 - self._dropout))
        return torch.addmm(self._biases[-1], hidden, self._weights[-1])
