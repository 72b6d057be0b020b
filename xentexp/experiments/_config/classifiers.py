"""Candidates from model files, which may only name estimators of trusted packages."""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
from collections.abc import Collection, Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from sklearn.base import clone, is_classifier

from xentexp.errors import EXTRAS, InputError, missing_extra, unknown_name
from xentexp.experiments._config.schema import ModelFile
from xentexp.experiments._models import tabular_pipeline
from xentexp.experiments._results import Candidate
from xentexp.tuning import read_space

TRUSTED = ("sklearn", "xentexp", "lightgbm", "xgboost", "catboost")
"""Packages whose estimators a model file may name; `--trust` adds others."""

_FILES = re.compile(
    r"(.*_)?(memory|file|filename|files|dir|path|borders|machines?|storage)(_.*)?"
    r"|forced_?splits|forced_?bins|fs|mlist|workers|nodes|input"
)
"""Parameters that read or write files (joblib's cache is a folder of pickles) or open sockets."""
_NOT_FILES = {"input": {"content"}, "gpu_cat_features_storage": {"GpuRam", "CpuPinnedMemory"}}
"""Values of such parameters that do not name files."""


def read_candidate(name: str, model: ModelFile, trusted: Collection[str] = ()) -> Candidate:
    """Candidate of a model file: its classifier, preprocessing, settings and search space."""
    trusted = (*TRUSTED, *trusted)
    try:
        classifier = instantiate(model.classifier, trusted)
        suitable = is_classifier(clone(classifier))
    except InputError as error:
        raise InputError(f"model {name}: {error}") from error.__cause__
    except Exception as error:  # CatBoost checks its parameters when they are read
        raise InputError(f"model {name}: {error}") from error
    if not suitable:
        raise InputError(
            f"model {name}: _target_ must be a classifier; got {model.classifier['_target_']}"
        )
    pipeline = tabular_pipeline(classifier, model.preprocessing)
    space = None
    if model.space is not None:
        try:
            _check_inside(model.space, trusted)
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
        _check_inside(classifier, trusted)
        cls = _estimator_class(classifier["_target_"], trusted)
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
        _check_text(node)
        return node
    cls = _checked(node, trusted)
    made = {key: _made(node[key], trusted) for key in node if key != "_target_"}
    if cls is None:
        return made
    try:
        return cls(**made)
    except Exception as error:  # whatever a constructor raises
        raise InputError(f"{error.__cause__ or error}") from error


def _check_inside(node: object, trusted: Collection[str]) -> None:
    """Check all estimators and values of a section without making estimators."""
    if isinstance(node, list):
        for item in node:
            _check_inside(item, trusted)
    elif isinstance(node, Mapping):
        _checked(node, trusted)
        for value in node.values():
            _check_inside(value, trusted)
    else:
        _check_text(node)


def _checked(node: Mapping[Any, Any], trusted: Collection[str]) -> Any:
    """Class of an estimator whose keys are its parameters; None for another mapping."""
    cls = _estimator_class(node["_target_"], trusted) if "_target_" in node else None
    known = {} if cls is None else inspect.signature(cls).parameters
    open_ended = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known.values())
    for key, value in node.items():
        if key == "_target_":
            continue
        if re.fullmatch(r"_\w+_", str(key)):
            raise InputError(f"the key {key} is not allowed in a model file; remove it")
        if cls is not None and not open_ended and key not in known:
            raise unknown_name(f"parameter of {node['_target_']}", key, known)
        _check_text(key)
        _check_files(str(key), value)
    return cls


def _check_files(key: str, value: object) -> None:
    """Refuse text as a value of a parameter of files, also in grids such as estimator__memory."""
    parameter = re.split(r"__|[.\s]", key)[-1]
    if _FILES.fullmatch(parameter) and set(_texts(value)) - _NOT_FILES.get(parameter, set()):
        raise InputError(
            f"the parameter {key} must be null, because it names files or addresses; got "
            f"{value!r}; set it from Python, with xentexp.experiments"
        )


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, Mapping)):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(item)


def _check_text(value: object) -> None:
    """Refuse text that a later composition could resolve, or that sets another parameter."""
    if not isinstance(value, str):
        return
    if "${" in value:
        raise InputError(
            f"values must not contain an escaped interpolation; got {value!r}; remove the "
            f"backslash, or the value"
        )
    # LightGBM joins all parameters to one text, NAME=VALUE NAME=VALUE, and reads it again.
    for name, rest in re.findall(r"(\w+)=(\S*)", value):
        _check_files(name, rest)


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
    except Exception as error:  # whatever a module raises when it is imported
        raise InputError(f"{module_name} cannot be imported: {error}; check _target_") from error
    needed = getattr(cls, "module", None)  # package that a classifier of xentexp imports in fit
    if isinstance(needed, str) and find_spec(needed) is None:
        raise missing_extra(needed, f"{target}")
    if cls is None:
        names = [key for key, value in vars(module).items() if inspect.isclass(value)]
        near = difflib.get_close_matches(class_name, names, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]}?" if near else "check _target_"
        raise InputError(f"{module_name} has no class {class_name}; {hint}")
    if not (inspect.isclass(cls) and _is_part(cls)):
        raise InputError(f"_target_ must be the class of an estimator; got {target!r}")
    # A trusted module can import classes of other packages.
    if not any(f"{cls.__module__}.".startswith(f"{package}.") for package in trusted):
        raise InputError(
            f"_target_ must be the class of a trusted package; got {target!r}, which is "
            f"{cls.__module__}.{cls.__name__}"
        )
    return cls


def _is_part(cls: type) -> bool:
    """Whether a class is an estimator, a splitter of cross-validation, or a kernel."""
    return (
        (hasattr(cls, "fit") and hasattr(cls, "get_params"))
        or (hasattr(cls, "split") and hasattr(cls, "get_n_splits"))
        or (hasattr(cls, "diag") and hasattr(cls, "is_stationary"))
    )
