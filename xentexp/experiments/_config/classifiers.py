"""Candidates from model files, which may only name estimators of trusted packages."""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Collection, Mapping
from importlib.util import find_spec
from typing import Any

from hydra.utils import instantiate
from sklearn.base import is_classifier

from xentexp.errors import EXTRAS, InputError, missing_extra, unknown_name
from xentexp.experiments._config.schema import ModelFile
from xentexp.experiments._models import tabular_pipeline
from xentexp.experiments._results import Candidate
from xentexp.tuning import read_space

TRUSTED = ("sklearn", "xentexp", "lightgbm", "xgboost", "catboost")
"""Packages whose estimators a model file may name."""


def read_candidate(name: str, model: ModelFile) -> Candidate:
    """Candidate of a model file: its classifier, preprocessing, settings and search space."""
    check_classifier(name, model.classifier)
    try:
        classifier = instantiate(model.classifier, _convert_="all")
    except Exception as error:  # whatever a constructor raises
        raise InputError(f"model {name}: {error.__cause__ or error}") from error
    if not is_classifier(classifier):
        raise InputError(
            f"model {name}: _target_ must be a classifier; got {model.classifier['_target_']}"
        )
    pipeline = tabular_pipeline(classifier, model.preprocessing)
    space = None
    if model.space is not None:
        try:
            read_space(model.space, classifier)
        except InputError as error:
            raise InputError(f"model {name}: {error}") from None
        space = {f"classifier__{key}": dimension for key, dimension in model.space.items()}
    parameters = {"preprocessing": model.preprocessing, **_flat("classifier", model.classifier)}
    return Candidate(name, pipeline, parameters, space=space)


def check_classifier(name: str, classifier: Mapping[str, Any]) -> Collection[str]:
    """Check a classifier without instantiating it; return the names of its parameters."""
    if classifier.get("_target_") is None:
        raise InputError(
            f"models.{name}.classifier._target_ must be the import path of a class; got None; set "
            f"e.g. _target_: sklearn.tree.DecisionTreeClassifier"
        )
    _check_targets(name, classifier)
    cls = _estimator_class(name, classifier["_target_"])
    return inspect.signature(cls).parameters


def _flat(prefix: str, value: object) -> dict[str, object]:
    """Settings of a classifier with dotted names, nested estimators included."""
    if not (isinstance(value, Mapping) and "_target_" in value):
        return {prefix.replace("._target_", ""): value}
    return {
        name: setting
        for key, inner in value.items()
        for name, setting in _flat(f"{prefix}.{key}", inner).items()
    }


def _check_targets(name: str, node: object) -> None:
    """Refuse anything but estimators of trusted packages: `_target_` could call any function."""
    # Protects from accidents and from foreign values. A folder given by --config-dir can set
    # Hydra's callbacks and must be trusted like code.
    for item in node if isinstance(node, list) else ():
        _check_targets(name, item)
    if not isinstance(node, Mapping):
        return
    for key, value in node.items():
        if str(key).startswith("_") and key != "_target_":
            raise InputError(
                f"model {name}: the key {key} is not allowed in a model file; remove it"
            )
        _check_targets(name, value)
    target = node.get("_target_")
    if target is None:
        return
    known = inspect.signature(_estimator_class(name, target)).parameters
    if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known.values()):
        for key in node:
            if key != "_target_" and key not in known:
                raise unknown_name(f"parameter of {target}", key, known)


def _estimator_class(name: str, target: object) -> Any:
    module_name, _, class_name = str(target).rpartition(".")
    package = module_name.partition(".")[0]
    if package not in TRUSTED:
        raise InputError(
            f"model {name}: _target_ must be in a trusted package ({', '.join(TRUSTED)}); got "
            f"{target!r}; use other classifiers from Python, with xentexp.experiments"
        )
    try:
        module = importlib.import_module(module_name)
        cls = getattr(module, class_name, None)
    except OSError as error:  # a booster whose shared library does not load
        raise InputError(f"model {name}: {module_name} cannot be loaded: {error}") from error
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        if missing in EXTRAS:
            raise missing_extra(missing, f"model {name}") from None
        raise InputError(
            f"model {name}: the module {missing} does not exist; check _target_"
        ) from None
    needed = getattr(cls, "module", None)  # package that a classifier of xentexp imports in fit
    if isinstance(needed, str) and find_spec(needed) is None:
        raise missing_extra(needed, f"model {name}")
    if cls is None:
        names = [key for key, value in vars(module).items() if inspect.isclass(value)]
        near = difflib.get_close_matches(class_name, names, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]}?" if near else "check _target_"
        raise InputError(f"model {name}: {module_name} has no class {class_name}; {hint}")
    if not (inspect.isclass(cls) and hasattr(cls, "fit") and hasattr(cls, "get_params")):
        raise InputError(
            f"model {name}: _target_ must be the class of an estimator; got {target!r}"
        )
    return cls
