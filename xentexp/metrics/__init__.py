"""scikit-learn-style functions, one for each loss, derived from the one table.

Arguments come in scikit-learn's order, targets first. All values are in nats where there is
a logarithm, and lower is better unless the docstring says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np

from xentexp.errors import InputError, unknown_name
from xentexp.inputs.asarray import to_array
from xentexp.inputs.checked import LABEL_BLOCK_ELEMENTS, SINGLE_BLOCK_ELEMENTS, CheckedInput
from xentexp.inputs.read import read
from xentexp.losses import LOSSES, Loss, get_loss, load_plugins
from xentexp.losses.base import row_values
from xentexp.metrics.compat import apply, refuse_peer_keywords
from xentexp.metrics.evaluation import check_applies
from xentexp.metrics.functions import docstring_of, shown_signature, signature_of
from xentexp.metrics.sample_functions import (
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
from xentexp.numerics import weigh
from xentexp.reading import read_for

_REDUCTIONS = ("mean", "sum", "none")


def _derive(name: str) -> Callable[..., Any]:
    """Metric function of a loss: an ordinary function to ``help()``, pickle and IDEs."""
    default = LOSSES[name]
    signature = signature_of(default)
    known = [field.name for field in fields(default)]
    required = [name for name, it in signature.parameters.items() if it.default is it.empty]
    options = frozenset(signature.parameters).difference(required)
    shown = shown_signature(name, signature)

    def metric(*args: Any, **kwargs: Any) -> Any:
        convention = kwargs.pop("convention", "xentexp")
        if convention != "xentexp":
            return _of_peer(name, convention, list(signature.parameters)[:2], args, kwargs)
        if len(args) == len(required) and options.issuperset(kwargs):
            given = dict(zip(required, args, strict=True), **kwargs)
        else:  # binding is slow, and only needed for arguments by name and for complaints
            refuse_peer_keywords(name, [key for key in kwargs if key not in signature.parameters])
            try:
                given = signature.bind(*args, **kwargs).arguments
            except TypeError as error:
                raise TypeError(f"{name}(): {error}") from None
        parameters = {option: given.pop(option) for option in known if option in given}
        loss = get_loss(default, **parameters) if parameters else default
        reduction = given.pop("reduction", "mean")
        if reduction not in _REDUCTIONS:
            raise unknown_name("reduction", reduction, _REDUCTIONS)
        if loss.properties.distributions:
            return _of_distributions(loss, reduction, **given)
        return _reduce(loss, read_for(loss, **given), reduction)

    metric.__name__ = metric.__qualname__ = name
    metric.__signature__ = shown  # type: ignore[attr-defined]
    metric.__doc__ = docstring_of(default, shown)
    return metric


def _of_peer(
    name: str, convention: str, names: list[str], args: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    if len(args) > len(names):
        raise TypeError(f"{name}(): too many positional arguments")
    given = dict(zip(names, args, strict=False))
    given |= {key: options.pop(key) for key in names if key in options}
    return apply(name, convention, given.get(names[0]), given.get(names[1]), options)


def _of_distributions(
    loss: Loss, reduction: str, p: Any, q: Any = None, normalize: bool | None = False, **given: Any
) -> Any:
    alone = loss.properties.targets == "none"
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
    checked = read(target, predicted, normalize=normalize, clip=0.0, names=names, **given)
    value = _reduce(loss, checked, reduction)
    return float(value[0]) if single and reduction == "none" else value


def _reduce(loss: Loss, checked: CheckedInput, reduction: str) -> Any:
    check_applies(loss, checked)
    kept = np.zeros(checked.n_rows) if reduction == "none" else None
    total = denominator = 0.0
    hard = loss.name if loss.properties.targets == "one-hot" else None
    lean = checked.plain_labels and loss.properties.smoothing  # that is: a cross-entropy
    elements = LABEL_BLOCK_ELEMENTS if lean else SINGLE_BLOCK_ELEMENTS
    for part in checked.parts(hard=hard, elements=elements):
        values = row_values(loss, part.block)
        if part.weight is not None:
            values = weigh(values, part.weight)
        if kept is None:
            total += float(values.sum())
            denominator += len(values) if part.weight is None else float(part.weight.sum())
        else:
            part.rows.put(kept, values)
    if kept is not None:
        return kept
    if denominator == 0.0:
        raise InputError("sample_weight is zero for every row that is not ignored")
    return total if reduction == "sum" else total / denominator


_from_outside: dict[str, tuple[Loss, Callable[..., Any]]] = {}


def __getattr__(name: str) -> Any:
    """Functions of losses that were registered from outside."""
    if not name.startswith("_"):
        if name not in LOSSES:
            load_plugins()
        if name in LOSSES:
            loss, function = _from_outside.get(name, (None, None))
            if loss is not LOSSES[name]:  # new, or defined anew in a notebook
                function = _derive(name)
                _from_outside[name] = LOSSES[name], function
            return function
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


binary_crossentropy = _derive("binary_crossentropy")
categorical_crossentropy = _derive("categorical_crossentropy")
sparse_categorical_crossentropy = _derive("sparse_categorical_crossentropy")
logarithmic_score = _derive("logarithmic_score")
brier_loss = _derive("brier_loss")
spherical_loss = _derive("spherical_loss")
pseudospherical_loss = _derive("pseudospherical_loss")
power_loss = _derive("power_loss")
beta_loss = _derive("beta_loss")
zero_one_loss = _derive("zero_one_loss")
binary_focal_crossentropy = _derive("binary_focal_crossentropy")
categorical_focal_crossentropy = _derive("categorical_focal_crossentropy")
asymmetric_loss = _derive("asymmetric_loss")
poly1_crossentropy = _derive("poly1_crossentropy")
generalized_crossentropy = _derive("generalized_crossentropy")
symmetric_crossentropy = _derive("symmetric_crossentropy")
taylor_crossentropy = _derive("taylor_crossentropy")
label_relaxation = _derive("label_relaxation")
bi_tempered_logistic_loss = _derive("bi_tempered_logistic_loss")
ranked_probability_score = _derive("ranked_probability_score")
squared_earth_mover_distance = _derive("squared_earth_mover_distance")
cumulative_log_loss = _derive("cumulative_log_loss")
cumulative_link_log_loss = _derive("cumulative_link_log_loss")
expected_absolute_grade_error = _derive("expected_absolute_grade_error")
hinge_loss = _derive("hinge_loss")
squared_hinge_loss = _derive("squared_hinge_loss")
smoothed_hinge_loss = _derive("smoothed_hinge_loss")
modified_huber_loss = _derive("modified_huber_loss")
categorical_hinge = _derive("categorical_hinge")
weston_watkins_hinge = _derive("weston_watkins_hinge")
multi_margin_loss = _derive("multi_margin_loss")
exponential_loss = _derive("exponential_loss")
logistic_margin_loss = _derive("logistic_margin_loss")
squared_error = _derive("squared_error")
absolute_error = _derive("absolute_error")
huber_loss = _derive("huber_loss")
log_cosh_loss = _derive("log_cosh_loss")
poisson_deviance = _derive("poisson_deviance")
squared_log_error = _derive("squared_log_error")
entropy = _derive("entropy")
cross_entropy = _derive("cross_entropy")
kl_divergence = _derive("kl_divergence")
reverse_kl_divergence = _derive("reverse_kl_divergence")
jensen_shannon_divergence = _derive("jensen_shannon_divergence")
renyi_divergence = _derive("renyi_divergence")
alpha_divergence = _derive("alpha_divergence")
multilabel_crossentropy = _derive("multilabel_crossentropy")
multilabel_asymmetric_loss = _derive("multilabel_asymmetric_loss")

__all__ = [
    "absolute_error",
    "alpha_divergence",
    "asymmetric_loss",
    "beta_loss",
    "bi_tempered_logistic_loss",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "brier_loss",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "cross_entropy",
    "cumulative_link_log_loss",
    "cumulative_log_loss",
    "entropy",
    "expected_absolute_grade_error",
    "exponential_loss",
    "generalized_crossentropy",
    "hinge_loss",
    "huber_loss",
    "jensen_shannon_divergence",
    "kl_divergence",
    "label_relaxation",
    "log_cosh_loss",
    "logarithmic_score",
    "logistic_margin_loss",
    "modified_huber_loss",
    "multi_margin_loss",
    "multilabel_asymmetric_loss",
    "multilabel_crossentropy",
    "poisson_deviance",
    "poly1_crossentropy",
    "power_loss",
    "pseudospherical_loss",
    "ranked_probability_score",
    "renyi_divergence",
    "reverse_kl_divergence",
    "smoothed_hinge_loss",
    "sparse_categorical_crossentropy",
    "spherical_loss",
    "squared_earth_mover_distance",
    "squared_error",
    "squared_hinge_loss",
    "squared_log_error",
    "symmetric_crossentropy",
    "taylor_crossentropy",
    "weston_watkins_hinge",
    "zero_one_loss",
]

# Metrics of a whole sample: defined in xentexp.metrics.registry, exported here beside the losses.
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
