"""Sixteen losses in one call, and the same by peers: one call each, and a suite in torch."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from importlib.util import find_spec
from typing import Any

import numpy as np
from scipy.special import rel_entr
from scipy.stats import entropy as scipy_entropy
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import (
    brier_score_loss,
    hinge_loss,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    zero_one_loss,
)

# The first twelve have a peer in a library; PEERS and TORCH below have all sixteen.
SUITE = (
    "categorical_crossentropy",
    "logarithmic_score",
    "brier_loss",
    "squared_error",
    "absolute_error",
    "zero_one_loss",
    "entropy",
    "kl_divergence",
    "categorical_hinge",
    "categorical_focal_crossentropy",
    "multi_margin_loss",
    "generalized_crossentropy",
    "weston_watkins_hinge",
    "spherical_loss",
    "ranked_probability_score",
    "poly1_crossentropy",
)


def _negative_margins(y: np.ndarray, raw: np.ndarray) -> np.ndarray:
    """Scores minus the score of the true class plus 1; 0 in the column of the true class."""
    rows = np.arange(len(y))
    margins = raw - raw[rows, y][:, np.newaxis] + 1.0
    margins[rows, y] = 0.0
    return margins


def _true(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return p[np.arange(len(y)), y]


def _focal(p: np.ndarray) -> np.ndarray:
    return -((1.0 - p) ** 2) * np.log(p)


# One function for each loss: of another library if it has the loss, else plain NumPy.
PEERS: dict[str, Callable[..., Any]] = {
    "categorical_crossentropy": lambda y, t, p, raw: log_loss(y, p),
    "logarithmic_score": lambda y, t, p, raw: log_loss(y, p) / np.log(2.0),
    "brier_loss": lambda y, t, p, raw: brier_score_loss(y, p),
    "squared_error": lambda y, t, p, raw: mean_squared_error(t, p),
    "absolute_error": lambda y, t, p, raw: mean_absolute_error(t, p),
    "zero_one_loss": lambda y, t, p, raw: zero_one_loss(y, p.argmax(axis=1)),
    "entropy": lambda y, t, p, raw: scipy_entropy(p, axis=1).mean(),
    "kl_divergence": lambda y, t, p, raw: rel_entr(t, p).sum(axis=1).mean(),
    "categorical_hinge": lambda y, t, p, raw: hinge_loss(y, raw, labels=np.arange(raw.shape[1])),
    "weston_watkins_hinge": lambda y, t, p, raw: (
        np.maximum(0.0, _negative_margins(y, raw)).sum(axis=1).mean()
    ),
    "categorical_focal_crossentropy": lambda y, t, p, raw: _focal(_true(y, p)).mean(),
    "spherical_loss": lambda y, t, p, raw: (1.0 - _true(y, p) / np.linalg.norm(p, axis=1)).mean(),
    "ranked_probability_score": lambda y, t, p, raw: (
        ((np.cumsum(p, axis=1) - np.cumsum(t, axis=1)) ** 2).sum(axis=1).mean()
    ),
    "generalized_crossentropy": lambda y, t, p, raw: ((1.0 - _true(y, p) ** 0.7) / 0.7).mean(),
    "poly1_crossentropy": lambda y, t, p, raw: (-np.log(_true(y, p)) + (1.0 - _true(y, p))).mean(),
    "multi_margin_loss": lambda y, t, p, raw: (
        np.maximum(0.0, _negative_margins(y, raw)).mean(axis=1).mean()
    ),
}


def _keras_focal(y: np.ndarray, t: np.ndarray, p: np.ndarray, raw: np.ndarray) -> float:
    import keras
    import torch

    target, predicted = torch.from_numpy(t), torch.from_numpy(p)
    return float(keras.losses.categorical_focal_crossentropy(target, predicted, alpha=1.0).mean())


def _torch_multi_margin(y: np.ndarray, t: np.ndarray, p: np.ndarray, raw: np.ndarray) -> float:
    import torch

    torch.set_num_threads(1)
    scores, labels = torch.from_numpy(raw), torch.from_numpy(y)
    return float(torch.nn.functional.multi_margin_loss(scores, labels))


if find_spec("torch") is not None:
    PEERS["multi_margin_loss"] = _torch_multi_margin
    if find_spec("keras") is not None:
        PEERS["categorical_focal_crossentropy"] = _keras_focal


class Shared:
    """Intermediate results that several losses use, computed once in torch."""

    def __init__(self, y: Any, t: Any, p: Any, raw: Any) -> None:
        self.y, self.t, self.p, self.raw = y, t, p, raw
        self.column = y.unsqueeze(1)

    @cached_property
    def log(self) -> Any:
        return self.p.log()

    @cached_property
    def nll(self) -> Any:
        return -self.log.gather(1, self.column).squeeze(1)

    @cached_property
    def true(self) -> Any:
        return self.p.gather(1, self.column).squeeze(1)

    @cached_property
    def residual(self) -> Any:
        return self.p - self.t

    @cached_property
    def squared(self) -> Any:
        return self.residual.square().sum(1)

    @cached_property
    def hinge(self) -> Any:
        margins = self.raw - self.raw.gather(1, self.column) + 1.0
        return margins.scatter_(1, self.column, 0.0).clamp_(min=0.0)

    @cached_property
    def hinge_sum(self) -> Any:
        return self.hinge.sum(1)


TORCH: dict[str, Callable[[Shared], Any]] = {
    "categorical_crossentropy": lambda s: s.nll.mean(),
    "logarithmic_score": lambda s: s.nll.mean() / np.log(2.0),
    "brier_loss": lambda s: s.squared.mean(),
    "squared_error": lambda s: s.squared.mean() / s.p.shape[1],
    "absolute_error": lambda s: s.residual.abs().mean(),
    "zero_one_loss": lambda s: (s.p.argmax(1) != s.y).double().mean(),
    "entropy": lambda s: -(s.p * s.log).sum(1).mean(),
    "kl_divergence": lambda s: s.nll.mean(),
    "categorical_hinge": lambda s: s.hinge.amax(1).mean(),
    "weston_watkins_hinge": lambda s: s.hinge_sum.mean(),
    "categorical_focal_crossentropy": lambda s: ((1 - s.true).square() * s.nll).mean(),
    "spherical_loss": lambda s: (1 - s.true / s.p.square().sum(1).sqrt()).mean(),
    "ranked_probability_score": lambda s: s.residual.cumsum(1).square().sum(1).mean(),
    "generalized_crossentropy": lambda s: ((1 - s.true**0.7) / 0.7).mean(),
    "poly1_crossentropy": lambda s: (s.nll + (1 - s.true)).mean(),
    "multi_margin_loss": lambda s: s.hinge_sum.mean() / s.p.shape[1],
}


def torch_suite(names: list[str], *arrays: np.ndarray) -> Callable[[], list[float]]:
    """All losses in torch, on tensors that share the memory of the arrays."""
    import torch

    torch.set_num_threads(1)
    tensors = [torch.from_numpy(array) for array in arrays]

    def work() -> list[float]:
        shared = Shared(*tensors)
        return [float(TORCH[name](shared)) for name in names]

    return work


class Remembered(ClassifierMixin, BaseEstimator):
    """Classifier that returns stored predictions, so that only the scorer is timed."""

    def __init__(self, fitted: object) -> None:
        self.fitted = fitted
        self.classes_ = fitted.classes_

    def remember(self, X: np.ndarray) -> None:
        self.proba_, self.decision_ = self.fitted.predict_proba(X), self.fitted.decision_function(X)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return self.proba_

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        return self.decision_
