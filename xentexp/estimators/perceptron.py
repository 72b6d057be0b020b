"""A multilayer perceptron in float64: NumPy holds and applies it, torch trains it in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xentexp.errors import InputError
from xentexp.numerics import FloatArray, sigmoid

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


def import_torch() -> Any:
    """The package torch.

    Returns
    -------
    module
        Imported now, if it was not.

    Raises
    ------
    InputError
        Where it is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise InputError("a network needs torch; pip install 'xentexp[torch]'") from error
    return torch


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
    torch = import_torch()
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
        torch = import_torch()
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
