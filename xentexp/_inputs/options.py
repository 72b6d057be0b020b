"""The options that functions share: type, default, and what their docstrings say of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from numpy.typing import ArrayLike

ClassWeight = Mapping[Any, float] | ArrayLike | Literal["balanced"] | None


class InputOptions(TypedDict, total=False):
    """How targets and predictions are read; `OPTIONS` says what each option does."""

    labels: ArrayLike | None
    sample_weight: ArrayLike | None
    class_weight: ClassWeight
    label_smoothing: float
    normalize: bool | None
    clip: float | Literal["auto"]
    ignore_label: object


class LossOptions(InputOptions, total=False):
    """Options of a single loss."""

    pos_weight: float | None
    numbers: bool


OPTIONS: dict[str, tuple[str, object, str]] = {
    "from_logits": (
        "bool",
        False,
        "Whether `y_pred` holds raw scores, whose softmax (sigmoid for shape (n,)) are the\n"
        "probabilities. Raw scores are never clipped.",
    ),
    "labels": (
        "array-like of shape (k,)",
        None,
        "Every class, in the order of the columns; the second of two is the one that\n"
        "predictions of shape (n,) are for. By default whole numbers below k are column\n"
        "numbers, and other labels count in sorted order. Columns of a data frame are matched\n"
        "to the classes by name.",
    ),
    "sample_weight": (
        "array-like of shape (n,)",
        None,
        "Weights of the rows; the mean divides by their sum.",
    ),
    "class_weight": (
        "dict, array-like of shape (k,), 'balanced' or None",
        None,
        "Weight of each class: by label (1 for those left out), or in the order of the\n"
        "classes. A row counts its sample weight times that of its class (its expectation for\n"
        "soft targets, before smoothing). 'balanced' gives every class the same total.",
    ),
    "pos_weight": (
        "float",
        None,
        "Weight of the second class, where the first has 1: `class_weight` in short.",
    ),
    "numbers": (
        "bool",
        False,
        "Whether `y_true` and `y_pred` are plain numbers, of shape (n,) or (n, k), and no\n"
        "labels and probabilities.",
    ),
    "label_smoothing": (
        "float",
        0.0,
        "Share e of the target that is spread over the classes: t (1 - e) + e / k.",
    ),
    "normalize": (
        "bool or None",
        False,
        "Rows that do not sum to 1 are refused (False), divided by their sum (True), or taken\n"
        "as they are (None).",
    ),
    "clip": (
        "float or 'auto'",
        "auto",
        "Smallest probability that the logarithm sees; 'auto' is the precision of the dtype\n"
        "(2.2e-16 for float64), 0 is none.",
    ),
    "ignore_label": (
        "label",
        None,
        "Rows of this label leave numerator and denominator; their value is 0 where\n"
        "`reduction` is 'none'.",
    ),
    "prior": (
        "array-like of shape (k,)",
        None,
        "Share of each class among the training rows, in the order of the columns; for\n"
        "``null='training prior'``.",
    ),
    "reduction": (
        "{'mean', 'sum', 'none'}",
        "mean",
        "Weighted mean, weighted sum, or the weighted value of each row.",
    ),
    "convention": (
        "str",
        "xentexp",
        "'xentexp', or the peer whose number is returned, with its own keywords and none of\n"
        "those above.",
    ),
}


def refuse_unknown(function: str, options: Mapping[str, object], known: type) -> None:
    """Raise a TypeError, as Python does, for a keyword that a function does not have."""
    for option in options:
        if option not in known.__annotations__:
            raise TypeError(f"{function}() got an unexpected keyword argument {option!r}")


def indent(text: str) -> str:
    """Lines of a docstring, one level in."""
    return "\n".join(f"    {line}" for line in text.split("\n"))


__all__ = ["OPTIONS", "ClassWeight", "InputOptions", "LossOptions", "indent", "refuse_unknown"]
