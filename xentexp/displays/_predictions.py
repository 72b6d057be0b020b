"""Predictions of one or several models by name, as displays accept them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from xentexp.errors import InputError, plain_errors

NamedPredictions = ArrayLike | Mapping[str, ArrayLike]


def by_name(y_pred: NamedPredictions, name: str | None) -> dict[str, ArrayLike]:
    """Predictions of each model; those of a single model get `name`."""
    if not isinstance(y_pred, Mapping):
        return {"model" if name is None else check_name(name): y_pred}
    _check_names("y_pred", y_pred, name)
    return dict(y_pred)


def of_estimators(
    estimator: Any, X: Any, name: str | None
) -> tuple[dict[str, ArrayLike], list[Any]]:
    """Probabilities of fitted classifiers by name, and the classes of the columns."""
    if isinstance(estimator, Mapping):
        _check_names("estimator", estimator, name)
        models = dict(estimator)
    else:
        models = {type(estimator).__name__ if name is None else check_name(name): estimator}
    for label, model in models.items():
        if not hasattr(model, "predict_proba"):
            raise InputError(
                f"estimator must have predict_proba; got {type(model).__name__} as {label!r}; "
                f"choose another classifier, or calibrate it (CalibratedClassifierCV)"
            )
        if isinstance(model, type) or not hasattr(model, "classes_"):
            kind = model.__name__ if isinstance(model, type) else type(model).__name__
            raise InputError(
                f"estimator must be fitted; got {kind}, which has no classes_, as {label!r}; call "
                f"fit first"
            )
    classes = {label: np.asarray(model.classes_).tolist() for label, model in models.items()}
    (first, expected), *others = classes.items()
    for label, found in others:
        if found != expected:
            raise InputError(
                f"estimator must have classifiers of the same classes; got {expected} of {first!r} "
                f"and {found} of {label!r}; fit them to the same labels"
            )
    with plain_errors("X cannot be predicted", "sklearn", ValueError):
        return {label: model.predict_proba(X) for label, model in models.items()}, expected


def check_name(name: object) -> str:
    """Name of a model or curve."""
    if not isinstance(name, str):
        raise InputError(f"name must be text or None; got {name!r}")
    return name


def compared(
    y_pred: Mapping[str, ArrayLike],
    reference: str | None,
    loss_of: Callable[[ArrayLike], float],
) -> tuple[dict[str, ArrayLike], str]:
    """Predictions of at least two models, and the reference: by default that of the lowest loss."""
    models = by_name(y_pred, None) if isinstance(y_pred, Mapping) else {}
    if len(models) < 2:
        raise InputError(
            f"y_pred must be a mapping of at least two names to predictions; got "
            f"{list(models) or type(y_pred).__name__}; name each model"
        )
    if reference is None:
        return models, min(models, key=lambda name: loss_of(models[name]))
    if reference not in models:
        raise InputError(f"reference must be one of {list(models)}; got {reference!r}")
    return models, reference


def _check_names(argument: str, models: Mapping[str, Any], name: str | None) -> None:
    if not models or not all(isinstance(label, str) for label in models):
        raise InputError(
            f"{argument} must be an array or a mapping of texts to arrays or estimators, at least "
            f"one; got the keys {list(models)}; use the names of the models as keys"
        )
    if name is not None:
        raise InputError(
            f"name must be None if {argument} is a mapping; got {name!r}; use the keys as names"
        )
