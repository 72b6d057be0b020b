"""scikit-learn-style functions, one for each loss, derived from the one table.

Arguments come in scikit-learn's order, targets first. All values are in nats where there is
a logarithm, and lower is better unless the docstring says otherwise.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np

from xentexp.errors import InputError, unknown_name
from xentexp.evaluation import unsuited, weigh
from xentexp.losses import LOSSES, Loss, get_loss
from xentexp.samples.functions import (
    balanced_loss,
    calibration_intercept,
    calibration_slope,
    d2_score,
    expected_calibration_error,
    gini,
    h_measure,
    ks_statistic,
    maximum_calibration_error,
    perplexity,
    roc_auc,
)
from xentexp.validation import SINGLE_BLOCK_ELEMENTS, Problem, read
from xentexp.validation.arrays import to_array

_REDUCTIONS = ("mean", "sum", "none")

# Every option of the functions: type, default, and what the docstring says of it.
_OPTIONS: dict[str, tuple[str, object, str]] = {
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
        "predictions of shape (n,) speak of. By default whole numbers below k are column\n"
        "numbers, and other labels count in sorted order. Columns of a data frame are matched\n"
        "to the classes by name.",
    ),
    "sample_weight": (
        "array-like of shape (n,)",
        None,
        "Weights of the rows; the mean divides by their sum.",
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
    "reduction": (
        "{'mean', 'sum', 'none'}",
        "mean",
        "Weighted mean, weighted sum, or the weighted value of each row.",
    ),
}
_PARAMETERS = {
    "delta": ("float", "Added to `q` before the logarithm; with one, `q` may have any sum."),
    "over_classes": (
        "{'mean', 'sum', 'half_sum'}",
        "How the columns of a row become one number; 'half_sum' is the 1/2 * sum that\n"
        "textbooks also call mean squared error.",
    ),
    "scale_by_half": (
        "{'auto'} or bool",
        "Whether the sum over classes is halved; 'auto' does so for two classes.",
    ),
}


def _option_names(loss: Loss) -> list[str]:
    facts = loss.facts
    names = []
    if not facts.distributions:
        names += [] if facts.needs == "scores" else ["from_logits"]
        names += ["labels"]
    names += ["sample_weight"]
    if facts.smoothing:
        names += ["label_smoothing", "clip"]
    if facts.needs != "scores":
        names += ["normalize"]
    if not facts.distributions:
        names += ["ignore_label"]
    return [*names, "reduction"]


def _signature(loss: Loss) -> inspect.Signature:
    arguments = (
        (["p"] if loss.facts.targets == "none" else ["p", "q"])
        if loss.facts.distributions
        else ["y_true", "y_pred"]
    )
    positional = [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in arguments
    ]
    defaults: dict[str, object] = {name: _OPTIONS[name][1] for name in _option_names(loss)}
    reduction = defaults.pop("reduction")
    for field in fields(loss):
        defaults[field.name] = getattr(loss, field.name)
    defaults["reduction"] = reduction
    keywords = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, default in defaults.items()
    ]
    return inspect.Signature([*positional, *keywords])


def _derive(name: str) -> Callable[..., Any]:
    """Metric function of a loss: an ordinary function to ``help()``, pickle and IDEs."""
    default = LOSSES[name]
    signature = _signature(default)
    known = [field.name for field in fields(default)]

    def metric(*args: Any, **kwargs: Any) -> Any:
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise TypeError(f"{name}(): {error}") from None
        parameters = {option: given.pop(option) for option in known if option in given}
        loss = get_loss(default, **parameters) if parameters else default
        reduction = given.pop("reduction", "mean")
        if reduction not in _REDUCTIONS:
            raise unknown_name("reduction", reduction, _REDUCTIONS)
        if loss.facts.distributions:
            return _of_distributions(loss, reduction, **given)
        y_true, y_pred = given.pop("y_true"), given.pop("y_pred")
        if y_true is None:
            raise InputError("y_true must be given; got None")
        if loss.facts.needs == "scores":
            return _reduce(loss, read(y_true, None, decision=y_pred, **given), reduction)
        return _reduce(loss, read(y_true, y_pred, **given), reduction)

    metric.__name__ = metric.__qualname__ = name
    metric.__signature__ = signature  # type: ignore[attr-defined]
    metric.__doc__ = _docstring(default, signature)
    return metric


def _of_distributions(
    loss: Loss, reduction: str, p: Any, q: Any = None, normalize: bool | None = False, **given: Any
) -> Any:
    alone = loss.facts.targets == "none"
    shape = to_array(p, "p").shape
    if not alone and (other := to_array(q, "q").shape) != shape:
        raise InputError(f"p and q must have the same shape; got {shape} and {other}")
    if shape[-1] < 2:
        raise InputError(f"p must have an entry for each of two or more classes; got {shape}")
    single = len(shape) == 1
    if single:
        p, q = [p], None if alone else [q]
    if getattr(loss, "delta", 0.0) > 0.0 and normalize is False:
        normalize = None
    predicted, target = (p, None) if alone else (q, p)
    names = ("p", "p" if alone else "q")
    problem = read(target, predicted, normalize=normalize, clip=0.0, names=names, **given)
    value = _reduce(loss, problem, reduction)
    return float(value[0]) if single and reduction == "none" else value


def _reduce(loss: Loss, problem: Problem, reduction: str) -> Any:
    reason = unsuited(loss, problem)
    if reason is not None:
        raise InputError(f"{loss.name} {reason}")
    kept = np.zeros(problem.n_rows) if reduction == "none" else None
    total = denominator = 0.0
    hard = loss.name if loss.facts.targets == "one-hot" else None
    for part in problem.parts(hard=hard, elements=SINGLE_BLOCK_ELEMENTS):
        values = loss.per_sample(part.block)
        if part.weight is not None:
            values = weigh(values, part.weight)
        if kept is None:
            total += float(values.sum())
            denominator += len(values) if part.weight is None else float(part.weight.sum())
        elif part.rows.keep is None:
            kept[part.rows.span] = values
        else:
            kept[part.rows.span][part.rows.keep] = values
    if kept is not None:
        return kept
    if denominator == 0.0:
        raise InputError("sample_weight is zero for every row that is not ignored")
    return total if reduction == "sum" else total / denominator


def _docstring(loss: Loss, signature: inspect.Signature) -> str:
    facts = loss.facts
    direction = (
        "Lower is better"
        if facts.direction == "lower"
        else "Neither lower nor higher is better: it describes"
    )
    domain = {
        "probabilities": "Class probabilities; rows sum to 1.",
        "scores": "Decision scores: any finite numbers, never probabilities.",
        "either": "Class probabilities, or raw scores with `from_logits`.",
    }[facts.needs]
    targets = {
        "labels": ("(n,)", "Labels."),
        "one-hot": ("(n,) or (n, k)", "Labels, or one-hot rows."),
        "soft": ("(n,) or (n, k)", "Labels, one-hot rows, or distributions."),
        "none": ("", ""),
    }[facts.targets]
    arguments = {
        "y_true": (f"array-like of shape {targets[0]}", targets[1]),
        "y_pred": (
            "array-like of shape (n,) or (n, k)",
            f"{domain}\nShape (n,) speaks of the second of two classes.",
        ),
        "p": (
            "array-like of shape (k,) or (n, k)",
            "One distribution, or one in each row."
            if facts.targets == "none"
            else "One target distribution, or one in each row; each sums to 1.",
        ),
        "q": ("array-like of the same shape", "Predicted distributions."),
    }
    lines = [facts.summary, "", f"{direction}; values lie in {facts.range}."]
    proper = "" if facts.properness == "-" else f" It is {facts.properness}."
    lines += [f"Value of a row: ``{facts.formula}``.{proper}"]
    if "log" in facts.formula:
        lines += ["Units are nats."]
    lines += ["", "Parameters", "----------"]
    for parameter in signature.parameters.values():
        if parameter.default is inspect.Parameter.empty:
            kind, text = arguments[parameter.name]
        elif parameter.name in _OPTIONS:
            kind, _, text = _OPTIONS[parameter.name]
            kind = f"{kind}, default={parameter.default!r}"
        else:
            kind, text = _PARAMETERS[parameter.name]
            kind = f"{kind}, default={parameter.default!r}"
        lines += [f"{parameter.name} : {kind}", _indent(text)]
    lines += ["", "Returns", "-------", "float or ndarray of shape (n,)"]
    lines += [_indent("An array where `reduction` is 'none'.")]
    lines += ["", "Raises", "------", "InputError"]
    lines += [_indent("A ``ValueError`` that states the rule, the value and what to do.")]
    lines += ["", "References", "----------", facts.reference]
    lines += ["", "Examples", "--------"]
    lines += [f">>> from xentexp.metrics import {loss.name}", facts.example, ""]
    return "\n".join(lines)


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.split("\n"))


binary_crossentropy = _derive("binary_crossentropy")
categorical_crossentropy = _derive("categorical_crossentropy")
sparse_categorical_crossentropy = _derive("sparse_categorical_crossentropy")
brier_loss = _derive("brier_loss")
squared_error = _derive("squared_error")
absolute_error = _derive("absolute_error")
zero_one_loss = _derive("zero_one_loss")
hinge_loss = _derive("hinge_loss")
squared_hinge_loss = _derive("squared_hinge_loss")
categorical_hinge = _derive("categorical_hinge")
weston_watkins_hinge = _derive("weston_watkins_hinge")
entropy = _derive("entropy")
cross_entropy = _derive("cross_entropy")
kl_divergence = _derive("kl_divergence")

__all__ = [
    "absolute_error",
    "binary_crossentropy",
    "brier_loss",
    "categorical_crossentropy",
    "categorical_hinge",
    "cross_entropy",
    "entropy",
    "hinge_loss",
    "kl_divergence",
    "sparse_categorical_crossentropy",
    "squared_error",
    "squared_hinge_loss",
    "weston_watkins_hinge",
    "zero_one_loss",
]

# Metrics of a whole sample: defined in xentexp.samples, exported here beside the losses.
__all__ += [
    "balanced_loss",
    "calibration_intercept",
    "calibration_slope",
    "d2_score",
    "expected_calibration_error",
    "gini",
    "h_measure",
    "ks_statistic",
    "maximum_calibration_error",
    "perplexity",
    "roc_auc",
]
