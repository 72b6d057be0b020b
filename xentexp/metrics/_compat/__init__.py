"""Conventions of peers (other libraries): the numbers that they return for the same input.

A convention comprises the clip, the denominator of a weighted mean, renormalised rows, ignored
labels, label smoothing, class weights, and the treatment of invalid input: if the peer raises an
error, so does the convention; if the peer returns a number or NaN, so does the convention. The
peers are not imported. Numbers are equal up to rounding in the dtype of the predictions.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from xentexp.errors import InputError, unknown_name
from xentexp.metrics._compat import keras, sklearn, torch

VERSIONS = {"sklearn": "1.9.1", "keras": "3.15.1", "torch": "2.13.0"}
"""Version of each peer whose numbers are returned."""


@dataclass(frozen=True)
class Peer:
    """A function of a peer and the function here that returns the same numbers."""

    name: str  # dotted, as it is imported
    function: Callable[..., Any]  # of targets, predictions and the keywords of the peer

    @property
    def keywords(self) -> tuple[str, ...]:
        """Keywords of the function."""
        parameters = inspect.signature(self.function).parameters.values()
        return tuple(p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY)


def _peers(**peers: Peer) -> dict[str, Peer]:
    return {name: peers[name] for name in VERSIONS if name in peers}


def _sklearn(function: Callable[..., Any]) -> Peer:
    return Peer(f"sklearn.metrics.{function.__name__}", function)


def _keras(name: str, function: Callable[..., Any]) -> Peer:
    return Peer(f"keras.losses.{name}", function)


def _torch(name: str, function: Callable[..., Any]) -> Peer:
    return Peer(f"torch.nn.{name}", function)


_BINARY = {
    "keras": _keras("BinaryCrossentropy", keras.binary_crossentropy),
    "torch": _torch("BCELoss, BCEWithLogitsLoss", torch.binary_crossentropy),
}
_CROSS_ENTROPY = _torch("CrossEntropyLoss, NLLLoss", torch.categorical_crossentropy)

CONVENTIONS: dict[str, dict[str, Peer]] = {
    "binary_crossentropy": _peers(sklearn=_sklearn(sklearn.log_loss), **_BINARY),
    "multilabel_crossentropy": _peers(**_BINARY),
    "categorical_crossentropy": _peers(
        sklearn=_sklearn(sklearn.log_loss),
        keras=_keras("CategoricalCrossentropy", keras.categorical_crossentropy),
        torch=_CROSS_ENTROPY,
    ),
    "sparse_categorical_crossentropy": _peers(
        sklearn=_sklearn(sklearn.log_loss),
        keras=_keras("SparseCategoricalCrossentropy", keras.sparse_categorical_crossentropy),
        torch=_CROSS_ENTROPY,
    ),
    "binary_focal_crossentropy": _peers(
        keras=_keras("BinaryFocalCrossentropy", keras.binary_focal_crossentropy),
    ),
    "categorical_focal_crossentropy": _peers(
        keras=_keras("CategoricalFocalCrossentropy", keras.categorical_focal_crossentropy),
    ),
    "generalized_crossentropy": _peers(
        keras=_keras("CategoricalGeneralizedCrossEntropy", keras.generalized_crossentropy),
    ),
    "brier_loss": _peers(sklearn=_sklearn(sklearn.brier_score_loss)),
    "d2_score": _peers(
        sklearn=Peer("sklearn.metrics.d2_log_loss_score, d2_brier_score", sklearn.d2_score)
    ),
    "zero_one_loss": _peers(sklearn=_sklearn(sklearn.zero_one_loss)),
    "hinge_loss": _peers(
        sklearn=_sklearn(sklearn.hinge_loss), keras=_keras("Hinge", keras.hinge_loss)
    ),
    "squared_hinge_loss": _peers(keras=_keras("SquaredHinge", keras.squared_hinge_loss)),
    "categorical_hinge": _peers(
        sklearn=_sklearn(sklearn.hinge_loss),
        keras=_keras("CategoricalHinge", keras.categorical_hinge),
    ),
    "multi_margin_loss": _peers(torch=_torch("MultiMarginLoss", torch.multi_margin_loss)),
    "logistic_margin_loss": _peers(torch=_torch("SoftMarginLoss", torch.logistic_margin_loss)),
    "squared_error": _peers(
        sklearn=_sklearn(sklearn.mean_squared_error),
        keras=_keras("MeanSquaredError", keras.squared_error),
        torch=_torch("MSELoss", torch.squared_error),
    ),
    "absolute_error": _peers(
        sklearn=_sklearn(sklearn.mean_absolute_error),
        keras=_keras("MeanAbsoluteError", keras.absolute_error),
        torch=_torch("L1Loss", torch.absolute_error),
    ),
    "huber_loss": _peers(
        keras=_keras("Huber", keras.huber_loss),
        torch=_torch("HuberLoss, SmoothL1Loss", torch.huber_loss),
    ),
    "log_cosh_loss": _peers(keras=_keras("LogCosh", keras.log_cosh_loss)),
    "poisson_deviance": _peers(
        sklearn=_sklearn(sklearn.mean_poisson_deviance),
        keras=_keras("Poisson", keras.poisson_deviance),
        torch=_torch("PoissonNLLLoss", torch.poisson_deviance),
    ),
    "squared_log_error": _peers(
        sklearn=_sklearn(sklearn.mean_squared_log_error),
        keras=_keras("MeanSquaredLogarithmicError", keras.squared_log_error),
    ),
    "kl_divergence": _peers(
        keras=_keras("KLDivergence", keras.kl_divergence),
        torch=_torch("KLDivLoss", torch.kl_divergence),
    ),
}
"""Peers by name of the loss or metric and name of the convention."""


def apply(
    loss: str, convention: str, y_true: object, y_pred: object, options: Mapping[str, Any]
) -> Any:
    """Value that the peer returns: a float, or an array if the peer returns an array."""
    peers = CONVENTIONS.get(loss)
    if peers is None:
        raise InputError(
            f"convention of {loss} must be 'xentexp', the only one; got {convention!r}"
        )
    if not isinstance(convention, str) or convention not in peers:
        raise unknown_name(f"convention of {loss}", convention, ["xentexp", *peers])
    peer = peers[convention]
    for option in options:
        if option not in peer.keywords:
            raise InputError(
                f"{option} is not a keyword of {loss} with convention={convention!r}; its keywords "
                f"are {', '.join(peer.keywords)}{_other_conventions(loss, option)}"
            )
    with np.errstate(all="ignore"):  # the peers return NaN without a warning
        value = np.asarray(peer.function(y_true, y_pred, **options))
    return float(value) if value.ndim == 0 else value


def owners(loss: str, option: str) -> list[str]:
    """Conventions of a loss that have this keyword."""
    return [name for name, peer in CONVENTIONS.get(loss, {}).items() if option in peer.keywords]


def _other_conventions(loss: str, option: str) -> str:
    names = owners(loss, option)
    return f" ({option} requires convention={' or '.join(map(repr, names))})" if names else ""


def refuse_peer_keywords(loss: str, options: Iterable[str]) -> None:
    """Raise an InputError for a keyword that only the conventions of peers have."""
    for option in options:
        if names := owners(loss, option):
            raise InputError(
                f"{option} is not a keyword of {loss} with convention='xentexp'; it requires "
                f"convention={' or '.join(map(repr, names))}"
            )


def describe(loss: str) -> list[str]:
    """Lines of a docstring: each convention with its peer, version and keywords."""
    lines = []
    for name, peer in CONVENTIONS.get(loss, {}).items():
        lines.append(f'"{name}" : {peer.name} {VERSIONS[name]}')
        lines.append(f"    {inspect.getdoc(peer.function)}")
        lines.append(f"    Keywords: {', '.join(peer.keywords)}.")
    return lines


__all__ = ["CONVENTIONS", "VERSIONS", "Peer", "apply", "describe", "owners", "refuse_peer_keywords"]
