"""scikit-learn-style functions, one for each metric of a sample, derived from the table."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from xentexp.errors import InputError
from xentexp.inputs.options import OPTIONS, indent
from xentexp.inputs.read import read
from xentexp.metrics.base import SampleMetric
from xentexp.metrics.registry import SAMPLE_METRICS, get_sample_metric
from xentexp.metrics.sample import Sample

# The options of the functions; where a sample has another word to say than a loss, it is said here.
_OPTIONS: dict[str, tuple[str, object, str]] = {
    **{name: OPTIONS[name] for name in ("from_logits", "labels", "normalize", "clip")},
    "sample_weight": ("array-like of shape (n,)", None, "Weights of the rows."),
    "ignore_label": ("label", None, "Rows of this label are left out."),
    "prior": (
        "array-like of shape (k,)",
        None,
        "Share of each class among the training rows, in the order of the columns; for\n"
        "``null='training prior'``.",
    ),
}


def _options(metric: SampleMetric) -> list[str]:
    names = ["from_logits", "labels", "sample_weight", "normalize"]
    names += ["clip"] if metric.properties.clip else []
    return [*names, "ignore_label", *(["prior"] if metric.properties.prior else [])]


def _derive(name: str) -> Callable[..., float]:
    """Function of a metric: an ordinary one to ``help()``, pickle and IDEs."""
    default = SAMPLE_METRICS[name]
    known = [field.name for field in fields(default)]
    keywords: dict[str, object] = {option: _OPTIONS[option][1] for option in _options(default)}
    keywords |= {field: getattr(default, field) for field in known}
    signature = inspect.Signature(
        [
            *(
                inspect.Parameter(argument, inspect.Parameter.POSITIONAL_OR_KEYWORD)
                for argument in ("y_true", "y_pred")
            ),
            *(
                inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=value)
                for key, value in keywords.items()
            ),
        ],
        return_annotation=float,
    )

    def metric(*args: Any, **kwargs: Any) -> float:
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise TypeError(f"{name}(): {error}") from None
        parameters = {option: given.pop(option) for option in known if option in given}
        chosen = get_sample_metric(default, **parameters) if parameters else default
        prior = given.pop("prior", None)
        if given["y_true"] is None:
            raise InputError("y_true must be given; got None")
        return chosen.measure(Sample(read(**given), prior=prior))

    metric.__name__ = metric.__qualname__ = name
    metric.__signature__ = signature  # type: ignore[attr-defined]
    metric.__doc__ = _docstring(default, signature)
    return metric


_DIRECTIONS = {
    "lower": "Lower is better",
    "higher": "Higher is better",
    "nearest": "Neither lower nor higher is better",
}


def _docstring(metric: SampleMetric, signature: inspect.Signature) -> str:
    properties = metric.properties
    domain = "Class probabilities, or raw scores with `from_logits`."
    if properties.needs == "either":
        domain = (
            "Class probabilities, or raw scores (any decision scores for two classes) with\n"
            "`from_logits`."
        )
    targets = "Labels or one-hot rows." if properties.targets == "one-hot" else (
        "Labels, one-hot rows, or distributions."
    )  # fmt: skip
    arguments = {
        "y_true": ("array-like of shape (n,) or (n, k)", targets),
        "y_pred": (
            "array-like of shape (n,) or (n, k)",
            f"{domain}\nShape (n,) speaks of the second of two classes.",
        ),
    }
    parameters = {f.name: (f.metadata["kind"], f.metadata["text"]) for f in fields(metric)}
    lines = [properties.summary, ""]
    lines += [
        f"{_DIRECTIONS[properties.direction]}: {properties.optimum:g} is best. "
        f"Range: {properties.range}."
    ]
    lines += [f"Value of a sample: ``{properties.formula}``.", ""]
    lines += [properties.notes, "", "Parameters", "----------"]
    for name, argument in signature.parameters.items():
        if name in arguments:
            kind, text = arguments[name]
        elif name in parameters:
            kind, text = parameters[name]
            kind = f"{kind}, default={argument.default!r}"
        else:
            kind, _, text = _OPTIONS[name]
            kind = f"{kind}, default={argument.default!r}"
        lines += [f"{name} : {kind}", indent(text)]
    lines += ["", "Returns", "-------", "float", indent("Of the whole sample.")]
    lines += ["", "Raises", "------", "InputError"]
    lines += [indent("A ``ValueError`` that states the rule, the value and what to do; an")]
    lines += [indent("``UndefinedError`` where the sample has no such value.")]
    lines += ["", "References", "----------", properties.reference]
    lines += ["", "Examples", "--------"]
    lines += [f">>> from xentexp.metrics import {metric.name}", properties.example, ""]
    return "\n".join(lines)


balanced_loss = _derive("balanced_loss")
calibration_intercept = _derive("calibration_intercept")
calibration_slope = _derive("calibration_slope")
d2_score = _derive("d2_score")
expected_calibration_error = _derive("expected_calibration_error")
gini = _derive("gini")
h_measure = _derive("h_measure")
ks_statistic = _derive("ks_statistic")
maximum_calibration_error = _derive("maximum_calibration_error")
perplexity = _derive("perplexity")
roc_auc = _derive("roc_auc")

__all__ = [
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
