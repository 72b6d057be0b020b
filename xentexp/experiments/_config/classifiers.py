"""Candidates from model files, which may only name estimators of trusted packages."""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
from collections.abc import Collection, Mapping
from importlib.util import find_spec
from typing import Any

from sklearn.base import is_classifier

from xentexp.errors import EXTRAS, InputError, missing_extra, unknown_name
from xentexp.experiments._config.schema import ModelFile
from xentexp.experiments._models import tabular_pipeline
from xentexp.experiments._results import Candidate
from xentexp.tuning import read_space

TRUSTED = ("sklearn", "xentexp", "lightgbm", "xgboost", "catboost")
"""Packages whose estimators a model file may name; `--trust` adds others."""

_FILES = re.compile(
    r"(.*_)?(memory|file|filename|files|dir|path|borders|machines?|storage)(_.*)?"
    r"|forced_?splits|forced_?bins|fs|mlist|workers|nodes"
)
"""Parameters that read or write files (joblib's cache is a folder of pickles) or open sockets."""
_WITHOUT_FILES = {"allow_writing_files"}


def read_candidate(name: str, model: ModelFile, trusted: Collection[str] = ()) -> Candidate:
    """Candidate of a model file: its classifier, preprocessing, settings and search space."""
    trusted = (*TRUSTED, *trusted)
    try:
        classifier = instantiate(model.classifier, trusted)
    except InputError as error:
        raise InputError(f"model {name}: {error}") from error.__cause__
    if not is_classifier(classifier):
        raise InputError(
            f"model {name}: _target_ must be a classifier; got {model.classifier['_target_']}"
        )
    pipeline = tabular_pipeline(classifier, model.preprocessing)
    space = None
    if model.space is not None:
        try:
            for key, dimension in model.space.items():
                _check_parameter(re.split(r"__|\.", str(key))[-1], dimension)
                _check_data(dimension)
            read_space(model.space, classifier)
        except InputError as error:
            raise InputError(f"model {name}: {error}") from None
        space = {f"classifier__{key}": dimension for key, dimension in model.space.items()}
    parameters = {"preprocessing": model.preprocessing, **_flat("classifier", model.classifier)}
    return Candidate(name, pipeline, parameters, space=space)


def check_classifier(
    name: str, classifier: Mapping[str, Any], trusted: Collection[str] = ()
) -> Collection[str]:
    """Check a classifier without instantiating it; return the names of its parameters."""
    if classifier.get("_target_") is None:
        raise InputError(
            f"models.{name}.classifier._target_ must be the import path of a class; got None; set "
            f"e.g. _target_: sklearn.tree.DecisionTreeClassifier"
        )
    trusted = (*TRUSTED, *trusted)
    try:
        cls, _ = _checked(classifier, trusted)
        _check_inside(classifier, trusted)
    except InputError as error:
        raise InputError(f"model {name}: {error}") from error.__cause__
    return inspect.signature(cls).parameters


def instantiate(node: Any, trusted: Collection[str] = TRUSTED) -> Any:
    """Make the estimators of a section; each is checked when it is made, at every depth."""
    # Not by `hydra.utils.instantiate`, which resolves interpolations in the values once more and so
    # calls whatever an escaped one yields.
    return _made(node, trusted)


def _made(node: Any, trusted: Collection[str]) -> Any:
    if isinstance(node, list):
        return [_made(item, trusted) for item in node]
    if not isinstance(node, Mapping):
        _check_data(node)
        return node
    if "_target_" not in node:
        _check_keys(node)
        return {key: _made(value, trusted) for key, value in node.items()}
    cls, parameters = _checked(node, trusted)
    made = {key: _made(value, trusted) for key, value in parameters.items()}
    try:
        return cls(**made)
    except Exception as error:  # whatever a constructor raises
        raise InputError(f"{error.__cause__ or error}") from error


def _check_inside(node: object, trusted: Collection[str]) -> None:
    """Check all estimators of a section without making them."""
    if isinstance(node, list):
        for item in node:
            _check_inside(item, trusted)
    elif isinstance(node, Mapping):
        if "_target_" in node:
            _checked(node, trusted)
        else:
            _check_keys(node)
        for value in node.values():
            _check_inside(value, trusted)
    else:
        _check_data(node)


def _checked(node: Mapping[str, Any], trusted: Collection[str]) -> tuple[Any, dict[str, Any]]:
    """Class of an estimator, and its parameters: only names that the class has."""
    _check_keys(node)
    cls = _estimator_class(node["_target_"], trusted)
    parameters = {key: value for key, value in node.items() if key != "_target_"}
    known = inspect.signature(cls).parameters
    open_ended = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known.values())
    for key, value in parameters.items():
        if not open_ended and key not in known:
            raise unknown_name(f"parameter of {node['_target_']}", key, known)
        _check_parameter(key, value)
    return cls, parameters


def _check_keys(node: Mapping[Any, Any]) -> None:
    for key in node:
        if str(key).startswith("_") and key != "_target_":
            raise InputError(f"the key {key} is not allowed in a model file; remove it")


def _check_parameter(key: object, value: object) -> None:
    if value is None or key in _WITHOUT_FILES:
        return
    if _FILES.fullmatch(str(key)):
        raise InputError(
            f"the parameter {key} must be null, because it names files or addresses; got "
            f"{value!r}; set it from Python, with xentexp.experiments"
        )


def _check_data(value: object) -> None:
    """Refuse text that a later composition could resolve."""
    if isinstance(value, list):
        for item in value:
            _check_data(item)
    elif isinstance(value, Mapping):
        _check_keys(value)
        for item in value.values():
            _check_data(item)
    elif isinstance(value, str) and "${" in value:
        raise InputError(
            f"values must not contain an escaped interpolation; got {value!r}; remove the "
            f"backslash, or the value"
        )


def _flat(prefix: str, value: object) -> dict[str, object]:
    """Settings of a classifier with dotted names, nested estimators included."""
    if not (isinstance(value, Mapping) and "_target_" in value):
        return {prefix.replace("._target_", ""): value}
    return {
        name: setting
        for key, inner in value.items()
        for name, setting in _flat(f"{prefix}.{key}", inner).items()
    }


def _estimator_class(target: object, trusted: Collection[str]) -> Any:
    module_name, _, class_name = str(target).rpartition(".")
    if not any(f"{module_name}.".startswith(f"{package}.") for package in trusted):
        raise InputError(
            f"_target_ must be in a trusted package ({', '.join(trusted)}); got {target!r}; to run "
            f"the code of another package, name it with --trust PACKAGE"
        )
    try:
        module = importlib.import_module(module_name)
        cls = getattr(module, class_name, None)
    except OSError as error:  # a booster whose shared library does not load
        raise InputError(f"{module_name} cannot be loaded: {error}") from error
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        if missing in EXTRAS:
            raise missing_extra(missing, f"{target}") from None
        raise InputError(f"the module {missing} does not exist; check _target_") from None
    needed = getattr(cls, "module", None)  # package that a classifier of xentexp imports in fit
    if isinstance(needed, str) and find_spec(needed) is None:
        raise missing_extra(needed, f"{target}")
    if cls is None:
        names = [key for key, value in vars(module).items() if inspect.isclass(value)]
        near = difflib.get_close_matches(class_name, names, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]}?" if near else "check _target_"
        raise InputError(f"{module_name} has no class {class_name}; {hint}")
    if not (inspect.isclass(cls) and hasattr(cls, "fit") and hasattr(cls, "get_params")):
        raise InputError(f"_target_ must be the class of an estimator; got {target!r}")
    # A trusted module can import classes of other packages.
    if not any(f"{cls.__module__}.".startswith(f"{package}.") for package in trusted):
        raise InputError(
            f"_target_ must be the class of a trusted package; got {target!r}, which is "
            f"{cls.__module__}.{cls.__name__}"
        )
    return cls
