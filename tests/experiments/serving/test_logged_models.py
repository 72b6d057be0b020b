"""Models that a run stores: what MLflow loads, what is written, and the registry."""

import json
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from tests.support.stores import client, new_workplace, runs
from xentexp.errors import InputError
from xentexp.experiments import load_dataset, tabular_pipeline
from xentexp.experiments._cli import main
from xentexp.experiments._serving.model_file import load_model

DATA = load_dataset("simulated_delinquency", n_samples=300)
LOSSES = ("brier_loss", "categorical_crossentropy", "zero_one_loss")
RUN = [
    *("run", "dataset=simulated_delinquency", "dataset.n_samples=300", "n_jobs=1", "report=none"),
    *("leakage.check=ignore", "explain=null", "cv.n_splits=2", "metrics=[]"),
    *(f"losses=[{','.join(LOSSES)}]", "primary=brier_loss"),
    "leaderboard=[brier_loss,zero_one_loss]",
]
ALL = [
    *("models=[prior,logistic,linear_svm,linear]", "models.log=all", "tracking.register=credit"),
    "train_on=null",
]


def run(*more, words=RUN):
    return main([words[0], "--json", "--quiet", *words[1:], *more])


def as_request(X):
    """Rows as a request sends them: text and numbers that may be missing."""
    return X.astype({name: object if X[name].dtype.kind not in "if" else "float64" for name in X})


def model_of(name):
    (child,) = (r for r in runs("candidate") if r.info.run_name == name)
    uri = child.data.tags["xentexp.model"]
    folder = Path("mlartifacts") / "models" / uri.removeprefix("models:/") / "artifacts"
    return child, uri, folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory, migrated_store):
    """Folder with a store of a run that has stored all its models."""
    folder = tmp_path_factory.mktemp("models")
    with new_workplace(folder, migrated_store):
        assert run(*ALL) == 0
    return folder


@pytest.fixture
def place(finished, monkeypatch):
    monkeypatch.chdir(finished)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{finished}/mlflow.db")
    yield finished
    mlflow.set_tracking_uri(before)


def refitted(name):
    parameters = {"C": 1.0, "max_iter": 1000} if name == "logistic" else {}
    assert name == "logistic"
    return tabular_pipeline(LogisticRegression(**parameters)).fit(DATA.X, DATA.y)


def test_pyfunc_predicts_the_probabilities_of_the_model_fitted_on_all_rows(place):
    _, uri, folder = model_of("logistic")
    expected = refitted("logistic").predict_proba(DATA.X)
    served = mlflow.pyfunc.load_model(uri)
    np.testing.assert_array_equal(served.predict(as_request(DATA.X)), expected)
    np.testing.assert_array_equal(load_model(folder).predict_proba(DATA.X), expected)
    np.testing.assert_array_equal(
        mlflow.sklearn.load_model("models:/credit@champion").classes_, [0, 1, 2]
    )


def test_missing_values_and_unknown_categories_are_predicted_as_in_cross_validation(place):
    _, uri, _ = model_of("logistic")
    served = mlflow.pyfunc.load_model(uri)
    X = DATA.X[:4].copy()
    X["income_type"] = X["income_type"].cat.add_categories("Unknown")
    X.loc[0, "income_type"] = "Unknown"
    X.loc[1, "income_type"] = None
    X["begin_month"] = X["begin_month"].astype("float64")
    X.loc[2, "begin_month"] = np.nan
    expected = refitted("logistic").predict_proba(X)
    np.testing.assert_array_equal(served.predict(as_request(X)), expected)
    in_other_order = as_request(X)[X.columns[::-1]].assign(more=1)
    np.testing.assert_array_equal(served.predict(in_other_order), expected)


def test_a_model_without_probabilities_predicts_scores_and_says_so(place):
    _, uri, folder = model_of("linear_svm")
    served = mlflow.pyfunc.load_model(uri)
    expected = load_model(folder).decision_function(DATA.X)
    assert expected.shape == (300, 3)
    np.testing.assert_array_equal(served.predict(as_request(DATA.X)), expected)
    assert served.metadata.metadata["output"].startswith("decision scores")


def test_signature_example_and_requirements_describe_the_model(place):
    _, uri, folder = model_of("logistic")
    info = mlflow.models.get_model_info(uri)
    inputs = {column.name: column.type.name for column in info.signature.inputs}
    numbers = {name for name in DATA.X if DATA.X[name].dtype.kind in "if"}
    assert inputs == {name: "double" if name in numbers else "string" for name in DATA.X}
    assert info.signature.outputs.inputs[0].shape == (-1, 3)
    assert info.metadata["classes"] == [0, 1, 2]
    assert info.metadata["dataset_digest"] == DATA.digest
    example = pd.read_json(folder / "input_example.json", orient="split")
    served = mlflow.pyfunc.load_model(uri)
    assert served.predict(as_request(example)).shape == (3, 3)
    kept = example.merge(DATA.X.astype(object), how="inner", on=list(DATA.X))
    assert len(kept) == 0, "the example has no training rows"
    lines = (folder / "requirements.txt").read_text().splitlines()
    assert all("==" in line for line in lines)
    names = {line.partition("==")[0] for line in lines}
    assert {"mlflow", "scikit-learn", "skops", "pandas", "numpy", "scipy"} < names
    assert not names & {"torch", "lightgbm", "xgboost", "catboost", "matplotlib", "hydra-core"}


def test_the_code_of_a_model_has_neither_data_nor_caches(place):
    _, _, folder = model_of("logistic")
    files = [path for path in (folder / "code").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".py"}
    folders = {path.name for path in (folder / "code" / "xentexp" / "experiments").iterdir()}
    assert "_serving" in folders
    assert not folders & {"_cli", "_report", "_tracking", "_config"}


def test_models_are_linked_to_their_runs_metrics_and_parameters(place):
    for child in runs("candidate"):
        uri = child.data.tags["xentexp.model"]
        model = client().get_logged_model(uri.removeprefix("models:/"))
        assert model.name == child.info.run_name
        assert model.status.name == "READY"
        assert model.source_run_id == child.info.run_id
        assert [output.model_id for output in child.outputs.model_outputs] == [model.model_id]
        linked = {metric.key: metric.value for metric in model.metrics}
        keys = {f"cv/{name}" for name in LOSSES} & set(child.data.metrics)
        assert linked == {key: child.data.metrics[key] for key in keys}
        for key in keys:
            assert len(client().get_metric_history(child.info.run_id, key)) == 1
        assert model.params == child.data.params


def test_the_best_model_is_registered_with_an_alias_and_tagged_on_the_parent(place):
    (parent,) = runs("comparison")
    best = parent.data.tags["best_model"]
    child, uri, _ = model_of(best)
    assert parent.data.tags["xentexp.model"] == uri
    version = client().get_model_version_by_alias("credit", "champion")
    assert version.run_id == child.info.run_id
    assert uri.removeprefix("models:/") in version.source
    assert version.current_stage in (None, "None")


@pytest.mark.long
def test_a_second_run_adds_a_version_and_moves_the_alias(workplace, capsys):
    for expected in ("1", "2"):
        assert run("models=[prior]", "tracking.register=credit", "tracking.alias=next") == 0
        document = json.loads(capsys.readouterr().out)["model"]
        assert document["registered"] == {"name": "credit", "version": expected, "alias": "next"}
        assert document["format"] == "skops"
        assert document["trust"] is None
        assert document["uri"].startswith("models:/m-")
        version = client().get_model_version_by_alias("credit", "next")
        assert (str(version.version), version.run_id) == (expected, document["run_id"])


@pytest.mark.long
def test_no_model_is_stored_with_none_and_the_address_is_printed_with_best(workplace, capsys):
    assert main([*RUN, "models=[prior]", "models.log=none"]) == 0
    assert "xentexp predict" not in capsys.readouterr().out
    assert not Path("mlartifacts/models").exists()
    assert "xentexp.model" not in runs("comparison")[0].data.tags
    assert main([*RUN, "models=[prior]"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    (uri,) = (
        r.data.tags["xentexp.model"]
        for r in runs("candidate")
        if len(r.data.tags) and "xentexp.model" in r.data.tags
    )
    assert f"Model prior, fitted on all rows: {uri}. To predict: " in out


class OnlyOnce(ClassifierMixin, BaseEstimator):
    """A classifier of another package, which can fail on 300 rows or keep a function."""

    def __init__(self, fails=False, keeps=False):
        self.fails = fails
        self.keeps = keeps

    def fit(self, X, y):
        if self.fails and len(X) == 300:
            raise RuntimeError("too many rows")
        self.classes_ = np.unique(y)
        self.kept_ = (lambda: 0) if self.keeps else None
        return self

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1.0 / len(self.classes_))


def own_model(folder, **parameters):
    conf = folder / "own" / "models"
    conf.mkdir(parents=True)
    target = {"_target_": f"{OnlyOnce.__module__}.OnlyOnce", **parameters}
    content = {"mine": {"preprocessing": "none", "classifier": target}}
    (conf / "mine.yaml").write_text(yaml.safe_dump(content))
    package = OnlyOnce.__module__.partition(".")[0]
    return ["--config-dir", str(folder / "own"), "--trust", package, "models=[mine]"]


@pytest.mark.long
def test_a_model_of_another_package_is_stored_and_needs_trust(workplace, capsys):
    assert run(*own_model(workplace)) == 0
    document = json.loads(capsys.readouterr().out)["model"]
    assert document["format"] == "skops"
    assert "does not know" in document["trust"]
    assert "OnlyOnce" in document["trust"]
    _, _, folder = model_of("mine")
    with pytest.raises(InputError, match=r"OnlyOnce.*pass --trust"):
        load_model(folder)
    assert load_model(folder, trust=True).predict_proba(DATA.X).shape == (300, 3)


@pytest.mark.long
def test_what_skops_cannot_store_is_stored_with_cloudpickle_and_needs_trust(workplace, capsys):
    assert run(*own_model(workplace, keeps=True)) == 0
    document = json.loads(capsys.readouterr().out)["model"]
    assert document["format"] == "cloudpickle"
    assert "its format is cloudpickle, because skops cannot store it" in document["trust"]
    child, uri, folder = model_of("mine")
    assert child.data.tags["xentexp.model_trust"] == document["trust"]
    logged = client().get_logged_model(uri.removeprefix("models:/"))
    assert logged.tags["xentexp.model_trust"] == document["trust"]
    with pytest.raises(InputError, match="format cloudpickle, which runs code"):
        load_model(folder)
    assert load_model(folder, trust=True).predict_proba(DATA.X).shape == (300, 3)


@pytest.mark.long
def test_a_refit_that_fails_is_one_sentence_and_keeps_the_results(workplace, capsys):
    assert run(*own_model(workplace, fails=True)) == 1
    captured = capsys.readouterr()
    message = "model mine failed when it was fitted on all rows: RuntimeError: too many rows"
    assert message in captured.err
    assert "Traceback" not in captured.err
    document = json.loads(captured.out)
    assert document["model"] is None
    assert document["leaderboard"][0]["model"] == "mine"
    assert {r.info.status for r in runs("candidate")} == {"FINISHED"}
