"""Calls of the installed peers with the keywords that xentexp accepts for each convention."""

from __future__ import annotations

import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pytest

from tests.metrics.compat.parity_rows import RAISES
from xentexp.errors import InputError
from xentexp.metrics._compat import CONVENTIONS, VERSIONS, apply

DISTRIBUTIONS = {"sklearn": "scikit-learn", "keras": "keras", "torch": "torch"}
PINS = dict(
    line.split("==")
    for line in (Path(__file__).parents[3] / "constraints.txt").read_text().splitlines()
)


def installed_version(name: str) -> str | None:
    """Version without a build label such as ``+cpu``; None if it is not installed."""
    try:
        return version(name).partition("+")[0]
    except PackageNotFoundError:
        return None


def follows_pins() -> bool:
    """Whether all installed packages except the peers have the versions in constraints.txt."""
    others = PINS.keys() - DISTRIBUTIONS.values()
    return all(installed_version(name) in (None, PINS[name]) for name in others)


def require(peer: str) -> None:
    """Skip or fail if the installed peer does not have the version of the expected numbers.

    The test is skipped if the peer is not installed, or if other packages differ from
    constraints.txt too. It fails if only the peer differs.
    """
    name = DISTRIBUTIONS[peer]
    found = installed_version(name)
    if found is None:
        pytest.skip(f"{name} is not installed; pip install 'xentexp[parity]'")
    if found != VERSIONS[peer]:
        if follows_pins():
            pytest.fail(
                f"{name} is {found}, and constraints.txt has {PINS[name]}: run scripts/test"
            )
        pytest.skip(f"{name} is {found}; the numbers are those of {VERSIONS[peer]}")


def live(loss: str, peer: str, y_true, y_pred, options):
    """Value that the installed peer returns, as a float or an array."""
    call = {"sklearn": _sklearn, "keras": _keras, "torch": _torch}[peer]
    return call(loss, y_true, y_pred, dict(options))


def outcome(function, *arguments):
    """Value of a call, or RAISES if it raises: any exception for peers, InputError for ours."""
    errors = InputError if function is apply else Exception
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*arguments)
    except errors:
        return RAISES


def _plain(value):
    value = np.asarray(value)
    return float(value) if value.ndim == 0 else value


def _sklearn(loss, y_true, y_pred, options):
    from sklearn import metrics

    name = CONVENTIONS[loss]["sklearn"].name.rpartition(".")[2]
    if loss == "d2_score":
        is_brier = options.pop("loss", "") == "brier_loss"
        name = "d2_brier_score" if is_brier else "d2_log_loss_score"
    return _plain(getattr(metrics, name)(y_true, y_pred, **options))


def _float(values):
    array = np.asarray(values)
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def _keras(loss, y_true, y_pred, options):
    import keras

    y_pred = _float(y_pred)
    weight = options.pop("sample_weight", None)
    # Set floatx too: some steps of Keras use it and ignore the dtype of the loss.
    dtype = options.pop("dtype", None) or y_pred.dtype.name
    before = keras.config.floatx()
    keras.config.set_floatx(dtype)
    try:
        function = getattr(keras.losses, CONVENTIONS[loss]["keras"].name.rpartition(".")[2])
        value = function(dtype=dtype, **options)(
            np.asarray(y_true), y_pred, sample_weight=None if weight is None else np.asarray(weight)
        )
    finally:
        keras.config.set_floatx(before)
    return _plain(keras.ops.convert_to_numpy(value))


def _torch(loss, y_true, y_pred, options):
    import torch
    from torch import nn

    predicted = torch.as_tensor(_float(y_pred))
    target = torch.as_tensor(np.asarray(y_true))
    for name in ("weight", "pos_weight"):
        if options.get(name) is not None:
            options[name] = torch.as_tensor(np.asarray(options[name]), dtype=predicted.dtype)
    logits = options.pop("from_logits", False)
    if loss == "multi_margin_loss":
        return _plain(nn.MultiMarginLoss(**options)(predicted, target.long()))
    if loss in ("categorical_crossentropy", "sparse_categorical_crossentropy"):
        hard = target.shape != predicted.shape
        target = target.long() if hard else target.to(predicted.dtype)
        if logits:
            return _plain(nn.CrossEntropyLoss(**options)(predicted, target))
        return _plain(nn.NLLLoss(**options)(predicted.log(), target))
    target = target.to(predicted.dtype)
    if loss in ("binary_crossentropy", "multilabel_crossentropy"):
        function = nn.BCEWithLogitsLoss if logits else nn.BCELoss
    elif loss == "huber_loss":
        function = nn.SmoothL1Loss if "beta" in options else nn.HuberLoss
    else:
        function = getattr(nn, CONVENTIONS[loss]["torch"].name.rpartition(".")[2])
    if loss == "kl_divergence":
        predicted = predicted.log()
    return _plain(function(**options)(predicted, target))
