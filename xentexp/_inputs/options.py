"""Options that many functions share: type, default and documentation."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any, Literal, TypedDict

import numpy as np
from numpy.typing import ArrayLike

from xentexp.errors import InputError

ClassWeight = Mapping[Any, float] | ArrayLike | Literal["balanced"] | None


class InputOptions(TypedDict, total=False):
    """Options of targets and predictions, documented in `OPTIONS`."""

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


# Option: type, default, and text for the docstrings of all functions that have it.
OPTIONS: dict[str, tuple[str, object, str]] = {
    "from_logits": (
        "bool",
        False,
        "If True, `y_pred` has raw scores (logits), which may be any finite numbers. Their\n"
        "softmax (sigmoid for shape (n,)) gives the probabilities, without clipping. If False,\n"
        "`y_pred` has probabilities.",
    ),
    "labels": (
        "array-like of shape (k,)",
        None,
        "All classes, in the order of the columns of `y_pred`; if `y_pred` has shape (n,), it is\n"
        "for the second of two classes. By default, labels that are integers from 0 to k - 1 are\n"
        "column numbers, also if some do not occur: pass `labels` if classes are counted from 1\n"
        "and the last may not occur. Other labels are sorted, and all k of them must occur in\n"
        "`y_true` or be its categories (pandas). A set is not accepted, as it has no order. The\n"
        "columns of a data frame are matched to the classes by name.",
    ),
    "sample_weight": (
        "array-like of shape (n,)",
        None,
        "Weight of each row: finite and not negative, with at least one above 0. A mean is the\n"
        "weighted sum divided by the sum of the weights. By default all rows have weight 1.",
    ),
    "class_weight": (
        'dict, array-like of shape (k,), "balanced" or None',
        None,
        "Weight of each class, at least 0: a dict by label (1 for labels that it leaves out) or\n"
        "an array in the order of the classes. The weight of a row is its sample weight times the\n"
        "weight of its class; for soft targets, times the mean weight under the target before\n"
        'label smoothing. "balanced" gives all classes the same total weight. By default all\n'
        "classes have weight 1.",
    ),
    "pos_weight": (
        "float",
        None,
        "Weight of the second of two classes, at least 0, if the first has weight 1: short for\n"
        "``class_weight=[1, pos_weight]``. By default both classes have weight 1.",
    ),
    "numbers": (
        "bool",
        False,
        "If True, `y_true` and `y_pred` are plain numbers, as in regression, of shape (n,) or\n"
        "(n, k), and options for classes are not accepted. If False, they are classes and\n"
        "probabilities.",
    ),
    "label_smoothing": (
        "float",
        0.0,
        "Proportion e of each target, in [0, 1], that is spread evenly over the k classes (k = 2\n"
        "for each label of a multilabel loss): target t becomes ``t (1 - e) + e / k``. 0 leaves\n"
        "the targets unchanged.",
    ),
    "normalize": (
        "bool or None",
        False,
        "How to treat rows of probabilities that do not sum to 1: False raises an InputError,\n"
        "True divides each row by its sum, None uses the rows unchanged. A sum may differ from 1\n"
        "by the square root of the machine epsilon of the dtype: 1.5e-8 for float64, 3.5e-4 for\n"
        "float32. float64 numbers that are exactly float32 numbers have the tolerance of float32;\n"
        "if all have 6 digits, it is 1e-6 for each column; if 7 to 9 digits, 1e-7.",
    ),
    "clip": (
        'float or "auto"',
        "auto",
        "Lower limit of the probabilities inside logarithms, in [0, 1); smaller probabilities are\n"
        'replaced by it. "auto" is the machine epsilon of the dtype (2.2e-16 for float64). 0\n'
        "means no limit, so that values can be infinite.",
    ),
    "ignore_label": (
        "label",
        None,
        "Rows with this label in `y_true` are left out of the sum and of the sum of weights;\n"
        'their value is 0 with ``reduction="none"``. By default no row is left out.',
    ),
    "prior": (
        "array-like of shape (k,)",
        None,
        "Proportion of each class in the training rows, in the order of the columns. Required\n"
        'with ``null="training prior"``, not accepted otherwise.',
    ),
    "n_jobs": (
        "int or None",
        None,
        "Number of threads that compute blocks of rows; -1 for all cores. The result is equal to\n"
        "the last digit for any number. None means 1, or the `n_jobs` of a context\n"
        "``joblib.parallel_config`` with a backend on this machine. In a worker of joblib or of\n"
        "Dask, it is always 1.",
    ),
    "reduction": (
        '{"mean", "sum", "none"}',
        "mean",
        '"mean" returns the weighted mean over the rows, "sum" the weighted sum, and "none" the\n'
        "weighted value of each row.",
    ),
    "convention": (
        "str",
        "xentexp",
        '"xentexp", or the name of another library to return the value of its function. That\n'
        "library's keywords then replace the options above; see Notes.",
    ),
}


_PREDICTIONS = {"y_prob", "y_proba", "y_score", "y_scores", "y_hat", "pred_decision", "y_logits"}
"""Names that other libraries give to `y_pred`."""


def refuse_unknown(function: str, options: Mapping[str, object], known: type) -> None:
    """Raise a TypeError for keywords that are not annotated in a TypedDict."""
    for option in options:
        if option not in known.__annotations__:
            raise unexpected_keyword(function, option, known.__annotations__)


def unexpected_keyword(function: str, keyword: str, known: Iterable[str]) -> TypeError:
    """Python's TypeError for an unexpected keyword, with the nearest argument and all of them."""
    names = list(known)
    near = ["y_pred"] if keyword in _PREDICTIONS and "y_pred" in names else []
    near = near or difflib.get_close_matches(keyword, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return TypeError(
        f"{function}() got an unexpected keyword argument {keyword!r}{hint} Arguments: "
        f"{', '.join(names)}"
    )


def check_bool(name: str, value: object) -> None:
    """Raise an InputError unless the value is True or False, of Python or NumPy."""
    if not isinstance(value, (bool, np.bool_)):
        raise InputError(f"{name} must be True or False; got {value!r}")


def real_number(value: object) -> float | None:
    """Value of a real number of Python or NumPy; None for anything else, also for True."""
    if type(value) is float:
        return value
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        return float(value)
    except OverflowError:  # a Python integer beyond the floats
        return np.inf if value > 0 else -np.inf  # type: ignore[operator]


def check_number(
    name: str,
    value: object,
    low: float,
    high: float,
    *,
    low_open: bool = False,
    apart: float = 0.0,
) -> None:
    """Raise an InputError unless a parameter is a finite number from `low` to `high`."""
    # An infinite end stands for no limit. `low_open` excludes `low` itself, and `apart` what is
    # nearer to it.
    number = real_number(value)
    if number is not None:
        above = number > low if low_open or low == -np.inf else number >= low
        above = above and (not apart or number - low >= apart * (1.0 - sys.float_info.epsilon))
        if above and number <= high and number < np.inf:
            return
    sign = ">" if low_open else ">="
    start = f"{sign} {low:g} by at least {apart:g}" if apart else f"{sign} {low:g}"
    rule = start if high == float("inf") else f"{start} and <= {high:g}"
    if low == -float("inf"):
        rule = "a finite number" if high == float("inf") else f"a finite number <= {high:g}"
    elif high == float("inf"):
        rule += " and finite"
    raise InputError(f"{name} must be {rule}; got {value!r}")


def check_integer(name: str, value: object, low: int) -> None:
    """Raise an InputError unless a parameter is an integer that is at least `low`."""
    if isinstance(value, bool) or not (isinstance(value, (int, np.integer)) and value >= low):
        raise InputError(f"{name} must be an integer >= {low}; got {value!r}")


def check_n_jobs(value: object) -> None:
    """Raise an InputError unless a number of parallel jobs is a non-zero integer or None."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value == 0:
        raise InputError(
            f"n_jobs must be an integer other than 0, e.g. -1 for all cores, or None; got {value!r}"
        )


def refuse_unordered(name: str, values: object) -> None:
    """Raise an InputError for a set, whose elements have no order."""
    if isinstance(values, (set, frozenset)):
        raise InputError(
            f"{name} must be a list; got a {type(values).__name__}, which has no order; pass a "
            f"list in the order that you mean"
        )


def check_label_smoothing(value: object) -> None:
    """Raise an InputError unless the value is a number in [0, 1]."""
    number = real_number(value)
    if number is None or not 0.0 <= number <= 1.0:
        raise InputError(f"label_smoothing must lie in [0, 1]; got {value!r}")


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise an InputError if the value of a parameter is not one of the texts."""
    if not (isinstance(value, str) and value in choices):
        raise InputError(f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r}")


def indent(text: str) -> str:
    """Indent each line of a docstring text by four spaces."""
    return "\n".join(f"    {line}" for line in text.split("\n"))


__all__ = [
    "OPTIONS",
    "ClassWeight",
    "InputOptions",
    "LossOptions",
    "check_bool",
    "check_choice",
    "check_integer",
    "check_label_smoothing",
    "check_n_jobs",
    "check_number",
    "indent",
    "real_number",
    "refuse_unknown",
    "refuse_unordered",
    "unexpected_keyword",
]
