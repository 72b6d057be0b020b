"""Signatures and docstrings of the functions of losses, derived from their properties."""

from __future__ import annotations

import inspect
import re
import textwrap
from dataclasses import fields

from xentexp.inputs.options import OPTIONS, indent
from xentexp.losses import Loss
from xentexp.metrics.compat import CONVENTIONS, describe


def _option_names(loss: Loss) -> list[str]:
    properties = loss.properties
    scores = properties.needs in ("scores", "latent")
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


def signature_of(loss: Loss) -> inspect.Signature:
    """Arguments and options of the function of a loss, with its parameters.

    Parameters
    ----------
    loss : Loss
        With its default parameters.

    Returns
    -------
    inspect.Signature
        Without the keywords of peers.
    """
    arguments = (
        (["p"] if loss.properties.targets == "none" else ["p", "q"])
        if loss.properties.distributions
        else ["y_true", "y_pred"]
    )
    positional = [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in arguments
    ]
    defaults: dict[str, object] = {name: OPTIONS[name][1] for name in _option_names(loss)}
    reduction = defaults.pop("reduction")
    for field in fields(loss):
        defaults[field.name] = getattr(loss, field.name)
    defaults["reduction"] = reduction
    keywords = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, default in defaults.items()
    ]
    return inspect.Signature([*positional, *keywords])


def shown_signature(name: str, signature: inspect.Signature) -> inspect.Signature:
    """Signature for ``help()``: with the keywords of the peers where the loss has any.

    Parameters
    ----------
    name : str
        Of the loss.
    signature : inspect.Signature
        Of its function.

    Returns
    -------
    inspect.Signature
        Longer by `convention` and the peer's keywords.
    """
    if name not in CONVENTIONS:
        return signature
    convention = inspect.Parameter("convention", inspect.Parameter.KEYWORD_ONLY, default="xentexp")
    options = inspect.Parameter("peer_options", inspect.Parameter.VAR_KEYWORD)
    return inspect.Signature([*signature.parameters.values(), convention, options])


def docstring_of(loss: Loss, signature: inspect.Signature) -> str:
    """Docstring of the function of a loss.

    Parameters
    ----------
    loss : Loss
        With its default parameters.
    signature : inspect.Signature
        As shown.

    Returns
    -------
    str
        In numpydoc style, with an example that runs.
    """
    properties = loss.properties
    direction = (
        "Lower is better"
        if properties.direction == "lower"
        else "Neither lower nor higher is better: it describes"
    )
    domain = {
        "probabilities": "Class probabilities; rows sum to 1.",
        "scores": "Decision scores: any finite numbers, never probabilities.",
        "either": "Class probabilities, or raw scores with `from_logits`.",
        "latent": "One decision score for each row, whatever the number of classes.",
    }[properties.needs]
    if properties.targets == "multilabel":
        domain = "Probability of each label."
    one_column = {"latent": "", "multilabel": "\nShape (n,) is one label."}.get(
        "latent" if properties.needs == "latent" else properties.targets,
        "\nShape (n,) speaks of the second of two classes.",
    )
    targets = {
        "labels": ("(n,)", "Labels."),
        "one-hot": ("(n,) or (n, k)", "Labels, or one-hot rows."),
        "soft": ("(n,) or (n, k)", "Labels, one-hot rows, or distributions."),
        "positive": ("(n, k)", "Distributions."),
        "multilabel": ("(n,) or (n, k)", "1 or 0 (or a probability) for each label."),
        "none": ("", ""),
    }[properties.targets]
    arguments = {
        "y_true": (f"array-like of shape {targets[0]}", targets[1]),
        "y_pred": (
            "array-like of shape (n,)" + (" or (n, k)" if properties.needs != "latent" else ""),
            f"{domain}{one_column}",
        ),
        "p": (
            "array-like of shape (k,) or (n, k)",
            "One distribution, or one in each row."
            if properties.targets == "none"
            else "One target distribution, or one in each row; each sums to 1.",
        ),
        "q": ("array-like of the same shape", "Predicted distributions."),
    }
    parameters = _documented_fields(loss)
    lines = [properties.summary, "", f"{direction}; values lie in {properties.range}."]
    proper = "" if properties.properness == "-" else f" It is {properties.properness}."
    lines += [f"Value of a row: ``{properties.formula}``.{proper}"]
    lines += _more_properties(loss)
    lines += ["", "Parameters", "----------"]
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            kind, text = "keywords of the peer", "With its `convention` alone; see the notes."
        elif parameter.default is inspect.Parameter.empty:
            kind, text = arguments[parameter.name]
        elif parameter.name in OPTIONS:
            kind, _, text = OPTIONS[parameter.name]
            kind = f"{kind}, default={parameter.default!r}"
            if parameter.name == "from_logits" and loss.properties.link == "tempered softmax":
                text = text.replace("softmax (sigmoid for shape (n,))", loss.properties.link)
        else:
            kind, text = parameters.get(parameter.name, ("object", "See the class of the loss."))
            kind = f"{kind}, default={parameter.default!r}"
        stars = "**" if parameter.kind is inspect.Parameter.VAR_KEYWORD else ""
        lines += [f"{stars}{parameter.name} : {kind}", indent(text)]
    lines += ["", "Returns", "-------", "float or ndarray of shape (n,)"]
    lines += [indent("An array where `reduction` is 'none'.")]
    lines += ["", "Raises", "------", "InputError"]
    lines += [indent("A ``ValueError`` that states the rule, the value and what to do.")]
    if conventions := describe(loss.name):
        lines += ["", "Notes", "-----", "A convention returns what the peer does, bad input too:"]
        lines += ["", *conventions]
    lines += ["", "References", "----------", *_wrap(properties.reference)]
    lines += ["", "Examples", "--------"]
    lines += [f">>> from xentexp.metrics import {loss.name}", properties.example, ""]
    return "\n".join(lines)


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


def _documented_fields(loss: Loss) -> dict[str, tuple[str, str]]:
    """Type and meaning of each parameter, from the docstring of the class."""
    text = inspect.cleandoc(type(loss).__doc__ or "").partition("----------\n")[2]
    entries = re.findall(r"^(\S[^:\n]*) : (.+)\n((?:    .*\n?|\n)+)", text, re.MULTILINE)
    return {
        name: (kind, inspect.cleandoc(meaning))
        for names, kind, meaning in entries
        for name in names.split(", ")
    }


def _wrap(text: str) -> list[str]:
    return textwrap.wrap(text, 92, break_long_words=False, break_on_hyphens=False)


__all__ = ["docstring_of", "shown_signature", "signature_of"]
