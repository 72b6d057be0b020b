"""Functions of losses and metrics: derived from the tables of both, with their docstrings."""

from __future__ import annotations

import difflib
import inspect
import re
import textwrap
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np

from xentexp._inputs.asarray import to_array
from xentexp._inputs.options import OPTIONS, indent, unexpected_keyword
from xentexp._inputs.read import read
from xentexp.errors import InputError
from xentexp.losses import LOSSES, Loss, load_plugins
from xentexp.losses._base import Reduction
from xentexp.metrics._base import DatasetMetric, Metric
from xentexp.metrics._compat import CONVENTIONS, apply, describe, refuse_peer_keywords
from xentexp.metrics._evaluation import check_applies
from xentexp.metrics._metric_input import MetricInput
from xentexp.metrics._registry import (
    ALIASES,
    DATASET_METRICS,
    PUBLIC_NAMES,
    get_loss,
    get_metric,
    matching_metrics,
)

_functions: dict[str, tuple[Metric, Callable[..., Any]]] = {}


def function_of(name: str) -> Callable[..., Any] | None:
    """The function of a loss or metric by name or alias, or None; derived on first use."""
    name = ALIASES.get(name, name)
    if name not in LOSSES and name not in DATASET_METRICS:
        load_plugins()
    metric: Metric | None = LOSSES.get(name) or DATASET_METRICS.get(name)
    if metric is None:
        return None
    cached, function = _functions.get(name, (None, None))
    if function is None or cached is not metric:  # new, or registered again in a notebook
        function = _derive(name, metric)
        _functions[name] = metric, function
    return function


def missing_name(module: str, name: str) -> AttributeError:
    """Error for a name without a function, with the functions that it may stand for."""
    names = [metric.name for metric in matching_metrics(name)] if name[:1] != "_" else []
    hint = f"; other libraries use this name for {' and '.join(names)}" if names else ""
    if names == [name]:  # a metric made of a loss
        hint = f"; use evaluate(y_true, y_pred, [{name!r}])"
    if not hint:
        public = [*PUBLIC_NAMES, *LOSSES, *DATASET_METRICS, *ALIASES]
        names = difflib.get_close_matches(name, public, n=3, cutoff=0.6)
        hint = f"; did you mean {' or '.join(names)}?" if names else ""
    # With a name and no object Python does not add a "Did you mean" of its own.
    return AttributeError(f"module {module!r} has no attribute {name!r}{hint}", name=name)


def _derive(name: str, default: Metric) -> Callable[..., Any]:
    """A plain Python function, so that ``help()``, pickle and editors work."""
    signature = signature_of(default)
    parameter_names = [field.name for field in fields(default)]  # type: ignore[arg-type]
    required = [p.name for p in signature.parameters.values() if p.default is p.empty]
    options = frozenset(signature.parameters).difference(required)
    shown = shown_signature(name, signature)
    compute = _loss_value if isinstance(default, Loss) else _dataset_value

    def metric(*args: Any, **kwargs: Any) -> Any:
        if not kwargs and len(args) == len(required):  # the usual case
            return compute(default, dict(zip(required, args, strict=True)))
        if "convention" in kwargs and (isinstance(default, Loss) or name in CONVENTIONS):
            convention = kwargs.pop("convention")
            if not (isinstance(convention, str) and convention == "xentexp"):
                return _peer_value(name, convention, list(signature.parameters)[:2], args, kwargs)
        if len(args) == len(required) and options.issuperset(kwargs):
            arguments = dict(zip(required, args, strict=True), **kwargs)
        else:  # binding is slow, and only needed for arguments by name and for errors
            unexpected = [key for key in kwargs if key not in signature.parameters]
            refuse_peer_keywords(name, unexpected)
            if unexpected:
                raise unexpected_keyword(name, unexpected[0], signature.parameters)
            try:
                arguments = signature.bind(*args, **kwargs).arguments
            except TypeError as error:
                raise TypeError(f"{name}(): {error}") from None
        parameters = {key: arguments.pop(key) for key in parameter_names if key in arguments}
        return compute(get_metric(default, **parameters) if parameters else default, arguments)

    metric.__name__ = metric.__qualname__ = name
    metric.__module__ = "xentexp.metrics"
    metric.__signature__ = shown  # type: ignore[attr-defined]
    metric.__doc__ = docstring_of(default, shown)
    return metric


def _loss_value(loss: Any, arguments: dict[str, Any]) -> Any:
    reduction, n_jobs = arguments.pop("reduction", "mean"), arguments.pop("n_jobs", None)
    if loss.properties.distributions:
        return _distributions_value(loss, reduction, n_jobs, **arguments)
    return loss.reduce(loss.check_input(**arguments), reduction, n_jobs)


def _dataset_value(metric: Any, arguments: dict[str, Any]) -> float:
    prior = arguments.pop("prior", None)
    if arguments["y_true"] is None:
        raise InputError("y_true must be given; got None")
    checked = read(**arguments)
    check_applies(checked, [metric])
    return float(metric.value(MetricInput(checked, prior=prior)))


def _peer_value(
    name: str, convention: str, names: list[str], args: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    if len(args) > len(names):
        raise TypeError(f"{name}(): too many positional arguments")
    arrays = dict(zip(names, args, strict=False))
    arrays |= {key: options.pop(key) for key in names if key in options}
    if "loss" in options:
        options["loss"] = get_loss(options["loss"]).name
    return apply(name, convention, arrays.get(names[0]), arrays.get(names[1]), options)


def _distributions_value(
    loss: Loss,
    reduction: Reduction,
    n_jobs: int | None,
    p: Any,
    q: Any = None,
    normalize: bool | None = False,
    **options: Any,
) -> Any:
    only_p = loss.properties.targets == "none"
    shape = to_array(p, "p").shape
    if not only_p and (q_shape := to_array(q, "q").shape) != shape:
        raise InputError(f"p and q must have the same shape; got {shape} and {q_shape}")
    if shape[-1] < 2:
        raise InputError(
            f"p must have an entry for each of two or more classes; its shape is {shape}"
        )
    single = len(shape) == 1
    if single:
        p, q = [p], None if only_p else [q]
    # With delta > 0 the logarithm is finite whatever q, and rows may have any sum.
    if getattr(loss, "delta", 0.0) > 0.0 and normalize is False:
        normalize = None
    predicted, target = (p, None) if only_p else (q, p)
    names = ("p", "p" if only_p else "q")
    checked = read(target, predicted, normalize=normalize, clip=0.0, names=names, **options)
    loss.check_applies(checked)
    value = loss.reduce(checked, reduction, n_jobs)
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
    return [*names, "n_jobs", "reduction"]


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
    parameters = {field.name: getattr(metric, field.name) for field in fields(metric)}  # type: ignore[arg-type]
    keywords = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, default in {**defaults, **parameters, **reduction}.items()
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
    "nearest": "Values near {optimum:g} are best",
    "none": "Neither lower nor higher is better: it describes predictions and does not rank them",
}
_PROPERNESS = {
    "strictly proper": "only the true probabilities minimize its expected value",
    "proper": "the true probabilities minimize its expected value, but others may too",
    "improper": "the true probabilities need not minimize its expected value",
}
_TARGETS = {
    "labels": ("(n,)", "True classes, as labels."),
    "one-hot": ("(n,) or (n, k)", "True classes, as labels or as one-hot rows."),
    "soft": (
        "(n,) or (n, k)",
        "True classes, as labels or as one-hot rows, or target probabilities of the classes,\n"
        "which sum to 1 in each row.",
    ),
    "positive": (
        "(n, k)",
        "Target probabilities of the classes, all above 0, which sum to 1 in each row.",
    ),
    "multilabel": (
        "(n,) or (n, k)",
        "Target of each label: 1 if the row has the label and 0 if not, or a probability.\n"
        "Shape (n,) is for a single label.",
    ),
    "none": ("", ""),
}
_SECOND_CLASS = "Shape (n,) holds those of the second of two classes."
_PREDICTIONS = {
    "predict_proba": "Predicted probabilities of the classes, which sum to 1 in each row{logits}.\n"
    + _SECOND_CLASS,
    "decision_function": "Decision scores of the classes, as from `decision_function`: any finite\n"
    "numbers. Do not pass probabilities: numbers in [0, 1] are valid decision scores too, so\n"
    "the function cannot detect the mistake, and the value has no meaning.\n" + _SECOND_CLASS,
    "either": "Predicted probabilities of the classes, which sum to 1 in each row{logits}.\n"
    + _SECOND_CLASS,
    "latent": "One decision score for each row, whatever the number of classes: any finite\n"
    "number. Do not pass probabilities: the function cannot detect the mistake.",
}
_LOGITS = ", or raw scores (logits)\nwith ``from_logits=True``"
# Options with another meaning for metrics of the whole data set.
_DATASET_OPTIONS = {
    "sample_weight": (
        "array-like of shape (n,)",
        "Weight of each row, at least 0. By default all rows have the same weight.",
    ),
    "ignore_label": (
        "label",
        "Rows with this label in `y_true` are left out. By default all rows count.",
    ),
}


def docstring_of(metric: Metric, signature: inspect.Signature) -> str:
    """Docstring of a function, in numpydoc style, with an example that runs."""
    properties = metric.properties
    loss = metric if isinstance(metric, Loss) else None
    lines = [properties.summary, "", *_value_lines(metric)]
    lines += ["", "Parameters", "----------"]
    for parameter in signature.parameters.values():
        stars = "**" if parameter.kind is inspect.Parameter.VAR_KEYWORD else ""
        kind, text = _documented(metric, parameter)
        lines += [f"{stars}{parameter.name} : {kind}", indent(text)]
    lines += ["", "Returns", "-------", *_returned(loss), "", "Raises", "------", "InputError"]
    lines += [
        indent(
            "If an argument has a wrong shape, type or value, e.g. an unknown label or a negative\n"
            "weight. It is a ``ValueError``; the message states the rule and the value."
        )
    ]
    if "ndefined" in properties.notes:
        lines += ["UndefinedError"]
        lines += [indent("If the metric is undefined for these rows, as described above.")]
    name = metric.function if isinstance(metric, DatasetMetric) else metric.name
    if conventions := describe(name):
        lines += ["", "Notes", "-----"]
        lines += [
            "With another `convention` the function returns the number that the function of the",
            "other library returns for the same arrays, also for input that is not valid above:",
            "",
            *conventions,
        ]
    lines += ["", "References", "----------"]
    lines += [properties.reference] if loss is None else _wrap(properties.reference)
    lines += ["", "Examples", "--------"]
    lines += [f">>> from xentexp.metrics import {name}", properties.example, ""]
    return "\n".join(lines)


def _value_lines(metric: Metric) -> list[str]:
    """Direction, range, formula with its symbols, and properties."""
    properties = metric.properties
    direction = _DIRECTIONS[properties.direction].format(optimum=properties.optimum or 0.0)
    if not isinstance(metric, Loss):
        best = f": {properties.optimum:g} is best" if properties.direction != "nearest" else ""
        lines = [f"{direction}{best}. Values lie in {properties.range}."]
        lines += ["", f"Value of the data set: ``{properties.formula}``."]
        lines += [properties.notes] if properties.notes else []
        return [*lines, *_other_names(metric)]
    lines = [f"{direction}. Values lie in {properties.range}."]
    if "log2" in properties.formula:
        lines[-1] += " Units are bits."
    elif re.search(r"\blog\b", properties.formula) and not metric.properties.numbers:
        lines[-1] += " Units are nats."
    lines += ["", f"Value of a row: ``{properties.formula}``."]
    lines += _wrap(symbols_of(metric))
    return [*lines, *_loss_properties(metric), *_other_names(metric)]


def _returned(loss: Loss | None) -> list[str]:
    if loss is None:
        return ["float", indent("Value of the whole data set.")]
    if loss.properties.distributions:
        text = (
            'Mean or sum over the rows. With ``reduction="none"`` the value of each row, as an\n'
            "array for arguments of shape (n, k)."
        )
    else:
        text = (
            'Mean or sum over the rows. With ``reduction="none"`` an array with the weighted\n'
            "value of each row."
        )
    return ["float or ndarray of shape (n,)", indent(text)]


_CLASS_SYMBOLS = {
    "p_j": "p_j is the predicted probability of class j",
    "p_y": "p_y is the predicted probability of the true class y",
    "p": "p is the predicted probability of the second class",
    "t_j": "t_j is the target of class j (1 for the true class and 0 for the others, or a target "
    "probability)",
    "t_m": "t_m is the target of the predicted class m",
    "y": "y is 1 for rows of the second class and 0 for the others",
    "j - y": "y is the position of the true class",
    "T_m": "F_m is the predicted probability, and T_m the target probability, of the first m "
    "classes",
    "r_j": "r_j = p_j - t_j, with p_j the predicted probability and t_j the target of class j",
    "d_j": "d_j is the decision score of class j",
    "d_y": "d_y is the decision score of the true class y",
    "d": "d is the decision score of the second class (with two columns: the second minus the "
    "first)",
    "s": "s is 1 for rows of the second class and -1 for the others",
    "log_t1": "log_t1(x) = (x^(1 - t1) - 1) / (1 - t1) is the tempered logarithm",
    "k": "k is the number of classes",
}
_LATENT_SYMBOLS = {
    "d": "d is the decision score",
    "theta_y": "theta_y is the threshold above class y and theta_{y-1} the threshold below it "
    "(infinite at both ends)",
}
_DISTRIBUTION_SYMBOLS = {
    "p_j": "p_j is the probability of class j in `p`",
    "q_j": "q_j is the probability of class j in `q`",
    "k": "k is the number of classes",
}
_LABEL_SYMBOLS = {
    "p_j": "p_j is the predicted probability of label j",
    "y_j": "y_j is the target of label j",
    "k": "k is the number of labels",
}
# Symbols for parameters whose names are too long for a formula.
_PARAMETER_SYMBOLS = {
    "g+": ("gamma_positive", "g+ is `gamma_positive`"),
    "g-": ("gamma_negative", "g- is `gamma_negative`"),
    "alpha_y": ("alpha", "alpha_y is the value of `alpha` for the true class"),
    "alpha_j": ("alpha", "alpha_j is the value of `alpha` for class j"),
    "a": ("alpha", "a is `alpha`"),
    "b": ("beta", "b is `beta`"),
}


def symbols_of(loss: Loss) -> str:
    """Sentences that explain the symbols in the formula of a loss."""
    properties = loss.properties
    formula = properties.formula.replace("int_p", "p ").replace("sum_", " ")
    symbols = set(re.findall(r"theta_y|j - y|g[+-]|[A-Za-z]\w*", formula))
    if "j - y" in symbols or any(symbol.endswith("_y") for symbol in symbols):
        symbols.discard("y")
    names = _CLASS_SYMBOLS
    if properties.response == "latent":
        names = _LATENT_SYMBOLS
    elif properties.distributions:
        names = _DISTRIBUTION_SYMBOLS
    elif properties.targets == "multilabel":
        names = _LABEL_SYMBOLS
    parameters = {field.name for field in fields(loss)}
    phrases = [text for symbol, text in names.items() if symbol in symbols - parameters]
    phrases += [
        text
        for symbol, (parameter, text) in _PARAMETER_SYMBOLS.items()
        if symbol in symbols - parameters and parameter in parameters
    ]
    text = f"Here {'; '.join(phrases)}." if phrases else ""
    if properties.targets == "soft" and re.search(r"_y|j - y|y=", formula):
        text += " For target probabilities it is the expected value over the true class."
    if symbols & parameters:
        listed = ", ".join(sorted(symbols & parameters))
        number = "is a parameter" if len(symbols & parameters) == 1 else "are parameters"
        text += f" {listed} {number} described below."
    if properties.numbers:
        text += " With ``numbers=True``, p_j and t_j are the numbers in `y_pred` and `y_true`."
    return text.strip()


def _documented(metric: Metric, parameter: inspect.Parameter) -> tuple[str, str]:
    """Type and meaning of an argument of a function."""
    if parameter.kind is inspect.Parameter.VAR_KEYWORD:
        return (
            "keywords of the other library",
            "Keywords of the function that `convention` selects; see the Notes. They raise an\n"
            'error with ``convention="xentexp"``.',
        )
    if parameter.default is inspect.Parameter.empty:
        return _documented_argument(metric, parameter.name)
    parameters = _documented_fields(metric)
    if parameter.name in parameters:
        kind, text = parameters[parameter.name]
    elif not isinstance(metric, Loss) and parameter.name in _DATASET_OPTIONS:
        kind, text = _DATASET_OPTIONS[parameter.name]
    else:
        kind, _, text = OPTIONS[parameter.name]
    if (
        parameter.name == "from_logits"
        and isinstance(metric, Loss)
        and metric.properties.link == "tempered softmax"
    ):
        text = text.replace("softmax (sigmoid for shape (n,))", "tempered softmax")
    default = parameter.default
    shown = f'"{default}"' if isinstance(default, str) else repr(default)
    return f"{kind}, default={shown}", text


def _documented_argument(metric: Metric, name: str) -> tuple[str, str]:
    properties = metric.properties
    shape, targets = _TARGETS[properties.targets]
    predictions = _PREDICTIONS[properties.response].format(logits=_LOGITS)
    if properties.targets == "multilabel":
        predictions = (
            "Predicted probability of each label, or its raw score with ``from_logits=True``.\n"
            "Shape (n,) is for a single label."
        )
    elif not isinstance(metric, Loss) and properties.response == "either":
        predictions += "\nDecision scores of two classes can be passed as raw scores"
        more = "; for more classes pass\nthem to `evaluate` as `decision`."
        predictions += "." if properties.binary_only else more
    columns = "" if properties.response == "latent" else " or (n, k)"
    p = "A distribution: probabilities of k classes, which sum to 1. With shape (n, k), one\n"
    p += "distribution in each row."
    if properties.targets != "none":
        p = p.replace("A distribution", "The target distribution")
    return {
        "y_true": (f"array-like of shape {shape}", targets),
        "y_pred": (f"array-like of shape (n,){columns}", predictions),
        "p": ("array-like of shape (k,) or (n, k)", p),
        "q": (
            "array-like of the same shape",
            "The predicted distribution, or one in each row; each sums to 1.",
        ),
    }[name]


def _loss_properties(loss: Loss) -> list[str]:
    """Properness, shape as a function of the raw scores, and symmetry."""
    properties = loss.properties
    scores = "raw" if properties.response in ("predict_proba", "either") else "decision"
    text = ""
    if properties.properness in _PROPERNESS:
        text = f"It is {properties.properness}: {_PROPERNESS[properties.properness]}."
    if properties.direction != "none":
        shape = {
            "smooth": "convex and smooth" if properties.convex else "smooth but not convex",
            "subgradient": f"{'' if properties.convex else 'not '}convex, with kinks where its "
            "gradient is a subgradient",
            "none": f"{'' if properties.convex else 'not '}convex and has no useful gradient",
        }[properties.gradient]
        text += f" As a function of the {scores} scores ({properties.link} link) it is {shape}."
    if properties.gradient != "none" and properties.targets in ("labels", "one-hot", "soft"):
        two_only = loss.invertible(2) and not (properties.binary_only or loss.invertible(3))
        can = "can" if loss.invertible(2) else "cannot"
        text += f" The true probabilities {can} be computed from the {scores} scores that minimize"
        text += f" its expected value{', but only for two classes' if two_only else ''}."
    if not properties.symmetric:
        text += " It is not symmetric in the classes: their order changes the value."
    return ["", *_wrap(text.strip())] if text else []


def _other_names(metric: Metric) -> list[str]:
    """Short names, and names in other libraries, that `get_metric` accepts."""
    name = metric.function if isinstance(metric, DatasetMetric) else metric.name
    names = [alias for alias, full_name in ALIASES.items() if full_name == name]
    names += metric.properties.peers
    if not names:
        return []
    return ["", *_wrap(f"`get_metric` also accepts these names: {', '.join(names)}.")]


def _documented_fields(metric: Metric) -> dict[str, tuple[str, str]]:
    """Type and meaning of each parameter, from its metadata or the docstring of its class."""
    text = inspect.cleandoc(type(metric).__doc__ or "").partition("----------\n")[2]
    entries = re.findall(r"^(\S[^:\n]*) : (.+)\n((?:    .*\n?|\n)+)", text, re.MULTILINE)
    documented = {
        name: (kind, inspect.cleandoc(meaning))
        for names, kind, meaning in entries
        for name in names.split(", ")
    }
    for field in fields(metric):  # type: ignore[arg-type]
        kind = field.metadata.get("kind", "object")
        text = field.metadata.get("text", "A parameter of the class; see its documentation.")
        documented.setdefault(field.name, (kind, text))
    return documented


def _wrap(text: str) -> list[str]:
    return textwrap.wrap(text, 92, break_long_words=False, break_on_hyphens=False)
