"""Stored models in a new environment that has only the packages of their requirements.txt."""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
import venv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.experiments.serving.test_logged_models import as_request
from tests.support.stores import client, new_workplace, runs
from xentexp.experiments import load_dataset
from xentexp.experiments._cli import main
from xentexp.experiments._serving.model_file import load_model

RUN = [
    *("run", "--quiet", "dataset=simulated_delinquency", "dataset.n_samples=300", "n_jobs=1"),
    *("report=none", "leakage.check=ignore", "explain=null", "cv.n_splits=2", "metrics=[]"),
    *("losses=[brier_loss,categorical_crossentropy]", "primary=brier_loss", "leaderboard=null"),
    *("models=[logistic,random_forest,hist_gradient_boosting,lightgbm_loss]", "models.log=all"),
    *("models.random_forest.classifier.n_estimators=5", "calibration=temperature"),
    "models.hist_gradient_boosting.classifier.max_iter=5",
    "models.lightgbm_loss.classifier.n_estimators=5",
    "models.lightgbm_loss.classifier.loss=categorical_focal_crossentropy",
]
KINDS = {
    *("logistic", "random_forest", "hist_gradient_boosting", "lightgbm_loss"),
    *("logistic_temperature", "random_forest_temperature", "lightgbm_loss_temperature"),
    "hist_gradient_boosting_temperature",
}

# Runs in the new environment: pyfunc, then MLflow's scoring server over HTTP, for each model.
SCRIPT = """
import json, sys, threading, time, urllib.request
import mlflow, pandas as pd, uvicorn
from mlflow.pyfunc import scoring_server
assert not any("xentexp" in path for path in sys.path), sys.path
todo = json.load(sys.stdin)
done = {}
for port, (name, folder) in enumerate(todo["models"].items(), todo["port"]):
    model = mlflow.pyfunc.load_model(folder)
    rows = pd.read_json(todo["rows"], orient="split", dtype=False, convert_dates=False)
    inputs = model.metadata.signature.inputs
    rows = rows.astype({c.name: "float64" for c in inputs if c.type.name == "double"})
    app = scoring_server.init(model)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.05)
    body = json.dumps({"dataframe_split": json.load(open(todo["rows"]))}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "application/json"}
    )
    served = json.load(urllib.request.urlopen(request, timeout=60))["predictions"]
    done[name] = {"pyfunc": model.predict(rows).tolist(), "http": served}
    server.should_exit = True
import xentexp
done["code"] = xentexp.__file__
print(json.dumps(done))
"""


def rows_to_predict():
    X = as_request(load_dataset("simulated_delinquency", n_samples=300).X[:6])
    X.loc[0, "income_type"] = "Unknown"
    X.loc[1, "income_type"] = None
    X.loc[2, "begin_month"] = None
    return X


@pytest.fixture(scope="module")
def place(tmp_path_factory, migrated_store):
    folder = tmp_path_factory.mktemp("stored")
    with new_workplace(folder, migrated_store):
        assert main(RUN) == 0
        yield folder


@pytest.fixture(scope="module")
def stored(place):
    """Folder of each model."""
    return {
        run.info.run_name: place
        / "mlartifacts"
        / "models"
        / run.data.tags["xentexp.model"].removeprefix("models:/")
        / "artifacts"
        for run in runs("candidate")
    }


@pytest.fixture(scope="module")
def python(stored, tmp_path_factory):
    """Python of an environment with the requirements of all models, and nothing else."""
    given = os.environ.get("XENTEXP_TEST_SERVING_PYTHON")
    if given:  # an environment that exists already, to repeat the test
        return Path(given)
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    files = [word for path in stored.values() for word in ("-r", str(path / "requirements.txt"))]
    subprocess.run([folder / "bin" / "pip", "install", "-q", *files], check=True, cwd=folder)
    return folder / "bin" / "python"


def environment(**more):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return {**kept, "OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true", **more}


@pytest.mark.slow
def test_each_kind_of_model_predicts_the_same_through_pyfunc_and_http(stored, python, tmp_path):
    assert set(stored) == KINDS
    rows = rows_to_predict()
    file = tmp_path / "rows.json"
    file.write_text(rows.to_json(orient="split", index=False))
    todo = {"models": {n: str(f) for n, f in stored.items()}, "rows": str(file), "port": 5710}
    done = subprocess.run(
        [python, "-W", "ignore", "-c", SCRIPT],
        input=json.dumps(todo),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout.splitlines()[-1])
    assert "/artifacts/code/xentexp/" in results.pop("code")
    for name, folder in stored.items():
        expected = load_model(folder).predict_proba(rows)
        np.testing.assert_allclose(results[name]["pyfunc"], expected, rtol=0, atol=1e-15)
        np.testing.assert_allclose(results[name]["http"], expected, rtol=0, atol=1e-15)


@pytest.mark.slow
def test_mlflow_serves_a_model_by_its_address_in_the_store(place, stored, python, tmp_path):
    (run,) = (run for run in runs("candidate") if run.info.run_name == "logistic")
    uri = run.data.tags["xentexp.model"]
    port = "5790"
    command = [python.with_name("mlflow"), "models", "serve", "--model-uri", uri]
    server = subprocess.Popen(
        [*command, "--env-manager", "local", "--port", port, "--workers", "1"],
        cwd=tmp_path,
        env=environment(
            MLFLOW_TRACKING_URI=f"sqlite:///{place}/mlflow.db",
            PATH=f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        body = (stored["logistic"] / "serving_input_example.json").read_bytes()
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "application/json"}
        )
        for _ in range(600):
            try:
                answer = json.load(urllib.request.urlopen(request, timeout=60))
                break
            except urllib.error.URLError:
                assert server.poll() is None, "the server has ended"
                time.sleep(0.2)
        example = json.loads(body)["dataframe_split"]
        rows = pd.DataFrame(example["data"], columns=example["columns"])
        expected = load_model(stored["logistic"]).predict_proba(rows)
        np.testing.assert_allclose(answer["predictions"], expected, rtol=0, atol=1e-15)
    finally:
        server.terminate()
        server.wait(timeout=60)
    assert client().get_logged_model(uri.removeprefix("models:/")).status.name == "READY"
