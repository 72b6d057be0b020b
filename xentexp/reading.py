"""What a single loss reads of what a user hands over: classes, a latent score, or columns."""

from __future__ import annotations

from typing import Any

from xentexp.errors import InputError
from xentexp.inputs.checked import CheckedInput
from xentexp.inputs.read import read, read_columns
from xentexp.losses import Loss


def read_for(loss: Loss, y_true: Any, y_pred: Any, **options: Any) -> CheckedInput:
    """Checked input of one loss.

    Parameters
    ----------
    loss : Loss
        Whose properties decide what is read.
    y_true, y_pred : array-like
        Targets, and probabilities, raw or decision scores.
    **options : object
        Of ``xentexp.inputs.read.read``, and `numbers` and `pos_weight`.

    Returns
    -------
    CheckedInput
        Whose values are still to be checked, block by block.

    Raises
    ------
    InputError
        For anything that does not fit, and for options that do not go together.
    """
    properties = loss.properties
    if y_true is None:
        raise InputError("y_true must be given; got None")
    if properties.targets == "multilabel":
        if options.pop("numbers", False):
            raise InputError(f"{loss.name} is for labels: it takes no plain numbers")
        return read_columns(y_true, y_pred, "multilabel", **options)
    if options.pop("numbers", False):
        if not properties.numbers:
            raise InputError(f"{loss.name} is for classes: it takes no plain numbers")
        weight = options.pop("sample_weight", None)
        if left := sorted(name for name, value in options.items() if not _unused(name, value)):
            raise InputError(f"{', '.join(left)} cannot go with numbers=True")
        return read_columns(y_true, y_pred, properties.numbers, sample_weight=weight)
    pos_weight = options.pop("pos_weight", None)
    if pos_weight is not None:
        if options.get("class_weight") is not None:
            raise InputError("pos_weight is class_weight in short; give one of them")
        options["class_weight"] = [1.0, pos_weight]
    if properties.needs == "latent":
        thresholds = getattr(loss, "thresholds", None)
        known = 0 if thresholds is None else len(thresholds) + 1
        return read(y_true, None, decision=y_pred, latent=known, **options)
    if properties.needs == "scores":
        return read(y_true, None, decision=y_pred, **options)
    return read(y_true, y_pred, **options)


def _unused(option: str, value: object) -> bool:
    """Whether an option has the value that it has where nobody gives it."""
    if option == "label_smoothing":
        return value == 0.0
    return value is None or value is False or (option == "clip" and value == "auto")
