import io
import json
import os
import zipfile
from functools import partial
from itertools import pairwise
from pathlib import Path

import cloudpickle
import numpy as np
import pytest
import skops.io
import yaml
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.preprocessing import FunctionTransformer

from xentexp.errors import InputError
from xentexp.experiments import Candidate, load_dataset, tabular_pipeline
from xentexp.experiments._calibrated import CalibratedClassifier
from xentexp.experiments._config.calibration import calibrated_candidates
from xentexp.experiments._config.classifiers import read_candidate
from xentexp.experiments._config.schema import ModelFile
from xentexp.experiments._serving import model_file
from xentexp.experiments._serving.model_file import TRUSTED_TYPES, load_model, unknown_types
from xentexp.losses._registry import LOSSES

CONF = Path(__file__).parents[3] / "conf" / "models"
DATA = load_dataset("simulated_delinquency", n_samples=300)
PACKAGES = {
    "catboost": "catboost",
    "lightgbm": "lightgbm",
    "xgboost": "xgboost",
    "network": "torch",
}


def unfitted(name):
    """The model of conf/models, with few trees."""
    text = (CONF / f"{name}.yaml").read_text().replace("${seed}", "0")
    settings = yaml.safe_load(text)[name]
    for section in (settings["classifier"], settings["classifier"].get("estimator")):
        for key in ("n_estimators", "iterations", "max_iter", "max_epochs"):
            if section is not None and section.get(key, 1000) < 1000:
                section[key] = 5
    package = next((PACKAGES[key] for key in PACKAGES if name.startswith(key)), None)
    if package is not None:
        pytest.importorskip(package)
    return read_candidate(name, ModelFile.model_validate(settings)).estimator


def stored(folder, data, form="skops", **more):
    """Folder of a stored model, as MLflow writes it."""
    name = "model.skops" if form == "skops" else "model.pkl"
    (folder / name).write_bytes(data)
    flavor = {"serialization_format": form, "pickled_model": name, **more}
    (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": {"sklearn": flavor}}))
    return folder


def scores(model, X=DATA.X):
    return (getattr(model, "predict_proba", None) or model.decision_function)(X)


def changed(data, change):
    """A skops file whose schema is changed in place by a function."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(target, "w") as new:
        for member in old.namelist():
            content = old.read(member)
            if member == "schema.json":
                schema = json.loads(content)
                change(schema)
                content = json.dumps(schema).encode()
            new.writestr(member, content)
    return target.getvalue()


LOGISTIC = skops.io.dumps(tabular_pipeline(unfitted("logistic")[-1]).fit(DATA.X, DATA.y))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.long
@pytest.mark.parametrize("name", sorted(path.stem for path in CONF.glob("*.yaml")))
def test_each_packaged_model_is_stored_with_known_types_and_loads_with_equal_predictions(
    name, tmp_path, monkeypatch
):
    fitted = unfitted(name).fit(DATA.X, DATA.y)
    data = skops.io.dumps(fitted)
    assert unknown_types(data) == []
    np.testing.assert_array_equal(scores(load_model(stored(tmp_path, data))), scores(fitted))
    for needed in skops.io.get_untrusted_types(data=data):
        without = {key: kind for key, kind in TRUSTED_TYPES.items() if key != needed}
        monkeypatch.setattr(model_file, "TRUSTED_TYPES", without)
        assert unknown_types(data) == [needed]
        with pytest.raises(InputError, match=f"{needed}; if you trust .* pass --trust"):
            load_model(tmp_path)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "temperature"])
@pytest.mark.parametrize("name", ["logistic", "linear_svm", "hist_gradient_boosting"])
def test_models_of_the_key_calibration_are_stored_with_known_types(method, name, tmp_path):
    pipeline = unfitted(name)
    pipeline.set_params(classifier=CalibratedClassifier(pipeline[-1], method=method, cv=KFold(2)))
    fitted = pipeline.fit(DATA.X, DATA.y)
    loaded = load_model(stored(tmp_path, skops.io.dumps(fitted)))
    np.testing.assert_array_equal(scores(loaded), scores(fitted))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "temperature"])
@pytest.mark.parametrize("preprocessing", ["scaled", "ordinal", "entity_ordinal"])
def test_calibrated_models_are_stored_with_known_types(method, preprocessing, tmp_path):
    inner = unfitted("logistic")[-1]
    calibrated = CalibratedClassifierCV(inner, method=method, ensemble=False, cv=2)
    fitted = tabular_pipeline(calibrated, preprocessing).fit(DATA.X, DATA.y)
    loaded = load_model(stored(tmp_path, skops.io.dumps(fitted)))
    np.testing.assert_array_equal(scores(loaded), scores(fitted))


@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "temperature"])
@pytest.mark.parametrize(("kind", "labels"), [("stratified", "ab"), ("time_ordered", [0, 1])])
def test_calibrated_candidates_are_stored_with_known_types(method, kind, labels, tmp_path):
    y = np.array(list(labels))[np.arange(len(DATA.y)) % 2]
    candidate = Candidate("logistic", tabular_pipeline(LogisticRegression()))
    _, made = calibrated_candidates([candidate], [method], cv_kind=kind, seed=0)
    fitted = made.estimator.fit(DATA.X, y)
    loaded = load_model(stored(tmp_path, skops.io.dumps(fitted)))
    np.testing.assert_array_equal(scores(loaded), scores(fitted))


def test_the_trusted_types_are_classes_that_exist_and_two_named_functions():
    import importlib

    functions = []
    for name in TRUSTED_TYPES:
        module, _, cls = name.rpartition(".")
        if module.partition(".")[0] in PACKAGES.values():
            pytest.importorskip(module.partition(".")[0])
        if name.endswith("columns.TrainingColumns"):
            pytest.importorskip(module)
        found = getattr(importlib.import_module(module), cls)
        if not isinstance(found, type):
            functions.append(name)
    assert functions == [
        "sklearn.utils.validation.check_array",
        "xentexp.experiments._models.median",
    ]


def test_all_losses_of_the_package_are_known_and_no_others():
    own = {f"{cls.__module__}.{cls.__name__}" for cls in map(type, LOSSES.values())}
    own = {name for name in own if name.startswith("xentexp.")}
    assert len(own) > 20
    assert {name for name in TRUSTED_TYPES if ".losses." in name} == own


def writes(path):
    Path(path).write_text("run")


class Attack:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize(
    "make",
    [
        lambda path: FunctionTransformer(partial(os.mkdir, str(path))),
        lambda path: FunctionTransformer(writes),
        lambda path: FunctionTransformer(Path(path).mkdir),
        lambda path: partial(eval, f"__import__('os').mkdir({str(path)!r})"),
    ],
    ids=["partial", "function", "method", "builtin"],
)
def test_a_file_with_a_function_is_refused_before_it_is_loaded(make, tmp_path):
    path = tmp_path / "made"
    data = skops.io.dumps(make(path))
    with pytest.raises(InputError, match=r"types that xentexp does not know: .*--trust"):
        load_model(stored(tmp_path, data))
    assert not path.exists()


@pytest.mark.parametrize("form", ["cloudpickle", "pickle"])
def test_pickles_are_refused_before_they_are_loaded_and_loaded_with_trust(form, tmp_path):
    path = tmp_path / "made"
    folder = stored(tmp_path, cloudpickle.dumps(Attack(path)), form)
    with pytest.raises(InputError, match=f"format {form}, which runs code .* pass --trust"):
        load_model(folder)
    assert not path.exists()
    load_model(folder, trust=True)
    assert path.is_dir()


def test_the_list_of_trusted_types_in_the_models_own_file_has_no_effect(tmp_path):
    data = skops.io.dumps(FunctionTransformer(writes))
    types = skops.io.get_untrusted_types(data=data)
    with pytest.raises(InputError, match="does not know"):
        load_model(stored(tmp_path, data, skops_trusted_types=types))


def test_a_known_type_in_a_node_that_would_call_it_is_refused(tmp_path):
    def call(schema):
        schema["content"] = {
            "__class__": "Booster",
            "__module__": "lightgbm.basic",
            "__loader__": "ConstructorFromReduceNode",
            "__id__": 1,
            "content": {
                "__class__": "tuple",
                "__module__": "builtins",
                "__loader__": "TupleNode",
                "__id__": 2,
                "content": [],
            },
        }

    data = changed(LOGISTIC, call)
    assert unknown_types(data) == ["lightgbm.basic.Booster (ConstructorFromReduceNode)"]
    with pytest.raises(InputError, match=r"does not know: lightgbm.basic.Booster \(Constr"):
        load_model(stored(tmp_path, data))


@pytest.mark.parametrize(
    ("module", "name", "loader"),
    [
        ("os", "system", "FunctionNode"),
        ("builtins", "eval", "TypeNode"),
        ("joblib.numpy_pickle", "load", "FunctionNode"),
        ("operator", "methodcaller", "OperatorFuncNode"),
        ("subprocess", "Popen", "ConstructorFromReduceNode"),
        ("xentexp.experiments._cli", "main", "FunctionNode"),
    ],
)
def test_other_functions_and_types_in_the_schema_are_refused(module, name, loader, tmp_path):
    def replace(schema):
        step = {"__class__": name, "__module__": module, "__loader__": loader, "__id__": 1}
        step["content"] = step["attrs"] = schema["content"]
        schema["content"] = step

    with pytest.raises(InputError, match=f"does not know: .*{module}.{name}"):
        load_model(stored(tmp_path, changed(LOGISTIC, replace)))


def test_a_known_type_that_an_old_protocol_would_call_as_a_function_is_refused(tmp_path):
    def node(loader, cls, **more):
        module, _, name = cls.rpartition(".")
        return {"__class__": name, "__module__": module, "__loader__": loader, **more}

    def call(schema):
        none = node("JsonNode", "builtins.str", content="null", is_json=True)
        no_keys = node("ListNode", "builtins.list", content=[])
        place = {"module_path": "xentexp.experiments._models", "function": "EntityColumn"}
        function = {
            "func": node("FunctionNode", "numpy.add", content=place),
            "args": node("TupleNode", "builtins.tuple", content=[none]),
            "kwds": node("DictNode", "builtins.dict", content={}, key_types=no_keys),
            "namespace": none,
        }
        keys = [node("PartialNode", "functools.partial", content=function)]
        schema |= node(
            "DictNode",
            "builtins.dict",
            content={"key": none},
            key_types=node("ListNode", "builtins.list", content=keys),
        )
        schema["protocol"] = 0

    with pytest.raises(InputError, match="its protocol of skops must be 2 or more; got 0"):
        load_model(stored(tmp_path, changed(LOGISTIC, call)))


def test_a_file_whose_arrays_would_fill_the_memory_is_refused(tmp_path):
    def repeat(schema):
        array = next(node for node in model_file._nodes(schema) if node.get("type") == "numpy")
        size = len(LOGISTIC)
        copies = [{**array, "__id__": -place} for place in range(1, size)]
        schema["content"]["content"]["more"] = {
            "__class__": "list",
            "__module__": "builtins",
            "__loader__": "ListNode",
            "content": copies,
        }

    with pytest.raises(InputError, match="objects that are not the same have the same file"):
        load_model(stored(tmp_path, changed(LOGISTIC, repeat)))


def test_an_array_that_the_parts_of_a_model_share_is_read(tmp_path):
    shared = np.arange(100_000.0)
    data = skops.io.dumps(FunctionTransformer(kw_args={"a": shared, "b": shared, "file": "x"}))
    loaded = load_model(stored(tmp_path, data))
    assert loaded.kw_args["a"] is loaded.kw_args["b"]


def test_the_code_in_the_folder_of_a_model_is_not_imported(tmp_path):
    code = tmp_path / "code"
    code.mkdir()
    for shadowed in ("sklearn", "yaml", "xentexp"):
        (code / f"{shadowed}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    load_model(stored(tmp_path, LOGISTIC, code="code"))
    assert not (tmp_path / "ran").exists()


def compressed(data):
    target = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for member in old.namelist():
            new.writestr(member, old.read(member))
        new.writestr("large.npy", b"\0" * 10_000_000)
    return target.getvalue()


def too_deep(data):
    def nest(schema):
        node = schema["content"]
        for number in range(3000):
            node = {
                "__class__": "list",
                "__module__": "builtins",
                "__loader__": "ListNode",
                "__id__": -number - 1,
                "content": [node],
            }
        schema["content"] = node

    import sys

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(50_000)
    try:
        return changed(data, nest)
    finally:
        sys.setrecursionlimit(limit)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a zip",
        LOGISTIC[: len(LOGISTIC) // 2],
        compressed(LOGISTIC),
        too_deep(LOGISTIC),
        changed(LOGISTIC, lambda schema: schema.pop("__loader__")),
        changed(LOGISTIC, lambda schema: schema.update(protocol="9")),
    ],
    ids=["empty", "text", "cut off", "compressed", "deep", "no loader", "protocol"],
)
def test_a_damaged_file_gives_one_sentence(data, tmp_path):
    with pytest.raises(InputError, match="stored model cannot be read, it is damaged: "):
        load_model(stored(tmp_path, data))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("flavors: [", "not valid YAML"),
        ("flavors: !!python/object/apply:os.mkdir [made]", "not valid YAML"),
        ("flavors: {python_function: {}}", "without the flavor sklearn"),
        ("[]", "without the flavor sklearn"),
        ("flavors: {sklearn: {serialization_format: joblib}}", "format must be skops"),
        (
            "flavors: {sklearn: {serialization_format: skops, pickled_model: ../../etc/passwd}}",
            "file must be model.skops; got '../../etc/passwd'",
        ),
        ("flavors: {sklearn: {serialization_format: skops}}", "file must be model.skops; got None"),
        (
            "a: &a [1, 2, 3, 4, 5, 6, 7, 8]\n"
            + "".join(
                f"{new}: &{new} [{', '.join([f'*{old}'] * 8)}]\n"
                for old, new in pairwise("abcdefghijklm")
            )
            + "flavors: {sklearn: {serialization_format: *m}}",
            "format must be skops",
        ),
    ],
)
def test_a_damaged_description_gives_one_sentence(content, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stored(tmp_path, LOGISTIC)
    (tmp_path / "MLmodel").write_text(content)
    with pytest.raises(InputError, match=message):
        load_model(tmp_path)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("name", ["MLmodel", "model.skops"])
def test_links_in_the_folder_of_a_model_are_not_followed(name, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "model").mkdir()
    stored(tmp_path / "other", LOGISTIC)
    stored(tmp_path / "model", LOGISTIC)
    (tmp_path / "model" / name).unlink()
    (tmp_path / "model" / name).symlink_to(tmp_path / "other" / name)
    with pytest.raises(InputError, match=f"it must have the file {name}"):
        load_model(tmp_path / "model")
