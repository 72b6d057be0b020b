"""Files of stored models: which types they may contain, in which format, and how to load them."""

from __future__ import annotations

import contextlib
import io
import json
import reprlib
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from xentexp.errors import EXTRAS, InputError, missing_extra, printable
from xentexp.losses._registry import LOSSES

SKOPS, CLOUDPICKLE = "skops", "cloudpickle"
"""Formats: skops has data and names of types; cloudpickle runs the code that it contains."""

_FILES = {SKOPS: "model.skops", CLOUDPICKLE: "model.pkl", "pickle": "model.pkl"}
_MLMODEL = "MLmodel"
_LARGEST_MLMODEL = 20_000_000  # bytes
_OLDEST_PROTOCOL = 2
"""Of skops. Functions of protocol 0 are named at another place, where a class could be called."""

# Each type is named, because a package has functions too: a file must not name joblib.load. skops
# itself trusts the estimators of scikit-learn, arrays, NumPy's functions and plain values.
_OBJECTS = (
    "catboost.core.CatBoost",
    "catboost.core.CatBoostClassifier",
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.compose._column_transformer.make_column_selector",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.model_selection._split.KFold",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "xentexp.estimators._catboost.CatBoostLossClassifier",
    "xentexp.estimators._lightgbm.LightGBMLossClassifier",
    "xentexp.estimators._linear.LinearLossClassifier",
    "xentexp.estimators._link.ScoreLink",
    "xentexp.estimators._network.NetworkLossClassifier",
    "xentexp.estimators._xgboost.XGBoostLossClassifier",
    "xentexp.experiments._calibrated.CalibratedClassifier",
    "xentexp.experiments._calibrated._DecodedLabels",
    "xentexp.experiments._models.EncodedLabels",
    "xentexp.experiments._models.EntityColumn",
    "xentexp.experiments._models.FrequentCategories",
    "xentexp.experiments._models.TextCategories",
    "xentexp.experiments._serving.columns.TrainingColumns",
    "xentexp.objectives._catboost.CatBoostMetric",
    "xentexp.objectives._catboost.CatBoostObjective",
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
)
_LOSSES = tuple(
    name
    for name in sorted({f"{type(x).__module__}.{type(x).__qualname__}" for x in LOSSES.values()})
    if name.startswith("xentexp.losses.")  # not those of plug-ins
)
_OTHERS = {  # HistGradientBoosting encodes categories with partial(check_array, ...)
    "collections.OrderedDict": "TypeNode",
    "functools.partial": "PartialNode",
    "numpy.dtype": "DTypeNode",
    "sklearn.tree._tree.Tree": "TreeNode",
    "sklearn.utils.validation.check_array": "FunctionNode",
    "xentexp.experiments._models.median": "FunctionNode",
}
TRUSTED_TYPES: dict[str, str] = {**dict.fromkeys((*_OBJECTS, *_LOSSES), "ObjectNode"), **_OTHERS}
"""Types that a stored model may contain besides those of skops, and the kind of node of each.

The kind matters: an ObjectNode sets attributes, other nodes call the type with what the file says.
"""


def load_model(folder: Path, trust: bool = False) -> Any:
    """Load the model of a folder that MLflow has written; `trust` allows code of the file."""
    # The list of trusted types in MLmodel is not read: whoever changes the file can change it too.
    described = _described(folder)
    form, file = described.form, described.file
    if form == SKOPS:
        data = file.read_bytes()
        if not trust and (unknown := unknown_types(data)):
            raise InputError(
                f"the stored model contains types that xentexp does not know: "
                f"{', '.join(map(printable, unknown[:10]))}{', ...' if len(unknown) > 10 else ''}; "
                f"if you trust where it comes from, pass --trust"
            )
        with _code(folder, described.code, trust), readable():
            return load_skops(data)
    if not trust:
        raise InputError(
            f"the stored model has the format {printable(str(form))}, which runs code of the file "
            f"when it is loaded; if you trust where it comes from, pass --trust"
        )
    import cloudpickle

    with _code(folder, described.code, trust), readable(), file.open("rb") as stream:
        return cloudpickle.load(stream)


@dataclass(frozen=True)
class _Described:
    """What the file MLmodel says about the stored model."""

    form: str
    file: Path
    code: str | None


def _described(folder: Path) -> _Described:
    file = _plain_file(folder, _MLMODEL)
    if file.stat().st_size > _LARGEST_MLMODEL:
        raise _damaged(f"{_MLMODEL} has more than {_LARGEST_MLMODEL:,} bytes")
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise _damaged(f"{_MLMODEL} is not valid YAML") from error
    flavors = content.get("flavors") if isinstance(content, dict) else None
    flavor = flavors.get("sklearn") if isinstance(flavors, dict) else None
    if not isinstance(flavor, dict):
        raise InputError(
            "the stored model must be one that `xentexp run` has logged, a scikit-learn model; got "
            "a model without the flavor sklearn; load it with mlflow.pyfunc.load_model instead"
        )
    form, name = flavor.get("serialization_format", "pickle"), flavor.get("pickled_model")
    if not isinstance(form, str) or form not in _FILES:
        known = ", ".join(_FILES)
        raise _damaged(f"its format must be {known}; got {_shown(form)}")
    if name != _FILES[form]:
        raise _damaged(f"its file must be {_FILES[form]}; got {_shown(name)}")
    code = flavor.get("code")
    return _Described(form, _plain_file(folder, name), code if isinstance(code, str) else None)


def _shown(value: object) -> str:
    """Beginning of a value: YAML can repeat a list in itself many times over."""
    return printable(reprlib.repr(value))


def _plain_file(folder: Path, name: str) -> Path:
    """File in the folder itself: a link could lead to any other file."""
    file = folder / name
    if file.is_symlink() or not file.is_file():
        raise _damaged(f"it must have the file {name}")
    return file


def unknown_types(data: bytes) -> list[str]:
    """Types of a skops file that are not known; nothing of the file is constructed."""
    import skops.io

    with readable():
        names = {*_unknown_nodes(_schema(data)), *skops.io.get_untrusted_types(data=data)}
    return sorted(names - set(TRUSTED_TYPES))


def _unknown_nodes(schema: Any) -> Iterator[str]:
    """Known types in a kind of node that is not theirs."""
    for node in _nodes(schema):
        name = f"{node.get('__module__')}.{node.get('__class__')}"
        loader = node.get("__loader__")
        if name in TRUSTED_TYPES and loader not in (TRUSTED_TYPES[name], "CachedNode"):
            yield f"{name} ({printable(str(loader))})"


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    remaining = [schema]
    while remaining:
        node = remaining.pop()
        if isinstance(node, list):
            remaining += node
        elif isinstance(node, dict):
            remaining += node.values()
            yield node


def _schema(data: bytes) -> Any:
    """Content of the file schema.json of a skops file, which can be loaded in the memory."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        # skops does not compress; a compressed or overlapping member could fill the memory.
        if any(member.compress_type != zipfile.ZIP_STORED for member in members) or sum(
            member.file_size for member in members
        ) > len(data):
            raise _damaged("its archive is compressed")
        schema = json.loads(archive.read("schema.json"))
        sizes = {member.filename: member.file_size for member in members}
    protocol = schema.get("protocol")
    if isinstance(protocol, int) and protocol < _OLDEST_PROTOCOL:
        raise _damaged(f"its protocol of skops must be {_OLDEST_PROTOCOL} or more; got {protocol}")
    # skops reads an array that several objects share once, because they have one id.
    files = [node for node in _nodes(schema) if isinstance(node.get("file"), str)]
    read = {node.get("__id__") or -place: node["file"] for place, node in enumerate(files, 1)}
    if sum(sizes.get(name, 0) for name in read.values()) > len(data):
        raise _damaged("objects that are not the same have the same file")
    return schema


def load_skops(data: bytes) -> Any:
    """Load a skops file with all types that it names; `unknown_types` must have checked them."""
    import skops.io

    return skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))


@contextlib.contextmanager
def readable() -> Iterator[None]:
    """Turn errors that a damaged file causes into an InputError; a missing package is named."""
    try:
        yield
    except InputError:
        raise
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in EXTRAS:
            raise missing_extra(package, "the stored model") from error
        raise InputError(
            f"the stored model needs the package {printable(package)}, which is not installed"
        ) from error
    except Exception as error:  # whatever the content of a damaged file causes
        reason = printable(f"{type(error).__name__}: {error}")
        raise _damaged(reason) from error


def _damaged(reason: str) -> InputError:
    return InputError(
        f"the stored model cannot be read, it is damaged: {reason}; restore it from a backup, or "
        f"run the models again with `xentexp run`"
    )


@contextlib.contextmanager
def _code(folder: Path, name: str | None, trust: bool) -> Iterator[None]:
    """Import modules of the model's folder too, after all others, if the user trusts it."""
    if not trust or name is None:
        yield
        return
    path = str((folder / name).resolve())
    sys.path.append(path)
    try:
        yield
    finally:
        sys.path.remove(path)
