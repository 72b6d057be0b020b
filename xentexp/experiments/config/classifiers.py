"""Model files become candidates: estimators of trusted packages, and nothing else."""

from __future__ import annotations

import contextlib
import importlib
import inspect
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from hydra.utils import instantiate
from sklearn.base import is_classifier

from xentexp.errors import EXTRAS, InputError, missing_extra, unknown_name
from xentexp.experiments.config.checks import known_keys
from xentexp.experiments.models import tabular_pipeline
from xentexp.experiments.results import Candidate
from xentexp.tuning import read_space

TRUSTED = ("sklearn", "xentexp", "lightgbm", "xgboost", "catboost")
"""Packages whose classifiers a model file may name."""


def read_candidate(name: str, model: object) -> Candidate:
    """Candidate of a model file.

    Parameters
    ----------
    name : str
        Of the model.
    model : object
        What its file says.

    Returns
    -------
    Candidate
        With its settings.

    Raises
    ------
    InputError
        For anything but a preprocessing and a trusted classifier with parameters that it has,
        and for a `space` of settings to search that does not fit it.
    """
    if not isinstance(model, Mapping):
        raise InputError(f"model {name} must have a preprocessing and a classifier; got {model!r}")
    known_keys(
        f"key of model {name}", model, {"preprocessing", "classifier", "space"}, optional={"space"}
    )
    _check_targets(name, model["classifier"])
    try:
        classifier = instantiate(model["classifier"], _convert_="all")
    except Exception as error:  # whatever a constructor raises
        cause = error.__cause__ or error
        raise InputError(f"model {name}: {cause}") from error
    if not is_classifier(classifier):
        target = model["classifier"]["_target_"]
        raise InputError(f"model {name}: {target} is not a classifier")
    if not isinstance(model["preprocessing"], str):
        raise InputError(
            f"model {name}: preprocessing must be a name; got {model['preprocessing']}"
        )
    pipeline = tabular_pipeline(classifier, model["preprocessing"])
    space = model.get("space")
    if space is not None:
        with _of_model(name):
            read_space(space, classifier)
        space = {f"classifier__{key}": dimension for key, dimension in space.items()}
    parameters = {"preprocessing": model["preprocessing"], **_flat(model)}
    return Candidate(name, pipeline, parameters, space=space)


@contextlib.contextmanager
def _of_model(name: str) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError(f"model {name}: {error}") from None


def _flat(model: Mapping[str, Any]) -> dict[str, object]:
    """Settings of a classifier, dotted."""
    flat: dict[str, object] = {}

    def walk(prefix: str, value: object) -> None:
        if isinstance(value, Mapping) and "_target_" in value:
            for key, inner in value.items():
                walk(f"{prefix}.{key}", inner)
        else:
            flat[prefix.replace("._target_", "")] = value

    walk("classifier", model["classifier"])
    return flat


def _check_targets(name: str, node: object, at: str = "classifier") -> None:
    """Refuse anything but estimators of trusted packages: `_target_` could call any function.

    This is for accidents and for values from elsewhere; a whole folder given as --config-dir can
    set Hydra's own callbacks, and is to be trusted like code.
    """
    if isinstance(node, list):
        for item in node:
            _check_targets(name, item, at)
    if not isinstance(node, Mapping):
        if at == "classifier":
            raise InputError(f"model {name}: classifier must have a _target_; got {node!r}")
        return
    target = node.get("_target_")
    if target is None and at == "classifier":
        raise InputError(f"model {name}: classifier must have a _target_, the path of its class")
    for key, value in node.items():
        if str(key).startswith("_") and key != "_target_":
            raise InputError(f"model {name}: {key} is not allowed in a model file")
        _check_targets(name, value, f"{at}.{key}")
    if target is not None:
        cls = _estimator_class(name, target)
        known = inspect.signature(cls).parameters
        if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known.values()):
            for key in node:
                if key != "_target_" and key not in known:
                    raise unknown_name(f"parameter of {target}", key, known)


def _estimator_class(name: str, target: object) -> Any:
    module_name, _, class_name = str(target).rpartition(".")
    package = module_name.partition(".")[0]
    if package not in TRUSTED:
        raise InputError(
            f"model {name}: _target_ {target!r} is not in a trusted package "
            f"({', '.join(TRUSTED)}); other classifiers go through "
            f"xentexp.experiments in Python"
        )
    try:
        cls = getattr(importlib.import_module(module_name), class_name, None)
    except OSError as error:  # a booster whose shared library does not load
        raise InputError(f"model {name}: {module_name} cannot be loaded: {error}") from error
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        if missing in EXTRAS:
            raise missing_extra(missing, f"model {name}") from None
        raise InputError(f"model {name}: there is no module {missing}") from None
    needed = getattr(cls, "module", None)  # of a classifier of ours that imports it when it fits
    if isinstance(needed, str) and find_spec(needed) is None:
        raise missing_extra(needed, f"model {name}")
    if not (inspect.isclass(cls) and hasattr(cls, "fit") and hasattr(cls, "get_params")):
        raise InputError(f"model {name}: _target_ {target!r} is not the class of an estimator")
    return cls
