"""MLflow stores with models, written with MLflow alone."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import skops.io
from mlflow import MlflowClient
from sklearn.pipeline import Pipeline

from xentexp.experiments._serving.columns import TrainingColumns
from xentexp.experiments.datasets import Dataset


def fitted(model: Pipeline, data: Dataset) -> Pipeline:
    """Pipeline that gives new rows the columns of the data set, fitted on all rows."""
    steps = [("columns", TrainingColumns(dates=data.dates)), *model.steps]
    return Pipeline(steps).fit(data.X, data.y)


def write_model(model: Any, folder: Path) -> Path:
    """Folder of a model as MLflow writes it, in the format of skops."""
    types = skops.io.get_untrusted_types(data=skops.io.dumps(model))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the type hints of MLflow itself
        import mlflow.sklearn

        mlflow.sklearn.save_model(
            model,
            str(folder),
            serialization_format="skops",
            skops_trusted_types=types,
            pip_requirements=[],
            pyfunc_predict_fn="predict_proba",
        )
    return folder


def log_model(client: MlflowClient, experiment: str, run_id: str, folder: Path) -> str:
    """Log the folder of a model as a logged model of a run; its id."""
    model = client.create_logged_model(experiment, "model", run_id)
    client.log_model_artifacts(model.model_id, str(folder))
    client.finalize_logged_model(model.model_id, "READY")
    client.set_tag(run_id, "xentexp.model", f"models:/{model.model_id}")
    return str(model.model_id)


def log_run(
    client: MlflowClient,
    models: dict[str, Path | None],
    *,
    winner: str | None = None,
    name: str = "test",
    home: Path | None = None,
) -> dict[str, str]:
    """A finished run whose models have stored models, or None; ids by name, the run's as run."""
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        location = None if home is None else (home / "mlartifacts").as_uri()
        number = client.create_experiment(name, location)
    else:
        number = experiment.experiment_id
    parent = client.create_run(
        number, tags={"xentexp.kind": "comparison"}, run_name="run"
    ).info.run_id
    client.log_param(parent, "models", ",".join(models))
    ids = {"run": parent}
    for model, folder in models.items():
        tags = {"xentexp.kind": "candidate", "mlflow.parentRunId": parent}
        run = client.create_run(number, tags=tags, run_name=model).info.run_id
        client.log_metric(run, "cv/categorical_crossentropy", 0.5)
        ids[model] = run
        if folder is not None:
            model_id = log_model(client, number, run, folder)
            if model == winner:
                client.set_tag(parent, "xentexp.model", f"models:/{model_id}")
        client.set_terminated(run)
    client.set_terminated(parent)
    return ids


def rows_of(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
