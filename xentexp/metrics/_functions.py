"""scikit-learn-style functions, one for each loss and metric, derived from their tables."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np

from xentexp._inputs.asarray import to_array
from xentexp._inputs.options import OPTIONS, indent
from xentexp._inputs.read import read
from xentexp.errors import InputError
from xentexp.losses import LOSSES, Loss, load_plugins
from xentexp.losses._base import Reduction
from xentexp.metrics._base import DatasetMetric, Metric
from xentexp.metrics._compat import CONVENTIONS, apply, describe, refuse_peer_keywords
from xentexp.metrics._evaluation import check_applies
from xentexp.metrics._metric_input import MetricInput
from xentexp.metrics._registry import DATASET_METRICS, get_metric

_functions: dict[str, tuple[Metric, Callable[..., Any]]] = {}


def function_of(name: str) -> Callable[..., Any] | None:
    """The metric function of a name, or None; made when it is first asked for."""
    if name not in LOSSES and name not in DATASET_METRICS:
        load_plugins()
    metric: Metric | None = LOSSES.get(name) or DATASET_METRICS.get(name)
    if metric is None:
        return None
    known, function = _functions.get(name, (None, None))
    if function is None or known is not metric:  # new, or defined anew in a notebook
        function = _derive(name, metric)
        _functions[name] = metric, function
    return function


def _derive(name: str, default: Metric) -> Callable[..., Any]:
    """An ordinary function to ``help()``, pickle and IDEs."""
    signature = signature_of(default)
    known = [field.name for field in fields(default)]  # type: ignore[arg-type]
    required = [name for name, it in signature.parameters.items() if it.default is it.empty]
    options = frozenset(signature.parameters).difference(required)
    shown = shown_signature(name, signature)
    compute = _loss_value if isinstance(default, Loss) else _sample_value

    def metric(*args: Any, **kwargs: Any) -> Any:
        if "convention" in kwargs and isinstance(default, Loss):
            convention = kwargs.pop("convention")
            if convention != "xentexp":
                return _of_peer(name, convention, list(signature.parameters)[:2], args, kwargs)
        if len(args) == len(required) and options.issuperset(kwargs):
            given = dict(zip(required, args, strict=True), **kwargs)
        else:  # binding is slow, and only needed for arguments by name and for errors
            refuse_peer_keywords(name, [key for key in kwargs if key not in signature.parameters])
            try:
                given = signature.bind(*args, **kwargs).arguments
            except TypeError as error:
                raise TypeError(f"{name}(): {error}") from None
        parameters = {option: given.pop(option) for option in known if option in given}
        return compute(get_metric(default, **parameters) if parameters else default, given)

    metric.__name__ = metric.__qualname__ = name
    metric.__module__ = "xentexp.metrics"
    metric.__signature__ = shown  # type: ignore[attr-defined]
    metric.__doc__ = docstring_of(default, shown)
    return metric


def _loss_value(loss: Any, arguments: dict[str, Any]) -> Any:
    reduction = arguments.pop("reduction", "mean")
    if loss.properties.distributions:
        return _of_distributions(loss, reduction, **arguments)
    return loss.reduce(loss.check_input(**arguments), reduction)


def _sample_value(metric: Any, arguments: dict[str, Any]) -> float:
    prior = arguments.pop("prior", None)
    if arguments["y_true"] is None:
        raise InputError("y_true must be given; got None")
    checked = read(**arguments)
    check_applies(checked, [metric])
    return float(metric.value(MetricInput(checked, prior=prior)))


def _of_peer(
    name: str, convention: str, names: list[str], args: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    if len(args) > len(names):
        raise TypeError(f"{name}(): too many positional arguments")
    given = dict(zip(names, args, strict=False))
    given |= {key: options.pop(key) for key in names if key in options}
    return apply(name, convention, given.get(names[0]), given.get(names[1]), options)


def _of_distributions(
    loss: Loss,
    reduction: Reduction,
    p: Any,
    q: Any = None,
    normalize: bool | None = False,
    **given: Any,
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
    loss.check_applies(checked)
    value = loss.reduce(checked, reduction)
    return value.item() if single and isinstance(value, np.ndarray) else value


def _option_names(metric: Metric) -> list[str]:
    if not isinstance(metric, Loss):
        clip = ["clip"] if metric.properties.clip else []
        prior = ["prior"] if metric.properties.prior else []
        return [
            "from_logits",
            "labels",
            "sample_weight",
            "normalize",
            *clip,
            "ignore_label",
            *prior,
        ]
    properties = metric.properties
    scores = properties.response in ("decision_function", "latent")
    classes = not properties.distributions and properties.targets != "multilabel"
    names = [] if scores or properties.distributions else ["from_logits"]
    names += ["labels"] if classes else []
    names += ["sample_weight"]
    names += ["class_weight"] if classes else []
    names += ["pos_weight"] if classes and properties.binary_only else []
    names += ["label_smoothing"] if properties.smoothing else []
    names += ["clip"] if properties.clip else []
    names += ["normalize"] if not scores and properties.targets != "multilabel" else []
    names += ["ignore_label"] if classes else []
    names += ["numbers"] if properties.numbers else []
    return [*names, "reduction"]


def signature_of(metric: Metric) -> inspect.Signature:
    """Arguments and options of the function of a loss or metric, without keywords of peers."""
    arguments = ["y_true", "y_pred"]
    if isinstance(metric, Loss) and metric.properties.distributions:
        arguments = ["p"] if metric.properties.targets == "none" else ["p", "q"]
    positional = [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in arguments
    ]
    defaults: dict[str, object] = {name: OPTIONS[name][1] for name in _option_names(metric)}
    reduction = {"reduction": defaults.pop("reduction")} if isinstance(metric, Loss) else {}
    own = {field.name: getattr(metric, field.name) for field in fields(metric)}  # type: ignore[arg-type]
    keywords = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, default in {**defaults, **own, **reduction}.items()
    ]
    returned = inspect.Signature.empty if isinstance(metric, Loss) else float
    return inspect.Signature([*positional, *keywords], return_annotation=returned)


def shown_signature(name: str, signature: inspect.Signature) -> inspect.Signature:
    """Signature for ``help()``: with the keywords of the peers where the loss has any."""
    if name not in CONVENTIONS:
        return signature
    convention = inspect.Parameter("convention", inspect.Parameter.KEYWORD_ONLY, default="xentexp")
    options = inspect.Parameter("peer_options", inspect.Parameter.VAR_KEYWORD)
    return inspect.Signature([*signature.parameters.values(), convention, options])


_DIRECTIONS = {
    "lower": "Lower is better",
    "higher": "Higher is better",
    "nearest": "Neither lower nor higher is better",
    "none": "Neither lower nor higher is better: it describes",
}
_TARGETS = {
    "labels": ("(n,)", "Labels."),
    "one-hot": ("(n,) or (n, k)", "Labels, or one-hot rows."),
    "soft": ("(n,) or (n, k)", "Labels, one-hot rows, or distributions."),
    "positive": ("(n, k)", "Distributions."),
    "multilabel": ("(n,) or (n, k)", "1 or 0 (or a probability) for each label."),
    "none": ("", ""),
}
_PREDICTIONS = {
    "predict_proba": "Class probabilities; rows sum to 1.",
    "decision_function": "Decision scores: any finite numbers, never probabilities.",
    "either": "Class probabilities, or raw scores with `from_logits`.",
    "latent": "One decision score for each row, whatever the number of classes.",
}
# Options whose meaning differs for metrics of the whole data set.
_SAMPLE_OPTIONS = {
    "sample_weight": ("array-like of shape (n,)", "Weights of the rows."),
    "ignore_label": ("label", "Rows of this label are left out."),
}


def docstring_of(metric: Metric, signature: inspect.Signature) -> str:
    """Docstring of a function, in numpydoc style, with an example that runs."""
    properties, loss = metric.properties, metric if isinstance(metric, Loss) else None
    direction = _DIRECTIONS[properties.direction]
    lines = [properties.summary, ""]
    if loss is not None:
        proper = loss.properties.properness
        lines += [f"{direction}; values lie in {properties.range}."]
        lines += [f"Value of a row: ``{properties.formula}``."]
        lines[-1] += "" if proper == "-" else f" It is {proper}."
        lines += _more_properties(loss)
    else:
        lines += [f"{direction}: {properties.optimum:g} is best. Range: {properties.range}."]
        lines += [f"Value of the data set: ``{properties.formula}``."]
        lines += ["", properties.notes] if properties.notes else []
    lines += ["", "Parameters", "----------"]
    for parameter in signature.parameters.values():
        stars = "**" if parameter.kind is inspect.Parameter.VAR_KEYWORD else ""
        kind, text = _documented(metric, parameter)
        lines += [f"{stars}{parameter.name} : {kind}", indent(text)]
    lines += ["", "Returns", "-------"]
    if loss is not None:
        lines += ["float or ndarray of shape (n,)", indent("An array where `reduction` is 'none'.")]
    else:
        lines += ["float", indent("Of the whole data set.")]
    lines += ["", "Raises", "------", "InputError"]
    lines += [indent("A ``ValueError`` that states the rule, the value and what to do.")]
    if loss is None:
        lines += ["UndefinedError", indent("Where it is undefined for these rows.")]
    if conventions := describe(metric.name):
        lines += ["", "Notes", "-----", "A convention returns what the peer does, bad input too:"]
        lines += ["", *conventions]
    lines += ["", "References", "----------"]
    lines += [properties.reference] if loss is None else _wrap(properties.reference)
    name = metric.function if isinstance(metric, DatasetMetric) else metric.name
    lines += ["", "Examples", "--------"]
    lines += [f">>> from xentexp.metrics import {name}", properties.example, ""]
    return "\n".join(lines)


def _documented(metric: Metric, parameter: inspect.Parameter) -> tuple[str, str]:
    """Type and meaning of an argument of a function."""
    if parameter.kind is inspect.Parameter.VAR_KEYWORD:
        return "keywords of the peer", "With its `convention` alone; see the notes."
    if parameter.default is inspect.Parameter.empty:
        return _documented_argument(metric, parameter.name)
    own = _documented_fields(metric)
    if parameter.name in own:
        kind, text = own[parameter.name]
    elif not isinstance(metric, Loss) and parameter.name in _SAMPLE_OPTIONS:
        kind, text = _SAMPLE_OPTIONS[parameter.name]
    else:
        kind, _, text = OPTIONS[parameter.name]
    if (
        parameter.name == "from_logits"
        and isinstance(metric, Loss)
        and metric.properties.link == "tempered softmax"
    ):
        text = text.replace("softmax (sigmoid for shape (n,))", "tempered softmax")
    return f"{kind}, default={parameter.default!r}", text


def _documented_argument(metric: Metric, name: str) -> tuple[str, str]:
    properties = metric.properties
    shape, targets = _TARGETS[properties.targets]
    one_column = "\nShape (n,) is that of the second of two classes."
    predictions = _PREDICTIONS[properties.response]
    if properties.targets == "multilabel":
        predictions, one_column = "Probability of each label.", "\nShape (n,) is one label."
    elif properties.response == "latent":
        one_column = ""
    elif not isinstance(metric, Loss):
        predictions = (
            "Class probabilities, or raw scores (any decision scores for two classes) with\n"
            "`from_logits`."
            if properties.response == "either"
            else _PREDICTIONS["either"]
        )
    columns = "" if properties.response == "latent" else " or (n, k)"
    alone = properties.targets == "none"
    return {
        "y_true": (f"array-like of shape {shape}", targets),
        "y_pred": (f"array-like of shape (n,){columns}", f"{predictions}{one_column}"),
        "p": (
            "array-like of shape (k,) or (n, k)",
            "One distribution, or one in each row."
            if alone
            else "One target distribution, or one in each row; each sums to 1.",
        ),
        "q": ("array-like of the same shape", "Predicted distributions."),
    }[name]


def _more_properties(loss: Loss) -> list[str]:
    """Units, and what is true of the raw scores."""
    properties = loss.properties
    lines = []
    if "log2" in properties.formula:
        lines += ["Units are bits."]
    elif re.search(r"\blog\b", properties.formula) and not properties.numbers:
        lines += ["Units are nats."]
    curved = "convex" if properties.convex else "not convex"
    slope = {
        "smooth": "smooth",
        "subgradient": "with kinks, where its gradient is a subgradient",
        "none": "without a gradient",
    }[properties.gradient]
    if properties.direction != "none":
        lines += ["", f"In the raw scores ({properties.link} link) it is {curved} and {slope}."]
    if properties.gradient != "none" and properties.targets in ("labels", "one-hot", "soft"):
        tells = "tell" if loss.invertible(2) else "do not tell"
        two = loss.invertible(2) and not (properties.binary_only or loss.invertible(3))
        where = ", but only of two classes" if two else ""
        lines += [
            f"Raw scores that minimize its expectation {tells} the true probabilities{where}."
        ]
    if not properties.symmetric:
        lines += ["Classes are not alike: it changes where they are renamed."]
    if properties.peers:
        lines += ["", *_wrap("`get_loss` finds it as " + ", ".join(properties.peers) + " too.")]
    return lines


def _documented_fields(metric: Metric) -> dict[str, tuple[str, str]]:
    """Type and meaning of each parameter, from its metadata or the docstring of the class."""
    text = inspect.cleandoc(type(metric).__doc__ or "").partition("----------\n")[2]
    entries = re.findall(r"^(\S[^:\n]*) : (.+)\n((?:    .*\n?|\n)+)", text, re.MULTILINE)
    documented = {
        name: (kind, inspect.cleandoc(meaning))
        for names, kind, meaning in entries
        for name in names.split(", ")
    }
    for field in fields(metric):  # type: ignore[arg-type]
        kind = field.metadata.get("kind", "object")
        text = field.metadata.get("text", "See the class of the loss.")
        documented.setdefault(field.name, (kind, text))
    return documented


def _wrap(text: str) -> list[str]:
    return textwrap.wrap(text, 92, break_long_words=False, break_on_hyphens=False)
